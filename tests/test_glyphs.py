"""Glyph digits: every factor does what its name says, and no digit leaves its frame."""

import itertools
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath
from scipy import ndimage

from npvae.datasets import glyph_digits
from npvae.datasets.glyphs import FONTS, _draw

GLYPHS = list(itertools.product(range(10), FONTS))
PLAIN = {
    "slant": 0.0,
    "rotation": 0.0,
    "scale": 1.0,
    "thickness": 0.0,
    "shift": np.zeros(2),
    "blur": 0.3,
}
RANGES = {
    "slant": (-0.1, 0.4),
    "rotation": (-0.2, 0.2),
    "scale": (0.8, 1),
    "thickness": (0, 0.8),
    "shift": (-1.5, 1.5),
    "blur": (0.2, 0.5),
}


def draw(digit, font, **factors):
    return _draw(digit, font, **PLAIN | factors)


def covariance(image):
    """Second central moments of the ink over (row, column).        (28, 28) -> (2, 2)"""
    points = np.indices(image.shape).reshape(2, -1)
    return np.cov(points, aweights=image.ravel(), ddof=0)


def polygons_of(digit, font):
    """The closed outlines, as matplotlib's text path has them; x to the right, y up."""
    file = Path(matplotlib.get_data_path(), "fonts", "ttf", f"{font}.ttf")
    path = TextPath((0, 0), str(digit), size=100, prop=FontProperties(fname=file))
    return path.to_polygons(closed_only=True)


def area_and_centroid(polygons):
    """By the shoelace formula, in which the holes count as negative areas."""
    area, moment = 0.0, np.zeros(2)
    for points in polygons:
        a, b = points[:-1], points[1:]
        cross = a[:, 0] * b[:, 1] - b[:, 0] * a[:, 1]
        area += cross.sum() / 2
        moment += ((a + b) * cross[:, None]).sum(axis=0) / 6
    return abs(area), moment / area


@pytest.fixture(scope="module")
def glyphs():
    return glyph_digits(2000, rng=np.random.default_rng(0))


def test_images_are_grey_rows_in_the_unit_interval(glyphs):
    assert glyphs.images.shape == (2000, 784)
    assert glyphs.images.dtype == np.float32
    assert glyphs.images.min() == 0
    assert 0.99 < glyphs.images.max() <= 1
    assert 0.11 < glyphs.images.mean() < 0.14  # MNIST: 0.131


