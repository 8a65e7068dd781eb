"""log p(x|z) against SciPy, mpmath, sums over every image, quadrature, and draws."""

import itertools
import math
import os
import re

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, special, stats

import npvae
from npvae import check_gradient
from npvae.likelihoods import (
    LIKELIHOODS,
    Bernoulli,
    Categorical,
    ContinuousBernoulli,
    Gaussian,
    HeteroscedasticGaussian,
    LearnedGaussian,
    binarize,
    bits_per_dim,
)
from npvae.likelihoods.categorical import softmax
from npvae.likelihoods.continuous_bernoulli import log_mass, mean_distance

BERNOULLI, GAUSSIAN, EMITTED = Bernoulli(), Gaussian(0.3), HeteroscedasticGaussian(0.1)
LEARNED, CONTINUOUS, CATEGORICAL = LearnedGaussian(0.5), ContinuousBernoulli(), Categorical(5)
ALL = pytest.mark.parametrize(
    "likelihood",
    [BERNOULLI, GAUSSIAN, EMITTED, LEARNED, CONTINUOUS, CATEGORICAL],
    ids=lambda likelihood: type(likelihood).__name__,
)
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
STANDARD_ERRORS = 4.5  # a false alarm once in 150,000 comparisons


@st.composite
def batches(draw, likelihood):
    """x (B, D) and a decoder's output (L, B, ·), both grey: strictly inside the support."""
    L, B, D = draw(st.sampled_from([1, 3])), draw(st.integers(1, 4)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return rng.random((B, D)), 2 * rng.standard_normal((L, B, likelihood.output_width(D)))


def every_image(D):
    """All 2^D binary images, (2^D, D)."""
    return np.array(list(itertools.product([0.0, 1.0], repeat=D)))


def log_prob(likelihood, x, output):
    """log p of every row of x, (N,), under one output (·,)."""
    return likelihood.log_prob(x, np.tile(output, (1, len(x), 1)))[0]


def assert_close_to(expected, draws):
    """The mean of draws (n, …) lies within a few of its own standard errors of expected."""
    standard_error = draws.std(axis=0, ddof=1) / math.sqrt(len(draws))
    assert np.all(np.abs(draws.mean(axis=0) - expected) < STANDARD_ERRORS * standard_error)


def assert_gradient(likelihood, batch):
    """Central differences in the output and what is learned; x, being data, has no gradient."""

    def backward(dy, x, output, *learned):
        args = dy, x, output, *learned
        dlearned = likelihood.log_prob_backward_learned(*args).values() if learned else ()
        return None, likelihood.log_prob_backward(*args), *dlearned

    learned = likelihood.init_learned(np.float64, 3).values()
    check_gradient(
        likelihood.log_prob,
        backward,
        (*batch, *learned),
        rng=np.random.default_rng(0),
        tolerance=1e-8,
    )


# Bernoulli


@pytest.mark.equation("likelihoods.1")
@given(batches(BERNOULLI))
def test_bernoulli_log_prob_is_scipys(batch):
    grey, logits = batch
    x = np.round(grey)
    expected = stats.bernoulli.logpmf(x, 1 / (1 + np.exp(-logits))).sum(axis=-1)
    np.testing.assert_allclose(BERNOULLI.log_prob(x, logits), expected, rtol=1e-11)


def test_the_probabilities_of_every_image_sum_to_one():
    logits = np.random.default_rng(0).normal(0, 3, 7)
    assert np.exp(log_prob(BERNOULLI, every_image(7), logits)).sum() == pytest.approx(1, rel=1e-13)


@pytest.mark.equation("likelihoods.2")
@settings(max_examples=20)
@given(batches(BERNOULLI))
def test_bernoulli_gradient(batch):
    assert_gradient(BERNOULLI, batch)


@DTYPES
@given(a=st.floats(-1e4, 1e4, width=32), pixel=st.sampled_from([0, 1]))
def test_bernoulli_keeps_every_digit_at_any_logit(dtype, a, pixel):
    """One pixel, so that no other can hide its error; the oracle adds in float64."""
    x, logits = np.array([[pixel]], dtype), np.array([[[a]]], dtype)
    expected = -np.logaddexp(0, a if pixel == 0 else -a)
    # e^−t underflows beyond t = 87 in float32: there the exact value is below its smallest number
    tiny = np.finfo(dtype).tiny
    np.testing.assert_allclose(
        BERNOULLI.log_prob(x, logits), expected, rtol=4 * np.finfo(dtype).eps, atol=tiny
    )


@DTYPES
@pytest.mark.parametrize("a", [20.0, 104.0, 1e4])
def test_a_wrong_pixel_keeps_its_gradient_and_a_right_one_has_none(dtype, a):
    x, logits = np.array([[0, 1, 0, 1]], dtype), np.array([[[a, -a, -a, a]]], dtype)
    one = np.ones((1, 1), dtype)
    gradient = BERNOULLI.log_prob_backward(one, x, logits)
    np.testing.assert_allclose(gradient, [[[-1, 1, 0, 0]]], rtol=0, atol=3e-9)


@pytest.mark.equation("likelihoods.3")
def test_bernoulli_mean_is_the_mean_over_every_image():
    logits = np.random.default_rng(1).normal(0, 3, 6)
    images = every_image(6)
    expected = np.exp(log_prob(BERNOULLI, images, logits)) @ images
    np.testing.assert_allclose(BERNOULLI.mean(logits), expected, rtol=1e-12)


@pytest.mark.equation("likelihoods.4")
def test_bernoulli_draws():
    logits = np.array([-4.0, -1.0, 0.2, 0.5, 3.0])
    draws = BERNOULLI.draw(np.tile(logits, (40_000, 1)), rng=np.random.default_rng(2))
    m = np.exp(-np.logaddexp(0, -logits))
    assert set(np.unique(draws)) == {0, 1}
    assert_close_to(m, draws)
    products = (draws - m)[:, :, None] * (draws - m)[:, None, :]
    assert_close_to(np.diag(m * (1 - m)), products)  # off the diagonal: one at a time


@pytest.mark.equation("likelihoods.5")
def test_entropy_is_scipys_and_zero_for_binary_targets():
    x = np.random.default_rng(3).random((4, 6))
    expected = [sum(stats.bernoulli(p).entropy() for p in row) for row in x]
    np.testing.assert_allclose(BERNOULLI.entropy(x), expected, rtol=1e-12)
    assert np.all(BERNOULLI.entropy(np.round(x)) == 0)


@pytest.mark.equation("likelihoods.6")
@given(batches(BERNOULLI))
def test_no_logits_beat_minus_the_entropy_of_grey_targets(batch):
    x, logits = batch
    highest = -BERNOULLI.entropy(x)
    assert np.all(BERNOULLI.log_prob(x, logits) <= highest)
    best = np.log(x / (1 - x))[None]
    np.testing.assert_allclose(BERNOULLI.log_prob(x, best)[0], highest, rtol=1e-12)


def test_the_entropy_of_grey_mnist():
    if "NPVAE_DATA_DIR" not in os.environ:
        pytest.skip("NPVAE_DATA_DIR names no folder with MNIST")
    test = npvae.datasets.load_mnist().test
    assert BERNOULLI.entropy(test).mean() == pytest.approx(45.53, abs=0.005)


# Gaussian


def moments_by_quadrature(likelihood, output, reach):
    """∫ p(x|z) dx and ∫ x p(x|z) dx over the square |x_d| <= reach, D = 2.

    Equal steps are as good as exact for a function that dies away so smoothly.
    """
    axis, step = np.linspace(-reach, reach, 401, retstep=True)
    x = np.array(list(itertools.product(axis, axis)))
    mass = np.exp(log_prob(likelihood, x, output)) * step**2
    return mass.sum(), mass @ x


@pytest.mark.equation("likelihoods.8")
@given(batches(GAUSSIAN))
def test_gaussian_log_prob_is_scipys(batch):
    x, mean = batch
    expected = stats.norm.logpdf(x, mean, 0.3).sum(axis=-1)
    np.testing.assert_allclose(GAUSSIAN.log_prob(x, mean), expected, rtol=1e-11)


@pytest.mark.equation("likelihoods.9")
@settings(max_examples=20)
@given(batches(GAUSSIAN))
def test_gaussian_gradient(batch):
    assert_gradient(GAUSSIAN, batch)


@pytest.mark.equation("likelihoods.10")
@pytest.mark.parametrize(
    ("likelihood", "output"),
    [(GAUSSIAN, np.array([0.5, -1.0])), (EMITTED, np.array([0.5, -1.0, -0.5, -3.0]))],
)
def test_gaussian_densities_integrate_to_one_and_have_the_mean_they_say(likelihood, output):
    total, mean = moments_by_quadrature(likelihood, output, reach=10)
    assert total == pytest.approx(1, rel=1e-12)
    np.testing.assert_allclose(likelihood.mean(output), mean, rtol=1e-10)


@pytest.mark.equation("likelihoods.11")
def test_gaussian_draws():
    mean = np.array([-2.0, 0.0, 1.0])
    assert_gaussian_draws(GAUSSIAN, mean, mean, np.full(3, 0.3))


def assert_gaussian_draws(likelihood, output, mean, sigma, **learned):
    outputs = np.tile(output, (1, 40_000, 1))
    draws = likelihood.draw(outputs, rng=np.random.default_rng(4), **learned)[0]
    assert_close_to(mean, draws)
    products = (draws - mean)[:, :, None] * (draws - mean)[:, None, :]
    assert_close_to(np.diag(sigma**2), products)
    # log p of its own draws averages to minus the entropy, −Σ_d ½ log 2πe σ_d²
    entropy = sum(stats.norm(scale=scale).entropy() for scale in sigma)
    assert_close_to(-entropy, likelihood.log_prob(draws, outputs, **learned)[0])


# Gaussian with an emitted width


@pytest.mark.equation("likelihoods.12")
@given(st.floats(-30, 30), st.floats(0.001, 10))
def test_the_width_has_a_smooth_floor(s, min_sigma):
    mean, logvar = HeteroscedasticGaussian(min_sigma).mean_logvar(np.array([7.0, s]))
    assert mean == 7
    np.testing.assert_allclose(np.exp(logvar), min_sigma**2 + math.exp(s), rtol=1e-13)


@pytest.mark.equation("likelihoods.13")
@given(batches(EMITTED))
def test_emitted_width_log_prob_is_scipys(batch):
    x, output = batch
    mean, s = np.split(output, 2, axis=-1)
    expected = stats.norm.logpdf(x, mean, np.sqrt(0.1**2 + np.exp(s))).sum(axis=-1)
    np.testing.assert_allclose(EMITTED.log_prob(x, output), expected, rtol=1e-11)


@pytest.mark.equation("likelihoods.14")
@settings(max_examples=20)
@given(batches(EMITTED))
def test_emitted_width_gradient(batch):
    assert_gradient(EMITTED, batch)


@pytest.mark.equation("likelihoods.15")
def test_emitted_width_draws():
    mean, s = np.array([-2.0, 0.0, 1.0]), np.array([-9.0, -4.0, 1.0])
    sigma = np.sqrt(0.1**2 + np.exp(s))
    assert_gaussian_draws(EMITTED, np.concatenate([mean, s]), mean, sigma)


@DTYPES
@given(s=st.floats(-1e3, 200, width=32))
def test_emitted_width_is_finite_and_right_at_any_s(dtype, s):
    likelihood = HeteroscedasticGaussian()
    x, output = np.array([[1.0]], dtype), np.array([[[0.0, s]]], dtype)
    value = likelihood.log_prob(x, output).item()
    gradient = likelihood.log_prob_backward(np.ones((1, 1), dtype), x, output)[0, 0]
    variance = 1e-4 + math.exp(s)
    ds = (1 / variance - 1) / 2 * math.exp(s) / variance
    expected = [stats.norm.logpdf(1, scale=math.sqrt(variance)), 1 / variance, ds]
    # e^−logvar turns a relative rounding of logvar into |logvar| of them
    rounding = 100 * np.finfo(dtype).eps
    np.testing.assert_allclose([value, *gradient], expected, rtol=rounding, atol=rounding)


# Gaussian with one width, learned


@pytest.mark.equation("likelihoods.18")
@given(batches(LEARNED), st.floats(-20, 20))
def test_learned_width_log_prob_is_scipys(batch, logvar):
    x, mean = batch
    expected = stats.norm.logpdf(x, mean, math.exp(logvar / 2)).sum(axis=-1)
    got = LEARNED.log_prob(x, mean, logvar=np.array([logvar]))
    np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.equation("likelihoods.9", "likelihoods.19")
@settings(max_examples=20)
@given(batches(LEARNED))
def test_learned_width_gradient(batch):
    assert_gradient(LEARNED, batch)


@pytest.mark.equation("likelihoods.20")
@given(batches(LEARNED))
def test_no_width_beats_the_optimal_one(batch):
    x, mean = batch
    errors = [(x[b, d] - mean[i, b, d]) ** 2 for i, b, d in np.ndindex(mean.shape)]
    best = LEARNED.optimal_logvar(x, mean)
    np.testing.assert_allclose(np.exp(best), [math.fsum(errors) / len(errors)], rtol=1e-13)
    for other in (best - 0.01, best + 0.01):
        assert LEARNED.log_prob(x, mean, other).sum() < LEARNED.log_prob(x, mean, best).sum()
    ones = np.ones(mean.shape[:2])
    slope = LEARNED.log_prob_backward_learned(ones, x, mean, best)["logvar"]
    assert abs(slope.item()) < 1e-13 * mean.size


@DTYPES
def test_the_optimal_width_of_a_perfect_reconstruction_is_finite(dtype):
    x = np.ones((2, 3), dtype)
    logvar = LEARNED.optimal_logvar(x, x[None])
    assert logvar == np.array(math.log(1e-30), dtype)
    assert np.isfinite(LEARNED.log_prob(x, x[None], logvar)).all()
    assert not LEARNED.log_prob_backward(np.ones((1, 2), dtype), x, x[None], logvar).any()


def test_float32_sums_of_the_width_keep_their_digits():
    """At the best width 200,000 terms of size 1 cancel: what is left are roundings of each.

    They add up to 7e-6, as a standard deviation; sums of a row in float32 are off by 1e-4.
    """
    rng = np.random.default_rng(11)
    x = rng.random((256, 784), np.float32)
    mean, g = np.full((1, *x.shape), 0.5, np.float32), np.ones((1, 256), np.float32)
    logvar = LEARNED.optimal_logvar(x, mean)
    exact = np.mean(np.square(x.astype(np.float64) - 0.5))
    assert logvar.item() == pytest.approx(math.log(exact), rel=6e-8)
    expected = (exact * math.exp(-logvar.item()) - 1) / 2 * x.size
    got = LEARNED.log_prob_backward_learned(g, x, mean, logvar)["logvar"]
    assert got.item() == pytest.approx(expected, abs=5.5 * 7e-6)


@pytest.mark.equation("likelihoods.10", "likelihoods.11")
def test_learned_width_draws():
    mean, logvar = np.array([-2.0, 0.0, 1.0]), np.array([math.log(0.09)])
    np.testing.assert_array_equal(LEARNED.mean(mean), mean)
    assert_gaussian_draws(LEARNED, mean, mean, np.full(3, 0.3), logvar=logvar)


@DTYPES
def test_a_learned_width_starts_where_it_was_told(dtype):
    (logvar,) = LearnedGaussian(np.float32(0.25)).init_learned(dtype, 3).values()
    assert (logvar.dtype, logvar.shape) == (dtype, (1,))
    assert logvar == np.array(math.log(1 / 16), dtype)


# Continuous Bernoulli

# s, from the smallest float64 on: its oracle needs 400 digits
DISTANCES = st.one_of(st.floats(0, 1e4), st.floats(0.9, 1.1), st.floats(1e-30, 1e-3))


def density(x, a):
    """λ^x (1 − λ)^(1−x) C(λ) to 60 digits, with C(λ) = 2 artanh(1 − 2λ)/(1 − 2λ), or 2 at λ = ½.

    Loaiza-Ganem & Cunningham 2019.
    """
    x, a = mpmath.mpf(x), mpmath.mpf(a)
    light, dark = 1 / (1 + mpmath.exp(-a)), 1 / (1 + mpmath.exp(a))
    gap = dark - light
    constant = 2 * mpmath.atanh(gap) / gap if gap else mpmath.mpf(2)
    return light**x * dark ** (1 - x) * constant


@pytest.mark.equation("likelihoods.21")
@given(st.floats(0, 1), st.floats(-30, 30))
def test_continuous_bernoulli_log_prob_is_the_papers(x, a):
    with mpmath.workdps(60):
        expected = float(mpmath.log(density(x, a)))
    got = CONTINUOUS.log_prob(np.array([[x]]), np.array([[[a]]])).item()
    assert got == pytest.approx(expected, rel=1e-14, abs=1e-14)


@DTYPES
@given(s=DISTANCES, dark=st.booleans(), x=st.floats(0, 1, width=32))
def test_continuous_bernoulli_keeps_its_digits_at_any_logit(dtype, s, dark, x):
    """To 4 roundings of its two terms, which have opposite signs."""
    a = dtype(-s if dark else s)
    with mpmath.workdps(400):
        exact = mpmath.mpf(float(a))
        distance = abs(exact) * (x if dark else 1 - mpmath.mpf(x))
        normalizer = mpmath.log(-mpmath.expm1(-abs(exact)) / abs(exact)) if a else mpmath.mpf(0)
    got = CONTINUOUS.log_prob(np.array([[x]], dtype), np.array([[[a]]])).item()
    allowed = 4 * np.finfo(dtype).eps * float(distance - normalizer) + np.finfo(dtype).tiny
    assert abs(got + float(distance + normalizer)) <= allowed


@DTYPES
@pytest.mark.equation("likelihoods.22", "likelihoods.23")
@given(s=DISTANCES)
def test_the_normaliser_and_its_slope_are_right_to_the_last_digits(dtype, s):
    s = dtype(s)
    with mpmath.workdps(400):
        exact = mpmath.mpf(float(s))
        mass = float(mpmath.log(-mpmath.expm1(-exact) / exact)) if s else 0.0
        mean = float(1 / exact - 1 / mpmath.expm1(exact)) if s else 0.5
    rounding = 4 * np.finfo(dtype).eps
    tiny = np.finfo(dtype).tiny
    np.testing.assert_allclose(log_mass(np.array([s])), [mass], rtol=rounding, atol=tiny)
    np.testing.assert_allclose(mean_distance(np.array([s])), [mean], rtol=rounding)


LOGITS = np.array([-60.0, -3.0, -1.0, -1e-9, 0.0, 0.3, 1.0, 1.1, 25.0])


@pytest.mark.parametrize("a", LOGITS)
def test_the_continuous_density_integrates_to_one(a):
    total, _ = integrate.quad(continuous_density, 0, 1, args=(a,), epsabs=0, epsrel=1e-11)
    assert total == pytest.approx(1, rel=1e-11)


def continuous_density(x, a):
    return math.exp(CONTINUOUS.log_prob(np.array([[x]]), np.array([[[a]]])).item())


def continuous_moments():
    """Mean and variance of the density at LOGITS, by quadrature."""
    first, second = np.transpose(
        [
            [integrate.quad(lambda x: x**n * continuous_density(x, a), 0, 1)[0] for n in (1, 2)]  # noqa: B023
            for a in LOGITS
        ]
    )
    return first, second - first**2


@pytest.mark.equation("likelihoods.24")
def test_continuous_bernoulli_mean_is_the_densitys():
    mean, _ = continuous_moments()
    np.testing.assert_allclose(CONTINUOUS.mean(LOGITS), mean, rtol=1e-11)


@pytest.mark.equation("likelihoods.25")
@settings(max_examples=20)
@given(batches(CONTINUOUS), st.sampled_from([0.0, 1e-6, 1.0, 10.0]))
def test_continuous_bernoulli_gradient(batch, scale):
    x, logits = batch
    assert_gradient(CONTINUOUS, (x, scale * logits))


@pytest.mark.equation("likelihoods.26")
def test_continuous_bernoulli_draws():
    mean, variance = continuous_moments()
    draws = CONTINUOUS.draw(np.tile(LOGITS, (40_000, 1)), rng=np.random.default_rng(4))
    assert_close_to(mean, draws)
    assert_close_to(variance, (draws - mean) ** 2)
    for a, column in zip(LOGITS, draws.T, strict=True):
        shares = np.searchsorted(np.sort(column), (0.05, 0.3, 0.9)) / len(column)
        below = [integrate.quad(continuous_density, 0, t, args=(a,))[0] for t in (0.05, 0.3, 0.9)]
        np.testing.assert_allclose(shares, below, atol=STANDARD_ERRORS * 0.5 / 200)


@DTYPES
def test_continuous_draws_stay_in_the_support_at_any_logit(dtype):
    a = np.array([-1e4, -1.0, -1e-30, 0.0, 1e-7, 40.0, 1e4], dtype)
    draws = CONTINUOUS.draw(np.tile(a, (20_000, 1)), rng=np.random.default_rng(4))
    assert draws.dtype == dtype
    assert draws.min() >= 0
    assert draws.max() <= 1
    assert_close_to(CONTINUOUS.mean(a).astype(np.float64), draws.astype(np.float64))


# Categorical


def every_level_image(levels, D):
    """All levels^D images, (levels^D, D)."""
    return np.array(list(itertools.product(np.arange(levels) / (levels - 1), repeat=D)))


@pytest.mark.equation("likelihoods.27")
@given(batches(CATEGORICAL))
def test_categorical_log_prob_is_a_loop_over_pixels(batch):
    grey, output = batch
    levels = np.round(4 * grey).astype(int)
    L, B, D = len(output), *grey.shape
    expected = np.zeros((L, B))
    for i, b, d in np.ndindex(L, B, D):
        logits = output[i, b, 5 * d : 5 * (d + 1)]
        expected[i, b] += logits[levels[b, d]] - math.log(math.fsum(map(math.exp, logits)))
    np.testing.assert_allclose(CATEGORICAL.log_prob(levels / 4, output), expected, rtol=1e-11)


def test_the_probabilities_of_every_grey_image_sum_to_one():
    output = np.random.default_rng(0).normal(0, 3, 15)
    total = np.exp(log_prob(CATEGORICAL, every_level_image(5, 3), output)).sum()
    assert total == pytest.approx(1, rel=1e-13)


@pytest.mark.equation("likelihoods.27")
@given(batches(Categorical(2)))
def test_two_levels_are_bernoulli(batch):
    grey, output = batch
    x, logits = np.round(grey), output[..., 1::2] - output[..., ::2]
    two = Categorical(2)
    got, expected = two.log_prob(x, output), BERNOULLI.log_prob(x, logits)
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    np.testing.assert_allclose(two.mean(output), BERNOULLI.mean(logits), rtol=1e-12)
    da = BERNOULLI.log_prob_backward(got, x, logits)
    d = two.log_prob_backward(got, x, output)
    np.testing.assert_allclose(d[..., 1::2], da, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(d[..., ::2], -da, rtol=1e-12, atol=1e-14)


@DTYPES
@pytest.mark.parametrize("a", [0.0, 10.0, 80.0, 1e4])
@pytest.mark.parametrize("k", [0, 2])
def test_categorical_keeps_every_digit_at_any_logit(dtype, a, k):
    """Level 2 is a above the other four: −log1p(4 e^−a) nats, and those less a for the others."""
    x, output = np.array([[k / 4]], dtype), np.zeros((1, 1, 5), dtype)
    output[..., 2] = a
    expected = -math.log1p(4 * math.exp(-a)) - (0 if k == 2 else a)
    got = CATEGORICAL.log_prob(x, output)
    tiny = np.finfo(dtype).tiny
    np.testing.assert_allclose(got, [[expected]], rtol=4 * np.finfo(dtype).eps, atol=tiny)


@pytest.mark.equation("likelihoods.28")
def test_softmax_is_scipys_at_any_logit():
    logits = np.array([[-1e4, 0.0, 3.0], [1e4, 1e4, -1e4], [-2.0, -2.0, -2.0]])
    np.testing.assert_allclose(softmax(logits), special.softmax(logits, axis=-1), rtol=1e-14)


@pytest.mark.equation("likelihoods.29")
@settings(max_examples=20)
@given(batches(CATEGORICAL))
def test_categorical_gradient(batch):
    assert_gradient(CATEGORICAL, batch)


@pytest.mark.equation("likelihoods.30")
def test_categorical_mean_is_the_mean_over_every_image():
    output = np.random.default_rng(1).normal(0, 3, 15)
    images = every_level_image(5, 3)
    expected = np.exp(log_prob(CATEGORICAL, images, output)) @ images
    np.testing.assert_allclose(CATEGORICAL.mean(output), expected, rtol=1e-12)


@DTYPES
@pytest.mark.equation("likelihoods.31")
def test_categorical_draws(dtype):
    logits = np.array([0.0, -200.0, 1.0, 0.5, -200.0], dtype)
    draws = CATEGORICAL.draw(np.tile(logits, (40_000, 2)), rng=np.random.default_rng(4))
    assert draws.shape == (40_000, 2)
    shares = draws[:, :, None] == np.array([0.0, 0.5, 0.75], dtype)
    assert shares.any(axis=-1).all()  # no level without a chance is drawn
    chances = special.softmax([0.0, 1.0, 0.5])
    assert_close_to(chances, shares[:, 0].astype(np.float64))
    joint = shares[:, 0, :, None] & shares[:, 1, None, :]
    assert_close_to(np.outer(chances, chances), joint.astype(np.float64))


def test_categorical_draws_are_levels():
    likelihood = Categorical()
    output = np.zeros((100, 256 * 3), np.float32)
    draws = likelihood.draw(output, rng=np.random.default_rng(4))
    assert likelihood.check_support("x", draws) == 1
    assert draws.min() < 0.05
    assert draws.max() > 0.95


@pytest.mark.parametrize("levels", [2, 5, 256])
def test_the_categorical_start_is_the_broadest_with_that_mean(levels):
    """Steps of logit are equal, so any data with mean x_mean cost the start its own entropy."""
    likelihood = Categorical(levels)
    x_mean = np.array([0.001, 0.2, 0.5, 0.999])
    bias = likelihood.output_bias(x_mean)
    steps = np.diff(bias.reshape(4, levels), axis=-1)
    np.testing.assert_allclose(steps, np.broadcast_to(steps[:, :1], steps.shape), rtol=1e-10)
    if levels == 2:
        np.testing.assert_allclose(
            steps[:, 0], BERNOULLI.output_bias(x_mean), rtol=1e-12, atol=1e-15
        )
    binary = likelihood.output_bias(np.full(4, 0.2))
    x = np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    cost = -log_prob(likelihood, x, binary).mean() / 4
    p = softmax(binary.reshape(4, levels)[0])
    assert cost == pytest.approx(stats.entropy(p), rel=1e-10)
    assert cost < math.log(levels)


@pytest.mark.equation("likelihoods.32")
def test_bits_per_dim():
    D = 7
    uniform = Categorical().log_prob(np.zeros((3, D)), np.zeros((2, 3, D * 256)))
    np.testing.assert_allclose(bits_per_dim(uniform, D), np.full((2, 3), 8.0), rtol=1e-14)
    assert bits_per_dim(-D * math.log(2), D) == pytest.approx(1)
    assert bits_per_dim(np.ones(2, np.float32), D).dtype == np.float32
    for data_dim, error in ((0, ValueError), (-1, ValueError), (2.0, TypeError), (True, TypeError)):
        with pytest.raises(error, match=r"data_dim is .*; expected an integer >= 1"):
            bits_per_dim(1.0, data_dim)


# What a decoder gets that ignores z


def best_by_search(likelihood, x):
    """The best mean log p of x under one output for all rows, by following the gradient."""
    names = list(likelihood.init_learned(np.float64, 3))
    width = likelihood.output_width(x.shape[1])
    g = np.full((1, len(x)), 1 / len(x))

    def cost(v):
        output = np.tile(v[:width], (1, len(x), 1))
        learned = dict.fromkeys(names, v[width:])
        value = np.mean(likelihood.log_prob(x, output, **learned))
        slopes = [likelihood.log_prob_backward(g, x, output, **learned).sum(axis=(0, 1))]
        if learned:
            slopes += likelihood.log_prob_backward_learned(g, x, output, **learned).values()
        return -value, -np.concatenate(slopes)

    start = np.zeros(width + len(names))
    return -optimize.minimize(cost, start, jac=True, tol=1e-12, options={"maxiter": 2000}).fun


def assert_floor(likelihood, x):
    floor, found = likelihood.floor(x), best_by_search(likelihood, x)
    assert type(floor) is float
    assert -1e-10 < floor - found < 1e-5
    in_float32 = likelihood.floor(x.astype(np.float32))
    assert in_float32 == pytest.approx(likelihood.floor(x.astype(np.float32).astype(float)))


@pytest.fixture
def grey():
    """(30, 3) in [0, 1], skewed, each column with a mean of its own."""
    return np.random.default_rng(12).random((30, 3)) ** np.array([1.0, 3.0, 0.2])


@pytest.mark.equation("likelihoods.33")
@pytest.mark.parametrize("likelihood", [BERNOULLI, CATEGORICAL], ids=["Bernoulli", "Categorical"])
def test_floor_of_counts(likelihood, grey):
    assert_floor(likelihood, np.round(4 * grey) / 4)


@pytest.mark.equation("likelihoods.34")
@pytest.mark.parametrize("likelihood", [GAUSSIAN, LEARNED, EMITTED], ids=["one", "learned", "own"])
def test_floor_of_gaussians(likelihood, grey):
    assert_floor(likelihood, grey)


@pytest.mark.equation("likelihoods.34")
def test_floor_of_pixels_that_hardly_change(grey):
    """An emitted width stops at min_sigma, a learned one at 1e-15."""
    x = 0.5 + (grey - 0.5) * np.array([1.0, 0.1, 0.0])
    assert_floor(EMITTED, x)
    constant = np.full((4, 3), 0.5)
    assert LEARNED.floor(constant) == pytest.approx(3 * stats.norm.logpdf(0, scale=1e-15))


@pytest.mark.equation("likelihoods.35")
def test_floor_of_the_continuous_bernoulli(grey):
    assert_floor(CONTINUOUS, grey)


def test_floor_of_black_images_is_finite():
    black = np.zeros((4, 2))
    assert BERNOULLI.floor(black) == CATEGORICAL.floor(black) == 0
    expected = 2 * math.log(1000)  # the density s e^−sy / (1 − e^−s) at s = 1000, y = 0
    assert CONTINUOUS.floor(black) == pytest.approx(expected, rel=1e-12)


def test_floor_of_mnist():
    if "NPVAE_DATA_DIR" not in os.environ:
        pytest.skip("NPVAE_DATA_DIR names no folder with MNIST")
    mnist = npvae.datasets.load_mnist()
    x_mean = np.clip(mnist.train.mean(axis=0, dtype=np.float64), 0.001, 0.999)
    logits = np.log(x_mean / (1 - x_mean))
    collapsed = np.mean(log_prob(BERNOULLI, mnist.test.astype(np.float64), logits))
    assert collapsed == pytest.approx(-205.97, abs=0.005)
    assert collapsed < BERNOULLI.floor(mnist.test) < collapsed + 1


# What all share


@ALL
def test_samples_of_z_do_not_meet(likelihood):
    rng = np.random.default_rng(5)
    x, output = rng.random((4, 5)), rng.standard_normal((3, 4, likelihood.output_width(5)))
    learned = likelihood.init_learned(np.float64, 3)
    alone = [likelihood.log_prob(x, output_l[None], **learned)[0] for output_l in output]
    np.testing.assert_allclose(likelihood.log_prob(x, output, **learned), alone, rtol=1e-14)


@pytest.mark.equation("likelihoods.7")
@ALL
def test_output_bias_makes_the_mean_x_mean(likelihood):
    x_mean = np.array([0.001, 0.2, 0.5, 0.999])
    bias = likelihood.output_bias(x_mean)
    assert bias.shape == (likelihood.output_width(4),)
    np.testing.assert_allclose(likelihood.mean(bias), x_mean, rtol=1e-12)


@pytest.mark.parametrize("likelihood", [BERNOULLI, CONTINUOUS, CATEGORICAL, Categorical(256)])
def test_output_bias_of_a_pixel_that_never_changes_is_finite(likelihood):
    bias = likelihood.output_bias(np.array([0.0, 1.0]))
    np.testing.assert_allclose(likelihood.mean(bias), [0.001, 0.999], rtol=1e-12)


@ALL
@DTYPES
def test_dtype_in_dtype_out(likelihood, dtype):
    rng = np.random.default_rng(6)
    x, output = rng.random((4, 5), dtype), np.ones((3, 4, likelihood.output_width(5)), dtype)
    learned = likelihood.init_learned(dtype, 3)
    value = likelihood.log_prob(x, output, **learned)
    results = [
        value,
        likelihood.log_prob_backward(value, x, output, **learned),
        likelihood.mean(output),
        likelihood.draw(output, rng=rng, **learned),
        likelihood.output_bias(x[0]),
    ]
    assert [result.dtype for result in results] == [dtype] * 5
    assert [result.shape for result in results[:4]] == [(3, 4), output.shape, (3, 4, 5), (3, 4, 5)]
    if learned:
        (gradient,) = likelihood.log_prob_backward_learned(value, x, output, **learned).values()
        assert (gradient.dtype, gradient.shape) == (dtype, (1,))
        assert likelihood.optimal_logvar(x, output).dtype == dtype


def test_the_likelihoods_go_by_their_names():
    assert list(LIKELIHOODS) == [
        "Bernoulli",
        "Gaussian",
        "HeteroscedasticGaussian",
        "LearnedGaussian",
        "ContinuousBernoulli",
        "Categorical",
        "ColumnGaussian",
        "StudentT",
        "Poisson",
        "NegativeBinomial",
        "Standardized",
        "Product",
        "Holes",
    ]
    for name, cls in LIKELIHOODS.items():
        assert cls.__name__ == name


def test_a_numpy_sigma_does_not_widen_float32():
    x = np.ones((1, 2), np.float32)
    assert Gaussian(np.float64(0.5)).log_prob(x, x[None]).dtype == np.float32
    assert type(Gaussian(np.float32(0.5)).sigma) is float
    assert type(HeteroscedasticGaussian(np.float32(0.5)).min_sigma) is float
    assert type(LearnedGaussian(np.float32(0.5)).sigma) is float
    assert type(Categorical(np.int64(5)).levels) is int


# Binary targets drawn from grey ones


@DTYPES
@pytest.mark.equation("likelihoods.16")
def test_binarize_draws_ones_with_probability_x(dtype):
    x = np.array([0, 0.01, 0.3, 0.5, 0.9, 1], dtype)
    draws = binarize(np.tile(x, (40_000, 1)), rng=np.random.default_rng(7))
    assert draws.dtype == dtype
    assert set(np.unique(draws)) == {0, 1}
    assert np.all(draws[:, [0, -1]] == x[[0, -1]])
    assert_close_to(x[1:-1], draws[:, 1:-1].astype(np.float64))


@pytest.mark.equation("likelihoods.16")
def test_grey_levels_are_binarised_like_the_grey_values_they_are():
    levels = np.tile(np.arange(256, dtype=np.uint8), (500, 2))
    binary = binarize(levels, rng=np.random.default_rng(7))
    assert binary.dtype == np.float32
    grey = levels / np.float32(255)
    np.testing.assert_array_equal(binary, binarize(grey, rng=np.random.default_rng(7)))
    chances = np.arange(1, 255) / 255
    assert_close_to(chances, binary.reshape(1000, 256)[:, 1:-1].astype(np.float64))
    with pytest.raises(ValueError, match="x is uint8 and its largest entry is 1"):
        binarize(np.eye(4, dtype=np.uint8), rng=np.random.default_rng(0))


def test_any_shape_is_binarised():
    x = np.random.default_rng(0).random((6, 5, 4))
    for strided in (x, x[::2, 1:, ::-1], x.T, x[0, 0], x[0, 0, 0]):
        binary = binarize(strided, rng=np.random.default_rng(1))
        assert binary.shape == strided.shape
        copy = binarize(strided.copy(), rng=np.random.default_rng(1))
        np.testing.assert_array_equal(binary, copy)
    two = [binarize(x, rng=np.random.default_rng(seed)) for seed in (1, 2)]
    assert not np.array_equal(*two)


@pytest.mark.equation("likelihoods.17")
def test_log_prob_of_grey_targets_is_the_mean_over_their_binarisations():
    rng = np.random.default_rng(8)
    x, logits = rng.random((1, 6)), 2 * rng.standard_normal(6)
    grey = log_prob(BERNOULLI, x, logits)
    images = every_image(6)
    chances = np.prod(np.where(images == 1, x, 1 - x), axis=1)
    np.testing.assert_allclose(chances @ log_prob(BERNOULLI, images, logits), grey, rtol=1e-12)
    binary = binarize(np.tile(x, (40_000, 1)), rng=rng)
    assert_close_to(grey, log_prob(BERNOULLI, binary, logits))


# Bad input


@pytest.mark.parametrize("dtype", [bool, np.int8, np.float16, np.int64])
def test_what_is_no_float_is_binarised_as_float32(dtype):
    x = np.eye(4, dtype=dtype)
    binary = npvae.binarize(x, rng=np.random.default_rng(0))
    assert binary.dtype == np.float32
    np.testing.assert_array_equal(binary, x)
    np.testing.assert_array_equal(npvae.binarize(x.tolist(), rng=np.random.default_rng(0)), x)


def test_nothing_cannot_be_binarised():
    with pytest.raises(ValueError, match=r"x has shape \(0, 4\); expected at least one entry"):
        npvae.binarize(np.zeros((0, 4)), rng=np.random.default_rng(0))


@pytest.mark.parametrize("make", [Gaussian, HeteroscedasticGaussian, LearnedGaussian])
def test_a_width_must_be_a_positive_number(make):
    for width in (0, -1.0, math.nan, math.inf, 1e-20, 1e200):
        expected = re.escape(f"sigma is {width}; expected a finite number > 1e-15 and < 1e+15")
        with pytest.raises(ValueError, match=expected):
            make(width)
    for width in ("1", None, True, np.ones(2)):
        with pytest.raises(TypeError, match=r"sigma is .*; expected a number"):
            make(width)


@pytest.mark.parametrize("optimal", [1, "yes", None])
def test_optimal_is_true_or_false(optimal):
    with pytest.raises(TypeError, match=r"optimal is .*; expected True or False"):
        LearnedGaussian(optimal=optimal)


def test_levels_are_a_whole_number():
    for levels in (1, 0, -3, 65537):
        with pytest.raises(ValueError, match=rf"levels is {levels}; expected an integer"):
            Categorical(levels)
    for levels in (2.0, "256", None, True):
        with pytest.raises(TypeError, match=r"levels is .*; expected an integer"):
            Categorical(levels)


@pytest.mark.parametrize("likelihood", [BERNOULLI, CONTINUOUS, CATEGORICAL])
@pytest.mark.parametrize(("low", "high"), [(-0.5, 1), (0, 255), (0, math.nan)])
def test_a_bounded_likelihood_says_what_it_expects_of_x(likelihood, low, high):
    x = np.array([[low, high]])
    for check in (likelihood.check_support, likelihood.check_mean):
        with pytest.raises(ValueError, match=r"x spans \[.*\]; .* expects values in \[0, 1\]"):
            check("x", x)
    with pytest.raises(ValueError, match=r"x spans \[.*\]; .* expects values in \[0, 1\]"):
        binarize(x, rng=np.random.default_rng(0))


def test_every_support_holds_what_it_should():
    for x in (np.zeros((1, 2)), np.ones((1, 2)), np.full((1, 2), 0.5)):
        for likelihood in (BERNOULLI, CONTINUOUS, CATEGORICAL):
            assert likelihood.check_support("x", x) == 1
            likelihood.check_mean("x_mean", x)
    for likelihood in (GAUSSIAN, EMITTED, LEARNED):
        assert likelihood.check_support("x", np.array([[-1e6, 1e6]])) == 1


@pytest.mark.parametrize(
    ("likelihood", "unit"),
    [(BERNOULLI, 255), (CONTINUOUS, 255), (Categorical(), 255), (CATEGORICAL, 4)],
)
def test_grey_levels_have_a_unit(likelihood, unit):
    assert likelihood.check_support("x", np.array([[0, unit]], np.uint8)) == unit
    for dark in (1, unit // 2):
        expected = f"x is uint8 and its largest entry is {dark}: it spans .* would be {unit}"
        with pytest.raises(ValueError, match=expected):
            likelihood.check_support("x", np.array([[0, dark]], np.uint8))
    bright = np.array([[0, unit // 2 + 1]], np.uint8)
    assert likelihood.check_support("x", bright) == unit
    with pytest.raises(ValueError, match=r"If 16 is white, take Categorical\(16 \+ 1\)"):
        Categorical().check_support("x", np.array([[0, 16]], np.uint8))


def test_levels_that_cannot_be():
    assert Categorical(2).check_support("x", np.array([[0, 1]], np.uint8)) == 1
    for likelihood, largest in ((Categorical(2), 2), (CATEGORICAL, 5), (CATEGORICAL, 255)):
        with pytest.raises(ValueError, match=rf"its largest entry is {largest}; expected <= "):
            likelihood.check_support("x", np.array([[0, largest]], np.uint8))


@DTYPES
@pytest.mark.parametrize("levels", [2, 5, 256, 60001, 65536])
def test_floats_are_levels_to_a_thousandth_of_a_step(dtype, levels):
    likelihood = Categorical(levels)
    k = np.linspace(0, levels - 1, 1001).round()
    x = (k / (levels - 1)).astype(dtype)[None]
    assert likelihood.check_support("x", x) == 1
    log_px_z = likelihood.log_prob(x[:, :9], np.zeros((1, 1, 9 * levels), dtype))
    assert log_px_z.item() == pytest.approx(-9 * math.log(levels), rel=1e-6)
    between = np.clip(k[:, None] + 0.02, 0, levels - 1) / (levels - 1)
    expected = rf"x holds .*; .* with {levels} levels expects k/{levels - 1} with an integer k"
    with pytest.raises(ValueError, match=expected):
        likelihood.check_support("x", between.astype(dtype))


def test_a_mean_of_levels_need_not_be_a_level():
    x_mean = np.array([[0.1234]])
    CATEGORICAL.check_mean("x_mean", x_mean)
    with pytest.raises(ValueError, match=r"x_mean holds 0.1234; a Categorical likelihood"):
        CATEGORICAL.check_support("x_mean", x_mean)


@ALL
def test_a_draw_needs_a_generator(likelihood):
    with pytest.raises(TypeError, match=r"rng is 0 \(int\); expected a numpy.random.Generator"):
        likelihood.draw(np.zeros((1, 2)), rng=0, **likelihood.init_learned(np.float64, 3))
