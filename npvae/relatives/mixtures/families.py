"""What EM needs of a component; and products of Bernoullis.

Each family is an exponential one, log p(x|k) = features(x) · W_k + b_k. So the E step is a matrix
product, and the M step gives a component the mean features of its rows.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from scipy.special import expit

from ..._checks import check_number, pieces


class Family(Protocol):
    """What a mixture asks of its K components; D data, F features."""

    def features(self, x: np.ndarray) -> np.ndarray:
        """What log p(x|k) is linear in.        x (B, D) -> (B, F)    [mixtures.2]"""
        ...

    def natural(self, params: Any) -> tuple[np.ndarray, np.ndarray]:
        """The W (F, K) and b (K,) of log p(x|k) = features(x) · W_k + b_k.  [mixtures.2]"""
        ...

    def fit(self, counts: np.ndarray, sums: np.ndarray) -> Any:
        """The M step: the most likely parameters of features with these sums.  [mixtures.7]

        counts (K,) > 0 rows, sums (K, F) of their features -> params
        """
        ...

    def start(self, counts: np.ndarray, sums: np.ndarray) -> Any:
        """`fit`, but each component as wide as all are on average.  [mixtures.9]"""
        ...

    def log_prior(self, params: Any) -> float:
        """What `fit` raises beside the rows' log p, in nats.        [mixtures.7]"""
        ...

    def mean(self, params: Any) -> np.ndarray:
        """E[x|k].        -> (K, D)                               [mixtures.7]"""
        ...

    def draw(self, params: Any, k: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
        """A row of each component in k (n,).        -> (n, D)     [mixtures.10]"""
        ...

    def parameters(self, D: int) -> int:
        """How many numbers a component fits.                      [mixtures.12]"""
        ...

    def check_support(self, name: str, x: np.ndarray) -> int:
        """The number in x that stands for 1; raises ValueError where x has no density."""
        ...

    def check_spread(self, x: np.ndarray, mean: np.ndarray, std: np.ndarray) -> None:
        """Raise ValueError unless a fit to x, of these columns' mean and std (D,), is sound."""
        ...


class BernoulliParams(NamedTuple):
    """K products of Bernoullis: p(x_d = 1|k) = sigmoid(logits_kd)."""

    logits: np.ndarray  # (K, D), float64


@dataclass(frozen=True)
class Bernoullis:
    """Each column 0 or 1, independent of the others.

    smoothing α: each component counts α white and α black rows that are not there, so that no
    pixel is impossible. That is a prior, Beta(1 + α, 1 + α), for each p(x_d = 1|k).
    Raises TypeError or ValueError unless 1e-6 <= smoothing < 1e6.
    """

    smoothing: float = 0.1

    def __post_init__(self) -> None:
        check_number("smoothing", self.smoothing, low=1e-6, low_allowed=True, high=1e6)

    def features(self, x: np.ndarray) -> np.ndarray:
        """x itself.        (B, D) -> (B, D)                      [mixtures.2]"""
        return x

    def natural(self, params: BernoulliParams) -> tuple[np.ndarray, np.ndarray]:
        """W_k = logits_k,  b_k = −Σ_d softplus(logits_kd).       [mixtures.2]"""
        return params.logits.T, -np.logaddexp(0, params.logits).sum(axis=1)

    def fit(self, counts: np.ndarray, sums: np.ndarray) -> BernoulliParams:
        """p(x_d = 1|k) = (sums_kd + α)/(counts_k + 2α), as logits.        [mixtures.7]

        counts (K,), sums (K, D) of x -> params
        """
        white = np.maximum(sums, 0) + self.smoothing
        black = np.maximum(counts[:, None] - sums, 0) + self.smoothing
        return BernoulliParams(np.log(white) - np.log(black))

    def start(self, counts: np.ndarray, sums: np.ndarray) -> BernoulliParams:
        """Half-way between a component's own p and that of all rows.      [mixtures.9]

        counts (K,), sums (K, D) of x -> params
        """
        own = expit(self.fit(counts, sums).logits)
        common = expit(self.fit(counts.sum(keepdims=True), sums.sum(axis=0, keepdims=True)).logits)
        p = (own + common) / 2
        return BernoulliParams(np.log(p) - np.log1p(-p))

    def log_prior(self, params: BernoulliParams) -> float:
        """α Σ_kd [log p_kd + log(1 − p_kd)], in nats.            [mixtures.7]"""
        a = np.abs(params.logits)
        return float(-self.smoothing * (a + 2 * np.log1p(np.exp(-a))).sum())

    def mean(self, params: BernoulliParams) -> np.ndarray:
        """E[x|k] = p_k.        -> (K, D)                         [mixtures.7]"""
        return expit(params.logits)

    def draw(
        self, params: BernoulliParams, k: np.ndarray, *, rng: np.random.Generator
    ) -> np.ndarray:
        """x_d = 1 with probability p_kd, else 0.        k (n,) -> (n, D)  [mixtures.10]"""
        uniform = rng.random((len(k), params.logits.shape[1]))
        return (uniform < self.mean(params)[k]).astype(np.float64)

    def parameters(self, D: int) -> int:
        """D probabilities.                                        [mixtures.12]"""
        return D

    def check_support(self, name: str, x: np.ndarray) -> int:
        """255 if x is uint8 of zeros and 255s, else 1.

        Raises ValueError unless every entry is then 0 or 1.
        """
        unit = 255 if x.dtype == np.uint8 and x.max() > 1 else 1
        if not all(((rows == 0) | (rows == unit)).all() for _, rows in pieces(x)):
            raise ValueError(
                f"{name} has entries other than 0 and {unit}; a product of Bernoullis has log p(x) "
                "of binary rows alone: npvae.binarize(x, rng=rng) draws them from grey ones"
            )
        return unit

    def check_spread(self, x: np.ndarray, mean: np.ndarray, std: np.ndarray) -> None:
        """Any spread will do."""
