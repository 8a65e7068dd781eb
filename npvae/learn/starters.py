"""Five short functions to begin with, for chapters 1 to 3: derivations/workshop/starters.md."""

import numpy as np


def log_standard_normal(z):
    """log p(z) = −½ Σ_j z_j² − ½ Z log 2π, in nats.              [starters.1]

    z (B, Z) -> (B,)
    """
    return -0.5 * np.sum(z * z, axis=1) - 0.5 * z.shape[1] * np.log(2 * np.pi)


def bernoulli_log_likelihood(x, p):
    """log p(x) = Σ_d [x_d log p_d + (1 − x_d) log(1 − p_d)], in nats.        [starters.2]

    x (B, D) of zeros and ones, p (D,) in (0, 1) -> (B,)
    """
    return np.sum(x * np.log(p) + (1 - x) * np.log1p(-p), axis=1)


def log_sum_exp(a):
    """log Σ_k e^a_k = m + log Σ_k e^(a_k − m),  m the largest a_k.     [starters.3]

    a (B, K) -> (B,), also where e^a overflows, or is 0 for all k
    """
    largest = a.max(axis=1)
    return largest + np.log(np.exp(a - largest[:, None]).sum(axis=1))


def posterior_of_kinds(log_pk, log_px_k):
    """p(k|x) = p(k) p(x|k) / Σ_j p(j) p(x|j): Bayes' rule.        [starters.4]

    log_pk (K,), log_px_k (B, K) -> (B, K), each row with the sum 1
    """
    log_joint = log_pk + log_px_k
    return np.exp(log_joint - log_sum_exp(log_joint)[:, None])


def bits(nats):
    """log₂ e^nats = nats / log 2: the same, to another base.      [starters.5]

    any shape
    """
    return nats / np.log(2)
