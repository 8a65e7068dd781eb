"""The network's passes, forward and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...activations import ACTIVATIONS
from ...dense import stack, stack_backward
from ...params import Stacks

if TYPE_CHECKING:
    from .model import Predictor


class Reading(NamedTuple):
    """What a forward pass computed."""

    hidden: tuple[np.ndarray, ...]  # each (B, H)
    output: np.ndarray  # (B, ·), what the likelihood reads
    log_pt_x: np.ndarray  # (B,) nats


def log_softmax(a: np.ndarray) -> np.ndarray:
    """log p_k = a_k − log Σ_j e^a_j, in nats.                   [classifier.2]

    a (N, C) -> (N, C); the largest a is subtracted first, so that no e^a overflows
    """
    below = a - a.max(axis=-1, keepdims=True)
    return below - np.log(np.exp(below).sum(axis=-1, keepdims=True))


def read(predictor: Predictor, x: np.ndarray, t: np.ndarray) -> Reading:
    """log p(t|x), and what its backward reads.                  [classifier.1]

    x (B, D), t (B, T) as check_targets returns it -> Reading with log_pt_x (B,)
    """
    hidden, output = stack(x, predictor.layers, ACTIVATIONS[predictor.activation])
    return Reading(hidden, output, predictor.likelihood.log_prob(t, output[None])[0])


def read_backward(
    dlog_pt_x: np.ndarray,
    predictor: Predictor,
    x: np.ndarray,
    t: np.ndarray,
    reading: Reading,
    out: Stacks | None = None,
) -> Stacks:
    """da_k = dlog_pt_x ([k = t] − p_k), or dlog_pt_x (t − a)/σ².   [classifier.5]

    The first is for classes, the second for numbers; the likelihood knows which. From there the
    gradient goes back through the stack.
    dlog_pt_x (B,); reading = read(predictor, x, t) -> gradients, in out if given
    """
    grads = out or predictor.params.empty_like()
    likelihood, activation = predictor.likelihood, ACTIVATIONS[predictor.activation]
    doutput = likelihood.log_prob_backward(dlog_pt_x[None], t, reading.output[None])[0]
    dlayers = grads.stacks["network"]
    stack_backward(doutput, x, predictor.layers, activation, reading.hidden, out=dlayers)
    return grads
