"""The largest error of every elementary function over all 2³² float32: at most 4 ulp.

    python tests/benchmarks/exhaustive.py [exp expm1 log1p tanh sigmoid softplus]

A unit in the last place (ulp) is the distance between the two float32 that enclose the exact
answer, subnormal ones too. A minute or two for each function.
"""

import math
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit
from scipy import special

from npvae.kernels import functions

LIMIT = 4
BLOCK = 2**20
# Each function as NumPy or SciPy has it, to be called with float64.
DEFINITIONS = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "sigmoid": special.expit,
    "softplus": lambda x: -special.log_expit(-x),
}


def over_arrays(name):
    """The compiled function of that name, number by number."""
    function = getattr(functions, name)

    @njit(nogil=True, **functions.EXACT)
    def run(x):
        y = np.empty_like(x)
        for i in range(x.size):
            y[i] = function(x[i])
        return y

    return run


def in_range(name, x):
    """The numbers of x that the function is made for."""
    return x[~((x < 0) | (x > 1))] if name == "log1p" else x


def ulps(got, exact):
    """|got − exact| in ulp of got's dtype; 0 for the same inf or NaN, inf for a wrong one."""
    info = np.finfo(got.dtype)
    smallest = math.frexp(info.smallest_subnormal)[1] - 1
    exponent = np.frexp(exact)[1] - 1 - info.nmant
    unit = np.ldexp(1.0, np.maximum(exponent, smallest))
    got, same = got.astype(np.float64), (got == exact) | (np.isnan(got) & np.isnan(exact))
    # What overflows is as good as the first number too large.
    too_large = math.ldexp(1.0, info.maxexp) if info.maxexp < 1024 else math.inf
    error = abs(np.clip(got, -too_large, too_large) - np.clip(exact, -too_large, too_large)) / unit
    wrong = np.isinf(exact) | np.isnan(error)
    return np.where(same, 0, np.where(wrong, np.inf, error))


def worst(name, run, x):
    """The largest error among the numbers of x, and where it is."""
    x = in_range(name, x)
    if x.size == 0:
        return 0.0, math.nan
    with np.errstate(all="ignore"):
        errors = ulps(run(x), DEFINITIONS[name](x.astype(np.float64)))
    i = np.argmax(errors)
    return float(errors[i]), float(x[i])


def worst_of_all(name, step=1):
    """The same over every step-th of all bit patterns, block by block on all cores."""
    run = over_arrays(name)
    run(np.ones(1, np.float32))

    def block(start):
        bits = np.arange(start, min(start + step * BLOCK, 2**32), step, dtype=np.uint32)
        return worst(name, run, bits.view(np.float32))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return max(pool.map(block, range(0, 2**32, step * BLOCK)))


def main(names):
    failed = False
    for name in names or DEFINITIONS:
        error, x = worst_of_all(name)
        print(f"{name:8s} {error:5.2f} ulp at x = {x!r}", flush=True)
        failed |= error > LIMIT
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
