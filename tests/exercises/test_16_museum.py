"""The answers to the exercises of derivations/16-museum.md."""

import numpy as np
import pytest
from scipy.stats import norm, qmc

import npvae
from models import make_batch, make_vae
from npvae.kl import gaussian_kl_per_dim


@pytest.mark.parametrize(("pixels", "dimensions", "beta"), [(4, 1, 4.0), (4, 2, 2.0), (1, 2, 0.5)])
def test_1_hidden_beta(pixels, dimensions, beta):
    vae = make_vae(D=4, Z=2)
    x, noise = make_batch(vae)

    def gradient(beta):
        trace = npvae.elbo(vae, x, noise, npvae.ClosedForm(beta))
        grads = npvae.elbo_backward(np.ones(len(x)), vae, x, noise, trace).arrays()
        return np.concatenate([dv.ravel() for dv in grads.values()])

    reconstruction = gradient(0.0)
    minus_kl = gradient(1.0) - reconstruction
    averaged = reconstruction / pixels + minus_kl / dimensions
    np.testing.assert_allclose(averaged, gradient(beta) / pixels, rtol=1e-9, atol=1e-12)


def flattery(mu, logvar):
    drawn, reported = 2 * logvar, logvar
    return gaussian_kl_per_dim(mu, drawn) - gaussian_kl_per_dim(mu, reported)


def test_2_always_flattering():
    logvar = np.linspace(-8, 4, 1201)[:, None]
    for mu in (0.0, -3.0):
        gap = flattery(np.full_like(logvar, mu), logvar)
        expected = (np.exp(2 * logvar) - np.exp(logvar) - logvar) / 2
        np.testing.assert_allclose(gap, expected, rtol=1e-10, atol=1e-12)
        assert gap.min() >= -1e-12
        assert logvar[gap.argmin()] == pytest.approx(0, abs=1e-9)
    at = flattery(np.ones((1, 1)), np.full((1, 1), -2.0)).item()
    assert at == pytest.approx(0.941, abs=5e-4)
    z = norm(1, np.exp(-2)).rvs(200_000, random_state=0)
    drawn = norm.logpdf(z, 1, np.exp(-2)) - norm.logpdf(z)
    reported = gaussian_kl_per_dim(np.ones((1, 1)), np.full((1, 1), -2.0)).item()
    assert at == pytest.approx(drawn.mean() - reported, abs=4 * drawn.std() / np.sqrt(len(z)))


def test_3_rows_in_order():
    u = qmc.Sobol(5, scramble=False).random(1024)[1:1001, 0]
    assert u[:8].tolist() == [1 / 2, 3 / 4, 1 / 4, 3 / 8, 7 / 8, 5 / 8, 1 / 8, 3 / 16]
    fours = u.reshape(-1, 4)
    assert (fours[:, :2] >= 0.5).all()
    assert (fours[:, 2:] < 0.5).all()


def test_4_change_a_line():
    rng = np.random.default_rng(0)
    x = npvae.binarize(npvae.datasets.glyph_digits(1000, rng=rng).images, rng=rng)
    options = {"hidden": (50,), "latent_dim": 5, "likelihood": npvae.Bernoulli()}
    vae = npvae.VAE.init(784, **options, x_mean=x.mean(axis=0), rng=rng)
    list(npvae.train(vae, x, epochs=20, batch_size=20, optimizer=npvae.Adam(2e-3), rng=rng))
    before = npvae.diagnose(vae, x).vitals.evaluation
    vae.params.encoder[-1].W[:, 5:] = 0
    vae.params.encoder[-1].b[5:] = -10
    diagnosis = npvae.diagnose(vae, x)
    after = diagnosis.vitals.evaluation
    mu, _ = vae.encode(x)
    assert after.kl == pytest.approx(np.square(mu).sum(axis=1).mean() / 2 + 5 * 4.5, abs=1e-3)
    assert (before.kl, after.kl) == (pytest.approx(8.5, abs=0.3), pytest.approx(26.1, abs=0.5))
    assert after.reconstruction - before.reconstruction == pytest.approx(2.5, abs=0.5)
    assert (before.elbo, after.elbo) == (pytest.approx(-128.1, abs=1), pytest.approx(-143.1, abs=1))
    assert not diagnosis.findings
