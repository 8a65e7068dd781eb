"""The checker checked: what it must reject, what it must accept, and what it cannot see."""

import re
import sys
import warnings

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

import npvae
from npvae import GradientError, check_gradient, check_model_gradient
from npvae.gradient_check.differences import (
    EPS,
    central_difference,
    moved,
    relative_error,
    rounding_error,
    slope,
    slope_jump,
    step_size,
)

seeds = st.integers(0, 2**32 - 1)


def rng(seed=0):
    return np.random.default_rng(seed)


def check(f, f_backward, *args, **options):
    """The largest relative error."""
    return max(check_gradient(f, f_backward, args, rng=rng(), **options))


def relu(x):
    return np.maximum(x, 0)


def relu_backward(dy, x):
    return dy * (x > 0)


def difference(f, x, h):
    """D_h of a function of one number."""
    x = np.array(x)
    return central_difference(lambda: f(x), 1.0, x, (), h)


# The difference quotient and its two errors

wide_steps = pytest.mark.parametrize("h", [1.0, 0.3, 1e-2, 1e-4])


@pytest.mark.equation("gradientcheck.1")
@wide_steps
@pytest.mark.parametrize("x", [-2.0, 0.0, 0.7])
def test_the_difference_quotient_of_functions_whose_quotient_is_known(x, h):
    """Addition theorems give D_h in closed form, however wide h is."""
    close = {"rtol": 1e-15 / h + 1e-14, "atol": 1e-15 / h}
    np.testing.assert_allclose(difference(np.sin, x, h), np.cos(x) * np.sin(h) / h, **close)
    np.testing.assert_allclose(difference(np.exp, x, h), np.exp(x) * np.sinh(h) / h, **close)
    np.testing.assert_allclose(difference(lambda x: x * x, x, h), 2 * x, **close)
    np.testing.assert_allclose(difference(lambda x: x**3, x, h), 3 * x**2 + h**2, **close)


@pytest.mark.equation("gradientcheck.1")
def test_the_difference_quotient_moves_one_coordinate_and_sums_over_outputs():
    x, A = rng(1).standard_normal((2, 3)), rng(2).standard_normal((3, 4))
    dy, kept = rng(3).standard_normal((2, 4)), x.copy()
    for i in range(2):
        for k in range(3):
            expected = sum(dy[i, j] * A[k, j] for j in range(4))
            found = central_difference(lambda: x @ A, dy, x, (i, k), 0.5)
            np.testing.assert_allclose(found, expected, rtol=1e-14)
    assert np.array_equal(x, kept)


@pytest.mark.equation("gradientcheck.1")
def test_the_divisor_is_the_distance_that_was_really_gone():
    """Of y = x the quotient is 1 to the last digit, though 1000 ± 1e-5 are not stored exactly."""
    assert all(difference(np.copy, x, 1e-5) == 1 for x in (0.1, 1.0, np.pi, 1000.0))


@pytest.mark.equation("gradientcheck.2")
@pytest.mark.parametrize("h", 10.0 ** -np.arange(1, 13))
def test_rounding_stays_within_its_bound_and_comes_near_it(h):
    """Against the same quotient in 50 digits."""
    worst = 0
    for x in np.linspace(0.5, 1.5, 50):
        up, down = x + h, x - h
        with mpmath.workdps(50):
            exact = (mpmath.exp(up) - mpmath.exp(down)) / (mpmath.mpf(up) - mpmath.mpf(down))
            error = abs(difference(np.exp, x, h) - exact)
        worst = max(worst, float(error / rounding_error(1.0, np.exp(x), h)))
    assert 0.02 < worst < 1


@pytest.mark.equation("gradientcheck.2")
def test_rounding_grows_with_every_output_that_is_added_up():
    y, dy = rng(1).standard_normal((3, 4)), rng(2).standard_normal((3, 4))
    parts = sum(rounding_error(dy[j], y[j], 1e-5) for j in np.ndindex(3, 4))
    np.testing.assert_allclose(rounding_error(dy, y, 1e-5), parts, rtol=1e-14)
    np.testing.assert_allclose(rounding_error(1.0, 1.0, 2.0), 2 * 2.0**-52, rtol=1e-15)


