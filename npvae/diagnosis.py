"""What is likely wrong with a model, told while it trains or afterwards.

A finding says what was measured, the likely cause, and what to try. `train` warns of each kind
once; `diagnose` lists them all for a finished model.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from .elbo import elbo
from .evaluation import Evaluation, per_row, summarize
from .likelihoods import Bernoulli
from .vae import VAE

WIDE_VARIANCE = 10  # the prior's is 1
FLOOR_ROWS = 2000
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


class Vitals(NamedTuple):
    """What findings are made of, over the rows of a data set or an epoch."""

    rows: int
    evaluation: Evaluation
    floor: float  # nats: the bound of the best model that ignores z
    target_entropy: float  # nats a row that no Bernoulli model can win; 0 for binary targets
    variance: np.ndarray  # (Z,), the mean over rows of e^logvar
    largest: dict[str, float]  # the largest magnitude of quantities by name
    limit: float  # the largest number that the model's dtype holds
    beta: float | None = None  # of the training, where it is known


class Diagnosis(NamedTuple):
    """What a model is worth, and what is likely wrong with it."""

    vitals: Vitals
    findings: list[DiagnosisWarning]

    def __str__(self) -> str:
        told = [f"- {finding}" for finding in self.findings] or ["Nothing suspicious was found."]
        units = "  ".join(f"{kl:.2f}" for kl in -np.sort(-self.vitals.evaluation.kl_per_dim))
        return "\n".join(
            [
                str(self.vitals.evaluation),
                f"floor {self.vitals.floor:.2f} nats, of a model that ignores z",
                f"KL by unit {units} nats",
                *told,
            ]
        )


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
    rows = []
    for start in range(0, len(x), DIAGNOSE_BATCH):
        batch = x[start : start + DIAGNOSE_BATCH]
        noise = ndtri(sobol.random(len(batch)))[None].astype(vae.dtype)
        rows.append(per_row(elbo(vae, batch, noise)))
    vitals = take_vitals(vae, x, 1, *map(np.concatenate, zip(*rows, strict=True)))
    return Diagnosis(vitals, list(findings(vitals)))


def take_vitals(vae, x, unit, log_px_z, mu, logvar, *, binarized=False, beta=None):
    """Vitals of rows (N, ·) as `per_row` gives them; x / unit are the targets."""
    targets = x[:: 1 + len(x) // FLOOR_ROWS] / unit
    entropy = 0.0
    if isinstance(vae.likelihood, Bernoulli) and not binarized:
        entropy = float(vae.likelihood.entropy(targets).mean())
    with np.errstate(over="ignore"):
        squares = {"mu²": np.square(mu), "σ²": np.exp(logvar), "log p(x|z)": np.abs(log_px_z)}
        largest = {name: float(values.max()) for name, values in squares.items()}
        variance = np.exp(logvar.astype(np.float64)).mean(axis=0)
    return Vitals(
        rows=len(mu),
        evaluation=summarize(log_px_z, mu, logvar),
        floor=vae.likelihood.floor(targets),
        target_entropy=entropy,
        variance=variance,
        largest=largest,
        limit=float(np.finfo(vae.dtype).max),
        beta=beta,
    )


def findings(vitals):
    """Yield a DiagnosisWarning for each thing that is likely wrong, the gravest first."""
    evaluation, Z = vitals.evaluation, len(vitals.variance)
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
    if evaluation.elbo < vitals.floor + 0.01 * abs(vitals.floor):
        yield FloorWarning(
            f"elbo {evaluation.elbo:.2f} is no better than {vitals.floor:.2f} nats, the best of a "
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
    if vitals.target_entropy > -evaluation.elbo / 2 > 0:
        yield EntropyWarning(
            f"{vitals.target_entropy:.1f} of the {-evaluation.elbo:.1f} nats of −elbo are the grey "
            "targets' own entropy, which no model can win. Compare losses after subtracting it, "
            "draw binary targets (binarize=True), or take ContinuousBernoulli()"
        )


def _beta(vitals):
    large = vitals.beta is not None and vitals.beta > 1
    return f"beta = {vitals.beta:g} too large, " if large else ""
