"""The models that stand beside the VAE, each with its gradients or its EM by hand.

Not loaded by `import npvae`.
"""

from .classifier import Predictor, PredictorEpoch, train_predictor
from .gan import GAN, GANEpoch, train_gan

__all__ = [
    "GAN",
    "GANEpoch",
    "Predictor",
    "PredictorEpoch",
    "train_gan",
    "train_predictor",
]
