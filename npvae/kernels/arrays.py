"""What every compiled kernel asks of its arguments."""

import numpy as np

FLOATS = {np.dtype(np.float32), np.dtype(np.float64)}


def check_dtypes(*arrays):
    """Mixed dtypes would silently compile a kernel of their own, and widen what they touch."""
    dtypes = {a.dtype for a in arrays}
    if len(dtypes) > 1 or dtypes.isdisjoint(FLOATS):
        found = " and ".join(sorted(map(str, dtypes)))
        raise TypeError(f"arrays are {found}; expected all float32 or all float64")


def check_same_shape(*arrays):
    """The loops trust it: an index past the end reads another array's memory."""
    shapes = [a.shape for a in arrays]
    if shapes.count(shapes[0]) != len(shapes):
        raise ValueError(f"arrays have shapes {shapes}; expected one shape")


def plain(a):
    """a, or a copy, as numba's one type of array: C-contiguous, aligned, writable (carray)."""
    return a if a.flags.carray else a.copy()


def flat(a):
    """The numbers of a in a row."""
    return plain(a).reshape(-1)
