"""Observations: what is seen of x, and p(y|z)."""

import math

import numpy as np
import pytest
from scipy import ndimage
from scipy.integrate import quad
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

import npvae
from models import LIKELIHOODS, make_batch, make_vae, slow_pixel
from npvae.likelihoods.continuous_bernoulli import distance_variance
from npvae.posterior import Blur, Fewer, Linear, Noise, Pixels
from npvae.posterior.observations import check_transpose
from npvae.posterior.observed import observed

D, SHAPE = 12, (4, 3)
MASKS = {
    "one for all": np.arange(D) % 3 > 0,
    "one for each": np.array([np.arange(D) < 1, np.arange(D) % 2 == 0, np.arange(D) > 3]),
}


def operators(side=6):
    rng = np.random.default_rng(0)
    shape = side, 2 * side
    A = rng.standard_normal((5, 2 * side**2))
    return {
        "noise": Noise(0.3),
        "blur": Blur(0.8, 0.1, shape),
        "fewer": Fewer(3, 0.2, shape),
        "a matrix": Linear(A, sigma=0.4),
        "two functions": Linear(lambda x: x @ A.T, lambda y: y @ A, sigma=0.4),
    }


def as_matrix(observation, side=6):
    return observation.apply(np.eye(2 * side**2)).T


def differences(f, output, h=1e-5):
    """∂f/∂output, f (L, N) of an output (L, N, W) whose rows are independent."""
    slope = np.empty_like(output)
    for w in range(output.shape[-1]):
        step = np.zeros(output.shape[-1])
        step[w] = h
        slope[..., w] = (f(output + step) - f(output - step)) / (2 * h)
    return slope


def batch(name, seed=1):
    """A likelihood's x (3, D), output (2, 3, W), and what it has learned."""
    vae = make_vae(LIKELIHOODS[name], D=D)
    rng = np.random.default_rng(seed)
    output = rng.normal(0, 1.5, (2, 3, vae.likelihood.output_width(D)))
    return vae, make_batch(vae, B=3)[0], output, dict(vae.params.likelihood)


# The operators.


@pytest.mark.equation("observations.1", "observations.5")
@pytest.mark.parametrize("name", operators())
def test_a_transpose_is_one(name):
    observation = operators()[name]
    M = check_transpose(observation, 72)
    assert observation.check(72) == M
    A = as_matrix(observation)
    assert A.shape == (M, 72)
    np.testing.assert_allclose(observation.transpose(np.eye(M)), A, atol=1e-14)
    pixels = Pixels(np.arange(72) % 5 > 1)
    assert pixels.check(72) == 72
    np.testing.assert_array_equal(as_matrix(pixels), np.diag(np.arange(72) % 5 > 1))


@pytest.mark.equation("observations.2", "observations.4")
def test_fewer_pixels_are_means_of_blocks():
    observation = Fewer(3, 0.2, (6, 12))
    image = np.random.default_rng(0).random((2, 5, 6, 12))
    means = [
        [[image[i, j, r : r + 3, c : c + 3].mean() for c in (0, 3, 6, 9)] for r in (0, 3)]
        for i in range(2)
        for j in range(5)
    ]
    np.testing.assert_allclose(
        observation.apply(image.reshape(2, 5, 72)), np.reshape(means, (2, 5, 8)), rtol=1e-13
    )
    A = as_matrix(observation)
    np.testing.assert_allclose(A @ A.T, observation.gram * np.eye(8), atol=1e-15)
    assert Noise(1.0).gram == 1


@pytest.mark.equation("observations.2", "observations.3")
@pytest.mark.parametrize("width", [0.3, 1.0, 2.5])
def test_blur_is_scipys_with_black_beyond(width):
    image = np.random.default_rng(0).random((6, 12))
    want = ndimage.gaussian_filter(image, width, mode="constant", truncate=10)
    blurred = Blur(width, 0.1, (6, 12)).apply(image.reshape(1, 72))
    np.testing.assert_allclose(blurred.reshape(6, 12), want, rtol=1e-6, atol=1e-12)


