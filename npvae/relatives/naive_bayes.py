"""Naive Bayes: a mixture whose components are known, because each row came with its label."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .mixtures.families import Bernoullis, Family
from .mixtures.mixture import Mixture
from .mixtures.rows import check_family, check_rows, place


class NaiveBayes(NamedTuple):
    """log p(x), and with it p(class|x): a component for each class."""

    classes: np.ndarray  # (C,), sorted
    mixture: Mixture  # its components are the classes

    def log_px(self, x: ArrayLike) -> np.ndarray:
        """log p(x) = log Σ_c p(c) p(x|c), in nats, as `Mixture.log_px`.   [bayes.1]

        x (N, D) -> (N,)
        """
        return self.mixture.log_px(x)

    def posterior(self, x: ArrayLike) -> np.ndarray:
        """p(c|x) = p(c) p(x|c)/p(x), in the order of `classes`.  [bayes.2]

        x (N, D) -> (N, C); raises as `Mixture.log_px` does
        """
        return self.mixture.responsibilities(x)

    def predict(self, x: ArrayLike) -> np.ndarray:
        """The most probable class of each row.        x (N, D) -> (N,)    [bayes.2]"""
        return self.classes[self.posterior(x).argmax(axis=1)]

    def accuracy(self, x: ArrayLike, labels: ArrayLike) -> float:
        """The share of rows whose most probable class is their label.    [bayes.2]

        x (N, D), labels (N,)
        Raises TypeError or ValueError unless they fit each other.
        """
        predicted = self.predict(x)
        return float(np.mean(predicted == check_labels(labels, len(predicted))))


def naive_bayes(x: ArrayLike, labels: ArrayLike, *, family: Family | None = None) -> NaiveBayes:
    """max over θ of Σ_n log p(x_n, label_n) + log p(θ): one M step, with r known.    [bayes.1]

    x (N, D), labels (N,) of whole numbers or words, family Bernoullis(1.0) if none is given:
    add-one smoothing -> NaiveBayes, with a component for each label that occurs
    Raises TypeError or ValueError if x is not a finite (N, D) array in the family's support, or
    labels do not fit it.
    """
    family = Bernoullis(1.0) if family is None else family
    check_family(family)
    data = check_rows("x", x, family)
    labels = check_labels(labels, len(data.x))
    classes, k = np.unique(labels, return_inverse=True)
    D, C = data.x.shape[1], len(classes)
    mixture = Mixture(family, np.zeros(C), None, D, place(data, family))
    counts = np.bincount(k).astype(np.float64)
    sums = mixture.sum_features(data, lambda at, x: np.eye(C, dtype=x.dtype)[k[at]])[1]
    mixture.maximize((counts, sums))
    return NaiveBayes(classes, mixture)


def check_labels(labels: ArrayLike, N: int) -> np.ndarray:
    """labels as an array (N,) of whole numbers, words or truth values."""
    array = np.asarray(labels)
    if array.ndim == 2 and array.shape[1] > 1:
        raise ValueError(
            f"labels has shape {array.shape}; expected (N,) = ({N},): of one-hot rows the argmax"
        )
    if array.shape != (N,):
        raise ValueError(f"labels has shape {array.shape}; expected (N,) = ({N},), as x has rows")
    if array.dtype.kind == "f" and (np.isfinite(array) & (array == np.rint(array))).all():
        array = array.astype(np.int64)
    if array.dtype.kind not in "biuU":
        raise TypeError(
            f"labels holds {array.dtype} entries; expected whole numbers, words or truth values"
        )
    return array
