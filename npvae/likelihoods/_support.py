"""Checks of x that several supports share."""

import numpy as np


def check_unit_interval(name: str, x: np.ndarray) -> int:
    """The number in x that stands for 1: 255 in uint8, which holds grey levels, else 1.

    Raises ValueError unless every entry then lies in [0, 1].
    """
    if x.dtype == np.uint8:
        check_grey_levels(name, x, 255)
        return 255
    if not (x.min() >= 0 and x.max() <= 1):  # so said, NaN is refused too
        raise ValueError(
            f"{name} spans [{x.min():g}, {x.max():g}]; the likelihood expects values "
            "in [0, 1] (divide 8-bit pixels by 255)"
        )
    return 1


def check_grey_levels(name: str, x: np.ndarray, unit: int) -> None:
    """Raise ValueError unless uint8 x are grey levels, 0 … unit.

    The largest must not be 1 unless unit is: binary, or levels almost black?
    """
    if x.max() == 1 < unit:
        raise ValueError(
            f"{name} is uint8 and its largest entry is 1: zeros and ones, or grey levels "
            "almost black? Convert zeros and ones by .astype(np.float32), grey levels by "
            f"/ {unit}"
        )
    if x.max() > unit:
        raise ValueError(f"{name} is uint8 and its largest entry is {x.max()}; expected <= {unit}")