def test_float32_stays_float32():
    for observation in operators().values():
        y = observation.apply(np.ones((2, 72), np.float32))
        assert y.dtype == observation.transpose(y).dtype == np.float32


@pytest.mark.equation("observations.5")
def test_an_operator_whose_transpose_is_none_is_refused():
    A = np.random.default_rng(0).standard_normal((3, 5))
    with pytest.raises(ValueError, match=r"transpose is not A's: ⟨A x, y⟩ = .* and ⟨x, Aᵀ y⟩ = "):
        Linear(lambda x: x @ A.T, lambda y: y @ (1.01 * A), sigma=1).check(5)
    for wrong in (
        lambda y: 1.001 * y,
        lambda y: y * (np.arange(784) != 400),
        lambda y: np.nan * y,
    ):
        with pytest.raises(ValueError, match="transpose is not A's"):
            Linear(lambda x: x, wrong, sigma=1).check(784)
    with pytest.raises(
        ValueError, match=r"transpose makes \(2, 3\) of y \(2, 3\); expected \(2, 5"
    ):
        Linear(lambda x: x @ A.T, lambda y: y, sigma=1).check(5)
    with pytest.raises(ValueError, match=r"A does not take x \(N, D\) with D = 4"):
        Linear(A, sigma=1).check(4)
    with pytest.raises(ValueError, match=r"A makes \(2,\) of x \(2, 5\)"):
        Linear(lambda x: x.sum(axis=1), lambda y: y, sigma=1).check(5)
    assert Linear(A.astype(np.float32), sigma=1).check(5) == 3


@pytest.mark.parametrize("sigma", [0, -0.1, math.nan, math.inf])
@pytest.mark.parametrize(
    "make",
    [
        Noise,
        lambda sigma: Blur(1.0, sigma),
        lambda sigma: Fewer(4, sigma),
        lambda sigma: Linear(np.eye(3), sigma=sigma),
    ],
)
def test_a_sigma_that_is_none_is_refused(make, sigma):
    with pytest.raises(ValueError, match=r"sigma is .*; expected a finite number > 0"):
        make(sigma)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Linear(np.eye(3)), TypeError, "sigma"),
        (lambda: Noise("0.3"), TypeError, "sigma is '0.3'"),
        (lambda: Fewer(5, 0.1), ValueError, r"factor is 5; expected one that divides \(28, 28\)"),
        (lambda: Fewer(0, 0.1), ValueError, "factor is 0"),
        (lambda: Blur(0, 0.1), ValueError, "width is 0"),
        (lambda: Blur(1, 0.1, 28), ValueError, r"shape is 28; expected \(rows, columns\)"),
        (lambda: Blur(1, 0.1, (28, 0)), ValueError, "a side of shape is 0"),
        (lambda: Blur(1, 0.1, (9, 9)).check(80), ValueError, r"shape is \(9, 9\).* D = 80"),
        (lambda: Pixels(np.zeros(9)), ValueError, "mask hides every pixel of row 0"),
        (lambda: Pixels([[1, 0], [0, 0]]), ValueError, "mask hides every pixel of row 1"),
        (lambda: Pixels([0.5, 1]), ValueError, "mask holds 0.5; expected True and False"),
        (lambda: Pixels([np.nan, 1]), ValueError, "mask holds nan"),
        (lambda: Pixels(np.ones((2, 3, 3))), ValueError, r"mask has shape \(2, 3, 3\)"),
        (lambda: Pixels(np.ones(8)).check(9), ValueError, "mask has 8 columns.* D = 9"),
        (lambda: Pixels(np.ones(8)).hidden, ValueError, "mask hides every pixel"),
        (lambda: Linear(lambda x: x, sigma=1), TypeError, "of A and transpose one is a function"),
        (lambda: Linear(np.eye(3), lambda y: y, sigma=1), TypeError, "of A and transpose one"),
        (lambda: Linear([[np.inf, 1]], sigma=1), ValueError, r"A\[0, 0\] is inf"),
        (lambda: Linear(np.ones(3), sigma=1), ValueError, r"A has shape \(3,\); expected \(M, D\)"),
    ],
)
def test_a_bad_observation_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


# p(y|z) of some pixels.


