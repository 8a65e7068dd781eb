"""Calls of a function, kept, and made again: of another library's function, in another precision.

The arguments are pickled before the call, so a generator of random numbers or an array that the
call changes is kept as it was; arrays lie beside the pickle, and may be read as float64.
"""

import collections
import contextlib
import functools
import importlib
import io
import pickle

import numpy as np

FIRST, LAST = 60, 20  # of a function's calls, so many are kept
LARGEST = 8_000_000  # bytes of arguments


class _Pickler(pickle.Pickler):
    """Lays arrays aside, in a list, and writes their places."""

    def __init__(self, buffer):
        super().__init__(buffer)
        self.arrays = []

    def persistent_id(self, value):
        if type(value) is not np.ndarray or value.dtype == object:
            return None
        self.arrays.append(value.copy())
        if sum(array.nbytes for array in self.arrays) > LARGEST:
            raise ValueError("too large to be kept")
        return len(self.arrays) - 1


class _Unpickler(pickle.Unpickler):
    """Puts the arrays back, and takes npvae's classes from another package."""

    def __init__(self, pickled, arrays, package, double):
        super().__init__(io.BytesIO(pickled))
        self.arrays, self.package, self.double = arrays, package, double

    def persistent_load(self, place):
        array = self.arrays[place]
        return array.astype(np.float64) if self.double and _is_float(array) else array.copy()

    def find_class(self, module, name):
        if module == "npvae" or module.startswith("npvae."):
            module = module.replace("npvae", self.package, 1)
            importlib.import_module(module)
        return super().find_class(module, name)


class Call:
    """The arguments of one call."""

    def __init__(self, args, kwargs):
        buffer = io.BytesIO()
        pickler = _Pickler(buffer)
        pickler.dump((args, kwargs))
        self.pickled, self.arrays = buffer.getvalue(), pickler.arrays

    def arguments(self, package="npvae", double=False):
        """args, kwargs: made anew, of package's classes, floats as float64 if double."""
        return _Unpickler(self.pickled, self.arrays, package, double).load()

    def floats(self):
        """All floating-point entries of the arguments, in one array."""
        args, kwargs = self.arguments()
        parts = [a.ravel() for a in leaves([*args, *kwargs.values()]) if _is_float(a)]
        return np.concatenate([*parts, np.zeros(0)])


class Observer:
    """Sees each call of an answer: counts it, and keeps some."""

    def __init__(self):
        self.count = collections.Counter()
        self.first = collections.defaultdict(list)
        self.last = collections.defaultdict(lambda: collections.deque(maxlen=LAST))

    def watch(self, name):
        """A decorator for the function of that name."""

        def decorate(function):
            @functools.wraps(function)
            def watched(*args, **kwargs):
                self.count[name] += 1
                keep = self.first if len(self.first[name]) < FIRST else self.last
                with contextlib.suppress(Exception):  # a test's own function cannot be pickled
                    keep[name].append(Call(args, kwargs))
                return function(*args, **kwargs)

            return watched

        return decorate

    def calls(self, name):
        """The calls that were kept, first to last."""
        return [*self.first[name], *self.last[name]]


def resolve(package, module, name):
    """The function of that name, without what makes it a property or a class method."""
    value = importlib.import_module(module.replace("npvae", package, 1))
    for part in name.split("."):
        value = vars(value)[part]
    for attribute in ("fget", "__func__", "func"):
        value = getattr(value, attribute, value)
    return value


def outcome(function, arguments):
    """The arrays that a call returns, or if there are none, those of its arguments thereafter.

    -> (arrays, None), or (None, the exception that it raised)
    """
    args, kwargs = arguments
    try:
        with np.errstate(all="ignore"):
            arrays = leaves(function(*args, **kwargs))
    except Exception as error:
        return None, error
    return arrays or leaves([*args, *kwargs.values()]), None


def leaves(value, depth=5):
    """The numbers in value, array by array."""
    if isinstance(value, np.ndarray | np.generic | bool | int | float):
        array = np.asarray(value)
        return [array] if array.dtype.kind in "biuf" else []
    if not depth:
        return []
    if isinstance(value, collections.abc.Mapping):
        parts = value.values()
    elif isinstance(value, list | tuple):
        parts = value
    elif isinstance(value, collections.abc.Iterator):
        parts = [item for item, _ in zip(value, range(50), strict=False)]
    else:
        parts = getattr(value, "__dict__", {}).values()
    return [leaf for part in parts for leaf in leaves(part, depth - 1)]


def _is_float(array):
    return array.dtype.kind == "f"
