"""Matrix products, a tile of the result at a time.

A tile stays in registers (the places inside a core that arithmetic works on) through the whole
sum over k, and every number that is loaded serves several multiplications: that is what makes a
product fast. A tile that sticks out of the result is computed whole and stored in part. Each
element is the same sum in the same order, wherever the tiles fall.

A thread takes the same rows of a W in x W, dy Wᵀ and xᵀ dy, and the optimizers give it the same
ones: a number that one thread writes should never have been read by another.
"""

import functools

import numpy as np
from numba import from_dtype

from .arrays import check_dtypes, plain
from .functions import scalar
from .threads import CHUNK, alone, loop, over_chunks
from .vectors import add_outer_product, add_row, lanes, load_transposed, start, store
from .zeros import LISTED, MANY_REGISTERS, mostly_zero, nonzero_terms, steps

# Tiles, as (rows, registers side by side). Ten sums hide the time that each addition takes. Ten
# rows divide the usual batches, eight the others. Twenty rows load less, which is a tenth faster
# where a lies transposed, but slower for the few rows of a small batch. `zeros` has a tile more.
# r × c sums take rc + c + 1 registers: twenty by one 22.
TWENTY, TEN, EIGHT = (20, 1), (10, 1), (8, 1)
# In x W, if W has at least so many numbers, the halves of each sum are the work of two tasks where
# that moves less memory: each thread then reads its own half of the rows of W.
HALVED = 2**16
# A task is the tiles below each other in so many rows, at most: they share a strip of b.
TASK_ROWS = 160
TASKS = 8  # at least, if there are so many tiles, or threads would wait for each other
# Multiplications in a chunk of tasks: a microsecond of work.
CHUNK_TERMS = 2**15
# Looking for zeros pays where the product has so many columns.
ZEROS_PAY = 128


def affine(x, W, b):
    """x W + b.        x (m, k), W (k, n), b (n,) -> (m, n)"""
    check_dtypes(x, W, b)
    if not (x.ndim == W.ndim == 2 and x.shape[1] == W.shape[0] and b.shape == W.shape[1:]):
        raise ValueError(
            f"x, W, b have shapes {x.shape}, {W.shape}, {b.shape}; expected (m, k), (k, n), (n,)"
        )
    return _product(x, W, plain(b), np.empty((len(x), b.size), x.dtype))


def affine_backward_params(dy, x, dW=None, db=None):
    """xᵀ dy and Σ_r dy_r.        dy (m, n), x (m, k) -> dW (k, n), db (n,)

    Written to dW and db if those are arrays.
    """
    check_dtypes(dy, x)
    if not (dy.ndim == x.ndim == 2 and len(dy) == len(x)):
        raise ValueError(f"dy, x have shapes {dy.shape}, {x.shape}; expected (m, n), (m, k)")
    n = dy.shape[1]
    dW = _written("dW", dW, (x.shape[1], n), dy.dtype)
    db = _written("db", db, (n,), dy.dtype)
    return _product(x.T, plain(dy), _zeros(n, dy.dtype), dW, db), db


def matmul(a, b, out=None):
    """a b.        a (m, k), b (k, n) -> (m, n), written to out if given, which overlaps neither"""
    check_dtypes(a, b)
    if not (a.ndim == b.ndim == 2 and a.shape[1] == b.shape[0]):
        raise ValueError(f"a, b have shapes {a.shape}, {b.shape}; expected (m, k), (k, n)")
    y = _written("out", out, (len(a), b.shape[1]), a.dtype)
    return _product(a, b, _zeros(b.shape[1], a.dtype), y)


def _written(name, out, shape, dtype):
    """out, or an array that is yet to be written."""
    if out is None:
        return np.empty(shape, dtype)
    if out.shape != shape or out.dtype != dtype or not out.flags.carray:
        raise ValueError(
            f"{name} is {out.dtype} {out.shape} with strides {out.strides}; expected {dtype} "
            f"{shape}, C-contiguous and writable"
        )
    return out


@functools.lru_cache(1000)
def _zeros(n, dtype):
    """Read only, though numba has no type of a plain array that says so."""
    return np.zeros(n, dtype)


