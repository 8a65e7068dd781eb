"""x given y: what a trained model makes of noise, of holes, of too few pixels."""

from __future__ import annotations

import dataclasses
import textwrap
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .. import kernels
from .._checks import check_positive_int, check_rng, matrix, real_numbers
from ..elbo import decode
from ..importance import add_weights, estimate, no_weights
from ..optimizers import Adam
from ..vae import VAE
from .hmc import check_run, sample
from .joint import Density, posterior_density
from .observations import Observation, Pixels
from .observed import observed
from .sampling import PosteriorSamples, gathered, rows_at_once, warn_of_chains

CLIMBED = 100  # steps from the prior towards a hump, before the warm-up
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
    draws: int = 200,
    warm_up: int = 200,
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
    Each chain begins at a draw from the prior and first climbs; the encoder, which has never seen a
    y, is not asked.
    Raises TypeError or ValueError if an argument is not as described, y does not fit the
    observation, or what `Pixels` show lies outside the likelihood's support.
    Warns ChainWarning if chains never move, or are worth fewer than 10 draws.
    """
    from tqdm import tqdm  # here, so that import npvae need not read it

    y = check_seen(vae, y, observation)
    check_positive_int("chains", chains)
    check_positive_int("images", images)
    if not isinstance(progress, bool):
        raise TypeError(f"progress is {progress!r}; expected True or False")
    run = {"draws": draws, "warm_up": warm_up, "leaps": leaps, "acceptance": 0.8}
    check_run(**run, rng=rng)
    size, parts, restored = rows_at_once(vae, chains), [], []
    steps = -(-len(y) // size) * (draws + warm_up)
    with (
        tqdm(total=steps, unit=" steps", disable=not progress) as bar,
        kernels.pace("restore", vae.params.rows[0].size, chains * size) as lap,
    ):
        for start in range(0, len(y), size):
            rows = slice(start, start + size)
            seen = seen_through(vae, observation.rows(rows))
            density = posterior_density(seen, y[rows])
            z = rng.standard_normal((chains, len(y[rows]), vae.latent_dim), vae.dtype)
            z = climb(density, z, CLIMBED)
            parts.append(sample(density, z, rng=rng, lap=lambda: (lap(), bar.update()), **run))
            restored.append(_moments(seen, y[rows], parts[-1].z, images))
    images, mean, spread = (np.concatenate(part, axis=-2) for part in zip(*restored, strict=True))
    result = Restored(images, mean, spread, gathered(parts))
    warn_of_chains(result.posterior)
    return result


def most_likely(
    vae: VAE,
    y: ArrayLike,
    observation: Observation,
    *,
    starts: int = 4,
    steps: int = 500,
    rng: np.random.Generator,
) -> MostLikely:
    """argmax_z [log p(y|z) + log p(z)], by climbing from draws of the prior.  [restore.4]

    y (N, M), observation as `restore` takes them -> the best of `starts` climbs, of `steps` each
    Not a draw, and not the mean: the top of a hump may be far from where most of its mass lies.
    Raises as `restore` does.
    """
    y = check_seen(vae, y, observation)
    check_positive_int("starts", starts)
    check_positive_int("steps", steps)
    check_rng(rng)
    found = []
    for start in range(0, len(y), size := rows_at_once(vae, starts)):
        rows = slice(start, start + size)
        seen = seen_through(vae, observation.rows(rows))
        density = posterior_density(seen, y[rows])
        z = rng.standard_normal((starts, len(y[rows]), vae.latent_dim), vae.dtype)
        z = climb(density, z, steps)
        log_joint = density(z)[0]
        best = log_joint.argmax(axis=0), np.arange(len(y[rows]))
        image = _images(seen, y[rows], z[best][None])[0]
        found.append((image, z[best], log_joint[best]))
    return MostLikely(*map(np.concatenate, zip(*found, strict=True)))


def climb(density: Density, z: np.ndarray, steps: int) -> np.ndarray:
    """z ← Adam's step up log p(y, z), shorter each time.         [restore.4]

    z (C, N, Z), left as it is -> (C, N, Z)
    """
    z, adam = z.copy(), Adam(CLIMB)
    for step in range(steps):
        adam.learning_rate = CLIMB * (1 - step / steps)
        adam.update([z], [-density(z)[1]])
    return z


def log_predictive(
    vae: VAE, x: ArrayLike, observation: Observation, z: np.ndarray
) -> np.ndarray:
    """log p(x_other|y) ≈ log (1/S) Σ_s p(x_other|z_s),  z_s ~ p(z|y), in nats.    [restore.5]

    x (N, M) as `observation` shows it, z (draws, C, N, Z) of other pixels, or of a y, such as
    `Restored.posterior.z` -> (N,)
    """
    x = check_seen(vae, x, observation)
    sums, seen = no_weights(len(x)), seen_through(vae, observation)
    for some in z:
        sums = add_weights(sums, decode(seen, x, some)[2])
    return estimate(sums, z.shape[0] * z.shape[1])[0]


def seen_through(vae: VAE, observation: Observation) -> VAE:
    """The model of y: vae, with p(y|z) for p(x|z).              [restore.1]"""
    return dataclasses.replace(vae, likelihood=observed(vae.likelihood, observation))


def check_seen(vae, y, observation):
    """y as a C-contiguous (N, M) array of the model's dtype, checked as `restore` promises."""
    if isinstance(observation, type) or not isinstance(observation, Observation):
        raise TypeError(f"observation is {observation!r}; expected one such as Noise(0.3)")
    M = observation.check(vae.data_dim)
    if isinstance(observation, Pixels):
        return vae.check_data("y", _hidden_filled(y, observation.mask))
    if np.asarray(y).dtype == np.uint8:
        raise ValueError("y is uint8; expected numbers on the scale of x, such as y / 255")
    return matrix("y", y, columns=M, letters="(N, M)", dtype=vae.dtype)


def _hidden_filled(y, mask):
    """y with a seen pixel's number wherever none is seen, so that all can be checked alike."""
    y = real_numbers("y", y)[0]
    if y.ndim != 2 or y.shape[1] != mask.shape[1] or len(mask) not in (1, len(y)):
        raise ValueError(
            f"y has shape {y.shape}, and mask {mask.shape}; expected (N, D) for y, and for mask "
            "the same or (D,)"
        )
    mask = np.broadcast_to(mask, y.shape)
    return np.where(mask, y, y[mask][0] if mask.size else 0)


def _images(seen, y, z):
    """E[x|z, y], (C, N, D), of z (C, N, Z)."""
    _, output, _ = decode(seen, y, z)
    return seen.likelihood.restored(y, output, **seen.params.likelihood)


def _moments(seen, y, z, K):
    """E[x|y] = mean of E[x|z, y],  spread² = its variance, over draws and chains. [restore.2]

    z (draws, C, N, Z) -> K images (K, N, D), mean and spread (N, D)
    """
    draws, C = z.shape[:2]
    kept = {k * draws // K: k for k in range(K)}
    images, sums, squares = [None] * K, 0.0, 0.0
    for i, some in enumerate(z):
        x = _images(seen, y, some)
        sums, squares = sums + x.sum(axis=0), squares + np.square(x).sum(axis=0)
        for k in range(K):
            if k * draws // K == i:
                images[k] = x[k % C]
    mean = sums / (draws * C)
    spread = np.sqrt(np.maximum(squares / (draws * C) - mean * mean, 0))
    return np.stack(images), mean, spread
