"""The models that stand beside the VAE, each with its gradients or its EM by hand.

Not loaded by `import npvae`.
"""

from .autoencoder import Autoencoder
from .autoencoder_training import (
    AutoencoderEpoch,
    Reconstruction,
    reconstruction,
    train_autoencoder,
)
from .corruption import Corruption, GaussianNoise, Masking, SaltAndPepper
from .jacobian import code_noise_price, decoder_jacobian, decoder_speed
from .logistic_pca import LogisticPCA, LogisticPCAStep, fit_logistic_pca
from .pca import PCA, PenalizedOptimum, penalized_optimum, principal_cosines

__all__ = [
    "PCA",
    "Autoencoder",
    "AutoencoderEpoch",
    "Corruption",
    "GaussianNoise",
    "LogisticPCA",
    "LogisticPCAStep",
    "Masking",
    "PenalizedOptimum",
    "Reconstruction",
    "SaltAndPepper",
    "code_noise_price",
    "decoder_jacobian",
    "decoder_speed",
    "fit_logistic_pca",
    "penalized_optimum",
    "principal_cosines",
    "reconstruction",
    "train_autoencoder",
]
