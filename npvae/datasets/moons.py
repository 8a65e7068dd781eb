"""Moons drawn on this machine: one disc, lit up to a line that moves with the phase.

A data set of which everything is known: four numbers make an image, and what lies between two
of them can be drawn.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .._checks import check_positive_int, check_rng, real_numbers

ROWS_A_PIXEL = 16  # along which the lit part is measured exactly


class MoonFactors(NamedTuple):
    """What made each image. Lengths are in pixels, the image's first corner is at (0, 0)."""

    phase: np.ndarray  # (n,) in [0, 1): 0 new, ¼ half and waxing, ½ full, ¾ half and waning
    row: np.ndarray  # (n,) of the centre
    column: np.ndarray  # (n,)
    radius: np.ndarray  # (n,)


class Moons(NamedTuple):
    """Drawn moons: images, and what made them."""

    images: np.ndarray  # (n, size²) float32 in [0, 1]
    factors: MoonFactors


def random_moons(
    n: int, *, rng: np.random.Generator, phases: ArrayLike | None = None, size: int = 28
) -> Moons:
    """n moons of random phase, place and size, all uniform and independent.

    phases          what to draw the phase from; None is all of [0, 1)
    The radius lies between size/7 and size/4, and the whole disc within the image.
    Raises TypeError or ValueError unless n and size are integers >= 1, rng is a Generator and
    phases are finite numbers.
    """
    check_positive_int("n", n)
    check_positive_int("size", size)
    check_rng(rng)
    if phases is None:
        phase = rng.random(n)
    else:
        choices = _finite("phases", phases).ravel()
        if not choices.size:
            raise ValueError("phases are none; expected at least one")
        phase = rng.choice(choices, n)
    radius = rng.uniform(size / 7, size / 4, n)
    row, column = (rng.uniform(radius, size - radius) for _ in range(2))
    return Moons(
        draw_moons(phase, row, column, radius, size), MoonFactors(phase, row, column, radius)
    )


def draw_moons(
    phase: ArrayLike, row: ArrayLike, column: ArrayLike, radius: ArrayLike, size: int = 28
) -> np.ndarray:
    """Each pixel is the part of it that is lit.

    phase, row, column, radius, any shapes that broadcast to (n,), in the units of MoonFactors
    -> (n, size²) float32. At a height y above the centre the disc ends at ±w, w = √(r² − y²), and
    is lit from w cos 2π·phase to w while it waxes, mirrored when it wanes: in all,
    (1 − cos 2π·phase)/2 of the disc. With each pixel that is cut exactly along a row, of which
    there are 16 a pixel.
    Raises TypeError or ValueError unless all are finite, radii > 0 and size an integer >= 1.
    """
    check_positive_int("size", size)
    names = MoonFactors._fields
    factors = [
        _finite(name, f) for name, f in zip(names, (phase, row, column, radius), strict=True)
    ]
    moons = np.stack(np.broadcast_arrays(*factors), axis=-1).reshape(-1, len(names))
    if (moons[:, -1] <= 0).any():
        raise ValueError(f"radius is {moons[:, -1].min()}; expected numbers > 0")
    images = np.empty((len(moons), size, size), np.float32)
    heights = (np.arange(size * ROWS_A_PIXEL) + 0.5) / ROWS_A_PIXEL
    edges = np.arange(size + 1)
    for image, (p, y, x, r) in zip(images, moons, strict=True):
        width = np.sqrt(np.maximum(r * r - (heights - y) ** 2, 0))[:, None]
        left, right = width * np.cos(2 * np.pi * p), width  # the moving line, and the disc's edge
        if p % 1 > 0.5:
            left, right = -right, -left
        covered = np.clip(edges, x + left, x + right)  # as far as it is lit, left of each edge
        image[:] = np.diff(covered).reshape(size, ROWS_A_PIXEL, size).mean(axis=1)
    return images.reshape(len(images), -1)


def _finite(name, values):
    array = real_numbers(name, values)[0].astype(np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or inf; expected finite numbers")
    return array
