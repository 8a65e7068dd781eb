"""The answers to the exercises of derivations/07b-other-likelihoods.md, and its MNIST numbers."""

import math
import os

import numpy as np
import pytest
from scipy import special, stats

import npvae
from npvae import datasets
from npvae.likelihoods import (
    Bernoulli,
    Categorical,
    ContinuousBernoulli,
    HeteroscedasticGaussian,
    bits_per_dim,
)


def test_1_where_an_emitted_width_goes():
    a = np.linspace(-12, 3, 1501)

    def log_prob(error):
        output = np.stack([np.zeros_like(a), a], axis=-1)[None]
        return HeteroscedasticGaussian(0.1).log_prob(np.full((len(a), 1), error), output)[0]

    assert np.all(np.diff(log_prob(0.05)) < 0)
    assert a[np.argmax(log_prob(0.2))] == pytest.approx(-3.507, abs=0.01)


def test_2_the_continuous_bernoulli_at_nine_tenths():
    x, a = np.array([[0.3]]), np.full((1, 1, 1), math.log(9))
    normalizer = ContinuousBernoulli().log_prob(x, a) - Bernoulli().log_prob(x, a)
    assert normalizer.item() == pytest.approx(1.010, abs=5e-4)
    assert ContinuousBernoulli().mean(a).item() == pytest.approx(0.670, abs=5e-4)


def test_3_bits_of_a_density_and_of_a_probability():
    assert bits_per_dim(1500, 784) + 8 == pytest.approx(5.24, abs=0.005)
    assert bits_per_dim(-700, 784) == pytest.approx(1.29, abs=0.005)


class Poisson(npvae.Likelihood):
    """The page's."""

    support = np.arange(200.0)

    def log_prob(self, x, a):
        return np.sum(x * a - np.exp(a) - special.gammaln(x + 1), axis=-1)

    def log_prob_backward(self, dlog_px_z, x, a):
        return dlog_px_z[..., None] * (x - np.exp(a))

    def mean(self, a):
        return np.exp(a)

    def draw(self, a, *, rng):
        return np.rint(np.exp(a))  # the change; the page draws rng.poisson(np.exp(a))

    def output_bias(self, x_mean):
        return np.log(x_mean)

    def floor(self, x):
        return self.log_prob(x, np.log(x.mean(axis=0))).mean()


def test_4_draws_that_do_not_scatter():
    counts = np.array([[3.0, 0.0], [1.0, 2.0]])
    with pytest.raises(npvae.LikelihoodError, match="draws have"):
        npvae.check_likelihood(Poisson(), counts, rng=np.random.default_rng(0))


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


def test_pixels_that_never_change(mnist):
    assert np.count_nonzero(mnist.train.max(axis=0) == 0) == 67
    assert np.count_nonzero(mnist.test.max(axis=0) == 0) == 116
