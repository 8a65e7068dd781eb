"""Noise on x before the encoder sees it, while the loss still asks for x itself.

Each corruption has `draw`, which makes the noise it needs, and `apply`, which puts it on x.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .._checks import check_number


class Corruption:
    """x̃ = apply(x, noise), noise = draw(shape, dtype, rng=rng), both of x's shape."""

    draw: ClassVar[Callable[..., np.ndarray]]
    apply: ClassVar[Callable[..., np.ndarray]]


@dataclass(frozen=True)
class GaussianNoise(Corruption):
    """Raises TypeError or ValueError unless sigma is a finite number >= 0."""

    sigma: float

    def __post_init__(self):
        check_number("sigma", self.sigma, low=0, low_allowed=True)
        object.__setattr__(self, "sigma", float(self.sigma))  # NumPy's float64 widens float32

    def draw(self, shape: tuple[int, ...], dtype: np.dtype, *, rng: np.random.Generator):
        """noise ~ N(0, I), for x̃ = x + σ·noise.                [corruption.1]"""
        return rng.standard_normal(shape, dtype)

    def apply(self, x: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """x̃ = x + σ·noise.      x, noise (B, D) -> (B, D)       [corruption.1]"""
        return x + self.sigma * noise


@dataclass(frozen=True)
class Masking(Corruption):
    """Raises TypeError or ValueError unless p is a number in [0, 1]."""

    p: float

    def __post_init__(self):
        _check_probability("p", self.p)

    def draw(self, shape: tuple[int, ...], dtype: np.dtype, *, rng: np.random.Generator):
        """noise ~ U[0, 1), for x̃ = x · 1[noise ≥ p].           [corruption.2]"""
        return rng.random(shape, dtype)

    def apply(self, x: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """x̃ = x · 1[noise ≥ p],  E[x̃] = (1 − p) x.              [corruption.2]

        x, noise (B, D) -> (B, D). What is left is not scaled up: the encoder should see holes.
        """
        return x * (noise >= self.p)


@dataclass(frozen=True)
class SaltAndPepper(Corruption):
    """Raises TypeError or ValueError unless p is a number in [0, 1]."""

    p: float

    def __post_init__(self):
        _check_probability("p", self.p)

    def draw(self, shape: tuple[int, ...], dtype: np.dtype, *, rng: np.random.Generator):
        """noise ~ U[0, 1): below p/2 pepper, from there to p salt.    [corruption.3]"""
        return rng.random(shape, dtype)

    def apply(self, x: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """x̃ = x where noise ≥ p, else 1[noise ≥ p/2];  E[x̃] = (1 − p) x + p/2.  [corruption.3]

        x, noise (B, D) -> (B, D)
        """
        return np.where(noise >= self.p, x, (noise >= self.p / 2).astype(x.dtype))


def check_corruption(corruption: Corruption | None) -> None:
    """Raise TypeError unless corruption is None or an instance of Corruption."""
    if not (corruption is None or isinstance(corruption, Corruption)):
        raise TypeError(
            f"corruption is {corruption!r}; expected None or one such as GaussianNoise(0.3)"
        )


def _check_probability(name, value):
    check_number(name, value, low=0, low_allowed=True)
    if value > 1:
        raise ValueError(f"{name} is {value}; expected a probability, in [0, 1]")