@pytest.mark.equation("gradientcheck.2")
@pytest.mark.parametrize("i", range(3))
def test_rounding_is_charged_for_the_outputs_that_moved_alone(i):
    """Of y = A x + c, output j moves with x_i if A_ji is not 0; two of five are constant."""
    A = np.array([[1, 0, 0], [2, 0, 1], [0, 1e-13, 0], [0, 0, 0], [0, 0, 0.0]])
    x, c, dy = np.ones(3), np.array([5, 0, 7, 1e9, 3.0]), rng(1).standard_normal(5)
    y = A @ x + c
    assert moved(lambda: A @ x + c, y, x, i).tolist() == (A[:, i] != 0).tolist()
    _, rounding = slope(lambda: A @ x + c, dy, y, x, i)
    expected = sum(abs(dy[j] * y[j]) for j in range(5) if A[j, i] != 0)
    # A slope of 1e-13 beside 7 cannot be seen: the first two steps agree that it is 0.
    np.testing.assert_allclose(rounding, 4 * 2.0**-52 * expected / step_size(1.0), rtol=1e-12)


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (lambda x: 1e12 + np.square(x), -0.5),  # as large at 0.5: seen at -1.5 alone
        (np.tanh, 15.0),
        (lambda x: 1 / (1 + np.exp(-x)), 36.0),
    ],
)
def test_what_moves_too_little_to_be_seen_moves_all_the_same(f, x):
    x = np.array(x)
    assert difference(f, float(x), step_size(x)) == 0
    assert moved(lambda: f(x), f(x), x, ())


def test_what_overflows_on_the_way_has_moved_without_a_warning():
    x = np.array(400.0)

    def f():
        return 1 + 1e-300 * np.exp(x)  # 1 at x, infinite at 2x

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert moved(f, f(), x, ())


KNOWN = {  # f, f', over points where f, f' and f''' have about one size
    "exp": (np.exp, np.exp, np.linspace(-0.5, 0.5, 200)),
    "sin": (np.sin, np.cos, np.linspace(0.5, 1, 200)),
    "log": (np.log, lambda x: 1 / x, np.linspace(2, 3, 200)),
}
every_known = pytest.mark.parametrize(("f", "df", "points"), KNOWN.values(), ids=KNOWN)


def rms_error(f, df, points, h):
    return np.sqrt(np.mean([(difference(f, x, h) - df(x)) ** 2 for x in points]))


@pytest.mark.equation("gradientcheck.3")
@every_known
def test_no_step_does_much_better_than_the_cube_root(f, df, points):
    steps = np.cbrt(EPS) * 4.0 ** np.arange(-6, 7)
    errors = [rms_error(f, df, points, h) for h in steps]
    ours = np.sqrt(np.mean([(difference(f, x, step_size(x)) - df(x)) ** 2 for x in points]))
    assert ours < 5 * min(errors)
    assert ours < EPS ** (2 / 3)
    assert errors[0] > 100 * ours
    assert errors[-1] > 100 * ours


@every_known
def test_the_error_falls_as_h_squared_and_then_rises_as_one_over_h(f, df, points):
    wide, narrow = 10.0 ** -np.arange(1, 4.0), 10.0 ** -np.arange(7, 12.0)
    for steps, power in ((wide, 2), (narrow, -1)):
        errors = [rms_error(f, df, points, h) for h in steps]
        fitted = np.polyfit(np.log(steps), np.log(errors), 1)[0]
        assert abs(fitted - power) < 0.05


@pytest.mark.equation("gradientcheck.3")
def test_the_step_is_relative_to_large_arguments_only():
    assert step_size(0.0) == step_size(-1.0) == np.cbrt(2.0**-52)
    assert step_size(-1000.0) == 1000 * step_size(1.0)


@pytest.mark.equation("gradientcheck.4")
@pytest.mark.parametrize("k", [1, 10, 30, 100, 300, 1000])
def test_steps_shrink_until_the_predicted_disagreement_is_small(k):
    """For sin(kx) at 0, D_h − D_{h/4} ≈ −5/32 h² k³: below 1e-9 k the two agree."""
    calls = []

    def f():
        calls.append(x.copy())
        return np.sin(k * x)

    x = np.zeros(())
    found, _ = slope(f, 1.0, np.zeros(()), x, ())
    h, shrinks = step_size(0.0), 0
    while 5 / 32 * h**2 * k**2 > 1e-9:
        h, shrinks = h / 4, shrinks + 1
    assert len(calls) == 2 * (shrinks + 2)
    disagreement = found - difference(lambda x: np.sin(k * x), 0.0, h / 4)
    np.testing.assert_allclose(disagreement, -5 / 32 * h**2 * k**3, rtol=1e-2, atol=1e-14 * k)
    np.testing.assert_allclose(found, k, rtol=1e-9)


def test_a_noisy_function_is_not_taken_at_the_narrowest_step():
    """Noise of 1e-8 is 1e-3 of the slope at the widest step and 20 times it at the narrowest;
    the closest two are now and then close by luck."""
    noise, x = rng(), np.ones(20)

    def f():
        return x + 1e-8 * noise.standard_normal(20)

    found = [slope(f, np.eye(20)[i], x.copy(), x, i)[0] for i in range(20)]
    assert np.median(np.abs(np.array(found) - 1)) < 0.005
    np.testing.assert_allclose(found, 1, atol=0.2)


