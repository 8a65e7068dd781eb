"""What is likely wrong with a model, told while it trains or afterwards.

A finding says what was measured, the likely cause, and what to try. `train` warns of each kind
once; `diagnose` lists them all for a finished model.
"""

from __future__ import annotations

import textwrap
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from .elbo import elbo
from .evaluation import Evaluation, per_row, summarize
from .likelihoods import Bernoulli
from .vae import VAE

WIDE_VARIANCE = 10  # the prior's is 1
SAMPLE_ROWS = 2000
DIAGNOSE_BATCH = 1000


class DiagnosisWarning(UserWarning):
    """Something about a model or its data that is likely not what was meant."""


class GreyTargetsWarning(DiagnosisWarning):
    """A Bernoulli likelihood is given targets strictly between 0 and 1."""


class EntropyWarning(DiagnosisWarning):
    """Most of the loss is the grey targets' own entropy."""


class CollapseWarning(DiagnosisWarning):
    """No latent unit is active: the decoder ignores z."""


class DeadUnitsWarning(DiagnosisWarning):
    """Most latent units are not active."""


class FloorWarning(DiagnosisWarning):
    """The bound is no better than that of a model that ignores z."""


class WidePosteriorWarning(DiagnosisWarning):
    """q(z|x) is far wider than the prior."""


class RangeWarning(DiagnosisWarning):
    """A quantity nears the largest number that the model's dtype holds."""


class Yardsticks(NamedTuple):
    """What data alone say of any model on them."""

    floor: float  # nats: the bound of the best model that ignores z
    grey: float  # the part of a Bernoulli's targets strictly between 0 and 1
    entropy: float  # nats a row, of those: what no Bernoulli model can win


class Vitals(NamedTuple):
    """What findings are made of, over the rows of a data set or an epoch."""

    yardsticks: Yardsticks
    rows: int
    evaluation: Evaluation
    variance: np.ndarray  # (Z,), the mean over rows of e^logvar
    largest: dict[str, float]  # the largest magnitude of quantities by name
    limit: float  # the largest number that the model's dtype holds
    beta: float  # of the training


class Diagnosis(NamedTuple):
    """What a model is worth, and what is likely wrong with it."""

    vitals: Vitals
    findings: list[DiagnosisWarning]

    def __str__(self) -> str:
        units = "  ".join(f"{kl:.2f}" for kl in -np.sort(-self.vitals.evaluation.kl_per_dim))
        lines = [
            str(self.vitals.evaluation),
            f"floor {self.vitals.yardsticks.floor:.2f} nats, of a model that ignores z",
            f"KL by unit {units} nats",
            *(f"- {finding}" for finding in self.findings),
        ]
        if not self.findings:
            lines.append("Nothing suspicious was found.")
        return "\n".join(textwrap.fill(line, 80, subsequent_indent="  ") for line in lines)


def diagnose(vae: VAE, x: ArrayLike) -> Diagnosis:
    """The bound, its floor, the units, and every finding about a model on data; `print` it.

    x (N, D) -> Diagnosis. z is drawn at the points of a Sobol sequence, no generator needed: the
    same model and data always get the same answer.                [diagnosis.1]
    Raises TypeError or ValueError if x is no finite (N, D) array in the likelihood's support.
    """
    from scipy.stats import qmc  # here, for it would triple the time that import npvae takes

    x = vae.check_data("x", x)
    sobol = qmc.Sobol(vae.latent_dim, scramble=False)
    sobol.fast_forward(1)  # its first point is 0, whose quantile is −∞
    visited = []
    for start in range(0, len(x), DIAGNOSE_BATCH):
        batch = x[start : start + DIAGNOSE_BATCH]
        noise = ndtri(sobol.random(len(batch)))[None].astype(vae.dtype)
        visited.append(per_row(elbo(vae, batch, noise)))
    rows = map(np.concatenate, zip(*visited, strict=True))
    vitals = take_vitals(vae, measure(vae, x, 1), *rows)
    return Diagnosis(vitals, list(findings(vitals)))


