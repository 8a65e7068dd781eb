"""Matrix products, a tile of the result at a time.

A tile stays in registers through the whole sum over k, and every number loaded serves several
multiplications: that is what makes a product fast. A tile that sticks out of the result is
computed whole and stored in part. Each element is the same sum in the same order wherever the
tiles fall.
"""

import functools

import numpy as np
from numba import from_dtype

from .arrays import check_dtypes, plain
from .threads import loop, over_chunks
from .vectors import (
    ROWS,
    add_outer_product,
    add_products,
    dot_tile,
    start_narrow,
    start_sums,
    start_wide,
    store,
    store_sums,
    wide_tile,
)

# Multiplications in a chunk: less than a microsecond of work.
CHUNK = 2**15
# A shorter sum is over before its lanes, added up at the end, have paid: copying bᵀ is cheaper.
LONG_SUM = 128
# Terms whose a is zero for a whole tile are left out if fewer than one in four of every 97th
# number of a are not zero, and the product has so many columns that looking for them has paid.
SAMPLE_STEP = 97
NONZERO_SHARE = 1 / 4
ZEROS_PAY = 128
ZEROS_CHUNK = 1024

tile_for = functools.cache(lambda kind, dtype: kind(from_dtype(dtype)))


def affine(x, W, b):
    """x W + b.        x (m, k), W (k, n), b (n,) -> (m, n)"""
    check_dtypes(x, W, b)
    if not (x.ndim == W.ndim == 2 and x.shape[1] == W.shape[0] and b.shape == W.shape[1:]):
        raise ValueError(
            f"x, W, b have shapes {x.shape}, {W.shape}, {b.shape}; expected (m, k), (k, n), (n,)"
        )
    return _outer(x, W, b)


def matmul(a, b):
    """a b.        a (m, k), b (k, n) -> (m, n)"""
    check_dtypes(a, b)
    if not (a.ndim == b.ndim == 2 and a.shape[1] == b.shape[0]):
        raise ValueError(f"a, b have shapes {a.shape}, {b.shape}; expected (m, k), (k, n)")
    if a.shape[1] >= min(len(a), LONG_SUM) and b.T.flags.carray:
        return _dots(a, b.T)
    return _outer(a, b, np.zeros(b.shape[1], b.dtype))


