"""Params: what is learned, as layers for the maths and as two rows for an optimizer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import DTypeLike

from .dense import Layer


class Params:
    """φ and θ, or the gradients of a loss in them.

    encoder (Layer, …)      φ: x to (mu, logvar), the last layer's two halves
    decoder (Layer, …)      θ: z to what the likelihood reads
    likelihood {name: …}    θ as well: what the likelihood learns itself
    rows                    the same numbers as two arrays: weights (1, ·), every W, a matrix
                            still; and others (·,), every b and what the likelihood learns

    Made from arrays of one dtype, which are copied. The copies are parts of the rows: what is
    written to the ones is written to the others, and an optimizer has two arrays to go through,
    however many layers there are.
    """

    encoder: tuple[Layer, ...]
    decoder: tuple[Layer, ...]
    likelihood: Mapping[str, np.ndarray]
    rows: tuple[np.ndarray, np.ndarray]

    def __init__(
        self,
        encoder: Iterable[Layer],
        decoder: Iterable[Layer],
        likelihood: Mapping[str, np.ndarray],
    ) -> None:
        encoder, decoder = tuple(encoder), tuple(decoder)
        weights = [W.reshape(1, -1) for W, _ in (*encoder, *decoder)]
        others = [b for _, b in (*encoder, *decoder)]
        others += [array.reshape(-1) for array in likelihood.values()]
        rows = np.concatenate(weights, axis=1), np.concatenate(others)
        self._cut(rows, _shapes(encoder), _shapes(decoder), _shapes_by_name(likelihood))

    def _cut(self, rows, encoder, decoder, likelihood):
        """Parts of the rows, of these shapes."""
        layers = *encoder, *decoder
        weights = _parts(rows[0][0], [layer.W for layer in layers])
        others = _parts(rows[1], [*[layer.b for layer in layers], *likelihood.values()])
        cut = tuple(Layer(W, next(others)) for W in weights)
        self.encoder, self.decoder = cut[: len(encoder)], cut[len(encoder) :]
        learned = dict(zip(likelihood, others, strict=True))
        self.likelihood = MappingProxyType(learned)  # a new array would be no part of a row
        self.rows = rows

    def _of_rows(self, change):
        return _from_rows(tuple(map(change, self.rows)), *self._all_shapes())

    def _all_shapes(self):
        return _shapes(self.encoder), _shapes(self.decoder), _shapes_by_name(self.likelihood)

    def __iter__(self):  # encoder, decoder, likelihood = params
        return iter((self.encoder, self.decoder, self.likelihood))

    def empty_like(self) -> Params:
        """Params of the same shapes, whose numbers are yet to be written."""
        return self._of_rows(np.empty_like)

    def astype(self, dtype: DTypeLike) -> Params:
        """A copy, of this dtype."""
        return self._of_rows(lambda row: row.astype(dtype))

    def __reduce__(self):
        # The rows themselves, of which a copy's layers are parts again: an optimizer that is
        # copied or pickled along with them finds its two arrays there.
        return _from_rows, (self.rows, *self._all_shapes())

    def arrays(self) -> dict[str, np.ndarray]:
        """Every array by name, such as "encoder/0/W", in a fixed order."""
        stacks = {"encoder": self.encoder, "decoder": self.decoder}
        arrays = {
            f"{part}/{i}/{field}": getattr(layer, field)
            for part, layers in stacks.items()
            for i, layer in enumerate(layers)
            for field in layer._fields
        }
        return arrays | {f"likelihood/{name}": array for name, array in self.likelihood.items()}


def _from_rows(rows, encoder, decoder, likelihood):
    """Params whose rows these are, cut into arrays of these shapes."""
    params = Params.__new__(Params)
    params._cut(rows, encoder, decoder, likelihood)
    return params


def _shapes(layers):
    return tuple(Layer(W.shape, b.shape) for W, b in layers)


def _shapes_by_name(arrays):
    return {name: array.shape for name, array in arrays.items()}


def _parts(row, shapes):
    """The row's numbers in arrays of these shapes, one after another."""
    start = 0
    for shape in shapes:
        stop = start + math.prod(shape)
        yield row[start:stop].reshape(shape)
        start = stop
