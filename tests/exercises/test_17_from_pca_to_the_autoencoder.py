"""Chapter 17: the answers to its exercises."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

import npvae
from npvae import exact, relatives


def test_1_one_axis():
    best = relatives.penalized_optimum([4.0], 1.0, 1)
    assert best.singular_values[0] == pytest.approx(0.75**0.5)
    assert best.squared_error == pytest.approx(0.25)
    assert best.loss == pytest.approx(1.75) == 2 * 1 - 1 / 4
    for penalty, out in ((3.999, False), (4.0, True), (4.001, True)):
        best = relatives.penalized_optimum([4.0], penalty, 1)
        assert (best.singular_values[0] == 0) == out
        assert best.loss == pytest.approx(4, abs=1e-5)


def test_2_the_same_images():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 5)) + 0.3 * rng.normal(size=(500, 5))
    pca, k, sigma, beta = relatives.PCA.fit(x, 2), 2, 0.5, 3.0
    v = beta * sigma**2
    vae = npvae.VAE.init(
        5, hidden=(), latent_dim=k, likelihood=npvae.Gaussian(v**0.5), dtype=np.float64, rng=rng
    )
    vae.params.decoder[0].W[:] = np.sqrt(pca.eigenvalues[:k] - v)[:, None] * pca.axes
    vae.params.decoder[0].b[:] = pca.mean
    for array, best in zip(vae.params.encoder[0], exact.best_encoder(vae), strict=True):
        array[...] = best
    shares = relatives.penalized_optimum(pca.eigenvalues, v, k).singular_values ** 2
    penalized = pca.mean + pca.encode(x) * shares @ pca.axes
    np.testing.assert_allclose(vae.reconstruct(x), penalized, rtol=1e-10)
    # and it is the best VAE: its KL and error are those of (exact.8)
    answer = exact.water_filling(pca.eigenvalues, sigma**2, beta, k)
    mu, logvar = vae.encode(x)
    kl = (np.mean(mu**2, axis=0) + np.exp(logvar[0]) - 1 - logvar[0]) / 2
    np.testing.assert_allclose(kl, answer.kl_per_dim, rtol=1e-10)


@pytest.mark.parametrize("sigma", [0.5, 0.8, 1.2])
def test_3_two_points(sigma):
    at = np.linspace(-3, 3, 13)
    p, q = norm.pdf(at, 1, sigma), norm.pdf(at, -1, sigma)
    np.testing.assert_allclose((p - q) / (p + q), np.tanh(at / sigma**2), atol=1e-12)
    if sigma < 1:
        rest = brentq(lambda t: np.tanh(t / sigma**2) - t, 0.1, 2)
        h = 1e-4
        log_p = [
            np.log(norm.pdf(rest + d, 1, sigma) + norm.pdf(rest + d, -1, sigma)) for d in (-h, 0, h)
        ]
        assert log_p[1] > max(log_p[0], log_p[2])  # a hump's top
    else:
        positive = np.linspace(0.01, 5, 200)
        assert (np.tanh(positive / sigma**2) < positive).all()


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_4_a_hole_filled_by_its_neighbour(p):
    rng = np.random.default_rng(0)
    x = np.repeat(rng.normal(size=(200_000, 1)), 2, axis=1)
    mask = relatives.Masking(p)
    seen = mask.apply(x, mask.draw(x.shape, x.dtype, rng=rng))
    gain, left, *_ = np.linalg.lstsq(seen, x[:, 0], rcond=None)
    np.testing.assert_allclose(gain, 1 / (2 - p), rtol=0.02)
    assert left[0] / np.sum(x[:, 0] ** 2) == pytest.approx(p / (2 - p), rel=0.02)
