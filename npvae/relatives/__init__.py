"""The models that stand beside the VAE, each with its gradients or its EM by hand.

pca, logistic_pca            the nearest plane, of numbers and of logits          chapter 17
autoencoder, and beside it   its training, noise in its input, its decoder's speed
mixtures, naive_bayes, hmm   the bound made tight: one loop of EM                 chapter 18
classifier                   maximum likelihood with labels                       chapter 2
gan                          a decoder without an encoder                         chapter 19
conditional                  a VAE that is told something beside x                chapter 22
semi_supervised              one that sums over the labels it is not told         chapter 22b

Not loaded by `import npvae`.
"""

from .autoencoder import Autoencoder
from .autoencoder_training import (
    AutoencoderEpoch,
    Reconstruction,
    reconstruction,
    train_autoencoder,
)
from .classifier import Predictor, PredictorEpoch, train_predictor
from .conditional import (
    ConditionalTrace,
    ConditionalVAE,
    conditional_elbo,
    conditional_elbo_backward,
    conditional_log_likelihood,
    evaluate_conditional,
    marginal_log_likelihood,
    one_hot,
    restore_conditional,
    train_conditional,
)
from .corruption import Corruption, GaussianNoise, Masking, SaltAndPepper
from .gan import GAN, GANEpoch, train_gan
from .hmm import HMM
from .jacobian import code_noise_price, decoder_jacobian, decoder_speed
from .logistic_pca import LogisticPCA, LogisticPCAStep, fit_logistic_pca
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
from .pca import PCA, PenalizedOptimum, penalized_optimum, principal_cosines
from .semi_supervised import SemiSupervisedEpoch, SemiSupervisedVAE, train_semi_supervised

__all__ = [
    "GAN",
    "HMM",
    "PCA",
    "Autoencoder",
    "AutoencoderEpoch",
    "Bernoullis",
    "ConditionalTrace",
    "ConditionalVAE",
    "Corruption",
    "DiagonalGaussians",
    "FullGaussians",
    "GANEpoch",
    "GaussianNoise",
    "LogisticPCA",
    "LogisticPCAStep",
    "Masking",
    "Mixture",
    "NaiveBayes",
    "PenalizedOptimum",
    "Predictor",
    "PredictorEpoch",
    "Reconstruction",
    "SaltAndPepper",
    "SemiSupervisedEpoch",
    "SemiSupervisedVAE",
    "SphericalGaussians",
    "best_start",
    "code_noise_price",
    "conditional_elbo",
    "conditional_elbo_backward",
    "conditional_log_likelihood",
    "decoder_jacobian",
    "decoder_speed",
    "em",
    "evaluate_conditional",
    "fit_logistic_pca",
    "from_decoder",
    "marginal_log_likelihood",
    "naive_bayes",
    "one_hot",
    "penalized_optimum",
    "principal_cosines",
    "reconstruction",
    "restore_conditional",
    "train_autoencoder",
    "train_conditional",
    "train_gan",
    "train_predictor",
    "train_semi_supervised",
]
