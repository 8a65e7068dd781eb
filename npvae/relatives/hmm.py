"""A hidden Markov model: a row of data as a sequence, each step of it drawn by a hidden state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .. import kernels
from .._checks import check_positive_int, check_rng
from ..training import Rows
from .chains import backward, count_transitions, forward, state_posterior, viterbi
from .mixtures.families import Bernoullis
from .mixtures.posterior import Natural
from .mixtures.rows import batches, check_rows
from .mixtures.starts import PER_SEED, nearest, some_rows, spread_seeds

NEVER = 1e-30  # the least probability of a transition; see `chains`
NUMBERS = 2**18  # in what is made of a batch, (T, B, K) or (B, T·W)


class Path(NamedTuple):
    """The most probable hidden states, and how probable they are together with x."""

    states: np.ndarray  # (N, T)
    log_prob: np.ndarray  # (N,) log p(x, states), nats


@dataclass
class HMM:
    """p(x) = Σ over paths k_1 … k_T of p(k_1) p(x_1|k_1) Π_t p(k_t|k_{t−1}) p(x_t|k_t).

    A row of x, D numbers, is T = length steps of W = D/T numbers each: 28 rows of an image, say.
    What a state draws is a product of Bernoullis. Parameters, float64, change in place under `em`.
    """

    length: int  # T
    start: np.ndarray  # (K,) p(k_1)
    transition: np.ndarray  # (K, K) p(k_{t+1} = j|k_t = i), rows i; none is 0
    family: Bernoullis
    params: Any  # of the family, for rows of W numbers
    width: int  # W

    @classmethod
    def init(
        cls,
        x: ArrayLike,
        states: int,
        *,
        length: int,
        family: Bernoullis | None = None,
        rng: np.random.Generator,
    ) -> HMM:
        """A model to begin with: states at seeds, any transition as likely.  [hmm.1]

        x (N, D) or (N, T, W), all of one length T = length; states K; family Bernoullis() if none
        is given, whose smoothing also counts for starts and transitions
        Raises TypeError or ValueError if x is not such an array of zeros and ones, or one of the
        others is not as described, or K above the number of steps in x.
        """
        family = Bernoullis() if family is None else family
        if not isinstance(family, Bernoullis):
            raise TypeError(f"family is {family!r}; expected Bernoullis()")
        check_positive_int("states", states)
        check_positive_int("length", length)
        check_rng(rng)
        data = check_sequences("x", x, length, None, family)
        N, D = data.x.shape
        if states > N * length:
            raise ValueError(f"states is {states} and x has {N * length} steps; expected K below")
        start, transition = np.full(states, 1 / states), np.full((states, states), 1 / states)
        model = cls(length, start, transition, family, None, D // length)
        few = some_rows(data, 1 + PER_SEED * states // length, rng=rng).reshape(-1, model.width)
        seeds = spread_seeds(few, states, rng=rng)
        counts, sums = np.zeros(states), np.zeros((states, model.width))
        for _, batch in batches(data, model.batch_size()):
            steps = batch.reshape(-1, model.width)
            r = nearest(steps, seeds)
            counts += r.sum(axis=0, dtype=np.float64)
            sums += kernels.matmul(r.T, steps)
        model.params = family.start(np.maximum(counts, 1), sums)
        return model

    def __post_init__(self) -> None:
        K = len(self.start)
        rows = np.vstack([self.start, self.transition])
        if rows.shape != (K + 1, K) or not np.allclose(rows.sum(axis=1), 1) or rows.min() < NEVER:
            raise ValueError(
                f"start, transition have shapes {self.start.shape}, {self.transition.shape}; "
                f"expected (K,), (K, K), rows that sum to 1, and nothing below {NEVER}, which "
                "stands for never"
            )

    @property
    def states(self) -> int:
        """K."""
        return len(self.start)

    @property
    def parameters(self) -> int:
        """K − 1 starts, K (K − 1) transitions, and K products of W Bernoullis."""
        K = self.states
        return (K - 1) * (K + 1) + K * self.family.parameters(self.width)

    def log_px(self, x: ArrayLike) -> np.ndarray:
        """log p(x) = log Σ_k α_T(k): exact, over all K^T paths, in nats.   [hmm.1]

        x (N, D) or (N, T, W) -> (N,) float64
        Raises TypeError or ValueError if x is not such an array of zeros and ones.
        """
        return np.concatenate(
            [
                forward(self.start, self.transition, self.log_emission(batch)).log_px
                for batch in self._batches(x)
            ]
        )

    def state_posterior(self, x: ArrayLike) -> np.ndarray:
        """p(k_t = k|x) = α_t(k) β_t(k)/p(x).        -> (N, T, K) [hmm.3]

        x and errors as in `log_px`
        """
        parts = []
        for batch in self._batches(x):
            alpha, emission, _ = forward(self.start, self.transition, self.log_emission(batch))
            gamma = state_posterior(alpha, backward(self.transition, emission))
            parts.append(gamma.swapaxes(0, 1))
        return np.concatenate(parts)

    def viterbi(self, x: ArrayLike) -> Path:
        """argmax over paths of p(x, path):  v_t(j) = p(x_t|j) max_i v_{t−1}(i) p(j|i).    [hmm.5]

        x and errors as in `log_px` -> Path
        Viterbi 1967.
        """
        start, transition = np.log(self.start), np.log(self.transition)
        parts = [viterbi(start, transition, self.log_emission(batch)) for batch in self._batches(x)]
        states, log_prob = zip(*parts, strict=True)
        return Path(np.concatenate(states), np.concatenate(log_prob))

    def sample(self, n: int, *, rng: np.random.Generator) -> np.ndarray:
        """k_1 ~ p(k_1), k_t ~ p(k_t|k_{t−1}), x_t ~ p(x_t|k_t).        -> (n, D) float64    [hmm.6]

        Raises TypeError or ValueError unless n is an integer >= 1 and rng a Generator.
        """
        check_positive_int("n", n)
        check_rng(rng)
        states = np.empty((n, self.length), np.intp)
        for t in range(self.length):
            p = self.start[None] if t == 0 else self.transition[states[:, t - 1]]
            below = p.cumsum(axis=1) <= rng.random((n, 1)) * p.sum(axis=1, keepdims=True)
            states[:, t] = np.minimum(below.sum(axis=1), self.states - 1)
        steps = self.family.draw(self.params, states.ravel(), rng=rng)
        return steps.reshape(n, -1)

    def log_emission(self, x: np.ndarray, natural: Natural | None = None) -> np.ndarray:
        """log p(x_t|k) of the family.        x (B, D) -> (T, B, K) float64    [hmm.1]"""
        natural = natural or self.prepare(x.dtype)
        steps = np.ascontiguousarray(x.reshape(len(x), self.length, -1).swapaxes(0, 1))
        steps = steps.reshape(-1, self.width)
        log_emission = kernels.affine(steps, *natural).astype(np.float64)
        return log_emission.reshape(self.length, len(x), -1)

    # What `em` asks.

    def check_rows(self, name: str, x: ArrayLike) -> Rows:
        """x (N, D) or (N, T, W) as rows, or an error."""
        return check_sequences(name, x, self.length, self.width, self.family)

    def batch_size(self) -> int:
        """Rows at a time, so that what is made of them stays small."""
        numbers = self.length * max(self.width, self.states)
        return max(1, NUMBERS // numbers)

    def prepare(self, dtype: np.dtype) -> Natural:
        """What every batch of a pass needs: W (W, K) and b (K,) of the states.    [hmm.1]"""
        W, b = self.family.natural(self.params)
        return Natural(np.ascontiguousarray(W, dtype), b.astype(dtype))

    def expect(
        self, x: np.ndarray, natural: Natural
    ) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, ...]]:
        """Expected starts, transitions, visits and the pixels seen at visits.    [hmm.4]

        x (B, D) -> log_px (B,), 0 (B,), for the order of rows gains nothing here,
        (starts (K,), transitions (K, K), counts (K,), sums (K, W))
        """
        log_emission = self.log_emission(x, natural)
        alpha, emission, log_px = forward(self.start, self.transition, log_emission)
        beta = backward(self.transition, emission)
        gamma = state_posterior(alpha, beta)
        transitions = count_transitions(self.transition, alpha, emission, beta)
        visits = np.ascontiguousarray(gamma.swapaxes(0, 1), x.dtype).reshape(-1, self.states)
        pixels = kernels.matmul(visits.T, x.reshape(-1, self.width))
        sums = gamma[0].sum(axis=0), transitions, gamma.sum(axis=(0, 1)), pixels
        return log_px, np.zeros(len(x), np.intp), sums

    def maximize(
        self, sums: tuple[np.ndarray, ...], worst: Callable[[int], np.ndarray] | None = None
    ) -> int:
        """Shares of starts and transitions, smoothed, and the family's fit.    [hmm.4]

        sums as `expect` makes them, of all rows -> 0, because smoothing keeps every state alive
        Baum, Petrie, Soules & Weiss 1970.
        """
        starts, transitions, counts, pixels = sums
        starts, transitions = starts + self.family.smoothing, transitions + self.family.smoothing
        self.start = starts / starts.sum()
        self.transition = transitions / transitions.sum(axis=1, keepdims=True)
        self.params = self.family.fit(counts, pixels)
        return 0

    def log_prior(self) -> float:
        """What smoothing adds: α Σ log p(k_1), α Σ log p(j|i), and the family's.    [hmm.4]"""
        logs = np.log(self.start).sum() + np.log(self.transition).sum()
        return float(self.family.smoothing * logs) + self.family.log_prior(self.params)

    def _batches(self, x):
        data = self.check_rows("x", x)
        with kernels.pace("hmm", self.length, self.width, self.states) as lap:
            for _, batch in batches(data, self.batch_size()):
                yield batch
                lap()


def check_sequences(
    name: str, x: ArrayLike, length: int, width: int | None, family: Bernoullis
) -> Rows:
    """x (N, T W) or (N, T, W) as rows of zeros and ones; raises TypeError or ValueError."""
    if isinstance(x, list | tuple) and x and all(np.ndim(row) == 2 for row in x):
        lengths = {len(row) for row in x}
        if len(lengths) > 1:
            raise ValueError(
                f"{name} has sequences of {min(lengths)} to {max(lengths)} steps; expected one "
                f"length, {length}: cut them into pieces of that"
            )
    if np.ndim(x) == 3:
        x = np.asarray(x)
        if x.shape[1] != length or (width and x.shape[2] != width):
            raise ValueError(
                f"{name} has shape {x.shape}; expected (N, T, W) with T = {length}"
                + (f", W = {width}" if width else "")
            )
        x = x.reshape(len(x), -1)
    data = check_rows(name, x, family, length * width if width else None)
    if data.x.shape[1] % length:
        raise ValueError(
            f"{name} has shape {data.x.shape}; expected (N, D) with D = T·W, T = {length}"
        )
    return data
