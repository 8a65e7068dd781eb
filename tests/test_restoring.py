"""x given y: the posterior behind an observation, its moments, its top."""

import math
import warnings

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

import npvae
from models import LIKELIHOODS, make_batch, make_vae, slow_pixel, slow_stack
from npvae import exact
from npvae.posterior import (
    Blur,
    Fewer,
    Linear,
    Noise,
    Pixels,
    log_predictive,
    most_likely,
    restore,
)
from npvae.posterior.restoring import check_seen, climb, moments, seen_through
from npvae.posterior.sampling import ChainWarning

D, SHAPE = 12, (4, 3)
MASK = np.array([np.arange(D) < 4, np.arange(D) % 2 == 0, np.arange(D) > 3])
quiet = pytest.mark.filterwarnings("ignore::npvae.posterior.sampling.ChainWarning")


def linear_vae(sigma=0.5, Z=2, seed=0):
    """x = z W + b + σ·noise."""
    vae = npvae.VAE.init(
        D,
        hidden=(),
        latent_dim=Z,
        likelihood=npvae.Gaussian(sigma),
        dtype=np.float64,
        rng=np.random.default_rng(seed),
    )
    layer = vae.params.decoder[0]
    layer.W[:], layer.b[:] = np.random.default_rng(seed + 1).normal(0, 0.7, (Z, D)), 0.3
    encoder = vae.params.encoder[0]
    encoder.W[:], encoder.b[:] = exact.best_encoder(vae)  # which knows z given x, not given y
    return vae


def given(vae, A, noise, y):
    """Moments of z given y = A x + N(0, noise), and of x given y, from their joint covariance."""
    (W, b), variance = vae.params.decoder[0], vae.likelihood.sigma**2
    covariance_x = W.T @ W + variance * np.eye(D)
    of_y = np.linalg.inv(A @ covariance_x @ A.T + noise)
    gain = W @ A.T @ of_y
    mean_z = (y - A @ b) @ gain.T
    covariance_z = np.eye(len(W)) - gain @ A @ W.T
    return mean_z, covariance_z, b + (y - A @ b) @ (covariance_x @ A.T @ of_y).T


def rows_of(mask):
    return np.eye(D)[mask]


def standard_errors(result, mean, std):
    """By how many of its standard errors the mean of the draws of z is off."""
    effective = result.posterior.effective_samples
    return (result.posterior.z.mean(axis=(0, 1)) - mean) / (std / np.sqrt(effective))


# The posterior and its moments.


@pytest.mark.equation("restore.1", "restore.2")
@pytest.mark.parametrize("observation", [Noise(0.4), Fewer(1, 0.4, SHAPE), Pixels(MASK[1])])
def test_a_linear_models_answer_is_wieners(observation):
    vae, rng = linear_vae(), np.random.default_rng(2)
    x = vae.sample(3, rng=rng, draw=True)
    y = x + observation.sigma * rng.standard_normal(x.shape)
    A = rows_of(MASK[1]) if isinstance(observation, Pixels) else np.eye(D)
    mean_z, covariance_z, mean_x = given(vae, A, observation.sigma**2 * np.eye(len(A)), y @ A.T)
    result = restore(vae, y, observation, draws=120, warm_up=60, chains=32, leaps=4, rng=rng)
    std = np.sqrt(np.diag(covariance_z))
    assert np.abs(standard_errors(result, mean_z, std)).max() < 4
    np.testing.assert_allclose(result.mean, mean_x, atol=5 * std.max() / math.sqrt(2500))
    # From z on, E[x|z, y] is linear: spread² is the diagonal of S Cov[z|y] Sᵀ.
    slope = moments_slope(vae, observation, y)
    spread = np.sqrt(np.einsum("zd,zw,wd->d", slope, covariance_z, slope))
    np.testing.assert_allclose(result.spread, np.tile(spread, (3, 1)), rtol=0.07, atol=1e-6)


def moments_slope(vae, observation, y):
    """∂E[x|z, y]/∂z, (Z, D)."""
    at = [np.zeros((1, 1, 1, 2)), np.array([[[[1.0, 0]]]]), np.array([[[[0, 1.0]]]])]
    zero, one, two = (moments(seen_through(vae, observation), y[:1], z, 1)[1][0] for z in at)
    return np.stack([one - zero, two - zero])


