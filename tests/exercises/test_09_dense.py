"""The answers to the exercises of derivations/09-dense.md."""

import numpy as np

from npvae import ACTIVATIONS
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
