"""Sums and maxima over all paths of a hidden Markov chain, of which only the emissions are seen.

T steps, B sequences, K states; log_emission (T, B, K) is log p(x_t|k). Every sum is kept near 1: an
emission is divided by the largest of its step, α by its own sum c, and β by the same c. Since
no transition is 0, a state that such a division takes below the range of a float64 lies on no path
that matters: the path through the best state of that step is far more probable.
"""

from typing import NamedTuple

import numpy as np

from .. import kernels


class Forward(NamedTuple):
    """What the first T steps say, step by step."""

    alpha: np.ndarray  # (T, B, K) p(k_t|x_1 … x_t): sums over k are 1
    emission: np.ndarray  # (T, B, K) p(x_t|k)/c_t, which `backward` reads
    log_px: np.ndarray  # (B,) nats


def forward(start: np.ndarray, transition: np.ndarray, log_emission: np.ndarray) -> Forward:
    """c_t α_t(j) = p(x_t|j) Σ_i α_{t−1}(i) p(j|i),  log p(x) = Σ_t log c_t.    [hmm.1]

    start (K,) in place of the sum at t = 1, transition (K, K), log_emission (T, B, K) -> Forward
    """
    largest = log_emission.max(axis=2, keepdims=True)
    emission = np.exp(log_emission - largest)
    alpha, log_px = np.empty_like(emission), largest.sum(axis=(0, 2))
    for t in range(len(alpha)):
        arriving = start if t == 0 else kernels.matmul(alpha[t - 1], transition)
        np.multiply(emission[t], arriving, out=alpha[t])
        c = alpha[t].sum(axis=1, keepdims=True)
        alpha[t] /= c
        emission[t] /= c
        log_px += np.log(c[:, 0])
    return Forward(alpha, emission, log_px)


def backward(transition: np.ndarray, emission: np.ndarray) -> np.ndarray:
    """β_T(i) = 1,  β_t(i) = Σ_j p(j|i) p(x_{t+1}|j) β_{t+1}(j) / c_{t+1}.    [hmm.2]

    transition (K, K), emission (T, B, K) as `forward` divided it -> beta (T, B, K)
    """
    beta = np.ones_like(emission)
    for t in reversed(range(len(beta) - 1)):
        kernels.matmul(emission[t + 1] * beta[t + 1], transition.T, out=beta[t])
    return beta


def state_posterior(alpha: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """γ_t(k) = p(k_t = k|x) = α_t(k) β_t(k).        -> (T, B, K)   [hmm.3]"""
    return alpha * beta


def count_transitions(
    transition: np.ndarray, alpha: np.ndarray, emission: np.ndarray, beta: np.ndarray
) -> np.ndarray:
    """Σ_t p(k_t = i, k_{t+1} = j|x) = Σ_t α_t(i) p(j|i) p(x_{t+1}|j) β_{t+1}(j)/c_{t+1}. [hmm.4]

    alpha, emission, beta (T, B, K) -> (K, K), summed over b; the last step has none
    """
    K = len(transition)
    here, there = alpha[:-1].reshape(-1, K), (emission[1:] * beta[1:]).reshape(-1, K)
    return transition * kernels.matmul(here.T, there)


def viterbi(
    log_start: np.ndarray, log_transition: np.ndarray, log_emission: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """v_t(j) = log p(x_t|j) + max_i [v_{t−1}(i) + log p(j|i)], and back along the maxima. [hmm.5]

    log_emission (T, B, K) -> the most probable states (B, T), log p(x, states) (B,) nats
    """
    T, B, K = log_emission.shape
    came_from, best = np.empty((T, B, K), np.intp), log_start + log_emission[0]
    for t in range(1, T):
        score = best[:, :, None] + log_transition
        came_from[t] = score.argmax(axis=1)
        best = score.max(axis=1) + log_emission[t]
    states = np.empty((B, T), np.intp)
    states[:, -1] = best.argmax(axis=1)
    for t in reversed(range(1, T)):
        states[:, t - 1] = came_from[t, np.arange(B), states[:, t]]
    return states, best.max(axis=1)