@pytest.mark.equation("gradientcheck.5")
@wide_steps
def test_the_slopes_jump_of_functions_where_it_is_known(h):
    def jump(f, x):
        x = np.array(x)
        return slope_jump(lambda: f(x), 1.0, f(x), x, (), h)

    close = {"rtol": 1e-15 / h**2, "atol": 2e-15 / h}
    np.testing.assert_allclose(jump(np.abs, 0.0), 2, **close)
    np.testing.assert_allclose(jump(relu, 0.0), 1, **close)
    np.testing.assert_allclose(jump(np.square, 0.7), 2 * h, **close)
    np.testing.assert_allclose(jump(np.sin, 0.7), 2 * np.sin(0.7) * (np.cos(h) - 1) / h, **close)


@pytest.mark.equation("gradientcheck.6")
def test_the_relative_error_by_hand():
    assert relative_error(np.array([3.0, 4.0]), np.array([3.0, 4.0])) == 0
    np.testing.assert_allclose(
        relative_error(np.array([3.0, 4.5]), np.array([3.0, 4.0])), 0.5 / 29.25**0.5
    )
    np.testing.assert_allclose(
        relative_error(np.array([3.0, 4.0]), np.array([3.0, 4.5])), 0.5 / 29.25**0.5
    )
    np.testing.assert_allclose(relative_error(np.array([1.0]), np.array([-1.0])), 2)
    np.testing.assert_allclose(relative_error(np.array([1e-9]), np.array([0.0])), 1)
    np.testing.assert_allclose(relative_error(np.array([1e-9]), np.array([0.0]), 1e-3), 1e-6)
    assert relative_error(np.zeros(3), np.zeros(3)) == 0


# What is accepted and what is rejected

PAIRS = {
    "sin": (np.sin, lambda dy, x: dy * np.cos(x)),
    "exp": (np.exp, lambda dy, x: dy * np.exp(x)),
    "square": (np.square, lambda dy, x: dy * 2 * x),
    "sum of squares": (lambda x: np.sum(x * x), lambda dy, x: dy * 2 * x),
    "softmax": (
        lambda x: np.exp(x) / np.exp(x).sum(),
        lambda dy, x: (lambda p: p * (dy - np.sum(dy * p)))(np.exp(x) / np.exp(x).sum()),
    ),
    "curly": (lambda x: np.sin(100 * x), lambda dy, x: 100 * dy * np.cos(100 * x)),
    "identity": (lambda x: x, lambda dy, x: dy),
    "relu": (relu, relu_backward),
}
every_pair = pytest.mark.parametrize(("f", "f_backward"), PAIRS.values(), ids=PAIRS)


@pytest.mark.equation("gradientcheck.7")
@given(shape=array_shapes(max_dims=3, max_side=4), seed=seeds)
@every_pair
def test_right_gradients_score_below_1e_8(f, f_backward, shape, seed):
    x = 2 * rng(seed).standard_normal(shape)
    assert check(f, f_backward, x) < 1e-8


@pytest.mark.equation("gradientcheck.7")
def test_the_gradient_is_the_transposed_jacobian_times_dy():
    """A matrix that is not its own transpose tells the two products apart."""
    J = rng(1).standard_normal((4, 4))

    def transposed(dy, x):
        return np.array([sum(dy[j] * J[j, i] for j in range(4)) for i in range(4)])

    assert check(lambda x: J @ x, transposed, np.ones(4)) < 1e-9
    with pytest.raises(GradientError):
        check(lambda x: J @ x, lambda dy, x: J @ dy, np.ones(4))


@pytest.mark.equation("gradientcheck.6", "gradientcheck.7")
@given(seed=seeds, factor=st.sampled_from([0.9995, 1.0005]))
@every_pair
def test_a_gradient_wrong_by_half_a_thousandth_is_rejected(f, f_backward, seed, factor):
    x = rng(seed).standard_normal((2, 3)) + 1
    with pytest.raises(GradientError, match=r"^(x|argument 0)\[\d, \d\]: the backward gives"):
        check(f, lambda dy, x: factor * f_backward(dy, x), x)
    error = check(f, lambda dy, x: factor * f_backward(dy, x), x, tolerance=1e-2)
    np.testing.assert_allclose(error, 5e-4, rtol=2e-3)


@pytest.mark.parametrize("n", [100, 10_000, 100_000])
@pytest.mark.parametrize("wrong", [5e-7, 5e-6])
def test_many_outputs_do_not_cover_up_a_wrong_gradient(n, wrong):
    """Of f(x) = x one output moves; the rounding of all others once excused 5e-6 at 100,000."""

    def identity(x):
        return x

    options = {"coordinates": 20}
    assert check(identity, lambda dy, x: dy, np.ones(n), **options) < 1e-9
    with pytest.raises(GradientError):
        check(identity, lambda dy, x: (1 + wrong) * dy, np.ones(n), **options)


def test_a_large_constant_covers_up_nothing():
    def f(x):
        return np.append(relu(x), 1e9)

    def backward(dy, x):
        return dy[:-1] * (x > 0)

    assert check(f, backward, np.ones(3)) < 1e-9
    with pytest.raises(GradientError):
        check(f, lambda dy, x: 1.0005 * backward(dy, x), np.ones(3))
    with pytest.raises(GradientError, match="kink right there"):
        check(f, backward, np.array([0.0, 1, 1]))


