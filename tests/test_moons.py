"""Moons: as much light as the phase says, where it says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npvae.datasets import draw_moons, random_moons

inside = st.floats(7.0, 21.0)


@given(phase=st.floats(0, 1), row=inside, column=inside, radius=st.floats(3, 7))
def test_the_light_is_the_lit_part_of_the_disc(phase, row, column, radius):
    image = draw_moons(phase, row, column, radius)
    lit = (1 - np.cos(2 * np.pi * phase)) / 2 * np.pi * radius**2
    assert image.sum() == pytest.approx(lit, abs=0.002 * np.pi * radius**2)
    assert image.min() >= 0
    assert image.max() <= 1 + 1e-6
    assert image.dtype == np.float32
    assert image.shape == (1, 784)


@pytest.mark.parametrize("phase", [0.1, 0.25, 1 / 3, 0.5, 0.6, 0.75, 0.9])
def test_a_pixel_is_the_part_of_it_that_is_lit(phase):
    """Against 200 × 200 points in every pixel, by the inequality of an ellipse."""
    row, column, radius, size = 6.3, 5.1, 3.7, 12
    at = (np.arange(size * 200) + 0.5) / 200
    y, x = np.meshgrid(at - row, at - column, indexing="ij")
    if phase > 0.5:
        x = -x
    inside_disc = x**2 + y**2 < radius**2
    c = np.cos(2 * np.pi * phase)
    beyond_line = x > c * np.sqrt(np.maximum(radius**2 - y**2, 0))
    points = (inside_disc & beyond_line).reshape(size, 200, size, 200)
    image = draw_moons(phase, row, column, radius, size).reshape(size, size)
    np.testing.assert_allclose(image, points.mean(axis=(1, 3)), atol=0.02)


def test_a_waning_moon_is_a_waxing_one_in_a_mirror():
    waxing, waning = draw_moons([0.3, 0.7], 12.5, 14, 5.5).reshape(2, 28, 28)
    np.testing.assert_allclose(waning, waxing[:, ::-1], atol=1e-6)
    assert waxing[:, 14:].sum() > waxing[:, :14].sum()


def test_random_moons_lie_within_the_image_and_are_what_their_factors_say():
    drawn = random_moons(300, rng=np.random.default_rng(0), phases=[0.25, 0.5])
    phase, row, column, radius = drawn.factors
    assert set(phase) == {0.25, 0.5}
    assert (np.minimum(row, column) >= radius).all()
    assert (np.maximum(row, column) <= 28 - radius).all()
    assert (np.ptp(row) > 15) & (np.ptp(radius) > 2.8)
    np.testing.assert_array_equal(draw_moons(*drawn.factors), drawn.images)
    again = random_moons(300, rng=np.random.default_rng(0), phases=[0.25, 0.5])
    np.testing.assert_array_equal(again.images, drawn.images)
    assert np.ptp(random_moons(100, rng=np.random.default_rng(0)).factors.phase) > 0.9


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"radius": 0}, ValueError, "radius is 0.0"),
        ({"phase": np.nan}, ValueError, "phase holds NaN"),
        ({"row": "top"}, TypeError, "row is 'top'"),
        ({"size": 0}, ValueError, "size is 0"),
        ({"row": [1, 2], "column": [1, 2, 3]}, ValueError, "broadcast"),
    ],
)
def test_a_bad_moon_is_refused(change, error, message):
    with pytest.raises(error, match=message):
        draw_moons(**({"phase": 0.5, "row": 14, "column": 14, "radius": 5} | change))


def test_bad_wishes_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="phases are none"):
        random_moons(3, rng=rng, phases=[])
    with pytest.raises(ValueError, match="n is 0"):
        random_moons(0, rng=rng)
    with pytest.raises(TypeError, match="rng is 0"):
        random_moons(3, rng=0)
