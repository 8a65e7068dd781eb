"""The optimizers' updates, each in one pass over memory, and a look at gradients before them.

The order in which numbers are visited changes none of them. It is such that a thread takes the
same rows of every matrix here as in `products`.
"""

import functools
import math

import numpy as np

from .arrays import check_alike, check_dtypes, flat, plain
from .functions import by_dtype, scalar
from .threads import CHUNK, loop, over_chunks


@functools.lru_cache(256)
def _at_home(shapes, size):
    """Chunks of matrices that lie one behind the other, ordered by where in a matrix they begin.

    So half of the threads, which get the first half of the chunks, get the first half of the rows
    of every matrix.
    """
    ends = np.cumsum([rows * columns for rows, columns in shapes])
    if ends[-1] != size:
        raise ValueError(f"matrices of the shapes {shapes} do not fill an array of {size} numbers")
    starts = np.arange(0, ends[-1], CHUNK)
    matrix = np.searchsorted(ends, starts, side="right")
    sizes = np.diff(ends, prepend=0)
    return np.argsort((starts - ends[matrix]) / sizes[matrix], kind="stable")


@scalar
def _ends(chunk, size):
    """Where a chunk of so many numbers begins and ends."""
    start = np.uint64(chunk * CHUNK)
    return start, min(start + np.uint64(CHUNK), np.uint64(size))


def _update(loop, w, dw, states, numbers, shapes):
    """The loop over w, dw, the states, and numbers; all but dw change in place."""
    check_alike(w, dw, *states)
    for a in (w, *states):
        if not a.flags.carray:
            raise ValueError(
                f"an array of shape {a.shape} and strides {a.strides} cannot be updated in place; "
                "expected C-contiguous and writable"
            )
    order = _at_home(shapes or ((1, w.size),), w.size)
    rows = [a.ravel() for a in (w, plain(dw), *states)]
    over_chunks(loop)(order.size, 1, order, *rows, *map(float, numbers))


@loop
def _sgd(first, last, order, w, dw, velocity, learning_rate, momentum, decay):
    number = w.dtype.type
    learning_rate, momentum, decay = number(learning_rate), number(momentum), number(decay)
    for c in range(first, last):
        start, stop = _ends(order[c], w.size)
        for i in range(start, stop):
            g = dw[i] + decay * w[i]
            velocity[i] = momentum * velocity[i] + g
            w[i] -= learning_rate * velocity[i]


def sgd_update(w, dw, velocity, learning_rate, momentum, decay, shapes=None):
    """velocity ← momentum·velocity + g;  w ← w − learning_rate·velocity.

    g = dw + decay·w, here and below. All arrays have one shape; w and velocity are C-contiguous
    and change in place. shapes: of the matrices whose row w is, which threads may divide by.
    """
    _update(_sgd, w, dw, [velocity], (learning_rate, momentum, decay), shapes)


@loop
def _adagrad(first, last, order, w, dw, g2_sum, learning_rate, epsilon, decay):
    number = w.dtype.type
    learning_rate, epsilon, decay = number(learning_rate), number(epsilon), number(decay)
    for c in range(first, last):
        start, stop = _ends(order[c], w.size)
        for i in range(start, stop):
            g = dw[i] + decay * w[i]
            g2_sum[i] += g * g
            w[i] -= learning_rate * g / (math.sqrt(g2_sum[i]) + epsilon)


def adagrad_update(w, dw, g2_sum, learning_rate, epsilon, decay, shapes=None):
    """g2_sum ← g2_sum + g²;  w ← w − learning_rate·g / (√g2_sum + epsilon)."""
    _update(_adagrad, w, dw, [g2_sum], (learning_rate, epsilon, decay), shapes)


@loop
def _adam(first, last, order, w, dw, m, v, beta1, new1, beta2, new2, rate, scale, epsilon, decay):
    number = w.dtype.type
    beta1, new1, beta2, new2 = number(beta1), number(new1), number(beta2), number(new2)
    rate, scale, epsilon, decay = number(rate), number(scale), number(epsilon), number(decay)
    for c in range(first, last):
        start, stop = _ends(order[c], w.size)
        for i in range(start, stop):
            g = dw[i] + decay * w[i]
            # Named: a number that is read back from where it was just stored may wait for it.
            m_i = beta1 * m[i] + new1 * g
            v_i = beta2 * v[i] + new2 * g * g
            m[i], v[i] = m_i, v_i
            w[i] -= rate * m_i / (math.sqrt(scale * v_i) + epsilon)


def adam_update(w, dw, m, v, step, learning_rate, beta1, beta2, epsilon, decay, shapes=None):
    """m ← β₁m + (1 − β₁)g;  v ← β₂v + (1 − β₂)g²;  w ← w − learning_rate·m̂ / (√v̂ + epsilon).

    m̂ = m / (1 − β₁ᵗ) and v̂ = v / (1 − β₂ᵗ) at step t = 1, 2, …
    """
    # 1 − β in float64: float32 would round β₂ = 0.999 first and be 1.3e-5 off.
    betas = beta1, 1 - beta1, beta2, 1 - beta2
    rate, scale = learning_rate / (1 - beta1**step), 1 / (1 - beta2**step)
    _update(_adam, w, dw, [m, v], (*betas, rate, scale, epsilon, decay), shapes)


BITS = {np.dtype(np.float32): np.int32, np.dtype(np.float64): np.int64}
# Without their sign bit, floats are in order when their bits are read as integers, NaN above
# inf: a maximum of integers passes no NaN by, and runs in SIMD lanes.
_bits = by_dtype(
    lambda x: np.float32(abs(x)).view(np.int32), lambda x: np.float64(abs(x)).view(np.int64)
)


@loop
def _largest(first, last, order, a, largest):
    for c in range(first, last):
        start, stop = _ends(order[c], a.size)
        top = largest.dtype.type(0)
        for i in range(start, stop):
            top = max(top, _bits(a[i]))
        largest[c] = top


def max_abs(a, shapes=None):
    """max |a|, NaN if there is one, 0 if a is empty.        any shape -> float"""
    check_dtypes(a)
    order = _at_home(shapes or ((1, a.size),), a.size)
    largest = np.zeros(1 + order.size, BITS[a.dtype])
    over_chunks(_largest)(order.size, 1, order, flat(a), largest)
    return float(largest.max().view(a.dtype))
