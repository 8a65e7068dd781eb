"""p(y|z): what an observation makes of the likelihood p(x|z).

With it in the place of its own likelihood, a model of x is a model of y, and whatever draws z
from p(z|x) draws it from p(z|y).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .._checks import check_rng
from ..likelihoods import Gaussian, LearnedGaussian, Likelihood
from ..likelihoods.gaussian import LOG_2PI
from ..likelihoods.holes import FILLER
from .observations import Observation, Pixels


def _not_for_training(*_):
    raise NotImplementedError("p(y|z) is for drawing z, not for training")


@dataclass(frozen=True, eq=False)
class Observed(Likelihood):
    """p(y|z) of y = A x + σ·noise, where likelihood is p(x|z). What is learned is held fixed."""

    likelihood: Likelihood
    observation: Observation

    def output_width(self, data_dim: int) -> int:
        """That of p(x|z): the decoder knows nothing of y."""
        return self.likelihood.output_width(data_dim)

    def data_dim(self, input_width: int) -> int:
        """D of x: the encoder knows nothing of y."""
        return self.likelihood.data_dim(input_width)

    def mean(self, output: np.ndarray) -> np.ndarray:
        """E[y|z] = A E[x|z].        output (…, N, W) -> (…, N, M)            [observations.6]"""
        return self.observation.apply(self.likelihood.mean(output))

    def draw(self, output: np.ndarray, *, rng: np.random.Generator, **learned) -> np.ndarray:
        """y = A x + σ·noise,  x ~ p(x|z).        (…, N, W) -> (…, N, M)      [observations.6]"""
        check_rng(rng)
        y = self.observation.apply(self.likelihood.draw(output, rng=rng, **learned))
        return y + self.observation.sigma * rng.standard_normal(y.shape, y.dtype)

    output_bias = floor = _not_for_training


class ObservedPixels(Observed):
    """p(y|z) of some pixels, exact for every likelihood whose pixels are independent given z."""

    observation: Pixels

    def log_prob(self, y: np.ndarray, output: np.ndarray, **learned) -> np.ndarray:
        """log p(y|z) = Σ_{d seen} log p(x_d|z): a hidden pixel is left out.   [observations.7]

        y (N, D), output (L, N, W) -> (L, N), in nats
        """
        terms = self.likelihood.terms(self._filled(y), output, **learned)
        return terms.sum(axis=-1, where=self.observation.mask)

    def log_prob_backward(
        self, dlog_py_z: np.ndarray, y: np.ndarray, output: np.ndarray, **learned
    ) -> np.ndarray:
        """doutput = dlog_py_z ∂log p(x_d|z)/∂output where d is seen, 0 elsewhere. [observations.8]

        dlog_py_z (L, N), y (N, D), output (L, N, W) -> (L, N, W)
        """
        dterms = dlog_py_z[..., None] * self.observation.mask
        return self.likelihood.terms_backward(dterms, self._filled(y), output, **learned)

    def restored(self, y: np.ndarray, output: np.ndarray, **learned) -> np.ndarray:
        """E[x_d|z, y] = y_d where d is seen, E[x_d|z] elsewhere.             [observations.9]

        y (N, D), output (L, N, W) -> (L, N, D)
        """
        return np.where(self.observation.mask, y, self.likelihood.mean(output))

    def _filled(self, y):
        """y with some number in each hidden pixel, whose term is left out."""
        return np.where(self.observation.mask, y, y.dtype.type(FILLER))


class ObservedLinear(Observed):
    """p(y|z) of y = A x + σ·noise, with pixels x ~ N(mean, σ_x² I) about the decoder's mean.

    Exact if p(x|z) is such a Gaussian and A Aᵀ = c I, that is for `Noise` and `Fewer`. For every
    other likelihood, and every other A, σ_x is taken to be 0: x is its mean, as if p(x|z) had no
    width. Binary pixels then count as the grey levels of their means.
    """

    def log_prob(self, y: np.ndarray, output: np.ndarray, **learned) -> np.ndarray:
        """log p(y|z) = −½ Σ_m [(y − A mean)_m²/v + log 2πv],  v = σ² + c σ_x².  [observations.10]

        y (N, M), output (L, N, W) -> (L, N), in nats
        """
        error, v = self._error(y, output), self._variance(learned)
        squares = np.sum(error * error, axis=-1)
        return -(squares / v + y.shape[-1] * (LOG_2PI + math.log(v))) / 2

    def log_prob_backward(
        self, dlog_py_z: np.ndarray, y: np.ndarray, output: np.ndarray, **learned
    ) -> np.ndarray:
        """dmean = Aᵀ dlog_py_z (y − A mean)/v, and from there to the output.  [observations.11]

        dlog_py_z (L, N), y (N, M), output (L, N, W) -> (L, N, W)
        """
        dAx = dlog_py_z[..., None] * (self._error(y, output) / self._variance(learned))
        return self.likelihood.mean_backward(self.observation.transpose(dAx), output)

    def restored(self, y: np.ndarray, output: np.ndarray, **learned) -> np.ndarray:
        """E[x|z, y] = mean + σ_x²/v Aᵀ (y − A mean).            [observations.12]

        y (N, M), output (L, N, W) -> (L, N, D)
        """
        share = self._width(learned) / self._variance(learned)
        mean = self.likelihood.mean(output)
        return mean + share * self.observation.transpose(self._error(y, output)) if share else mean

    def _error(self, y, output):
        return y - self.observation.apply(self.likelihood.mean(output))

    def _variance(self, learned):
        """v."""
        return self.observation.sigma**2 + (self.observation.gram or 0) * self._width(learned)

    def _width(self, learned):
        """σ_x², 0 where it is left out."""
        if self.observation.gram and isinstance(self.likelihood, Gaussian):
            return self.likelihood.sigma**2
        if self.observation.gram and isinstance(self.likelihood, LearnedGaussian):
            return math.exp(learned["logvar"][0])
        return 0.0


def observed(likelihood: Likelihood, observation: Observation) -> ObservedPixels | ObservedLinear:
    """p(y|z) of this p(x|z) and this observation.               [observations.6]

    Raises TypeError if likelihood is one of your own, without what the observation needs:
    `mean_backward` for any but `Pixels`.
    """
    if isinstance(observation, Pixels):
        return ObservedPixels(likelihood, observation)
    if not callable(getattr(likelihood, "mean_backward", None)):
        raise TypeError(
            f"likelihood is {likelihood!r}, which lacks mean_backward(dmean, output); without it "
            "only Pixels can be observed"
        )
    return ObservedLinear(likelihood, observation)
