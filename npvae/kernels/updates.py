"""The optimizers' updates, and a look at gradients before them: all arrays in one call.

A deep model has a dozen small arrays, and waking the threads for each would take longer than
the arithmetic. So the chunks are those of all numbers in a row, wherever an array ends.
"""

import functools
import math

import numpy as np

from .arrays import check_dtypes, flat
from .functions import by_dtype
from .threads import loop, over_chunks

# Numbers in a chunk. A thread that takes one counts a reference to every array, a microsecond.
CHUNK = 2**14


def _update(step, params, grads, decays, states, numbers):
    """The step over every w of params and dw of grads; all but the dw change in place."""
    params, grads = list(params), list(grads)
    if not params and not grads:
        return
    check_dtypes(*params, *grads, *states)
    size = _check_shapes(params, grads, decays, states)
    for a in (*params, *states):
        if not a.flags.carray:
            raise ValueError(
                f"an array of shape {a.shape} and strides {a.strides} cannot be updated in place; "
                "expected C-contiguous and writable"
            )
    number = params[0].dtype.type
    given = *states, *map(number, numbers)
    run = over_chunks(_over_arrays(step, len(given)))
    run(size, CHUNK, np.array(decays, number), *given, *map(flat, (*params, *grads)))


def _check_shapes(params, grads, decays, states):
    """How many numbers there are. The loops trust it."""
    shapes, size = [w.shape for w in params], sum(w.size for w in params)
    if shapes != [dw.shape for dw in grads] or len(decays) != len(params):
        raise ValueError(
            f"params, grads have shapes {shapes}, {[dw.shape for dw in grads]} and there are "
            f"{len(decays)} decays; expected the same shapes and a decay for each"
        )
    for a in states:
        if a.shape != (size,):
            raise ValueError(f"a state has shape {a.shape}; expected {(size,)}, a row for params")
    return size


@functools.cache
def _over_arrays(step, n_given):
    """A loop over all numbers in a row: step(start, stop, first, w, dw, decay, *given) for each w.

    The numbers of w are first, first + 1, … of the row, and start … stop − 1 are among them.
    """

    @loop
    def run(start, stop, decays, *args):
        given, arrays = args[:n_given], args[n_given:]
        count = len(arrays) // 2
        first = np.uint64(0)
        for k in range(count):
            w, dw = arrays[k], arrays[count + k]
            last = first + np.uint64(w.size)
            if start < last and first < stop:
                step(max(start, first), min(stop, last), first, w, dw, decays[k], *given)
            first = last

    return run


@loop
def _sgd(start, stop, first, w, dw, decay, velocity, learning_rate, momentum):
    for i in range(start, stop):
        g = dw[i - first] + decay * w[i - first]
        velocity[i] = momentum * velocity[i] + g
        w[i - first] -= learning_rate * velocity[i]


def sgd_update(params, grads, velocity, learning_rate, momentum, decays):
    """velocity ← momentum·velocity + g;  w ← w − learning_rate·velocity.

    g = dw + decay·w for each w of params, dw of grads and decay of decays, here and below.
    w and dw have one shape; velocity (N,) is a row of the N numbers that all w have together.
    Each w and velocity are C-contiguous and change in place.
    """
    _update(_sgd, params, grads, decays, [velocity], (learning_rate, momentum))


@loop
def _adagrad(start, stop, first, w, dw, decay, g2_sum, learning_rate, epsilon):
    for i in range(start, stop):
        g = dw[i - first] + decay * w[i - first]
        g2_sum[i] += g * g
        w[i - first] -= learning_rate * g / (math.sqrt(g2_sum[i]) + epsilon)


def adagrad_update(params, grads, g2_sum, learning_rate, epsilon, decays):
    """g2_sum ← g2_sum + g²;  w ← w − learning_rate·g / (√g2_sum + epsilon)."""
    _update(_adagrad, params, grads, decays, [g2_sum], (learning_rate, epsilon))


@loop
def _adam(start, stop, first, w, dw, decay, m, v, beta1, new1, beta2, new2, rate, scale, epsilon):
    for i in range(start, stop):
        g = dw[i - first] + decay * w[i - first]
        # Named, for a number read back from where it was just stored may wait for the store.
        m_i = beta1 * m[i] + new1 * g
        v_i = beta2 * v[i] + new2 * g * g
        m[i], v[i] = m_i, v_i
        w[i - first] -= rate * m_i / (math.sqrt(scale * v_i) + epsilon)


def adam_update(params, grads, m, v, step, learning_rate, beta1, beta2, epsilon, decays):
    """m ← β₁m + (1 − β₁)g;  v ← β₂v + (1 − β₂)g²;  w ← w − learning_rate·m̂ / (√v̂ + epsilon).

    m̂ = m / (1 − β₁ᵗ) and v̂ = v / (1 − β₂ᵗ) at step t = 1, 2, …
    """
    # 1 − β in float64: float32 would round β₂ = 0.999 first and be 1.3e-5 off.
    betas = beta1, 1 - beta1, beta2, 1 - beta2
    rate, scale = learning_rate / (1 - beta1**step), 1 / (1 - beta2**step)
    _update(_adam, params, grads, decays, [m, v], (*betas, rate, scale, epsilon))


# Without their sign bit, floats are in order when their bits are read as integers, NaN above
# inf: a maximum of integers passes no NaN by, and runs in SIMD lanes.
_bits = by_dtype(
    lambda x: np.float32(abs(x)).view(np.int32), lambda x: np.float64(abs(x)).view(np.int64)
)


@loop
def _largest(start, stop, largest, chunk, *arrays):
    top = largest[0]
    first = np.uint64(0)
    for k in range(len(arrays)):
        a = arrays[k]
        last = first + np.uint64(a.size)
        for i in range(max(start, first), min(stop, last)):
            top = max(top, _bits(a[i - first]))
        first = last
    largest[np.intp(start) // chunk] = top


def max_abs(arrays):
    """max |a| over all numbers of all arrays, NaN if there is one, 0 if there are none.

    A sequence of arrays, each of any shape -> float
    """
    arrays = list(arrays)
    size = sum(a.size for a in arrays)
    if not arrays:
        return 0.0
    check_dtypes(*arrays)
    dtype = arrays[0].dtype
    largest = np.zeros(-(-size // CHUNK) + 1, f"i{dtype.itemsize}")
    over_chunks(_largest)(size, CHUNK, largest, CHUNK, *map(flat, arrays))
    return float(largest.max().view(dtype))
