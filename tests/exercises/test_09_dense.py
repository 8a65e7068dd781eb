"""The answers to the exercises of derivations/09-dense.md."""

import sys

import numpy as np
import pytest

from npvae import ACTIVATIONS, GradientError, check_gradient
from npvae.dense import (
    Layer,
    dense,
    dense_backward_input,
    dense_backward_params,
    glorot_uniform,
    init_layers,
    stack,
    stack_backward,
)

dense_module = sys.modules["npvae.dense"]


def random(*shapes):
    rng = np.random.default_rng(9)
    return [rng.standard_normal(shape) for shape in shapes]


def test_1_by_hand():
    """y as a sum over rows of W, and gradients as the effect of adding 1 to a number."""
    x, W = np.array([[1, 2], [3, 4]]), np.array([[1, 0, -1], [2, 1, 0]])
    b, dy = np.array([0, 1, 2]), np.array([[1, 0, 2], [0, 1, -1]])

    def loss(x, W, b):
        rows = [row[0] * W[0] + row[1] * W[1] + b for row in x]
        return np.sum(dy * rows)

    def effects(which):
        args = [x, W, b]
        changed = np.zeros(args[which].shape)
        for index in np.ndindex(changed.shape):
            more = args[which].copy()
            more[index] += 1
            changed[index] = loss(*args[:which], more, *args[which + 1 :]) - loss(x, W, b)
        return changed

    np.testing.assert_array_equal(effects(0), [[-1, 2], [1, 1]])
    np.testing.assert_array_equal(effects(1), [[1, 3, -1], [2, 4, 0]])
    np.testing.assert_array_equal(effects(2), [1, 1, 1])
    x, W, b, dy = (v.astype(float) for v in (x, W, b, dy))
    np.testing.assert_array_equal(dense(x, W, b), [[5, 3, 1], [11, 5, -1]])
    np.testing.assert_array_equal(dense_backward_input(dy, W), effects(0))
    for gradient, which in zip(dense_backward_params(dy, x), (1, 2), strict=True):
        np.testing.assert_array_equal(gradient, effects(which))


def test_2_the_bias_is_the_weight_of_a_one():
    x, W, b, dy = random((5, 3), (3, 4), 4, (5, 4))
    x1 = np.column_stack([x, np.ones(5)])
    np.testing.assert_allclose(x1 @ np.vstack([W, b]), dense(x, W, b), rtol=1e-13)
    np.testing.assert_allclose(x1.T @ dy, np.vstack(dense_backward_params(dy, x)), rtol=1e-13)


def test_3_a_batch_given_twice():
    x, W, dy = random((5, 3), (3, 4), (5, 4))
    once, twice = (
        dense_backward_params(dy, x),
        dense_backward_params(np.vstack([dy, dy]) / 2, np.vstack([x, x])),
    )
    for v, w in zip(once, twice, strict=True):
        np.testing.assert_allclose(v, w, rtol=1e-13, atol=1e-15)
    dx = dense_backward_input(dy, W)
    halved = dense_backward_input(np.vstack([dy, dy]) / 2, W)
    np.testing.assert_allclose(halved, np.vstack([dx, dx]) / 2, rtol=1e-13)


def test_4_two_linear_layers_are_one():
    rng = np.random.default_rng(0)
    layers = init_layers((784, 20, 784), "glorot", dtype=np.float64, rng=rng)
    (W1, _), (W2, _) = layers
    b1, b2 = rng.standard_normal(20), rng.standard_normal(784)
    x = rng.standard_normal((3, 784))
    _, y = stack(x, (Layer(W1, b1), Layer(W2, b2)), ACTIVATIONS["identity"])
    np.testing.assert_allclose(y, dense(x, W1 @ W2, b1 @ W2 + b2), rtol=1e-9, atol=1e-12)
    assert sum(v.size for layer in layers for v in layer) == 32_164
    assert W1.shape[0] * W2.shape[1] + W2.shape[1] == 615_440
    assert np.linalg.matrix_rank(W1 @ W2) == 20


def test_5_equal_units_stay_equal():
    rng = np.random.default_rng(0)
    layers = (
        Layer(np.full((3, 4), 0.1), np.zeros(4)),
        Layer(np.full((4, 2), 0.1), np.zeros(2)),
    )
    x, target = rng.standard_normal((8, 3)), rng.standard_normal((8, 2))
    start = layers[0].W.copy()
    for _ in range(10):
        hidden, y = stack(x, layers, ACTIVATIONS["tanh"])
        _, dlayers = stack_backward(y - target, x, layers, ACTIVATIONS["tanh"], hidden)
        for layer, dlayer in zip(layers, dlayers, strict=True):
            for v, dv in zip(layer, dlayer, strict=True):
                v -= 0.05 * dv
    W = layers[0].W
    np.testing.assert_allclose(W, W[:, :1] * np.ones(4), rtol=1e-12)
    assert np.abs(W - start).min() > 1e-3


