"""log p(x|z): what the decoder emits, read as a distribution over x.

A likelihood is four functions of the decoder's output: log_prob and its backward, mean and
draw. Beside them stand a few facts: the output's width, a good initial bias for it, the support
of x, and the floor, the best value of a decoder that ignores z.
"""

from .base import Likelihood
from .bernoulli import Bernoulli, binarize, binarize_rows
from .categorical import Categorical, bits_per_dim
from .continuous_bernoulli import ContinuousBernoulli
from .gaussian import Gaussian, HeteroscedasticGaussian
from .learned_gaussian import LearnedGaussian

LIKELIHOODS = {
    cls.__name__: cls
    for cls in (
        Bernoulli,
        Gaussian,
        HeteroscedasticGaussian,
        LearnedGaussian,
        ContinuousBernoulli,
        Categorical,
    )
}

__all__ = [
    "LIKELIHOODS",
    "Bernoulli",
    "Categorical",
    "ContinuousBernoulli",
    "Gaussian",
    "HeteroscedasticGaussian",
    "LearnedGaussian",
    "Likelihood",
    "binarize",
    "binarize_rows",
    "bits_per_dim",
]
