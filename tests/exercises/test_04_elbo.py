"""Chapter 4: its table of weightings, and the answers to its exercises."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal, norm

import npvae

CHAPTER = Path(__file__).parents[2] / "derivations" / "04-elbo.md"
ROW = re.compile(r"^\| `([^`]*(?:bce|se)\.[^`]*)` \| `([^`]*)` \| `([^`]*)` \| ([\d.]+) \|$", re.M)
TABLE = ROW.findall(CHAPTER.read_text(encoding="utf-8"))


def test_the_table_is_all_there():
    assert len(TABLE) == 11


@pytest.mark.parametrize(("loss", "beta", "c", "example"), TABLE)
def test_every_row_of_the_table_of_weightings(loss, beta, c, example):
    """loss − c · (−mean bound at beta) is one constant, whatever the parameters are."""
    B, D, Z, sigma = 4, 6, 3, 0.7
    names = {"B": B, "D": D, "Z": Z, "sigma": sigma}
    beta_here, c_here = eval(beta, names), eval(c, names)
    rng = np.random.default_rng(0)
    x, noise = rng.random((B, D)), rng.standard_normal((1, B, Z))
    likelihood = npvae.Bernoulli() if "bce" in loss else npvae.Gaussian(sigma)
    constants = []
    for _ in range(3):
        vae = npvae.VAE.init(
            D, hidden=(5,), latent_dim=Z, likelihood=likelihood, dtype=np.float64, rng=rng
        )
        trace = npvae.elbo(vae, x, noise, npvae.ClosedForm(beta_here))
        value = eval(loss, names | _their_arrays(x, trace))
        constants.append(value + c_here * trace.bound.mean())
    assert np.ptp(constants) < 1e-12 * max(1, *np.abs(constants))
    assert eval(beta, {"B": 100, "D": 784, "Z": 20, "sigma": 1}) == pytest.approx(float(example))


def _their_arrays(x, trace):
    """Cross-entropies, squared errors and divergences, as the textbooks write them."""
    output = trace.decoder_output[0]
    p = 1 / (1 + np.exp(-output))
    return {
        "bce": -(x * np.log(p) + (1 - x) * np.log(1 - p)),
        "se": (x - output) ** 2,
        "kl": -0.5 * (1 + trace.logvar - trace.mu**2 - np.exp(trace.logvar)),
    }


def linear_vae(W, sigma, *, posterior_mean, logvar):
    """x = z W + σ·noise; q(z|x) = N(x posterior_mean, diag(e^logvar))."""
    Z, D = np.shape(W)
    vae = npvae.VAE.init(
        D,
        hidden=(),
        latent_dim=Z,
        likelihood=npvae.Gaussian(sigma),
        dtype=np.float64,
        rng=np.random.default_rng(0),
    )
    (encoder,), (decoder,), _ = vae.params
    decoder.W[:] = W
    encoder.W[:] = np.hstack([posterior_mean, np.zeros((D, Z))])
    encoder.b[Z:] = logvar
    return vae


def sigma_points(B, Z):
    """Mean 0, covariance I: exact for the linear model, whose log p(x|z) is quadratic in z."""
    points = math.sqrt(Z) * np.vstack([np.eye(Z), -np.eye(Z)])
    return np.repeat(points[:, None], B, axis=1)


def test_1_the_best_diagonal_leaves_a_gap_of_half_log_six_fifths():
    W = np.array([[1.0, 0.0], [1.0, 1.0]])
    x = np.random.default_rng(1).normal(size=(5, 2))
    log_px = multivariate_normal(np.zeros(2), W.T @ W + np.eye(2)).logpdf(x)
    posterior_mean = W.T @ np.linalg.inv(W @ W.T + np.eye(2))

    def gap(logvar):
        vae = linear_vae(W, 1.0, posterior_mean=posterior_mean, logvar=logvar)
        return log_px - npvae.elbo(vae, x, sigma_points(5, 2)).bound

    best = minimize(lambda logvar: gap(logvar).mean(), np.zeros(2), tol=1e-10).x
    np.testing.assert_allclose(np.exp(best), [1 / 2, 1 / 3], rtol=1e-4)
    np.testing.assert_allclose(gap(best), 0.5 * math.log(6 / 5), rtol=1e-6)
    assert 0.5 * math.log(6 / 5) == pytest.approx(0.0912, abs=5e-5)


def try_it(mean, variance):
    """The chapter's model, x = 0.8 z + 0.6 noise, with q(z|x) = N(mean x, variance)."""
    return linear_vae([[0.8]], 0.6, posterior_mean=[[mean]], logvar=math.log(variance))


