"""Where EM begins: seeds among the rows, and each row with the seed nearest to it."""

import numpy as np

from ... import kernels
from ...training import Rows
from .rows import batches

PER_SEED = 20  # rows looked at for each seed: more cost time, and hardly make better seeds


def random_seeds(x: np.ndarray, K: int, *, rng: np.random.Generator) -> np.ndarray:
    """K rows of x, all equally likely.        (M, D) -> (K, D)     [mixtures.11]"""
    return x[rng.choice(len(x), K, replace=False)]


def spread_seeds(x: np.ndarray, K: int, *, rng: np.random.Generator) -> np.ndarray:
    """k-means++: the next seed is row m with a probability ∝ min_k ‖x_m − seed_k‖². [mixtures.11]

    x (M, D) -> (K, D)
    Arthur & Vassilvitskii 2007.
    """
    squares = np.square(x).sum(axis=1, dtype=np.float64)
    chosen = [int(rng.integers(len(x)))]
    distance = np.full(len(x), np.inf)
    for _ in range(K - 1):
        seed = x[chosen[-1]]
        product = kernels.matmul(x, seed[:, None])[:, 0]
        to_seed = squares - 2 * product + squares[chosen[-1]]
        distance = np.minimum(distance, np.maximum(to_seed, 0))
        distance[chosen] = 0
        total = distance.sum()
        if total > 0:
            chosen.append(int(rng.choice(len(x), p=distance / total)))
        else:  # fewer distinct rows than seeds
            chosen.append(int(rng.choice(np.setdiff1d(np.arange(len(x)), chosen))))
    return x[chosen]


SEEDS = {"k-means++": spread_seeds, "random": random_seeds}


def nearest(x: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """1 where seed k is the nearest to row b, else 0.                [mixtures.11]

    x (B, D), seeds (K, D) -> (B, K)
    Of ‖x − seed‖² only ‖seed‖² − 2 x · seed differs between seeds.
    """
    half = np.square(seeds).sum(axis=1) / 2
    score = kernels.affine(x, np.ascontiguousarray(seeds.T), -half.astype(x.dtype))
    one_hot = np.zeros_like(score)
    one_hot[np.arange(len(x)), score.argmax(axis=1)] = 1
    return one_hot


def some_rows(data: Rows, n: int, *, rng: np.random.Generator) -> np.ndarray:
    """n rows of the data, or all if there are fewer, as floats."""
    N = len(data.x)
    rows = np.sort(rng.choice(N, n, replace=False)) if n < N else np.arange(N)
    return np.concatenate([batch for _, batch in batches(data._replace(x=data.x[rows]), 4000)])
