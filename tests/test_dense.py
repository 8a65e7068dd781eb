"""Dense layers against plain loops and central differences; initial weights by their moments."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from npvae import ACTIVATIONS, check_gradient
from npvae.dense import (
    Layer,
    dense,
    dense_backward_input,
    dense_backward_params,
    glorot_uniform,
    he_normal,
    init_layers,
    stack,
    stack_backward,
    stack_backward_input,
)

FLOATS = (np.float32, np.float64)
STANDARD_ERRORS = 4

sizes = st.integers(1, 12)
seeds = st.integers(0, 2**32 - 1)
floats = st.sampled_from(FLOATS)
every_activation = pytest.mark.parametrize("name", ACTIVATIONS)


def assert_within_rounding(actual, expected, magnitude, terms):
    """|actual − expected| is within the bound for a sum of so many products, in any order.

    magnitude is that sum with every product taken positive.
    """
    eps = np.finfo(actual.dtype).eps
    assert actual.shape == np.shape(expected)
    assert (np.abs(actual - np.array(expected)) <= (terms + 2) * eps * np.array(magnitude)).all()


def product(a, b):
    """a b by the definition, in Python's floats."""
    (m, k), n = a.shape, b.shape[1]
    a, b = a.tolist(), b.tolist()
    return [[sum(a[i][p] * b[p][j] for p in range(k)) for j in range(n)] for i in range(m)]


def random(dtype, seed, *shapes):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


@pytest.mark.equation("dense.1")
@given(N=sizes, D_in=sizes, D_out=sizes, seed=seeds, dtype=floats)
def test_dense(N, D_in, D_out, seed, dtype):
    x, W, b = random(dtype, seed, (N, D_in), (D_in, D_out), D_out)
    y = dense(x, W, b)
    assert y.dtype == dtype
    expected = product(x, W) + b.astype(float)
    assert_within_rounding(y, expected, product(abs(x), abs(W)) + abs(b), D_in + 1)


@pytest.mark.equation("dense.1")
def test_dense_by_hand():
    x, W = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[5.0, 6.0, 7.0], [8.0, 9.0, 10.0]])
    np.testing.assert_array_equal(
        dense(x, W, np.array([100.0, 200.0, 300.0])), [[121, 224, 327], [147, 254, 361]]
    )


@pytest.mark.equation("dense.2")
@given(N=sizes, D_in=sizes, D_out=sizes, seed=seeds, dtype=floats)
def test_dense_backward_input(N, D_in, D_out, seed, dtype):
    dy, W = random(dtype, seed, (N, D_out), (D_in, D_out))
    dx = dense_backward_input(dy, W)
    assert dx.dtype == dtype
    assert_within_rounding(dx, product(dy, W.T), product(abs(dy), abs(W.T)), D_out)


@pytest.mark.equation("dense.3")
@given(N=sizes, D_in=sizes, D_out=sizes, seed=seeds, dtype=floats)
def test_dense_backward_params(N, D_in, D_out, seed, dtype):
    dy, x = random(dtype, seed, (N, D_out), (N, D_in))
    dW, db = dense_backward_params(dy, x)
    assert dW.dtype == db.dtype == dtype
    assert_within_rounding(dW, product(x.T, dy), product(abs(x.T), abs(dy)), N)
    columns = dy.T.tolist()
    expected = [sum(column) for column in columns]
    assert_within_rounding(db, expected, [sum(map(abs, column)) for column in columns], N)


@pytest.mark.equation("dense.2", "dense.3")
@given(N=st.integers(1, 5), D_in=st.integers(1, 5), D_out=st.integers(1, 5), seed=seeds)
def test_dense_backward_against_differences(N, D_in, D_out, seed):
    def backward(dy, x, W, b):
        return dense_backward_input(dy, W), *dense_backward_params(dy, x)

    args = random(np.float64, seed, (N, D_in), (D_in, D_out), D_out)
    check_gradient(dense, backward, args, rng=np.random.default_rng(seed))


