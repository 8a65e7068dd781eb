"""Checks of x that several supports share."""

import numpy as np

ROUNDING = 1e-5  # scaling to [0, 1] may leave it by so much
DIVIDE = "divide by np.float32({high})"


def check_unit_interval(name: str, x: np.ndarray, levels_end: int = 0) -> int:
    """The number in x that stands for 1: 255 in uint8, which holds grey levels, else 1.

    Raises ValueError unless every entry then lies in [0, 1], and says how to get there;
    levels_end is what stands for 1 in whole numbers, if that is known.
    """
    if x.dtype == np.uint8:
        check_grey_levels(name, x, 255)
        return 255
    if not (x.min() >= 0 and x.max() <= 1):  # so said, NaN is refused too
        low, high = x.min(), x.max()
        raise ValueError(
            f"{name} spans [{_short(low)}, {_short(high)}]; the likelihood expects values "
            f"in [0, 1] ({_way_to_unit_interval(low, high, levels_end)})"
        )
    return 1


def check_grey_levels(name: str, x: np.ndarray, unit: int, if_white: str = DIVIDE) -> None:
    """Raise ValueError unless uint8 x are grey levels, 0 … unit.

    Also raises it if the largest lies above 0 and at most at half of unit, since that may be a
    white pixel or a dark one. if_white says what to do if it is white; {high} is the largest.
    """
    high = x.max()
    if high > unit:
        raise ValueError(f"{name} is uint8 and its largest entry is {high}; expected <= {unit}")
    if 0 < high <= unit / 2:
        raise ValueError(
            f"{name} is uint8 and its largest entry is {high}: it spans [{x.min()}, {high}], and "
            f"white would be {unit}. If {high} is white, {if_white.format(high=high)}; if these "
            f"are levels of {unit} and only dark, divide by np.float32({unit})"
        )


def _way_to_unit_interval(low, high, levels_end):
    if not np.isfinite(high - low):
        return "and finite ones"
    if low >= -ROUNDING and high <= 1 + ROUNDING:
        return "this is rounding; clip: np.clip(x, 0, 1)"
    if low >= 0 and high == np.rint(high):
        return _way_from_levels(int(high), levels_end)
    rescale = f"rescale: (x {_minus(low)}) / {high - low:.6g}, or " if low < high else ""
    return f"{rescale}take a Gaussian likelihood"


def _way_from_levels(high, levels_end):
    if high <= levels_end:
        return f"divide levels 0 … {levels_end} by {levels_end}"
    return "divide 8-bit pixels by 255" if 127 < high <= 255 else f"divide by {high}"


def _minus(low):
    return f"- {_short(low)}" if low >= 0 else f"+ {_short(-low)}"


def _short(number):
    """All its digits, and no more."""
    return str(number).removesuffix(".0")
