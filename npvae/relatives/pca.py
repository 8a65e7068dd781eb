"""PCA by the singular value decomposition, and the linear autoencoder that has the same answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .._checks import check_number, check_positive_int, matrix


@dataclass(frozen=True, eq=False, repr=False)
class PCA:
    """The k directions in which data vary most, and how much they vary in each direction."""

    mean: np.ndarray  # (D,)
    axes: np.ndarray  # (k, D), a unit vector a row
    eigenvalues: np.ndarray  # (min(N, D),) of the covariance, the largest first, in float64

    @classmethod
    def fit(cls, x: ArrayLike, k: int) -> PCA:
        """x − x̄ = U S V,  axes = the first k rows of V,  l_i = s_i²/N.    [pca.1]

        x (N, D), of whose numbers uint8 are taken as they are; mean and axes in x's dtype if
        that is float32 or float64, else in float64
        Each axis's entry of largest magnitude is positive, because x leaves the sign open.
        Raises TypeError or ValueError unless x is a finite (N, D) array that varies and k an
        integer with 1 <= k <= min(N, D).
        The covariance is never made, because its rounding hides every axis with s_i < 1e-8 s_1.
        """
        check_positive_int("k", k)
        rows, dtype = _rows(x)
        if k > min(rows.shape):
            raise ValueError(f"k is {k}; expected k <= {min(rows.shape)}, x has shape {rows.shape}")
        if (rows == rows[0]).all():
            raise ValueError("all rows of x are the same; PCA needs data that vary")
        mean = rows.mean(axis=0)
        R = np.linalg.qr(rows - mean, mode="r")  # x − x̄ = QR, so both have the same S and V
        _, s, V = np.linalg.svd(R, full_matrices=False)
        axes = V[:k]
        largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
        axes = axes * np.sign(largest)
        return cls(mean.astype(dtype), axes.astype(dtype), s**2 / len(rows))

    def encode(self, x: ArrayLike) -> np.ndarray:
        """z = (x − x̄) axesᵀ.        x (N, D) -> (N, k)          [pca.2]

        Raises TypeError or ValueError if x is not a finite (N, D) array.
        """
        rows = self._matrix("x", x, len(self.mean), "(N, D)")
        return (rows - self.mean) @ self.axes.T

    def decode(self, z: ArrayLike) -> np.ndarray:
        """x̂ = x̄ + z axes.        z (N, k) -> (N, D)             [pca.3]

        Raises TypeError or ValueError if z is not a finite (N, k) array.
        """
        return self.mean + self._matrix("z", z, len(self.axes), "(N, k)") @ self.axes

    def reconstruct(self, x: ArrayLike) -> np.ndarray:
        """x̂ = x̄ + (x − x̄) axesᵀ axes, the nearest point of the plane.    [pca.4]

        x (N, D) -> (N, D). Raises as encode does.
        """
        return self.decode(self.encode(x))

    def squared_error(self, x: ArrayLike) -> float:
        """(1/N) Σ_n ‖x_n − x̂_n‖², a sum over the entries of x, not a mean.    [pca.4]

        x (N, D) -> a number, added up in float64. Raises as encode does.
        """
        rows = self._matrix("x", x, len(self.mean), "(N, D)")
        error = rows - self.reconstruct(rows)
        return float(np.sum(error * error, dtype=np.float64)) / len(rows)

    def left_out(self, k: int | None = None) -> float:
        """Σ_{i>k} l_i: the squared error that k axes leave of the data they were fitted to. [pca.5]

        k None is the model's own. Raises TypeError or ValueError unless k is an integer >= 0.
        """
        if k is None:
            k = len(self.axes)
        elif k != 0:
            check_positive_int("k", k)
        return float(self.eigenvalues[k:].sum())

    def _matrix(self, name, value, columns, letters):
        return matrix(name, value, columns=columns, letters=letters, dtype=self.mean.dtype)

    def __repr__(self) -> str:
        k, D = self.axes.shape
        share = 1 - self.left_out() / self.eigenvalues.sum()
        return f"PCA({D}-{k}, {100 * share:.1f} % of the variance, {self.mean.dtype})"


class PenalizedOptimum(NamedTuple):
    """The best linear autoencoder with a price on both its matrices."""

    singular_values: np.ndarray  # (k,), of the encoder and of the decoder, the largest first
    squared_error: float  # a row
    loss: float  # squared error and price


def principal_cosines(V: ArrayLike, W: ArrayLike) -> np.ndarray:
    """cos θ_i = the singular values of Q_V Q_Wᵀ, Q orthonormal bases of the rows' spans.   [pca.6]

    V (k, D), W (k', D) -> (min(rank V, rank W),), the largest first; all 1 where one span holds
    the other
    Raises TypeError or ValueError unless both are finite, with as many columns.
    """
    v, w = _rows(V, "V", "(k, D)")[0], _rows(W, "W", "(k', D)")[0]
    if v.shape[1] != w.shape[1]:
        raise ValueError(f"V has shape {v.shape}, W {w.shape}; expected (k, D), (k', D), one D")
    return np.minimum(np.linalg.svd(_basis(v) @ _basis(w).T, compute_uv=False), 1)


def penalized_optimum(eigenvalues: ArrayLike, penalty: float, k: int) -> PenalizedOptimum:
    """Least (1/N) Σ_n ‖x_n − x̄ − (x_n − x̄) V W‖² + λ (‖V‖² + ‖W‖²) for k units, λ the penalty:

    V = Wᵀ,  W_i = √(1 − λ/l_i) u_i where l_i > λ, else 0, i ≤ k;    [pca.7]
    loss = Σ_{i≤k} (2λ − λ²/l_i, or l_i where l_i ≤ λ) + Σ_{i>k} l_i.    [pca.8]
    eigenvalues (D,) of the covariance -> PenalizedOptimum
    Raises TypeError or ValueError unless eigenvalues are finite and >= 0, the penalty is
    a number >= 0 and k an integer with 1 <= k <= D. Kunin et al. 2019.
    """
    check_number("penalty", penalty, low=0, low_allowed=True)
    check_positive_int("k", k)
    given = np.asarray(eigenvalues, np.float64)
    if given.ndim != 1 or not (np.isfinite(given) & (given >= 0)).all():
        raise ValueError("eigenvalues are no row of finite numbers >= 0")
    if k > len(given):
        raise ValueError(f"k is {k}; expected k <= D = {len(given)}")
    given = -np.sort(-given)
    used, left = given[:k], given[k:].sum()
    shares = 1 - penalty / np.maximum(used, penalty or 1)  # what comes through along each axis
    squared_error = np.sum(used * (1 - shares) ** 2) + left
    loss = squared_error + 2 * penalty * shares.sum()
    return PenalizedOptimum(np.sqrt(shares), float(squared_error), float(loss))


def _basis(rows):
    """Orthonormal rows (rank, D) of the same span, to which a row of zeros adds none."""
    _, s, V = np.linalg.svd(rows, full_matrices=False)
    return V[s > max(rows.shape) * np.finfo(rows.dtype).eps * s[0]]


def _rows(x, name="x", letters="(N, D)"):
    """x as a float64 matrix, and the dtype of what is made of it."""
    given = np.asarray(x)
    columns = given.shape[-1] if given.ndim else 1
    x = matrix(name, x, columns=columns, letters=letters, dtype=np.float64)
    if not columns:
        raise ValueError(f"{name} has shape {x.shape}; expected {letters} with columns")
    return x, given.dtype if given.dtype in (np.float32, np.float64) else np.dtype(np.float64)
