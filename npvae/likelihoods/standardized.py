"""Columns in units of their own: shifted and scaled by the model, and reported as they came."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .._checks import real_numbers
from ._protocol import check_is_likelihood
from .base import Likelihood

LARGEST = float(np.finfo(np.float32).max)
RESOLVED = 1e-5  # of a column's magnitude: float32 tells no smaller differences apart


@dataclass(frozen=True, repr=False)
class Standardized(Likelihood):
    """x = shift + scale·u, and likelihood is that of u, whose columns have mean 0 and spread 1.

    `Standardized.of(x, likelihood)` takes shift and scale from rows. They are kept with the model,
    so that it takes x, and gives x, in the data's own units; log p is per unit of x, too, so that
    a bound does not depend on the choice of shift and scale.
    Raises TypeError or ValueError unless shift and scale (D,) are finite, scale > 0, and
    likelihood is one of real numbers without an end.
    """

    likelihood: Likelihood
    shift: tuple[float, ...]
    scale: tuple[float, ...]
    reads_x: ClassVar = False

    def __post_init__(self):
        check_is_likelihood(self.likelihood)
        if not _is_of_any_number(self.likelihood):
            raise ValueError(
                f"likelihood is {self.likelihood!r}; only one of real numbers without an end can "
                "be standardised, such as ColumnGaussian()"
            )
        shift, scale = (_row(name, getattr(self, name)) for name in ("shift", "scale"))
        if len(shift) != len(scale):
            raise ValueError(
                f"shift has {len(shift)} entries and scale {len(scale)}; expected as many"
            )
        if min(scale) <= 0:
            raise ValueError(f"scale[{np.argmin(scale)}] is {min(scale):g}; expected scale > 0")
        object.__setattr__(self, "shift", shift)
        object.__setattr__(self, "scale", scale)

    @classmethod
    def of(cls, x: ArrayLike, likelihood: Likelihood) -> Standardized:
        """shift and scale are the mean and standard deviation of each column of x (N, D).

        NaN are left out; a column that does not vary has scale 1.
        Raises TypeError or ValueError if x is no (N, D) array of real numbers, or a column has
        none, or inf, or varies by less than 1e-5 of its magnitude, which float32 cannot tell, or
        by more than float32 holds.
        """
        x, labels = real_numbers("x", x)
        if x.ndim != 2 or x.size == 0:
            raise ValueError(f"x has shape {x.shape}; expected (N, D), neither of them 0")
        found = [_moments(_place(d, labels), x[:, d]) for d in range(x.shape[1])]
        shift, scale = zip(*found, strict=True)
        return cls(likelihood, shift, scale)

    @property
    def fixed_dim(self) -> int:  # type: ignore[override]
        """D."""
        return len(self.shift)

    def standardize(self, x: np.ndarray) -> np.ndarray:
        """u = (x − shift)/scale.        (…, D) -> (…, D)         [tables.18]"""
        return (x - self._array(self.shift, x)) / self._array(self.scale, x)

    def log_prob(self, x: np.ndarray, output: np.ndarray, **learned: np.ndarray) -> np.ndarray:
        """log p(x|z) = log p(u|z) − Σ_d log scale_d, in nats.   [tables.18]

        x (B, D), output (L, B, W) -> log_px_z (L, B)
        """
        log_scale = float(np.sum(np.log(self.scale)))
        return self.likelihood.log_prob(self.standardize(x), output, **learned) - log_scale

    def log_prob_backward(
        self, dlog_px_z: np.ndarray, x: np.ndarray, output: np.ndarray, **learned: np.ndarray
    ) -> np.ndarray:
        """That of likelihood at u: the scale is no parameter.        [tables.18]"""
        return self.likelihood.log_prob_backward(dlog_px_z, self.standardize(x), output, **learned)

    def log_prob_backward_learned(
        self, dlog_px_z: np.ndarray, x: np.ndarray, output: np.ndarray, **learned: np.ndarray
    ) -> dict[str, np.ndarray]:
        """That of likelihood at u.                              [tables.18]"""
        return self.likelihood.log_prob_backward_learned(
            dlog_px_z, self.standardize(x), output, **learned
        )

    def terms(self, x: np.ndarray, output: np.ndarray, **learned: np.ndarray) -> np.ndarray:
        """log p(x_d|z) = log p(u_d|z) − log scale_d.            [tables.18]

        x (B, D), output (L, B, W) -> (L, B, D), in nats
        """
        log_scale = np.log(self._array(self.scale, x))
        return self.likelihood.terms(self.standardize(x), output, **learned) - log_scale

    def terms_backward(
        self, dterms: np.ndarray, x: np.ndarray, output: np.ndarray, **learned: np.ndarray
    ) -> np.ndarray:
        """That of likelihood at u.                              [tables.18]"""
        return self.likelihood.terms_backward(dterms, self.standardize(x), output, **learned)

    def terms_backward_learned(
        self, dterms: np.ndarray, x: np.ndarray, output: np.ndarray, **learned: np.ndarray
    ) -> dict[str, np.ndarray]:
        """That of likelihood at u.                              [tables.18]"""
        return self.likelihood.terms_backward_learned(
            dterms, self.standardize(x), output, **learned
        )

    def mean(self, output: np.ndarray) -> np.ndarray:
        """E[x|z] = shift + scale·E[u|z].        (…, W) -> (…, D) [tables.18]"""
        return self._back(self.likelihood.mean(output))

    def mean_backward(self, dmean: np.ndarray, output: np.ndarray) -> np.ndarray:
        """That of likelihood, of scale·dmean.        (…, D), (…, W) -> (…, W)  [observations.13]"""
        return self.likelihood.mean_backward(dmean * self._array(self.scale, dmean), output)

    def draw(
        self, output: np.ndarray, *, rng: np.random.Generator, **learned: np.ndarray
    ) -> np.ndarray:
        """x = shift + scale·u,  u ~ p(u|z).        (…, W) -> (…, D)      [tables.18]"""
        return self._back(self.likelihood.draw(output, rng=rng, **learned))

    def encoder_input(self, x: np.ndarray) -> np.ndarray:
        """u.        (B, D) -> (B, D)                             [tables.22]"""
        return self.standardize(x)

    def output_bias(self, x_mean: np.ndarray) -> np.ndarray:
        """The b with mean(b) = x_mean.        (D,) -> (W,)       [likelihoods.7]"""
        return self.likelihood.output_bias(self.standardize(x_mean))

    def floor(self, x: np.ndarray) -> float:
        """That of u, less Σ_d log scale_d.        x (N, D) -> nats           [tables.18]"""
        u = self.standardize(x.astype(np.float64))
        return self.likelihood.floor(u) - float(np.sum(np.log(self.scale)))

    def init_learned(self, dtype: DTypeLike, data_dim: int) -> dict[str, np.ndarray]:
        """What likelihood learns."""
        return self.likelihood.init_learned(dtype, data_dim)

    def follow(
        self, x: np.ndarray, output: np.ndarray, share: float, **learned: np.ndarray
    ) -> dict[str, np.ndarray]:
        """What likelihood follows, at u."""
        return self.likelihood.follow(self.standardize(x), output, share, **learned)

    def output_width(self, data_dim: int) -> int:
        """Numbers that the decoder emits, as likelihood has them."""
        return self.likelihood.output_width(data_dim)

    def columns(self, pixels: np.ndarray, data_dim: int) -> np.ndarray:
        """Where the output holds what it says of these columns, as likelihood has them."""
        return self.likelihood.columns(pixels, data_dim)

    def at(self, columns: np.ndarray) -> Standardized:
        """The same of these columns alone."""
        shift, scale = (tuple(np.take(v, columns).tolist()) for v in (self.shift, self.scale))
        return Standardized(self.likelihood, shift, scale)

    def __repr__(self) -> str:
        return f"Standardized({self.likelihood!r}, of {self.fixed_dim} columns)"

    def _back(self, u):
        return self._array(self.shift, u) + self._array(self.scale, u) * u

    def _array(self, row, like):
        return np.asarray(row, like.dtype)


def _is_of_any_number(likelihood):
    """Whether every column may hold any real number, and the encoder may read it as it is."""
    support = likelihood.support
    return isinstance(support, tuple) and support == (-math.inf, math.inf) and likelihood.reads_x


def _row(name, value):
    row = real_numbers(name, value)[0]
    if row.ndim != 1 or row.size == 0:
        raise ValueError(f"{name} has shape {row.shape}; expected (D,), D >= 1")
    if not np.isfinite(row).all():
        d = np.isfinite(row).argmin()
        raise ValueError(f"{name}[{d}] is {row[d]}; expected a finite number")
    return tuple(row.astype(np.float64).tolist())


def _moments(place, column):
    """Mean and standard deviation of a column (N,), NaN left out."""
    column = column.astype(np.float64)
    column = column[~np.isnan(column)]
    if column.size == 0:
        raise ValueError(f"{place} holds no number; drop the column")
    low, high = float(column.min()), float(column.max())
    if not (low >= -LARGEST and high <= LARGEST):
        raise ValueError(
            f"{place} spans [{low:g}, {high:g}]; expected numbers that float32 holds, up to "
            f"{LARGEST:.2g}"
        )
    if low == high:
        return low, 1.0
    mean, deviation = float(column.mean()), float(column.std())
    if deviation < RESOLVED * abs(mean):
        raise ValueError(
            f"{place} varies by {deviation:.3g} around {mean:.6g}, which float32 cannot tell: "
            f"subtract {mean:.6g} from it first"
        )
    return mean, deviation


def _place(d, labels):
    return f"x[:, {d}]" if labels is None else f"x[{labels[d]!r}]"
