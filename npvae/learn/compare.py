"""An answer beside the right function, and beside the museum's mistakes, on the examiners' calls.

Mathematics and floating point are told apart: an answer that is right in float64, at arguments of
moderate size, is right on paper, however many digits it loses elsewhere.
"""

import sys

import numpy as np

from .calls import leaves, outcome, resolve
from .relations import relation
from .splice import twin

MODERATE = 30.0  # no argument is larger in magnitude
CLOSE = 1e-6  # relative; digits are lost in float64 too
RIGHT = "npvae_right"


def report(task, observer):
    """What the comparison says of an answer, as a dict for JSON.

    mathematics  whether it is right on paper; None if no call could be made again
    digits       where it loses digits, if anywhere
    relation     how its results are related to the right ones, in words
    mistakes     of the task's, those that return what it returns: (name, whether they are made in
                 the function's module)
    """
    calls = observer.calls(task["key"])
    if not calls:
        return {"mathematics": None}
    module, name = task["key"].split(":")
    twin(RIGHT)
    mine, right = resolve("npvae", module, name), resolve(RIGHT, module, name)
    pairs = [_pair(call, mine, right) for call in calls]
    pairs = [pair for pair in pairs if pair and pair.right is not None]
    if not pairs:
        return {"mathematics": None}
    moderate = [pair for pair in pairs if pair.is_moderate]
    found = {"mathematics": bool(moderate) and all(_same(moderate, CLOSE))}
    if found["mathematics"]:
        found["digits"] = _lost_digits(pairs, mine, right)
    elif _is_random(mine, pairs):
        found["relation"] = "it returns other numbers each time, for the same arguments"
    else:
        found["relation"] = relation([(pair.mine, pair.right) for pair in moderate or pairs])
    found["mistakes"] = [
        (m["name"], any(_module("npvae", file) == module for file, _, _ in m["edits"]))
        for m in task["museum"]
        if _makes(m, pairs, module, name, mine)
    ]
    return found


class _Pair:
    """One call's results, the answer's beside the right ones, in float64."""

    def __init__(self, call, mine, right):
        self.call = call
        self.right, _ = outcome(right, call.arguments(RIGHT, double=True))
        self.mine, _ = outcome(mine, call.arguments(double=True))
        floats = call.floats()
        self.is_moderate = bool(np.isfinite(floats).all() and (abs(floats) < MODERATE).all())


def _pair(call, mine, right):
    try:
        return _Pair(call, mine, right)
    except Exception:  # an argument that another library's classes cannot be made of
        return None


def _same(pairs, close):
    """For each pair, whether its results are the same up to a share of the largest of all."""
    scale = max((_largest(pair.right) for pair in pairs), default=0)
    return [agree(pair.mine, pair.right, close, scale) for pair in pairs]


def agree(mine, right, close, scale=0.0):
    """Whether two lists of arrays have the same shapes and, up to rounding, entries."""
    if mine is None or right is None or len(mine) != len(right):
        return False
    return all(
        a.shape == b.shape and np.allclose(a, b, close, close * 1e-3 * scale, equal_nan=True)
        for a, b in zip(mine, right, strict=True)
    )


def _largest(arrays):
    finite = [a[np.isfinite(a)] for a in arrays if a.size]
    return max((float(abs(a).max()) for a in finite if a.size), default=0.0)


def _lost_digits(pairs, mine, right):
    """Where, as the examiners called it last, the answer is much less exact than it could be."""
    for pair in reversed(pairs):
        found, error = outcome(mine, pair.call.arguments())
        if found is None:
            return f"it raised {type(error).__name__}: {error}"
        best, _ = outcome(right, pair.call.arguments(RIGHT))
        for a, b, exact in zip(found, best, pair.right, strict=True):
            if a.dtype != b.dtype:
                return f"it returns {a.dtype} where {b.dtype} came in"
            scale = np.maximum(abs(exact), np.finfo(float).tiny)
            with np.errstate(all="ignore"):
                error, least = abs(a - exact) / scale, abs(b - exact) / scale
            lost = np.nan_to_num(error - 10 * least, nan=np.inf) > 1e-12
            if lost.any():
                place = np.flatnonzero(lost)[np.argmax(error[lost])]
                return _in_numbers(pair.call, exact.shape, place, a.flat[place], exact.flat[place])
    return ""


def _in_numbers(call, shape, place, found, exact):
    """One entry of a result beside the right one, and the arguments' entries there."""
    args, kwargs = call.arguments()
    there = [f"{a.flat[place]:.3g}" for a in leaves([*args, *kwargs.values()]) if a.shape == shape]
    at = f"at {', '.join(there)} " if there and shape else ""
    return f"{at}it is {found:.4g} where {exact:.4g} is right"


def _is_random(function, pairs, package="npvae"):
    """Whether two calls with the same arguments return different numbers."""
    call = pairs[0].call
    one, two = (outcome(function, call.arguments(package))[0] for _ in range(2))
    return one is not None and not agree(one, two, CLOSE)


def _makes(mistake, pairs, module, name, mine):
    """Whether the library with this mistake returns what the answer returns, and is wrong."""
    alias = f"npvae_mistake_{mistake['number']}"
    twin(alias, [tuple(edit) for edit in mistake["edits"]])
    wrong = resolve(alias, module, name)
    if not any(_module(alias, file) in sys.modules for file, _, _ in mistake["edits"]):
        return False
    if _is_random(mine, pairs):
        return _is_random(wrong, pairs, alias)
    differs = False
    for pair in pairs:
        theirs, _ = outcome(wrong, pair.call.arguments(alias, double=True))
        if not agree(pair.mine, theirs, CLOSE, _largest(pair.right)):
            return False
        differs = differs or not agree(pair.right, theirs, CLOSE, _largest(pair.right))
    return differs


def _module(alias, file):
    return ".".join([alias, *file.removesuffix(".py").split("/")[1:]])