@pytest.mark.parametrize("x", [[15.0, 18.0], [-16.0, 1.0], [17.0, 17.0]])
def test_right_gradients_pass_where_f_saturates(x):
    """tanh moves by less than its last digit: its slope of 1e-13 is more than the differences'."""
    check(np.tanh, lambda dy, x: dy * (1 - np.tanh(x) ** 2), np.array(x))


def test_an_f_that_refuses_what_is_far_away_is_checked_all_the_same():
    seen = []

    def f(x):
        seen.append(x.copy())
        if np.any(x <= 0):
            raise ValueError("x must be positive")
        return np.log(x)

    x = np.array([0.5, 3.0, 0.5])
    assert check(f, lambda dy, x: dy / x, x) < 1e-9
    assert any(np.any(arg <= 0) for arg in seen)
    assert np.array_equal(seen[-1][:2], x[:2])  # what was moved is put back, refused or not
    with pytest.raises(GradientError):
        check(f, lambda dy, x: 1.0005 * dy / x, x)


@pytest.mark.parametrize("wrong", range(3))
def test_one_wrong_array_of_three_is_named(wrong):
    x, W, b = rng(1).standard_normal((5, 3)), rng(2).standard_normal((3, 2)), np.ones(2)

    def backward(dy, x, W, b):
        grads = [dy @ W.T, x.T @ dy, dy.sum(axis=0)]
        grads[wrong] = grads[wrong] * 1.0005
        return grads

    with pytest.raises(GradientError, match=rf"^{'xWb'[wrong]}\["):
        check(lambda x, W, b: x @ W + b, backward, x, W, b)


@pytest.mark.parametrize("index", [(0, 0), (3, 1), (9, 9)])
def test_one_wrong_coordinate_of_a_hundred_is_named(index):
    def backward(dy, x):
        dx = dy * np.cos(x)
        dx[index] *= 1.0005
        return dx

    x = 0.1 * rng(1).standard_normal((10, 10))
    with pytest.raises(GradientError, match=re.escape(f"x[{index[0]}, {index[1]}]:")):
        check(lambda x: np.sin(x), backward, x)


def test_the_message_holds_both_numbers_and_the_error():
    with pytest.raises(GradientError) as told:
        check_gradient(
            lambda x: 3 * x.sum(), lambda dy, x: dy * [3, 3.5], (np.ones(2),), rng=rng(5)
        )
    dy = rng(5).standard_normal()
    number = r"(-?\d+\.\d+)"
    found = re.fullmatch(
        rf"x\[1\]: the backward gives {number}, central differences {number}; "
        r"relative error of the array (.*), allowed 1.0e-07",
        str(told.value),
    )
    np.testing.assert_allclose([float(found[1]), float(found[2])], [3.5 * dy, 3 * dy], rtol=1e-9)
    np.testing.assert_allclose(float(found[3]), 0.5 / (3**2 + 3.5**2) ** 0.5, rtol=0.05)


@pytest.mark.parametrize(
    ("grads", "message"),
    [
        (np.ones((3, 1)), "x has shape (3,); its gradient has (3, 1)"),
        (1.0, "x has shape (3,); its gradient has ()"),
        ((np.ones(3), np.ones(3)), "f_backward returned 2 gradients for 1 arguments"),
        ((), "f_backward returned 0 gradients for 1 arguments"),
        (np.array([1, np.nan, 1]), "x[1]: the backward gives nan"),
        (np.array([1, 1, -np.inf]), "x[2]: the backward gives -inf"),
    ],
)
def test_what_is_no_gradient_is_told(grads, message):
    with pytest.raises(GradientError, match=f"^{re.escape(message)}$"):
        check(lambda x: np.sin(x), lambda dy, x: grads, np.ones(3))


def test_one_array_for_two_arguments_is_told():
    message = "f_backward returned one array (5, 3); expected a tuple of 2 gradients"
    with pytest.raises(GradientError, match=f"^{re.escape(message)}"):
        check(lambda x, y: x * y, lambda dy, x, y: dy * y, np.ones((5, 3)), np.ones((5, 3)))


def test_arguments_have_the_names_of_the_signature():
    def f(mu, logvar, *rest):
        return mu * np.exp(logvar) * rest[0]

    args = np.ones(2), np.zeros(2), np.ones(2)
    for wrong, name in enumerate(("mu", "logvar", "argument 2")):

        def backward(dy, mu, logvar, scale, wrong=wrong):
            right = dy * np.exp(logvar) * scale, dy * f(mu, logvar, scale), dy * mu
            return [grad + (k == wrong) for k, grad in enumerate(right)]

        with pytest.raises(GradientError, match=rf"^{name}\[\d\]: the backward"):
            check_gradient(f, backward, args, rng=rng())


