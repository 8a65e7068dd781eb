"""One loop, cut into chunks that all threads share, or done by one thread alone.

The chunks depend on the array's size alone, never on the number of threads. So the same input
gives the same bits with any number of threads.
"""

import functools
import os
import threading

import numba
import numpy as np
from llvmlite import ir
from numba import njit, prange, types
from numba.core import cgutils
from numba.extending import intrinsic

from .disk import keep
from .functions import EXACT

# Numbers in a chunk: a microsecond of work, all of which fits into a core's first cache.
CHUNK = 4096
# Waking the other threads takes about as long as doing this many chunks oneself.
SERIAL_CHUNKS = 4

# Compiled once for both of the places where `compiled` calls it, unlike a `functions.scalar`.
loop = njit(**EXACT)
# "reassoc" lets SIMD lanes share a sum, in an order fixed at compile time.
sum_loop = njit(**(EXACT | {"fastmath": {"contract", "reassoc"}}))


@intrinsic
def _threads(typing):
    """numba.get_num_threads(), by its name: numba's own would keep a loop from being kept."""

    def generate(context, builder, signature, args):
        kind = ir.FunctionType(cgutils.intp_t, [])
        name = "get_num_threads"
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [])

    return types.intp(), generate


@functools.cache
def compiled(loop):
    """run(n, chunk, ...) calls loop(start, stop, ...) over [0, n), chunk by chunk."""

    @njit(parallel=True, **EXACT)
    def run(n, chunk, *args):
        # Unsigned: numba then knows that no index is negative, and LLVM can vectorise.
        if n <= SERIAL_CHUNKS * chunk or _threads() == 1:
            loop(np.uint64(0), np.uint64(n), *args)
        else:
            for c in prange((n + chunk - 1) // chunk):
                loop(np.uint64(c * chunk), np.uint64(min(n, c * chunk + chunk)), *args)

    return keep(run, _name(loop))


@functools.cache
def alone(function):
    """The function, compiled for one thread: it is over before another would wake."""
    return keep(njit(**EXACT)(function), _name(function))


def _name(function):
    return f"{function.__module__.rpartition('.')[2]}.{function.__name__}"


@functools.cache
def over_chunks(loop):
    """`compiled`, where any thread of Python may call it at any time."""
    run = compiled(loop)
    if _forked:
        return lambda n, chunk, *args: run(n, n, *args)  # one chunk, which needs no other thread
    numba.get_num_threads()  # starts the threads
    if numba.threading_layer() != "workqueue":
        return run
    return functools.partial(_one_at_a_time, run)


_turn = threading.Lock()
_forked = False


def _one_at_a_time(run, n, chunk, *args):
    """numba's own pool of threads ends the process when two threads of Python use it at once."""
    if _turn.acquire(blocking=False):
        try:
            run(n, chunk, *args)
        finally:
            _turn.release()
    else:
        run(n, n, *args)


def _after_fork():
    """GNU's OpenMP is of no use to a child of the process that started it: it hangs, or ends."""
    global _forked, _turn
    _turn = threading.Lock()
    try:
        _forked = _forked or numba.threading_layer() == "omp"
    except ValueError:  # no thread was started yet
        return
    over_chunks.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
