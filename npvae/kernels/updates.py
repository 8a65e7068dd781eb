"""The optimizers' updates, one pass over the memory each, and a look at gradients before them."""

import math

import numpy as np

from .arrays import check_dtypes, check_same_shape, flat
from .threads import CHUNK, loop, over_chunks


def _update(loop, w, dw, *state, numbers):
    """The loop over w, dw and the optimizer's arrays, all but dw changed in place."""
    check_dtypes(w, dw, *state)
    check_same_shape(w, dw, *state)
    for a in (w, *state):
        if not a.flags.carray:
            raise ValueError(
                f"an array of shape {a.shape} and strides {a.strides} cannot be updated in place; "
                "expected C-contiguous and writable"
            )
    over_chunks(loop)(w.size, CHUNK, *map(flat, (w, dw, *state)), *map(w.dtype.type, numbers))


@loop
def _sgd(start, stop, w, dw, velocity, learning_rate, momentum, weight_decay):
    for i in range(start, stop):
        g = dw[i] + weight_decay * w[i]
        velocity[i] = momentum * velocity[i] + g
        w[i] -= learning_rate * velocity[i]


def sgd_update(w, dw, velocity, learning_rate, momentum, weight_decay):
    """velocity ← momentum·velocity + g;  w ← w − learning_rate·velocity.

    g = dw + weight_decay·w, here and below. w, dw and velocity have one shape;
    w and velocity are C-contiguous and change in place; the rest are numbers.
    """
    _update(_sgd, w, dw, velocity, numbers=(learning_rate, momentum, weight_decay))


@loop
def _adagrad(start, stop, w, dw, g2_sum, learning_rate, epsilon, weight_decay):
    for i in range(start, stop):
        g = dw[i] + weight_decay * w[i]
        g2_sum[i] += g * g
        w[i] -= learning_rate * g / (math.sqrt(g2_sum[i]) + epsilon)


def adagrad_update(w, dw, g2_sum, learning_rate, epsilon, weight_decay):
    """g2_sum ← g2_sum + g²;  w ← w − learning_rate·g / (√g2_sum + epsilon)."""
    _update(_adagrad, w, dw, g2_sum, numbers=(learning_rate, epsilon, weight_decay))


@loop
def _adam(start, stop, w, dw, m, v, beta1, new1, beta2, new2, m_rate, v_scale, epsilon, decay):
    for i in range(start, stop):
        g = dw[i] + decay * w[i]
        m[i] = beta1 * m[i] + new1 * g
        v[i] = beta2 * v[i] + new2 * g * g
        w[i] -= m_rate * m[i] / (math.sqrt(v_scale * v[i]) + epsilon)


def adam_update(w, dw, m, v, step, learning_rate, beta1, beta2, epsilon, weight_decay):
    """m ← β₁m + (1 − β₁)g;  v ← β₂v + (1 − β₂)g²;  w ← w − learning_rate·m̂ / (√v̂ + epsilon).

    m̂ = m / (1 − β₁ᵗ) and v̂ = v / (1 − β₂ᵗ) at step t = 1, 2, …
    """
    # 1 − β in float64: float32 would round β₂ = 0.999 first and be 1.3e-5 off.
    betas = beta1, 1 - beta1, beta2, 1 - beta2
    m_rate, v_scale = learning_rate / (1 - beta1**step), 1 / (1 - beta2**step)
    _update(_adam, w, dw, m, v, numbers=(*betas, m_rate, v_scale, epsilon, weight_decay))


@loop
def _largest(start, stop, largest, bits, mask, chunk):
    kind = bits.dtype.type
    top = kind(0)
    for i in range(start, stop):
        top = max(top, kind(bits[i] & mask))
    largest[np.intp(start) // chunk] = top


def max_abs(a):
    """max |a|, NaN if there is one, 0 for an empty array.        any shape -> float

    Without their sign bit, floats are in order when their bits are read as integers, NaN above
    inf: a maximum of integers passes no NaN by, and runs in SIMD lanes.
    """
    check_dtypes(a)
    bits = flat(a).view(f"i{a.itemsize}")
    largest = np.zeros(-(-a.size // CHUNK) + 1, bits.dtype)
    mask = bits.dtype.type(np.iinfo(bits.dtype).max)
    over_chunks(_largest)(a.size, CHUNK, largest, bits, mask, CHUNK)
    return float(largest.max().view(a.dtype))