def test_6_the_factor_of_a_layer():
    """Measured on ten tanh layers, within 4 standard errors of √(2 / (500·20)) / 2 = 0.7 %."""
    np.testing.assert_allclose(np.sqrt(500) * 0.01, 0.2236, atol=5e-5)
    rng = np.random.default_rng(0)
    layers = init_layers((500,) * 12, 0.01, dtype=np.float64, rng=rng)
    hidden, _ = stack(0.01 * rng.standard_normal((20, 500)), layers, ACTIVATIONS["tanh"])
    sizes = [0.01, *(np.sqrt(np.mean(h**2)) for h in hidden)]
    np.testing.assert_allclose(np.divide(sizes[1:], sizes[:-1]), 0.2236, rtol=0.028)
    np.testing.assert_allclose(sizes[10] / sizes[0], 3.1e-7, rtol=0.1)
    keeping = glorot_uniform((500, 500), rng=rng).std()
    np.testing.assert_allclose(keeping, 1 / np.sqrt(500), rtol=0.01)


def test_the_order_of_a_sum_decides_its_last_digit():
    """The numbers of the section on floating point."""
    rng = np.random.default_rng(0)
    x = rng.random((100, 784)).astype(np.float32)
    W = glorot_uniform((784, 500), rng=rng).astype(np.float32)
    b = np.zeros(500, np.float32)
    y = dense(x, W, b)
    around = dense(np.ascontiguousarray(x[:, ::-1]), np.ascontiguousarray(W[::-1]), b)
    assert (y != around).mean() > 0.5
    assert np.abs(y - around).max() < 1e-5
    bound = 785 * 2.0**-24 * (x.astype(float) @ np.abs(W))
    np.testing.assert_allclose(bound.max(), 7e-4, rtol=0.01)


def test_7_a_check_of_dx_does_not_see_db(monkeypatch):
    def averaged(dy, x, out=None):
        return Layer(x.T @ dy, dy.mean(axis=0))

    monkeypatch.setattr(dense_module, "dense_backward_params", averaged)
    rng = np.random.default_rng(0)
    layers = init_layers((4, 6, 5, 3), "glorot", dtype=np.float64, rng=rng)
    tanh = ACTIVATIONS["tanh"]

    def f(x, *arrays):
        return stack(x, layers, tanh)[1]

    def gradients(dy, x):
        hidden, _ = stack(x, layers, tanh)
        da1, dlayers = stack_backward(dy, x, layers, tanh, hidden)
        return dense_backward_input(da1, layers[0].W), dlayers

    x = rng.standard_normal((2, 4))
    (error,) = check_gradient(f, lambda dy, x: gradients(dy, x)[0], [x], rng=rng)
    assert error < 1e-9

    def last_bias(b):
        return f(x) + b - layers[-1].b

    with pytest.raises(GradientError):
        check_gradient(
            last_bias, lambda dy, b: gradients(dy, x)[1][-1].b, [layers[-1].b.copy()], rng=rng
        )


def sizes_by_depth(activation, std):
    """Root mean squares of h over ten layers of 500 units, from a signal of 1."""
    rng = np.random.default_rng(0)
    layers = init_layers((500,) * 12, std, dtype=np.float64, rng=rng)
    hidden, _ = stack(rng.standard_normal((100, 500)), layers, ACTIVATIONS[activation])
    return [np.sqrt(np.mean(h**2)) for h in hidden]


def test_8_relu_does_not_saturate():
    assert np.sqrt(0.5 * 500 * 0.3**2) == pytest.approx(4.74, abs=5e-3)
    size = sizes_by_depth("relu", 0.3)[-1]
    # The factors of ten layers of 500 units scatter together by some 10 %.
    assert size == pytest.approx(5.8e6, rel=0.3)
    assert sizes_by_depth("tanh", 0.3)[-1] < 1


def test_relus_signal_by_the_scale_of_its_weights():
    """The numbers beside the figure."""
    assert sizes_by_depth("relu", "glorot")[-1] == pytest.approx(0.5**5, rel=0.3)
    assert sizes_by_depth("relu", "he")[-1] == pytest.approx(1, rel=0.3)


def test_hes_gradient_changes_by_the_last_width_over_the_first():
    rng, relu, ratios = np.random.default_rng(0), ACTIVATIONS["relu"], []
    for _ in range(20):
        layers = init_layers((784, 400, 100, 20), "he", dtype=np.float64, rng=rng)
        x, dy = rng.standard_normal((100, 784)), rng.standard_normal((100, 20))
        hidden, _ = stack(x, layers, relu)
        da1, _ = stack_backward(dy, x, layers, relu, hidden)
        dx = dense_backward_input(da1, layers[0].W)
        ratios.append(np.mean(dx**2) / np.mean(dy**2))
    error = np.std(ratios) / np.sqrt(20)
    assert error < 0.004
    assert abs(np.mean(ratios) - 2 * 20 / 784) < 4 * error
