"""The answers to the exercises of derivations/14-objectives.md."""

import numpy as np
import pytest
from scipy.stats import norm

import npvae
from npvae.dense import Layer
from npvae.importance import add_weights, estimate, no_weights
from npvae.kl import gaussian_kl_per_dim


def model(encoder_W, encoder_logvar):
    """x = 0.8 z + 0.6 noise, q(z|x) = N(encoder_W x, e^encoder_logvar)."""
    vae = npvae.VAE.init(
        1,
        hidden=(),
        latent_dim=1,
        likelihood=npvae.Gaussian(0.6),
        dtype=np.float64,
        rng=np.random.default_rng(0),
    )
    (encoder,), (decoder,), _ = vae.params
    decoder.W[:], decoder.b[:] = 0.8, 0
    encoder.W[:], encoder.b[:] = [encoder_W, 0], [0, encoder_logvar]
    return vae


def test_1_the_part_that_is_effective():
    first = norm.pdf(1.5)
    second = norm.pdf(1.5, scale=np.sqrt(0.82)) / (1.2 * np.sqrt(np.pi))
    assert first == pytest.approx(0.12952, abs=5e-6)
    assert second == pytest.approx(0.05253, abs=5e-6)
    part = first**2 / second
    assert part == pytest.approx(0.3193, abs=5e-5)
    assert np.sqrt((1 / part - 1) / 5000) == pytest.approx(0.0206, abs=5e-5)
    x = np.full((100, 1), 1.5)
    result = npvae.log_likelihood(model(0, 0), x, samples=5000, rng=np.random.default_rng(0))
    assert result.effective_samples.mean() / 5000 == pytest.approx(part, rel=0.01)
    assert result.standard_error.mean() == pytest.approx(0.0206, rel=0.02)


def test_2_the_two_ends():
    K = 5000
    assert np.log(K) == pytest.approx(8.5, abs=0.05)
    one, equal = np.full((K, 1), -np.inf), np.full((K, 1), -80.0)
    one[7] = -80
    log_px, _, effective = estimate(add_weights(no_weights(1), one), K)
    assert (log_px[0], effective[0]) == (pytest.approx(-80 - np.log(K)), 1)
    log_px, _, effective = estimate(add_weights(no_weights(1), equal), K)
    assert (log_px[0], effective[0]) == (pytest.approx(-80), pytest.approx(K))


@pytest.mark.parametrize(("K", "expected"), [(1, 1.667), (64, 0.208)])
def test_3_the_noise_that_is_left_at_the_optimum(K, expected):
    vae, rng = model(0.8, np.log(0.36)), np.random.default_rng(1)
    x = np.array([[1.5]])
    for gradient in ("total", "stl", "dreg"):
        objective, pulls = npvae.ImportanceWeighted(K, gradient), []
        for _ in range(500):
            noise = rng.standard_normal((K, 1, 1))
            trace = npvae.elbo(vae, x, noise, objective)
            grads = npvae.elbo_backward(np.ones(1), vae, x, noise, trace)
            pulls.append(grads.encoder[0].b[0])
        if gradient == "total":  # the spread of 500 numbers is known to 1/√1000
            assert np.std(pulls) == pytest.approx(expected, rel=4 / np.sqrt(1000))
        else:
            assert np.abs(pulls).max() < 1e-12


def test_4_the_price_with_free_bits():
    vae = npvae.VAE.init(
        3,
        hidden=(),
        latent_dim=2,
        likelihood=npvae.Bernoulli(),
        dtype=np.float64,
        rng=np.random.default_rng(0),
    )
    encoder = vae.params.encoder[0]
    encoder.W[:] = 0
    encoder.b[:] = np.sqrt(0.04), np.sqrt(6), 0, 0
    np.testing.assert_allclose(gaussian_kl_per_dim(encoder.b[:2], encoder.b[2:]), [0.02, 3])
    x, noise = np.zeros((4, 3)), np.random.default_rng(1).standard_normal((1, 4, 2))
    free, bound, free_of_all = (
        npvae.elbo(vae, x, noise, objective)
        for objective in (npvae.FreeBits(0.1), npvae.ClosedForm(), npvae.ClosedForm(0))
    )
    np.testing.assert_allclose(bound.bound - free.bound, 0.08, rtol=1e-10)
    pulls = [
        npvae.elbo_backward(np.full(4, 0.25), vae, x, noise, trace).encoder[0].b
        for trace in (free, bound, free_of_all)
    ]
    assert pulls[0][0] == pytest.approx(pulls[2][0], rel=1e-12)
    assert pulls[0][1] == pytest.approx(pulls[1][1], rel=1e-12)


def test_5_a_draw_far_out():
    encoder = [Layer(np.zeros((2, 2)), np.array([0.5, -1.0]))]
    decoder = [Layer(np.array([[2.0, -1.0]]), np.zeros(2))]
    toy = npvae.VAE(npvae.Params(encoder, decoder, {}), npvae.Bernoulli(), "tanh")
    x, noise = np.array([[1.0, 0.0]]), np.array([3.0, -1.0, 0.0]).reshape(3, 1, 1)
    trace = npvae.elbo(toy, x, noise, npvae.ImportanceWeighted(3))
    log_w = npvae.objectives.log_weights(trace, noise)[:, 0]
    w = np.exp(log_w)
    assert log_w[0] == pytest.approx(1.2064, abs=5e-5)
    np.testing.assert_allclose(w, [3.34, 0.21, 0.24], atol=0.005)
    assert trace.bound == pytest.approx(0.2351, abs=5e-5)
    assert log_w.mean() == pytest.approx(-0.5883, abs=5e-5)
    assert w.sum() ** 2 / np.square(w).sum() == pytest.approx(1.28, abs=0.005)
