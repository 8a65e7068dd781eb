"""The answers to the exercises of derivations/12-gradient-check.md."""

import contextlib

import numpy as np
import pytest
from scipy.stats import hypergeom

import npvae
from npvae.gradient_check import central_difference, relative_error

EPS = 2.0**-52


def difference(f, x, h):
    x = np.array(x)
    return central_difference(lambda: f(x), 1.0, x, (), h)


def test_1_one_side_only():
    def error(h):
        """The worst over points so near 0 that exp and its derivatives are 1 there."""
        x = np.linspace(0, 1e-6, 300)
        return np.max(np.abs((np.exp(x + h) - np.exp(x)) / ((x + h) - x) - np.exp(x)))

    best = np.sqrt(2 * EPS)
    assert best == pytest.approx(2.1e-8, abs=5e-10)
    assert 5e-9 < error(best) < 1.05 * best
    for factor in (30, 1 / 30):
        assert error(best * factor) > 5 * error(best)


@pytest.mark.parametrize(
    ("f", "df", "fifth"),
    [
        (np.exp, np.exp, np.exp),
        (np.sin, np.cos, np.cos),
        (lambda x: x**5, lambda x: 5 * x**4, lambda x: 120),
    ],
    ids=["exp", "sin", "fifth power"],
)
def test_2_a_better_formula(f, df, fifth):
    x, h = 0.7, 0.1
    combined = (16 * difference(f, x, h / 4) - difference(f, x, h)) / 15
    assert combined - df(x) == pytest.approx(-(h**4) / 1920 * fifth(x), rel=2e-3)
    steps = 4.0 ** -np.arange(1, 13)
    errors = [abs((16 * difference(f, x, h / 4) - difference(f, x, h)) / 15 - df(x)) for h in steps]
    assert min(errors) < 1e-12


def test_3_no_subtraction():
    def imaginary(f, x, h):
        return (f(x + 1j * h) / h).imag

    assert imaginary(np.sin, 0.7, 1e-20) == pytest.approx(np.cos(0.7), rel=1e-15)
    h = 1e-3
    truncation = imaginary(np.sin, 0.7, h) - np.cos(0.7)
    assert truncation == pytest.approx(-(h**2) / 6 * -np.cos(0.7), rel=1e-5)
    assert imaginary(np.abs, 0.7, 1e-20) == 0


def test_4_float32_at_minus_500_nats():
    def share(dtype):
        w = np.linspace(0, 1, 5000).astype(dtype)
        up, down = w + dtype(4.9e-3), w - dtype(4.9e-3)
        bound = [dtype(-500) + dtype(0.1) * np.sin(end) for end in (up, down)]
        slope = 0.1 * (np.sin(up.astype(float)) - np.sin(down.astype(float)))
        error = (bound[0] - bound[1] - slope) / (up - down)
        return np.sqrt(np.mean(error**2)) / np.mean(0.1 * np.cos(w))

    assert np.spacing(np.float32(500)) == pytest.approx(3.05e-5, rel=1e-3)
    assert share(np.float32) == pytest.approx(0.015, rel=0.1)
    assert share(np.float64) < 5e-8


def test_5_sampling():
    size = 10_000_000
    assert hypergeom.pmf(0, size, size // 100, 458) > 0.01
    assert hypergeom.pmf(0, size, size // 100, 459) < 0.01


@pytest.mark.parametrize("n", [100, 10_000, 1_000_000])
def test_6_a_needle(n):
    dx = np.ones(n)
    dx[n // 2] = 1.0005
    score = relative_error(dx, np.ones(n))
    assert score == pytest.approx(1e-7 * np.sqrt(25e6 / n), rel=1e-3)


def test_6_a_needle_in_a_thousand_is_rejected():
    def backward(dy, x):
        dx = np.full(1000, dy)
        dx[3] *= 1.0005
        return dx

    with pytest.raises(npvae.GradientError, match=r"^a\[3\]"):
        npvae.check_gradient(np.sum, backward, (np.ones(1000),), rng=np.random.default_rng(0))


@pytest.mark.parametrize(("n", "passes"), [(900, False), (1200, True)])
def test_6_a_needle_passes_in_a_sum_where_rounding_explains_it(n, passes):
    """(δ h/4ε)^⅔ is 22,700 for δ = 5e-4, and 1,053 for δ = 5e-6."""
    h, wrong = np.cbrt(EPS), 5e-6
    assert (5e-4 * h / (4 * EPS)) ** (2 / 3) == pytest.approx(22_700, rel=0.01)
    assert (n > (wrong * h / (4 * EPS)) ** (2 / 3)) == passes

    def backward(dy, x):
        dx = np.full(n, dy)
        dx[3] += wrong * dy
        return dx

    expected = contextlib.nullcontext() if passes else pytest.raises(npvae.GradientError)
    with expected:
        npvae.check_gradient(one_sum, backward, (np.ones(n),), rng=np.random.default_rng(0))


@pytest.mark.parametrize("share", [0.9, 1.1])
def test_6_the_same_needle_is_found_where_the_numbers_are_not_added_up(share):
    """f(x) = x: the score alone decides, 1e-7 of the norm, though 3000 passes in the sum."""
    n, needle = 3000, 6
    dy = np.random.default_rng(0).standard_normal(n)
    wrong = share * 1e-7 * np.linalg.norm(dy) / abs(dy[needle])

    def backward(dy, x):
        dx = dy.copy()
        dx[needle] *= 1 + wrong
        return dx

    expected = contextlib.nullcontext() if share < 1 else pytest.raises(npvae.GradientError)
    with expected:
        npvae.check_gradient(lambda x: x, backward, (np.ones(n),), rng=np.random.default_rng(0))
    h = np.cbrt(EPS)
    assert n > (wrong * h / (4 * EPS)) ** (2 / 3)


def one_sum(x):
    return np.sum(x)


def test_6_the_floor_of_the_numbers_as_they_are():
    """4ε/h for each of n entries of size 1, over the tolerance, stays below their norm √n."""
    assert 4 * EPS / np.cbrt(EPS) / 1e-7 == pytest.approx(1.5e-3, rel=0.05)


def test_7_both_branches_rise_together():
    def rms_error(points, h):
        return np.sqrt(np.mean([(difference(np.exp, x, h) - np.exp(x)) ** 2 for x in points]))

    points = np.linspace(0.5, 1, 200)
    assert np.exp(10) == pytest.approx(22_026, abs=1)
    for h, rel in ((1e-2, 1e-3), (1e-9, 0.5)):
        ratio = rms_error(points + 10, h) / rms_error(points, h)
        assert ratio == pytest.approx(np.exp(10), rel=rel)