def test_a_function_without_a_signature_has_numbered_arguments():
    class Nameless:
        __signature__ = "none"

        def __call__(self, x):
            return 3 * x

    with pytest.raises(GradientError, match=r"^argument 0\["):
        check(Nameless(), lambda dy, x: 2 * dy, np.ones(2))


def test_a_common_factor_is_told():
    with pytest.raises(GradientError, match=r"; the backward is 2 times the differences, every"):
        check(lambda x: x**3, lambda dy, x: 6 * x**2 * dy, rng().standard_normal(5))
    with pytest.raises(GradientError) as told:
        check(lambda x: x**3, lambda dy, x: 3 * x * dy, rng().standard_normal(5))
    assert "times the differences" not in str(told.value)


# Kinks and edges


@given(
    distances=st.lists(
        st.floats(1e-8, 1e-4).flatmap(lambda d: st.sampled_from([d, -d])), min_size=1, max_size=5
    )
)
def test_a_kink_nearby_is_stepped_around(distances):
    assert check(relu, relu_backward, np.array(distances)) < 1e-8


@given(seed=seeds)
def test_a_kink_1e_7_away_is_stepped_around_on_a_slope(seed):
    x = rng(seed).uniform(0.5, 2, 4)
    kink = x + 1e-7 * rng(seed + 1).choice([-1, 1], 4) * rng(seed + 1).uniform(0.5, 1, 4)

    def backward(dy, x):
        return dy * (np.cos(x) + 3 * np.sign(x - kink))

    assert check(lambda x: np.sin(x) + 3 * np.abs(x - kink), backward, x) < 1e-7


@pytest.mark.equation("gradientcheck.5")
@pytest.mark.parametrize("x", [[0.0, 1.0], [-0.0, 1.0], [1e-12, 1.0]])
def test_on_a_kink_the_message_says_so(x):
    with pytest.raises(GradientError, match=r"^x\[0\].* kink right there"):
        check(relu, relu_backward, np.array(x))


@pytest.mark.parametrize(
    ("f", "x"), [(f, x) for f in (np.square, np.cos, np.exp) for x in (0, 0.3)] + [(relu, 1e-5)]
)
def test_a_wrong_gradient_is_not_blamed_on_a_kink(f, x):
    """Neither the turning point of x² nor a kink that can be stepped around excuses it."""
    with pytest.raises(GradientError) as told:
        check(f, lambda dy, x: dy * 7, np.array([x], float))
    assert "kink" not in str(told.value)


def test_the_edge_of_a_domain_is_stepped_around():
    x = np.array([1e-4, 1e-3, 1.0])
    assert check(np.log, lambda dy, x: dy / x, x) < 1e-8
    assert check(np.sqrt, lambda dy, x: dy / (2 * np.sqrt(x)), x) < 1e-8


def test_beyond_the_edge_nothing_is_called_right():
    with pytest.raises(GradientError, match="central differences nan"):
        check(lambda x: np.sqrt(np.abs(x) * 0 + x), lambda dy, x: dy, np.array([0.0]))


# Gradients of zero


@pytest.mark.parametrize("f", [lambda x: np.ones(2), lambda x: relu(-np.exp(x)), lambda x: 0 * x])
def test_a_gradient_of_zero_is_right_where_nothing_moves(f):
    assert check(f, lambda dy, x: np.zeros(2), np.ones(2)) == 0
    with pytest.raises(GradientError):
        check(f, lambda dy, x: np.full(2, 1e-3), np.ones(2))


@pytest.mark.equation("gradientcheck.2", "gradientcheck.6")
def test_rounding_is_no_gradient():
    """The sum of a softmax is 1 whatever x is; its differences are rounding alone."""

    def total(x):
        return 100 * np.sum(np.exp(x) / np.exp(x).sum())

    x = rng(1).standard_normal(50)
    assert any(central_difference(lambda: total(x), 1.0, x, i, step_size(0)) for i in range(50))
    assert check(total, lambda dy, x: np.zeros(50), x) < 1e-7
    assert check(total, lambda dy, x: np.full(50, 1e-16), x) < 1e-7
    with pytest.raises(GradientError):
        check(total, lambda dy, x: np.full(50, 1e-6), x)


# Arguments


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_floats_of_any_width_are_checked_in_float64(dtype):
    x = rng(1).standard_normal(3).astype(dtype)
    seen = set()

    def f(x):
        seen.add(x.dtype)
        return np.sin(x)

    assert check(f, lambda dy, x: dy * np.cos(x), x) < 1e-8
    assert seen == {np.dtype(np.float64)}
    assert x.dtype == dtype


def test_numbers_and_lists_are_arguments_too():
    assert (
        check(lambda a, x: a * x, lambda dy, a, x: (np.sum(dy * x), a * dy), 2.0, [1.0, 2.0]) < 1e-8
    )


