"""x given y: what a trained model makes of noise, of holes, of too few pixels."""

from __future__ import annotations

import dataclasses
import textwrap
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .. import kernels
from .._checks import check_positive_int, check_rng, matrix, real_numbers
from ..elbo import decode
from ..importance import add_weights, estimate, no_weights
from ..likelihoods.holes import FILLER, filled_by_column
from ..optimizers import Adam
from ..vae import VAE
from .hmc import check_run, sample
from .joint import Density, log_joint, posterior_density
from .observations import Observation, Pixels
from .observed import observed
from .sampling import PosteriorSamples, joined, rows_at_once, warn_of_chains

ACCEPTANCE = 0.8
R_HAT = 1.1  # for a picture; sample_posterior warns above 1.02
CLIMB = 0.05  # how far Adam takes each z_j in a step, at first


class Restored(NamedTuple):
    """Images given y: some draws, their mean, and how far they differ."""

    images: np.ndarray  # (K, N, D), E[x|z, y] of K draws of z, from all chains in turn
    mean: np.ndarray  # (N, D), E[x|y], the mean over all draws
    spread: np.ndarray  # (N, D), the standard deviation of E[x|z, y] over all draws
    posterior: PosteriorSamples  # the draws of z, and how far to trust them

    def __str__(self) -> str:
        K, N, D = self.images.shape
        text = f"{N:,} images of {D:,} pixels restored, {K} draws kept of each; "
        text += f"spread {self.spread.mean():.3f} a pixel, {self.spread.max():.3f} at most"
        return f"{textwrap.fill(text, 80, subsequent_indent='  ')}\n{self.posterior}"


class MostLikely(NamedTuple):
    """The top of the highest hump that was found."""

    image: np.ndarray  # (N, D), E[x|z, y]
    z: np.ndarray  # (N, Z)
    log_joint: np.ndarray  # (N,) nats, log p(y, z)


