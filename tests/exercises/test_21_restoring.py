"""Chapter 21: the answers to its exercises."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

from npvae.posterior import Blur, Linear
from npvae.posterior.observations import check_transpose


def test_1_a_draw_has_twice_the_squared_error_of_the_mean():
    rng = np.random.default_rng(0)
    x, other = np.exp(rng.standard_normal((2, 200_000, 3)))  # any distribution
    of_mean = np.mean((x - np.exp(0.5)) ** 2)
    assert np.mean((x - other) ** 2) / of_mean == pytest.approx(2, rel=0.05)
    assert 10 * np.log10(2) == pytest.approx(3.01, abs=5e-3)


@pytest.mark.parametrize("a", [-3.0, 0.4, 5.0])
@pytest.mark.parametrize("y", [-0.6, 0.4, 1.3])
def test_2_binary_pixels_and_noise(a, y):
    sigma = 0.4

    def softplus(t):
        return np.logaddexp(0, t)

    def log_p(a):
        return norm.logpdf(y, 0, sigma) + softplus(a + delta) - softplus(a)

    delta, p = (2 * y - 1) / (2 * sigma**2), 1 / (1 + np.exp(-a))
    white, black = p * norm.pdf(y, 1, sigma), (1 - p) * norm.pdf(y, 0, sigma)
    assert log_p(a) == pytest.approx(np.log(white + black), rel=1e-12)
    answer = 1 / (1 + np.exp(-(a + delta)))
    assert answer == pytest.approx(white / (white + black), rel=1e-12)
    slope = (log_p(a + 1e-5) - log_p(a - 1e-5)) / 2e-5
    assert slope == pytest.approx(answer - p, abs=1e-8)
    mass = quad(lambda t: p * norm.pdf(t, 1, sigma) + (1 - p) * norm.pdf(t, 0, sigma), -9, 9)[0]
    assert mass == pytest.approx(1)


def test_3_blur_exactly():
    blur, rng = Blur(1.0, 0.3, (3, 4)), np.random.default_rng(0)
    A, sigma_x = blur.apply(np.eye(12)).T, 0.6
    m, y = rng.standard_normal((2, 12))
    covariance = sigma_x**2 * A @ A.T + 0.09 * np.eye(12)
    want = multivariate_normal(A @ m, covariance).logpdf(y)
    R, C = blur.matrices
    (U, s, _), (V, t, _) = np.linalg.svd(R), np.linalg.svd(C)
    turned = U.T @ (y - A @ m).reshape(3, 4) @ V
    v = 0.09 + sigma_x**2 * np.outer(s, t) ** 2
    assert norm.logpdf(turned, 0, np.sqrt(v)).sum() == pytest.approx(want, rel=1e-12)


def test_4_the_transpose_of_a_shift():
    def right(x):
        return np.concatenate([np.zeros_like(x[..., :1]), x[..., :-1]], axis=-1)

    def left(y):
        return np.concatenate([y[..., 1:], np.zeros_like(y[..., :1])], axis=-1)

    check_transpose(Linear(right, left, sigma=0.1), 5)
    np.testing.assert_array_equal(right(left(np.eye(5))), np.diag([0, 1, 1, 1, 1]))