def test_what_is_no_float_passes_through_without_gradient():
    table, rows, power = rng(1).standard_normal((4, 3)), np.array([0, 2, 2]), 3

    def f(table, rows, power, options):
        assert options["scale"] == 2
        return options["scale"] * table[rows] ** power

    def backward(dy, table, rows, power, options):
        dtable = np.zeros_like(table)
        np.add.at(dtable, rows, 2 * power * dy * table[rows] ** (power - 1))
        return dtable, None, None, None

    errors = check_gradient(f, backward, (table, rows, power, {"scale": 2}), rng=rng())
    assert len(errors) == 1
    assert errors[0] < 1e-8


@pytest.mark.parametrize("arg", [np.arange(3), 3, "three", None, (np.ones(3), np.ones(2))])
def test_a_gradient_of_what_is_no_float_is_refused(arg):
    with pytest.raises(TypeError, match=r"^k holds no floats; expected None"):
        check(lambda x, k: x, lambda dy, x, k: (dy, dy), np.ones(3), arg)


def test_an_argument_without_gradient_is_passed_over():
    assert check(lambda x, t: x * t, lambda dy, x, t: (dy * t, None), np.ones(2), np.ones(2)) < 1e-8


@pytest.mark.parametrize("factor", [1, 2])
def test_arguments_are_left_as_they_were(factor):
    x = rng(1).standard_normal((2, 3))
    kept = x.copy()
    x.flags.writeable = False
    try:
        check(np.sin, lambda dy, x: factor * dy * np.cos(x), x)
    except GradientError:
        assert factor == 2
    assert np.array_equal(x, kept)


def test_a_backward_that_overwrites_what_it_was_given_is_judged_by_what_it_returns():
    def backward(dy, x):
        dy *= np.cos(x)
        x[:] = 0.5
        return dy

    assert check(np.sin, backward, np.ones(3)) < 1e-8


def test_an_empty_argument_has_nothing_to_be_wrong():
    assert check(lambda x, y: y, lambda dy, x, y: (x, dy), np.ones((0, 3)), np.ones(2)) < 1e-8


@pytest.mark.parametrize(("coordinates", "checked"), [(1, 1), (7, 7), (100, 20), (None, 20)])
def test_coordinates_says_how_many_entries_are_checked(coordinates, checked):
    x = rng(1).standard_normal((4, 5))
    moved = set()

    def f(y):
        moved.update(zip(*np.nonzero(y != x), strict=True))
        return y

    check(f, lambda dy, y: dy, x, coordinates=coordinates)
    assert len(moved) == checked


def test_other_coordinates_are_drawn_by_another_generator():
    def backward(dy, x):
        return dy * np.where(np.arange(20) < 10, 1, 1.5)

    rejected = 0
    for seed in range(100):
        try:
            check_gradient(np.copy, backward, (np.ones(20),), rng=rng(seed), coordinates=1)
        except GradientError:
            rejected += 1
    assert abs(rejected - 50) < 4 * 5  # four standard deviations of a fair coin


@pytest.mark.parametrize(
    ("error", "message", "changes"),
    [
        (TypeError, "rng is 0 (int); expected a numpy.random.Generator", {"rng": 0}),
        (TypeError, "args is a ndarray; expected a tuple", {"args": np.ones(3)}),
        (ValueError, "tolerance is 0; expected", {"tolerance": 0}),
        (ValueError, "coordinates is 0; expected", {"coordinates": 0}),
        (TypeError, "coordinates is 1.5 (float); expected", {"coordinates": 1.5}),
        (TypeError, "f returns float32 for float64 arguments", {"f": np.float32}),
        (ValueError, "f returns NaN or inf; expected", {"f": lambda x: x + np.inf}),
    ],
)
def test_bad_arguments_are_named(error, message, changes):
    right = {"f": np.copy, "f_backward": lambda dy, x: dy, "args": (np.ones(3),), "rng": rng()}
    check_gradient(**right)
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        check_gradient(**right | changes)


# The whole model

ARRAYS = [
    f"{part}/{i}/{field}" for part in ("encoder", "decoder") for i in (0, 1) for field in "Wb"
]
D, H, Z = 3, 2, 2


def model(dtype=np.float64, hidden=(H,), activation="tanh"):
    """Every parameter drawn: zero biases and a tiny logvar head could hide an error."""
    vae = npvae.VAE.init(
        *(D,),
        hidden=hidden,
        latent_dim=Z,
        likelihood=npvae.Bernoulli(),
        activation=activation,
        dtype=dtype,
        rng=rng(),
    )
    for i, array in enumerate(vae.params.arrays().values()):
        array[...] = 0.5 * rng(i).standard_normal(array.shape)
    return vae


X, NOISE = rng(1).random((4, D)), rng(2).standard_normal((2, 4, Z))


def errors_of(vae, **options):
    return check_model_gradient(vae, X, NOISE, rng=rng(), **options)


