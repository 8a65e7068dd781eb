"""Components that are Gaussian: spherical, diagonal, or with a full covariance.

No standard deviation may fall below min_sigma, in no direction: where a component has few rows, or
rows that do not vary, σ → 0 would make them infinitely likely. The floor is part of the model, not
something added to it: with it the M step is still an exact maximum, and EM never falls.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from ..._checks import check_number
from ...likelihoods.gaussian import LOG_2PI

DIGITS = 0.03  # nats that rounding may take from the (x − mean)²/2σ² of one column


class GaussianParams(NamedTuple):
    """K Gaussians."""

    mean: np.ndarray  # (K, D), float64
    variance: np.ndarray  # (K,) spherical, (K, D) diagonal, (K, D, D) full; float64


@dataclass(frozen=True)
class Gaussians:
    """What the three shapes have in common."""

    min_sigma: float = 0.01
    in_float64: ClassVar[bool] = False  # whatever the dtype of x

    def __post_init__(self) -> None:
        check_number("min_sigma", self.min_sigma, low=1e-15, high=1e15)

    def start(self, counts: np.ndarray, sums: np.ndarray) -> GaussianParams:
        """Means of their own, and for all the mean variance.     [mixtures.9]"""
        mean, variance = self.fit(counts, sums)
        common = np.tensordot(counts / counts.sum(), variance, axes=1)
        return GaussianParams(mean, np.broadcast_to(common, variance.shape).copy())

    def fit(self, counts: np.ndarray, sums: np.ndarray) -> GaussianParams:
        """Each shape's own.                                      [mixtures.8]"""
        raise NotImplementedError

    def log_prior(self, params: GaussianParams) -> float:
        """0: the floor allows or forbids, and weighs nothing.    [mixtures.8]"""
        return 0.0

    def mean(self, params: GaussianParams) -> np.ndarray:
        """E[x|k].        -> (K, D)                               [mixtures.8]"""
        return params.mean

    def check_support(self, name: str, x: np.ndarray) -> int:
        """1: any finite x has a density."""
        return 1

    def check_spread(self, x: np.ndarray, mean: np.ndarray, std: np.ndarray) -> None:
        """Raise ValueError if nothing varies by more than min_sigma, or floats are too coarse.

        x (N, D) for its dtype and reach, mean and std (D,) of its columns
        """
        if std.max() <= self.min_sigma:
            raise ValueError(
                f"no column of x has a standard deviation above {std.max():.3g}, and min_sigma is "
                f"{self.min_sigma:g}; expected a smaller min_sigma, or x in other units"
            )
        reach = float(np.max(np.hypot(mean, 3 * std)))
        dtype = np.dtype("float64" if self.in_float64 or x.dtype == np.float64 else "float32")
        lost = float(np.finfo(dtype).eps) * (reach / self.min_sigma) ** 2 / 2
        if lost > DIGITS:
            raise ValueError(
                f"x reaches {reach:.3g} and min_sigma is {self.min_sigma:g}: in {dtype} of "
                f"(x − mean)²/2σ² no digit would be right. Expected min_sigma >= "
                f"{self.min_sigma * np.sqrt(lost / DIGITS):.2g}, x in other units"
                f"{', or float64' * (dtype == np.float32)}"
            )


@dataclass(frozen=True)
class SphericalGaussians(Gaussians):
    """x ~ N(mean_k, σ_k² I), σ_k >= min_sigma."""

    def features(self, x: np.ndarray) -> np.ndarray:
        """x and ‖x‖², side by side.        (B, D) -> (B, D + 1)  [mixtures.3]"""
        return np.hstack([x, np.square(x).sum(axis=1, keepdims=True)])

    def natural(self, params: GaussianParams) -> tuple[np.ndarray, np.ndarray]:
        """W_k = (mean/σ², −½/σ²),  b_k = −½ [‖mean‖²/σ² + D log 2πσ²].    [mixtures.3]"""
        mean, variance = params
        W = np.vstack([mean.T / variance, -0.5 / variance])
        squares = np.square(mean).sum(axis=1) / variance
        return W, -(squares + mean.shape[1] * (LOG_2PI + np.log(variance))) / 2

    def fit(self, counts: np.ndarray, sums: np.ndarray) -> GaussianParams:
        """mean = E[x],  σ² = max(E‖x − mean‖²/D, min_sigma²).    [mixtures.8]

        counts (K,), sums (K, D + 1) of the features -> params; E is over a component's rows
        """
        mean = sums[:, :-1] / counts[:, None]
        variance = (sums[:, -1] / counts - np.square(mean).sum(axis=1)) / mean.shape[1]
        return GaussianParams(mean, np.maximum(variance, self.min_sigma**2))

    def draw(
        self, params: GaussianParams, k: np.ndarray, *, rng: np.random.Generator
    ) -> np.ndarray:
        """x = mean_k + σ_k·noise.        k (n,) -> (n, D)         [mixtures.10]"""
        noise = rng.standard_normal((len(k), params.mean.shape[1]))
        return params.mean[k] + np.sqrt(params.variance[k, None]) * noise

    def parameters(self, D: int) -> int:
        """D means and a variance.                                 [mixtures.12]"""
        return D + 1