def test_same_seed_same_digits_other_seed_others(glyphs):
    again = glyph_digits(2000, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(again.images, glyphs.images)
    np.testing.assert_array_equal(again.labels, glyphs.labels)
    for name, values in glyphs.factors._asdict().items():
        np.testing.assert_array_equal(getattr(again.factors, name), values)
    other = glyph_digits(2000, rng=np.random.default_rng(1))
    assert np.any(other.images != glyphs.images, axis=1).all()


@pytest.mark.parametrize(("values", "kinds"), [("labels", 10), ("font", len(FONTS))])
def test_digits_and_fonts_are_equally_likely(glyphs, values, kinds):
    values = glyphs.labels if values == "labels" else glyphs.factors.font
    counts = np.bincount(values, minlength=kinds)
    standard_error = np.sqrt(2000 * (1 / kinds) * (1 - 1 / kinds))
    assert len(counts) == kinds
    assert np.abs(counts - 2000 / kinds).max() < 4 * standard_error


@pytest.mark.parametrize("name", RANGES)
def test_factors_fill_their_documented_ranges(glyphs, name):
    values = getattr(glyphs.factors, name)
    low, high = RANGES[name]
    assert values.shape == ((2000, 2) if name == "shift" else (2000,))
    assert low <= values.min() < low + 0.01 * (high - low)
    assert high - 0.01 * (high - low) < values.max() <= high


def test_factors_are_independent(glyphs):
    columns = [glyphs.labels, *(column for f in glyphs.factors for column in np.atleast_2d(f.T))]
    correlations = np.corrcoef(columns) - np.eye(len(columns))
    assert np.abs(correlations).max() < 4 / np.sqrt(2000)


def test_each_image_is_drawn_from_its_own_factors(glyphs):
    for i in range(0, 2000, 100):
        font, *pose = (values[i] for values in glyphs.factors)
        expected = _draw(glyphs.labels[i], FONTS[font], *pose).astype(np.float32)
        np.testing.assert_array_equal(glyphs.images[i].reshape(28, 28), expected)


@pytest.mark.parametrize("font", FONTS)
def test_an_upright_digit_has_the_area_and_centre_of_its_outline(font):
    """Up to hairlines, which weigh a little more or less as they fall between pixels."""
    for digit in range(10):
        polygons = polygons_of(digit, font)
        area, (x, y) = area_and_centroid(polygons)
        points = np.concatenate(polygons)
        low, high = points.min(axis=0), points.max(axis=0)
        zoom = 20 / (high - low).max()
        middle_x, middle_y = (low + high) / 2
        image = draw(digit, font)
        assert image.sum() == pytest.approx(zoom**2 * area, rel=0.03)
        row, column = ndimage.center_of_mass(image)
        assert row == pytest.approx(13.5 - zoom * (y - middle_y), abs=0.2)
        assert column == pytest.approx(13.5 + zoom * (x - middle_x), abs=0.2)


def test_slant_shears_to_the_right():
    for digit, font in GLYPHS:
        upright, slanted = (covariance(draw(digit, font, slant=slant)) for slant in (0, 0.3))
        leans = [-moments[0, 1] / moments[0, 0] for moments in (upright, slanted)]
        assert leans[1] - leans[0] == pytest.approx(0.3, abs=0.02), (digit, font)


def test_rotation_turns_the_slanted_ink_anticlockwise():
    """C(rotated) = R C R', up to a factor, because the box fixes the size."""
    up, right = np.array([-1, 0]), np.array([0, 1])
    for angle, (digit, font) in itertools.product((-0.2, 0.2), GLYPHS):
        turned_right = np.cos(angle) * right + np.sin(angle) * up
        turned_up = np.cos(angle) * up - np.sin(angle) * right
        turn = np.outer(turned_right, right) + np.outer(turned_up, up)
        expected = turn @ covariance(draw(digit, font, slant=0.3)) @ turn.T
        rotated = covariance(draw(digit, font, slant=0.3, rotation=angle))
        np.testing.assert_allclose(
            rotated / np.trace(rotated), expected / np.trace(expected), rtol=0, atol=0.01
        )


@pytest.mark.parametrize(("down", "right"), [(2, 0), (0, -1), (-1, 2)])
def test_a_shift_by_whole_pixels_moves_the_image(down, right):
    for digit, font in GLYPHS:
        moved = draw(digit, font, shift=np.array([down, right]))
        rest = np.roll(draw(digit, font), (down, right), axis=(0, 1))
        np.testing.assert_allclose(moved, rest, rtol=0, atol=1e-9)


@pytest.mark.parametrize("shift", [(0.5, 0), (0, 1.25), (-0.7, 0.3)])
def test_shift_moves_the_centre_of_mass(shift):
    """On average over the glyphs: one alone may err, as its hairlines fall between pixels."""
    moves = [
        np.subtract(
            ndimage.center_of_mass(draw(digit, font, shift=np.array(shift))),
            ndimage.center_of_mass(draw(digit, font)),
        )
        for digit, font in GLYPHS
    ]
    error = np.mean(moves, axis=0) - shift
    standard_error = np.std(moves, axis=0) / np.sqrt(len(moves))
    assert np.all(np.abs(error) < 4 * standard_error + 1e-9)
    assert np.all(standard_error < 0.01)


@pytest.mark.parametrize("scale", [0.8, 0.9, 1.0])
@pytest.mark.parametrize("thickness", [0.0, 0.8])
def test_scale_is_the_larger_side_of_the_digit_whatever_its_thickness(scale, thickness):
    for digit, font in GLYPHS:
        inked = draw(digit, font, scale=scale, thickness=thickness, blur=0.2) > 0.25
        sides = [np.ptp(np.flatnonzero(inked.any(axis=axis))) + 1 for axis in (0, 1)]
        assert abs(max(sides) - 20 * scale) <= 1, (digit, font)


def test_thickness_adds_ink():
    for digit, font in GLYPHS:
        ink = [draw(digit, font, thickness=t).sum() for t in (0, 0.2, 0.4, 0.6, 0.8)]
        assert np.diff(ink).min() > 0, (digit, font)


def test_blur_spreads_the_ink_and_keeps_its_amount():
    for digit, font in GLYPHS:
        sharp, soft = (draw(digit, font, blur=b) for b in (0.2, 0.5))
        assert soft.sum() == pytest.approx(sharp.sum(), rel=1e-6)
        assert np.sum(soft**2) < np.sum(sharp**2)
        spread = covariance(soft) - covariance(sharp)
        np.testing.assert_allclose(spread, (0.5**2 - 0.2**2) * np.eye(2), rtol=0, atol=0.05)


def test_no_ink_is_lost_at_the_border():
    """Every digit of every font, in the corners of the factors' ranges."""
    corners = itertools.product(*(RANGES[name] for name in ("slant", "rotation", "thickness")))
    shifts = [np.array(shift) for shift in itertools.product(RANGES["shift"], repeat=2)]
    for (slant, rotation, thickness), shift in itertools.product(corners, shifts):
        for digit, font in GLYPHS:
            image = _draw(digit, font, slant, rotation, 1.0, thickness, shift, 0.5)
            assert image[[0, -1]].max() < 0.001, (digit, font)
            assert image[:, [0, -1]].max() < 0.001, (digit, font)


@pytest.mark.parametrize("n", [0, -1])
def test_n_below_one_is_an_error(n):
    with pytest.raises(ValueError, match=r"n is .*expected an integer >= 1"):
        glyph_digits(n, rng=np.random.default_rng(0))


@pytest.mark.parametrize("n", [1.5, "10", None, True])
def test_n_that_is_no_integer_is_an_error(n):
    with pytest.raises(TypeError, match=r"n is .*expected an integer"):
        glyph_digits(n, rng=np.random.default_rng(0))


@pytest.mark.parametrize("rng", [0, None, np.random])
def test_rng_that_is_no_generator_is_an_error(rng):
    with pytest.raises(TypeError, match=r"expected a numpy.random.Generator"):
        glyph_digits(1, rng=rng)


def test_one_digit_can_be_drawn():
    assert glyph_digits(1, rng=np.random.default_rng(0)).images.shape == (1, 784)


def test_importing_datasets_is_light():
    code = (
        "import sys, npvae.datasets; "
        "print(sorted({'matplotlib', 'pooch', 'requests', 'tqdm'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
