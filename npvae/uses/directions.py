"""Turn one property up: a step in z, learned from a few labelled rows, in the property's units."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import beta

from .._checks import matrix, real_numbers

LARGEST_CONDITION = 1e6  # of the properties, each scaled to 1


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
    """A = Cov[t, t]⁻¹ Cov[t, mu], the least squares of mu on t.           [directions.1]

    How the mean code moves as one property rises by one and the others given stay. If the mean
    code is linear in t, it is the same for any choice of rows by their t. For one t of 0 and 1 it
    is the difference of two means.
    With A W = Cov[t, t]⁻¹ Cov[t̂, t̂], t̂ as `directions` reads it, one property alone is read to
    rise by its r2 only, not by 1, and what goes with it in these rows rises too. [directions.6]
    mu (N, Z), t (N,) -> (Z,); t (N, P) -> (P, Z)
    Raises TypeError or ValueError unless mu and t are finite, with as many rows, no property is
    constant, and none is a sum of the others.
    """
    codes, properties, dtype = _labelled(mu, t)
    A = _slopes(codes - codes.mean(axis=0), properties - properties.mean(axis=0))
    return (A[0] if np.ndim(t) == 1 else A).astype(dtype)


def directions(mu: ArrayLike, t: ArrayLike) -> Directions:
    """W = Σ⁻¹ Cᵀ,  steps = (Wᵀ Σ W)⁻¹ Wᵀ Σ,  so that steps W = I.          [directions.3]

    Σ = Cov[mu, mu] (Z, Z) and C = Cov[t, mu] (P, Z) over the labelled rows. W reads the
    properties with the least squared error; of all steps with steps W = I, these are the most
    likely under N(0, Σ), that is, δ Σ⁻¹ δᵀ is least.                     [directions.4]
    steps = (A W)⁻¹ A with A = mean_shift(mu, t), for one property A/r2.   [directions.7]
    mu (N, Z), as `vae.encode` gives it, t (N,) or (N, P) -> Directions of mu's dtype. The rows
    must be a fair sample: if two properties go together in them alone, so do the steps.
    Raises as mean_shift does, and ValueError unless there are more than Z + 1 rows; warns
    UnreadableWarning of properties that the codes do not hold.
    """
    codes, properties, dtype = _labelled(mu, t)
    N, Z = codes.shape
    if N <= Z + 1:
        raise ValueError(
            f"mu has {N} rows; expected more than Z + 1 = {Z + 1}, or a mean_shift, which needs two"
        )
    centre, mean = codes.mean(axis=0), properties.mean(axis=0)
    codes, properties = codes - centre, properties - mean
    A = _slopes(codes, properties)
    W = np.linalg.lstsq(codes, properties, rcond=None)[0]
    r2 = np.sum((codes @ W) ** 2, axis=0) / np.sum(properties**2, axis=0)
    _check_independent(codes @ W, "as read from the codes, ")
    _warn_of_unreadable(r2, N, Z)
    answer = np.linalg.solve(A @ W, A), W, mean - centre @ W, r2
    return Directions(*(array.astype(dtype) for array in answer))


def _slopes(codes, properties):
    _check_independent(properties)
    return np.linalg.lstsq(properties, codes, rcond=None)[0]


def _check_independent(properties, which=""):
    scale = np.maximum(np.sqrt(np.mean(properties**2, axis=0)), np.finfo(float).tiny)
    if len(properties) < len(scale) or np.linalg.cond(properties / scale) > LARGEST_CONDITION:
        raise ValueError(
            f"the {len(scale)} properties, {which}are not independent: nothing changes one of them "
            "and leaves the others"
        )


def _warn_of_unreadable(r2, N, Z):
    """r2 of a property that has nothing to do with Gaussian codes is a draw from a Beta."""
    chance = beta.ppf(0.99, Z / 2, (N - 1 - Z) / 2)
    for p in np.flatnonzero(r2 < chance):
        warnings.warn(
            f"the codes explain {r2[p]:.1%} of property {p}, and up to {chance:.1%} of one that "
            "has nothing to do with them: its step is mostly chance, and more labels may help",
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
