"""Chapter 23: the answers to its exercises, and figures that its text states."""

import math

import numpy as np
import pytest

from npvae import uses


def test_1_the_plainest_of_all():
    for q, black, mean, draw in ((0.1, 82.60, 254.87, 1e-36), (0.01, 7.88, 43.91, 4e-4)):
        log_px = 784 * math.log(1 - q)
        entropy = -784 * (q * math.log(q) + (1 - q) * math.log(1 - q))
        assert (-log_px, entropy) == pytest.approx((black, mean), abs=0.01)
        assert math.exp(log_px) == pytest.approx(draw, rel=0.5)


def test_2_by_hand():
    score, odd = [3, 5, 1, 3, 4], [1, 1, 0, 0, 0]
    answer = uses.auroc(score, odd)
    assert answer.value == pytest.approx(0.75)
    v, u = [0.5, 1], [1, 0.75, 0.5]
    assert np.mean(v) == np.mean(u) == answer.value
    error = math.sqrt(np.var(v, ddof=1) / 2 + np.var(u, ddof=1) / 3)
    assert answer.standard_error == pytest.approx(error)
    assert uses.auroc(np.negative(score), odd).value == pytest.approx(0.25)


def test_3_what_a_coder_learns():
    black, stripes = uses.code_length([[0, 0, 0, 0], [0, 1, 0, 1]], (1, 4))
    assert math.exp(-black) == pytest.approx(1 / 2 * 3 / 4 * 5 / 6 * 7 / 8)
    assert math.exp(-stripes) == pytest.approx(1 / 32)
    assert (black, stripes) == pytest.approx((1.30, 3.47), abs=0.005)


def test_4_smiles():
    smile, woman = np.repeat([[1, 1], [1, 0], [0, 1], [0, 0]], [40, 10, 10, 40], axis=0).T
    a, b = np.array([1.0, 0.0, 3.0]), np.array([0.0, 2.0, 1.0])
    mu = np.outer(smile, a) + np.outer(woman, b)
    np.testing.assert_allclose(uses.mean_shift(mu, smile), a + 0.6 * b)
    both = uses.mean_shift(mu, np.column_stack([smile, woman]))
    np.testing.assert_allclose(both, [a, b], atol=1e-12)


@pytest.mark.parametrize(
    ("noise", "r2", "leaning", "error"),
    [(0.5, (0.90, 0.95), -0.28, 0.05), (2.0, (0.48, 0.56), -4.5, 0.1)],
)
def test_5_codes_that_hold_a_property_loosely(noise, r2, leaning, error):
    rng = np.random.default_rng(0)
    rng.integers(0, 2, (28, 28)), rng.random((1000, 784))  # as in "Try it"
    t = rng.standard_normal((5000, 2)) @ [[1, 0.8], [0, 0.6]]
    A = np.array([[1.0, 0, 1], [0, 2, 0]])
    mu = t @ A + noise * rng.standard_normal((5000, 3))
    answer = uses.directions(mu, t)
    np.testing.assert_allclose(uses.mean_shift(mu, t), A, atol=error)
    np.testing.assert_allclose(answer.r2, r2, atol=0.005)
    np.testing.assert_allclose(answer.steps @ answer.weights, np.eye(2), atol=1e-9)
    assert answer.steps[0, 1] == pytest.approx(leaning, abs=0.05)


def test_black_and_noise_have_the_lengths_that_the_text_states():
    noise = np.random.default_rng(0).integers(0, 2, (50, 784))
    lengths = uses.code_length(np.vstack([np.zeros((1, 784)), noise]), (28, 28))
    assert lengths[0] == pytest.approx(3.9, abs=0.05)
    assert lengths[1:].mean() - 784 * math.log(2) == pytest.approx(30, abs=3)