X = np.array([[1.5]])


def test_2_half_the_price_overshoots_by_0_4554():
    trace = npvae.elbo(try_it(0.8, 0.36), X, sigma_points(1, 1), npvae.ClosedForm(beta=0.5))
    assert trace.bound[0] - norm.logpdf(1.5) == pytest.approx(0.4554, abs=5e-5)
    assert trace.kl[0] == pytest.approx(0.9108, abs=5e-5)


@pytest.mark.parametrize(
    ("mean", "variance", "a", "b"), [(0.8, 0.36, 0, 0.850), (0, 1, 3.562, 3.562)]
)
def test_3_deviations_of_single_draws(mean, variance, a, b):
    noise = np.random.default_rng(0).standard_normal((400_000, 1, 1))
    trace = npvae.elbo(try_it(mean, variance), X, noise)
    z, log_px_z = trace.z.ravel(), trace.log_px_z.ravel()
    sampled = log_px_z + norm.logpdf(z) - norm.logpdf(z, mean * 1.5, math.sqrt(variance))
    # A deviation of 400,000 such draws is known to about 0.3 %, as their kurtosis is below 15.
    assert sampled.std() == pytest.approx(a, rel=0.012, abs=1e-9)
    assert log_px_z.std() == pytest.approx(b, rel=0.012)


def test_4_the_weight_of_a_colour_image():
    D, rng = 3 * 64 * 64, np.random.default_rng(0)
    x, mean, kl = rng.random((2, D)), rng.random((3, 1, 2, D)), rng.random((3, 2, 5))
    for sigma, beta in ((1.0, 1.536), (1.239, 1.0)):
        theirs = [
            ((x - m[0]) ** 2).mean() + 0.00025 * k.sum(1).mean()
            for m, k in zip(mean, kl, strict=True)
        ]
        log_px_z = [npvae.Gaussian(sigma).log_prob(x, m)[0].mean() for m in mean]
        ours = [r - beta * k.sum(1).mean() for r, k in zip(log_px_z, kl, strict=True)]
        ratio = np.diff(theirs) / np.diff(ours)
        np.testing.assert_allclose(ratio, -2 * sigma**2 / D, rtol=1e-3)


def test_5_a_decoder_that_ignores_z_closes_the_gap():
    vae = linear_vae(np.zeros((2, 3)), 0.6, posterior_mean=np.zeros((3, 2)), logvar=0)
    x = np.random.default_rng(0).normal(size=(50, 3))
    log_px = norm.logpdf(x, 0, 0.6).sum(axis=1)
    bound = npvae.elbo(vae, x, np.random.default_rng(1).standard_normal((1, 50, 2))).bound
    np.testing.assert_allclose(bound, log_px, rtol=1e-12)
    assert npvae.evaluate(vae, x, rng=np.random.default_rng(2)).active_units == 0


def test_6_without_the_kl_mu_is_pushed_away_from_the_prior():
    encoder = [npvae.dense.Layer(np.zeros((2, 2)), np.array([0.5, -1.0]))]
    decoder = [npvae.dense.Layer(np.array([[2.0, -1.0]]), np.zeros(2))]
    toy = npvae.VAE(npvae.Params(encoder, decoder, {}), npvae.Bernoulli(), "tanh")
    x = np.array([[1.0, 0.0]])

    def heads_gradient(beta, epsilon):
        noise = np.full((1, 1, 1), epsilon)
        trace = npvae.elbo(toy, x, noise, npvae.ClosedForm(beta))
        return npvae.elbo_backward(np.ones(1), toy, x, noise, trace).encoder[0].b

    np.testing.assert_allclose(heads_gradient(1.0, 1.0), [-0.0543, 0.4512], atol=5e-5)
    np.testing.assert_allclose(heads_gradient(0.0, 1.0), [0.4457, 0.1352], atol=5e-5)
    assert heads_gradient(0.0, -1.0)[1] < 0
