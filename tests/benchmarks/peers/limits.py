"""How fast this machine multiplies and moves numbers at best."""

import sys
import time

import numpy as np
from numba import njit, prange
from worker import answer

from npvae import kernels

SIZES = (512, 1024)


def best(function, repeats=10):
    """Seconds of the fastest call."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def matmul_rate():
    """Operations a second of the best float32 product, npvae's or BLAS's."""
    rates = []
    for product in (kernels.matmul, np.matmul):
        for n in SIZES:
            a, b = np.random.default_rng(0).standard_normal((2, n, n), np.float32)
            rates.append(2 * n**3 / best(lambda: product(a, b)))  # noqa: B023
        time.sleep(0.3)  # or the one pool of threads would spin beside the other
    return max(rates)


@njit(parallel=True, cache=True)
def _move(w, dw, m, v):
    for i in prange(w.size):
        w[i], m[i], v[i] = w[i] + dw[i], m[i] + dw[i], v[i] + dw[i]


def memory_rate(numbers):
    """Bytes a second of a loop that reads w, dw, m, v and writes w, m, v, as Adam does."""
    arrays = np.zeros((4, numbers), np.float32)
    _move(*arrays)
    return 7 * arrays[0].nbytes / best(lambda: _move(*arrays))


numbers = int(sys.argv[1])
answer(lambda _: {"operations": matmul_rate(), "bytes": memory_rate(numbers)})
