"""log p(x|z) against SciPy, sums over every image, quadrature, and the draws themselves."""

import itertools
import math
import os
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import npvae
from npvae import Bernoulli, Gaussian, HeteroscedasticGaussian, binarize, check_gradient

BERNOULLI, GAUSSIAN, EMITTED = Bernoulli(), Gaussian(0.3), HeteroscedasticGaussian(0.1)
ALL = pytest.mark.parametrize(
    "likelihood", [BERNOULLI, GAUSSIAN, EMITTED], ids=lambda likelihood: type(likelihood).__name__
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
    """Central differences in the output; x, being data, has no gradient."""
    check_gradient(
        likelihood.log_prob,
        lambda dy, *args: (None, likelihood.log_prob_backward(dy, *args)),
        batch,
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


def assert_gaussian_draws(likelihood, output, mean, sigma):
    outputs = np.tile(output, (1, 40_000, 1))
    draws = likelihood.draw(outputs, rng=np.random.default_rng(4))[0]
    assert_close_to(mean, draws)
    products = (draws - mean)[:, :, None] * (draws - mean)[:, None, :]
    assert_close_to(np.diag(sigma**2), products)
    # log p of its own draws averages to minus the entropy, −Σ_d ½ log 2πe σ_d²
    entropy = sum(stats.norm(scale=scale).entropy() for scale in sigma)
    assert_close_to(-entropy, likelihood.log_prob(draws, outputs)[0])


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


# What all three share


@ALL
def test_samples_of_z_do_not_meet(likelihood):
    rng = np.random.default_rng(5)
    x, output = rng.random((4, 5)), rng.standard_normal((3, 4, likelihood.output_width(5)))
    alone = [likelihood.log_prob(x, output_l[None])[0] for output_l in output]
    np.testing.assert_allclose(likelihood.log_prob(x, output), alone, rtol=1e-14)


@pytest.mark.equation("likelihoods.7")
@ALL
def test_output_bias_makes_the_mean_x_mean(likelihood):
    x_mean = np.array([0.001, 0.2, 0.5, 0.999])
    bias = likelihood.output_bias(x_mean)
    assert bias.shape == (likelihood.output_width(4),)
    np.testing.assert_allclose(likelihood.mean(bias), x_mean, rtol=1e-12)


def test_bernoulli_output_bias_of_a_pixel_that_never_changes_is_finite():
    bias = BERNOULLI.output_bias(np.array([0.0, 1.0]))
    np.testing.assert_allclose(BERNOULLI.mean(bias), [0.001, 0.999], rtol=1e-12)


@ALL
@DTYPES
def test_dtype_in_dtype_out(likelihood, dtype):
    rng = np.random.default_rng(6)
    x, output = rng.random((4, 5), dtype), np.ones((3, 4, likelihood.output_width(5)), dtype)
    value = likelihood.log_prob(x, output)
    results = [
        value,
        likelihood.log_prob_backward(value, x, output),
        likelihood.mean(output),
        likelihood.draw(output, rng=rng),
        likelihood.output_bias(x[0]),
    ]
    assert [result.dtype for result in results] == [dtype] * 5
    assert [result.shape for result in results[:4]] == [(3, 4), output.shape, (3, 4, 5), (3, 4, 5)]


def test_a_numpy_sigma_does_not_widen_float32():
    x = np.ones((1, 2), np.float32)
    assert Gaussian(np.float64(0.5)).log_prob(x, x[None]).dtype == np.float32
    assert type(Gaussian(np.float32(0.5)).sigma) is float
    assert type(HeteroscedasticGaussian(np.float32(0.5)).min_sigma) is float


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


@pytest.mark.parametrize("make", [Gaussian, HeteroscedasticGaussian])
def test_a_width_must_be_a_positive_number(make):
    for width in (0, -1.0, math.nan, math.inf, 1e-20, 1e200):
        expected = re.escape(f"sigma is {width}; expected a finite number > 1e-15 and < 1e+15")
        with pytest.raises(ValueError, match=expected):
            make(width)
    for width in ("1", None, True, np.ones(2)):
        with pytest.raises(TypeError, match=r"sigma is .*; expected a number"):
            make(width)


@pytest.mark.parametrize(("low", "high"), [(-0.5, 1), (0, 255), (0, math.nan)])
def test_bernoulli_says_what_it_expects_of_x(low, high):
    x = np.array([[low, high]])
    with pytest.raises(ValueError, match=r"x spans \[.*\]; .* expects values in \[0, 1\]"):
        BERNOULLI.check_support("x", x)
    with pytest.raises(ValueError, match=r"divide 8-bit pixels by 255"):
        binarize(x, rng=np.random.default_rng(0))


def test_every_support_holds_what_it_should():
    for x in (np.zeros((1, 2)), np.ones((1, 2)), np.full((1, 2), 0.5)):
        BERNOULLI.check_support("x", x)
    for likelihood in (GAUSSIAN, EMITTED):
        likelihood.check_support("x", np.array([[-1e6, 1e6]]))


@ALL
def test_a_draw_needs_a_generator(likelihood):
    with pytest.raises(TypeError, match=r"rng is 0 \(int\); expected a numpy.random.Generator"):
        likelihood.draw(np.zeros((1, 2)), rng=0)
