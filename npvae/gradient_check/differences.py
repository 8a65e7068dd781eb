"""The slope of any f by central differences, and how far to trust it."""

import numpy as np

EPS = np.finfo(np.float64).eps
TINY = np.finfo(np.float64).tiny
STEPS = 8


def central_difference(f, dy, x, index, h):
    """D_h = Σ_j dy_j (y_j(x_i + h) − y_j(x_i − h)) / 2h.        [gradientcheck.1]

    f() -> y, of any shape, reads the float64 array x; x_i = x[index] is moved and put back.
    2h is taken between the two points as they are rounded: x_i ± h are seldom exact.
    """
    up, down = x[index] + h, x[index] - h
    rise = _at(up, f, x, index) - _at(down, f, x, index)
    return np.sum(dy * rise) / (up - down)


def rounding_error(dy, y, h):
    """|D_h − D_h in exact arithmetic| ≤ 4 ε Σ_j |dy_j y_j| / h        [gradientcheck.2]

    over the outputs that x_i moves, if f gets each of them right to 4 ε; on the models here it
    does so to 0.3 ε. An output that x_i does not move is subtracted from itself, without error:
    the caller puts 0 for its dy_j.
    """
    return 4 * EPS * np.sum(np.abs(dy * y)) / h


def moved(f, y, x, index):
    """Which outputs x_i moves, as a mask of y's shape: the sum of [gradientcheck.2] is over them.

    Those that differ after the step h. An output near 1 that moves by less than 1e-16 is not
    seen to do so; hence what stays put at h is looked at again with x_i moved by its own size,
    max(1, |x_i|), up and down. If f raises an error there, all outputs count as moved.
    """
    h = step_size(x[index])
    own_size = h / np.cbrt(EPS)
    stays = np.asarray(y != 0)
    try:
        with np.errstate(all="ignore"):  # what overflows has moved
            for step in (h, own_size, -own_size):
                if stays.any():
                    stays = stays & (_at(x[index] + step, f, x, index) == y)
    except Exception:  # an f may refuse what lies outside its domain
        return np.ones(np.shape(y), bool)
    return ~stays


def step_size(x_i):
    """h = ∛ε max(1, |x_i|), near the least of h²|f'''|/6 + ε|f|/h.    [gradientcheck.3]"""
    return np.cbrt(EPS) * max(1, abs(x_i))


def slope(f, dy, y, x, index):
    """D_h with the h of step_size · (1, ¼, 1/16, …) for which D_h and D_{h/4} are closest.

    D_h − D_{h/4} ≈ 5/32 h² f''' where f is smooth.              [gradientcheck.4]
    Most often the first two agree, to rounding or 1e-9, and no others are tried. Else f bends
    sharply, or a kink or the edge of f's domain lies within h; a smaller step mends all three.
    -> D_h, its rounding error
    """
    dy_moved = dy * moved(f, y, x, index)
    steps = step_size(x[index]) / 4.0 ** np.arange(STEPS)
    slopes, gaps = [central_difference(f, dy, x, index, steps[0])], []
    for h in steps[1:]:
        slopes.append(central_difference(f, dy, x, index, h))
        gaps.append(abs(slopes[-2] - slopes[-1]))
        if gaps[-1] <= rounding_error(dy_moved, y, h) + 1e-9 * abs(slopes[-1]):
            break
    best = np.argmin(np.nan_to_num(gaps, nan=np.inf))
    return slopes[best], rounding_error(dy_moved, y, steps[best])


def slope_jump(f, dy, y, x, index, h):
    """Σ_j dy_j (y_j(x_i + h) − 2 y_j(x_i) + y_j(x_i − h)) / h.        [gradientcheck.5]

    The slope on the right less the slope on the left: h f'' where f is smooth, and what does
    not shrink with h where f has a kink.
    """
    bend = _at(x[index] + h, f, x, index) - 2 * y + _at(x[index] - h, f, x, index)
    return np.sum(dy * bend) / h


def relative_error(dx, slopes, floor=TINY):
    """‖dx − slopes‖ / max(‖dx‖, ‖slopes‖, floor), 2-norms.      [gradientcheck.6]

    A gradient of zero has no relative error. With the floor ‖rounding errors‖ / tolerance, what
    rounding alone explains stays below the tolerance.
    """
    scale = max(np.linalg.norm(dx), np.linalg.norm(slopes), floor)
    return float(np.linalg.norm(dx - slopes) / scale)


def _at(value, f, x, index):
    """f() where x[index] is this value."""
    here = x[index]
    x[index] = value
    try:
        return np.array(f())  # a copy, because f may return x itself
    finally:
        x[index] = here
