"""What every likelihood has in common."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike

Support = tuple[float, float] | np.ndarray


class Likelihood:
    """p(x|z): the decoder's output, read as a distribution over x.

    With x (B, D), output (L, B, W), W = output_width(D), and learned the arrays that
    init_learned made, by name, each likelihood defines

        log_prob(x, output, **learned) -> log_px_z (L, B), in nats
        log_prob_backward(dlog_px_z, x, output, **learned) -> doutput (L, B, W)
        log_prob_backward_learned(…the same) -> {name: gradient}, if anything is learned
        mean(output) -> E[x|z], (…, D)
        draw(output, rng=rng, **learned) -> x (…, D)
        output_bias(x_mean) -> b (W,) with mean(b) = x_mean (D,)
        floor(x) -> the best mean log p(x) of a decoder that ignores z

    and, if y = A x + σ·noise is to be restored (chapter 21),

        mean_backward(dmean, output) -> doutput (…, W)

    If W is not D, define output_width, and columns if a pixel's numbers are not side by side; if
    anything is learned, init_learned; if x has a limited range, check_support; if the encoder
    should read other numbers than x, encoder_input and input_width. All results have the dtype of
    the output.

    A subclass of your own is as good a likelihood as those of npvae: `VAE.init` takes any
    instance, and `check_likelihood` tests it. For that, `support` says where x_d may lie: an
    interval, as a tuple (low, high); or an array of all values, without those that have next to
    no probability; or a list of such, one for each column.
    """

    support: ClassVar[Support | list[Support]] = (-math.inf, math.inf)
    reads_x: ClassVar[bool] = True  # False if encoder_input is another
    allows_holes: ClassVar[bool] = False  # whether NaN in x is not observed
    fixed_dim: int | None = None  # D, if no other is possible
    log_prob: ClassVar[Callable[..., np.ndarray]]
    log_prob_backward: ClassVar[Callable[..., np.ndarray]]
    log_prob_backward_learned: ClassVar[Callable[..., dict[str, np.ndarray]]]
    mean: ClassVar[Callable[..., np.ndarray]]
    mean_backward: ClassVar[Callable[..., np.ndarray]]
    draw: ClassVar[Callable[..., np.ndarray]]
    output_bias: ClassVar[Callable[..., np.ndarray]]
    floor: ClassVar[Callable[..., float]]

    def __repr__(self) -> str:
        choices = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({choices})"

    def init_learned(self, dtype: DTypeLike, data_dim: int) -> dict[str, np.ndarray]:
        """What the likelihood itself learns, by name, at its start: nothing by default.

        Arrays of (D,) hold a number for each column, which each function finds by broadcasting;
        others, such as (1,), are shared by all.
        """
        return {}

    def follow(
        self, x: np.ndarray, output: np.ndarray, share: float, **learned: np.ndarray
    ) -> dict[str, np.ndarray]:
        """What a batch sets and no gradient moves, of what is learned, by name: nothing by default.

        share is this batch's part of the rows seen so far, counting at most one epoch's.
        """
        return {}

    def terms(self, x: np.ndarray, output: np.ndarray, **learned: np.ndarray) -> np.ndarray:
        """log p(x_d|z) of each column alone, of which log_prob is the sum.     [tables.16]

        x (B, D), output (L, B, W) -> (L, B, D), in nats
        Each entry of x is given to log_prob as a row of one column.
        """
        each = self._each(x, output, learned)
        return self.log_prob(*each[:2], **each[2]).reshape(*output.shape[:2], -1)

    def terms_backward(
        self, dterms: np.ndarray, x: np.ndarray, output: np.ndarray, **learned: np.ndarray
    ) -> np.ndarray:
        """doutput = Σ_d dterms_d ∂ log p(x_d|z)/∂output.         [tables.17]

        dterms (L, B, D), x (B, D), output (L, B, W) -> (L, B, W)
        """
        x_each, output_each, learned_each = self._each(x, output, learned)
        weights = dterms.reshape(len(dterms), -1)
        found = self.log_prob_backward(weights, x_each, output_each, **learned_each)
        found = found.reshape(output.shape)
        places = self._places(x.shape[1])
        return found if places is None else np.take(found, np.argsort(places), axis=-1)

    def terms_backward_learned(
        self, dterms: np.ndarray, x: np.ndarray, output: np.ndarray, **learned: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Σ_lbd dterms_lbd ∂ log p(x_d|z)/∂learned, by name.     [tables.17]

        dterms (L, B, D), x (B, D), output (L, B, W) -> {name: gradient}
        """
        x_each, output_each, learned_each = self._each(x, output, learned)
        weights = dterms.reshape(len(dterms), -1)
        found = self.log_prob_backward_learned(weights, x_each, output_each, **learned_each)
        return {  # what was one number for each entry is one for each column again
            name: dv if dv.shape == learned[name].shape else dv.reshape(x.shape).sum(axis=0)
            for name, dv in found.items()
        }

    def _each(self, x, output, learned):
        """x, output and learned with a row of one column for each entry of x."""
        (L, B, _), D = output.shape, x.shape[1]
        places = self._places(D)
        each = output if places is None else np.take(output, places, axis=-1)
        spread = {
            name: np.tile(v, B)[:, None] if v.shape == (D,) and D > 1 else v
            for name, v in learned.items()
        }
        return x.reshape(-1, 1), each.reshape(L, B * D, -1), spread

    def _places(self, D):
        """Where the output holds the numbers of column 0, then 1, …; None if in that order."""
        places = self.columns(np.arange(D), D).reshape(-1)
        return None if (np.diff(places) == 1).all() else places

    def encoder_input(self, x: np.ndarray) -> np.ndarray:
        """What the encoder reads of x: x itself.        (B, D) -> (B, I)  [tables.22]"""
        return x

    def input_width(self, data_dim: int) -> int:
        """I, of which the encoder reads so many numbers for D of data: D."""
        return data_dim

    def data_dim(self, input_width: int) -> int:
        """D, where the encoder reads input_width numbers."""
        return self.fixed_dim or input_width // self.input_width(1)

    def at(self, columns: np.ndarray) -> Likelihood:
        """The likelihood of these columns alone: itself, if all are alike.        columns (S,)"""
        return self

    def output_width(self, data_dim: int) -> int:
        """Numbers that the decoder emits for D numbers of data: D."""
        return data_dim

    def columns(self, pixels: np.ndarray, data_dim: int) -> np.ndarray:
        """Where the output holds what it says of these pixels.

        pixels (S,) of D -> (S, w), w numbers for each: by default they stand side by side
        """
        w = self.output_width(1)
        return w * pixels[:, None] + np.arange(w)

    def check_support(self, name: str, x: np.ndarray) -> int:
        """The number in x that stands for 1: 1 itself. Any finite x has a density."""
        return 1

    def check_mean(self, name: str, x_mean: np.ndarray) -> None:
        """Raise ValueError unless x_mean can be a mean of x, that is, lies in the support."""
        self.check_support(name, x_mean)


def summed_to(dv: np.ndarray, v: np.ndarray) -> np.ndarray:
    """dv (L, B, D) added up over the axes along which v is shared: v's shape and dtype."""
    shape = (1,) * (dv.ndim - v.ndim) + v.shape
    shared = tuple(i for i, n in enumerate(shape) if n == 1)
    total = dv.sum(axis=shared, keepdims=True, dtype=np.float64)
    return total.reshape(v.shape).astype(v.dtype)


def invert_mean(
    mean: Callable[[np.ndarray], np.ndarray], x_mean: np.ndarray, bound: float = 1000.0
) -> np.ndarray:
    """The a with mean(a) = x_mean, by halving [−bound, bound] 64 times.    [likelihoods.7]

    mean must increase from 0.001 or less to 0.999 or more, and x_mean (D,) is clipped to that
    """
    target = np.clip(x_mean, 0.001, 0.999, dtype=np.float64)
    low, high = np.full_like(target, -bound), np.full_like(target, bound)
    for _ in range(64):
        middle = (low + high) / 2
        below = mean(middle) < target
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return middle.astype(x_mean.dtype)
