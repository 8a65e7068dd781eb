"""Every kernel in a line or two of NumPy: the specification.

The compiled kernels carry the same names, take the same arguments and must return
the same numbers; `tests/test_kernels.py` holds the two equal. Arrays are float32 or
float64, of any strides; a result has its arguments' dtype. NaN and inf pass through.
"""

import numpy as np


def matmul(a, b, out=None):
    """a b.        a (m, k), b (k, n) -> (m, n), written to out if that is an array

    Here and in the next two, a 0 of the left factor may count as 0 even where it meets NaN or inf.
    """
    return np.matmul(a, b, out=out)


def affine(x, W, b):
    """x W + b.        x (m, k), W (k, n), b (n,) -> (m, n)"""
    return x @ W + b


def affine_backward_params(dy, x, dW=None, db=None):
    """xᵀ dy and Σ_r dy_r.        dy (m, n), x (m, k) -> dW (k, n), db (n,)

    Written to dW and db if those are arrays.
    """
    return np.matmul(x.T, dy, out=dW), np.sum(dy, axis=0, out=db)


def gather(x, rows, unit, dtype):
    """x[rows] / unit, in dtype.        x (N, D), rows (B,) -> (B, D)

    x may be uint8 here and below; rows are integers from 0 to N − 1.
    """
    return np.divide(x[rows], unit, dtype=dtype)


def gather_binary(x, rows, unit, dtype, key, before=0):
    """1 with probability x[rows] / unit, else 0.        x (N, D), rows (B,) -> (B, D)

    key in [0, 2^64) chooses the random numbers, float32 multiples of 2^-24 in [0, 1), of which
    those of so many rows before are left out.
    """
    levels = gather(x, rows, unit, dtype)
    shape = before + len(rows), x.shape[1]
    uniform = np.random.Generator(np.random.Philox(key=key)).random(shape, np.float32)
    return (uniform[before:] < levels).astype(dtype)


def tanh(a):
    """tanh(a).        any shape"""
    return np.tanh(a)


def tanh_backward(dy, y):
    """dy (1 − y²).        any shape"""
    return dy * (1 - y * y)


def sigmoid(a):
    """1 / (1 + e^−a), through e^−|a| so that nothing overflows.        any shape"""
    e = np.exp(-np.abs(a))
    return np.where(a >= 0, 1, e) / (1 + e)


def sigmoid_backward(dy, y):
    """dy y (1 − y).        any shape"""
    return dy * y * (1 - y)


def relu(a):
    """max(a, 0).        any shape"""
    return np.maximum(a, 0)


def relu_backward(dy, y):
    """dy where y > 0, else 0.        any shape"""
    return np.where(y > 0, dy, dy.dtype.type(0))


def leaky_relu(a, slope):
    """a where a > 0, else slope·a.        any shape"""
    return np.where(a > 0, a, a.dtype.type(slope) * a)


def leaky_relu_backward(dy, y, slope):
    """dy where y > 0, else slope·dy.        any shape"""
    return np.where(y > 0, dy, dy.dtype.type(slope) * dy)


def softplus(a):
    """log(1 + e^a) = max(a, 0) + log1p(e^−|a|).        any shape"""
    return np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a)))


def softplus_backward(dy, y):
    """dy (1 − e^−y), where 1 − e^−y = sigmoid(a).        any shape"""
    return dy * -np.expm1(-y)


def bernoulli_log_prob(x, logits):
    """Σ_d [x a − softplus(a)], one sum a row.        x (B, D), logits a (L, B, D) -> (L, B)

    The large terms cancel exactly when they are taken first: x a − max(a, 0).
    """
    a = logits
    return np.sum((x * a - np.maximum(a, 0)) - np.log1p(np.exp(-np.abs(a))), axis=-1)


def bernoulli_log_prob_backward(dlog_px_z, x, logits):
    """dlog_px_z (x − sigmoid(a)).

    dlog_px_z (L, B), x (B, D), logits a (L, B, D) -> (L, B, D)
    """
    return dlog_px_z[..., None] * (x - sigmoid(logits))


def max_abs(a, shapes=None):
    """max |a|, NaN if there is one, 0 if a is empty.        any shape -> float"""
    return float(np.max(np.abs(a), initial=0))


def sgd_update(w, dw, velocity, learning_rate, momentum, decay, shapes=None):
    """velocity ← momentum·velocity + g;  w ← w − learning_rate·velocity.

    g = dw + decay·w, here and below. All arrays have one shape; w and velocity are C-contiguous
    and change in place. shapes: of the matrices whose row w is, which threads may divide by.
    """
    velocity *= momentum
    velocity += dw + decay * w
    w -= learning_rate * velocity


def adagrad_update(w, dw, g2_sum, learning_rate, epsilon, decay, shapes=None):
    """g2_sum ← g2_sum + g²;  w ← w − learning_rate·g / (√g2_sum + epsilon)."""
    g = dw + decay * w
    g2_sum += g * g
    w -= learning_rate * g / (np.sqrt(g2_sum) + epsilon)


def adam_update(w, dw, m, v, step, learning_rate, beta1, beta2, epsilon, decay, shapes=None):
    """m ← β₁m + (1 − β₁)g;  v ← β₂v + (1 − β₂)g²;  w ← w − learning_rate·m̂ / (√v̂ + epsilon).

    m̂ = m / (1 − β₁ᵗ) and v̂ = v / (1 − β₂ᵗ) at step t = 1, 2, …
    """
    g = dw + decay * w
    m *= beta1
    m += (1 - beta1) * g
    v *= beta2
    v += (1 - beta2) * g * g
    m_hat, v_hat = m / (1 - beta1**step), v / (1 - beta2**step)
    w -= learning_rate * m_hat / (np.sqrt(v_hat) + epsilon)
