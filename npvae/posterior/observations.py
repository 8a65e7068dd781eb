"""What is seen instead of x: some of its pixels, or y = A x + σ·noise.

An observation knows its A, the transpose of A and σ, and nothing of any model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from .._checks import check_number, matrix, real_numbers

TRANSPOSED = 1e-5  # of ‖A x‖ ‖y‖: by so much ⟨A x, y⟩ may differ from ⟨x, Aᵀ y⟩; rounding is less
PROBES = 2


class Observation:
    """y = A x + σ·noise, noise ~ N(0, I), in the place of x.

    apply(x) -> A x        (…, D) -> (…, M)
    transpose(y) -> Aᵀ y   (…, M) -> (…, D)
    sigma                  σ; 0 for pixels that are seen as they are
    gram                   c if A Aᵀ = c I, else None
    """

    apply: Callable[[np.ndarray], np.ndarray]
    transpose: Callable[[np.ndarray], np.ndarray]
    sigma: float
    gram: ClassVar[float | None] = None

    def check(self, data_dim: int) -> int:
        """M, the number of entries of y. Raises ValueError unless A is a map of D = data_dim."""
        return check_transpose(self, data_dim)

    def rows(self, part: slice | np.ndarray) -> Observation:
        """The observation of these images alone."""
        return self


@dataclass(frozen=True, eq=False)
class Pixels(Observation):
    """Some pixels of x, as they are; the others are hidden.

    mask        (D,), the same for every image, or (N, D), one for each: True, or 1, where a pixel
                is seen. What stands in y elsewhere is never read, and may be NaN
    Raises TypeError or ValueError unless mask is such, and every row of it shows a pixel.
    """

    mask: np.ndarray
    sigma: ClassVar[float] = 0.0  # type: ignore[misc]

    def __post_init__(self):
        mask = real_numbers("mask", self.mask)[0]
        if mask.ndim not in (1, 2) or mask.size == 0:
            raise ValueError(f"mask has shape {mask.shape}; expected (D,) or (N, D)")
        others = mask[(mask != 0) & (mask != 1)]
        if others.size:
            raise ValueError(f"mask holds {others[0]}; expected True and False, or 1 and 0, alone")
        mask = np.atleast_2d(mask).astype(bool)
        if not mask.any(axis=1).all():
            row = int(mask.any(axis=1).argmin())
            raise ValueError(
                f"mask hides every pixel of row {row}: z is then the prior's, as in VAE.sample"
            )
        object.__setattr__(self, "mask", mask)

    @property
    def hidden(self) -> Pixels:
        """The pixels that are hidden, as if these were seen. Raises ValueError if none is."""
        return Pixels(~self.mask)

    def rows(self, part: slice | np.ndarray) -> Pixels:
        """The observation of these images alone."""
        return self if len(self.mask) == 1 else Pixels(self.mask[part])

    def apply(self, x: np.ndarray) -> np.ndarray:
        """A x = x where it is seen, 0 elsewhere; A is its own transpose.      [observations.1]

        x (…, N, D) -> the same shape
        """
        return np.where(self.mask, x, x.dtype.type(0))

    transpose = apply

    def check(self, data_dim: int) -> int:
        """M = D. Raises ValueError unless mask has D columns."""
        if self.mask.shape[1] != data_dim:
            columns = self.mask.shape[1]
            raise ValueError(f"mask has {columns} columns; expected one a pixel, D = {data_dim}")
        return data_dim


@dataclass(frozen=True, eq=False)
class Linear(Observation):
    """y = A x + σ·noise for any A.

    A           a matrix (M, D); or a function of x (…, D) -> (…, M), and then also
    transpose   a function of y (…, M) -> (…, D)
    Raises TypeError or ValueError unless A is such, and sigma a finite number > 0.
    """

    A: ArrayLike | Callable[[np.ndarray], np.ndarray]
    transpose: Callable[[np.ndarray], np.ndarray] | None = None  # type: ignore[assignment]
    sigma: float = field(kw_only=True)

    def __post_init__(self):
        check_sigma(self)
        apply, transpose = self.A, self.transpose
        if callable(apply) != callable(transpose):
            raise TypeError(
                "of A and transpose one is a function; expected both, or a matrix A alone"
            )
        if not callable(apply):
            A = np.atleast_1d(real_numbers("A", apply)[0])
            A = matrix("A", A, columns=A.shape[-1], letters="(M, D)", dtype=np.float64)
            apply, transpose = (
                (lambda x: x @ A.T.astype(x.dtype)),
                (lambda y: y @ A.astype(y.dtype)),
            )
        object.__setattr__(self, "apply", _keeping_dtype(apply))
        object.__setattr__(self, "transpose", _keeping_dtype(transpose))


@dataclass(frozen=True)
class Noise(Observation):
    """y = x + σ·noise. Raises TypeError or ValueError unless sigma is a finite number > 0."""

    sigma: float
    gram: ClassVar[float] = 1.0

    def __post_init__(self):
        check_sigma(self)

    def apply(self, x: np.ndarray) -> np.ndarray:
        """A x = x; A is its own transpose.                      [observations.1]"""
        return x

    transpose = apply


def check_transpose(observation: Observation, data_dim: int) -> int:
    """|⟨A x, y⟩ − ⟨x, Aᵀ y⟩| ≤ 10⁻³ ‖A x‖ ‖y‖, for two random x and y.        [observations.5]

    -> M. Raises ValueError if not, or if either function returns another shape than it must.
    """
    rng = np.random.default_rng(0)  # probes, the same for every observation
    x = rng.standard_normal((PROBES, data_dim))
    try:
        Ax = np.asarray(observation.apply(x))
    except ValueError as error:
        raise ValueError(f"A does not take x (N, D) with D = {data_dim}: {error}") from error
    if Ax.ndim != 2 or len(Ax) != PROBES:
        raise ValueError(f"A makes {Ax.shape} of x {x.shape}; expected (…, D) -> (…, M)")
    y = rng.standard_normal(Ax.shape)
    Aty = np.asarray(observation.transpose(y))
    if Aty.shape != x.shape:
        raise ValueError(f"transpose makes {Aty.shape} of y {y.shape}; expected {x.shape}")
    there, back = np.sum(Ax * y, axis=1), np.sum(x * Aty, axis=1)
    sizes = np.linalg.norm(Ax, axis=1) * np.linalg.norm(y, axis=1)
    if not (np.abs(there - back) <= TRANSPOSED * sizes).all():
        raise ValueError(
            f"transpose is not A's: ⟨A x, y⟩ = {there[0]:.6g} and ⟨x, Aᵀ y⟩ = {back[0]:.6g} for "
            "one random x and y; expected equal numbers"
        )
    return Ax.shape[1]


def _keeping_dtype(function):
    """The function, whose result has the dtype of its argument."""
    return lambda a: np.asarray(function(a), a.dtype)


def check_sigma(observation):
    """σ as a float. Raises TypeError or ValueError unless it is a finite number > 0."""
    check_number("sigma", observation.sigma, low=0)
    object.__setattr__(observation, "sigma", float(observation.sigma))  # float64 widens float32
