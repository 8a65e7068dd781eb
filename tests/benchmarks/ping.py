"""How long a line of memory takes from one CPU to another.

Two threads, each held to a CPU, add to one number in turns, so each waits until it has the line
from the other. Cores under one third-level cache need some 50 ns a hop, others of the same chip
200 or so. On a virtual machine the host decides which cores these are, and may decide anew.
"""

import os
import threading
import time

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

NEAR = 100  # nanoseconds a hop, at most, under one cache
HOPS, TRIES = 2000, 5
LINE = 64  # bytes


def _address(context, builder, array_type, array):
    return context.make_array(array_type)(context, builder, array).data


@intrinsic
def _load(typing, number):
    """number[0], read from where all CPUs see it."""

    def generate(context, builder, signature, args):
        address = _address(context, builder, signature.args[0], *args)
        return builder.load_atomic(address, "acquire", 8)

    return types.int64(number), generate


@intrinsic
def _store(typing, number, value):
    """number[0] = value, for all CPUs to see."""

    def generate(context, builder, signature, args):
        address = _address(context, builder, signature.args[0], args[0])
        builder.store_atomic(args[1], address, "release", 8)
        return context.get_dummy_value()

    return types.void(number, types.int64), generate


@njit(nogil=True)
def _bounce(number, first, hops):
    """Make every second hop, from the first on: k becomes k + 1."""
    for k in range(first, hops, 2):
        while _load(number) != k:
            pass
        _store(number, k + 1)


def _seconds(pair):
    number, seconds = np.zeros(LINE // 8, np.int64), []
    ready = threading.Barrier(2)

    def run(first):
        os.sched_setaffinity(0, {pair[first]})  # of this thread alone
        ready.wait()
        began = time.perf_counter()
        _bounce(number, first, HOPS)
        seconds.append(time.perf_counter() - began)

    threads = [threading.Thread(target=run, args=(first,)) for first in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return max(seconds)


def hop_ns(cpus):
    """Nanoseconds from the first of these CPUs to the last, the best of a few tries.

    None where there is one alone, or no thread can be held to a CPU.
    """
    if len(cpus) < 2 or not hasattr(os, "sched_setaffinity"):
        return None
    _bounce(np.zeros(LINE // 8, np.int64), 0, 0)  # compiles
    return min(_seconds((cpus[0], cpus[-1])) for _ in range(TRIES)) / HOPS * 1e9
