"""Is an object a likelihood at all?"""

import numpy as np

from .base import Likelihood

METHODS = "log_prob", "log_prob_backward", "mean", "draw", "output_bias", "floor"


def check_is_likelihood(likelihood) -> None:
    """Raise TypeError unless likelihood is a Likelihood's instance that defines all it must."""
    if isinstance(likelihood, type) or not isinstance(likelihood, Likelihood):
        raise TypeError(
            f"likelihood is {likelihood!r}; expected an instance of a npvae.Likelihood, such as "
            "npvae.Bernoulli()"
        )
    required = list(METHODS)
    if likelihood.init_learned(np.float64, likelihood.fixed_dim or 1):
        required.append("log_prob_backward_learned")
    missing = [name for name in required if not callable(getattr(likelihood, name, None))]
    if missing:
        raise TypeError(
            f"likelihood is {likelihood!r}, a npvae.Likelihood that lacks {', '.join(missing)}"
        )


def check_reads_x(likelihood) -> None:
    """Raise ValueError if an encoder should read other numbers than x: not every model has one."""
    if not likelihood.reads_x:
        raise ValueError(
            f"likelihood is {likelihood!r}, whose encoder reads other numbers than x; only VAE and "
            "relatives.ConditionalVAE can do so"
        )