@pytest.mark.equation("observations.7")
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize("name", LIKELIHOODS)
def test_only_seen_pixels_count(name, mask):
    vae, x, output, learned = batch(name)
    y = np.where(mask, x, np.nan)
    log_py_z = observed(vae.likelihood, Pixels(mask)).log_prob(y, output, **learned)
    seen = np.broadcast_to(mask, x.shape)
    want = [
        [
            sum(slow_pixel(vae, d, x[n, d], row[n], D) for d in range(D) if seen[n, d])
            for n in range(3)
        ]
        for row in output
    ]
    np.testing.assert_allclose(log_py_z, want, rtol=1e-7)


@pytest.mark.equation("observations.7")
def test_it_is_the_sum_over_all_that_could_be_hidden():
    """p(seen|z) = Σ over every binary image with these pixels of p(x|z)."""
    mask = np.arange(D) < 5
    images = (np.arange(2**7)[:, None] >> np.arange(7)) % 2
    seen = np.array([1.0, 0, 1, 1, 0])
    x = np.hstack([np.tile(seen, (2**7, 1)), images])
    output = np.random.default_rng(0).normal(0, 2, (3, 1, D))
    likelihood = npvae.Bernoulli()
    every = likelihood.log_prob(x, np.broadcast_to(output, (3, 2**7, D)))
    log_py_z = observed(likelihood, Pixels(mask)).log_prob(x[:1], output)
    np.testing.assert_allclose(log_py_z[:, 0], logsumexp(every, axis=1), rtol=1e-12)


@pytest.mark.equation("observations.8")
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize("name", LIKELIHOODS)
def test_the_gradient_of_some_pixels(name, mask):
    vae, x, output, learned = batch(name)
    likelihood = observed(vae.likelihood, Pixels(mask))
    g = np.random.default_rng(2).standard_normal((2, 3))
    want = g[..., None] * differences(lambda o: likelihood.log_prob(x, o, **learned), output)
    got = likelihood.log_prob_backward(g, x, output, **learned)
    assert np.linalg.norm(got - want) < 1e-8 * np.linalg.norm(want)
    hidden = ~np.broadcast_to(mask, x.shape)
    if vae.likelihood.output_width(D) == D:
        assert not got[:, hidden].any()


@pytest.mark.equation("observations.9")
def test_what_is_seen_of_an_image_stays():
    vae, x, output, learned = batch("heteroscedastic")
    mask = MASKS["one for each"]
    y = np.where(mask, x, np.nan)
    restored = observed(vae.likelihood, Pixels(mask)).restored(y, output, **learned)
    for n, d in np.ndindex(3, D):
        want = x[n, d] if mask[n, d] else output[:, n, d]
        np.testing.assert_array_equal(restored[:, n, d], np.broadcast_to(want, 2))


# p(y|z) of y = A x + noise.


def gaussian(name):
    """A likelihood with one width, its output and what it has learned, and σ_x²."""
    output = np.random.default_rng(3).normal(0.3, 0.5, (2, 3, 72))
    if name == "gaussian":
        return npvae.Gaussian(0.7), output, {}, 0.49
    return npvae.LearnedGaussian(), output, {"logvar": np.log([0.49])}, 0.49


@pytest.mark.equation("observations.10", "observations.12")
@pytest.mark.parametrize("operator", operators())
@pytest.mark.parametrize("name", ["gaussian", "learned"])
def test_x_and_y_are_jointly_gaussian(name, operator):
    """log p(y|z) and E[x|z, y] from the joint covariance of x and y."""
    likelihood, output, learned, variance = gaussian(name)
    observation = operators()[operator]
    variance = variance if observation.gram else 0.0
    A, sigma = as_matrix(observation), observation.sigma
    y = np.random.default_rng(4).normal(0.3, 0.8, (3, len(A)))
    covariance = variance * A @ A.T + sigma**2 * np.eye(len(A))
    model = observed(likelihood, observation)
    log_py_z = model.log_prob(y, output, **learned)
    restored = model.restored(y, output, **learned)
    for i, n in np.ndindex(2, 3):
        want = multivariate_normal(A @ output[i, n], covariance).logpdf(y[n])
        assert log_py_z[i, n] == pytest.approx(want, rel=1e-10)
        gain = variance * A.T @ np.linalg.inv(covariance)
        want = output[i, n] + gain @ (y[n] - A @ output[i, n])
        np.testing.assert_allclose(restored[i, n], want, rtol=1e-9, atol=1e-12)


