"""Sums and maxima over all paths of a Markov chain that is seen through what its states emit.

T steps, B sequences, K states. What every function reads is log_emission (T, B, K), log p(x_t|k).
"""

import numpy as np

from .. import kernels
from .mixtures.mixture import posterior


def forward(
    log_start: np.ndarray, transition: np.ndarray, log_emission: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """α_1(k) = p(k) p(x_1|k),  α_t(j) = p(x_t|j) Σ_i α_{t−1}(i) p(j|i).      [hmm.1]

    log_start (K,), transition (K, K), log_emission log p(x_t|k) (T, B, K)
    -> log_alpha (T, B, K), log_px (B,) = log Σ_k α_T(k), nats
    The sum over i is a matrix product of e^(log α − its largest). As no transition is 0, no state
    that matters is lost below the range of a float64.
    """
    log_alpha = np.empty_like(log_emission)
    log_alpha[0] = log_start + log_emission[0]
    for t in range(1, len(log_alpha)):
        largest = log_alpha[t - 1].max(axis=1, keepdims=True)
        arriving = kernels.matmul(np.exp(log_alpha[t - 1] - largest), transition)
        log_alpha[t] = largest + np.log(arriving) + log_emission[t]
    return log_alpha, posterior(log_alpha[-1])[0]


def backward(transition: np.ndarray, log_emission: np.ndarray) -> np.ndarray:
    """β_T(i) = 1,  β_t(i) = Σ_j p(j|i) p(x_{t+1}|j) β_{t+1}(j).           [hmm.2]

    transition (K, K), log_emission (T, B, K) -> log_beta (T, B, K)
    """
    log_beta = np.zeros_like(log_emission)
    for t in reversed(range(len(log_beta) - 1)):
        ahead = log_emission[t + 1] + log_beta[t + 1]
        largest = ahead.max(axis=1, keepdims=True)
        log_beta[t] = largest + np.log(kernels.matmul(np.exp(ahead - largest), transition.T))
    return log_beta


def count_transitions(
    transition: np.ndarray, log_emission: np.ndarray, log_alpha: np.ndarray, log_beta: np.ndarray
) -> np.ndarray:
    """Σ_t p(k_t = i, k_{t+1} = j|x) = p(j|i) Σ_t α_t(i) p(x_{t+1}|j) β_{t+1}(j)/p(x).    [hmm.4]

    log_emission, log_alpha, log_beta (T, B, K) -> (K, K), summed over b; the last step has none
    """
    counts = np.zeros_like(transition)
    for t in range(len(log_alpha) - 1):
        largest = log_alpha[t].max(axis=1, keepdims=True)
        here = np.exp(log_alpha[t] - largest)
        ahead = log_emission[t + 1] + log_beta[t + 1]
        most = ahead.max(axis=1, keepdims=True)
        there = np.exp(ahead - most)
        there /= (kernels.matmul(here, transition) * there).sum(axis=1, keepdims=True)
        counts += kernels.matmul(here.T, there)
    return transition * counts


def viterbi(
    log_start: np.ndarray, log_transition: np.ndarray, log_emission: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """argmax over paths of log p(x, path), by the largest so far and where it came from.    [hmm.5]

    log_emission (T, B, K) -> states (B, T), log_prob (B,) nats
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
