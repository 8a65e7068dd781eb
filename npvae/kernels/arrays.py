"""What every compiled kernel asks of its arguments."""

import numpy as np

FLOATS = {np.dtype(np.float32), np.dtype(np.float64)}


def check_dtypes(first, *others):
    """Mixed dtypes would silently compile a kernel of their own, and widen what they touch."""
    dtype = first.dtype
    fit = dtype in FLOATS
    for a in others:  # all(…) would take longer than the loop of a small kernel
        fit = fit and a.dtype == dtype
    if not fit:
        found = " and ".join(sorted({str(a.dtype) for a in (first, *others)}))
        raise TypeError(f"arrays are {found}; expected all float32 or all float64")


def check_alike(first, *others):
    """One dtype and one shape: an index past the end would read another array's memory."""
    check_dtypes(first, *others)
    shape = first.shape
    for a in others:
        if a.shape != shape:
            shapes = [a.shape for a in (first, *others)]
            raise ValueError(f"arrays have shapes {shapes}; expected one shape")


def plain(a):
    """a, or a copy, as numba's one type of array: C-contiguous, aligned, writable (carray)."""
    return a if a.flags.carray else a.copy()


def flat(a):
    """The numbers of a in a row."""
    return plain(a).ravel()