@pytest.mark.equation("observations.11")
@pytest.mark.parametrize("name", LIKELIHOODS)
def test_the_gradient_through_the_mean(name):
    vae, x, output, learned = batch(name)
    rng = np.random.default_rng(5)
    for observation in (Noise(0.5), Linear(rng.standard_normal((4, D)), sigma=0.6)):
        likelihood = observed(vae.likelihood, observation)
        y = observation.apply(x) + 0.1
        g = rng.standard_normal((2, 3))
        want = g[..., None] * differences(lambda o: likelihood.log_prob(y, o, **learned), output)  # noqa: B023
        got = likelihood.log_prob_backward(g, y, output, **learned)
        assert np.linalg.norm(got - want) < 1e-7 * np.linalg.norm(want)


@pytest.mark.equation("observations.13")
@pytest.mark.parametrize("name", LIKELIHOODS)
def test_the_slope_of_the_mean(name):
    likelihood = LIKELIHOODS[name]
    output = np.random.default_rng(6).normal(0, 2, (1, 1, likelihood.output_width(1)))
    output[..., :1] *= 3
    got = likelihood.mean_backward(np.full((1, 1, 1), 1.7), output)
    want = 1.7 * differences(lambda o: likelihood.mean(o)[..., 0], output)
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-9)


@pytest.mark.equation("observations.14")
@pytest.mark.parametrize("rate", [0, 1e-4, 0.3, 1 - 1e-9, 1 + 1e-9, 4, 60])
def test_the_variance_of_a_truncated_exponential(rate):
    mass, first, second = (
        quad(lambda y, n=n: y**n * math.exp(-rate * y), 0, 1, epsabs=0)[0] for n in range(3)
    )
    want = second / mass - (first / mass) ** 2
    assert distance_variance(np.array([rate], np.float64)) == pytest.approx(want, rel=1e-9)
    single = distance_variance(np.array([rate], np.float32))
    assert single.dtype == np.float32
    assert single == pytest.approx(want, rel=3e-6)


@pytest.mark.equation("observations.6")
def test_draws_of_y_have_the_mean_and_the_width_they_say():
    likelihood, output, learned, variance = gaussian("learned")
    model = observed(likelihood, Fewer(3, 0.2, (6, 12)))
    n, rng = 4000, np.random.default_rng(7)
    y = model.draw(np.broadcast_to(output[0, 0], (n, 72)), rng=rng, **learned)
    std = math.sqrt(0.2**2 + variance / 9)
    errors = (y.mean(axis=0) - model.mean(output)[0, 0]) / (std / math.sqrt(n))
    assert np.abs(errors).max() < 4.5
    errors = (y.var(axis=0) / std**2 - 1) / math.sqrt(2 / n)
    assert np.abs(errors).max() < 4.5
    pixels = observed(likelihood, Pixels(np.arange(72) > 3))
    assert not pixels.draw(output, rng=rng, **learned)[..., :4].any()


def test_draws_of_float32_stay_float32():
    mean = np.zeros((3, D), np.float32)
    y = observed(npvae.Gaussian(0.7), Noise(0.1)).draw(mean, rng=np.random.default_rng(0))
    assert y.dtype == np.float32


def test_a_likelihood_of_ones_own_needs_a_slope_of_its_mean():
    class Own(npvae.Likelihood):
        pass

    with pytest.raises(TypeError, match=r"lacks mean_backward.*only Pixels"):
        observed(Own(), Noise(0.1))
    assert observed(Own(), Pixels([1, 0])).output_width(3) == 3


def test_nothing_is_trained_on_y():
    with pytest.raises(NotImplementedError, match="not for training"):
        observed(npvae.Bernoulli(), Noise(0.1)).floor(np.zeros((2, 3)))