@dataclass(frozen=True)
class DiagonalGaussians(Gaussians):
    """x_d ~ N(mean_kd, σ_kd²), each column apart from the others, σ_kd >= min_sigma."""

    def features(self, x: np.ndarray) -> np.ndarray:
        """x and x², side by side.        (B, D) -> (B, 2D)       [mixtures.4]"""
        return np.hstack([x, np.square(x)])

    def natural(self, params: GaussianParams) -> tuple[np.ndarray, np.ndarray]:
        """W_k = (mean/σ², −½/σ²),  b_k = −½ Σ_d [mean_d²/σ_d² + log 2πσ_d²].    [mixtures.4]"""
        mean, variance = params
        W = np.vstack([(mean / variance).T, (-0.5 / variance).T])
        return W, -(np.square(mean) / variance + LOG_2PI + np.log(variance)).sum(axis=1) / 2

    def fit(self, counts: np.ndarray, sums: np.ndarray) -> GaussianParams:
        """mean_d = E[x_d],  σ_d² = max(E[x_d²] − mean_d², min_sigma²).    [mixtures.8]

        counts (K,), sums (K, 2D) of the features -> params
        """
        mean, squares = np.split(sums / counts[:, None], 2, axis=1)
        return GaussianParams(mean, np.maximum(squares - np.square(mean), self.min_sigma**2))

    def draw(
        self, params: GaussianParams, k: np.ndarray, *, rng: np.random.Generator
    ) -> np.ndarray:
        """x_d = mean_kd + σ_kd·noise_d.        k (n,) -> (n, D)   [mixtures.10]"""
        noise = rng.standard_normal((len(k), params.mean.shape[1]))
        return params.mean[k] + np.sqrt(params.variance[k]) * noise

    def parameters(self, D: int) -> int:
        """D means and D variances.                                [mixtures.12]"""
        return 2 * D


@dataclass(frozen=True)
class FullGaussians(Gaussians):
    """x ~ N(mean_k, C_k), no direction narrower than min_sigma. Computed in float64."""

    in_float64: ClassVar[bool] = True

    def features(self, x: np.ndarray) -> np.ndarray:
        """x_d and x_i x_j for i <= j.        (B, D) -> (B, D + D(D + 1)/2)    [mixtures.5]"""
        x = x.astype(np.float64)
        i, j = np.triu_indices(x.shape[1])
        return np.hstack([x, x[:, i] * x[:, j]])

    def natural(self, params: GaussianParams) -> tuple[np.ndarray, np.ndarray]:
        """W_k = (C⁻¹ mean, −½ C⁻¹),  b_k = −½ [meanᵀ C⁻¹ mean + log det 2πC].    [mixtures.5]

        Off the diagonal −½ C⁻¹ counts twice, because x_i x_j stands for x_j x_i too.
        """
        mean, C = params
        (K, D), (i, j) = mean.shape, np.triu_indices(mean.shape[1])
        W, b = np.empty((D + len(i), K)), np.empty(K)
        for k in range(K):
            eigenvalues, axes = np.linalg.eigh(C[k])
            inverse = (axes / eigenvalues) @ axes.T
            W[:D, k] = inverse @ mean[k]
            W[D:, k] = np.where(i == j, -0.5, -1) * inverse[i, j]
            b[k] = -(mean[k] @ W[:D, k] + np.log(eigenvalues).sum() + D * LOG_2PI) / 2
        return W, b

    def fit(self, counts: np.ndarray, sums: np.ndarray) -> GaussianParams:
        """mean = E[x],  C = E[(x − mean)(x − mean)ᵀ], eigenvalues >= min_sigma².    [mixtures.8]

        counts (K,), sums (K, F) of the features -> params
        Raising the low eigenvalues and no other is the exact maximum: chapter 15, (exact.6).
        """
        K = len(counts)
        D = int(np.sqrt(2 * sums.shape[1] + 2.25) - 1.5)  # F = D + D(D + 1)/2
        i, j = np.triu_indices(D)
        mean, products = np.split(sums / counts[:, None], [D], axis=1)
        C = np.empty((K, D, D))
        C[:, i, j] = C[:, j, i] = products
        for k in range(K):
            eigenvalues, axes = np.linalg.eigh(C[k] - np.outer(mean[k], mean[k]))
            C[k] = (axes * np.maximum(eigenvalues, self.min_sigma**2)) @ axes.T
        return GaussianParams(mean, C)

    def draw(
        self, params: GaussianParams, k: np.ndarray, *, rng: np.random.Generator
    ) -> np.ndarray:
        """x = mean_k + A_k·noise,  A_k A_kᵀ = C_k.        k (n,) -> (n, D)    [mixtures.10]"""
        noise = rng.standard_normal((len(k), params.mean.shape[1]))
        A = np.linalg.cholesky(params.variance)
        return params.mean[k] + np.einsum("nij,nj->ni", A[k], noise)

    def parameters(self, D: int) -> int:
        """D means and D(D + 1)/2 variances and covariances.       [mixtures.12]"""
        return D + D * (D + 1) // 2
