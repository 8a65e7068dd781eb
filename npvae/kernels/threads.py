"""One loop, cut into chunks that all threads share.

The chunks depend on the array's size alone, never on the number of threads, so that the
same input gives the same bits on any machine setting.
"""

import functools
import zlib
from pathlib import Path

import numpy as np
from numba import njit, prange
from numba.extending import register_jitable

from .functions import EXACT

# numba's disk cache watches only the file of the function compiled, and what its closure holds.
# With this number in the closure, an edit to any kernel file compiles anew.
SOURCES = zlib.crc32(b"".join(p.read_bytes() for p in sorted(Path(__file__).parent.glob("*.py"))))

# Numbers in a chunk: a microsecond of work, which a thread finds and leaves in its first cache.
CHUNK = 4096
# Waking the other threads takes about as long as doing this many chunks oneself.
SERIAL_CHUNKS = 4

loop = register_jitable(**EXACT)
# "reassoc" lets SIMD lanes share a sum, in an order fixed at compile time.
sum_loop = register_jitable(error_model="numpy", fastmath={"contract", "reassoc"})


@functools.cache
def over_chunks(loop):
    """run(n, chunk, ...) calls loop(start, stop, ...) over [0, n), chunk by chunk."""
    sources = SOURCES

    @njit(parallel=True, cache=True, **EXACT)
    def run(n, chunk, *args):
        sources  # noqa: B018
        # Unsigned: numba then knows that no index is negative, and LLVM can vectorise.
        if n <= SERIAL_CHUNKS * chunk:
            loop(np.uint64(0), np.uint64(n), *args)
        else:
            for c in prange((n + chunk - 1) // chunk):
                loop(np.uint64(c * chunk), np.uint64(min(n, c * chunk + chunk)), *args)

    return run
