"""sample_posterior: z given x, by chains, and what the chains say about themselves."""

from __future__ import annotations

import textwrap
import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .. import kernels
from .._checks import check_choice, check_positive_int
from ..importance import EFFECTIVE_SAMPLES
from ..reparameterization import reparameterize
from ..vae import VAE
from .convergence import effective_samples, split_r_hat
from .hmc import check_run, sample
from .joint import posterior_density

STARTS = ("encoder", "prior")
NUMBERS = 100_000  # in the decoder's widest layer at once: two such arrays fit the second cache
R_HAT = 1.02  # Vehtari et al. 2021 ask for 1.01, of one number; here are N·Z


class ChainWarning(UserWarning):
    """Chains have not moved, do not agree, or are worth a few draws only."""


class PosteriorSamples(NamedTuple):
    """Draws of z from p(z|x), and how far to trust them."""

    z: np.ndarray  # (draws, C, N, Z)
    acceptance: np.ndarray  # (N,), the mean probability of acceptance
    step_size: np.ndarray  # (N,), fixed after the warm-up
    r_hat: np.ndarray  # (N, Z), about 1 if the chains agree
    effective_samples: np.ndarray  # (N, Z): how many independent draws are worth as much

    def __str__(self) -> str:
        draws, chains, N, Z = self.z.shape
        worst = np.nan if np.isnan(self.r_hat).all() else np.nanmax(self.r_hat)
        text = (
            f"{draws:,} draws of each of {chains} chains, {N:,} rows, {Z} latent dimensions; "
            f"acceptance {_range(self.acceptance, '.2f')}, "
            f"step size {_range(self.step_size, '.2g')}, "
            f"effective samples {_range(self.effective_samples, '.0f')}, R̂ at most {worst:.3f}"
        )
        return textwrap.fill(text, 80, subsequent_indent="  ")


def sample_posterior(
    vae: VAE,
    x: ArrayLike,
    *,
    draws: int = 1000,
    warm_up: int = 500,
    chains: int = 4,
    leaps: int = 10,
    acceptance: float = 0.8,
    start: str = "encoder",
    rng: np.random.Generator,
    progress: bool = False,
) -> PosteriorSamples:
    """z ~ p(z|x) ∝ p(x|z) p(z), by Hamiltonian Monte Carlo.     [hmc.5]

    x (N, D) -> PosteriorSamples, z (draws, C, N, Z)
    draws, warm_up, leaps, acceptance       as `sample` takes them
    chains          C, for each row
    start           "encoder": each chain begins at a draw from q(z|x); "prior": from p(z), if
                    q is not to be trusted. Chains that all begin in one hump may never see another
    progress        draw a progress bar on standard error
    Raises TypeError or ValueError if an argument is not as described; of x as `VAE.encode` does.
    Warns ChainWarning if chains never move, if some R̂ is above 1.02, or if there are fewer than
    10 effective samples of some z_j.
    """
    from tqdm import tqdm  # here, so that import npvae need not read it

    x, unit = vae.check_rows("x", x, vae.likelihood)
    check_positive_int("chains", chains)
    check_choice("start", start, STARTS)
    if not isinstance(progress, bool):
        raise TypeError(f"progress is {progress!r}; expected True or False")
    check_run(draws, warm_up, leaps, acceptance, rng)
    rows, parts = min(len(x), rows_at_once(vae, chains)), []
    total = -(-len(x) // rows) * (warm_up + draws)
    with (
        tqdm(total=total, unit=" steps", disable=not progress) as bar,
        kernels.pace("sample_posterior", vae.params.rows[0].size, chains * rows) as lap,
    ):
        for batch in vae.batches(x, unit, rows):
            part = sample(
                posterior_density(vae, batch),
                _first_states(vae, batch, chains, start, rng),
                draws=draws,
                warm_up=warm_up,
                leaps=leaps,
                acceptance=acceptance,
                rng=rng,
                lap=lambda: (lap(), bar.update()),
            )
            parts.append(part)
    result = joined(parts)
    warn_of_chains(result)
    return result


def rows_at_once(vae, chains):
    """How many rows of x fit beside each other, each with so many chains."""
    widest = max(len(layer.b) for layer in vae.params.decoder)
    return max(1, NUMBERS // (chains * widest))


def joined(parts):
    """PosteriorSamples of the Chains of all batches of rows."""
    z, acceptance, step_size = zip(*parts, strict=True)
    z = np.concatenate(z, axis=2)
    rows = [z[:, :, n] for n in range(z.shape[2])]  # one at a time: Fourier transforms are wide
    judged = (np.stack([f(row) for row in rows]) for f in (split_r_hat, effective_samples))
    return PosteriorSamples(z, np.concatenate(acceptance), np.concatenate(step_size), *judged)


def _first_states(vae, x, chains, start, rng):
    """z (C, B, Z) where the chains begin."""
    noise = rng.standard_normal((chains, len(x), vae.latent_dim), vae.dtype)
    return reparameterize(*vae.encode(x), noise) if start == "encoder" else noise


def warn_of_chains(result, highest=R_HAT):
    stuck = (result.z == result.z[:1]).all(axis=(0, 3)) & (len(result.z) > 1)
    found = []
    if stuck.any():
        step = result.step_size[stuck.any(axis=0)].min()
        found.append(
            f"{stuck.sum():,} of {stuck.size:,} chains never moved, with a step size down to "
            f"{step:.2g}: a longer warm_up lets it shrink"
        )
    apart = result.r_hat > highest
    if apart.any():
        found.append(
            f"R̂ is above {highest} in {apart.sum():,} of {apart.size:,} of the rows' dimensions, "
            f"up to {np.nanmax(result.r_hat):.3f}: the chains do not agree yet"
        )
    few = ~(result.effective_samples >= EFFECTIVE_SAMPLES)
    if few.any():
        found.append(
            f"{few.sum():,} of {few.size:,} of the rows' dimensions have fewer than "
            f"{EFFECTIVE_SAMPLES} effective samples"
        )
    if found:
        text = "; ".join(found) + ". Take more draws, or more leaps"
        warnings.warn(text, ChainWarning, stacklevel=3)


def _range(numbers, form):
    if np.isnan(numbers).all():
        return "unknown"
    least, most = np.nanmin(numbers), np.nanmax(numbers)
    same = format(least, form) == format(most, form)
    return f"{least:{form}}" if same else f"{least:{form}} to {most:{form}}"
