"""A mixture: K components of one family, and how likely each is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ... import kernels
from ..._checks import check_choice, check_positive_int, check_rng
from ...training import Rows
from .families import Bernoullis, Family
from .posterior import Natural, posterior, without_dust
from .rows import batch_size, batches, check_family, check_rows, place, require_finite
from .starts import PER_SEED, SEEDS, nearest, some_rows

EMPTY = 0.01  # rows: a component that answers for fewer is as good as none
NEXT_TO_NOTHING = 1e-100  # rows: so that 0 of 0 is not NaN


@dataclass
class Mixture:
    """p(x) = Σ_k π_k p(x|k): draw a component, then a row of it.

    Parameters change in place under `em`. Rows are read, and log p(x) computed, in their dtype,
    float32 or float64; parameters are float64.
    """

    family: Family
    log_weights: np.ndarray  # (K,) log π, nats
    params: Any  # of the family; of rows moved by the origin
    data_dim: int
    origin: np.ndarray | None = None  # (D,) where columns far from 0 are moved to 0

    @classmethod
    def init(
        cls,
        x: ArrayLike,
        components: int,
        *,
        family: Family | None = None,
        start: str = "k-means++",
        rng: np.random.Generator,
    ) -> Mixture:
        """A mixture to begin with: seeds, each with the rows nearest to it.  [mixtures.11]

        x (N, D), components K, family Bernoullis() if none is given
        start           "k-means++" spreads the seeds, "random" takes any rows
        Raises TypeError or ValueError if x is not a finite (N, D) array in the family's support, or
        another argument is not as described, or K above N.
        """
        family = Bernoullis() if family is None else family
        check_family(family)
        check_positive_int("components", components)
        check_choice("start", start, SEEDS)
        check_rng(rng)
        data = check_rows("x", x, family)
        N, D = data.x.shape
        if components > N:
            raise ValueError(f"components is {components} and x has {N} rows; expected K <= N")
        mixture = cls(family, np.zeros(components), None, D, place(data, family))
        few = mixture._moved(some_rows(data, PER_SEED * components, rng=rng))
        seeds = SEEDS[start](few, components, rng=rng)
        counts, sums = mixture.sum_features(data, lambda _, x: nearest(x, seeds))
        alone = counts == 0  # a seed that equals another: it counts its own row
        counts[alone], sums[alone] = 1, family.features(seeds[alone])
        mixture.log_weights = np.log(counts / counts.sum())
        mixture.params = family.start(counts, sums)
        return mixture

    @property
    def components(self) -> int:
        """K."""
        return len(self.log_weights)

    @property
    def weights(self) -> np.ndarray:
        """π (K,), with the sum 1.                                 [mixtures.1]"""
        return np.exp(self.log_weights)

    @property
    def means(self) -> np.ndarray:
        """E[x|k].        (K, D)                                   [mixtures.7]"""
        return self.family.mean(self.params) + (0 if self.origin is None else self.origin)

    @np.errstate(over="ignore", invalid="ignore")  # told by require_finite, with the row
    def natural(self, dtype: Any = np.float64) -> Natural:
        """log p(x, k) = features(x) · W_k + b_k,  b_k with log π_k.       [mixtures.1]"""
        W, b = self.family.natural(self.params)
        return Natural(np.ascontiguousarray(W, dtype), (b + self.log_weights).astype(dtype))

    def log_joint(self, x: np.ndarray, natural: Natural) -> tuple[np.ndarray, np.ndarray]:
        """log p(x, k) = log π_k + log p(x|k).                   [mixtures.1]

        x (B, D) -> log_joint (B, K) nats, features (B, F)
        """
        features = self.family.features(self._moved(x))
        if natural.W.dtype != features.dtype:
            natural = Natural(*(a.astype(features.dtype) for a in natural))
        return kernels.affine(features, *natural), features

    def log_px(self, x: ArrayLike) -> np.ndarray:
        """log p(x) = log Σ_k π_k p(x|k), in nats.                [mixtures.1]

        x (N, D) -> (N,), of x's dtype
        Raises TypeError or ValueError if x is not a finite (N, D) array in the family's support,
        FloatingPointError, naming the row, if a log p(x) is not finite.
        """
        return np.concatenate([log_px for log_px, _ in self._posteriors(x)])

    def responsibilities(self, x: ArrayLike) -> np.ndarray:
        """p(k|x) = π_k p(x|k)/p(x).        x (N, D) -> (N, K)     [mixtures.1]

        Raises as `log_px` does.
        """
        return np.concatenate([r for _, r in self._posteriors(x)])

    def bound(self, x: ArrayLike, q: ArrayLike) -> np.ndarray:
        """E_q[log p(x, k) − log q(k|x)] = log p(x) − KL(q(k|x) ‖ p(k|x)), in nats.    [mixtures.6]

        x (N, D), q (N, K) with rows that sum to 1 -> (N,)
        Chapter 4's bound with a sum for its integral.
        """
        data = self.check_rows("x", x)
        q = np.asarray(q)
        if q.shape != (len(data.x), self.components):
            raise ValueError(
                f"q has shape {q.shape}; expected (N, K) = {(len(data.x), self.components)}"
            )
        natural, parts = self.natural(), []
        for start, batch in batches(data, self.batch_size()):
            q_part = q[start : start + len(batch)]
            log_q = np.log(np.where(q_part > 0, q_part, 1))
            log_joint, _ = self.log_joint(batch, natural)
            parts.append((q_part * (log_joint - log_q)).sum(axis=1))
        return np.concatenate(parts)

    def sample(self, n: int, *, rng: np.random.Generator) -> np.ndarray:
        """k ~ π, then x ~ p(x|k).        -> (n, D) float64       [mixtures.10]

        Raises TypeError or ValueError unless n is an integer >= 1 and rng a Generator.
        """
        check_positive_int("n", n)
        check_rng(rng)
        weights = self.weights
        k = rng.choice(self.components, n, p=weights / weights.sum())
        x = self.family.draw(self.params, k, rng=rng)
        return x if self.origin is None else x + self.origin

    @property
    def parameters(self) -> int:
        """P: what the components fit, and K − 1 weights.          [mixtures.12]"""
        return self.components * self.family.parameters(self.data_dim) + self.components - 1

    def aic(self, x: ArrayLike) -> float:
        """−2 Σ_n log p(x_n) + 2P, P parameters; the lower, the better.    [mixtures.12]"""
        return float(-2 * self.log_px(x).sum(dtype=np.float64) + 2 * self.parameters)

    def bic(self, x: ArrayLike) -> float:
        """−2 Σ_n log p(x_n) + P log N, P parameters; the lower, the better.    [mixtures.12]"""
        log_px = self.log_px(x)
        return float(-2 * log_px.sum(dtype=np.float64) + self.parameters * np.log(len(log_px)))

    def copy(self) -> Mixture:
        """A mixture of the same parameters, which EM on this one leaves alone."""
        params = type(self.params)(*(a.copy() for a in self.params))
        return Mixture(self.family, self.log_weights.copy(), params, self.data_dim, self.origin)

    def __repr__(self) -> str:
        return f"Mixture({self.components} × {self.family!r}, D = {self.data_dim})"

    # What `em` asks.

    def check_rows(self, name: str, x: ArrayLike) -> Rows:
        """x (N, D) as it is kept and read; raises TypeError or ValueError if it cannot be."""
        return check_rows(name, x, self.family, self.data_dim)

    def prepare(self, dtype: np.dtype) -> Natural:
        """What every batch of a pass needs.                      [mixtures.1]"""
        return self.natural(dtype)

    def batch_size(self) -> int:
        """Rows at a time, so that features and responsibilities stay in the cache."""
        return batch_size(self._features(), self.components)

    def expect(
        self, x: np.ndarray, natural: Natural
    ) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, ...]]:
        """counts_k = Σ_b r_bk,  sums_k = Σ_b r_bk features(x_b).         [mixtures.6]

        x (B, D), natural of the parameters as they are
        -> log_px (B,), likeliest component (B,), (counts (K,), sums (K, F))
        """
        log_joint, features = self.log_joint(x, natural)
        log_px, r = posterior(log_joint)
        r = without_dust(r)
        sums = r.sum(axis=0, dtype=np.float64), kernels.matmul(r.T, features)
        return log_px, r.argmax(axis=1), sums

    def maximize(
        self, sums: tuple[np.ndarray, ...], worst: Callable[[int], np.ndarray] | None = None
    ) -> int:
        """π_k = counts_k/N, and the family's fit.                [mixtures.6]

        sums as `expect` makes them, of all rows -> how many components were empty; each begins
        anew at one of the rows with the lowest log p(x), where `worst` brings them
        """
        counts, totals = np.maximum(sums[0], NEXT_TO_NOTHING), sums[1]
        empty = counts < EMPTY
        if worst is not None and empty.any():
            totals = totals.copy()
            counts[empty] = 1
            totals[empty] = self.family.features(self._moved(worst(int(empty.sum()))))
        params = self.family.fit(counts, totals)
        if worst is not None and empty.any():
            for fitted, begun in zip(params, self.family.start(counts, totals), strict=True):
                fitted[empty] = begun[empty]
        self.params, self.log_weights = params, np.log(counts / counts.sum())
        return int(empty.sum())

    def sum_features(
        self, data: Rows, share: Callable[[slice, np.ndarray], np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """counts_k = Σ_n r_nk,  sums_k = Σ_n r_nk features(x_n), where r is known.    [mixtures.6]

        share(rows, moved x (B, D)) -> r (B, K), of x's dtype
        """
        counts, sums = np.zeros(self.components), np.zeros((self.components, self._features()))
        for start, batch in batches(data, self.batch_size()):
            x = self._moved(batch)
            features = self.family.features(x)
            r = share(slice(start, start + len(x)), x).astype(features.dtype)
            counts += r.sum(axis=0, dtype=np.float64)
            sums += kernels.matmul(r.T, features)
        return counts, sums

    def log_prior(self) -> float:
        """What the family's `fit` raises beside log p(x), in nats.        [mixtures.6]"""
        return self.family.log_prior(self.params)

    def _posteriors(self, x):
        data = self.check_rows("x", x)
        natural = self.natural(data.dtype)
        with kernels.pace("mixture", self._features(), self.components) as lap:
            for start, batch in batches(data, self.batch_size()):
                log_px, r = posterior(self.log_joint(batch, natural)[0])
                require_finite(log_px, range(start, start + len(batch)))
                yield log_px, r
                lap()

    def _moved(self, x):
        return x if self.origin is None else x - self.origin.astype(x.dtype)

    def _features(self):
        return self.family.features(np.zeros((1, self.data_dim))).shape[1]
