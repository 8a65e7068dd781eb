"""Predictor: a network, and the likelihood that reads it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..._checks import check_choice, check_positive_int, check_rng, matrix
from ..._choices import check_dtype, check_weight_init, check_widths
from ...activations import ACTIVATIONS
from ...dense import init_layers, stack
from ...likelihoods import Bernoulli, Categorical, Likelihood
from ...likelihoods._protocol import check_is_likelihood
from ...params import Stacks
from .labels import check_labels
from .passes import log_softmax, read

ROWS = 1000  # at once


@dataclass(frozen=True, eq=False, repr=False)
class Predictor:
    """p(t|x) = likelihood(t | stack(x)). Training changes the arrays in `params` in place."""

    params: Stacks
    likelihood: Likelihood
    activation: str
    target_dim: int

    @classmethod
    def init(
        cls,
        data_dim: int,
        *,
        likelihood: Likelihood,
        target_dim: int = 1,
        hidden: Iterable[int] = (),
        activation: str = "tanh",
        weight_init: str | float = "glorot",
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator,
    ) -> Predictor:
        """A predictor with random weights and zero biases.

        data_dim        D
        likelihood      npvae.Categorical(C) for labels 0 … C − 1, npvae.Gaussian(sigma) for
                        numbers, npvae.Bernoulli() for zeros and ones
        target_dim      T, numbers to predict; 1 for labels
        hidden          widths of the hidden layers; () for a linear one
        activation      one of npvae.ACTIVATIONS
        weight_init     "glorot", "he", or the std of N(0, std²)
        dtype           np.float32 to train, np.float64 to check gradients
        Raises TypeError or ValueError if an argument is not as described.
        """
        check_positive_int("data_dim", data_dim)
        check_positive_int("target_dim", target_dim)
        check_is_likelihood(likelihood)
        dtype = check_dtype(dtype)
        if likelihood.init_learned(dtype, target_dim):
            raise ValueError(f"likelihood is {likelihood!r}; expected one that learns nothing")
        if isinstance(likelihood, Categorical) and target_dim != 1:
            raise ValueError(f"target_dim is {target_dim}; a Categorical expects one label a row")
        hidden = check_widths("hidden", hidden)
        check_choice("activation", activation, ACTIVATIONS)
        check_weight_init(weight_init, dtype)
        check_rng(rng)
        (rng,) = rng.spawn(1)
        widths = (data_dim, *hidden, likelihood.output_width(target_dim))
        layers = init_layers(widths, weight_init, dtype=dtype, rng=rng)
        return cls(Stacks({"network": layers}), likelihood, activation, target_dim)

    @property
    def layers(self) -> tuple:
        """The dense layers from x to the output."""
        return self.params.stacks["network"]

    @property
    def data_dim(self) -> int:
        """D."""
        return self.layers[0].W.shape[0]

    @property
    def dtype(self) -> np.dtype:
        """The parameters' dtype, and so that of everything the predictor computes."""
        return self.layers[0].W.dtype

    def log_prob(self, x: ArrayLike, t: ArrayLike) -> np.ndarray:
        """log p(t|x) = log likelihood(t | stack(x)), in nats.   [classifier.1]

        x (N, D), labels t (N,) for a Categorical, else t (N, T) -> (N,)
        Raises TypeError or ValueError if x or t is not as described.
        """
        rows, unit = self.check_rows("x", x)
        targets = self.check_targets("t", t, len(rows))
        parts = (
            read(self, batch, targets[at : at + ROWS]).log_pt_x
            for at, batch in _batches(self, rows, unit)
        )
        return np.concatenate(list(parts))

    def log_probabilities(self, x: ArrayLike) -> np.ndarray:
        """log p(k|x) = a_k − log Σ_j e^a_j,  a = stack(x): the log-softmax.     [classifier.2]

        x (N, D) -> (N, C) nats
        Raises TypeError unless the likelihood is a Categorical, and as log_prob does.
        """
        self._check_classes()
        rows, unit = self.check_rows("x", x)
        return np.concatenate([log_softmax(a) for a in self._outputs(rows, unit)])

    def predict(self, x: ArrayLike) -> np.ndarray:
        """The most probable label, argmax_k log p(k|x); or the mean E[t|x].     [classifier.3]

        x (N, D) -> labels (N,) int64 for a Categorical, else (N, T)
        Raises TypeError or ValueError if x is not a finite (N, D) array.
        """
        rows, unit = self.check_rows("x", x)
        output = np.concatenate(list(self._outputs(rows, unit)))
        return self.predict_output(output)

    def predict_output(self, output: np.ndarray) -> np.ndarray:
        """predict, given the network's output.                  [classifier.3]"""
        if isinstance(self.likelihood, Categorical):
            return output.argmax(axis=-1)
        return self.likelihood.mean(output)

    def accuracy(self, x: ArrayLike, labels: ArrayLike) -> float:
        """The share of rows whose label is the most probable.   [classifier.4]

        x (N, D), labels (N,) -> a number in [0, 1]
        Raises TypeError unless the likelihood is a Categorical, and as log_prob does.
        """
        self._check_classes()
        predicted = self.predict(x)
        return float(np.mean(predicted == self._labels("labels", labels, len(predicted))))

    def check_rows(self, name: str, x: ArrayLike) -> tuple[np.ndarray, int]:
        """x as it is kept, uint8 or of the predictor's dtype; the number in it that means 1.

        x (N, D) -> rows (N, D), unit; uint8 x are grey levels, 255 white
        """
        form = {"columns": self.data_dim, "letters": "(N, D)", "dtype": self.dtype}
        rows = matrix(name, x, **form, keep=(np.uint8,))
        return rows, Bernoulli().check_support(name, rows) if rows.dtype == np.uint8 else 1

    def check_targets(self, name: str, t: ArrayLike, n: int) -> np.ndarray:
        """t as the likelihood takes it, (n, T) of the predictor's dtype.

        A label k of C classes is level k of a Categorical, k/(C − 1).
        Raises TypeError or ValueError unless t has n rows in the likelihood's support.
        """
        if isinstance(self.likelihood, Categorical):
            labels = self._labels(name, t, n)
            return (labels[:, None] / (self.likelihood.levels - 1)).astype(self.dtype)
        form = {"columns": self.target_dim, "letters": "(N, T)", "dtype": self.dtype}
        targets = matrix(name, t, **form)
        if len(targets) != n:
            raise ValueError(f"{name} has {len(targets)} rows; x has {n}")
        self.likelihood.check_support(name, targets)
        return targets

    def _labels(self, name, labels, n):
        return check_labels(name, labels, self.likelihood.levels, n)

    def _outputs(self, rows, unit):
        for _, batch in _batches(self, rows, unit):
            yield stack(batch, self.layers, ACTIVATIONS[self.activation])[1]

    def _check_classes(self):
        if not isinstance(self.likelihood, Categorical):
            raise TypeError(f"likelihood is {self.likelihood!r}; classes need an npvae.Categorical")

    def __repr__(self) -> str:
        """Widths from x to the output, and the choices."""
        widths = "-".join(str(layer.W.shape[0]) for layer in self.layers)
        width = self.layers[-1].b.size
        return f"Predictor({widths}-{width}, {self.activation}, {self.likelihood!r}, {self.dtype})"


def _batches(predictor, rows, unit):
    for start in range(0, len(rows), ROWS):
        yield start, np.divide(rows[start : start + ROWS], unit, dtype=predictor.dtype)
