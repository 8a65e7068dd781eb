"""The appendix on notation: the answers to its exercises."""

import numpy as np
import pytest
from scipy.stats import entropy

import npvae
from npvae.learn.exercises import centre_backward


def test_1_shapes():
    rng = np.random.default_rng(0)
    vae = npvae.VAE.init(784, hidden=(500,), latent_dim=20, likelihood=npvae.Bernoulli(), rng=rng)
    x = rng.integers(0, 2, (100, 784)).astype(np.float32)
    noise = rng.standard_normal((5, 100, 20), np.float32)
    trace = npvae.elbo(vae, x, noise)
    grads = npvae.elbo_backward(np.ones(100, np.float32), vae, x, noise, trace)
    assert [h.shape for h in trace.decoder_hidden] == [(500, 500)]
    assert vae.params.encoder[-1].W.shape == grads.encoder[-1].W.shape == (500, 40)


def test_2_units():
    coin = [0.3, 0.7]
    bits_a_nat = entropy(coin, base=2) / entropy(coin)
    assert 105.6 * bits_a_nat == pytest.approx(152.3, abs=0.05)
    assert 105.6 * bits_a_nat / 784 == pytest.approx(0.194, abs=5e-4)


@pytest.mark.equation("exercises.2")
def test_3_a_backward():
    rng = np.random.default_rng(0)

    def centre(x):
        return x - x.mean(axis=0)

    def backward(dy, x):
        return centre_backward(dy)

    npvae.check_gradient(centre, backward, [rng.normal(size=(5, 3))], rng=rng)
    with pytest.raises(npvae.GradientError):
        npvae.check_gradient(centre, lambda dy, x: dy, [rng.normal(size=(5, 3))], rng=rng)


@pytest.mark.parametrize(("dtype", "slope"), [(np.float32, 0), (np.float64, 0.001)])
def test_4_an_unseen_slope(dtype, slope):
    def loss(w):
        return dtype(105) + dtype(0.001) * dtype(w)

    difference = (loss(0.001) - loss(-0.001)) / dtype(0.002)
    assert difference == pytest.approx(slope, rel=1e-8, abs=0)
