"""How a wrong result is related to the right one, in words: a factor, a sign, a missing sum."""

import numpy as np

CLOSE = 1e-6
OTHER = "another number"
FEW = 4  # numbers could be related by chance
FACTORS = {
    -1.0: "the right one with its sign changed",
    2.0: "twice the right one",
    0.5: "half the right one",
    -2.0: "−2 times the right one",
    -0.5: "−½ times the right one",
}


def relation(pairs):
    """A sentence, or "" if nothing simple relates the results.

    pairs of lists of arrays: (mine, right) of each call
    """
    if not pairs:
        return ""
    if any(mine is None for mine, _ in pairs):
        return "it raises an exception where the right one returns a result"
    if any(len(mine) != len(right) for mine, right in pairs):
        mine, right = next(pair for pair in pairs if len(pair[0]) != len(pair[1]))
        return f"it returns {len(mine)} arrays where the right one returns {len(right)}"
    mine, right = zip(*pairs, strict=True)
    if len(right[0]) > 1 and _all(mine, [list(reversed(r)) for r in right]):
        return "its results are right, in the wrong order"
    said = [_of_one([m[i] for m in mine], [r[i] for r in right]) for i in range(len(right[0]))]
    if set(said) == {OTHER}:
        return ""
    if len(said) == 1:
        return f"your result is {said[0]}"
    return "; ".join(f"result {i} is {words}" for i, words in enumerate(said, start=1))


def _all(mine, right):
    return all(
        len(m) == len(r) and all(_close(a, b) for a, b in zip(m, r, strict=True))
        for m, r in zip(mine, right, strict=True)
    )


def _close(a, b):
    return a.shape == b.shape and bool(np.allclose(a, b, CLOSE, 1e-12, equal_nan=True))


def _of_one(mine, right):
    """The words for one array of each call's results."""
    if all(_close(a, b) for a, b in zip(mine, right, strict=True)):
        return "right"
    for a, b in zip(mine, right, strict=True):
        if a.shape != b.shape:
            turned = a.ndim == 2 and a.shape == b.shape[::-1] and np.allclose(a, b.T)
            return "the right one transposed" if turned else f"of shape {a.shape}, not {b.shape}"
    a, b = (np.concatenate([v.ravel() for v in side]).astype(float) for side in (mine, right))
    use = np.isfinite(a) & np.isfinite(b)
    a, b = a[use], b[use]
    if len(np.unique(b)) < FEW:
        return OTHER
    if not a.any():
        return "zero everywhere"
    return _factor(a, b) or _share(mine, right) or _function(a, b) or OTHER


def _factor(a, b):
    """mine = factor · right + offset, everywhere."""
    factor = a @ b / max(b @ b, 1e-300)
    if np.allclose(a, factor * b, 1e-5, 1e-9 * abs(b).max()):
        nice = next((words for f, words in FACTORS.items() if np.isclose(f, factor)), "")
        return f"{nice or f'{factor:.6g} times the right one'}, everywhere"
    offset = float(np.median(a - b))
    if np.allclose(a, b + offset, 1e-6, 1e-9) and abs(offset) > 1e-6:
        return f"the right one {'+' if offset > 0 else '−'} {abs(offset):.6g}, everywhere"
    return ""


def _share(mine, right):
    """mine = right / n with a number n that differs from call to call: an axis' length."""
    ratios = []
    for a, b in zip(mine, right, strict=True):
        scale = (a.ravel() @ b.ravel()) / max(b.ravel() @ b.ravel(), 1e-300)
        if not b.any():
            continue
        if not scale or not np.allclose(a, scale * b, 1e-5, 1e-12):
            return ""
        ratios.append(scale)
    whole = [r for r in (1 / np.array(ratios), np.array(ratios)) if np.allclose(r, r.round())]
    if len(ratios) < 2 or not whole or not whole[0].all():
        return ""
    if np.allclose(1 / np.array(ratios), whole[0]):
        return "the right one divided by the length of an axis: a mean where a sum belongs"
    return "the right one times the length of an axis: a sum where a mean belongs"


def _function(a, b):
    """mine = f(right), for a few f."""
    with np.errstate(all="ignore"):
        guesses = {
            "the right one squared": b * b,
            "the root of the right one": np.sqrt(b),
            "e to the right one": np.exp(b),
            "the logarithm of the right one": np.log(b),
            "one over the right one": 1 / b,
        }
    for words, guess in guesses.items():
        if np.isfinite(guess).all() and np.allclose(a, guess, 1e-5, 1e-12):
            return words
    return ""
