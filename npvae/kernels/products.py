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
    add_outer_product,
    add_products,
    dot_tile,
    outer_tile,
    start,
    start_sums,
    store,
    store_sums,
)

# Multiplications in a chunk: a microsecond or two of work.
CHUNK = 2**17
# A shorter sum is over before its lanes, added up at the end, have paid: copying bᵀ is cheaper.
LONG_SUM = 128

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
    if a.shape[1] >= LONG_SUM and b.T.flags.carray:
        return _dots(a, b.T)
    return _outer(a, b, np.zeros(b.shape[1], b.dtype))


def _outer(a, b, bias):
    """bias + a b, where a may also lie transposed in memory: its numbers are read one by one."""
    y = np.empty((a.shape[0], b.shape[1]), a.dtype)
    if a.T.flags.carray:
        a, row, column = a.T, 1, a.shape[0]
    else:
        a, row, column = plain(a), a.shape[1], 1
    tile = tile_for(outer_tile, a.dtype)
    args = a, row, column, plain(b), plain(bias)
    _over_tiles(_outer_tiles, tile.rows, tile.columns * tile.lanes, y, b.shape[0], *args)
    return y


def _dots(a, b):
    """a bᵀ, for both a and b are read along their rows."""
    y = np.empty((a.shape[0], b.shape[0]), a.dtype)
    tile = tile_for(dot_tile, a.dtype)
    _over_tiles(_dot_tiles, tile.rows, tile.columns, y, b.shape[1], plain(a), b, tile.lanes)
    return y


def _over_tiles(loop, height, width, y, depth, *args):
    tiles = -(-y.shape[0] // height) * -(-y.shape[1] // width)
    chunk = 1 + CHUNK // (height * width * (1 + depth))
    over_chunks(loop)(tiles, chunk, y, height, width, *args)


@loop
def _outer_tiles(first, last, y, height, width, a, a_row, a_column, b, bias):
    """y = bias + a b in tiles first … last − 1, numbered down the columns."""
    m, n = y.shape
    tiles_down = (m + height - 1) // height
    for t in range(np.intp(first), np.intp(last)):
        i, j = t % tiles_down * height, t // tiles_down * width
        if i + height <= m and j + width <= n:
            _outer_tile(y, i, j, a, a_row, a_column, b, bias, None, None)
        else:
            _outer_tile(y, i, j, a, a_row, a_column, b, bias, m - i, n - j)


@loop
def _outer_tile(y, i, j, a, a_row, a_column, b, bias, rows, columns):
    """y[i, j] = bias[j] + Σ_k a[i, k] b[k, j]: for each k, a column of a times a row of b."""
    n = y.shape[1]
    tile = start(bias, j, columns)
    for k in range(b.shape[0]):
        a_at = i * a_row + k * a_column
        tile = add_outer_product(tile, a, a_at, a_row, rows, b, k * n + j, columns)
    store(tile, y, i * n + j, n, rows, columns)


@loop
def _dot_tiles(first, last, y, height, width, a, b, lanes):
    """y = a bᵀ in tiles first … last − 1, numbered down the columns."""
    m, n = y.shape
    tiles_down = (m + height - 1) // height
    for t in range(np.intp(first), np.intp(last)):
        i, j = t % tiles_down * height, t // tiles_down * width
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
    a_at, b_at = (i + 1) * depth - rest, (j + 1) * depth - rest
    tile = add_products(tile, a, a_at, depth, rows, b, b_at, depth, columns, rest)
    store_sums(tile, y, i * y.shape[1] + j, y.shape[1], rows, columns)
