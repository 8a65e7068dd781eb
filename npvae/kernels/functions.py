"""Elementary functions of one number, written so that a loop over them runs in SIMD lanes.

numba calls the C library for every exp, one number at a time; a polynomial is plain
arithmetic, which LLVM computes for 4, 8 or 16 float32 at once. In float64, where gradients are
checked and nobody waits, the C library serves.

No branch, no conversion that is undefined for NaN: both would stop the vectoriser. The series
are Taylor's, one term longer than a fitted polynomial of the same accuracy, and need no table.
A constant that float32 holds exactly is written as one, since it widens no float32 arithmetic
(as the int 1 would) and is exact in float64.
"""

import math
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload, register_jitable

# "contract" lets a·b + c be one fused operation. Flags that reorder sums are not allowed here:
# they would undo the rounding tricks below, and "arcp" may divide by inf into NaN.
# A wrapper for C, which nobody calls, would take a tenth of the time to compile.
EXACT: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract"}, "no_cfunc_wrapper": True}

f32 = np.float32
ZERO, HALF, ONE, TWO = f32(0), f32(0.5), f32(1), f32(2)

LOG2_E = f32(1 / math.log(2))
# ln 2 in two parts; n·LN2_HIGH is exact for |n| < 2^15, so x − n ln 2 loses nothing.
LN2_HIGH = f32(0.693359375)
LN2_LOW = f32(math.log(2) - 0.693359375)
# Adding 1.5·2^23 pushes the fraction of a float32 out and leaves its integer in the low bits.
TO_INTEGER = f32(1.5 * 2**23)
TO_INTEGER_BITS = TO_INTEGER.view(np.int32)


def by_dtype(single, double):
    """A function that compiles as `single` for a float32 and as `double` for a float64."""

    def function(x):
        raise NotImplementedError("to be called from compiled code")

    overload(function, jit_options=EXACT)(lambda x: single if x == types.float32 else double)
    return function


def scalar(function):
    """A function of numbers that compiled code may call."""
    return register_jitable(**EXACT)(function)


@scalar
def _power_of_two(n):
    """2^n for the int32 n, −126 ≤ n ≤ 127: n + 127 is the exponent's bit pattern."""
    return np.int32((n + 127) << 23).view(f32)


@scalar
def _split(x):
    """n and e^δ − 1 for x = n ln 2 + δ, |δ| ≤ ½ ln 2: Σ_k δ^k / k! to k = 7.    [kernels.5]"""
    shifted = x * LOG2_E + TO_INTEGER
    n = shifted - TO_INTEGER
    delta = (x - n * LN2_HIGH) - n * LN2_LOW
    p = f32(1 / 720) + delta * f32(1 / 5040)
    p = f32(1 / 24) + delta * (f32(1 / 120) + delta * p)
    p = HALF + delta * (f32(1 / 6) + delta * p)
    return np.int32(f32(shifted).view(np.int32) - TO_INTEGER_BITS), delta + delta * delta * p


@scalar
def _exp32(x):
    """e^x = 2^n e^δ."""
    x = f32(-104) if x < f32(-104) else f32(89) if x > f32(89) else x  # beyond: 0 and inf
    n, p = _split(x)
    # In two steps: 2^n itself may be too small or too large for a float32's exponent.
    half = n >> 1
    return (ONE + p) * _power_of_two(half) * _power_of_two(n - half)


@scalar
def _expm1_32(x):
    """e^x − 1 = 2^n (e^δ − 1) + (2^n − 1), in two steps too. For |x| ≤ ½ ln 2 it is x + x²·(…)."""
    x = f32(-20) if x < f32(-20) else f32(89) if x > f32(89) else x  # beyond: −1 and inf
    n, p = _split(x)
    half = n >> 1
    s = _power_of_two(half)
    return (s * p + (s - _power_of_two(half - n))) * _power_of_two(n - half)


@scalar
def _log1p32(x):
    """log(1 + x) = 2 artanh(t) = 2 Σ_k t^(2k+1) / (2k + 1), t = x / (2 + x), k ≤ 7. [kernels.6]"""
    two_t = TWO * x / (TWO + x)  # not x / (2 + x), which would round a subnormal x
    t = HALF * two_t
    t2 = t * t
    p = f32(1 / 13) + t2 * f32(1 / 15)
    p = f32(1 / 9) + t2 * (f32(1 / 11) + t2 * p)
    p = f32(1 / 5) + t2 * (f32(1 / 7) + t2 * p)
    return two_t + two_t * t2 * (f32(1 / 3) + t2 * p)


@scalar
def _tanh32(x):
    """tanh x = e / (e + 2) for e = e^2x − 1, from |x| so that nothing cancels."""
    size = abs(x)
    e = _expm1_32(TWO * (f32(10) if size > f32(10) else size))  # beyond: 1
    y = e / (e + TWO)
    return -y if x < ZERO else y


exp = by_dtype(_exp32, lambda x: math.exp(x))
expm1 = by_dtype(_expm1_32, lambda x: math.expm1(x))
log1p = by_dtype(_log1p32, lambda x: math.log1p(x))  # in float32 for 0 ≤ x ≤ 1 only
tanh = by_dtype(_tanh32, lambda x: math.tanh(x))


@scalar
def sigmoid(x):
    """1 / (1 + e^−x), through e^−|x| so that nothing overflows."""
    e = exp(-abs(x))
    return (e if x < ZERO else ONE) / (ONE + e)


@scalar
def positive_part(x):
    """max(x, 0), which keeps NaN."""
    return ZERO if x < ZERO else x


@scalar
def log1p_exp_minus_abs(x):
    """log(1 + e^−|x|)."""
    return log1p(exp(-abs(x)))


@scalar
def softplus(x):
    """log(1 + e^x) = max(x, 0) + log(1 + e^−|x|)."""
    return positive_part(x) + log1p_exp_minus_abs(x)
