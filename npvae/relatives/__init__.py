"""The models that stand beside the VAE, each with its gradients or its EM by hand.

Not loaded by `import npvae`.
"""

from .hmm import HMM
from .mixtures import (
    Bernoullis,
    DiagonalGaussians,
    FullGaussians,
    Mixture,
    SphericalGaussians,
    best_start,
    em,
    from_decoder,
)
from .naive_bayes import NaiveBayes, naive_bayes

__all__ = [
    "HMM",
    "Bernoullis",
    "DiagonalGaussians",
    "FullGaussians",
    "Mixture",
    "NaiveBayes",
    "SphericalGaussians",
    "best_start",
    "em",
    "from_decoder",
    "naive_bayes",
]
