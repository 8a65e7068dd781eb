"""The answers to the exercises of derivations/07-likelihoods.md, and its numbers about MNIST."""

import math
import os

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar

from npvae import datasets
from npvae.likelihoods import (
    Bernoulli,
    Categorical,
    ContinuousBernoulli,
    Gaussian,
    HeteroscedasticGaussian,
    LearnedGaussian,
)


def log_prob(x, logit):
    return Bernoulli().log_prob(np.array([[x]]), np.array([[[logit]]])).item()


def test_1_a_black_pixel_with_logit_10():
    cost, cost_at_9 = -log_prob(0.0, 10.0), -log_prob(0.0, 9.0)
    gradient = Bernoulli().log_prob_backward(
        np.ones((1, 1)), np.zeros((1, 1)), np.full((1, 1, 1), 10.0)
    )
    assert cost == pytest.approx(10.00005, abs=5e-6)
    assert gradient.item() == pytest.approx(-0.99995, abs=5e-6)
    assert cost - cost_at_9 == pytest.approx(0.99992, abs=5e-6)


def test_2_the_sigma_that_a_loss_has_assumed():
    """log p − KL and the colleague's loss have proportional slopes in the mean and in the KL."""
    D, w, sigma = 784, 0.001, 0.626
    x, mean = np.random.default_rng(0).random((2, 1, D))
    dloss = -2 * (x - mean) / D
    dlog_px_z = Gaussian(sigma).log_prob_backward(np.ones((1, 1)), x, mean[None])[0]
    np.testing.assert_allclose(-dloss / w, dlog_px_z, rtol=1e-3)  # the answer has three digits


def test_3_the_best_sigma_and_its_value():
    x, mean = np.array([[0.1, 0.2, -0.2]]), np.zeros((1, 1, 3))
    best = minimize_scalar(lambda s: -Gaussian(s).log_prob(x, mean).item(), bounds=(0.01, 1))
    assert best.x == pytest.approx(0.173, abs=5e-4)
    assert -best.fun == pytest.approx(1.003, abs=5e-4)


@pytest.mark.parametrize("a", [-8.0, -0.3, 0.5, 20.0])
def test_4_grey_targets_have_no_density(a):
    total, _ = quad(lambda x: math.exp(log_prob(x, a)), 0, 1)
    assert total == pytest.approx(math.tanh(a / 2) / a, rel=1e-9)
    assert total < 1 / 2


def test_5_evenly_spread_grey_has_half_a_nat():
    mean, _ = quad(lambda x: Bernoulli().entropy(np.array([[x]])).item(), 0, 1)
    assert mean == pytest.approx(1 / 2, rel=1e-8)


def test_6_a_grey_pixel_in_the_toy():
    logits = np.array([[[2.0, -1.0]]]) * (0.5 + math.exp(-0.5))
    binary, grey = np.array([[1.0, 0.0]]), np.array([[1.0, 0.5]])
    assert Bernoulli().log_prob(binary, logits).item() == pytest.approx(-0.3895, abs=5e-5)
    assert Bernoulli().log_prob(grey, logits).item() == pytest.approx(-0.9428, abs=5e-5)
    slopes = Bernoulli().log_prob_backward(np.ones((1, 1)), grey, logits)[0, 0]
    np.testing.assert_allclose(slopes, [0.0986, 0.2515], atol=5e-5)


def test_7_half_the_width():
    x, mean = np.array([[0.5, 0.5]]), np.array([[[0.5, 0.6]]])
    wide, best, narrow = (Gaussian(sigma).log_prob(x, mean).item() for sigma in (0.1, 0.0707, 0.05))
    assert wide == pytest.approx(2.2673, abs=5e-5)
    assert narrow == pytest.approx(2.1536, abs=5e-5)
    assert best > max(wide, narrow)


@pytest.fixture
def mnist():
    if "NPVAE_DATA_DIR" not in os.environ:
        pytest.skip("NPVAE_DATA_DIR names no folder with MNIST")
    return datasets.load_mnist()


def test_the_floors_of_mnist(mnist):
    floors = [
        (Bernoulli(), -205.65, 0.005),
        (Gaussian(1), -746.9, 0.05),
        (Gaussian(0.1), -1557.6, 0.05),
        (LearnedGaussian(), -55.2, 0.05),
        (HeteroscedasticGaussian(0.01), 856.1, 0.05),
        (ContinuousBernoulli(), 2493.6, 0.05),
        (Categorical(), -908.4, 0.05),
    ]
    for likelihood, floor, half_a_digit in floors:
        assert likelihood.floor(mnist.test) == pytest.approx(floor, abs=half_a_digit)
    assert math.sqrt(mnist.test.var(axis=0, dtype=np.float64).mean()) == pytest.approx(
        0.26, abs=0.005
    )


def test_what_the_chapter_says_of_mnist(mnist):
    assert np.mean((mnist.test > 0) & (mnist.test < 1)) == pytest.approx(0.19, abs=0.005)
    variances = np.linalg.eigvalsh(np.cov(mnist.train.T, bias=True))
    assert variances.max() == pytest.approx(5.12, abs=0.005)
    used = [np.count_nonzero(variances > variance) for variance in (784 / 40, 1, 1 / 2, 0.01)]
    assert used == [0, 12, 23, 251]
