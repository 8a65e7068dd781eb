"""The optimizers' updates, each in one pass over memory, and a look at gradients before them."""

import math

import numpy as np

from .arrays import check_dtypes, check_same_shape, flat
from .functions import by_dtype
from .threads import CHUNK, loop, over_chunks


def _update(loop, w, dw, states, numbers):
    """The loop over w, dw, the states, and numbers; all but dw change in place."""
    check_dtypes(w, dw, *states)
    check_same_shape(w, dw, *states)
    for a in (w, *states):
        if not a.flags.carray:
            raise ValueError(
                f"an array of shape {a.shape} and strides {a.strides} cannot be updated in place; "
                "expected C-contiguous and writable"
            )
    numbers = map(w.dtype.type, numbers)
    rows = w.ravel(), flat(dw), *[state.ravel() for state in states]
    over_chunks(loop)(w.size, CHUNK, *rows, *numbers)


@loop
def _sgd(start, stop, w, dw, velocity, learning_rate, momentum, decay):
    for i in range(start, stop):
        g = dw[i] + decay * w[i]
        velocity[i] = momentum * velocity[i] + g
        w[i] -= learning_rate * velocity[i]


def sgd_update(w, dw, velocity, learning_rate, momentum, decay):
    """velocity ← momentum·velocity + g;  w ← w − learning_rate·velocity.

    g = dw + decay·w, here and below. All arrays have one shape; w and velocity are C-contiguous
    and change in place.
    """
    _update(_sgd, w, dw, [velocity], (learning_rate, momentum, decay))


@loop
def _adagrad(start, stop, w, dw, g2_sum, learning_rate, epsilon, decay):
    for i in range(start, stop):
        g = dw[i] + decay * w[i]
        g2_sum[i] += g * g
        w[i] -= learning_rate * g / (math.sqrt(g2_sum[i]) + epsilon)


def adagrad_update(w, dw, g2_sum, learning_rate, epsilon, decay):
    """g2_sum ← g2_sum + g²;  w ← w − learning_rate·g / (√g2_sum + epsilon)."""
    _update(_adagrad, w, dw, [g2_sum], (learning_rate, epsilon, decay))


@loop
def _adam(start, stop, w, dw, m, v, beta1, new1, beta2, new2, rate, scale, epsilon, decay):
    for i in range(start, stop):
        g = dw[i] + decay * w[i]
        # Named, because a number read back from where it was just stored may wait for the store.
        m_i = beta1 * m[i] + new1 * g
        v_i = beta2 * v[i] + new2 * g * g
        m[i], v[i] = m_i, v_i
        w[i] -= rate * m_i / (math.sqrt(scale * v_i) + epsilon)


def adam_update(w, dw, m, v, step, learning_rate, beta1, beta2, epsilon, decay):
    """m ← β₁m + (1 − β₁)g;  v ← β₂v + (1 − β₂)g²;  w ← w − learning_rate·m̂ / (√v̂ + epsilon).

    m̂ = m / (1 − β₁ᵗ) and v̂ = v / (1 − β₂ᵗ) at step t = 1, 2, …
    """
    # 1 − β in float64: float32 would round β₂ = 0.999 first and be 1.3e-5 off.
    betas = beta1, 1 - beta1, beta2, 1 - beta2
    rate, scale = learning_rate / (1 - beta1**step), 1 / (1 - beta2**step)
    _update(_adam, w, dw, [m, v], (*betas, rate, scale, epsilon, decay))


# Without their sign bit, floats are in order when their bits are read as integers, NaN above
# inf: a maximum of integers passes no NaN by, and runs in SIMD lanes.
_bits = by_dtype(
    lambda x: np.float32(abs(x)).view(np.int32), lambda x: np.float64(abs(x)).view(np.int64)
)


@loop
def _largest(start, stop, largest, a):
    top = largest[0]
    for i in range(start, stop):
        top = max(top, _bits(a[i]))
    largest[start // np.uint64(CHUNK)] = top


def max_abs(a):
    """max |a|, NaN if there is one, 0 if a is empty.        any shape -> float"""
    check_dtypes(a)
    largest = np.zeros(1 + a.size // CHUNK, f"i{a.itemsize}")
    over_chunks(_largest)(a.size, CHUNK, largest, flat(a))
    return float(largest.max().view(a.dtype))
