"""The kernels of one library, timed on operands that caches hold, or that they have forgotten.

kernels.py passes the library's name, the cases as JSON, and milliseconds for each of them. A line
that it sends says warm or cold.
"""

import functools
import itertools
import json
import math
import statistics
import sys
import time

import numpy as np
from worker import answer

# Cold operands are taken from so many numbers, 128 MB, one after another: all caches forget them
# before their turn comes again.
NUMBERS = 2**25
LINE = 16  # numbers in a cache line, where every operand starts
DIGITS = 1000


def npvae_kernels():
    import npvae
    from npvae import activations, dense

    def adam(shapes):
        params = [np.zeros(shape, np.float32) for shape in shapes]
        optimizer = npvae.Adam(1e-3)
        return lambda *grads: optimizer.update(params, grads)

    likelihood = npvae.Bernoulli()
    return {
        "x W + b": dense.dense,
        "dy Wᵀ": dense.dense_backward_input,
        "xᵀ dy": lambda x, dy: npvae.kernels.matmul(x.T, dy),
        "tanh": activations.tanh,
        "tanh, back": activations.tanh_backward,
        "sigmoid": activations.sigmoid,
        "sigmoid, back": activations.sigmoid_backward,
        "softplus": activations.softplus,
        "softplus, back": activations.softplus_backward,
        "log p(x|z)": lambda x, a: likelihood.log_prob(x, a[None]),
        "log p, back": lambda d, x, a: likelihood.log_prob_backward(d[None], x, a[None]),
    }, {"Adam": adam}


def numpy_kernels():
    from scipy.special import expit

    def affine(x, W, b):
        y = x @ W
        y += b
        return y

    def adam(shapes):
        params, first, second = ([np.zeros(s, np.float32) for s in shapes] for _ in range(3))
        spare = [np.empty_like(w) for w in params]
        steps = itertools.count(1)

        def update(*grads):
            t = next(steps)
            rate, scale = 1e-3 / (1 - 0.9**t), 1 / (1 - 0.999**t)
            for w, dw, m, v, s in zip(params, grads, first, second, spare, strict=True):
                m *= 0.9
                m += np.multiply(dw, 0.1, out=s)
                v *= 0.999
                np.multiply(dw, dw, out=s)
                v += np.multiply(s, 0.001, out=s)
                np.sqrt(np.multiply(v, scale, out=s), out=s)
                s += 1e-8
                np.divide(m, s, out=s)
                w -= np.multiply(s, rate, out=s)

        return update

    return {
        "x W + b": affine,
        "dy Wᵀ": lambda dy, W: dy @ W.T,
        "xᵀ dy": lambda x, dy: x.T @ dy,
        "tanh": np.tanh,
        "tanh, back": lambda dy, y: dy * (1 - y * y),
        "sigmoid": expit,
        "sigmoid, back": lambda dy, y: dy * y * (1 - y),
        "softplus": lambda a: np.logaddexp(0, a),
        "softplus, back": lambda dy, y: dy * -np.expm1(-y),
        "log p(x|z)": lambda x, a: np.sum(x * a - np.logaddexp(0, a), axis=-1),
        "log p, back": lambda d, x, a: d[:, None] * (x - expit(a)),
    }, {"Adam": adam}


def torch_kernels():
    import torch

    def adam(shapes):
        params = [torch.zeros(shape, requires_grad=True) for shape in shapes]
        optimizer = torch.optim.Adam(params, lr=1e-3, fused=True)

        def update(*grads):
            for w, dw in zip(params, grads, strict=True):
                w.grad = torch.from_numpy(dw)
            optimizer.step()

        return update

    return {}, {"Adam": adam}


class Operands:
    """Arrays of any shape, each from the next part of the same numbers."""

    def __init__(self, numbers):
        self.numbers = np.resize(numbers, NUMBERS)
        self.at = 0

    def take(self, shape):
        size = math.prod(shape)
        start = self.at if self.at + size <= NUMBERS else 0
        self.at = start + -(-size // LINE) * LINE
        return self.numbers[start : start + size].reshape(shape)


def normal():
    """Random numbers, of which none is zero."""
    return Operands(0.1 * np.random.default_rng(0).standard_normal(2**20, np.float32))


def binary_digits():
    """Images as training sees them: most of a row is zero."""
    from npvae.datasets import glyph_digits

    rng = np.random.default_rng(0)
    levels = glyph_digits(DIGITS, rng=rng).images
    return Operands((rng.random(levels.shape) < levels).astype(np.float32))


def median_seconds(function, shapes, sources, memory, patience):
    """Over as many calls as there is patience for, in seconds, and five at least.

    Warm, all calls read the same operands; cold, each reads others.
    """
    times, arrays = [], None
    while len(times) < 5 or sum(times) < patience:
        if memory == "cold" or arrays is None:
            arrays = [source.take(shape) for source, shape in zip(sources, shapes, strict=True)]
        start = time.perf_counter()
        function(*arrays)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def multiplier():
    """The library that multiplies for NumPy, and for which CPU the kernels are that it runs."""
    try:
        from threadpoolctl import threadpool_info
    except ModuleNotFoundError:
        return "a BLAS that threadpoolctl would name"
    for pool in threadpool_info():
        if pool["user_api"] == "blas":
            told = (pool.get(key) for key in ("internal_api", "version", "architecture"))
            return " ".join(filter(None, told))
    return "a BLAS unknown to threadpoolctl"


library, cases, milliseconds = sys.argv[1:]
blas = multiplier() if library == "NumPy" else None  # before SciPy's own is loaded
plain, with_state = {
    "npvae": npvae_kernels,
    "NumPy": numpy_kernels,
    "torch": torch_kernels,
}[library]()
numbers, digits = normal(), functools.cache(binary_digits)
ready = {}
for name, kernel, shapes, on_digits in json.loads(cases):
    function = plain.get(kernel) or (kernel in with_state and with_state[kernel](shapes))
    if function:
        first = digits() if on_digits else numbers
        ready[name] = function, shapes, [first, *[numbers] * (len(shapes) - 1)]


def measure(memory, patience):
    return {name: median_seconds(*case, memory, patience) for name, case in ready.items()}


measure("warm", patience=0)  # compiles
answer(lambda memory: {"seconds": measure(memory, float(milliseconds) / 1e3), "blas": blas})
