"""The answers to the exercises of derivations/07-likelihoods.md, and its numbers about MNIST."""

import math
import os

import numpy as np
import pytest
from scipy import stats
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
    bits_per_dim,
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


def test_4_where_an_emitted_width_goes():
    s = np.linspace(-12, 3, 1501)

    def log_prob(error):
        output = np.stack([np.zeros_like(s), s], axis=-1)[None]
        return HeteroscedasticGaussian(0.1).log_prob(np.full((len(s), 1), error), output)[0]

    assert np.all(np.diff(log_prob(0.05)) < 0)
    assert s[np.argmax(log_prob(0.2))] == pytest.approx(-3.507, abs=0.01)


@pytest.mark.parametrize("a", [-8.0, -0.3, 0.5, 20.0])
def test_5_grey_targets_have_no_density(a):
    total, _ = quad(lambda x: math.exp(log_prob(x, a)), 0, 1)
    assert total == pytest.approx(math.tanh(a / 2) / a, rel=1e-9)
    assert total < 1 / 2


def test_6_evenly_spread_grey_has_half_a_nat():
    mean, _ = quad(lambda x: Bernoulli().entropy(np.array([[x]])).item(), 0, 1)
    assert mean == pytest.approx(1 / 2, rel=1e-8)


def test_7_the_continuous_bernoulli_at_nine_tenths():
    x, a = np.array([[0.3]]), np.full((1, 1, 1), math.log(9))
    normalizer = ContinuousBernoulli().log_prob(x, a) - Bernoulli().log_prob(x, a)
    assert normalizer.item() == pytest.approx(1.010, abs=5e-4)
    assert ContinuousBernoulli().mean(a).item() == pytest.approx(0.670, abs=5e-4)


def test_8_bits_of_a_density_and_of_a_probability():
    assert bits_per_dim(1500, 784) + 8 == pytest.approx(5.24, abs=0.005)
    assert bits_per_dim(-700, 784) == pytest.approx(1.29, abs=0.005)


def test_a_dequantised_density_bounds_the_probability_of_a_level():
    """Of a cell of [0, 1] cut into 256, under a continuous Bernoulli."""
    u = (np.arange(1000) + 0.5) / 1000
    for k, a in ((0, -300.0), (128, 2.0), (255, 900.0)):
        x = (k + u[:, None]) / 256
        log_p = ContinuousBernoulli().log_prob(x, np.full((1, 1000, 1), a))[0]
        log_level = math.log(np.exp(log_p).mean() / 256)
        assert bits_per_dim(log_level, 1) < bits_per_dim(log_p.mean(), 1) + 8


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
    assert np.count_nonzero(mnist.test.max(axis=0) == 0) == 116
    assert math.sqrt(mnist.test.var(axis=0, dtype=np.float64).mean()) == pytest.approx(
        0.26, abs=0.005
    )


def test_three_starts_of_256_levels_on_mnist(mnist):
    """Each start's logits by level, weighed by how often the test set has that level."""
    x_mean = np.clip(mnist.train.mean(axis=0, dtype=np.float64), 0.001, 0.999)
    levels = np.rint(255 * mnist.test).astype(int)
    counts = np.stack([np.bincount(column, minlength=256) for column in levels.T])

    def cost(logits):
        log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        return -np.sum(counts * log_p) / len(levels)

    start = Categorical().output_bias(x_mean).reshape(784, 256)
    assert cost(start) == pytest.approx(2260, abs=0.5)
    assert cost(np.zeros_like(start)) == pytest.approx(4347, abs=0.5)
    binomial = stats.binom.logpmf(np.arange(256), 255, x_mean[:, None])
    assert cost(binomial) == pytest.approx(41_000, abs=500)


def test_what_the_chapter_says_of_mnist(mnist):
    assert np.count_nonzero(mnist.train.max(axis=0) == 0) == 67
    assert np.mean((mnist.test > 0) & (mnist.test < 1)) == pytest.approx(0.19, abs=0.005)
    variances = np.linalg.eigvalsh(np.cov(mnist.train.T, bias=True))
    assert variances.max() == pytest.approx(5.12, abs=0.005)
    used = [np.count_nonzero(variances > variance) for variance in (784 / 40, 1, 1 / 2, 0.01)]
    assert used == [0, 12, 23, 251]
