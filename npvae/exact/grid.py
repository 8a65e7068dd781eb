"""log p(x) and the bound without random draws, if z has few dimensions: sums over a grid of z."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .._checks import check_number
from ..elbo import elbo
from ..vae import VAE

POINTS = 500  # of z through the decoder at once
QUADRATURE_GRID = 10_000_000  # a step of 0.005 in two dimensions
LARGEST_GRID = 100_000  # for a bound, whose every row has a grid of its own


class Quadrature(NamedTuple):
    """log p(x) and the posterior's moments of each row, by a sum over a grid of z."""

    log_px: np.ndarray  # (N,) nats
    error: np.ndarray  # (N,) nats, an estimate
    mean: np.ndarray  # (N, Z)
    covariance: np.ndarray  # (N, Z, Z)


def quadrature(vae: VAE, x: ArrayLike, *, step: float = 0.05, reach: float = 8.0) -> Quadrature:
    """p(x) ≈ step^Z Σ_z p(z) p(x|z) over the grid z ∈ step·{…, −1, 0, 1, …}^Z.    [exact.9]

    E[f(z)|x] ≈ Σ_z w_z f(z) / Σ_z w_z with the same weights.            [exact.10]
    x (N, D), Z = 1 or 2, |z_j| <= reach -> Quadrature; memory does not grow with the grid
    error is |log p(x) − the same with step 2·step| + |log p(x) − the same with reach − 1|,
    far too large for a smooth decoder, of the right order for ReLU's kinks.     [exact.11]
    The log p(x) of a smooth decoder is right to 1e-8 nats as long as step is below the posterior's
    width in every direction; with kinks, to about step².
    Raises ValueError unless Z <= 2, 0 < step < 1 < reach and the grid has at most 10,000,000
    points; of x as `VAE.encode` does.
    """
    if vae.latent_dim > 2:
        raise ValueError(f"the model has Z = {vae.latent_dim}; a grid serves Z = 1 or 2")
    Z = vae.latent_dim
    m = _check_grid(step, reach, Z, QUADRATURE_GRID)
    vae = vae.astype(np.float64)
    x = vae.check_data("x", x)
    largest, sums = _sum_over_grid(vae, x, step, m, reach - 1)
    total, coarse, inner = sums[:, :3].T
    mean = sums[:, 3 : 3 + Z] / total[:, None]
    second = sums[:, 3 + Z :].reshape(-1, Z, Z) / total[:, None, None]
    with np.errstate(divide="ignore"):
        error = np.abs(np.log(coarse * 2**Z / total)) + np.log(total / inner)
    log_px = largest + np.log(total) + Z * np.log(step)
    return Quadrature(log_px, error, mean, second - mean[:, :, None] * mean[:, None, :])


def expected_bound(vae: VAE, x: ArrayLike, *, step: float = 0.25, reach: float = 8.0) -> np.ndarray:
    """bound = Σ_ε w_ε log p(x|mu + σε) − KL(q(z|x) ‖ p(z)),  w_ε ∝ N(ε; 0, I).    [exact.12]

    log p(x) − bound = KL(q(z|x) ‖ p(z|x)): how far q is from the posterior.    [exact.13]
    x (N, D) -> bound (N,) nats. ε runs over a grid as in quadrature, so its step is in widths of
    q; for a linear model step = 0.75 is exact.
    Raises ValueError unless 0 < step < 1 < reach and the grid has at most 100,000 points; of x
    as `VAE.encode` does.
    """
    Z = vae.latent_dim
    m = _check_grid(step, reach, Z, LARGEST_GRID)
    vae = vae.astype(np.float64)
    x = vae.check_data("x", x)
    noise = step * _grid_points(np.arange((2 * m + 1) ** Z), m, Z)
    weights = np.exp(-np.sum(noise**2, axis=1) / 2)
    weights /= weights.sum()
    traces = (elbo(vae, x[n : n + 1], noise[:, None]) for n in range(len(x)))
    return np.array([weights @ trace.log_px_z[:, 0] - trace.kl[0] for trace in traces])


def _check_grid(step, reach, Z, largest):
    """m, the number of steps on either side of 0 that reach asks for."""
    check_number("step", step, low=0, high=1)
    check_number("reach", reach, low=1, high=1e6)
    m = int(np.ceil(reach / step)) if reach / step < largest else largest
    if (2 * m + 1) ** Z > largest:
        raise ValueError(
            f"the grid has {2 * m + 1}^{Z} points; expected at most {largest:,}. A larger "
            "step, or a smaller reach, makes fewer"
        )
    return m


def _grid_points(numbers, m, Z):
    """i ∈ {−m, …, m}^Z by its number in a fixed order, (P, Z)."""
    return np.stack(np.unravel_index(numbers, (2 * m + 1,) * Z), axis=-1) - m


def _sum_over_grid(vae, x, step, m, inside):
    """largest (N,) and Σ_z w f(z) (N, F), w = p(z) p(x|z) e^−largest, f the columns of _features.

    z = step·i with i ∈ {−m, …, m}^Z, POINTS of them at a time, each new largest shrinking the
    sums so far as in `importance.add_weights`.
    """
    from ..posterior.joint import log_joint  # here, so that import npvae need not read it

    Z, points = vae.latent_dim, (2 * m + 1) ** vae.latent_dim
    largest, sums = np.full(len(x), -np.inf), np.zeros((len(x), 3 + Z + Z * Z))
    for start in range(0, points, POINTS):
        i = _grid_points(np.arange(start, min(start + POINTS, points)), m, Z)
        log_pxz = log_joint(vae, x, step * i[:, None])
        new = np.maximum(largest, log_pxz.max(axis=0))
        sums *= np.exp(largest - new)[:, None]
        sums += np.exp(log_pxz - new).T @ _features(i, step * i, inside)
        largest = new
    return largest, sums


def _features(i, z, inside):
    """What is summed: 1, whether z is on every other line, whether inside, z_j, z_j z_k."""
    coarse = np.all(i % 2 == 0, axis=1)
    inner = np.all(np.abs(z) <= inside, axis=1)
    squares = (z[:, :, None] * z[:, None, :]).reshape(len(z), -1)
    return np.column_stack([np.ones(len(z)), coarse, inner, z, squares])
