"""npvae: the variational autoencoder that can be read to the end.

Every gradient is written by hand, every hot loop compiled from Python. The modules, in
reading order, each with its chapter in `derivations/`: activations, dense,
reparameterization, kl, likelihoods, elbo, vae, optimizers, training, evaluation,
gradient_check.

Letters:  B batch, N data set, D data, H hidden, Z latent, L samples of z a row
Names:    x data, z latent, noise ε ~ N(0, I), mu μ, logvar log σ²
          log_px_z log p(x|z), kl KL(q(z|x) ‖ p(z)), bound the ELBO; all in nats
          dv is dLoss/dv and has v's shape
"""

from . import datasets
from .activations import ACTIVATIONS
from .elbo import Params, Trace, elbo, elbo_backward
from .evaluation import Evaluation, evaluate
from .gradient_check import GradientError, check_gradient, check_model_gradient
from .likelihoods import Bernoulli, Gaussian, HeteroscedasticGaussian, binarize
from .optimizers import SGD, Adagrad, Adam
from .training import CollapseWarning, Epoch, GreyTargetsWarning, NonFiniteError, train
from .vae import VAE

__version__ = "0.1.0"

__all__ = [
    "ACTIVATIONS",
    "SGD",
    "VAE",
    "Adagrad",
    "Adam",
    "Bernoulli",
    "CollapseWarning",
    "Epoch",
    "Evaluation",
    "Gaussian",
    "GradientError",
    "GreyTargetsWarning",
    "HeteroscedasticGaussian",
    "NonFiniteError",
    "Params",
    "Trace",
    "binarize",
    "check_gradient",
    "check_model_gradient",
    "datasets",
    "elbo",
    "elbo_backward",
    "evaluate",
    "train",
]