@quiet
@pytest.mark.equation("restore.1")
@pytest.mark.parametrize("name", ["bernoulli", "heteroscedastic", "categorical"])
def test_z_given_some_pixels_is_that_of_a_grid(name):
    """Moments of p(z|y) ∝ Π_seen p(x_d|z) p(z), added up over a grid in plain floats."""
    vae = make_vae(LIKELIHOODS[name], D=D, Z=1)
    x, _ = make_batch(vae, B=3)
    if name == "bernoulli":
        x = np.rint(x)
    grid = np.linspace(-6, 6, 241)
    outputs = [slow_stack([z], vae.params.decoder, vae.activation) for z in grid]
    log_p = np.array(
        [
            [
                sum(slow_pixel(vae, d, row[d], output, D) for d in np.flatnonzero(mask)) - z * z / 2
                for row, mask in zip(x, MASK, strict=True)
            ]
            for z, output in zip(grid, outputs, strict=True)
        ]
    )
    weight = np.exp(log_p - logsumexp(log_p, axis=0))
    mean = grid @ weight
    std = np.sqrt(grid**2 @ weight - mean**2)
    y, rng = np.where(MASK, x, np.nan), np.random.default_rng(4)
    result = restore(vae, y, Pixels(MASK), draws=120, warm_up=60, chains=32, leaps=4, rng=rng)
    assert np.abs(standard_errors(result, mean[:, None], std[:, None])).max() < 4
    np.testing.assert_allclose(result.mean[MASK], x[MASK], rtol=1e-12)
    assert result.spread[MASK].max() < 1e-7
    assert result.spread[~MASK].min() > 1e-3


