"""Activations against their definitions in 400 digits, and backwards against differences."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npvae import ACTIVATIONS, check_gradient
from npvae import activations as act
from npvae.activations import Activation

FLOATS = (np.float32, np.float64)
EXTREMES = (
    *(0.0, 5e-324, 1e-310, 1e-45, 1e-40, 1e-30, 1e-15, 1e-7, 3e-4, 0.02, 0.3, 0.7, 1.0, 2.5),
    *(5.0, 9.0, 17.0, 18.0, 36.0, 40.0, 87.0, 89.0, 104.0, 709.0, 746.0, 1e4),
)
NEAR_AND_FAR = np.concatenate([np.linspace(-30, 30, 121), EXTREMES, np.negative(EXTREMES)])

backwards = pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=ACTIVATIONS.keys())


def assert_equals(forward, definition, inputs=NEAR_AND_FAR):
    """forward is within 8 units in the last place of definition, evaluated in 400 digits.

    Below the smallest normal number a result may be rounded to it or to zero.
    """
    for dtype in FLOATS:
        a = inputs.astype(dtype)
        y = forward(a)
        assert y.dtype == dtype
        eps, tiny = float(np.finfo(dtype).eps), float(np.finfo(dtype).tiny)
        with mpmath.workdps(400):
            for a_i, y_i in zip(a.tolist(), y.tolist(), strict=True):
                exact = definition(mpmath.mpf(a_i))
                assert abs(y_i - exact) <= 8 * eps * abs(exact) + tiny, (a_i, y_i, exact)


def assert_differences_agree(activation):
    """The backward, fed with the output alone, is the slope of the forward.

    Inputs stay 0.1 away from the kink at 0.
    """

    @given(shape=hnp.array_shapes(max_dims=3, max_side=5), seed=st.integers(0, 2**32 - 1))
    def agree(shape, seed):
        rng = np.random.default_rng(seed)
        a = rng.choice([-1, 1], shape) * rng.uniform(0.1, 6, shape)
        check_gradient(
            activation.forward,
            lambda dy, a: activation.backward(dy, activation.forward(a)),
            [a],
            rng=rng,
        )

    agree()


@pytest.mark.equation("activations.1")
def test_identity():
    assert_equals(act.identity, lambda a: a)


@pytest.mark.equation("activations.2")
def test_identity_backward():
    assert_differences_agree(Activation(act.identity, act.identity_backward))


@pytest.mark.equation("activations.3")
def test_tanh():
    exp = mpmath.exp
    assert_equals(act.tanh, lambda a: (exp(a) - exp(-a)) / (exp(a) + exp(-a)))


@pytest.mark.equation("activations.4")
def test_tanh_backward():
    assert_differences_agree(Activation(act.tanh, act.tanh_backward))


@pytest.mark.equation("activations.5")
def test_sigmoid():
    assert_equals(act.sigmoid, lambda a: 1 / (1 + mpmath.exp(-a)))


@pytest.mark.equation("activations.6")
def test_sigmoid_backward():
    assert_differences_agree(Activation(act.sigmoid, act.sigmoid_backward))


@pytest.mark.equation("activations.7")
def test_relu():
    assert_equals(act.relu, lambda a: a if a > 0 else 0)


@pytest.mark.equation("activations.8")
def test_relu_backward():
    assert_differences_agree(Activation(act.relu, act.relu_backward))


@pytest.mark.equation("activations.9")
def test_leaky_relu():
    assert_equals(act.leaky_relu, lambda a: a if a > 0 else a / 100)


@pytest.mark.equation("activations.10")
def test_leaky_relu_backward():
    assert_differences_agree(Activation(act.leaky_relu, act.leaky_relu_backward))


@pytest.mark.equation("activations.11")
def test_softplus():
    assert_equals(act.softplus, lambda a: mpmath.log1p(mpmath.exp(a)))


@pytest.mark.equation("activations.12")
def test_softplus_backward():
    assert_differences_agree(Activation(act.softplus, act.softplus_backward))


@pytest.mark.equation("activations.12")
def test_softplus_backward_keeps_every_digit_of_a_small_slope():
    # The slope of softplus is the sigmoid; 1 − exp(−y) would be 0 from a = −17.4 on.
    def slope(a):
        return act.softplus_backward(np.ones_like(a), act.softplus(a))

    assert_equals(slope, lambda a: 1 / (1 + mpmath.exp(-a)))


@pytest.mark.equation("activations.8", "activations.10")
def test_slope_at_the_kink_is_the_left_one():
    for zero in (0.0, -0.0):
        dy, a = np.array([3.0]), np.array([zero])
        assert act.relu_backward(dy, act.relu(a)) == 0
        np.testing.assert_allclose(act.leaky_relu_backward(dy, act.leaky_relu(a)), 0.03, 1e-15)


def test_leaky_relu_keeps_its_slope_where_its_output_is_subnormal():
    a = np.float32([-1e-45, -1e-40, 1e-45])
    da = act.leaky_relu_backward(np.ones_like(a), act.leaky_relu(a))
    np.testing.assert_array_equal(da, np.float32([0.01, 0.01, 1]))


floats = st.sampled_from(FLOATS)
shapes = hnp.array_shapes(min_dims=1, max_dims=3, max_side=9)


@backwards
@given(data=st.data(), dtype=floats, shape=shapes)
def test_float_type_and_shape_are_kept_and_arguments_left_alone(activation, data, dtype, shape):
    elements = st.floats(-1e4, 1e4, width=32)
    a, dy = (data.draw(hnp.arrays(dtype, shape, elements=elements)) for _ in range(2))
    before = a.copy(), dy.copy()
    y = activation.forward(a)
    da = activation.backward(dy, y)
    for out in (y, da):
        assert out.dtype == dtype
        assert out.shape == shape
        assert np.isfinite(out).all()
    np.testing.assert_array_equal(a, before[0])
    np.testing.assert_array_equal(dy, before[1])


@backwards
@given(data=st.data(), dtype=floats)
def test_order_is_kept_and_no_slope_leaves_the_unit_interval(activation, data, dtype):
    elements = st.floats(-1e4, 1e4, width=32)
    a = np.sort(data.draw(hnp.arrays(dtype, 50, elements=elements)))
    y = activation.forward(a)
    slope = activation.backward(np.ones_like(a), y)
    assert (slope >= 0).all()
    assert (slope <= 1).all()
    rounding = 8 * np.finfo(dtype).eps * np.abs(y[1:])
    assert (np.diff(y) >= -rounding).all()


@backwards
def test_backward_is_linear_in_dy(activation):
    rng = np.random.default_rng(0)
    y = activation.forward(rng.standard_normal((4, 6)))
    dy1, dy2 = rng.standard_normal((2, 4, 6))
    np.testing.assert_allclose(
        activation.backward(2 * dy1 - dy2, y),
        2 * activation.backward(dy1, y) - activation.backward(dy2, y),
        atol=1e-14,
    )


@backwards
def test_nan_is_passed_on(activation):
    for dtype in FLOATS:
        assert np.isnan(activation.forward(np.full(3, np.nan, dtype))).all()


def test_limits():
    limits = {
        "identity": (-np.inf, np.inf),
        "tanh": (-1, 1),
        "sigmoid": (0, 1),
        "relu": (0, np.inf),
        "leaky_relu": (-np.inf, np.inf),
        "softplus": (0, np.inf),
    }
    for name, activation in ACTIVATIONS.items():
        for dtype in FLOATS:
            y = activation.forward(np.array([-np.inf, np.inf], dtype))
            np.testing.assert_array_equal(y, np.array(limits[name], dtype), name)


def test_the_table_names_each_function_beside_its_own_backward():
    for name, activation in ACTIVATIONS.items():
        assert activation == (getattr(act, name), getattr(act, f"{name}_backward"))
