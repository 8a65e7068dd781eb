"""Numbers that change while a model learns: functions of t = 0, 1, 2, …, the step.

`train` takes one for its learning_rate, and an objective's beta can follow one.
"""

import math
from dataclasses import dataclass

from ._checks import check_number, check_positive_int


@dataclass(frozen=True)
class WarmUp:
    """From value/steps at t = 0 to value.

    Raises TypeError or ValueError unless value > 0 and steps is an integer >= 1.
    """

    value: float
    steps: int

    def __post_init__(self) -> None:
        check_number("value", self.value, low=0)
        check_positive_int("steps", self.steps)

    def __call__(self, t: int) -> float:
        """value · min(1, (t + 1)/steps).                        [schedules.1]"""
        return self.value * min(1.0, (t + 1) / self.steps)


@dataclass(frozen=True)
class Cosine:
    """A `WarmUp` to value, and half a wave down to lowest, which it is from t = steps on.

    Raises TypeError or ValueError unless value > 0, 0 <= lowest <= value, and warm_up < steps are
    integers >= 0.
    Loshchilov & Hutter 2016, eq. (5), without restarts.
    """

    value: float
    steps: int
    warm_up: int = 0
    lowest: float = 0.0

    def __post_init__(self) -> None:
        _check_way_down(self)

    def __call__(self, t: int) -> float:
        """lowest + (value − lowest) (1 + cos πs)/2,  s = (t − warm_up)/(steps − warm_up) <= 1.

        [schedules.1] before t = warm_up.                        [schedules.2]
        """
        if t < self.warm_up:
            return WarmUp(self.value, self.warm_up)(t)
        s = _way_down(self, t)
        return self.lowest + (self.value - self.lowest) * (1 + math.cos(math.pi * s)) / 2


@dataclass(frozen=True)
class Linear:
    """A `WarmUp` to value, and by equal amounts down to lowest, which it is from t = steps on.

    Raises TypeError or ValueError unless value > 0, 0 <= lowest <= value, and warm_up < steps are
    integers >= 0.
    """

    value: float
    steps: int
    warm_up: int = 0
    lowest: float = 0.0

    def __post_init__(self) -> None:
        _check_way_down(self)

    def __call__(self, t: int) -> float:
        """value − (value − lowest) s,  s = (t − warm_up)/(steps − warm_up) <= 1.

        [schedules.1] before t = warm_up.                        [schedules.4]
        """
        if t < self.warm_up:
            return WarmUp(self.value, self.warm_up)(t)
        return self.value - (self.value - self.lowest) * _way_down(self, t)


def _check_way_down(schedule):
    check_number("value", schedule.value, low=0)
    check_number("lowest", schedule.lowest, low=0, low_allowed=True)
    check_positive_int("steps", schedule.steps)
    if schedule.warm_up != 0:
        check_positive_int("warm_up", schedule.warm_up)
    if schedule.lowest > schedule.value:
        raise ValueError(f"lowest is {schedule.lowest}, above value, {schedule.value}")
    if schedule.warm_up >= schedule.steps:
        raise ValueError(
            f"warm_up is {schedule.warm_up}; expected fewer than steps, {schedule.steps}"
        )


def _way_down(schedule, t):
    """s: the part of the way down that is behind step t."""
    return min(1.0, (t - schedule.warm_up) / (schedule.steps - schedule.warm_up))


@dataclass(frozen=True)
class Cyclical:
    """A `WarmUp` over the first part of each period, anew in every one.

    Raises TypeError or ValueError unless value > 0, period is an integer >= 1 and
    0 < rising <= 1. Fu et al. 2019, eqs. (6) and (7), of β.
    """

    value: float
    period: int
    rising: float = 0.5

    def __post_init__(self) -> None:
        check_number("value", self.value, low=0)
        check_positive_int("period", self.period)
        check_number("rising", self.rising, low=0)
        if self.rising > 1:
            raise ValueError(f"rising is {self.rising}; expected at most 1, all of a period")

    def __call__(self, t: int) -> float:
        """value · min(1, (t mod period + 1)/(rising · period)). [schedules.3]"""
        return self.value * min(1.0, (t % self.period + 1) / (self.rising * self.period))