@pytest.mark.equation("restore.2")
def test_moments_are_those_of_all_images():
    vae = make_vae(D=D)
    z = np.random.default_rng(0).standard_normal((6, 4, 3, 2))
    y = np.random.default_rng(1).random((3, D))
    images, mean, spread = moments(seen_through(vae, Noise(0.3)), y, z, 4)
    every = vae.decode(z.reshape(-1, 2)).reshape(24, 3, D)
    np.testing.assert_allclose(mean, every.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(spread, every.std(axis=0), rtol=1e-9)
    chosen = [(0, 0), (1, 1), (3, 2), (4, 3)]  # draws apart, and every chain
    want = [vae.decode(z[draw, chain]) for draw, chain in chosen]
    np.testing.assert_allclose(images, want, rtol=1e-12)


@pytest.mark.equation("restore.2")
def test_images_that_are_all_alike_have_no_spread_in_float32():
    vae, rng = make_vae(npvae.Gaussian(0.7), D=D, dtype=np.float32), np.random.default_rng(0)
    z = np.tile(rng.standard_normal((1, 1, 3, 2), np.float32), (3000, 4, 1, 1))
    y = np.full((3, D), 0.3, np.float32)
    _, mean, spread = moments(seen_through(vae, Noise(0.1)), y, z, 1)
    assert spread.max() < 5e-4 * np.abs(mean).max()


@pytest.mark.equation("restore.3")
def test_the_most_likely_z_of_a_linear_model_is_the_mean():
    vae, rng = linear_vae(), np.random.default_rng(3)
    y = vae.sample(4, rng=rng, draw=True)
    observation = Pixels(MASK[1])
    found = most_likely(vae, y, observation, rng=rng)
    A = rows_of(MASK[1])
    mean_z, _, mean_x = given(vae, A, 0 * np.eye(len(A)), y @ A.T)
    np.testing.assert_allclose(found.z, mean_z, atol=1e-3)
    np.testing.assert_allclose(found.image, mean_x, atol=1e-3)
    prior = multivariate_normal(np.zeros(2)).logpdf(found.z)
    W, b = vae.params.decoder[0]
    likelihood = [
        multivariate_normal((z @ W + b) @ A.T, 0.25 * np.eye(6)).logpdf(row @ A.T)
        for z, row in zip(found.z, y, strict=True)
    ]
    np.testing.assert_allclose(found.log_joint, prior + likelihood, rtol=1e-10)


@pytest.mark.equation("restore.3")
def test_of_several_humps_the_highest_is_taken():
    """Where z and −z explain y nearly equally well, single climbs end on either."""

    def density(z):
        log_p = np.logaddexp(-2 * (z - 2) ** 2, -2 * (z + 2) ** 2 - 1)[..., 0]
        near = 1 / (1 + np.exp(-(8 * 2 * z + 1)))
        return log_p, -4 * (z - 2) * near - 4 * (z + 2) * (1 - near)

    z = climb(density, np.array([1.5, -1.5]).reshape(2, 1, 1), 300)
    np.testing.assert_allclose(z.ravel(), [2, -2], atol=1e-3)
    assert density(z)[0].argmax() == 0


@pytest.mark.equation("restore.4")
def test_log_p_of_the_hidden_pixels():
    """log p(hidden|seen) = log p(x) − log p(seen), both known for a linear model."""
    vae, rng = linear_vae(), np.random.default_rng(5)
    x = vae.sample(3, rng=rng, draw=True)
    seen = Pixels(MASK[1])
    W, b = vae.params.decoder[0]
    joint = multivariate_normal(b, W.T @ W + 0.25 * np.eye(D))
    shown = MASK[1]
    of_seen = multivariate_normal(b[shown], joint.cov[np.ix_(shown, shown)])
    want = joint.logpdf(x) - of_seen.logpdf(x[:, shown])
    result = restore(vae, x, seen, draws=120, warm_up=60, chains=32, leaps=4, rng=rng)
    got = log_predictive(vae, x, seen.hidden, result.posterior.z)
    np.testing.assert_allclose(got, want, atol=0.1)
    with pytest.raises(ValueError, match=r"z has shape .*; expected \(draws, C, N, Z\) with N = 3"):
        log_predictive(vae, x, seen.hidden, result.posterior.z[0])


@pytest.mark.equation("restore.4")
def test_rows_of_any_batch_have_their_own_draws(monkeypatch):
    vae = make_vae(D=D)
    x, _ = make_batch(vae, B=7)
    z, hidden = np.random.default_rng(0).normal(size=(5, 3, 7, 2)), Pixels(MASK[1]).hidden
    together = log_predictive(vae, x, hidden, z)
    monkeypatch.setattr("npvae.posterior.restoring.rows_at_once", lambda vae, chains: 3)
    np.testing.assert_allclose(log_predictive(vae, x, hidden, z), together, rtol=1e-12)


def test_what_is_hidden_is_never_read():
    vae, rng = make_vae(npvae.Gaussian(0.5), D=D), np.random.default_rng(0)
    x = rng.standard_normal((3, D))
    results = []
    for hidden in (np.nan, 1e9, 0.0):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ChainWarning)
            y = np.where(MASK, x, hidden)
            options = {"draws": 5, "warm_up": 5, "images": 2}
            results.append(restore(vae, y, Pixels(MASK), rng=np.random.default_rng(1), **options))
    for result in results[1:]:
        np.testing.assert_array_equal(result.mean, results[0].mean)
        np.testing.assert_array_equal(result.posterior.z, results[0].posterior.z)


@quiet
def test_many_rows_come_in_batches_each_with_its_mask(monkeypatch):
    monkeypatch.setattr("npvae.posterior.restoring.rows_at_once", lambda vae, chains: 2)
    vae, rng = make_vae(D=D, dtype=np.float32), np.random.default_rng(0)
    x = np.rint(rng.random((5, D)))
    mask = rng.random((5, D)) < 0.5
    result = restore(vae, x, Pixels(mask), draws=8, warm_up=4, images=3, chains=2, rng=rng)
    assert result.images.shape == (3, 5, D)
    assert result.mean.shape == result.spread.shape == (5, D)
    assert result.posterior.z.shape == (8, 2, 5, 2)
    assert {a.dtype for a in result[:3]} == {np.dtype(np.float32)}
    np.testing.assert_allclose(result.mean[mask], x[mask], rtol=1e-6)
    text = str(result)
    assert text.startswith("5 images of 12 pixels restored, 3 draws kept of each; spread 0.")
    assert "acceptance" in text
    assert most_likely(vae, x, Pixels(mask), steps=3, rng=rng).image.shape == (5, D)


