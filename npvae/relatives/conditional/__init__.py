"""The conditional VAE: p(x|c) of data x given a condition c, such as a digit's label.

conditions  c beside x and beside z; one_hot
prior       p(z|c) = N(m(c), diag s²(c)), and the units in which it is N(0, I)
bound       the bound on log p(x|c), forward and back
model       `ConditionalVAE`, and the VAE that it is at one condition
judge       its bound and log p(x|c) of data
restoring   x given c and what was seen of x
train       `train_conditional`
"""

from .bound import ConditionalTrace, conditional_elbo, conditional_elbo_backward
from .conditions import one_hot
from .judge import conditional_log_likelihood, evaluate_conditional, marginal_log_likelihood
from .model import ConditionalVAE
from .restoring import restore_conditional
from .train import train_conditional

__all__ = [
    "ConditionalTrace",
    "ConditionalVAE",
    "conditional_elbo",
    "conditional_elbo_backward",
    "conditional_log_likelihood",
    "evaluate_conditional",
    "marginal_log_likelihood",
    "one_hot",
    "restore_conditional",
    "train_conditional",
]
