"""A run: what stays the same in it, and what changes beside parameters and optimizer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import kernels
from ..diagnosis import Yardsticks
from ..evaluation import Evaluation
from ..likelihoods import binarize
from ..objectives import Objective
from ..optimizers import Optimizer
from ..params import Params
from ..vae import VAE
from .epoch import Epoch
from .loop import Rows
from .ranks import Alone

if TYPE_CHECKING:
    from .checkpoint import Checkpoint


class Streams(NamedTuple):
    """What is random in a run; none of these draws changes another's."""

    order: np.random.Generator  # of the rows
    noise: np.random.Generator
    target: np.random.Generator  # binary ones
    evaluation: np.random.Generator


class Run(NamedTuple):
    """What stays the same from epoch to epoch; the model's and the optimizer's numbers do not."""

    vae: VAE
    data: Rows
    batch_size: int
    optimizer: Optimizer
    progress: Progress
    x_val: np.ndarray | None
    yardsticks: Yardsticks
    objective: Objective | Callable[[int], Objective]
    learning_rate: Callable[[int], float] | None
    stop_when: Callable[[list[Epoch]], bool] | None
    keep_best: bool
    file: Checkpoint | None
    ranks: Alone


class Past(NamedTuple):
    """What a run remembers of an epoch."""

    bound: float  # nats
    seconds: float
    trained: Evaluation  # of the rows as visited
    validated: Evaluation | None


class Progress:
    """A run at the end of a step.

    past        of all epochs that ended
    done        rows that have been visited since
    seconds     that this took
    visited     bound, log p(x|z), mu and logvar of those rows, each as it was
    told        names of the kinds of findings that were warned of
    best        parameters of the best validation, if they are kept
    states      of the streams, by name: of `order` as it was before it drew this epoch's, and
                `validation`, which drew x_val's binary rows
    """

    def __init__(self, streams: Streams, rows: int, latents: int, dtype: np.dtype) -> None:
        self.streams = streams
        self.past: list[Past] = []
        self.told: set[str] = set()
        self.best: Params | None = None
        self.done, self.seconds, self.went_on = 0, 0.0, False
        self.checksums: dict[str, int | None] = {}  # of the data, where a file needs them
        shapes = (rows,), (rows,), (rows, latents), (rows, latents)
        self.visited = [np.empty(shape, dtype) for shape in shapes]
        self.states: dict[str, Any] = {"validation": streams.evaluation.bit_generator.state}
        self._look("order", "noise", "target", "evaluation")

    @property
    def epoch(self) -> int:
        """The one that goes on, from 1."""
        return len(self.past) + 1

    def start(self) -> None:
        """Before the first step of an epoch, or of what is left of it."""
        self._since = kernels.clock() - self.seconds

    def keep(self, at: slice, of_batch: list[np.ndarray]) -> None:
        """Bound, log p(x|z), mu and logvar of the rows at these places of the order of visits."""
        for values, numbers in zip(self.visited, of_batch, strict=True):
            values[at] = numbers

    def after_step(self, done: int) -> None:
        """So many rows have been visited."""
        self.done, self.seconds = done, kernels.clock() - self._since
        self._look("noise", "target")

    def after_epoch(self, past: Past) -> None:
        """It ended, and its validation with it."""
        self.past.append(past)
        self.done, self.seconds = 0, 0.0
        self._look("order", "evaluation")

    def go_on(self, states: dict[str, Any]) -> None:
        """Let every stream draw from its state on. Raises ValueError if one of them cannot."""
        for name, stream in {
            "validation": self.streams.evaluation,
            **self.streams._asdict(),
        }.items():
            try:
                stream.bit_generator.state = states[name]
            except (TypeError, ValueError, KeyError, OverflowError) as error:
                raise ValueError(
                    f"its stream {name!r} is not of this rng's kind: {error}"
                ) from None
        self.states, self.went_on = {name: states[name] for name in self.states}, True

    def binarized(self, x_val: np.ndarray) -> np.ndarray:
        """x_val's binary rows, the same ones when the run goes on."""
        stream = self.streams.evaluation.bit_generator
        stream.state = self.states["validation"]
        rows = binarize(x_val, rng=self.streams.evaluation)
        if self.went_on:
            stream.state = self.states["evaluation"]
        self._look("evaluation")
        return rows

    def _look(self, *names):
        for name in names:
            self.states[name] = getattr(self.streams, name).bit_generator.state
