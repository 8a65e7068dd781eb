"""SGD, Adagrad, Adam: each turns gradients of a loss into a step down, in place.

w is a parameter, dw the gradient of the loss with respect to it, and g = dw + weight_decay·w what
steps are made of: weight_decay is a Gaussian prior on the weight matrices, and an optimum with it
is a maximum a posteriori. (The decoupled decay of AdamW is not a prior.) Squares, roots and
quotients are coordinate by coordinate; β₁, β₂, ε are beta1, beta2, epsilon.

A setting may be changed between steps, as a schedule of the learning rate does. It is checked
wherever it is set, in the constructor or later, and a bad one leaves the optimizer as it was.
With max_norm, dw is what `clip_by_norm` leaves of it.

shapes, of `Params`, say for each array which matrices lie in it, or None. They help threads to
share the work, and change no number.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from . import kernels
from ._checks import check_number
from ._state import State

Shapes = Sequence[tuple[tuple[int, int], ...] | None]

# float32 would round a smaller ε to 0, and 0/0 follows where a gradient is zero; a larger decay
# turns the sign of W at every step and overflows.
SMALLEST_EPSILON = 1e-30
LARGEST_DECAY = 1e6
LIMITS = {
    "learning_rate": {"low": 0},
    "momentum": {"low": 0, "low_allowed": True, "high": 1},
    "beta1": {"low": 0, "low_allowed": True, "high": 1},
    "beta2": {"low": 0, "low_allowed": True, "high": 1},
    "epsilon": {"low": SMALLEST_EPSILON, "low_allowed": True},
    "weight_decay": {"low": 0, "low_allowed": True, "high": LARGEST_DECAY},
    "max_norm": {"low": 0},
}


@runtime_checkable
class Optimizer(Protocol):
    """What `train` asks of an optimizer."""

    learning_rate: float

    def update(self, params: Iterable[np.ndarray], grads: Iterable[np.ndarray]) -> None:
        """Change each w of params in place, down the loss, given its gradient dw.

        A short step does: loss(w − η dw) = loss(w) − η ‖dw‖² + O(η²).  [optimizers.1]
        params, grads: sequences of arrays, the same arrays in the same order at every call.
        `train` gives two, the rows of `Params`: all weights (1, ·), and all the rest (·,)
        """


@runtime_checkable
class Resumable(Protocol):
    """What a checkpoint asks of an optimizer as well: to tell what it remembers, and to be told."""

    def memory(self, params: Iterable[np.ndarray]) -> dict[str, np.ndarray]:
        """What the next step depends on beside params, their gradients and the settings, by name.

        Float arrays, not to be written to. Before the first step as well.
        """

    def recall(self, params: Iterable[np.ndarray], memory: Mapping[str, np.ndarray]) -> None:
        """Go on where the optimizer was whose memory this is, now with these params.

        Raises KeyError or ValueError if it is that of another kind, or of other shapes.
        """


def _set_within_limits(optimizer, name, value):
    """Set an attribute; a setting, at any time, only to what its limits allow."""
    if name in LIMITS and not (name == "max_norm" and value is None):
        check_number(name, value, **LIMITS[name])
    object.__setattr__(optimizer, name, value)


def clip_by_norm(grads: Iterable[np.ndarray], max_norm: float | None) -> list[np.ndarray]:
    """dw ← dw min(1, max_norm/‖dw‖),  ‖dw‖ over all arrays together.    [optimizers.11]

    The arrays themselves if that changes nothing, max_norm is None, or one is not finite.
    Pascanu, Mikolov & Bengio 2013, algorithm 1.
    """
    grads = list(grads)
    if max_norm is None:
        return grads
    norm = math.sqrt(sum(float(np.sum(np.square(dw, dtype=np.float64))) for dw in grads))
    if not max_norm < norm < math.inf:
        return grads
    return [dw * dw.dtype.type(max_norm / norm) for dw in grads]


def _memory(optimizer, params):
    """The arrays beside params, by name."""
    return optimizer._state.arrays(params)


def _recall(optimizer, params, memory):
    """Go on with these arrays. Raises KeyError or ValueError if they do not fit params."""
    optimizer._state.recall(params, memory)


class SGD:
    """Stochastic gradient descent with momentum; without it, the short step of [optimizers.1].

    Raises TypeError or ValueError unless learning_rate > 0, 0 <= momentum < 1,
    0 <= weight_decay < 1e6, max_norm > 0 or None. Polyak 1964; Sutskever et al. 2013, eqs. (1)
    and (2), whose velocity is −learning_rate times this one.
    """

    __setattr__, memory, recall = _set_within_limits, _memory, _recall

    def __init__(
        self,
        learning_rate: float,
        *,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        max_norm: float | None = None,
    ) -> None:
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.max_norm = max_norm
        self._state = State("velocity")

    def update(
        self,
        params: Iterable[np.ndarray],
        grads: Iterable[np.ndarray],
        shapes: Shapes | None = None,
    ) -> None:
        """velocity ← momentum·velocity + g;  w ← w − learning_rate·velocity.   [optimizers.2]

        After t steps of one g, velocity = g (1 − momentumᵗ)/(1 − momentum).    [optimizers.3]
        """
        grads = clip_by_norm(grads, self.max_norm)
        for w, dw, velocity, within in self._state.beside(params, grads, shapes):
            given = self.learning_rate, self.momentum, _decay(self, w)
            kernels.sgd_update(w, dw, velocity, *given, within)


class Adagrad:
    """Steps that shrink with the sum of squared gradients, coordinate by coordinate.

    Raises TypeError or ValueError unless learning_rate > 0, epsilon >= 1e-30,
    0 <= weight_decay < 1e6, max_norm > 0 or None.
    Duchi, Hazan & Singer 2011, figure 1; the optimizer of Kingma & Welling 2013, section 5.
    """

    __setattr__, memory, recall = _set_within_limits, _memory, _recall

    def __init__(
        self,
        learning_rate: float = 0.01,
        *,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        max_norm: float | None = None,
    ) -> None:
        self.learning_rate = learning_rate
        self.epsilon = epsilon
        self.weight_decay = weight_decay
        self.max_norm = max_norm
        self._state = State("g2_sum")

    def update(
        self,
        params: Iterable[np.ndarray],
        grads: Iterable[np.ndarray],
        shapes: Shapes | None = None,
    ) -> None:
        """g2_sum ← g2_sum + g²;  w ← w − learning_rate·g/(√g2_sum + ε).    [optimizers.4]"""
        grads = clip_by_norm(grads, self.max_norm)
        for w, dw, g2_sum, within in self._state.beside(params, grads, shapes):
            given = self.learning_rate, self.epsilon, _decay(self, w)
            kernels.adagrad_update(w, dw, g2_sum, *given, within)


class Adam:
    """The running mean of g over the root of that of g², both freed of their start at zero.

    Raises TypeError or ValueError unless learning_rate > 0, 0 <= beta1, beta2 < 1,
    epsilon >= 1e-30, 0 <= weight_decay < 1e6, max_norm > 0 or None.
    Kingma & Ba 2014, algorithm 1.
    """

    __setattr__ = _set_within_limits

    def __init__(
        self,
        learning_rate: float = 1e-3,
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        max_norm: float | None = None,
    ) -> None:
        self.learning_rate = learning_rate
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.weight_decay = weight_decay
        self.max_norm = max_norm
        self.steps = 0
        self._state = State("m", "v")

    def update(
        self,
        params: Iterable[np.ndarray],
        grads: Iterable[np.ndarray],
        shapes: Shapes | None = None,
    ) -> None:
        """w ← w − learning_rate·m̂/(√v̂ + ε) at step t = 1, 2, …

        m ← β₁m + (1 − β₁)g;  v ← β₂v + (1 − β₂)g².                     [optimizers.5]
        m̂ = m/(1 − β₁ᵗ);  v̂ = v/(1 − β₂ᵗ).                              [optimizers.6]
        |m̂|/√v̂ ≤ (1 − β₁)/√((1 − β₂)(1 − β₁²/β₂)) if β₁² < β₂.          [optimizers.7]
        So no step is longer than 7.3 learning_rate with the default β₁ and β₂.
        """
        arrays = self._state.beside(params, clip_by_norm(grads, self.max_norm), shapes)
        self.steps += 1
        given = self.steps, self.learning_rate, self.beta1, self.beta2, self.epsilon
        for w, dw, m, v, within in arrays:
            kernels.adam_update(w, dw, m, v, *given, _decay(self, w), within)

    def memory(self, params: Iterable[np.ndarray]) -> dict[str, np.ndarray]:
        """Both running means, and t."""
        return _memory(self, params) | {"steps": np.array([self.steps], np.float64)}

    def recall(self, params: Iterable[np.ndarray], memory: Mapping[str, np.ndarray]) -> None:
        """Go on with these means, at this t. Raises KeyError or ValueError if they do not fit."""
        (steps,) = memory["steps"]
        if not (steps >= 0 and steps == int(steps)):
            raise ValueError(f"steps is {steps}; expected a whole number >= 0")
        _recall(self, params, memory)
        self.steps = int(steps)


def _decay(optimizer, w):
    """λ of a weight matrix, 0 of a bias and of what a likelihood learns: both are one row (·,).

    g = dw + λw is the gradient of loss + ½ λ ‖w‖²,                     [optimizers.9]
    and ½ λ ‖w‖² = −(1/N) log N(w; 0, I/(λN)) + const: N rows share one prior.  [optimizers.10]
    """
    return optimizer.weight_decay if w.ndim == 2 else 0.0
