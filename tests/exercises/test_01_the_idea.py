"""Chapter 1: the answers to its exercises, and the toy through the library."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

import npvae


def toy(noise):
    """The toy's trace: x = (1, 0), mu 0.5, logvar −1, decoder (2, −1)."""
    rng = np.random.default_rng(0)
    choices = {"hidden": (), "latent_dim": 1, "dtype": np.float64, "rng": rng}
    vae = npvae.VAE.init(2, likelihood=npvae.Bernoulli(), **choices)
    (encoder,), (decoder,), _ = vae.params
    encoder.W[:], encoder.b[:] = 0, [0.5, -1]
    decoder.W[:], decoder.b[:] = [2, -1], 0
    return npvae.elbo(vae, np.array([[1.0, 0.0]]), np.full((1, 1, 1), noise))


def test_the_numbers_of_the_page_are_the_librarys():
    trace = toy(1.0)
    assert math.exp(trace.logvar.item() / 2) == pytest.approx(0.6065, abs=5e-5)
    assert trace.z.item() == pytest.approx(1.1065, abs=5e-5)
    assert trace.decoder_output.ravel() == pytest.approx([2.2131, -1.1065], abs=5e-5)
    assert trace.log_px_z.item() == pytest.approx(-0.3895, abs=5e-5)
    assert trace.kl.item() == pytest.approx(0.3089, abs=5e-5)
    assert trace.bound.item() == pytest.approx(-0.6984, abs=5e-5)


def test_averaged_over_the_noise_the_toys_bound_is_below_its_log_px():
    def bound(noise):
        return stats.norm.pdf(noise) * toy(noise).bound.item()

    def joint(z):  # p(z) p(x|z)
        return stats.norm.pdf(z) / (1 + math.exp(-2 * z)) / (1 + math.exp(-z))

    assert quad(bound, -9, 9)[0] == pytest.approx(-1.2726, abs=5e-5)
    assert math.log(quad(joint, -9, 9)[0]) == pytest.approx(-1.1562, abs=5e-5)


def test_1_other_noise():
    trace = toy(-1.0)
    assert trace.z.item() == pytest.approx(-0.1065, abs=5e-5)
    white, other = 1 / (1 + np.exp(-trace.decoder_output.ravel()))
    assert (white, other) == pytest.approx((0.4469, 0.5266), abs=5e-5)
    assert trace.log_px_z.item() == pytest.approx(-1.5532, abs=5e-5)
    assert trace.bound.item() == pytest.approx(-1.8621, abs=5e-5)
    assert trace.kl.item() == toy(1.0).kl.item()


def fourth_epoch(beta):
    rng = np.random.default_rng(0)
    digits = npvae.datasets.glyph_digits(1000, rng=rng).images
    choices = {"hidden": (100,), "latent_dim": 10, "x_mean": digits.mean(axis=0), "rng": rng}
    vae = npvae.VAE.init(784, likelihood=npvae.Bernoulli(), **choices)
    settings = {"epochs": 4, "batch_size": 20, "optimizer": npvae.Adam(1e-3), "binarize": True}
    *_, last = npvae.train(vae, digits, objective=npvae.ClosedForm(beta), rng=rng, **settings)
    return last


def test_2_a_free_code():
    priced, free = fourth_epoch(1), fourth_epoch(0)
    assert priced.reconstruction == pytest.approx(-130, abs=1)
    assert free.reconstruction == pytest.approx(-119, abs=1)
    assert (priced.kl, free.kl) == pytest.approx((10, 60), abs=1)
    assert (priced.elbo, free.elbo) == pytest.approx((-140, -179), abs=1)
    assert priced.elbo - free.elbo == pytest.approx(38, abs=1)


def test_the_mean_and_the_variance_of_one_die_and_of_two():
    faces = np.arange(1, 7)
    assert faces.mean() == 3.5
    assert faces.var() == pytest.approx(2.92, abs=0.005)
    both = (faces[:, None] + faces).ravel()
    assert both.var() == pytest.approx(2 * faces.var())