@pytest.fixture
def sabotage(monkeypatch):
    """Replace a function that the whole model's passes call."""

    def replace(name, function):
        for module in map(sys.modules.get, ("npvae.elbo", "npvae.objectives")):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, function)

    return replace


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_models_own_gradient_is_right_in_every_array(dtype):
    vae = model(dtype=dtype)
    before = {name: array.copy() for name, array in vae.params.arrays().items()}
    errors = errors_of(vae, objective=npvae.ClosedForm(2.5))
    assert list(errors) == ARRAYS
    assert max(errors.values()) < 1e-8
    assert vae.dtype == dtype
    assert all(np.array_equal(vae.params.arrays()[name], before[name]) for name in before)


def test_a_models_relu_is_stepped_around():
    vae = model(activation="relu")
    a = X @ vae.params.encoder[0].W + vae.params.encoder[0].b
    vae.params.encoder[0].b[:] -= a[0] - [3e-8, -3e-8]  # both units of row 0 almost on the kink
    assert max(errors_of(vae).values()) < 1e-7


def assert_found(wrong, **options):
    """Exactly the named arrays are off, by far; the default tolerance rejects the first."""
    errors = errors_of(model(), tolerance=1e3, **options)
    assert {name for name, error in errors.items() if error > 1e-3} == set(wrong)
    assert all(error < 1e-8 for name, error in errors.items() if name not in wrong)
    with pytest.raises(GradientError, match=rf"^{wrong[0]}\[\d.*: the backward gives"):
        errors_of(model(), **options)


def test_the_kl_road_left_out_is_found_in_the_encoder(sabotage):
    def nothing(dkl, mu, logvar):
        return 0 * mu, 0 * logvar

    sabotage("gaussian_kl_backward", nothing)
    assert_found(ARRAYS[:4])


def test_the_road_through_z_left_out_is_found_in_the_encoder(sabotage):
    sabotage("reparameterize_backward", lambda dz, logvar, noise: (0 * logvar, 0 * logvar))
    assert_found(ARRAYS[:4])


def test_a_half_forgotten_in_dlogvar_is_found_in_the_logvar_head(sabotage):
    def doubled(dz, logvar, noise):
        return dz.sum(axis=0), np.exp(logvar / 2) * np.sum(dz * noise, axis=0)

    sabotage("reparameterize_backward", doubled)
    assert_found(ARRAYS[:4])
    linear = model(hidden=())
    with pytest.raises(GradientError, match=r"^encoder/0/W\[\d, [23]\]"):  # mu is [01]
        errors_of(linear)


@pytest.mark.equation("gradientcheck.5")
def test_a_wrong_smooth_model_is_not_said_to_have_a_kink(sabotage):
    """σ = e^logvar in the forward alone: rounding in a jump was taken for a kink, 4 times of 40."""
    sabotage("reparameterize", lambda mu, logvar, noise: mu + np.exp(logvar) * noise)
    options = {"hidden": (32,), "likelihood": npvae.Bernoulli(), "activation": "tanh"}
    told = []
    for seed in range(40):
        vae = npvae.VAE.init(12, latent_dim=3, dtype=np.float64, rng=rng(seed), **options)
        for i, array in enumerate(vae.params.arrays().values()):
            array[...] = rng([seed, i]).standard_normal(array.shape)
        x, noise = rng([seed, 100]).random((5, 12)), rng([seed, 101]).standard_normal((1, 5, 3))
        try:
            check_model_gradient(vae, x, noise, rng=rng(seed), coordinates=8)
        except GradientError as error:
            told.append(str(error))
    assert len(told) > 35  # where q is very narrow, σ is too small to matter
    assert not any("kink" in message for message in told)


def test_noise_drawn_anew_for_the_backward_is_found(sabotage):
    backward = sys.modules["npvae.elbo"].reparameterize_backward
    sabotage(
        "reparameterize_backward",
        lambda dz, logvar, noise: backward(dz, logvar, rng(9).standard_normal(noise.shape)),
    )
    assert_found(ARRAYS[:4])


def test_a_bias_gradient_averaged_for_summed_is_found_in_the_biases(monkeypatch):
    dense = sys.modules["npvae.dense"]
    right = dense.dense_backward_params

    def averaged(dy, x, out):
        dW, db = right(dy, x, out)
        db /= len(dy)
        return dense.Layer(dW, db)

    monkeypatch.setattr(dense, "dense_backward_params", averaged)
    assert_found([name for name in ARRAYS if name.endswith("b")])


def test_beta_left_out_of_the_backward_is_found(sabotage):
    right = sys.modules["npvae.objectives"].gaussian_kl_backward

    def quarter(dkl, mu, logvar):
        return right(dkl / 4, mu, logvar)

    sabotage("gaussian_kl_backward", quarter)
    assert_found(ARRAYS[:4], objective=npvae.ClosedForm(4.0))


