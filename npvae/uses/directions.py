"""Turn one property up: a step in z, learned from a few labelled rows, in the property's units."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .._checks import matrix, real_numbers


class UnreadableWarning(UserWarning):
    """The codes say no more of a property than chance would."""


class Directions(NamedTuple):
    """How P properties are read from a code, and what raises one of them and no other."""

    steps: np.ndarray  # (P, Z): step p raises property p by one of its units, and no other
    weights: np.ndarray  # (Z, P)
    offset: np.ndarray  # (P,)
    r2: np.ndarray  # (P,) share of each property's variance that is read from the codes

    def read(self, mu: ArrayLike) -> np.ndarray:
        """t̂ = mu W + b, the properties as read from codes.                [directions.2]

        mu (N, Z) -> (N, P)
        """
        return np.asarray(mu) @ self.weights + self.offset

    def turn(self, mu: ArrayLike, change: ArrayLike) -> np.ndarray:
        """mu + change · steps, whose properties read `change` more.       [directions.5]

        mu (N, Z), change (N, P), or (P,) for all rows, in units of the properties -> (N, Z)
        """
        return np.asarray(mu) + np.asarray(change, self.steps.dtype) @ self.steps


def mean_shift(mu: ArrayLike, t: ArrayLike) -> np.ndarray:
    """Cov[t, mu]/Var[t]: how the mean code moves as t rises by one.       [directions.1]

    mu (N, Z), t (N,) -> (Z,). If t is 0 or 1, this is the difference of the two means. It brings
    along whatever goes with t in these rows, and raises t as read by its r2 only, not by 1.
    Raises TypeError or ValueError unless mu is finite, with a t for each row, not all the same.
    """
    codes, properties, dtype = _labelled(mu, t)
    if properties.shape[1] != 1:
        raise ValueError(f"t has {properties.shape[1]} columns; expected one property, (N,)")
    codes, one = codes - codes.mean(axis=0), properties[:, 0] - properties.mean()
    return (one @ codes / (one @ one)).astype(dtype)


def directions(mu: ArrayLike, t: ArrayLike) -> Directions:
    """W = Σ⁻¹ Cᵀ,  steps = (Wᵀ Σ W)⁻¹ Wᵀ Σ,  so that steps W = I.          [directions.3]

    Σ = Cov[mu, mu] (Z, Z) and C = Cov[t, mu] (P, Z) over the labelled rows. W reads the
    properties with the least squared error; of all steps with steps W = I, these are the most
    likely under N(0, Σ), that is, δ Σ⁻¹ δᵀ is least.                     [directions.4]
    mu (N, Z), as `vae.encode` gives it, t (N,) or (N, P) -> Directions of mu's dtype
    Raises TypeError or ValueError unless mu and t are finite, with as many rows, more than Z + 1,
    no property is constant, and none is a sum of the others; warns UnreadableWarning of
    properties that the codes do not hold.
    """
    codes, properties, dtype = _labelled(mu, t)
    N, Z = codes.shape
    if N <= Z + 1:
        raise ValueError(
            f"mu has {N} rows; expected more than Z + 1 = {Z + 1}, or a mean_shift, which needs two"
        )
    centre, mean = codes.mean(axis=0), properties.mean(axis=0)
    codes, properties = codes - centre, properties - mean
    W = np.linalg.lstsq(codes, properties, rcond=None)[0]
    read = codes @ W
    r2 = np.sum(read**2, axis=0) / np.sum(properties**2, axis=0)
    _check_readable(read, r2, N, Z)
    steps = np.linalg.solve(read.T @ read, read.T @ codes)
    answer = steps, W, mean - centre @ W, r2
    return Directions(*(array.astype(dtype) for array in answer))


def _check_readable(read, r2, N, Z):
    scale = np.maximum(np.sqrt(np.mean(read**2, axis=0)), np.finfo(float).tiny)
    if np.linalg.cond(read / scale) > 1e6:
        raise ValueError(
            f"the {len(r2)} properties, as read from the codes, are not independent: no step "
            "changes each and leaves the others"
        )
    for p in np.flatnonzero(r2 < 2 * Z / (N - 1)):
        warnings.warn(
            f"the codes explain {r2[p]:.1%} of property {p}; of a property that has nothing to do "
            f"with them, {Z / (N - 1):.1%}: its step is mostly chance",
            UnreadableWarning,
            stacklevel=3,
        )


def _labelled(mu, t):
    """mu (N, Z), t (N, P), both float64, and mu's own dtype."""
    array = real_numbers("mu", mu)[0]
    columns = np.atleast_1d(array).shape[-1]
    codes = matrix("mu", mu, columns=columns, letters="(N, Z)", dtype=np.float64)
    table = real_numbers("t", t)[0]
    table = table[:, None] if table.ndim == 1 else table
    columns = np.atleast_1d(table).shape[-1]
    properties = matrix("t", table, columns=columns, letters="(N, P)", dtype=np.float64)
    if len(properties) != len(codes):
        raise ValueError(f"t has {len(properties)} rows; mu has {len(codes)}")
    same = np.ptp(properties, axis=0) == 0
    if same.any():
        p = same.argmax()
        value = properties[0, p]
        raise ValueError(f"property {p} of t is {value:g} in all rows; expected it to vary")
    return codes, properties, array.dtype if array.dtype.kind == "f" else np.float64