def _product(a, b, bias, y, sums=None):
    """y = bias + Σ_k a[:, k] b[k], first k first; a, b may also lie transposed.   [kernels.1]

    Or (bias + Σ_k a[:, k] b[k]) + Σ_l a[:, l] b[l], k in the first half, l in the second, where
    `_plan` says so.                                             [kernels.7]
    If sums is given, b lies row after row, and sums = bias + Σ_k b[k].
    """
    (m, depth), n, dtype = a.shape, bias.size, y.dtype
    a, a_turned = _as_it_lies(a)
    b, b_turned = _as_it_lies(b)
    zeros = n >= ZEROS_PAY and not b_turned and alone(mostly_zero)(a.ravel())
    loop, tasks, chunk, parts, *cut = _plan(m, depth, n, a_turned, b_turned, zeros, dtype)
    listed = nonzero_terms(a, a_turned, m, depth, parts) if zeros else ()
    rest = np.empty(y.shape, dtype) if parts > 1 else y
    sums = _zeros(0, dtype) if sums is None else sums
    over_chunks(loop)(tasks, chunk, y, rest, a, b, bias, sums, parts, *cut, *listed)
    if parts > 1:
        over_chunks(_add)(y.size, CHUNK, y.ravel(), rest.ravel())
    return y


def _as_it_lies(a):
    """a or its transpose, whichever lies row after row, and whether it is the transpose."""
    if a.flags.carray:
        return a, False
    return (a.T, True) if a.T.flags.carray else (plain(a), False)