def _outer(a, b, bias):
    """bias + Σ_k a[:, k] b[k], first k first; a may also lie transposed in memory.   [kernels.1]"""
    y = np.empty((a.shape[0], b.shape[1]), a.dtype)
    (m, n), depth = y.shape, len(b)
    if a.T.flags.carray:
        a, a_row, a_column = a.T, 1, m
    else:
        a, a_row, a_column = plain(a), depth, 1
    a = a.reshape(-1)
    tile = tile_for(wide_tile, y.dtype)
    columns, lanes = tile.columns, tile.lanes
    wide, narrow = _strips(n, columns, lanes)
    tiles = wide * -(-m // ROWS) + narrow * -(-m // (ROWS * columns))
    chunk = 1 + CHUNK // (ROWS * columns * lanes * (1 + depth))
    terms = _all_terms(depth)
    if n >= ZEROS_PAY and _mostly_zero(a):
        terms = _nonzero_terms(a, a_row, a_column, m, depth)
    args = y, columns, lanes, wide, a, a_row, a_column, plain(b), plain(bias), *terms
    over_chunks(_outer_tiles)(tiles, chunk, *args)
    return y


def _strips(n, columns, lanes):
    """How many strips of wide and of narrow tiles cover n columns with the least outside."""
    wide, rest = divmod(n, columns * lanes)
    narrow = -(-rest // lanes)
    return (wide, narrow) if 2 * narrow <= columns else (wide + 1, 0)


def _mostly_zero(a):
    sample = a[::SAMPLE_STEP]
    return np.count_nonzero(sample) < NONZERO_SHARE * sample.size


@functools.lru_cache(1000)
def _all_terms(depth):
    """k = 0 … depth − 1 in a row, and how many they are."""
    return np.arange(depth, dtype=np.int32)[None], np.array([depth])


def _nonzero_terms(a, a_row, a_column, m, depth):
    """For each tile's rows of a, the k where one of them is not zero, and how many they are.

    The last row has all k, for narrow tiles. A term that is left out would have added 0.
                                                                 [kernels.4]
    """
    blocks = -(-m // ROWS)
    kept, counts = np.empty((blocks + 1, depth), np.int32), np.full(blocks + 1, depth)
    kept[-1] = np.arange(depth)
    chunk = 1 + ZEROS_CHUNK // (1 + depth)
    bits = a.view(f"i{a.itemsize}")  # of −0 some are set: it is kept
    over_chunks(_keep)(blocks, chunk, kept, counts, bits, a_row, a_column, m)
    return kept, counts


@loop
def _keep(first, last, kept, counts, bits, a_row, a_column, m):
    # All unsigned, as over_chunks has it: no index is looked at for its sign.
    a_row, a_column, end = np.uint64(a_row), np.uint64(a_column), np.uint64(m - 1)
    for block in range(first, last):
        count = np.uint64(0)
        for k in range(np.uint64(kept.shape[1])):
            together = bits.dtype.type(0)
            for r in range(np.uint64(ROWS)):
                together |= bits[min(block * np.uint64(ROWS) + r, end) * a_row + k * a_column]
            kept[block, count] = k
            count += np.uint64(together != 0)
        counts[block] = count


@loop
def _outer_tiles(first, last, y, columns, lanes, wide, a, a_row, a_column, b, bias, kept, counts):
    """y = bias + a b in tiles first … last − 1: the wide, then the narrow, down the columns."""
    m, n = y.shape
    tall, width = ROWS * columns, columns * lanes
    down, down_narrow = (m + ROWS - 1) // ROWS, (m + tall - 1) // tall
    for t in range(np.intp(first), np.intp(last)):
        if t < wide * down:
            i, j = t % down * ROWS, t // down * width
            block = min(t % down, len(kept) - 1)
            terms = kept[block, : counts[block]]
            if i + ROWS <= m and j + width <= n:
                tile = start_wide(bias, j, None)
                _outer_tile(tile, terms, y, i, j, a, a_row, a_column, b, None, None)
            else:
                tile = start_wide(bias, j, n - j)
                _outer_tile(tile, terms, y, i, j, a, a_row, a_column, b, m - i, n - j)
        else:
            s = t - wide * down
            i, j = s % down_narrow * tall, wide * width + s // down_narrow * lanes
            tile = start_narrow(bias, j, n - j)
            _outer_tile(tile, kept[-1], y, i, j, a, a_row, a_column, b, m - i, n - j)


@loop
def _outer_tile(tile, terms, y, i, j, a, a_row, a_column, b, rows, columns):
    """y[i, j] = bias[j] + Σ_k a[i, k] b[k, j]: for each k, a column of a times a row of b."""
    n = y.shape[1]
    sums = tile
    for t in range(len(terms)):
        k = np.intp(terms[t])
        a_at = i * a_row + k * a_column
        sums = add_outer_product(sums, a, a_at, a_row, rows, b, k * n + j, columns)
    store(sums, y, i * n + j, n, rows, columns)


def _dots(a, b):
    """a bᵀ, for both a and b are read along their rows.    [kernels.3]"""
    y = np.empty((a.shape[0], b.shape[0]), a.dtype)
    tile = tile_for(dot_tile, a.dtype)
    tiles = -(-len(a) // tile.rows) * -(-len(b) // tile.columns)
    chunk = 1 + CHUNK // (tile.rows * tile.columns * (1 + b.shape[1]))
    over_chunks(_dot_tiles)(tiles, chunk, y, tile.rows, tile.columns, plain(a), b, tile.lanes)
    return y


@loop
def _dot_tiles(first, last, y, height, width, a, b, lanes):
    """y = a bᵀ in tiles first … last − 1, numbered down the columns."""
    m, n = y.shape
    tiles_down = (m + height - 1) // height
    for t in range(np.intp(first), np.intp(last)):
        i, j = t % tiles_down * height, t // tiles_down * width
        if i + height <= m and j + width <= n:
            _dot_tile(y, i, j, a, b, lanes, None, None)
        else:
            _dot_tile(y, i, j, a, b, lanes, m - i, n - j)


@loop
def _dot_tile(y, i, j, a, b, lanes, rows, columns):
    """y[i, j] = Σ_k a[i, k] b[j, k]: each lane sums every lanes-th k, and the last lanes fewer."""
    depth = a.shape[1]
    rest = depth % lanes
    tile = start_sums(y)
    for k in range(0, depth - rest, lanes):
        a_at, b_at = i * depth + k, j * depth + k
        tile = add_products(tile, a, a_at, depth, rows, b, b_at, depth, columns, None)
    if rest > 0:
        a_at, b_at = (i + 1) * depth - rest, (j + 1) * depth - rest
        tile = add_products(tile, a, a_at, depth, rows, b, b_at, depth, columns, rest)
    store_sums(tile, y, i * y.shape[1] + j, y.shape[1], rows, columns)
