"""The answers to the exercises of derivations/08-activations.md."""

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

from npvae import ACTIVATIONS, check_gradient
from npvae.activations import sigmoid, sigmoid_backward, tanh, tanh_backward
from npvae.kernels import reference
from npvae.learn.exercises import elu_backward


def difference(f, a, h=1e-6):
    return (f(a + h) - f(a - h)) / (2 * h)


def test_1_tanh_is_a_sigmoid_in_other_units():
    a = np.linspace(-3, 3, 101)
    p = sigmoid(2 * a)
    np.testing.assert_allclose(2 * p - 1, np.tanh(a), atol=1e-15)
    np.testing.assert_allclose(2 * sigmoid_backward(np.full(101, 2.0), p), difference(np.tanh, a))
    np.testing.assert_allclose(4 * p * (1 - p), 1 - (2 * p - 1) ** 2, atol=1e-15)


@pytest.mark.parametrize(
    ("name", "inverse", "ys"),
    [
        ("tanh", lambda y: np.log((1 + y) / (1 - y)) / 2, np.linspace(-0.9, 0.9, 19)),
        ("sigmoid", lambda y: np.log(y / (1 - y)), np.linspace(0.1, 0.9, 9)),
        ("softplus", lambda y: np.log(np.exp(y) - 1), np.linspace(0.1, 5, 20)),
    ],
)
def test_2_a_slope_is_one_over_the_slope_of_the_inverse(name, inverse, ys):
    forward, backward = ACTIVATIONS[name]
    np.testing.assert_allclose(forward(inverse(ys)), ys, rtol=1e-13)
    np.testing.assert_allclose(backward(np.ones_like(ys), ys), 1 / difference(inverse, ys), 1e-7)


def test_3_silu_has_two_slopes_for_one_output():
    def silu(a):
        return a / (1 + np.exp(-a))

    lowest = minimize_scalar(silu, bounds=(-3, 0), method="bounded", options={"xatol": 1e-9})
    np.testing.assert_allclose([lowest.x, lowest.fun], [-1.278, -0.278], atol=6e-4)
    left, right = (brentq(lambda a: silu(a) + 0.2, *side) for side in ((-9, -1.278), (-1.278, 0)))
    np.testing.assert_allclose([left, right], [-2.396, -0.545], atol=6e-4)
    slopes = difference(silu, np.array([left, right]))
    np.testing.assert_allclose(slopes, [-0.100, 0.240], atol=6e-4)


@pytest.mark.equation("exercises.1")
def test_4_elu_from_its_output():
    def elu(a):
        return np.where(a > 0, a, np.expm1(a))

    def backward(dy, a):
        return elu_backward(dy, elu(a))

    rng = np.random.default_rng(0)
    check_gradient(elu, backward, [rng.uniform(-3, 3, 40)], rng=rng)
    np.testing.assert_allclose(difference(elu, np.zeros(1)), 1, rtol=1e-6)


def test_5_six_sigmoids_shrink_a_gradient_at_least_4096_times():
    a = np.linspace(-10, 10, 2001)

    def six(f, a):
        for _ in range(6):
            a = f(a)
        return a

    assert difference(lambda a: six(sigmoid, a), a).max() <= 1 / 4096
    np.testing.assert_allclose(difference(lambda a: six(tanh, a), np.zeros(1)), 1, rtol=1e-9)


@pytest.mark.parametrize(("dtype", "end"), [(np.float16, 4.51), (np.float32, 9.01)])
def test_6_where_the_slope_of_tanh_ends(dtype, end):
    """The nearest number of dtype to tanh(a) is 1 beyond the end, and less than 1 before it."""
    before, beyond = np.tanh([end - 0.01, end + 0.01]).astype(dtype)
    assert before < 1
    assert beyond == 1
    assert tanh_backward(np.ones(1, np.float32), np.ones(1, np.float32)) == 0


def test_7_a_negative_leaky_slope_has_a_backward_that_is_wrong():
    a = np.array([-2.0, 3.0])
    y = reference.leaky_relu(a, -0.01)
    np.testing.assert_allclose(y, [0.02, 3])
    np.testing.assert_array_equal(reference.leaky_relu_backward(np.ones(2), y, -0.01), 1)


def test_the_table_of_lost_slopes():
    """In float32; an engine may be a unit in the last place off, so some way around the end."""
    for name, lost, kept in (
        ("tanh", (-10.1, 10.1), (-8.5, 8.5)),
        ("sigmoid", (17.5, -105), (16.5, -87)),
        ("relu", (-1e-30, 0), (1e-30,)),
        ("softplus", (-105,), (-87, 1e4)),
        ("leaky_relu", (), (-1e4, -1e-30)),
    ):
        forward, backward = ACTIVATIONS[name]
        slope = [backward(np.ones_like(a), forward(a)) for a in map(np.float32, (lost, kept))]
        assert (slope[0] == 0).all(), name
        assert (slope[1] > 0).all(), name


def test_softplus_exceeds_relu_by_log_2_at_most():
    a = np.linspace(-20, 20, 4001)
    gap = ACTIVATIONS["softplus"].forward(a) - ACTIVATIONS["relu"].forward(a)
    assert gap.max() == gap[2000] == pytest.approx(np.log(2))
    assert (gap > 0).all()
