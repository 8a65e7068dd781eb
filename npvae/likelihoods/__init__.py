"""log p(x|z): what the decoder emits, read as a distribution over x.

A likelihood is four functions of the decoder's output: log_prob and its backward, mean and
draw. Beside them stand a few facts: the output's width, a good initial bias for it, the support
of x, and the floor, the best value of a decoder that ignores z.
"""

from .base import Likelihood
from .bernoulli import Bernoulli, binarize, binarize_rows
from .categorical import Categorical, bits_per_dim
from .columns import ColumnGaussian, StudentT
from .continuous_bernoulli import ContinuousBernoulli
from .counts import NegativeBinomial, Poisson
from .gaussian import Gaussian, HeteroscedasticGaussian
from .holes import Holes
from .learned_gaussian import LearnedGaussian
from .product import Product
from .standardized import Standardized

LIKELIHOODS = {
    cls.__name__: cls
    for cls in (
        Bernoulli,
        Gaussian,
        HeteroscedasticGaussian,
        LearnedGaussian,
        ContinuousBernoulli,
        Categorical,
        ColumnGaussian,
        StudentT,
        Poisson,
        NegativeBinomial,
        Standardized,
        Product,
        Holes,
    )
}

__all__ = [
    "LIKELIHOODS",
    "Bernoulli",
    "Categorical",
    "ColumnGaussian",
    "ContinuousBernoulli",
    "Gaussian",
    "HeteroscedasticGaussian",
    "Holes",
    "LearnedGaussian",
    "Likelihood",
    "NegativeBinomial",
    "Poisson",
    "Product",
    "Standardized",
    "StudentT",
    "binarize",
    "binarize_rows",
    "bits_per_dim",
]
