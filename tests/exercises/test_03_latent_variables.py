"""The answers to the exercises of derivations/03-latent-variables.md, and three of its formulas."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.optimize import brentq, minimize_scalar

from npvae import VAE, Bernoulli, Gaussian
from npvae.kl import gaussian_kl


def test_1_mean_variance_and_boundary_of_two_gaussians():
    rng = np.random.default_rng(0)
    kind = rng.random(1_000_000) < 0.75
    x = np.where(kind, 3, -1) + rng.standard_normal(kind.size)
    assert x.mean() == pytest.approx(2, abs=0.01)  # 5 standard errors
    assert x.var() == pytest.approx(4, abs=0.03)
    boundary = brentq(lambda x: 0.25 * stats.norm.pdf(x, -1) - 0.75 * stats.norm.pdf(x, 3), -1, 3)
    assert boundary == pytest.approx(0.725, abs=5e-4)


def test_2_a_table_of_means_against_a_decoder():
    rng = np.random.default_rng(0)
    vae = VAE.init(784, hidden=(500,), latent_dim=10, likelihood=Bernoulli(), rng=rng)
    gaussians = 8**vae.latent_dim
    assert gaussians == 1_073_741_824
    assert gaussians * vae.data_dim == pytest.approx(8.4e11, rel=0.005)
    assert sum(layer.W.size + layer.b.size for layer in vae.params.decoder) == 398_284


def test_3_a_shrinking_gaussian_sends_the_likelihood_to_infinity():
    x = np.array([0.0, 1.0, 3.0])

    def log_likelihood(s):
        return np.log((stats.norm.pdf(x, 0, s) + stats.norm.pdf(x, 1, 2)) / 2).sum()

    assert log_likelihood(1e-6) - log_likelihood(1e-3) == pytest.approx(6.907, abs=5e-4)
    assert log_likelihood(1e-9) - log_likelihood(1e-6) == pytest.approx(6.907, abs=1e-3)


def test_4_the_price_of_memorising():
    N = 60_000
    place = (np.arange(N) - (N - 1) / 2)[:, None]

    def mean_kl(log_sigma):
        logvar = np.full((N, 1), 2 * log_sigma)
        return gaussian_kl(4 * math.exp(log_sigma) * place, logvar).mean()

    best = minimize_scalar(mean_kl, bounds=(-20, 0))
    assert math.exp(best.x) == pytest.approx(1.44e-5, rel=0.005)
    assert best.fun == pytest.approx(11.15, abs=0.005)
    assert best.fun - math.log(N) == pytest.approx(0.144, abs=5e-4)


def test_5_information_and_the_cloud_make_the_kl():
    def q(z):
        return (stats.norm.pdf(z, -1, 0.5) + stats.norm.pdf(z, 1, 0.5)) / 2

    def information_at(z):
        return stats.norm.pdf(z, 1, 0.5) * (stats.norm.logpdf(z, 1, 0.5) - math.log(q(z)))

    information = quad(information_at, -5, 7)[0]
    cloud = quad(lambda z: q(z) * (math.log(q(z)) - stats.norm.logpdf(z)), -7, 7)[0]
    mu, logvar = np.array([[-1.0], [1.0]]), np.full((2, 1), math.log(1 / 4))
    assert information == pytest.approx(0.633, abs=5e-4)
    assert cloud == pytest.approx(0.185, abs=5e-4)
    assert gaussian_kl(mu, logvar).mean() == pytest.approx(information + cloud, rel=1e-8)
    assert gaussian_kl(mu, logvar).mean() == pytest.approx(0.818, abs=5e-4)


def test_noise_on_the_code_adds_its_variance_times_the_squared_slopes():
    rng = np.random.default_rng(1)
    W, b, x, mu = (rng.standard_normal(shape) for shape in [(3, 5), 5, (1, 5), (1, 3)])
    sigma = np.array([0.2, 0.5, 1.0])
    z = mu + sigma * rng.standard_normal((200_000, 3))
    errors = np.sum((x - (z @ W + b)) ** 2, axis=1)
    expected = np.sum((x - (mu @ W + b)) ** 2) + sigma**2 @ np.sum(W**2, axis=1)
    standard_error = errors.std() / math.sqrt(len(errors))
    assert abs(errors.mean() - expected) < 4 * standard_error


@pytest.mark.parametrize("slope", [0.0, 0.5, 30.0])
def test_the_best_noise_for_a_linear_decoder(slope):
    """The expected bound of one latent number, noise averaged by quadrature, at every sigma."""
    s = 0.5
    noise, weights = np.polynomial.hermite_e.hermegauss(5)  # exact for a square

    def loss(sigma):
        mean = (sigma * noise * slope)[:, None, None]
        log_px_z = weights @ Gaussian(s).log_prob(np.zeros((1, 1)), mean)[:, 0] / weights.sum()
        return gaussian_kl(np.zeros((1, 1)), np.full((1, 1), 2 * math.log(sigma))).item() - log_px_z

    best = minimize_scalar(loss, bounds=(1e-4, 3), options={"xatol": 1e-8})
    assert best.x == pytest.approx((1 + slope**2 / s**2) ** -0.5, rel=1e-4)


def test_each_mean_of_a_mixture_learns_from_its_share():
    P, means, x, sigma = np.array([0.2, 0.8]), np.array([-0.5, 1.0]), 0.3, 0.7

    def log_px(means):
        return math.log(P @ stats.norm.pdf(x, means, sigma))

    r = P * stats.norm.pdf(x, means, sigma) / math.exp(log_px(means))
    for m, h in enumerate(1e-5 * np.eye(2)):
        difference = (log_px(means + h) - log_px(means - h)) / 2e-5
        dmean = Gaussian(sigma).log_prob_backward(
            np.full((1, 1), r[m]), np.full((1, 1), x), np.full((1, 1, 1), means[m])
        )
        assert dmean.item() == pytest.approx(difference, rel=1e-8)


@pytest.mark.parametrize(("sigma_x", "best"), [(0.5, 0.894), (1, 0.970)])
def test_6_a_latent_number_to_which_the_decoder_hardly_listens(sigma_x, best):
    noise, weights = np.polynomial.hermite_e.hermegauss(5)

    def loss(sigma):
        mean = (sigma * noise * 0.25)[:, None, None]
        log_px_z = Gaussian(sigma_x).log_prob(np.zeros((1, 1)), mean)[:, 0]
        kl = gaussian_kl(np.zeros((1, 1)), np.full((1, 1), 2 * math.log(sigma))).item()
        return kl - weights @ log_px_z / weights.sum()

    assert minimize_scalar(loss, bounds=(0.1, 3)).x == pytest.approx(best, abs=6e-4)
