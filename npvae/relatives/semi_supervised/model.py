"""SemiSupervisedVAE: a conditional VAE whose condition is a class, and a classifier."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ...likelihoods import Categorical, Likelihood
from ..classifier import Predictor
from ..conditional import ConditionalVAE
from .joined import Joined


@dataclass(frozen=True, eq=False, repr=False)
class SemiSupervisedVAE:
    """p(x|y, z) p(y) N(z; 0, I), with q(z|x, y) and the classifier q(y|x).

    Kingma, Rezende, Mohamed & Welling 2014, "M2". Training changes both models' arrays in place.
    """

    vae: ConditionalVAE
    classifier: Predictor
    log_py: np.ndarray  # (K,)

    @classmethod
    def init(
        cls,
        data_dim: int,
        *,
        classes: int,
        hidden: Iterable[int] = (500,),
        latent_dim: int = 50,
        likelihood: Likelihood,
        activation: str = "softplus",
        x_mean: ArrayLike | None = None,
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator,
    ) -> SemiSupervisedVAE:
        hidden = tuple(hidden)
        shared = {"hidden": hidden, "activation": activation, "dtype": dtype, "rng": rng}
        vae = ConditionalVAE.init(
            data_dim,
            condition_dim=classes,
            latent_dim=latent_dim,
            likelihood=likelihood,
            x_mean=x_mean,
            **shared,
        )
        classifier = Predictor.init(data_dim, likelihood=Categorical(classes), **shared)
        log_py = np.full(classes, -np.log(classes), vae.dtype)
        return cls(vae, classifier, log_py)

    @property
    def classes(self) -> int:
        """K."""
        return len(self.log_py)

    @property
    def dtype(self) -> np.dtype:
        return self.vae.dtype

    @property
    def params(self) -> Joined:
        return Joined(self.classifier.params, self.vae.params)
