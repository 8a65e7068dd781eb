"""log p(x) between two estimates: annealing from below, and back from an exact draw from above."""

from __future__ import annotations

import textwrap
import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .. import kernels
from .._checks import check_choice, check_positive_int, check_rng, matrix
from ..activations import ACTIVATIONS
from ..dense import stack
from ..importance import EFFECTIVE_SAMPLES, UnreliableWarning, add_weights, estimate, no_weights
from ..vae import VAE
from .annealing import anneal, annealing_schedule, hmc_steps, rehearse
from .joint import decoder_likelihood
from .sampling import rows_at_once

SCHEDULES = ("sigmoidal", "linear")


class AnnealedLogLikelihood(NamedTuple):
    """log p(x) of each row by annealing, and how far to trust it."""

    log_px: np.ndarray  # (N,) nats
    standard_error: np.ndarray  # (N,) nats, of the chains; NaN below 10 effective samples
    effective_samples: np.ndarray  # (N,), of the chains: how many equal weights are worth as much
    acceptance: np.ndarray  # (N,), the mean probability of acceptance

    def __str__(self) -> str:
        N = len(self.log_px)
        text = f"log p(x) {self.log_px.mean():.2f} nats a row"
        if N > 1:
            text += f", ± {self.log_px.std() / np.sqrt(N):.2f} over {N:,} rows"
        few = np.isnan(self.standard_error).sum()
        if few:
            text += f"; {few:,} of {N:,} rows have too few effective samples"
        text += (
            f"; effective samples {self.effective_samples.min():.1f} to "
            f"{self.effective_samples.max():.1f}, acceptance {self.acceptance.mean():.2f}"
        )
        return textwrap.fill(text, 80, subsequent_indent="  ")


def annealed_log_likelihood(
    vae: VAE,
    x: ArrayLike,
    *,
    temperatures: int = 1000,
    chains: int = 16,
    leaps: int = 10,
    schedule: str = "sigmoidal",
    rng: np.random.Generator,
    progress: bool = False,
) -> AnnealedLogLikelihood:
    """log p(x) ≈ log (1/C) Σ_c w_c, on average from below, whatever the encoder.  [annealing.5]

    x (N, D) -> AnnealedLogLikelihood
    temperatures    T, the steps from prior to posterior; each asks the decoder `leaps` times
    chains          C, for each row, and as many that rehearse at about 100 of the temperatures,
                    at all if there are fewer than 200
    leaps           of the leapfrog at each temperature
    schedule        "sigmoidal" or "linear"
    progress        draw a progress bar on standard error
    The encoder is not asked. With a Bernoulli likelihood, grey x have no log p(x); `binarize` them.
    Raises TypeError or ValueError if an argument is not as described; of x as `VAE.encode` does;
    FloatingPointError, naming the row, if the logarithm of a weight is not finite.
    Warns UnreliableWarning if a few chains carry the estimate of some row.
    Neal 2001; Wu, Burda, Salakhutdinov & Grosse 2017.
    """
    x, unit = vae.check_rows("x", x, vae.likelihood)
    _check(temperatures, chains, leaps, schedule, rng, progress)
    t = annealing_schedule(temperatures, schedule)
    result = AnnealedLogLikelihood(*_weigh(vae, x, unit, None, t, t, chains, leaps, rng, progress))
    _warn_of_few(result, chains)
    return result


