"""The bound of a row whose label is known, and of one whose label is not; forward and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...activations import ACTIVATIONS
from ...dense import stack, stack_backward
from ..classifier.passes import log_softmax
from ..conditional import ConditionalTrace, conditional_elbo, conditional_elbo_backward
from .joined import Joined

if TYPE_CHECKING:
    from .model import SemiSupervisedVAE


class Bounds(NamedTuple):
    """All that one forward pass computed, of M rows with a label and B without.

    R rows are decoded: each of the M with its label, each of the B with every class that counts.
    """

    seen: np.ndarray  # (M + B, D), what the classifier read
    hidden: tuple[np.ndarray, ...]  # of the classifier, each (M + B, H)
    log_q: np.ndarray  # (M + B, C) nats, log q(y|x) of every class; −∞ for one that is left out
    places: tuple[np.ndarray, ...]  # in with_class of the last R − M rows that are decoded
    x: np.ndarray  # (R, D)
    condition: np.ndarray  # (R, C), labels, one-hot
    noise: np.ndarray  # (L, R, Z)
    trace: ConditionalTrace  # of bounds on log p(x|y), one for each of these rows
    with_label: np.ndarray  # (M,) nats, L of the label
    log_q_y: np.ndarray  # (M,) nats, log q(y|x) of the label
    with_class: np.ndarray  # (C, B) nats, L of every class; 0 for one that is left out
    unlabelled: np.ndarray  # (B,) nats, U


class Weights(NamedTuple):
    """What the loss multiplies each of its three means by."""

    with_label: float  # N_l/N, of N rows the share with a label
    unlabelled: float  # N_u/N
    alpha: float


def log_class_probabilities(logits: np.ndarray, M: int, negligible: float) -> np.ndarray:
    """log q_k, −∞ in rows from M on where q_k < negligible, and the others rescaled to sum to one.

    logits (M + B, C) -> (M + B, C). Such a q is a q like any other: U stays a bound, and a sum
    over fewer classes.                                          [semi_supervised.2]
    """
    log_q = log_softmax(logits)
    if not negligible:
        return log_q
    rare = log_q < np.log(negligible)
    rare[:M] = False
    return log_softmax(np.where(rare, -np.inf, logits))


def marginal_bound(with_class: np.ndarray, log_q: np.ndarray) -> np.ndarray:
    """U = Σ_k q_k L_k + H(q) = Σ_k q_k (L_k − log q_k), in nats.          [semi_supervised.2]

    with_class (C, B) L, log_q (B, C) -> (B,)
    U = log Σ_k e^L_k − KL(q ‖ softmax(L)).                      [semi_supervised.3]
    Kingma, Rezende, Mohamed & Welling 2014, eq. (7).
    """
    return np.sum(np.exp(log_q) * _surplus(with_class, log_q), axis=1)


def marginal_bound_backward(
    dbound: np.ndarray, with_class: np.ndarray, log_q: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """dL_k = dU q_k [semi_supervised.4],  da_k = dU q_k (L_k − log q_k − U) [semi_supervised.5].

    dbound (B,) dU, with_class (C, B) L, log_q (B, C) = log_softmax(a) -> dwith_class (C, B),
    da (B, C)
    """
    dL = dbound[:, None] * np.exp(log_q)
    surplus = _surplus(with_class, log_q) - marginal_bound(with_class, log_q)[:, None]
    return dL.T, dL * surplus


def _surplus(with_class, log_q):
    """L_k − log q_k, (B, C); 0 where q_k is 0, since 0 log 0 is."""
    return np.where(log_q > -np.inf, with_class.T - log_q, 0)


def bounds(
    model: SemiSupervisedVAE,
    x: np.ndarray,
    labels: np.ndarray,
    noise: np.ndarray,
    negligible: float = 0.0,
    seen: np.ndarray | None = None,
) -> Bounds:
    """L = bound on log p(x|y) + log p(y) where y is known [semi_supervised.1], U elsewhere.

    x (M + B, D), rows with a label first; labels (M,); noise (L, M + B, Z) -> Bounds
    negligible      q(y|x) below it is taken for 0; 0 sums over every class
    seen            (M + B, D), what the classifier reads for x, such as x with holes: each q is
                    as good a q as another, and U stays a bound
    A row has the same noise with every class: the classifier learns from differences between
    classes, and these have less noise than their terms.
    """
    M, classifier = len(labels), model.classifier
    seen = x if seen is None else seen
    hidden, logits = stack(seen, classifier.layers, ACTIVATIONS[classifier.activation])
    log_q = log_class_probabilities(logits, M, negligible)
    classes, unknown = places = np.nonzero(np.exp(log_q[M:].T))
    rows = np.concatenate([np.arange(M), M + unknown])
    completed = np.concatenate([labels, classes])
    inputs = x[rows], np.eye(model.classes, dtype=model.dtype)[completed], noise[:, rows]
    trace = conditional_elbo(model.vae, *inputs)
    joint = trace.bound + model.log_py[completed]
    with_class = np.zeros((model.classes, len(x) - M), model.dtype)
    with_class[places] = joint[M:]
    unlabelled = marginal_bound(with_class, log_q[M:])
    log_q_y = log_q[np.arange(M), labels]
    sums = joint[:M], log_q_y, with_class, unlabelled
    return Bounds(seen, hidden, log_q, places, *inputs, trace, *sums)


def bounds_backward(
    dwith_label: np.ndarray,
    dlog_q_y: np.ndarray,
    dunlabelled: np.ndarray,
    model: SemiSupervisedVAE,
    labels: np.ndarray,
    passed: Bounds,
    out: Joined | None = None,
) -> Joined:
    """da_k = dlog_q_y ([k = y] − q_k) where y is known, else [semi_supervised.5]; dL to the VAE.

    dwith_label, dlog_q_y (M,), dunlabelled (B,); passed = bounds(model, x, labels, noise)
    -> gradients, in out if given                                [semi_supervised.6]
    """
    grads, M, classifier = out or model.params.empty_like(), len(labels), model.classifier

    # unlabelled = marginal_bound(with_class, log_q[M:])
    unknown = dunlabelled, passed.with_class, passed.log_q[M:]
    dwith_class, da_unknown = marginal_bound_backward(*unknown)

    # joint = trace.bound + log_py
    djoint = np.concatenate([dwith_label, dwith_class[passed.places]])
    inputs = passed.x, passed.condition, passed.noise, passed.trace
    conditional_elbo_backward(djoint, model.vae, *inputs, out=grads.vae)

    # log_q_y = log_softmax(logits)[label]
    is_label = np.eye(model.classes, dtype=model.dtype)[labels]
    da_known = dlog_q_y[:, None] * (is_label - np.exp(passed.log_q[:M]))

    # hidden, logits = stack(seen, layers)
    da = np.concatenate([da_known, da_unknown])
    activation, dlayers = ACTIVATIONS[classifier.activation], grads.classifier.stacks["network"]
    stack_backward(da, passed.seen, classifier.layers, activation, passed.hidden, out=dlayers)
    return grads


def loss(passed: Bounds, weights: Weights) -> float:
    """−N_l/N mean L − N_u/N mean U − α mean log q(y|x), in nats a row.    [semi_supervised.7]

    The first and the last mean are over the M rows with a label, the other over the B without.
    Kingma et al. 2014, eq. (9), divided by N.
    """
    values = passed.with_label, passed.unlabelled, passed.log_q_y
    means = [float(value.mean(dtype=np.float64)) for value in values]
    return -sum(weight * mean for weight, mean in zip(weights, means, strict=True))


def loss_backward(passed: Bounds, weights: Weights) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """dL = −N_l/(N M),  dlog q(y|x) = −α/M,  dU = −N_u/(N B).            [semi_supervised.8]

    -> dwith_label, dlog_q_y (M,), dunlabelled (B,)
    """
    dwith_label = np.full_like(passed.with_label, -weights.with_label / len(passed.with_label))
    dlog_q_y = np.full_like(passed.log_q_y, -weights.alpha / len(passed.log_q_y))
    dunlabelled = np.full_like(passed.unlabelled, -weights.unlabelled / len(passed.unlabelled))
    return dwith_label, dlog_q_y, dunlabelled