def restore(
    vae: VAE,
    y: ArrayLike,
    observation: Observation,
    *,
    draws: int = 100,
    warm_up: int = 100,
    chains: int = 4,
    leaps: int = 10,
    images: int = 8,
    rng: np.random.Generator,
    progress: bool = False,
) -> Restored:
    """z ~ p(z|y) ∝ p(y|z) p(z), and x given them both.          [restore.1]

    y (N, M)        what was seen, M = D for Pixels and Noise
    observation     how it was seen, such as Pixels(mask) or Noise(0.3)
    draws, warm_up, chains, leaps       as `sample_posterior` takes them
    images          K, so many draws are kept as images
    progress        draw a progress bar on standard error
    Each chain begins at a draw from the prior. The encoder, which has never seen a y, is not asked.
    Raises TypeError or ValueError if an argument is not as described, y does not fit the
    observation, or what `Pixels` show lies outside the likelihood's support.
    Warns ChainWarning if chains never move, do not agree, or are worth fewer than 10 draws.
    """
    from tqdm import tqdm  # here, so that import npvae need not read it

    y = check_seen(vae, "y", y, observation)
    check_positive_int("chains", chains)
    check_positive_int("images", images)
    if not isinstance(progress, bool):
        raise TypeError(f"progress is {progress!r}; expected True or False")
    check_run(draws, warm_up, leaps, ACCEPTANCE, rng)
    size, parts, restored = min(len(y), rows_at_once(vae, chains)), [], []
    total, work = -(-len(y) // size) * (draws + warm_up), (vae.params.rows[0].size, chains * size)
    bar = tqdm(total=total, unit=" steps", disable=not progress)
    with bar, kernels.pace("restore", *work) as lap:
        run = partial(sample, draws=draws, warm_up=warm_up, leaps=leaps, acceptance=ACCEPTANCE)
        for _, seen, some in _batches(vae, y, observation, chains):
            density = posterior_density(seen, some)
            z = _from_prior(vae, chains, len(some), rng)
            chain = run(density, z, rng=rng, lap=lambda: (lap(), bar.update()))
            parts.append(chain)
            restored.append(moments(seen, some, chain.z, images))
    posterior = joined(parts)
    warn_of_chains(posterior, R_HAT)
    kept, mean, spread = (np.concatenate(part, axis=-2) for part in zip(*restored, strict=True))
    return Restored(kept, mean, spread, posterior)


def most_likely(
    vae: VAE,
    y: ArrayLike,
    observation: Observation,
    *,
    starts: int = 4,
    steps: int = 500,
    rng: np.random.Generator,
) -> MostLikely:
    """argmax_z [log p(y|z) + log p(z)], by climbing from draws of the prior.  [restore.3]

    y (N, M), observation as `restore` takes them -> the best of `starts` climbs, of `steps` each
    Not a draw, and not the mean: the top of a hump may be far from where most of its mass lies.
    Raises as `restore` does.
    """
    y = check_seen(vae, "y", y, observation)
    check_positive_int("starts", starts)
    check_positive_int("steps", steps)
    check_rng(rng)
    found = []
    for _, seen, some in _batches(vae, y, observation, starts):
        z = _from_prior(vae, starts, len(some), rng)
        z = climb(posterior_density(seen, some), z, steps)
        height = log_joint(seen, some, z)
        best = height.argmax(axis=0), np.arange(len(some))
        image = _images(seen, some, z[best][None])[0]
        found.append((image, z[best], height[best]))
    return MostLikely(*map(np.concatenate, zip(*found, strict=True)))


def climb(density: Density, z: np.ndarray, steps: int) -> np.ndarray:
    """z ← Adam's step up log p(y, z), shorter each time.         [restore.3]

    z (C, N, Z), left as it is -> (C, N, Z)
    """
    z, adam = z.copy(), Adam(CLIMB)
    for step in range(steps):
        adam.learning_rate = CLIMB * (1 - step / steps)
        adam.update([z], [-density(z)[1]])
    return z


def log_predictive(vae: VAE, x: ArrayLike, observation: Observation, z: np.ndarray) -> np.ndarray:
    """log p(x_other|y) ≈ log (1/S) Σ_s p(x_other|z_s),  z_s ~ p(z|y), in nats.    [restore.4]

    x (N, M), of which `observation` shows other pixels than y did; z (draws, C, N, Z), such as
    `Restored.posterior.z` -> (N,)
    Raises TypeError or ValueError of x as `restore` does of y, and if z is of another shape.
    """
    x = check_seen(vae, "x", x, observation)
    if np.ndim(z) != 4 or z.shape[2:] != (len(x), vae.latent_dim):
        raise ValueError(
            f"z has shape {np.shape(z)}; expected (draws, C, N, Z) with N = {len(x)}, "
            f"Z = {vae.latent_dim}"
        )
    found = []
    for rows, seen, some in _batches(vae, x, observation, z.shape[1]):
        sums = no_weights(len(some))
        for draw in z[:, :, rows]:
            sums = add_weights(sums, decode(seen, some, draw)[2])
        found.append(estimate(sums, z.shape[0] * z.shape[1])[0])
    return np.concatenate(found)


def seen_through(vae: VAE, observation: Observation) -> VAE:
    """The model of y: vae, with p(y|z) for p(x|z).              [restore.1]"""
    return dataclasses.replace(vae, likelihood=observed(vae.likelihood, observation))


def check_seen(vae: VAE, name: str, y: ArrayLike, observation: Observation) -> np.ndarray:
    """y as a C-contiguous (N, M) array of the model's dtype, checked as `restore` promises."""
    if isinstance(observation, type) or not isinstance(observation, Observation):
        raise TypeError(f"observation is {observation!r}; expected one such as Noise(0.3)")
    M = observation.check(vae.data_dim)
    if isinstance(observation, Pixels):
        return vae.check_data(name, _hidden_filled(name, y, observation.mask, vae.likelihood))
    if real_numbers(name, y)[0].dtype == np.uint8:
        raise ValueError(f"{name} is uint8; expected numbers on the scale of x: {name} / 255")
    return matrix(name, y, columns=M, letters="(N, M)", dtype=vae.dtype)


def _hidden_filled(name, y, mask, likelihood):
    """y with some seen pixel's number wherever nothing is seen, so that all is checked alike."""
    y = real_numbers(name, y)[0]
    if y.ndim != 2 or len(y) == 0 or y.shape[1] != mask.shape[1] or len(mask) not in (1, len(y)):
        raise ValueError(
            f"{name} has shape {y.shape}; expected (N, D) with D = {mask.shape[1]}"
            + (f" and N = {len(mask)}, a row of mask for each" if len(mask) > 1 else "")
        )
    mask = np.broadcast_to(mask, y.shape)
    alike = likelihood.fixed_dim is None  # then what one column may hold, every other may
    return filled_by_column(y, mask, y[mask][0] if alike else FILLER)


def _batches(vae, y, observation, chains):
    """Yield, for some rows after others: which, the model of their y, and their y."""
    size = rows_at_once(vae, chains)
    for start in range(0, len(y), size):
        rows = slice(start, start + size)
        yield rows, seen_through(vae, observation.rows(rows)), y[rows]


def _from_prior(vae, chains, n, rng):
    """z ~ p(z), (C, n, Z)."""
    return rng.standard_normal((chains, n, vae.latent_dim), vae.dtype)


def _images(seen, y, z):
    """E[x|z, y], (C, N, D), of z (C, N, Z)."""
    _, output, _ = decode(seen, y, z)
    return seen.likelihood.restored(y, output, **seen.params.likelihood)


def moments(seen, y, z, K):
    """E[x|y] = the mean of E[x|z, y] over draws and chains, spread² its variance.  [restore.2]

    z (draws, C, N, Z) -> K images (K, N, D), mean and spread (N, D)
    """
    draws, C = z.shape[:2]
    kept, images, sums, squares = np.arange(K) * draws // K, [], 0.0, 0.0
    for i, some in enumerate(z):
        x = _images(seen, y, some)
        sums += x.sum(axis=0, dtype=np.float64)
        squares += np.square(x).sum(axis=0, dtype=np.float64)
        images += [x[k % C] for k in np.flatnonzero(kept == i)]
    mean = sums / (draws * C)
    spread = np.sqrt(np.maximum(squares / (draws * C) - mean**2, 0))
    return np.stack(images), mean.astype(z.dtype), spread.astype(z.dtype)