def annealed_upper_bound(
    vae: VAE,
    x: ArrayLike,
    z: ArrayLike,
    *,
    temperatures: int = 1000,
    chains: int = 16,
    leaps: int = 10,
    schedule: str = "sigmoidal",
    rng: np.random.Generator,
    progress: bool = False,
) -> AnnealedLogLikelihood:
    """log p(x) ≈ −log (1/C) Σ_c w_c, back from z ~ p(z|x): from above.      [annealing.6]

    x (N, D), z (N, Z) -> AnnealedLogLikelihood
    z must be a draw from the posterior, and there is one where x itself was drawn from the model:
    z ~ p(z), x ~ p(x|z), as `simulate` does. All chains of a row go back from this one z, so
    standard_error is of their walks alone. Everything else is as in annealed_log_likelihood.
    Grosse, Ghahramani & Adams 2015.
    """
    x, unit = vae.check_rows("x", x, vae.likelihood)
    z = matrix("z", z, columns=vae.latent_dim, letters="(N, Z)", dtype=vae.dtype)
    if len(z) != len(x):
        raise ValueError(f"z has {len(z)} rows; expected one for each of the {len(x)} rows of x")
    _check(temperatures, chains, leaps, schedule, rng, progress)
    t = annealing_schedule(temperatures, schedule)
    log_w, *rest = _weigh(vae, x, unit, z, t, t[::-1], chains, leaps, rng, progress)
    result = AnnealedLogLikelihood(-log_w, *rest)
    _warn_of_few(result, chains)
    return result


def simulate(vae: VAE, n: int, *, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """z ~ p(z),  x ~ p(x|z): then z is a draw from p(z|x).      [annealing.7]

    -> z (n, Z), x (n, D)
    Raises TypeError or ValueError unless n is an integer >= 1 and rng a Generator.
    """
    check_positive_int("n", n)
    check_rng(rng)
    z = rng.standard_normal((n, vae.latent_dim), vae.dtype)
    _, output = stack(z, vae.params.decoder, ACTIVATIONS[vae.activation])
    return z, vae.likelihood.draw(output, rng=rng, **vae.params.likelihood)


def _weigh(vae, x, unit, start, rehearsed, temperatures, chains, leaps, rng, progress):
    """-> log (1/C) Σ_c w_c, its error, effective samples, acceptance, each (N,)"""
    from tqdm import tqdm  # here, so that import npvae need not read it

    size, rows = rows_at_once(vae, chains), []
    total = -(-len(x) // size) * hmc_steps(temperatures)
    work = "annealing", vae.params.rows[0].size, chains * min(size, len(x))
    with tqdm(total=total, unit=" steps", disable=not progress) as bar, kernels.pace(*work) as lap:
        for i, batch in enumerate(vae.batches(x, unit, size)):
            each = {"rng": rng, "lap": lambda: (lap(), bar.update())}
            likelihood, shape = decoder_likelihood(vae, batch), (chains, len(batch), vae.latent_dim)
            z = rng.standard_normal(shape, vae.dtype)
            steps = rehearse(likelihood, z, rehearsed, leaps, **each)
            if start is None:
                z = rng.standard_normal(shape, vae.dtype)
            else:
                z, steps = np.tile(start[i * size : (i + 1) * size], (chains, 1, 1)), steps[::-1]
            log_w, acceptance = anneal(likelihood, z, temperatures, steps, leaps, **each)
            _check_finite(log_w, i * size, vae.dtype)
            rows.append((*estimate(add_weights(no_weights(len(batch)), log_w), chains), acceptance))
    return tuple(map(np.concatenate, zip(*rows, strict=True)))


def _check_finite(log_w, start, dtype):
    if not np.isfinite(log_w).all():
        row = start + np.argwhere(~np.isfinite(log_w))[0, 1]
        raise FloatingPointError(
            f"log w of row {row} is not finite: a parameter is not, or a number has left the "
            f"range of {dtype}"
        )


def _warn_of_few(result, chains):
    few = np.isnan(result.standard_error).sum()
    if few and chains >= EFFECTIVE_SAMPLES:  # with fewer it is known
        warnings.warn(
            f"log p(x) of {few:,} of {len(result.log_px):,} rows rests on fewer than "
            f"{EFFECTIVE_SAMPLES} effective samples of {chains} chains. Take more temperatures, "
            "or more chains",
            UnreliableWarning,
            stacklevel=3,
        )


def _check(temperatures, chains, leaps, schedule, rng, progress):
    for name, value in (("temperatures", temperatures), ("chains", chains), ("leaps", leaps)):
        check_positive_int(name, value)
    check_choice("schedule", schedule, SCHEDULES)
    check_rng(rng)
    if not isinstance(progress, bool):
        raise TypeError(f"progress is {progress!r}; expected True or False")