def test_a_model_gradient_wrong_by_half_a_thousandth_is_rejected(monkeypatch):
    right = npvae.Bernoulli.log_prob_backward
    monkeypatch.setattr(
        npvae.Bernoulli,
        "log_prob_backward",
        lambda self, *args: 1.0005 * right(self, *args),
    )
    errors = errors_of(model(), tolerance=1, objective=npvae.ClosedForm(0))
    for error in errors.values():
        np.testing.assert_allclose(error, 5e-4, rtol=2e-3)
    with pytest.raises(GradientError):
        errors_of(model())


@pytest.mark.parametrize("wrong", ARRAYS)
def test_half_a_thousandth_in_one_array_is_found_in_a_bound_over_784_pixels(monkeypatch, wrong):
    """In the encoder it is 15 times what rounding explains; a floor 50 times as high hides it."""
    options = {"hidden": (4,), "latent_dim": Z, "likelihood": npvae.Bernoulli(), "rng": rng()}
    vae = npvae.VAE.init(784, activation="tanh", weight_init=0.05, **options)
    x, noise = rng(1).random((2, 784)), rng(2).standard_normal((1, 2, Z))

    def errors(**options):
        return check_model_gradient(vae, x, noise, rng=rng(3), coordinates=20, **options)

    assert max(errors().values()) < 5e-5
    checker = sys.modules["npvae.gradient_check.check"]
    right = checker.elbo_backward

    def backward(*args):
        grads = right(*args)
        grads.arrays()[wrong][...] *= 1.0005
        return grads

    monkeypatch.setattr(checker, "elbo_backward", backward)
    np.testing.assert_allclose(errors(tolerance=1)[wrong], 5e-4, rtol=0.1)
    with pytest.raises(GradientError, match=rf"^{wrong}\["):
        errors()


def test_the_error_returned_is_that_of_the_gradient_and_not_of_rounding():
    """Beside 1e6 a slope of 1 keeps four digits: the verdict forgives what the score tells."""

    def f(x):
        return x.sum() + 1e6

    error = check(f, lambda dy, x: np.full(20, dy) * (1 + 1e-5), np.ones(20))
    np.testing.assert_allclose(error, 1e-5, rtol=0.5)


def test_a_bad_batch_is_told_as_elbo_tells_it():
    with pytest.raises(ValueError, match=r"x has shape \(4, 2\); expected \(N, D\) with D = 3"):
        check_model_gradient(model(), X[:, :2], NOISE, rng=rng())
    with pytest.raises(ValueError, match=r"noise has shape \(2, 3, 2\); expected \(L, B, Z\)"):
        check_model_gradient(model(), X, NOISE[:, :3], rng=rng())
    with pytest.raises(TypeError, match="rng is None"):
        check_model_gradient(model(), X, NOISE, rng=None)


# What no gradient check can see


def test_a_wrong_forward_with_its_own_backward_passes_and_its_moments_tell():
    """σ = e^logvar for e^(logvar/2): differences agree to 1e-9, and every draw is wrong."""

    def wrong(mu, logvar, noise):
        return mu + np.exp(logvar) * noise

    def wrong_backward(dz, mu, logvar, noise):
        return dz.sum(axis=0), np.exp(logvar) * np.sum(dz * noise, axis=0), None

    mu, logvar = rng(1).standard_normal((2, 4, Z))
    assert check(wrong, wrong_backward, mu, logvar, NOISE) < 1e-8

    mu, logvar = np.zeros((1, 1)), np.full((1, 1), np.log(4.0))
    n = 10_000
    noise = rng(3).standard_normal((n, 1, 1))
    standard_error = 2 / np.sqrt(2 * n)
    assert (
        abs(np.std(npvae.reparameterization.reparameterize(mu, logvar, noise)) - 2)
        < 4 * standard_error
    )
    assert abs(np.std(wrong(mu, logvar, noise)) - 2) > 40 * standard_error


@pytest.mark.parametrize(
    ("forward", "backward", "wrong", "wrong_backward"),
    [
        (
            *("reparameterize", "reparameterize_backward"),
            lambda mu, logvar, noise: mu + np.exp(logvar) * noise,
            lambda dz, logvar, noise: (dz.sum(0), np.exp(logvar) * np.sum(dz * noise, axis=0)),
        ),
        (
            *("gaussian_kl", "gaussian_kl_backward"),
            lambda mu, logvar: -np.sum(mu * mu + np.exp(logvar) - 1 - logvar, axis=1),
            lambda dkl, mu, logvar: (-2 * dkl[:, None] * mu, -dkl[:, None] * np.expm1(logvar)),
        ),
    ],
    ids=["a standard deviation taken for its square", "a divergence of the wrong sign and size"],
)
def test_a_whole_model_with_a_wrong_forward_passes(
    sabotage, forward, backward, wrong, wrong_backward
):
    right = npvae.elbo(model(), X, NOISE).bound
    sabotage(forward, wrong)
    sabotage(backward, wrong_backward)
    assert max(errors_of(model()).values()) < 1e-8
    assert np.abs(npvae.elbo(model(), X, NOISE).bound - right).max() > 1e-3
