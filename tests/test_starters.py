"""The workshop's first equations, against SciPy and against sums that can be counted."""

import itertools

import numpy as np
import pytest
from scipy import special, stats

from npvae.learn.starters import (
    bernoulli_log_likelihood,
    bits,
    log_standard_normal,
    log_sum_exp,
    posterior_of_kinds,
)


@pytest.mark.equation("starters.1")
def test_the_prior_is_scipys_multivariate_normal():
    z = np.random.default_rng(0).normal(0, 2, (50, 3))
    expected = stats.multivariate_normal(np.zeros(3)).logpdf(z)
    np.testing.assert_allclose(log_standard_normal(z), expected, rtol=1e-12)


@pytest.mark.equation("starters.2")
def test_the_probabilities_of_every_image_sum_to_one():
    images = np.array(list(itertools.product([0.0, 1.0], repeat=4)))
    log_p = bernoulli_log_likelihood(images, np.array([0.1, 0.5, 0.7, 0.999]))
    assert np.exp(log_p).sum() == pytest.approx(1, rel=1e-12)


@pytest.mark.equation("starters.2")
def test_a_bernoulli_is_scipys():
    rng = np.random.default_rng(0)
    p, x = rng.random(6), rng.integers(0, 2, (20, 6)).astype(float)
    expected = stats.bernoulli(p).logpmf(x).sum(axis=1)
    np.testing.assert_allclose(bernoulli_log_likelihood(x, p), expected, rtol=1e-12)


@pytest.mark.equation("starters.3")
@pytest.mark.parametrize("scale", [1.0, 1e3, 1e5])
def test_log_sum_exp_is_scipys_at_any_size(scale):
    a = np.random.default_rng(0).normal(0, scale, (20, 5))
    np.testing.assert_allclose(log_sum_exp(a), special.logsumexp(a, axis=1), rtol=1e-12)


@pytest.mark.equation("starters.4")
def test_the_posterior_is_the_joint_divided_by_its_sum():
    log_joint = np.random.default_rng(0).normal(-3, 2, (20, 5))
    log_pk = np.log(np.full(5, 0.2))
    joint = np.exp(log_joint)
    expected = joint / joint.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(posterior_of_kinds(log_pk, log_joint - log_pk), expected, rtol=1e-12)


@pytest.mark.equation("starters.4")
def test_the_posterior_counts_the_prior_and_does_not_underflow():
    posterior = posterior_of_kinds(np.log([0.25, 0.75]), np.full((1, 2), -2000.0))
    np.testing.assert_allclose(posterior, [[0.25, 0.75]], rtol=1e-12)


@pytest.mark.equation("starters.5")
def test_the_entropy_of_a_coin_is_one_bit():
    assert bits(stats.bernoulli(0.5).entropy()) == pytest.approx(1, rel=1e-12)
    np.testing.assert_allclose(bits(np.log([8.0, 1024.0])), [3, 10], rtol=1e-12)
