"""Linear models, x = z W + b + σ·noise: log p(x), the posterior and the best fit in closed form."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .._checks import check_number, check_positive_int, matrix
from ..dense import Layer
from ..likelihoods import Gaussian, LearnedGaussian
from ..likelihoods.gaussian import LOG_2PI
from ..vae import VAE


class Spectrum(NamedTuple):
    """The covariance of data, S = axesᵀ diag(eigenvalues) axes."""

    mean: np.ndarray  # (D,)
    eigenvalues: np.ndarray  # (D,), the largest first
    axes: np.ndarray  # (D, D), a unit vector a row


class LinearModel(NamedTuple):
    """The most likely x = z W + b + σ·noise, and how likely it makes the data."""

    W: np.ndarray  # (k, D), rows orthogonal
    b: np.ndarray  # (D,)
    variance: float  # σ²
    log_px: float  # nats a row, the mean over the data


class WaterFilling(NamedTuple):
    """What the best linear model pays and leaves, means over the data."""

    kl_per_dim: np.ndarray  # (k,) nats, the largest first
    squared_error: float  # E_q ‖x − z W − b‖²
    active_units: int  # those with KL > 0


def linear_posterior(vae: VAE, x: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """p(z|x) = N(m, σ² M⁻¹),  m = (x − b) Wᵀ M⁻¹,  M = W Wᵀ + σ² I.     [exact.1]

    x (N, D) -> m (N, Z), covariance (Z, Z), the same for every x
    Raises ValueError if the model is not linear; of x as `VAE.encode` does.
    """
    W, b, variance, M = _linear(vae)
    x = vae.check_data("x", x).astype(np.float64)
    return np.linalg.solve(M, W @ (x - b).T).T, variance * np.linalg.inv(M)


def linear_log_likelihood(vae: VAE, x: ArrayLike) -> np.ndarray:
    """log p(x) = −½ [‖x − b − m W‖²/σ² + ‖m‖² + log det(M/σ²) + D log 2πσ²].    [exact.2]

    x (N, D) -> log_px (N,) nats; m and M as in linear_posterior, so nothing D × D is made
    Raises as linear_posterior does.
    """
    W, b, variance, M = _linear(vae)
    x = vae.check_data("x", x).astype(np.float64)
    m, _ = linear_posterior(vae, x)
    squares = np.sum((x - b - m @ W) ** 2, axis=1) / variance + np.sum(m**2, axis=1)
    log_det = np.linalg.slogdet(M / variance)[1]
    return -(squares + log_det + len(b) * (LOG_2PI + np.log(variance))) / 2


def best_encoder(vae: VAE) -> Layer:
    """mu = (x − b) Wᵀ M⁻¹,  logvar_j = log(σ²/M_jj): the q(z|x) nearest to p(z|x).    [exact.3]

    -> the one layer of a linear encoder, W (D, 2Z), b (2Z,)
    Raises ValueError if the model is not linear. Lucas et al. 2019.
    """
    W, b, variance, M = _linear(vae)
    V = np.linalg.solve(M, W).T
    logvar = np.log(variance / np.diag(M))
    return Layer(np.hstack([V, np.zeros_like(V)]), np.concatenate([-b @ V, logvar]))


def linear_gap(vae: VAE) -> float:
    """log p(x) − bound = ½ (Σ_j log M_jj − log det M), for every x, with best_encoder.  [exact.4]

    -> nats, 0 if W's rows are orthogonal. Raises ValueError if the model is not linear.
    """
    M = _linear(vae)[-1]
    return float(np.log(np.diag(M)).sum() - np.linalg.slogdet(M)[1]) / 2


def spectrum(x: ArrayLike) -> Spectrum:
    """S = (1/N) Σ_n (x_n − x̄)ᵀ (x_n − x̄),  S u_i = l_i u_i,  l_1 ≥ l_2 ≥ …     [exact.5]

    x (N, D) -> Spectrum. Raises TypeError or ValueError if x is not a finite (N, D) array.
    """
    columns = np.atleast_1d(x).shape[-1]
    x = matrix("x", x, columns=columns, letters="(N, D)", dtype=np.float64)
    mean = x.mean(axis=0)
    centred = x - mean
    with np.errstate(over="ignore"):
        in_range = np.isfinite(np.square(centred).sum())
    if not columns or not in_range:
        raise ValueError(f"x has shape {x.shape} and numbers too large, or none, for a covariance")
    eigenvalues, axes = np.linalg.eigh(centred.T @ centred / len(x))
    return Spectrum(mean, np.maximum(eigenvalues[::-1], 0), axes.T[::-1])


def probabilistic_pca(x: ArrayLike, k: int) -> LinearModel:
    """σ² = Σ_{i>k} l_i/(D − k),  W_i = (l_i − σ²)^½ u_i,  b = x̄;            [exact.6]

    log p* = −½ [Σ_{i≤k} log l_i + (D − k) log σ² + D log 2π + D].        [exact.7]
    x (N, D) -> LinearModel with k latent dimensions, the Z of chapter 15
    Raises TypeError or ValueError unless x is a finite (N, D) array and k an integer with
    1 <= k < D, or if x varies in k dimensions only: it is then ever more likely as σ² → 0.
    Tipping & Bishop 1999.
    """
    mean, eigenvalues, axes = spectrum(x)
    D = len(mean)
    check_positive_int("k", k)
    if k >= D:
        raise ValueError(f"k is {k}; expected k < D = {D}")
    used, variance = eigenvalues[:k], eigenvalues[k:].mean()
    if variance <= np.finfo(np.float64).eps * eigenvalues[0]:
        raise ValueError(f"x varies in {k} dimensions or fewer; its likelihood has no maximum")
    log_det = np.log(used).sum() + (D - k) * np.log(variance)
    W = np.sqrt(np.maximum(used - variance, 0))[:, None] * axes[:k]
    return LinearModel(W, mean, float(variance), float(-(log_det + D * (LOG_2PI + 1)) / 2))


def water_filling(eigenvalues: ArrayLike, variance: float, beta: float, k: int) -> WaterFilling:
    """KL_i = ½ max(0, log(l_i/βσ²));  error = Σ_{i≤k} min(l_i, βσ²) + Σ_{i>k} l_i.  [exact.8]

    eigenvalues (D,) of the data's covariance, variance σ², k latent dimensions -> WaterFilling:
    means over the data, for the best W, b and encoder with σ² and β fixed
    Raises TypeError or ValueError unless eigenvalues are finite and >= 0, variance, beta and their
    product > 0, and k is an integer with 1 <= k <= D.
    """
    check_number("variance", variance, low=0)
    check_number("beta", beta, low=0)
    check_positive_int("k", k)
    eigenvalues = np.asarray(eigenvalues, np.float64)
    if eigenvalues.ndim != 1 or not (np.isfinite(eigenvalues) & (eigenvalues >= 0)).all():
        raise ValueError("eigenvalues are no row of finite numbers >= 0")
    if k > len(eigenvalues):
        raise ValueError(f"k is {k}; expected k <= D = {len(eigenvalues)}")
    level = beta * variance
    check_number("beta · variance", level, low=0)
    eigenvalues = -np.sort(-eigenvalues)
    used, left = eigenvalues[:k], eigenvalues[k:]
    kl_per_dim = np.log(np.maximum(used, level) / level) / 2
    squared_error = np.minimum(used, level).sum() + left.sum()
    return WaterFilling(kl_per_dim, float(squared_error), int(np.sum(used > level)))


def _linear(vae):
    """W (Z, D), b (D,), σ² and M (Z, Z) of a linear model, in float64."""
    if len(vae.params.decoder) > 1 or not isinstance(vae.likelihood, Gaussian | LearnedGaussian):
        raise ValueError(
            f"the model has {len(vae.params.decoder) - 1} hidden layers in its decoder and a "
            f"{type(vae.likelihood).__name__} likelihood; expected decoder_hidden=() and Gaussian "
            "or LearnedGaussian"
        )
    W, b = (array.astype(np.float64) for array in vae.params.decoder[0])
    if isinstance(vae.likelihood, Gaussian):
        variance = vae.likelihood.sigma**2
    else:
        variance = np.exp(vae.params.likelihood["logvar"].astype(np.float64)).item()
    M = W @ W.T + variance * np.eye(len(W))
    if np.linalg.cond(M) > 1e12:
        raise ValueError(
            f"σ² = {variance:.2g} is too small beside W Wᵀ: of log p(x) no digit would be right"
        )
    return W, b, variance, M
