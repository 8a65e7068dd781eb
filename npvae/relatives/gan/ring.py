"""Eight Gaussians on a ring: data whose modes can be counted."""

import numpy as np

from ..._checks import check_number, check_positive_int, check_rng

WITHIN = 3  # standard deviations
FOUND = 1 / 4  # of its fair share, at least, makes a mode one that was found


def ring_centres(modes: int = 8, radius: float = 2.0) -> np.ndarray:
    """c_k = radius (cos 2πk/K, sin 2πk/K), k = 0 … K − 1.       [gan.23]

    -> (K, 2)
    """
    check_positive_int("modes", modes)
    check_number("radius", radius, low=0)
    angle = 2 * np.pi * np.arange(modes) / modes
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def ring(n: int, *, centres: np.ndarray, std: float, rng: np.random.Generator) -> np.ndarray:
    """x = c_k + std·noise, each k equally likely.               [gan.24]

    centres (K, 2) -> (n, 2)
    """
    check_positive_int("n", n)
    check_number("std", std, low=0)
    check_rng(rng)
    k = rng.integers(len(centres), size=n)
    return centres[k] + std * rng.standard_normal((n, 2))


def mode_shares(x: np.ndarray, *, centres: np.ndarray, std: float) -> np.ndarray:
    """The share of rows within 3 std of each centre.            [gan.25]

    x (N, 2), centres (K, 2) -> (K,)
    1 − e^(−3²/2) = 98.9 % of a Gaussian's own draws in two dimensions lie so near.
    """
    distance = np.linalg.norm(x[:, None] - centres, axis=2)
    return np.mean(distance < WITHIN * std, axis=0)


def modes_found(x: np.ndarray, *, centres: np.ndarray, std: float) -> int:
    """How many of K modes hold at least a quarter of their fair share 1/K of the rows. [gan.26]

    x (N, 2), centres (K, 2) -> 0 … K
    """
    shares = mode_shares(x, centres=centres, std=std)
    return int(np.count_nonzero(shares >= FOUND / len(centres)))