def test_float32_stays_float32():
    vae = make_vae(D=D, dtype=np.float32)
    y = np.random.default_rng(0).random((3, 6))
    rng = np.random.default_rng(1)
    for observation in (
        Fewer(1, 0.2, SHAPE),
        Blur(1.0, 0.2, SHAPE),
        Linear(np.eye(D)[:6], sigma=0.2),
    ):
        found = most_likely(
            vae, np.resize(y, (3, observation.check(D))), observation, steps=20, rng=rng
        )
        assert {a.dtype for a in found} == {np.dtype(np.float32)}


# What is refused.


@pytest.mark.parametrize(
    ("y", "observation", "error", "message"),
    [
        (
            np.zeros((3, 5)),
            Noise(0.3),
            ValueError,
            r"y has shape \(3, 5\); expected \(N, M\) with M",
        ),
        (np.zeros((3, D)), Fewer(2, 0.3, (2, 6)), ValueError, r"y has shape .*; expected .* M = 3"),
        (np.zeros((3, D)), Pixels(np.ones(D + 1)), ValueError, "mask has 13 columns"),
        (
            np.zeros((2, D)),
            Pixels(MASK),
            ValueError,
            "with D = 12 and N = 3, a row of mask",
        ),
        (np.zeros((2, 5)), Pixels(MASK[0]), ValueError, r"y has shape \(2, 5\); expected"),
        (np.full((1, D), 1.5), Pixels(MASK[0]), ValueError, r"y spans .* in \[0, 1\]"),
        (np.full((1, D), np.nan), Pixels(MASK[0]), ValueError, r"y\[0, 0\] is nan"),
        (np.full((1, D), np.nan), Noise(0.3), ValueError, r"y\[0, 0\] is nan"),
        (np.ones((1, D), np.uint8), Noise(0.3), ValueError, "y is uint8; .* y / 255"),
        (np.zeros((1, D)), Noise, TypeError, "observation is <class"),
        (np.zeros((1, D)), 0.3, TypeError, "observation is 0.3; expected one such as"),
        (
            np.zeros((1, D)),
            Linear(lambda x: x, lambda y: 2 * y, sigma=0.1),
            ValueError,
            "transpose is not A's",
        ),
    ],
)
def test_a_bad_y_is_refused(y, observation, error, message):
    vae = make_vae(D=D)
    with pytest.raises(error, match=message):
        restore(vae, y, observation, rng=np.random.default_rng(0))
    with pytest.raises(error, match=message):
        most_likely(vae, y, observation, rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"draws": 0}, ValueError),
        ({"warm_up": 1.5}, TypeError),
        ({"chains": 0}, ValueError),
        ({"leaps": -1}, ValueError),
        ({"images": 0}, ValueError),
        ({"progress": 1}, TypeError),
        ({"rng": 0}, TypeError),
    ],
)
def test_a_bad_option_is_refused(options, error):
    options = {"rng": np.random.default_rng(0)} | options
    with pytest.raises(error, match=next(name for name in reversed(options))):
        restore(make_vae(D=D), np.zeros((1, D)), Noise(0.3), **options)


def test_grey_levels_of_8_bits_are_read_as_such():
    vae, levels = make_vae(D=D), np.array([[255] * 6 + [0] * 6], np.uint8)
    got = check_seen(vae, "y", levels, Pixels(MASK[0]))
    np.testing.assert_array_equal(got[0, :4], np.ones(4))


def test_chains_that_never_accept_are_told():
    vae, rng = make_vae(npvae.Gaussian(1.0), D=D, dtype=np.float32), np.random.default_rng(0)
    y = rng.standard_normal((1, D))
    with pytest.warns(ChainWarning, match="chains never moved, with a step size"):
        restore(vae, y, Linear(1e3 * np.eye(D), sigma=1e-3), draws=20, warm_up=2, rng=rng)
