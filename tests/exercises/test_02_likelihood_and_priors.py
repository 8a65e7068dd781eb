"""The answers to the exercises of derivations/02-likelihood-and-priors.md."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from npvae import SGD, Bernoulli, Categorical, Gaussian
from npvae.relatives import Predictor, train_predictor


def test_1_the_posterior_of_no_ink_is_a_frequency():
    """Count the digits among a million papers without ink in the middle."""
    rng = np.random.default_rng(0)
    digits = rng.choice(3, 1_000_000, p=[0.5, 0.3, 0.2])
    ink = rng.random(digits.size) < np.array([0.1, 0.9, 0.6])[digits]
    frequencies = np.bincount(digits[~ink]) / np.count_nonzero(~ink)
    np.testing.assert_allclose(frequencies, [0.804, 0.054, 0.143], atol=0.003)


def test_2_the_logit_of_a_pixel_white_in_30_of_100_images():
    t = (np.arange(100) < 30).astype(float)[:, None]

    def loss(logit):
        return -Bernoulli().log_prob(t, np.full((1, 100, 1), logit)).mean()

    best = minimize_scalar(loss)
    assert best.x == pytest.approx(-0.847, abs=5e-4)
    assert -best.fun == pytest.approx(-0.611, abs=5e-4)


def test_3_the_prior_that_a_weight_decay_claims():
    """With no data but the prior, one step moves W by the gradient of log p(W)/N."""
    N, tau = 60_000, 0.408
    W = np.array([[0.5, -1.0]])
    before = W.copy()
    SGD(1.0, weight_decay=1e-4).update([W], [np.zeros_like(W)])
    h = 1e-6
    up, down = (stats.norm.logpdf(before + step, scale=tau) for step in (h, -h))
    np.testing.assert_allclose(W - before, (up - down) / (2 * h) / N, rtol=3e-3)  # three digits


def test_4_a_sigma_that_forgives_a_moved_digit():
    x = np.zeros((1, 110))
    x[0, :30] = 1
    broken, moved, empty = x.copy(), x.copy(), np.zeros_like(x)
    broken[0, :8] = 0
    moved[0, :9], moved[0, 30:39] = 0, 1
    log_px_z = Gaussian(3).log_prob(x, np.stack([x, moved, broken, empty]))[:, 0]
    np.testing.assert_allclose(log_px_z[0] - log_px_z[1:], [1, 0.44, 1.67], atol=0.005)


def test_5_one_latent_number_and_one_pixel():
    def joint(z):
        return stats.norm.pdf(z) * stats.norm.pdf(2, z, 0.1)

    def over_z(f):
        return quad(f, 1, 3, epsabs=1e-13)[0]

    evidence = over_z(joint)
    mean = over_z(lambda z: z * joint(z)) / evidence
    variance = over_z(lambda z: (z - mean) ** 2 * joint(z)) / evidence
    kl = over_z(lambda z: joint(z) / evidence * (stats.norm.logpdf(2, z, 0.1) - math.log(evidence)))
    assert mean == pytest.approx(1.980, abs=5e-4)
    assert variance == pytest.approx(0.0099, abs=5e-5)
    assert kl == pytest.approx(3.77, abs=5e-3)
    assert math.exp(kl) == pytest.approx(44, abs=1)


def test_the_gradient_of_the_evidence_is_a_mean_over_the_posterior():
    """One latent number, one weight: differences of log p(x) against posterior quadrature."""
    x, w, sigma = 0.7, 1.3, 0.5

    def log_px(w):
        return stats.norm.logpdf(x, scale=math.sqrt(w * w + sigma * sigma))

    def weighted(f):
        return quad(lambda z: stats.norm.pdf(z) * stats.norm.pdf(x, w * z, sigma) * f(z), -9, 9)[0]

    def dw(z):
        mean = np.array([[[w * z]]])
        return z * Gaussian(sigma).log_prob_backward(np.ones((1, 1)), np.array([[x]]), mean).item()

    difference = (log_px(w + 1e-5) - log_px(w - 1e-5)) / 2e-5
    assert weighted(dw) / weighted(lambda z: 1) == pytest.approx(difference, rel=1e-8)


def fitted(x, t, likelihood, epochs=300):
    options = {"dtype": np.float64, "rng": np.random.default_rng(0)}
    predictor = Predictor.init(x.shape[1], likelihood=likelihood, **options)
    optimizer = SGD(1.0, momentum=0.9)
    settings = {"epochs": epochs, "optimizer": optimizer, "batch_size": len(x)}
    *_, last = train_predictor(predictor, x, t, **settings, rng=options["rng"])
    return predictor, last


def test_6_logistic_regression_between_two_gaussians_and_a_classifier_that_learns_nothing():
    quantiles = stats.norm.ppf((np.arange(2000) + 0.5) / 2000)[:, None]
    x, t = np.concatenate([quantiles, 1 + quantiles]), np.repeat([[0.0], [1.0]], 2000, axis=0)
    predictor, _ = fitted(x, t, Bernoulli())
    (layer,) = predictor.layers
    assert layer.W.item() == pytest.approx(1, abs=0.005)
    assert layer.b.item() == pytest.approx(-0.5, abs=0.005)
    rows, labels = np.tile([[-1.0], [1.0]], (10, 1)), np.repeat(np.arange(10), 2)
    _, last = fitted(rows, labels, Categorical(10))
    assert last.log_prob == pytest.approx(-math.log(10), abs=1e-6)
    assert math.log(10) == pytest.approx(2.303, abs=5e-4)


def test_7_a_wider_likelihood_needs_fewer_draws():
    Z, D, sigma = 5, 20, 1.0
    rng = np.random.default_rng(1)
    W = rng.standard_normal((Z, D))
    x = rng.standard_normal((1, Z)) @ W + sigma * rng.standard_normal((1, D))
    exact = stats.multivariate_normal(np.zeros(D), W.T @ W + sigma**2 * np.eye(D)).logpdf(x[0])
    assert exact == pytest.approx(-38.28, abs=0.005)
    estimates = []
    for K in (100, 1000, 10_000):
        z = rng.standard_normal((K, Z))
        log_px_z = Gaussian(sigma).log_prob(x, (z @ W)[:, None])[:, 0]
        estimates.append(logsumexp(log_px_z) - math.log(K))
    assert estimates == pytest.approx([-39.21, -37.94, -38.33], abs=0.005)
    C = np.linalg.inv(np.eye(Z) + W @ W.T / sigma**2)
    mu = (x @ W.T @ C / sigma**2)[0]
    posterior, prior = stats.multivariate_normal(mu, C), stats.multivariate_normal(np.zeros(Z))
    z = posterior.rvs(200_000, random_state=rng)
    log_ratio = posterior.logpdf(z) - prior.logpdf(z)
    assert log_ratio.mean() == pytest.approx(6.18, abs=4 * 1.6 / math.sqrt(len(z)))
    assert math.exp(6.1806) == pytest.approx(483, abs=1)
