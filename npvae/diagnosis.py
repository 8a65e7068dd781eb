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
from .evaluation import Evaluation, parts, per_row, summarize
from .likelihoods import (
    Bernoulli,
    Gaussian,
    HeteroscedasticGaussian,
    LearnedGaussian,
    binarize_rows,
)
from .vae import VAE

WIDE_VARIANCE = 10  # the prior's is 1
SAMPLE_ROWS = 10_000
FLOOR_ROWS = 1000  # a floor fitted to fewer flatters itself by nats
DIAGNOSE_NUMBERS = 4_000_000  # that the decoder may emit at once


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
    """What data alone say of any model with the same likelihood on them."""

    rows: int
    floor: float  # nats: the bound of the best model that ignores z, fitted to at most 10,000 rows
    grey: float  # the part of a Bernoulli's targets strictly between 0 and 1
    entropy: float  # nats a row, of those: what no Bernoulli model can win
    has_width: bool  # whether the likelihood is a Gaussian


class Vitals(NamedTuple):
    """What findings are made of, over the rows of a data set or an epoch."""

    yardsticks: Yardsticks
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
    same model and data, in the same order, always get the same answer.    [diagnosis.1]
    The floor is fitted to x itself, and not held against the model where x has few rows.
    Raises TypeError or ValueError if x is no finite (N, D) array in the likelihood's support.
    """
    from scipy.stats import qmc  # here, for it would triple the time that import npvae takes

    x = vae.check_data("x", x)
    sobol = qmc.Sobol(vae.latent_dim, scramble=False)
    sobol.fast_forward(1)  # its first point is 0, whose quantile is −∞
    size = max(1, DIAGNOSE_NUMBERS // vae.likelihood.output_width(vae.data_dim))
    visited = []
    for start in range(0, len(x), size):
        batch = x[start : start + size]
        noise = ndtri(sobol.random(len(batch)))[None].astype(vae.dtype)
        visited.append(per_row(elbo(vae, batch, noise)))
    rows = map(np.concatenate, zip(*visited, strict=True))
    vitals = take_vitals(vae, measure(vae, x, 1), *rows)
    return Diagnosis(vitals, list(findings(vitals)))


def measure(vae, x, unit, *, binarized=False):
    """Yardsticks of targets x / unit; if binarized, of binary ones drawn from them."""
    likelihood = vae.likelihood
    rows = np.arange(0, len(x), 1 + len(x) // SAMPLE_ROWS)
    if binarized:  # with a generator of its own: measuring may not change what training draws
        sample = binarize_rows(x, rows, unit, vae.dtype, rng=np.random.default_rng(0))
    else:
        sample = np.divide(x[rows], unit, dtype=vae.dtype)
    grey = entropy = 0.0
    if isinstance(likelihood, Bernoulli) and not binarized:
        grey = sum(np.count_nonzero((part > 0) & (part < unit)) for (part,) in parts(x)) / x.size
        entropies = [likelihood.entropy(part) for (part,) in parts(sample)]
        entropy = float(np.concatenate(entropies).mean())
    return Yardsticks(
        rows=len(x),
        floor=likelihood.floor(sample),
        grey=grey,
        entropy=entropy,
        has_width=isinstance(likelihood, Gaussian | LearnedGaussian | HeteroscedasticGaussian),
    )


def take_vitals(vae, yardsticks, log_px_z, mu, logvar, *, beta=1.0):
    """Vitals of rows (N, ·) as `per_row` gives them."""
    with np.errstate(over="ignore", invalid="ignore"):
        largest = {
            "mu²": float(np.square(max(mu.max(), -mu.min()))),
            "σ²": float(np.exp(logvar.max())),
            "log p(x|z)": float(np.abs(log_px_z).max()),
        }
        sums = [np.exp(part).sum(axis=0, dtype=np.float64) for (part,) in parts(logvar)]
    return Vitals(
        yardsticks=yardsticks,
        evaluation=summarize(log_px_z, mu, logvar),
        variance=np.sum(sums, axis=0) / len(mu),
        largest=largest,
        limit=float(np.finfo(vae.dtype).max),
        beta=beta,
    )


def findings(vitals):
    """Yield a DiagnosisWarning for each thing that is likely wrong, the gravest first."""
    if not np.isfinite(vitals.evaluation.elbo):
        yield RangeWarning(
            f"elbo is {vitals.evaluation.elbo}: a parameter is not finite, or a number has left "
            "the dtype's range"
        )
        return
    for find in (_near_the_range, _dead_units, _at_the_floor, _wide_posterior):
        yield from find(vitals)
    yield from grey_targets(vitals.yardsticks)
    yield from _mostly_entropy(vitals)


def _near_the_range(vitals):
    for name, value in vitals.largest.items():
        if value > vitals.limit**0.8:
            yield RangeWarning(
                f"{name} reaches {value:.1e}, and the dtype ends at {vitals.limit:.1e}. Likely "
                "causes: data far from unit range, a learning rate too large, a likelihood much "
                "too narrow. Scale the data, or lower the learning rate"
            )


def _dead_units(vitals):
    Z = len(vitals.variance)
    dead = Z - vitals.evaluation.active_units
    if dead == Z and vitals.yardsticks.rows > 1:
        yield CollapseWarning(
            f"no latent unit is active: the decoder ignores z (posterior collapse). Likely "
            f"causes: {_beta(vitals)}{_width(vitals)}a learning rate too large, or too few "
            "steps. Let beta rise from 0 over the first epochs"
        )
    elif dead < Z < 2 * dead:
        yield DeadUnitsWarning(
            f"{dead} of {Z} latent units are not active. Likely causes: {_beta(vitals)}"
            f"{_width(vitals)}more units than the data need. It costs nothing but time; fewer "
            "units, or FreeBits, would use all"
        )


def _at_the_floor(vitals):
    elbo, floor = vitals.evaluation.elbo, vitals.yardsticks.floor
    if elbo < floor + 0.01 * abs(floor) and vitals.yardsticks.rows >= FLOOR_ROWS:
        yield FloorWarning(
            f"elbo {elbo:.2f} is no better than {floor:.2f} nats, the best of a model that "
            f"ignores z. Likely causes: {_beta(vitals)}{_width(vitals)}a learning rate too large "
            "or too small, too few steps"
        )


def _wide_posterior(vitals):
    widest = int(np.argmax(vitals.variance))
    if vitals.variance[widest] > WIDE_VARIANCE:
        yield WidePosteriorWarning(
            f"the posterior's variance in dimension {widest} is {vitals.variance[widest]:.3g} on "
            "average, and the prior's is 1. Likely causes: beta too small to hold z near the "
            "prior, or a learning rate too large. Samples from the prior will be poor"
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


def _mostly_entropy(vitals):
    elbo, entropy = vitals.evaluation.elbo, vitals.yardsticks.entropy
    if entropy > -elbo / 2 > 0:
        yield EntropyWarning(
            f"{entropy:.1f} of the {-elbo:.1f} nats of −elbo are the grey targets' own entropy, "
            "which no model can win. Compare losses after subtracting it, draw binary targets "
            "(binarize=True), or take ContinuousBernoulli()"
        )


def _beta(vitals):
    return f"beta = {vitals.beta:g} too large, " if vitals.beta > 1 else ""


def _width(vitals):
    return "a likelihood too wide for the data, " if vitals.yardsticks.has_width else ""
