"""Who makes a step: one process alone, or one of several that each make a part of it."""

import contextlib
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np

from ..objectives import Objective

T = TypeVar("T")


class Alone:
    """One process: the part of a batch that it makes is the batch.

    `distributed.Ranks` are several. Each method but `part` is one conversation among all of them:
    every rank calls the same ones in the same order.
    """

    first = True  # the one that validates, warns and writes files
    size = 1  # how many there are

    def check(self, objective: Objective) -> None:
        """Raise ValueError if its bound of a batch cannot be made in parts."""

    def part(self, size: int) -> slice:
        """This one's rows of a batch of so many: at least one."""
        return slice(0, size)

    def share(self, size: int) -> int:
        """How many rows of a batch count as this one's: as many as `part` has, or none."""
        return size

    def agree(self, settings: dict[str, Any]) -> None:
        """Raise ValueError if somebody's settings are not the first one's."""

    def same(self, rng: np.random.Generator, arrays: Iterable[np.ndarray]) -> np.random.Generator:
        """The first one's rng, and the arrays overwritten with the first one's."""
        return rng

    def decided(self, decide: Callable[[], T]) -> T:
        """What the first one decides."""
        return decide()

    def all_go_on(self, goes_on: bool) -> bool:
        """Whether everyone does."""
        return goes_on

    def join(self, size: int, values: list[np.ndarray]) -> list[np.ndarray]:
        """Of numbers for each row of a part, (b,) or (b, ·), those of the whole batch."""
        return values

    def add(self, arrays: Iterable[np.ndarray]) -> None:
        """Overwrite each array with the sum of everyone's."""

    def compare(self, step: int, arrays: Iterable[np.ndarray]) -> None:
        """Raise RuntimeError if arrays differ in a bit from the first one's; looks now and then."""

    def together(self) -> contextlib.AbstractContextManager[object]:
        """A block in which an exception or a signal that ends one rank ends all."""
        return contextlib.nullcontext()


ALONE = Alone()


def told_by(choice: object) -> str:
    """Its kind and its numbers, in words that are the same in every process."""
    own = getattr(choice, "__dict__", {}).items()
    numbers = [f"{name}={v}" for name, v in own if v is None or isinstance(v, (int, float, str))]
    return f"{type(choice).__name__}({', '.join(numbers)})"
