"""k̂: right on tails that are known, streamed as if all were kept, infinite where one rules."""

import numpy as np
import pytest
from scipy.stats import genpareto

from npvae.pareto import generalized_pareto_k, largest_weights, pareto_k, tail_size


@pytest.mark.equation("importance.6")
@pytest.mark.parametrize("k", [-0.3, 0.2, 0.5, 0.8, 1.2])
def test_the_shape_of_a_known_pareto_distribution(k):
    """The asymptotic standard deviation of the best estimate is (1 + k)/√M."""
    M = 4000
    y = np.sort(genpareto.rvs(k, scale=3, size=M, random_state=1))
    assert generalized_pareto_k(y) == pytest.approx(k, abs=5 * (1 + abs(k)) / np.sqrt(M))


@pytest.mark.equation("importance.5", "importance.6")
@pytest.mark.parametrize("k", [0.25, 0.5, 1.0])
def test_the_tail_of_weights_with_a_known_index(k):
    """w = u^(−k) has P(w > t) = t^(−1/k): the excesses are Pareto of shape k."""
    K = 100_000
    log_w = -k * np.log(np.random.default_rng(0).random((K, 1)))
    M = tail_size(K)
    assert M == 949
    tail = np.full((M + 1, 1), -np.inf)
    for part in np.split(log_w, 10):
        tail = largest_weights(tail, part)
    np.testing.assert_array_equal(np.sort(tail[:, 0]), np.sort(log_w[:, 0])[-M - 1 :])
    assert pareto_k(tail[:, 0]) == pytest.approx(k, abs=4 * (1 + k) / np.sqrt(M))


def test_where_there_is_no_tail():
    assert np.isnan(pareto_k(np.zeros(50)))
    assert np.isnan(pareto_k(np.arange(5.0)))
    assert pareto_k(np.array([0.0] + 30 * [-1e4])) == np.inf
    assert tail_size(10) == 2


def test_weights_that_agree_to_a_thousandth_have_no_tail():
    assert np.isnan(pareto_k(np.linspace(-9e-4, 0, 50)))
    assert np.isfinite(pareto_k(np.linspace(-2e-3, 0, 50)))
