"""Columns of several kinds in one row: numbers, counts, categories, yes or no."""

from __future__ import annotations

import numbers
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike

from ._protocol import check_is_likelihood
from .base import Likelihood

Parts = tuple[tuple[tuple[int, ...], Likelihood], ...]


@dataclass(frozen=True, repr=False)
class Product(Likelihood):
    """p(x|z) = Π_g p_g(x_g|z): to each group of columns a likelihood of its own.

        npvae.Product([(range(0, 4), npvae.ColumnGaussian()), ([4, 6], npvae.Poisson()), …])

    parts   pairs of columns and their likelihood, which sees these columns alone, in that order
    The decoder's output, and what the encoder reads, hold one part after the other.
    Raises TypeError or ValueError unless the columns are 0 … D − 1, each of them once, and no part
    is one of `Holes`, which goes round the whole.
    """

    parts: Parts
    reads_x: ClassVar = False

    def __post_init__(self):
        if not isinstance(self.parts, Iterable):
            raise TypeError(f"parts is {self.parts!r}; expected pairs (columns, likelihood)")
        parts = tuple(_part(i, part) for i, part in enumerate(self.parts))
        columns = [d for columns, _ in parts for d in columns]
        if not columns or sorted(columns) != list(range(len(columns))):
            raise ValueError(
                f"the parts have the columns {_spans(sorted(columns)) or 'none'}; expected "
                "0 … D − 1, each of them once"
            )
        object.__setattr__(self, "parts", parts)

    @property
    def fixed_dim(self) -> int:  # type: ignore[override]
        """D."""
        return sum(len(columns) for columns, _ in self.parts)

    @property
    def support(self) -> list:  # type: ignore[override]
        """That of each column."""
        of_column = {
            d: p.support[i] if isinstance(p.support, list) else p.support
            for columns, p in self.parts
            for i, d in enumerate(columns)
        }
        return [of_column[d] for d in range(self.fixed_dim)]

    def log_prob(self, x: np.ndarray, output: np.ndarray, **learned: np.ndarray) -> np.ndarray:
        """log p(x|z) = Σ_g log p_g(x_g|z), in nats.              [tables.19]

        x (B, D), output (L, B, W) -> log_px_z (L, B)
        """
        found = (p.log_prob(x[:, d], part, **own) for d, p, part, own in self._cut(output, learned))
        return sum(found)

    def log_prob_backward(
        self, dlog_px_z: np.ndarray, x: np.ndarray, output: np.ndarray, **learned: np.ndarray
    ) -> np.ndarray:
        """Each part's own, side by side.        (L, B), …, (L, B, W) -> (L, B, W)   [tables.19]"""
        cut = self._cut(output, learned)
        found = [p.log_prob_backward(dlog_px_z, x[:, d], part, **own) for d, p, part, own in cut]
        return np.concatenate(found, axis=-1)

    def log_prob_backward_learned(
        self, dlog_px_z: np.ndarray, x: np.ndarray, output: np.ndarray, **learned: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Each part's own, by "part/name".                      [tables.19]"""
        cut = self._cut(output, learned)
        return _joined(
            p.log_prob_backward_learned(dlog_px_z, x[:, d], part, **own) if own else {}
            for d, p, part, own in cut
        )

    def terms(self, x: np.ndarray, output: np.ndarray, **learned: np.ndarray) -> np.ndarray:
        """Each part's, where its columns are.        x (B, D), … -> (L, B, D)   [tables.19]"""
        terms = np.empty((len(output), *x.shape), output.dtype)
        for d, p, part, own in self._cut(output, learned):
            terms[..., d] = p.terms(x[:, d], part, **own)
        return terms

    def terms_backward(
        self, dterms: np.ndarray, x: np.ndarray, output: np.ndarray, **learned: np.ndarray
    ) -> np.ndarray:
        """Each part's own, side by side.        (L, B, D), … -> (L, B, W)       [tables.19]"""
        cut = self._cut(output, learned)
        found = [p.terms_backward(dterms[..., d], x[:, d], part, **own) for d, p, part, own in cut]
        return np.concatenate(found, axis=-1)

    def terms_backward_learned(
        self, dterms: np.ndarray, x: np.ndarray, output: np.ndarray, **learned: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Each part's own, by "part/name".                      [tables.19]"""
        cut = self._cut(output, learned)
        return _joined(
            p.terms_backward_learned(dterms[..., d], x[:, d], part, **own) if own else {}
            for d, p, part, own in cut
        )

    def mean(self, output: np.ndarray) -> np.ndarray:
        """E[x|z] of each part, where its columns are.        (…, W) -> (…, D)   [tables.19]"""
        return self._gathered(output, lambda p, part, own: p.mean(part))

    def mean_backward(self, dmean: np.ndarray, output: np.ndarray) -> np.ndarray:
        """Each part's own.        (…, D), (…, W) -> (…, W)       [observations.13]"""
        cut = self._cut(output, {})
        return np.concatenate(
            [p.mean_backward(dmean[..., d], part) for d, p, part, _ in cut], axis=-1
        )

    def draw(
        self, output: np.ndarray, *, rng: np.random.Generator, **learned: np.ndarray
    ) -> np.ndarray:
        """A draw of each part, where its columns are.        (…, W) -> (…, D)   [tables.19]"""
        return self._gathered(output, lambda p, part, own: p.draw(part, rng=rng, **own), learned)

    def encoder_input(self, x: np.ndarray) -> np.ndarray:
        """What each part's encoder would read, side by side.    [tables.22]

        x (B, D) -> (B, I)
        """
        return np.hstack([p.encoder_input(x[:, list(d)]) for d, p in self.parts])

    def output_bias(self, x_mean: np.ndarray) -> np.ndarray:
        """Each part's own.        (D,) -> (W,)                   [likelihoods.7]"""
        return np.concatenate([p.output_bias(x_mean[list(d)]) for d, p in self.parts])

    def floor(self, x: np.ndarray) -> float:
        """The sum of the parts' floors.        x (N, D) -> nats  [tables.19]"""
        return float(sum(p.floor(x[:, list(d)]) for d, p in self.parts))

    def check_support(self, name: str, x: np.ndarray) -> int:
        """1. Raises ValueError, naming the columns, unless each part's support holds its own."""
        for columns, p in self.parts:
            part = x[:, list(columns)]
            if part.dtype == np.uint8:  # whole numbers here, and no grey levels
                part = part.astype(np.float32)
            p.check_support(f"{name}[:, {list(columns)}]", part)
        return 1

    def check_mean(self, name: str, x_mean: np.ndarray) -> None:
        """Raise ValueError unless each part can have its own."""
        for columns, p in self.parts:
            p.check_mean(f"{name}[:, {list(columns)}]", x_mean[:, list(columns)])

    def init_learned(self, dtype: DTypeLike, data_dim: int) -> dict[str, np.ndarray]:
        """What each part learns, by "part/name"."""
        return _joined(p.init_learned(dtype, len(columns)) for columns, p in self.parts)

    def follow(
        self, x: np.ndarray, output: np.ndarray, share: float, **learned: np.ndarray
    ) -> dict[str, np.ndarray]:
        """What each part follows, by "part/name"."""
        cut = self._cut(output, learned)
        return _joined(p.follow(x[:, d], part, share, **own) for d, p, part, own in cut)

    def output_width(self, data_dim: int) -> int:
        """Numbers that the decoder emits: all that the parts need."""
        return sum(p.output_width(len(columns)) for columns, p in self.parts)

    def input_width(self, data_dim: int) -> int:
        """I: all that the parts' encoders would read."""
        return sum(p.input_width(len(columns)) for columns, p in self.parts)

    def at(self, columns: np.ndarray) -> Likelihood:
        """The likelihood of these columns alone, in this order."""
        parts: list[tuple[tuple[int, ...], Likelihood]] = []
        for d in columns:
            own, p = next(part for part in self.parts if d in part[0])
            parts.append(((len(parts),), p.at(np.array([own.index(d)]))))
        return Product(tuple(parts))

    def __repr__(self) -> str:
        parts = ", ".join(f"{_spans(sorted(columns))}: {p!r}" for columns, p in self.parts)
        return f"Product({parts})"

    def _cut(self, output, learned):
        """Columns, likelihood, output and what is learned, of each part."""
        start, cut = 0, []
        for i, (columns, p) in enumerate(self.parts):
            stop = start + p.output_width(len(columns))
            prefix = f"{i}/"
            own = {n.removeprefix(prefix): v for n, v in learned.items() if n.startswith(prefix)}
            cut.append((list(columns), p, output[..., start:stop], own))
            start = stop
        return cut

    def _gathered(self, output, of, learned=None):
        x = np.empty((*output.shape[:-1], self.fixed_dim), output.dtype)
        for d, p, part, own in self._cut(output, learned or {}):
            x[..., d] = of(p, part, own)
        return x


def _joined(found):
    """{"part/name": array} of each part's {name: array}."""
    return {f"{i}/{name}": v for i, part in enumerate(found) for name, v in part.items()}


def _part(i, part):
    if isinstance(part, str) or not isinstance(part, Iterable) or len(part := tuple(part)) != 2:
        raise TypeError(f"parts[{i}] is {part!r}; expected a pair (columns, likelihood)")
    columns, likelihood = part
    if isinstance(columns, str) or not isinstance(columns, Iterable):
        raise TypeError(
            f"parts[{i}] has the columns {columns!r}; expected integers, such as [0, 3]"
        )
    columns = tuple(columns)
    for d in columns:
        if isinstance(d, bool) or not isinstance(d, numbers.Integral):
            raise TypeError(f"parts[{i}] has the column {d!r}; expected an integer >= 0")
    check_is_likelihood(likelihood)
    if not columns:
        raise ValueError(f"parts[{i}] has no columns, and {likelihood!r}; leave it out")
    if likelihood.allows_holes:
        raise ValueError(f"parts[{i}] has {likelihood!r}; expected Holes(Product(…))")
    if likelihood.fixed_dim not in (None, len(columns)):
        raise ValueError(
            f"parts[{i}] has {len(columns)} columns, and {likelihood!r} is one of "
            f"{likelihood.fixed_dim}"
        )
    return tuple(int(d) for d in columns), likelihood


def _spans(columns):
    """ "0–4, 6" of sorted columns."""
    spans = []
    for d in columns:
        if spans and d == spans[-1][1] + 1:
            spans[-1][1] = d
        else:
            spans.append([d, d])
    return ", ".join(f"{a}–{b}" if b > a else str(a) for a, b in spans)
