"""How heavy the tail of some weights is: the shape of a generalized Pareto distribution."""

import numpy as np


def tail_size(samples):
    """T = min(K/5, 3 √K), rounded up: how many of K weights are taken for the tail. [importance.5]

    Vehtari, Simpson, Gelman, Yao & Gabry 2024, section 3.
    """
    return int(np.ceil(min(samples / 5, 3 * np.sqrt(samples))))


def largest_weights(tail, log_w):
    """The len(tail) largest of both, by column: more of a stream of log w need not be kept.

    tail (T, B), log_w (K, B) -> (T, B), in no order
    """
    both = np.concatenate([tail, log_w])
    return np.partition(both, len(both) - len(tail), axis=0)[-len(tail) :]


def pareto_k(log_w):
    """k̂ of the weights above the smallest one.                 [importance.6]

    log_w (T + 1,), the largest of one row -> k̂; NaN if T < 5 or all agree to a thousandth, inf
    if fewer than a quarter of them are above 1e-300 of the largest
    """
    w = np.sort(np.exp(log_w - log_w.max()))
    excess = w[1:] - w[0]
    if len(excess) < 5 or excess[-1] < 1e-3:  # then what differs may be rounding alone
        return np.nan
    if not excess[len(excess) // 4] > 1e-300:
        return np.inf
    return generalized_pareto_k(excess)


def generalized_pareto_k(y):
    """k̂ = mean of log(1 − ρ y),  ρ its mean over a grid, weighted by likelihood.    [importance.6]

    y (T,), ascending excesses, of density ∝ (1 + k y/s)^(−1/k − 1), ρ = −k/s
    Zhang & Stephens 2009.
    """
    T = len(y)
    m = 30 + int(np.sqrt(T))
    rho = 1 / y[-1] + (1 - np.sqrt(m / (np.arange(m) + 0.5))) / (3 * y[int(T / 4 + 0.5) - 1])
    k = np.log1p(-rho[:, None] * y).mean(axis=1)
    profile = T * (np.log(-rho / k) - k - 1)
    weight = np.exp(profile - profile.max())
    return float(np.log1p(-np.sum(rho * weight) / weight.sum() * y).mean())
