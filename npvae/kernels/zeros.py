"""Which terms of a product are zero for a whole tile, so that they can be left out."""

import numpy as np

from .functions import scalar
from .threads import loop, over_chunks
from .vectors import register_count

# A tile that leaves out terms has few rows, because those share more zeros, and is wide, because
# the few terms that remain must pay for its beginning and end. Four by four take 21 registers.
MANY_REGISTERS = register_count() >= 22
LISTED = (4, 4) if MANY_REGISTERS else (5, 2)
# Terms are left out if fewer than one in three of two hundred numbers of a are not zero.
SAMPLES, SAMPLE_STEP = 200, 97
NONZERO_SHARE = 1 / 3
ZEROS_CHUNK = 1024


def mostly_zero(a):
    """Whether a row of numbers is, by a sample of it."""
    step = SAMPLE_STEP + a.size // SAMPLES
    dense, nonzero = NONZERO_SHARE * (1 + a.size // step), 0
    for i in range(0, a.size, step):
        nonzero += a[i] != 0
        if nonzero >= dense:
            return False
    return True


def nonzero_terms(a, turned, m, depth, parts):
    """For each tile's rows of a, the k where one of them is not zero.

    A term that is left out would have added 0.                  [kernels.4]
    -> kept (tiles, depth), and where each part of them ends: ends (tiles, 1 + parts), from 0 on
    """
    blocks = -(-m // LISTED[0])
    kept, ends = np.empty((blocks, depth), np.int32), np.empty((blocks, 1 + parts), np.intp)
    chunk = 1 + ZEROS_CHUNK // (1 + depth)
    bits = a.reshape(-1).view(f"i{a.itemsize}")  # of −0 some are set: it is kept
    a_row, a_column = steps(turned, m, depth)
    over_chunks(_keep)(blocks, chunk, kept, ends, bits, a_row, a_column, m)
    return kept, ends


@scalar
def steps(turned, m, depth):
    """How far apart the numbers of a (m, depth) lie in a column, and in a row."""
    return (1, m) if turned else (depth, 1)


@loop
def _keep(first, last, kept, ends, bits, a_row, a_column, m):
    # All unsigned, as over_chunks has it: no index is looked at for its sign.
    a_row, a_column, end = np.uint64(a_row), np.uint64(a_column), np.uint64(m - 1)
    depth, parts = kept.shape[1], ends.shape[1] - 1
    for block in range(first, last):
        count = np.uint64(0)
        for part in range(parts):
            ends[block, part] = count
            start, stop = part * depth // parts, (part + 1) * depth // parts
            for k in range(np.uint64(start), np.uint64(stop)):
                together = bits.dtype.type(0)
                for r in range(np.uint64(LISTED[0])):
                    row = min(block * np.uint64(LISTED[0]) + r, end)
                    together |= bits[row * a_row + k * a_column]
                kept[block, count] = k
                count += np.uint64(together != 0)
        ends[block, parts] = count
