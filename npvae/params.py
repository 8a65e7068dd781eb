"""Params: what is learned, as layers for the maths and as two rows for an optimizer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike

from .dense import Layer

if TYPE_CHECKING:
    from typing import Self  # of Python 3.11


class Stacks:
    """Stacks of layers by name, and what a likelihood learns itself; or gradients in them.

    stacks {name: (Layer, …)}
    likelihood {name: …}
    rows                    the same numbers as two arrays: weights (1, ·), every W, a matrix
                            still; and others (·,), every b and what the likelihood learns
    shapes                  of the matrices in the first row, and None of the second

    Made from arrays of one dtype, which are copied. The copies are parts of the rows: what is
    written to the ones is written to the others, and an optimizer has two arrays to go through,
    however many layers there are.
    """

    stacks: Mapping[str, tuple[Layer, ...]]
    likelihood: Mapping[str, np.ndarray]
    rows: tuple[np.ndarray, np.ndarray]
    shapes: tuple[tuple[tuple[int, int], ...], None]

    def __init__(
        self,
        stacks: Mapping[str, Iterable[Layer]],
        likelihood: Mapping[str, np.ndarray] = MappingProxyType({}),
    ) -> None:
        stacks = {name: tuple(layers) for name, layers in stacks.items()}
        layers = [layer for stack in stacks.values() for layer in stack]
        others = [b for _, b in layers] + [array.reshape(-1) for array in likelihood.values()]
        rows = np.concatenate([W.reshape(-1) for W, _ in layers])[None], np.concatenate(others)
        self._cut(rows, _shapes(stacks), _shapes_by_name(likelihood))

    def _cut(self, rows, stacks, likelihood):
        """Parts of the rows, of these shapes."""
        layers = [layer for stack in stacks.values() for layer in stack]
        weights = _parts(rows[0][0], [layer.W for layer in layers])
        others = _parts(rows[1], [*[layer.b for layer in layers], *likelihood.values()])
        cut = {
            name: tuple(Layer(next(weights), next(others)) for _ in stack)
            for name, stack in stacks.items()
        }
        learned = dict(zip(likelihood, others, strict=True))
        # Neither can be given another array, which would be no part of a row.
        self.stacks, self.likelihood = MappingProxyType(cut), MappingProxyType(learned)
        self.rows = rows
        self.shapes = tuple(layer.W for layer in layers), None

    def _of_rows(self, change):
        return _from_rows(type(self), tuple(map(change, self.rows)), *self._all_shapes())

    def _all_shapes(self):
        return _shapes(self.stacks), _shapes_by_name(self.likelihood)

    def empty_like(self) -> Self:
        """The same shapes, whose numbers are yet to be written."""
        return self._of_rows(np.empty_like)

    def astype(self, dtype: DTypeLike) -> Self:
        """A copy, of this dtype."""
        return self._of_rows(lambda row: row.astype(dtype))

    def __reduce__(self):
        # The rows themselves, of which a copy's layers are parts again: an optimizer that is
        # copied or pickled along with them finds its two arrays there.
        return _from_rows, (type(self), self.rows, *self._all_shapes())

    def arrays(self) -> dict[str, np.ndarray]:
        """Every array by name, such as "encoder/0/W", in a fixed order."""
        arrays = {
            f"{name}/{i}/{field}": getattr(layer, field)
            for name, layers in self.stacks.items()
            for i, layer in enumerate(layers)
            for field in layer._fields
        }
        return arrays | {f"likelihood/{name}": array for name, array in self.likelihood.items()}


class Params(Stacks):
    """φ and θ of a VAE, or the gradients of a loss in them.

    encoder (Layer, …)      φ: x to (mu, logvar), the last layer's two halves
    decoder (Layer, …)      θ: z to what the likelihood reads
    likelihood {name: …}    θ as well: what the likelihood learns itself
    """

    def __init__(
        self,
        encoder: Iterable[Layer],
        decoder: Iterable[Layer],
        likelihood: Mapping[str, np.ndarray],
    ) -> None:
        super().__init__({"encoder": encoder, "decoder": decoder}, likelihood)

    @property
    def encoder(self) -> tuple[Layer, ...]:
        """φ."""
        return self.stacks["encoder"]

    @property
    def decoder(self) -> tuple[Layer, ...]:
        """θ."""
        return self.stacks["decoder"]

    def __iter__(self):  # encoder, decoder, likelihood = params
        return iter((self.encoder, self.decoder, self.likelihood))


def _from_rows(kind, rows, stacks, likelihood):
    """Stacks or Params whose rows these are, cut into arrays of these shapes."""
    params = kind.__new__(kind)
    params._cut(rows, stacks, likelihood)
    return params


def _shapes(stacks):
    return {name: [Layer(W.shape, b.shape) for W, b in layers] for name, layers in stacks.items()}


def _shapes_by_name(arrays):
    return {name: array.shape for name, array in arrays.items()}


def _parts(row, shapes):
    """The row's numbers in arrays of these shapes, one after another."""
    start = 0
    for shape in shapes:
        stop = start + math.prod(shape)
        yield row[start:stop].reshape(shape)
        start = stop