@functools.lru_cache(1000)
def _plan(m, depth, n, a_turned, b_turned, zeros, dtype):
    """How a product is cut.

    -> its loop over tasks; how many they are, and how many in a chunk; and what `_tasks` reads
    from parts to width
    """
    tile = LISTED if zeros else _tile_for(m, a_turned)
    height, width = tile[0], tile[1] * lanes(from_dtype(dtype))
    down, strips = -(-m // height), -(-n // width)
    tiles = max(1, min(TASK_ROWS // height, down * strips // TASKS))
    groups = max(1, -(-down // tiles))
    tiles = max(1, -(-down // groups))
    # Then two y are moved from thread to thread, and else all of b.
    halved = depth * n >= HALVED and 2 * m <= depth and not (a_turned or b_turned)
    parts = 2 if halved else 1
    chunk = 1 + CHUNK_TERMS // (1 + tiles * height * width * depth // parts)
    tasks = parts * groups * strips
    return LOOPS[tile], tasks, chunk, parts, int(a_turned), int(b_turned), tiles, groups, width


def _tile_for(m, a_turned):
    """The first that may be had and computes at most a twentieth more rows than another."""
    tiles = (TWENTY, TEN, EIGHT) if a_turned and MANY_REGISTERS else (TEN, EIGHT)
    computed = {tile: -(-m // tile[0]) * tile[0] for tile in tiles}
    return next(tile for tile in tiles if 0.95 * computed[tile] <= min(computed.values()))


@scalar
def _tasks(
    start_tile, start_row, transpose, height, first, last,
    y, rest, a, b, bias, sums, parts, a_turned, b_turned, tiles, groups, width, *listed,
):  # fmt: skip
    """y = bias + a b in tasks first … last − 1, each some tiles below each other.

    start_tile  makes a tile of so many rows, the height
    start_row   … of one
    transpose   makes a strip
    sums        bias + Σ_k b[k], unless it is empty: of each strip, by one of its tasks
    parts       2 if the first tasks make first halves, into y, the others second ones, into rest
    a_turned    whether aᵀ is given; then tasks follow each other along the rows of y, and else
                down its columns
    b_turned    whether bᵀ is given; then it is read from a strip of b made for each task
    tiles       how many there are in a task
    groups      how many tasks there are from the top of y to the bottom
    listed      what nonzero_terms returns, or nothing, which means all terms
    """
    m, n = y.shape
    strips = -(-n // width)
    depth = a.shape[0] if a_turned else a.shape[1]
    a_row, a_column = steps(a_turned, m, depth)
    strip = np.empty((depth if b_turned else 0, width), y.dtype)
    zeros = np.zeros(n if parts > 1 else 0, y.dtype)
    for task in range(np.intp(first), np.intp(last)):
        part, place = task // (groups * strips), task % (groups * strips)
        group, side = place % groups, place // groups
        if a_turned:
            group, side = place // strips, place % strips
        i, j = group * tiles * height, side * width
        end = min(i + tiles * height, m)
        begun, target = (zeros, rest) if part else (bias, y)
        ks = part * depth // parts, (part + 1) * depth // parts
        b_rows, b_at, b_step = b, j, n
        if b_turned:
            transpose(strip, b, j)
            b_rows, b_at, b_step = strip, 0, width
        # Which task turns from strip to strip: no thread makes them all.
        if sums.size and part == 0 and group == side * groups // strips:
            row = start_row(bias, j, n - j)
            for k in range(depth):
                row = add_row(row, b, j + k * n, n - j)
            store(row, sums, j, n, 1, n - j)
        while i < end:
            tile = start_tile(begun, j, n - j)
            args = target, i, j, a, a_row, a_column, b_rows, b_at, b_step, *ks, part
            if i + height <= m and j + width <= n:
                _tile(tile, *args, None, None, i // height, *listed)
            else:
                _tile(tile, *args, m - i, n - j, i // height, *listed)
            i += height


start_twenty, start_ten, start_eight = start(*TWENTY), start(*TEN), start(*EIGHT)
start_listed, start_row, start_wide_row = start(*LISTED), start(1, 1), start(1, LISTED[1])


# Named one by one, because their names tell them apart on disk.
@loop
def _twenty(first, last, *args):
    _tasks(start_twenty, start_row, _transpose, TWENTY[0], first, last, *args)


@loop
def _ten(first, last, *args):
    _tasks(start_ten, start_row, _transpose, TEN[0], first, last, *args)


@loop
def _eight(first, last, *args):
    _tasks(start_eight, start_row, _transpose, EIGHT[0], first, last, *args)


@loop
def _listed(first, last, *args):
    _tasks(start_listed, start_wide_row, _never, LISTED[0], first, last, *args)


@scalar
def _never(strip, b, j):
    """Where zeros are looked for, b does not lie transposed."""


LOOPS = {TWENTY: _twenty, TEN: _ten, EIGHT: _eight, LISTED: _listed}


@scalar
def _tile(
    tile, y, i, j, a, a_row, a_column, b, b_at, b_step, first, last, part, rows, columns, block,
    *listed,
):  # fmt: skip
    """y[i, j] = tile + Σ_k a[i, k] b[k, j]: for each k, a column of a times a row of b.

    k           first … last − 1, or those of them that are listed, of this part
    """
    n = y.shape[1]
    sums = tile
    if len(listed) == 0:
        for k in range(first, last):
            a_at = i * a_row + k * a_column
            sums = add_outer_product(sums, a, a_at, a_row, rows, b, b_at + k * b_step, columns)
    else:
        kept, ends = listed
        for t in range(ends[block, part], ends[block, part + 1]):
            k = np.intp(kept[block, t])
            a_at = i * a_row + k * a_column
            sums = add_outer_product(sums, a, a_at, a_row, rows, b, b_at + k * b_step, columns)
    store(sums, y, i * n + j, n, rows, columns)


@loop
def _add(start, stop, y, rest):
    for i in range(start, stop):
        y[i] += rest[i]


@scalar
def _transpose(strip, b, j):
    """strip[k, c] = b[j + c, k], any number past the last row of b."""
    (n, depth), width = b.shape, strip.shape[1]
    if depth < width:
        for k in range(depth):
            for c in range(width):
                strip[k, c] = b[min(j + c, n - 1), k]
    else:
        for k in range(0, depth, width):
            k = min(k, depth - width)  # the last square covers some of the one before
            square = load_transposed(b, j * depth + k, depth, n - j)
            store(square, strip, k * width, width, None, None)
