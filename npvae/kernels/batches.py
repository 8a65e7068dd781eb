"""Rows of a data set as a batch of floats: gathered, scaled and binarised in one pass.

The random numbers are those of NumPy's Philox generator, which computes each block of eight
from its place and a key alone: any thread can draw any part of them.
"""

import numpy as np

from .arrays import FLOATS, plain
from .functions import ONE, ZERO, scalar
from .threads import CHUNK, loop, over_chunks

u64 = np.uint64
STORED = {np.dtype(np.uint8), *FLOATS}
BLOCK = 8  # random float32 numbers; a chunk holds whole blocks
MULTIPLIER_0, MULTIPLIER_1 = u64(0xD2E7470EE14C6C93), u64(0xCA5A826395121157)
KEY_STEP_0, KEY_STEP_1 = u64(0x9E3779B97F4A7C15), u64(0xBB67AE8584CAA73B)
LOW, HALF = u64(2**32 - 1), u64(32)
TO_UNIT = np.float32(2**-24)


def gather(x, rows, unit, dtype):
    """x[rows] / unit, in dtype.        x (N, D), rows (B,) -> (B, D)"""
    return _batch(_gather, CHUNK, x, rows, unit, dtype)


def gather_binary(x, rows, unit, dtype, key, before=0):
    """1 with probability x[rows] / unit, else 0.        x (N, D), rows (B,) -> (B, D)

    key in [0, 2^64) chooses the random numbers, float32 multiples of 2^-24 in [0, 1), of which
    those of so many rows before are left out.
    """
    numbers = u64(key), u64(before)
    return _batch(_gather_binary, CHUNK // 2, x, rows, unit, dtype, *numbers)


def _batch(loop, chunk, x, rows, unit, dtype, *numbers):
    dtype = np.dtype(dtype)
    if x.dtype not in STORED or dtype not in FLOATS:
        raise TypeError(
            f"x is {x.dtype}, its batch {dtype}; expected uint8, float32 or float64, and a batch "
            "of float32 or float64"
        )
    if not (x.ndim == 2 and rows.ndim == 1):
        raise ValueError(f"x, rows have shapes {x.shape}, {rows.shape}; expected (N, D), (B,)")
    rows = rows.astype(np.int64, copy=False)
    # Unsigned, a negative row lies past the end.
    if rows.size and rows.view(u64).max() >= len(x):
        raise IndexError(f"rows span [{rows.min()}, {rows.max()}]; expected 0 to {len(x) - 1}")
    batch = np.empty((rows.size, x.shape[1]), dtype)
    # Not `plain`, because x may be large and read-only: a file mapped into memory.
    x = x if x.flags.c_contiguous and x.flags.aligned else x.copy()
    args = batch.ravel(), x, plain(rows), dtype.type(unit), *numbers
    over_chunks(loop)(batch.size, chunk, *args)
    return batch


@loop
def _gather(start, stop, batch, x, rows, unit):
    D, number = x.shape[1], batch.dtype.type
    start, stop = np.intp(start), np.intp(stop)
    for row in range(start // D, (stop + D - 1) // D):
        first, last = max(start, row * D), min(stop, row * D + D)
        levels, x_row = batch[first:last], x[rows[row], first - row * D : last - row * D]
        for d in range(levels.size):
            levels[d] = number(x_row[d]) / unit


@loop
def _gather_binary(start, stop, batch, x, rows, unit, key, before):
    _gather(start, stop, batch, x, rows, unit)
    levels = batch[start:stop]
    first = before * u64(x.shape[1]) + start
    in_block = first % u64(BLOCK)
    size = u64(levels.size)
    bits = _philox(first // u64(BLOCK), (in_block + size + u64(BLOCK - 1)) // u64(BLOCK), key)
    for i in range(size):
        uniform = np.float32(bits[in_block + i] >> np.uint32(8)) * TO_UNIT
        levels[i] = ONE if uniform < levels[i] else ZERO


@scalar
def _philox(first, blocks, key):
    """Blocks first, first + 1, … of Philox4x64-10, as 32-bit numbers in a row.

    The rounds are so few that the compiler writes them out, and then each SIMD lane has a block.
    Salmon, Moraes, Dror & Shaw 2011, section 3.3.
    """
    words = np.empty(4 * blocks, u64)
    for i in range(blocks):
        a, b, c, d = first + u64(i) + u64(1), u64(0), u64(0), u64(0)  # NumPy counts from 1
        key_0, key_1 = key, u64(0)
        for _ in range(10):
            high_a, low_a = _product(a, MULTIPLIER_0)
            high_c, low_c = _product(c, MULTIPLIER_1)
            a, b, c, d = high_c ^ b ^ key_0, low_c, high_a ^ d ^ key_1, low_a
            key_0, key_1 = key_0 + KEY_STEP_0, key_1 + KEY_STEP_1
        words[4 * i], words[4 * i + 1], words[4 * i + 2], words[4 * i + 3] = a, b, c, d
    return words.view(np.uint32)


@scalar
def _product(a, b):
    """The high and the low 64 bits of a·b.

    From 32-bit halves, as on paper: SIMD lanes have no product of 128 bits.
    """
    a_low, a_high, b_low, b_high = a & LOW, a >> HALF, b & LOW, b >> HALF
    low = a_low * b_low
    middle = a_high * b_low + (low >> HALF)
    other = a_low * b_high + (middle & LOW)
    return a_high * b_high + (middle >> HALF) + (other >> HALF), (other << HALF) + (low & LOW)
