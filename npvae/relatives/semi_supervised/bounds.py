"""The bound of a row whose label is known, and of one whose label is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...activations import ACTIVATIONS
from ...dense import stack, stack_backward
from ...trace import Trace
from ..classifier.passes import log_softmax
from ..conditional import conditional_elbo, conditional_elbo_backward
from .joined import Joined

if TYPE_CHECKING:
    from .model import SemiSupervisedVAE


class Bounds(NamedTuple):
    """All that one forward pass computed, of M rows with a label and B without."""

    hidden: tuple[np.ndarray, ...]  # the classifier's, each (M + B, H)
    log_q: np.ndarray  # (M + B, K), log q(y|x) of every class
    x: np.ndarray  # (M + K·B, D), the completions
    condition: np.ndarray  # (M + K·B, K), their labels, one-hot
    noise: np.ndarray  # (L, M + K·B, Z), and theirs
    trace: Trace  # of their bounds on log p(x|y)
    labelled: np.ndarray  # (M,) nats: bounds on log p(x, y)
    log_q_y: np.ndarray  # (M,) nats: log q(y|x) of the label
    with_class: np.ndarray  # (K, B) nats: bounds on log p(x, y) for every y
    unlabelled: np.ndarray  # (B,) nats: bounds on log p(x)


def completions(labels: np.ndarray, n: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows 0 … M − 1 with their labels, then rows M … n − 1 with each class in turn.

    labels (M,) -> rows, classes (M + K·B,), B = n − M                       [few_labels.3]
    """
    M = len(labels)
    rows = np.concatenate([np.arange(M), np.tile(np.arange(M, n), classes)])
    return rows, np.concatenate([labels, np.repeat(np.arange(classes), n - M)])


def marginal_bound(with_class: np.ndarray, log_q: np.ndarray) -> np.ndarray:
    """U = Σ_k q_k L_k + H(q) = Σ_k q_k (L_k − log q_k), in nats. [few_labels.2]

    with_class (K, B) L, log_q (B, K) -> (B,)
    """
    return np.sum(np.exp(log_q) * (with_class.T - log_q), axis=1)


def marginal_bound_backward(
    dbound: np.ndarray, with_class: np.ndarray, log_q: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """dL_k = dU q_k [few_labels.4],  da_k = dU q_k (L_k − log q_k − U) [few_labels.5].

    dbound (B,) dU, with_class (K, B) L, log_q (B, K) = log_softmax(a) -> dwith_class (K, B),
    da (B, K)
    """
    dq_log_q = dbound[:, None] * np.exp(log_q)
    surplus = with_class.T - log_q - marginal_bound(with_class, log_q)[:, None]
    return dq_log_q.T, dq_log_q * surplus


def bounds(
    model: SemiSupervisedVAE, x: np.ndarray, labels: np.ndarray, noise: np.ndarray
) -> Bounds:
    """L = bound on log p(x|y) + log p(y) of the labelled [few_labels.1], U of the others.

    x (M + B, D), the labelled rows first; labels (M,); noise (L, M + B, Z) -> Bounds
    The completions of one row share its noise: their differences, of which the classifier
    learns, then have less of it.                                [few_labels.2]
    """
    M, K = len(labels), model.classes
    classifier = model.classifier
    hidden, logits = stack(x, classifier.layers, ACTIVATIONS[classifier.activation])
    log_q = log_softmax(logits)

    rows, classes = completions(labels, len(x), K)
    inputs = x[rows], np.eye(K, dtype=model.dtype)[classes], noise[:, rows]
    trace = conditional_elbo(model.vae, *inputs)
    joint = trace.bound + model.log_py[classes]
    with_class = joint[M:].reshape(K, -1)
    unlabelled = marginal_bound(with_class, log_q[M:])
    log_q_y = log_q[np.arange(M), labels]
    return Bounds(hidden, log_q, *inputs, trace, joint[:M], log_q_y, with_class, unlabelled)


def bounds_backward(
    dlabelled: np.ndarray,
    dlog_q_y: np.ndarray,
    dunlabelled: np.ndarray,
    model: SemiSupervisedVAE,
    x: np.ndarray,
    labels: np.ndarray,
    passed: Bounds,
    out: Joined | None = None,
) -> Joined:
    """The gradient of Σ dlabelled L + Σ dlog_q_y log q(y|x) + Σ dunlabelled U.  [few_labels.6]

    dlabelled, dlog_q_y (M,), dunlabelled (B,); passed = bounds(model, x, labels, noise)
    """
    grads = out or model.params.empty_like()
    classifier, M = model.classifier, len(labels)

    # unlabelled = marginal_bound(with_class, log_q[M:])
    dwith_class, dlogits = marginal_bound_backward(
        dunlabelled, passed.with_class, passed.log_q[M:]
    )

    # joint = trace.bound + log_py
    djoint = np.concatenate([dlabelled, dwith_class.ravel()])
    inputs = passed.x, passed.condition, passed.noise
    conditional_elbo_backward(djoint, model.vae, *inputs, passed.trace, out=grads.vae)

    # log_q_y = log_q[label]
    is_label = np.eye(model.classes, dtype=model.dtype)[labels]
    of_labelled = dlog_q_y[:, None] * (is_label - np.exp(passed.log_q[:M]))
    dlogits = np.concatenate([of_labelled, dlogits])
    stack_backward(
        dlogits,
        x,
        classifier.layers,
        ACTIVATIONS[classifier.activation],
        passed.hidden,
        out=grads.classifier.stacks["network"],
    )
    return grads
