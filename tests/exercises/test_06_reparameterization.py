"""The answers to the exercises of derivations/06-reparameterization.md."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from npvae import check_gradient
from npvae.reparameterization import reparameterize, reparameterize_backward

N = 200_000


def draws(mu, logvar):
    """N draws of z in one dimension, with their noise and what the backward makes of a slope."""
    mu, logvar = np.full((N, 1), mu), np.full((N, 1), logvar)
    noise = np.random.default_rng(0).standard_normal((1, N, 1))
    z = reparameterize(mu, logvar, noise)

    def pathwise(slope):
        gradients = reparameterize_backward(slope.reshape(1, N, 1), logvar, noise)
        return [gradient.ravel() for gradient in gradients]

    return z.ravel(), noise.ravel(), pathwise


def assert_mean(estimates, expected):
    """Within 4 standard errors."""
    assert abs(estimates.mean() - expected) <= 4 * estimates.std() / math.sqrt(N)


def test_1_both_estimators_average_the_derivatives_of_a_mean_cosine():
    mu, a, h = 0.8, -0.7, 1e-5
    sigma = math.exp(a / 2)

    def mean_cosine(mu, a):
        return norm(mu, math.exp(a / 2)).expect(math.cos)

    by_mu = (mean_cosine(mu + h, a) - mean_cosine(mu - h, a)) / (2 * h)
    by_a = (mean_cosine(mu, a + h) - mean_cosine(mu, a - h)) / (2 * h)
    shrink = math.exp(-(sigma**2) / 2)
    assert mean_cosine(mu, a) == pytest.approx(shrink * math.cos(mu), abs=1e-9)
    assert by_mu == pytest.approx(-shrink * math.sin(mu), abs=1e-7)
    assert by_a == pytest.approx(-(sigma**2) / 2 * shrink * math.cos(mu), abs=1e-7)

    z, noise, pathwise = draws(mu, a)
    dmu, dlogvar = pathwise(-np.sin(z))
    np.testing.assert_allclose(dlogvar, -sigma * noise * np.sin(z) / 2, atol=1e-15)
    assert_mean(dmu, by_mu)
    assert_mean(dlogvar, by_a)
    assert_mean(noise * np.cos(z) / sigma, by_mu)
    assert_mean((noise**2 - 1) * np.cos(z) / 2, by_a)


def test_2_a_constant_shakes_the_score_function_alone():
    c, sigma = -100.0, 0.25
    z, noise, pathwise = draws(0.3, 2 * math.log(sigma))
    # Standard errors of a sample variance: √(2/N) of it for ε, √(14/N) for ε².
    assert np.var(c * noise / sigma) == pytest.approx(160_000, rel=4 * math.sqrt(2 / N))
    assert np.var(c * (noise**2 - 1) / 2) == pytest.approx(5_000, rel=4 * math.sqrt(14 / N))
    assert not np.any(pathwise(np.zeros_like(z)))


def test_3_a_gradient_check_passes_the_wrong_sampler_and_a_variance_does_not():
    def wrong(mu, logvar, noise):
        return mu + np.exp(logvar) * noise

    def wrong_backward(dz, mu, logvar, noise):
        return dz.sum(axis=0), np.exp(logvar) * np.sum(dz * noise, axis=0), None

    rng = np.random.default_rng(0)
    mu, logvar = rng.standard_normal((2, 3, 4))
    noise = rng.standard_normal((2, 3, 4))
    assert max(check_gradient(wrong, wrong_backward, (mu, logvar, noise), rng=rng)) < 1e-9

    z = wrong(0.0, -1.0, rng.standard_normal(N))
    assert z.var() == pytest.approx(math.exp(-2), rel=4 * math.sqrt(2 / N))
    assert z.var() != pytest.approx(math.exp(-1), rel=4 * math.sqrt(2 / N))


def test_4_the_pathwise_estimator_misses_a_jump():
    mu, sigma = 0.5, 0.8
    z, noise, pathwise = draws(mu, 2 * math.log(sigma))
    answer, h = norm.pdf(mu / sigma) / sigma, 1e-5
    slope = (norm(mu + h, sigma).sf(0) - norm(mu - h, sigma).sf(0)) / (2 * h)
    assert answer == pytest.approx(slope, abs=1e-9)
    assert_mean((z > 0) * noise / sigma, answer)
    assert not np.any(pathwise(np.zeros_like(z))[0])


def test_5_the_best_baseline_is_the_mean_of_f_weighted_by_the_squared_score():
    def variance(b):
        second_moment = norm.expect(lambda e: (((1 + e) ** 2 - b) * e) ** 2)
        return second_moment - norm.expect(lambda e: (1 + e) ** 2 * e) ** 2

    assert norm.expect(lambda e: (1 + e) ** 2) == pytest.approx(2)
    assert [variance(b) for b in (0, 2, 4)] == pytest.approx([30, 18, 14])
    assert variance(4) < min(variance(3.9), variance(4.1))

    z, noise, pathwise = draws(1.0, 0.0)
    assert np.var(pathwise(2 * z)[0]) == pytest.approx(4, rel=4 * math.sqrt(2 / N))
    assert np.var((z**2 - 4) * noise) < np.var((z**2 - 2) * noise) < np.var(z**2 * noise)


@pytest.mark.parametrize(("sigma", "pathwise", "score"), [(0.5, 0.075, 1.449), (2, 0.487, 0.112)])
def test_1_the_quieter_estimator_changes_where_f_wiggles(sigma, pathwise, score):
    noise, weights = np.polynomial.hermite_e.hermegauss(80)
    weights /= weights.sum()
    z = 1 + sigma * noise
    for draws, variance in ((-np.sin(z), pathwise), (np.cos(z) * noise / sigma, score)):
        assert weights @ draws**2 - (weights @ draws) ** 2 == pytest.approx(variance, abs=6e-4)


def test_1_the_order_of_the_two_estimators_turns_once():
    def difference(sigma):
        c = math.exp(-2 * sigma**2) * math.cos(2)
        return (1 - c) / 2 - (1 + c * (1 - 4 * sigma**2)) / (2 * sigma**2)

    assert brentq(difference, 0.5, 2) == pytest.approx(1.051, abs=5e-4)
    assert all(difference(sigma) < 0 for sigma in np.linspace(0.1, 1.05, 50))
    assert all(difference(sigma) > 0 for sigma in np.linspace(1.052, 10, 50))
    for sigma, by_path, by_score in ((0.5, 0.075, 1.449), (2, 0.487, 0.112)):  # as above
        assert difference(sigma) == pytest.approx(by_path - by_score, abs=1e-3)


@pytest.mark.parametrize(("Z", "expected"), [(20, (0.5, 4.9, 26.0)), (80, (0.5, 9.6, 101))])
def test_6_four_times_the_dimensions(Z, expected):
    noise = np.random.default_rng(0).standard_normal((N // 10, Z))
    z = 1 + noise / 2
    f, mean = -np.sum(z**2, axis=1, keepdims=True) / 2, -Z * 1.25 / 2
    draws = -z, 2 * (f - mean) * noise, 2 * f * noise
    np.testing.assert_allclose([d.std() for d in draws], expected, rtol=0.01)