def measure(vae, x, unit, *, binarized=False):
    """Yardsticks of targets x / unit; if binarized, of binary ones drawn from them."""
    sample = x[:: 1 + len(x) // SAMPLE_ROWS] / unit
    grey = entropy = 0.0
    if isinstance(vae.likelihood, Bernoulli) and not binarized:
        parts = np.array_split(x, 1 + len(x) // SAMPLE_ROWS)
        grey = sum(np.count_nonzero((part > 0) & (part < unit)) for part in parts) / x.size
        entropy = float(vae.likelihood.entropy(sample).mean())
    return Yardsticks(vae.likelihood.floor(sample), grey, entropy)


def take_vitals(vae, yardsticks, log_px_z, mu, logvar, *, beta=1.0):
    """Vitals of rows (N, ·) as `per_row` gives them."""
    with np.errstate(over="ignore"):
        sizes = {"mu²": np.square(mu), "σ²": np.exp(logvar), "log p(x|z)": np.abs(log_px_z)}
    return Vitals(
        yardsticks=yardsticks,
        rows=len(mu),
        evaluation=summarize(log_px_z, mu, logvar),
        variance=sizes["σ²"].mean(axis=0, dtype=np.float64),
        largest={name: float(size.max()) for name, size in sizes.items()},
        limit=float(np.finfo(vae.dtype).max),
        beta=beta,
    )


def findings(vitals):
    """Yield a DiagnosisWarning for each thing that is likely wrong, the gravest first."""
    evaluation, floor = vitals.evaluation, vitals.yardsticks.floor
    Z = len(vitals.variance)
    dead = Z - evaluation.active_units
    for name, value in vitals.largest.items():
        if value > vitals.limit**0.8:
            yield RangeWarning(
                f"{name} reaches {value:.1e}, and the dtype ends at {vitals.limit:.1e}. Likely "
                "causes: data far from unit range, a learning rate too large, a likelihood much "
                "too narrow. Scale the data, or lower the learning rate"
            )
    if dead == Z and vitals.rows > 1:
        yield CollapseWarning(
            f"no latent unit is active: the decoder ignores z (posterior collapse). Likely "
            f"causes: {_beta(vitals)}a likelihood too wide for the data, a learning rate too "
            "large, or too few steps. Let beta rise from 0 over the first epochs"
        )
    elif dead < Z < 2 * dead:
        yield DeadUnitsWarning(
            f"{dead} of {Z} latent units are not active. Likely causes: {_beta(vitals)}more "
            "units than the data need, a likelihood too wide for the data. It costs nothing but "
            "time; fewer units, or FreeBits, would use all"
        )
    if evaluation.elbo < floor + 0.01 * abs(floor):
        yield FloorWarning(
            f"elbo {evaluation.elbo:.2f} is no better than {floor:.2f} nats, the best of a "
            f"model that ignores z. Likely causes: {_beta(vitals)}a learning rate too large or "
            "too small, a likelihood too wide for the data, too few steps"
        )
    widest = int(np.argmax(vitals.variance))
    if vitals.variance[widest] > WIDE_VARIANCE:
        yield WidePosteriorWarning(
            f"the posterior's variance in dimension {widest} is {vitals.variance[widest]:.3g} on "
            "average, and the prior's is 1. Likely causes: beta too small to hold z near the "
            "prior, or a learning rate too large. Samples from the prior will be poor"
        )
    yield from grey_targets(vitals.yardsticks)
    if vitals.yardsticks.entropy > -evaluation.elbo / 2 > 0:
        yield EntropyWarning(
            f"{vitals.yardsticks.entropy:.1f} of the {-evaluation.elbo:.1f} nats of −elbo are the "
            "grey targets' own entropy, which no model can win. Compare losses after subtracting "
            "it, draw binary targets (binarize=True), or take ContinuousBernoulli()"
        )


def grey_targets(yardsticks):
    """Yield the finding that a Bernoulli's targets are grey, if any are."""
    if yardsticks.grey > 0:
        yield GreyTargetsWarning(
            f"{100 * yardsticks.grey:.2g} % of the targets lie strictly between 0 and 1: the bound "
            "is then a cross-entropy, not a bound on log p(x) of a binary image, and about "
            f"{yardsticks.entropy:.1f} nats a row of -elbo are the targets' own entropy. "
            "binarize=True draws binary targets"
        )


def _beta(vitals):
    return f"beta = {vitals.beta:g} too large, " if vitals.beta > 1 else ""
