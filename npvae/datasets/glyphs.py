"""28 × 28 grey digits drawn on this machine: a data set that needs no download.

Each digit of a font becomes, once, a signed distance field d: how deep a point lies inside
the digit's outline. From the field, any pose is one affine map, any thickness of the pen one
shift of the level set d = 0, and grey edges come by themselves.

The fonts are those inside matplotlib, never the system's, so that a seed draws the same
digits everywhere. matplotlib, which reads them, and SciPy's ndimage are imported on first
use: `import npvae` stays quick.
"""

import functools
from typing import NamedTuple

import numpy as np

from .._checks import check_positive_int, check_rng

# In matplotlib since 3.8 at least. Oblique faces are left out because slant makes them;
# DejaVu's and Computer Modern's bold ones because thickness does, and thickened further
# their holes close; monospaced DejaVu because of the dot in its zero.
FONTS = (
    "DejaVuSans",
    "DejaVuSerif",
    "STIXGeneral",
    "STIXGeneralBol",
    "STIXGeneralItalic",
    "STIXGeneralBolIta",
    "cmr10",
    "cmss10",
    "cmtt10",
)
SIZE = 28  # pixels a side
BOX = 20  # pixels that MNIST's digits span, in height or width
FONT_SIZE = 192  # of a distance field, in its own points: about 7 a pixel of the image
MARGIN = 16  # points around the digit


class Factors(NamedTuple):
    """What made each image. Lengths are in pixels of the image."""

    font: np.ndarray  # (n,) index of its name in npvae.datasets.glyphs.FONTS
    slant: np.ndarray  # (n,) columns to the right for each row up, in [-0.1, 0.4]
    rotation: np.ndarray  # (n,) radians anticlockwise, after the slant, in [-0.2, 0.2]
    scale: np.ndarray  # (n,) larger side of the digit / 20 pixels, in [0.8, 1]
    thickness: np.ndarray  # (n,) what the pen adds on each side of a stroke, in [0, 0.8]
    shift: np.ndarray  # (n, 2) down and right, each in [-1.5, 1.5]
    blur: np.ndarray  # (n,) standard deviation of a Gaussian filter, in [0.2, 0.5]


class Glyphs(NamedTuple):
    """Drawn digits: images, what they show, and what made them."""

    images: np.ndarray  # (n, 784) float32 in [0, 1], white ink on black
    labels: np.ndarray  # (n,) int64, the digits 0 to 9
    factors: Factors


def glyph_digits(n: int, *, rng: np.random.Generator) -> Glyphs:
    """n digits, every factor uniform and independent of the others.

    Raises TypeError if n is no integer or rng no Generator, ValueError if n < 1.
    """
    check_positive_int("n", n)
    check_rng(rng)
    labels = rng.integers(10, size=n)
    factors = Factors(
        font=rng.integers(len(FONTS), size=n),
        slant=rng.uniform(-0.1, 0.4, n),
        rotation=rng.uniform(-0.2, 0.2, n),
        scale=rng.uniform(0.8, 1, n),
        thickness=rng.uniform(0, 0.8, n),
        shift=rng.uniform(-1.5, 1.5, (n, 2)),
        blur=rng.uniform(0.2, 0.5, n),
    )
    images = np.empty((n, SIZE, SIZE), np.float32)
    for image, digit, font, *pose in zip(images, labels, *factors, strict=True):
        image[:] = _draw(digit, FONTS[font], *pose)
    return Glyphs(images.reshape(n, -1), labels, factors)


def _draw(digit, font, slant, rotation, scale, thickness, shift, blur):
    """image = clip(½ + d + thickness, 0, 1) ∗ N(0, blur²).        -> (28, 28)

    A straight edge d pixels away from a pixel's centre covers ½ + d of the pixel.
    """
    from scipy import ndimage

    field, outline = _distance_field(font, digit)
    pose = _rotation(rotation) @ np.array([[1, 0], [-slant, 1]])
    posed = outline @ pose.T
    low, high = posed.min(axis=0), posed.max(axis=0)
    zoom = (BOX * scale - 2 * thickness) / np.max(high - low)
    upright = np.linalg.inv(pose)
    offset = upright @ ((low + high) / 2 - ((SIZE - 1) / 2 + shift) / zoom)
    distance = zoom * ndimage.affine_transform(
        field, upright / zoom, offset, (SIZE, SIZE), order=1, mode="nearest"
    )
    return ndimage.gaussian_filter(np.clip(0.5 + distance + thickness, 0, 1), blur)


def _rotation(angle):
    """Anticlockwise on the screen for points (row, column), whose rows count downwards."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])


@functools.cache
def _distance_field(font, digit):
    """The distance to the digit's outline, > 0 inside, and the points of the outline.

    -> field (height, width), outline (P, 2) as (row, column) in the field
    """
    from matplotlib.path import Path
    from scipy import ndimage

    polygons = _polygons(font, digit)
    outline = np.concatenate(polygons)
    shape = np.ceil(outline.max(axis=0)).astype(int) + MARGIN
    points = np.indices(shape).reshape(2, -1).T
    # Even-odd: a point within two polygons lies in a hole.
    ink = np.logical_xor.reduce([Path(p).contains_points(points) for p in polygons]).reshape(shape)
    inside, outside = map(ndimage.distance_transform_edt, (ink, ~ink))
    # SciPy measures to the nearest pixel of the other kind, half a pixel past the outline.
    return np.where(ink, inside - 0.5, 0.5 - outside), outline


def _polygons(font, digit):
    """The closed curves around a digit's ink, MARGIN away from the origin: (·, 2) each."""
    import matplotlib
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    file = f"{matplotlib.get_data_path()}/fonts/ttf/{font}.ttf"
    path = TextPath((0, 0), str(digit), size=FONT_SIZE, prop=FontProperties(fname=file))
    polygons = [points[:, ::-1] * (-1, 1) for points in path.to_polygons()]
    corner = np.min([points.min(axis=0) for points in polygons], axis=0)
    return [points - corner + MARGIN for points in polygons]