@every_activation
@pytest.mark.equation("dense.4")
def test_stack_is_its_layers_one_after_another(name):
    forward = ACTIVATIONS[name].forward
    x, W1, b1, W2, b2, W3, b3 = random(np.float64, 0, (6, 5), (5, 7), 7, (7, 4), 4, (4, 3), 3)
    hidden, y = stack(x, (Layer(W1, b1), Layer(W2, b2), Layer(W3, b3)), ACTIVATIONS[name])
    h1 = forward(x @ W1 + b1)
    h2 = forward(h1 @ W2 + b2)
    assert len(hidden) == 2
    np.testing.assert_allclose(hidden[0], h1, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(hidden[1], h2, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(y, h2 @ W3 + b3, rtol=1e-13, atol=1e-14)


@every_activation
@pytest.mark.equation("dense.9")
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_gradient_of_a_stacks_input_alone(name, depth):
    widths = (3, 5, 4, 2)[3 - depth :]
    rng, activation = np.random.default_rng(depth), ACTIVATIONS[name]
    layers = init_layers(widths, 0.8, dtype=np.float64, rng=rng)

    def backward(dy, x):
        hidden, _ = stack(x, layers, activation)
        dx = stack_backward_input(dy, layers, activation, hidden)
        da, _ = stack_backward(dy, x, layers, activation, hidden)
        np.testing.assert_array_equal(dx, dense_backward_input(da, layers[0].W))
        return dx

    x = rng.standard_normal((6, widths[0]))
    check_gradient(lambda x: stack(x, layers, activation)[1], backward, [x], rng=rng)


@every_activation
@pytest.mark.equation("dense.4")
def test_the_last_layer_is_linear(name):
    x, W, b = random(np.float64, 1, (4, 3), (3, 2), 2)
    hidden, y = stack(x, (Layer(W, b),), ACTIVATIONS[name])
    assert hidden == ()
    np.testing.assert_array_equal(y, dense(x, W, b))


def distance_from_kink(x, layers, forward):
    """The smallest |a| that an activation is given; a difference step moves it by about 1e-5."""
    nearest, h = np.inf, x
    for W, b in layers[:-1]:
        a = h @ W + b
        nearest, h = min(nearest, np.abs(a).min()), forward(a)
    return nearest


@every_activation
@pytest.mark.equation("dense.2", "dense.5")
@given(N=st.integers(1, 4), widths=st.lists(st.integers(1, 5), min_size=2, max_size=5), seed=seeds)
def test_stack_backward_against_differences(name, N, widths, seed):
    """In x, through the first layer's da, and in every weight and bias."""
    activation = ACTIVATIONS[name]
    rng = np.random.default_rng(seed)
    layers = init_layers(widths, 0.8, dtype=np.float64, rng=rng)
    for layer in layers:
        layer.b[:] = rng.normal(0, 0.3, layer.b.shape)
    x = rng.standard_normal((N, widths[0]))
    assume(distance_from_kink(x, layers, activation.forward) > 1e-4)

    def paired(arrays):
        return tuple(map(Layer, arrays[::2], arrays[1::2]))

    def f(x, *arrays):
        return stack(x, paired(arrays), activation)[1]

    def f_backward(dy, x, *arrays):
        layers = paired(arrays)
        hidden, _ = stack(x, layers, activation)
        da, dlayers = stack_backward(dy, x, layers, activation, hidden)
        assert da.shape == (len(x), widths[1])
        return dense_backward_input(da, layers[0].W), *(dv for layer in dlayers for dv in layer)

    check_gradient(f, f_backward, [x, *(v for layer in layers for v in layer)], rng=rng)


@every_activation
@given(seed=seeds, dtype=floats, widths=st.lists(sizes, min_size=2, max_size=4), N=sizes)
def test_stacks_keep_float_type_and_shapes_and_leave_arguments_alone(name, seed, dtype, widths, N):
    layers = init_layers(widths, "glorot", dtype=dtype, rng=np.random.default_rng(seed))
    x, dy = random(dtype, seed, (N, widths[0]), (N, widths[-1]))
    hidden, y = stack(x, layers, ACTIVATIONS[name])
    arguments = [x, dy, *(v for layer in layers for v in layer), *hidden]
    before = [v.copy() for v in arguments]
    da, dlayers = stack_backward(dy, x, layers, ACTIVATIONS[name], hidden)
    results = [*hidden, y, da, *(v for layer in dlayers for v in layer)]
    assert {v.dtype for v in results} == {np.dtype(dtype)}
    assert [v.shape for v in hidden] == [(N, H) for H in widths[1:-1]]
    assert [(W.shape, b.shape) for W, b in dlayers] == [(W.shape, b.shape) for W, b in layers]
    for v, then in zip(arguments, before, strict=True):
        np.testing.assert_array_equal(v, then)


def test_rows_do_not_see_each_other():
    layers = init_layers((5, 8, 3), "glorot", dtype=np.float32, rng=np.random.default_rng(0))
    (x,) = random(np.float32, 1, (9, 5))
    order = np.random.default_rng(2).permutation(9)
    _, y = stack(x, layers, ACTIVATIONS["tanh"])
    _, permuted = stack(x[order], layers, ACTIVATIONS["tanh"])
    np.testing.assert_allclose(permuted, y[order], rtol=1e-5, atol=1e-6)


def assert_moments(w, *, variance, kurtosis):
    """The mean, and the second and fourth moments about 0, within 4 standard errors."""
    for sample, expected in (
        (w, 0),
        (w**2, variance),
        (w**4, kurtosis * variance**2),
    ):
        standard_error = sample.std() / np.sqrt(sample.size)
        assert abs(sample.mean() - expected) <= STANDARD_ERRORS * standard_error


@pytest.mark.equation("dense.6")
def test_glorot_uniform_fills_its_range_evenly():
    W = glorot_uniform((300, 500), rng=np.random.default_rng(0))
    assert W.shape == (300, 500)
    edge = np.sqrt(6 / 800)
    assert 0.999 * edge < np.abs(W).max() <= edge
    assert_moments(W.ravel(), variance=2 / 800, kurtosis=9 / 5)


@pytest.mark.equation("dense.6")
@pytest.mark.parametrize(("D_in", "D_out"), [(300, 300), (200, 400), (400, 200)])
def test_glorot_uniform_shares_the_change_of_scale_between_forward_and_backward(D_in, D_out):
    """Mean squares change by 2 D_in/(D_in + D_out) forward, 2 D_out/(D_in + D_out) backward."""
    rng = np.random.default_rng(1)
    x, dy = np.ones((1, D_in)), np.ones((1, D_out))
    draws = [glorot_uniform((D_in, D_out), rng=rng) for _ in range(40)]
    forward = np.concatenate([dense(x, W, np.zeros(D_out))[0] for W in draws])
    backward = np.concatenate([dense_backward_input(dy, W)[0] for W in draws])
    for v, D in ((forward, D_in), (backward, D_out)):
        error = (v**2).std() / np.sqrt(v.size)
        assert abs(np.mean(v**2) - 2 * D / (D_in + D_out)) <= STANDARD_ERRORS * error


@pytest.mark.equation("dense.7")
def test_he_normal_is_normal():
    W = he_normal((300, 500), rng=np.random.default_rng(0))
    assert W.shape == (300, 500)
    assert_moments(W.ravel(), variance=2 / 300, kurtosis=3)


@pytest.mark.equation("dense.7")
def test_he_normal_keeps_the_mean_square_through_relu():
    """E[a²] of a layer's input to ReLU equals E[a²] of the next layer's, whatever the widths."""
    rng = np.random.default_rng(2)
    a = rng.standard_normal((1, 4000))
    h = ACTIVATIONS["relu"].forward(a)
    b = np.zeros(200)
    draws = [dense(h, he_normal((4000, 200), rng=rng), b)[0] for _ in range(10)]
    squares = np.square(draws).ravel()
    # The spread of squares about 2 mean(h²) comes from W, that of mean(h²) about ½ from a.
    error = np.hypot(squares.std() / np.sqrt(squares.size), 2 * (h**2).std() / np.sqrt(h.size))
    assert abs(squares.mean() - 1) <= STANDARD_ERRORS * error


@pytest.mark.equation("dense.8")
def test_init_layers_draws_what_weight_init_says():
    rng = np.random.default_rng(3)
    for weight_init, variances, kurtosis in (
        ("glorot", (2 / 500, 2 / 600), 9 / 5),
        ("he", (2 / 200, 2 / 300), 3),
        (0.05, (0.05**2, 0.05**2), 3),
    ):
        layers = init_layers((200, 300, 300), weight_init, dtype=np.float64, rng=rng)
        for (W, b), D_in, variance in zip(layers, (200, 300), variances, strict=True):
            assert W.shape == (D_in, 300)
            assert_moments(W.ravel(), variance=variance, kurtosis=kurtosis)
            np.testing.assert_array_equal(b, np.zeros(300))


@pytest.mark.equation("dense.8")
@pytest.mark.parametrize("weight_init", ["glorot", "he", 0.01])
def test_initial_layers_are_independent(weight_init):
    """Correlations between two layers, and between halves of one, are those of noise."""
    rng = np.random.default_rng(4)
    (W1, _), (W2, _) = init_layers((200, 200, 200), weight_init, dtype=np.float64, rng=rng)
    for v, w in ((W1, W2), (W1, W2.T), (W1[:, :100], W1[:, 100:]), (W1[:100], W1[100:])):
        correlation = np.corrcoef(v.ravel(), w.ravel())[0, 1]
        assert abs(correlation) <= STANDARD_ERRORS / np.sqrt(v.size)


@pytest.mark.parametrize("weight_init", ["glorot", "he", 0.01])
def test_initial_layers_have_the_float_type_asked_for_and_are_drawn_from_rng(weight_init):
    for dtype in FLOATS:
        one, same, other = (
            init_layers((5, 4, 3), weight_init, dtype=dtype, rng=np.random.default_rng(seed))
            for seed in (0, 0, 1)
        )
        for layer, again, different in zip(one, same, other, strict=True):
            assert layer.W.dtype == layer.b.dtype == dtype
            np.testing.assert_array_equal(layer.W, again.W)
            assert (layer.W != different.W).all()
