"""Schedules against their shapes: where they begin, turn and end, and how steep they are."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npvae.schedules import Cosine, Cyclical, Linear, WarmUp

values = st.floats(1e-6, 1e3)


@pytest.mark.equation("schedules.1")
@given(values, st.integers(1, 500))
def test_a_warm_up_rises_by_equal_amounts_and_stays(value, steps):
    found = np.array([WarmUp(value, steps)(t) for t in range(steps + 20)])
    np.testing.assert_allclose(np.diff(found[:steps], prepend=0), value / steps, rtol=1e-9)
    np.testing.assert_allclose(found[steps - 1 :], value)


@pytest.mark.equation("schedules.2")
@given(values, st.floats(0, 1), st.integers(2, 400), st.floats(0, 1))
def test_a_cosine_is_even_about_its_middle_and_level_at_its_ends(value, share, steps, early):
    """Half a wave: rate(s) + rate(1 − s) = value + lowest, and its slope that of a sine."""
    lowest, warm_up = share * value, int(early * (steps - 1))
    rate = Cosine(value, steps, warm_up, lowest)
    found = np.array([rate(t) for t in range(warm_up, steps + 1)])
    np.testing.assert_allclose(found + found[::-1], value + lowest, rtol=1e-9)
    assert found[0] == pytest.approx(value)
    assert rate(steps) == rate(10 * steps) == pytest.approx(lowest)
    width = math.pi / (steps - warm_up)
    middles = (np.arange(len(found) - 1) + 0.5) * width
    slopes = -(value - lowest) * np.sin(middles) * math.sin(width / 2)
    np.testing.assert_allclose(np.diff(found), slopes, atol=1e-9 * value)


@pytest.mark.equation("schedules.4")
@given(values, st.floats(0, 1), st.integers(2, 400), st.floats(0, 1))
def test_a_line_falls_by_equal_amounts_and_stays(value, share, steps, early):
    lowest, warm_up = share * value, int(early * (steps - 1))
    rate = Linear(value, steps, warm_up, lowest)
    found = np.array([rate(t) for t in range(warm_up, steps + 1)])
    falls = np.full(steps - warm_up, (lowest - value) / (steps - warm_up))
    np.testing.assert_allclose(np.diff(found), falls, atol=1e-9 * value)
    assert found[0] == value
    assert rate(steps) == rate(10 * steps) == pytest.approx(lowest, abs=1e-9 * value)


@pytest.mark.parametrize(
    "schedule",
    [
        pytest.param(Cosine, marks=pytest.mark.equation("schedules.2")),
        pytest.param(Linear, marks=pytest.mark.equation("schedules.4")),
    ],
)
def test_the_way_down_begins_with_a_warm_up(schedule):
    rate = schedule(3.0, 10, warm_up=4)
    assert [rate(t) for t in range(5)] == [0.75, 1.5, 2.25, 3.0, 3.0]


@pytest.mark.equation("schedules.3")
@given(values, st.integers(1, 60), st.floats(0.05, 1))
def test_every_cycle_is_a_warm_up_anew(value, period, rising):
    found = np.array([Cyclical(value, period, rising)(t) for t in range(3 * period)])
    np.testing.assert_array_equal(found[:period], found[period : 2 * period])
    np.testing.assert_array_equal(found[:period], found[2 * period :])
    expected = [value * (t + 1) / (rising * period) for t in range(period)]
    np.testing.assert_allclose(found[:period], np.minimum(expected, value))


@pytest.mark.equation("schedules.3")
def test_a_cycle_may_rise_to_its_end():
    assert [Cyclical(1.0, 4, rising=1)(t) for t in range(5)] == [0.25, 0.5, 0.75, 1, 0.25]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: WarmUp(0, 3), ValueError, "value is 0"),
        (lambda: WarmUp(1.0, 0), ValueError, "steps is 0"),
        (lambda: Cosine(1.0, 10, lowest=2.0), ValueError, "lowest is 2.0, above value, 1.0"),
        (lambda: Cosine(1.0, 10, warm_up=10), ValueError, "fewer than steps, 10"),
        (lambda: Cosine(1.0, 10, warm_up=-1), ValueError, "warm_up is -1"),
        (lambda: Cosine("1", 10), TypeError, "value is '1'"),
        (lambda: Linear(1.0, 10, lowest=2.0), ValueError, "lowest is 2.0, above value, 1.0"),
        (lambda: Linear(1.0, 0), ValueError, "steps is 0"),
        (lambda: Cyclical(1.0, 4, rising=1.5), ValueError, "rising is 1.5"),
        (lambda: Cyclical(1.0, 4.0), TypeError, "period is 4.0"),
    ],
)
def test_bad_schedules_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
