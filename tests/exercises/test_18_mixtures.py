"""Chapter 18: the answers to its exercises, and figures that its text states."""

import math

import numpy as np
import pytest
from scipy.special import expit, logit

from npvae.relatives import (
    HMM,
    Bernoullis,
    DiagonalGaussians,
    FullGaussians,
    Mixture,
    SphericalGaussians,
    em,
    naive_bayes,
)
from npvae.relatives.mixtures.families import BernoulliParams
from npvae.relatives.mixtures.gaussians import GaussianParams


def products(p, weights, smoothing=1.0):
    p = np.array(p)
    params = BernoulliParams(logit(p))
    return Mixture(Bernoullis(smoothing), np.log(weights), params, p.shape[1])


def test_1_a_step_by_hand():
    mixture = products([[2 / 3] * 3, [1 / 3] * 3], [0.5, 0.5])
    x = np.array([[1.0, 1, 1], [0, 0, 0]])
    np.testing.assert_allclose(mixture.responsibilities(x), [[8 / 9, 1 / 9], [1 / 9, 8 / 9]])
    assert mixture.log_px(x).mean() == pytest.approx(math.log(1 / 6))
    before = mixture.log_prior() / 2
    (step,) = em(mixture, x, steps=1)
    np.testing.assert_allclose(mixture.means, [[17 / 27] * 3, [10 / 27] * 3])
    assert math.log(1 / 6) == pytest.approx(-1.792, abs=5e-4)
    assert step.log_px == pytest.approx(-1.896, abs=5e-4)
    assert before == pytest.approx(-4.512, abs=5e-4)
    assert step.log_prior == pytest.approx(-4.368, abs=5e-4)
    assert step.rise == pytest.approx(0.041, abs=5e-4)


def test_2_equal_components_stay_equal():
    x = np.random.default_rng(0).integers(0, 2, (50, 4)).astype(float)
    mixture = products([[0.3, 0.5, 0.7, 0.2]] * 3, np.full(3, 1 / 3))
    for _ in em(mixture, x, steps=5):
        pass
    np.testing.assert_allclose(mixture.means, mixture.means[[0]].repeat(3, axis=0))
    np.testing.assert_allclose(mixture.weights, 1 / 3)
    nudged = [[0.3, 0.5, 0.7, 0.2]] * 2 + [[0.31, 0.5, 0.7, 0.2]]
    shifted = products(nudged, np.full(3, 1 / 3), 0.01)
    for _ in em(shifted, x, steps=300):
        pass
    assert np.abs(shifted.means[2] - shifted.means[0]).max() > 0.1


def test_3_a_witness_heard_twice():
    r = np.random.default_rng(1)
    x, labels = r.integers(0, 2, (40, 3)).astype(float), np.arange(40) % 2
    once, twice = naive_bayes(x, labels), naive_bayes(np.hstack([x, x]), labels)

    def log_odds(model, x):
        return logit(model.posterior(x)[:, 1])

    np.testing.assert_allclose(log_odds(twice, np.hstack([x, x])), 2 * log_odds(once, x))
    assert expit(2 * 3) == pytest.approx(0.998, abs=5e-4)
    assert expit(3) == pytest.approx(0.953, abs=5e-4)


def test_4_a_chain_without_memory():
    r = np.random.default_rng(2)
    start, p = r.dirichlet(np.ones(3)), r.uniform(size=(3, 2))
    params = BernoulliParams(logit(p))
    model = HMM(4, start, np.tile(start, (3, 1)), Bernoullis(), params, 2)
    x = r.integers(0, 2, (10, 8)).astype(float)
    mixture = products(p, start)
    expected = mixture.log_px(x.reshape(40, 2)).reshape(10, 4).sum(axis=1)
    np.testing.assert_allclose(model.log_px(x), expected, rtol=1e-12)
    alone = HMM(4, np.ones(1), np.ones((1, 1)), Bernoullis(), BernoulliParams(logit(p[:1])), 2)
    product = products(np.tile(p[:1], 4), [1.0])
    np.testing.assert_allclose(alone.log_px(x), product.log_px(x), rtol=1e-12)


def test_the_digits_that_a_column_far_away_would_lose():
    x = 1000.0
    assert np.finfo(np.float32).eps * x**2 / 2 == pytest.approx(0.06, abs=0.001)


def test_the_three_shapes_are_one_where_they_agree():
    x = np.random.default_rng(0).normal(size=(20, 3))
    mean, variance = np.zeros((2, 3)), np.array([0.5, 2.0])
    spherical = Mixture(SphericalGaussians(), np.log([0.4, 0.6]), GaussianParams(mean, variance), 3)
    diagonal = GaussianParams(mean, np.repeat(variance[:, None], 3, axis=1))
    full = GaussianParams(mean, variance[:, None, None] * np.eye(3))
    for family, params in ((DiagonalGaussians(), diagonal), (FullGaussians(), full)):
        other = Mixture(family, spherical.log_weights, params, 3)
        np.testing.assert_allclose(other.log_px(x), spherical.log_px(x), rtol=1e-12)
