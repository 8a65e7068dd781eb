"""Joined: the parameters of two models, or gradients in them, for one optimizer."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...params import Stacks
from ..conditional.model import ConditionalParams


class Joined(NamedTuple):
    """What `training.step.update` goes through: rows and arrays of both."""

    classifier: Stacks
    vae: ConditionalParams

    @property
    def rows(self) -> tuple[np.ndarray, ...]:
        """The four arrays that an optimizer changes."""
        return *self.classifier.rows, *self.vae.rows

    @property
    def shapes(self) -> tuple[tuple[tuple[int, int], ...] | None, ...]:
        """Of the matrices in each of them, or None."""
        return *self.classifier.shapes, *self.vae.shapes

    def arrays(self) -> dict[str, np.ndarray]:
        """Every array by name, such as "network/0/W" and "encoder/0/W"."""
        return self.classifier.arrays() | self.vae.arrays()

    def empty_like(self) -> Joined:
        """The same shapes, whose numbers are yet to be written."""
        return Joined(self.classifier.empty_like(), self.vae.empty_like())
