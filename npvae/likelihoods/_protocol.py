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
    learned = ["log_prob_backward_learned"] if likelihood.init_learned(np.float64) else []
    required = [*METHODS, *learned]
    missing = [name for name in required if not callable(getattr(likelihood, name, None))]
    if missing:
        raise TypeError(
            f"likelihood is {likelihood!r}, a npvae.Likelihood that lacks {', '.join(missing)}"
        )
