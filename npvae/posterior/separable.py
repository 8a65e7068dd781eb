"""What is seen of an image through its rows and its columns: blur, and fewer pixels."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from .._checks import check_number, check_positive_int
from .observations import Observation, check_sigma

MNIST = (28, 28)


class _Separable(Observation):
    """A X = R X Cᵀ: rows and columns of an image are treated one after the other."""

    shape: tuple[int, int]
    matrices: tuple[np.ndarray, np.ndarray]  # R (rows', rows), C (columns', columns)

    def apply(self, x: np.ndarray) -> np.ndarray:
        """A X = R X Cᵀ, X the image of x.        (…, D) -> (…, M)            [observations.2]"""
        R, C = (matrix.astype(x.dtype) for matrix in self.matrices)
        return _flat(R @ x.reshape(*x.shape[:-1], *self.shape) @ C.T)

    def transpose(self, y: np.ndarray) -> np.ndarray:
        """Aᵀ Y = Rᵀ Y C.                          (…, M) -> (…, D)            [observations.2]"""
        R, C = (matrix.astype(y.dtype) for matrix in self.matrices)
        return _flat(R.T @ y.reshape(*y.shape[:-1], len(R), len(C)) @ C)

    def check(self, data_dim: int) -> int:
        """M. Raises ValueError unless the shape's product is D."""
        rows, columns = self.shape
        if rows * columns != data_dim:
            raise ValueError(f"shape is {self.shape}; expected rows × columns = D = {data_dim}")
        R, C = self.matrices
        return len(R) * len(C)


@dataclass(frozen=True)
class Blur(_Separable):
    """Each pixel is a Gaussian mean of its neighbours, `width` pixels wide; beyond is black.

    shape       (rows, columns) of an image
    Raises TypeError or ValueError unless width and sigma are finite numbers > 0, shape a pair.
    """

    width: float
    sigma: float
    shape: tuple[int, int] = MNIST

    def __post_init__(self):
        check_number("width", self.width, low=0)
        check_sigma(self)
        _check_shape(self)

    @functools.cached_property
    def matrices(self) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[override]
        """R_ij = k_(i−j) / Σ_n k_n,  k_n = e^(−n²/2 width²).     [observations.3]"""
        rows, columns = (_gaussian(side, self.width) for side in self.shape)
        return rows, columns


@dataclass(frozen=True)
class Fewer(_Separable):
    """Fewer pixels: the means of blocks of factor × factor.

    shape       (rows, columns) of an image
    Raises TypeError or ValueError unless sigma is a finite number > 0, shape a pair and factor an
    integer >= 1 that divides both.
    """

    factor: int
    sigma: float
    shape: tuple[int, int] = MNIST

    def __post_init__(self):
        check_positive_int("factor", self.factor)
        check_sigma(self)
        _check_shape(self)
        if any(side % self.factor for side in self.shape):
            raise ValueError(f"factor is {self.factor}; expected one that divides {self.shape}")

    @property
    def gram(self) -> float:  # type: ignore[override]
        """A Aᵀ = I / factor²: blocks do not overlap, and each mean is of factor² pixels.

        [observations.4]
        """
        return 1 / self.factor**2

    @functools.cached_property
    def matrices(self) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[override]
        """R_ij = 1/factor where j lies in block i.              [observations.4]"""
        row = np.full((1, self.factor), 1 / self.factor)
        rows, columns = (np.kron(np.eye(side // self.factor), row) for side in self.shape)
        return rows, columns


def _flat(images):
    return images.reshape(*images.shape[:-2], -1)


def _gaussian(side, width):
    reach = np.arange(-np.ceil(10 * width), np.ceil(10 * width) + 1)
    distance = np.subtract.outer(np.arange(side), np.arange(side))
    return np.exp(-((distance / width) ** 2) / 2) / np.exp(-((reach / width) ** 2) / 2).sum()


def _check_shape(observation):
    if np.shape(observation.shape) != (2,):
        raise ValueError(f"shape is {observation.shape!r}; expected (rows, columns) of an image")
    for side in observation.shape:
        check_positive_int("a side of shape", side)
