"""Chapter 15: the answers to its exercises, and figures that its text states."""

import math

import numpy as np
import pytest
from scipy.stats import norm

import npvae
from npvae import exact


def linear_vae(W, sigma):
    Z, D = np.shape(W)
    vae = npvae.VAE.init(
        D,
        hidden=(),
        latent_dim=Z,
        likelihood=npvae.Gaussian(sigma),
        dtype=np.float64,
        rng=np.random.default_rng(0),
    )
    vae.params.decoder[0].W[:] = W
    return vae


def test_1_a_collapse_predicted():
    eigenvalues, variance = [4, 2, 1, 0.5], 0.5
    for i, beta in enumerate((8, 4, 2)):
        for factor, kl_is_positive in ((0.999, True), (1.001, False)):
            answer = exact.water_filling(eigenvalues, variance, factor * beta, 3)
            assert (answer.kl_per_dim[i] > 0) == kl_is_positive
    for beta, kl, squared_error, active in ((1, 2.079, 2, 3), (4, 0.347, 5.5, 1)):
        answer = exact.water_filling(eigenvalues, variance, beta, 3)
        assert answer.kl_per_dim.sum() == pytest.approx(kl, abs=5e-4)
        assert answer.squared_error == pytest.approx(squared_error)
        assert answer.active_units == active


def test_2_the_price_of_a_tilt():
    W, turn = np.diag([2.0, 1.0]), np.array([[1, 1], [-1, 1]]) / math.sqrt(2)
    straight, tilted = linear_vae(W, 1.0), linear_vae(turn @ W, 1.0)
    assert exact.linear_gap(straight) == pytest.approx(0, abs=1e-15)
    assert exact.linear_gap(tilted) == pytest.approx(math.log(12.25 / 10) / 2)
    assert math.log(12.25 / 10) / 2 == pytest.approx(0.1015, abs=5e-5)
    x = np.random.default_rng(0).normal(size=(5, 2))
    log_px = exact.linear_log_likelihood(straight, x)
    np.testing.assert_allclose(exact.linear_log_likelihood(tilted, x), log_px, rtol=1e-13)


def test_3_a_step_as_wide_as_the_posterior():
    vae = linear_vae([[math.sqrt(15)]], 1.0)
    x = np.zeros((1, 1))  # the posterior is N(0, 1/16)
    exact_log_px = exact.linear_log_likelihood(vae, x)
    wide, narrow = (exact.quadrature(vae, x, step=step) for step in (0.5, 0.25))
    assert wide.log_px - exact_log_px == pytest.approx(0.0143, abs=5e-5)
    assert narrow.log_px - exact_log_px == pytest.approx(5.3e-9, rel=0.02)
    assert narrow.error == pytest.approx(0.0143, abs=5e-5)
    assert 2.5e6 < narrow.error / (narrow.log_px - exact_log_px) < 3.5e6


def two_humps(width):
    """x = tanh(2z − 2) − tanh(2z + 2) + 2 + 0.15 noise, with q on the hump at z = 1.2."""
    vae = npvae.VAE.init(
        1,
        hidden=(),
        decoder_hidden=(2,),
        latent_dim=1,
        likelihood=npvae.Gaussian(0.15),
        dtype=np.float64,
        rng=np.random.default_rng(0),
    )
    (encoder,), (first, last), _ = vae.params
    first.W[:], first.b[:] = 2, (-2, 2)
    last.W[:], last.b[:] = [[1], [-1]], 2
    encoder.W[:], encoder.b[:] = 0, (1.2, 2 * math.log(width))
    return vae


@pytest.mark.filterwarnings("ignore::npvae.UnreliableWarning")  # k̂ sees it
def test_4_half_an_answer():
    vae = two_humps(0.12)
    x = vae.decode([[1.2]])
    log_px = exact.quadrature(vae, x, step=0.01).log_px
    estimate = npvae.log_likelihood(vae, x, samples=20_000, rng=np.random.default_rng(1))
    assert estimate.log_px == pytest.approx(log_px - math.log(2), abs=0.02)
    assert estimate.standard_error < 0.01
    assert estimate.effective_samples > 10_000
    divergence = log_px - exact.expected_bound(vae, x)
    assert divergence == pytest.approx(math.log(2), abs=0.15)  # this q is not quite the hump
    assert norm.cdf(-2.4 / 0.12) == pytest.approx(1e-88, rel=0.8)


@pytest.mark.filterwarnings("ignore::npvae.UnreliableWarning")
def test_with_more_draws_the_tail_speaks():
    vae = two_humps(0.12)
    x = vae.decode([[1.2]])
    for samples, low, high in ((5000, 0.23, 0.88), (20_000, 0.88, 1.29)):
        estimates = [
            npvae.log_likelihood(vae, x, samples=samples, rng=np.random.default_rng(seed))
            for seed in range(5)
        ]
        shapes = [estimate.pareto_k.item() for estimate in estimates]
        assert (min(shapes), max(shapes)) == pytest.approx((low, high), abs=0.005)
        effective = np.mean([estimate.effective_samples / samples for estimate in estimates])
        assert effective == pytest.approx(0.90, abs=0.01)


def test_what_a_light_tail_cannot_say():
    vae = two_humps(0.15)
    x = vae.decode([[1.2]])
    log_px = exact.quadrature(vae, x, step=0.01).log_px
    for seed in range(5):
        estimate = npvae.log_likelihood(vae, x, samples=5000, rng=np.random.default_rng(seed))
        assert estimate.pareto_k < 0.25
        assert estimate.log_px == pytest.approx(log_px - math.log(2), abs=0.05)


def test_gauss_and_hermite_do_worse_than_the_grid():
    vae = two_humps(1.0)
    x = vae.decode([[1.2]])
    node, weight = np.polynomial.hermite_e.hermegauss(65)
    trace = npvae.elbo(vae, x, node[:, None, None])
    rule = weight @ trace.log_px_z[:, 0] / weight.sum() - trace.kl[0]
    fine = exact.expected_bound(vae, x, step=0.02)[0]
    assert abs(rule - fine) > 1e-3
    assert abs(exact.expected_bound(vae, x)[0] - fine) < 1e-7


@pytest.mark.parametrize(
    ("noise", "variance", "largest", "thresholds", "active"),
    [
        (0.5, 0.250, (10.7, 4.4), (42.6, 17.7), (2, 1)),
        (1.0, 1.001, (11.6, 5.1), (11.6, 5.1), (1, 0)),
    ],
)
def test_5_noisier_data_collapse_sooner(noise, variance, largest, thresholds, active):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1000, 2)) @ rng.standard_normal((2, 6))
    x += noise * rng.standard_normal((1000, 6))
    best, eigenvalues = exact.probabilistic_pca(x, 2), exact.spectrum(x).eigenvalues
    assert best.variance == pytest.approx(variance, abs=5e-4)
    np.testing.assert_allclose(eigenvalues[:2], largest, atol=0.05)
    np.testing.assert_allclose(eigenvalues[:2] / best.variance, thresholds, atol=0.05)
    for beta, units in zip((10, 30), active, strict=True):
        answer = exact.water_filling(eigenvalues, best.variance, beta, 2)
        assert answer.active_units == units
