"""SemiSupervisedVAE: a VAE whose condition is a class, and a classifier for rows without one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..._checks import check_positive_int
from ...likelihoods import Categorical, LearnedGaussian, Likelihood
from ...likelihoods._protocol import check_is_likelihood, check_reads_x
from ..classifier import Predictor
from ..conditional import ConditionalVAE
from .joined import Joined


@dataclass(frozen=True, eq=False, repr=False)
class SemiSupervisedVAE:
    """p(x|y, z) p(y) p(z), with q(z|x, y) in `vae` and the classifier q(y|x) beside it.

    Classes are equally likely before x is seen. Training changes the arrays of both in place.
    Kingma, Rezende, Mohamed & Welling 2014, where its name is M2.
    """

    vae: ConditionalVAE
    classifier: Predictor

    @classmethod
    def init(
        cls,
        data_dim: int,
        *,
        classes: int,
        hidden: Iterable[int] = (500,),
        latent_dim: int = 50,
        likelihood: Likelihood,
        activation: str = "tanh",
        x_mean: ArrayLike | None = None,
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator,
    ) -> SemiSupervisedVAE:
        """A model with random weights.

        classes             C, at least 2
        hidden              widths of the hidden layers of encoder, classifier and, in reverse,
                            decoder
        Everything else is as `VAE.init` takes it.
        Raises TypeError or ValueError if an argument is not as described.
        """
        check_positive_int("classes", classes)
        if classes < 2:
            raise ValueError(f"classes is {classes}; expected at least 2")
        check_is_likelihood(likelihood)
        check_reads_x(likelihood)
        if isinstance(likelihood, LearnedGaussian) and likelihood.optimal:
            raise ValueError(f"likelihood is {likelihood!r}; expected one that a gradient moves")
        hidden = tuple(hidden) if isinstance(hidden, Iterable) else hidden
        shared: dict[str, Any] = {
            "hidden": hidden,
            "activation": activation,
            "dtype": dtype,
            "rng": rng,
        }
        vae = ConditionalVAE.init(
            data_dim,
            condition_dim=classes,
            latent_dim=latent_dim,
            likelihood=likelihood,
            x_mean=x_mean,
            **shared,
        )
        classifier = Predictor.init(data_dim, likelihood=Categorical(classes), **shared)
        return cls(vae, classifier)

    @property
    def classes(self) -> int:
        """C."""
        return len(self.classifier.layers[-1].b)

    @property
    def log_py(self) -> np.ndarray:
        """log p(y) = −log C of every class, (C,)."""
        return np.full(self.classes, -np.log(self.classes), self.dtype)

    @property
    def dtype(self) -> np.dtype:
        """The parameters' dtype, and so that of everything the model computes."""
        return self.vae.dtype

    @property
    def params(self) -> Joined:
        """Of the classifier and of the VAE."""
        return Joined(self.classifier.params, self.vae.params)

    def __repr__(self) -> str:
        """Both models."""
        return f"SemiSupervisedVAE({self.vae!r}, {self.classifier!r})"
