"""npvae: the variational autoencoder that can be read to the end.

Every gradient is written by hand, every hot loop compiled from Python. The modules, in
reading order, with their chapters in `derivations/`: activations, dense, reparameterization,
kl, likelihoods, ratio, trace, objectives, elbo, vae, optimizers, schedules, evaluation, diagnosis,
training, gradient_check, likelihood_check, pareto, importance, exact. Beside them stand
`npvae.describe`, a look at data; `npvae.commands`, for the shell; `npvae.plots`;
`npvae.relatives`: PCA, autoencoders, mixtures, hidden Markov models, classifiers, GANs, conditional
VAEs; `npvae.posterior`: z behind x, by sampling; `npvae.uses`; `npvae.sklearn`, an estimator;
`npvae.pages` and `npvae.learn`.

x (B, D) ── encoder ──▶ mu, logvar (B, Z) ── reparameterize ──▶ z (L, B, Z)
                             │                     ▲                 │
                             │              noise (L, B, Z)       decoder
                             ▼                                       ▼
                          kl (B,)        x (B, D) ─▶ likelihood ◀─ output (L, B, ·)
                             │                           │
                             ▼                           ▼
                        bound (B,) ◀──────────── log_px_z (L, B)

Letters:  B batch, N rows, D data, H hidden, Z latent, L draws of z per row
          (K in an importance-weighted bound)
Names:    x data, z latent, noise ε ~ N(0, I), mu μ, logvar log σ²
          log_px_z log p(x|z), kl KL(q(z|x) ‖ p(z)), bound an estimate of
          the ELBO; all in nats. dv is dLoss/dv and has v's shape
"""

from . import datasets, exact, schedules
from .activations import ACTIVATIONS
from .description import Description, describe
from .diagnosis import (
    CollapseWarning,
    ConstantDataWarning,
    DeadUnitsWarning,
    Diagnosis,
    DiagnosisWarning,
    EntropyWarning,
    FloorWarning,
    GreyTargetsWarning,
    OverfittingWarning,
    RangeWarning,
    SpreadWarning,
    WidePosteriorWarning,
    diagnose,
)
from .elbo import elbo, elbo_backward
from .evaluation import Evaluation, evaluate
from .gradient_check import GradientError, check_gradient, check_model_gradient
from .importance import LogLikelihood, UnreliableWarning, log_likelihood
from .likelihood_check import LikelihoodCheck, LikelihoodError, check_likelihood
from .likelihoods import (
    Bernoulli,
    Categorical,
    ColumnGaussian,
    ContinuousBernoulli,
    Gaussian,
    HeteroscedasticGaussian,
    Holes,
    LearnedGaussian,
    Likelihood,
    NegativeBinomial,
    Poisson,
    Product,
    Standardized,
    StudentT,
    binarize,
    bits_per_dim,
)
from .objectives import ClosedForm, FreeBits, ImportanceWeighted, Sampled
from .optimizers import SGD, Adagrad, Adam
from .params import Params
from .trace import Trace
from .training import Epoch, NonFiniteError, Patience, past_epochs, train
from .vae import VAE

__version__ = "0.1.0"

__all__ = [
    "ACTIVATIONS",
    "SGD",
    "VAE",
    "Adagrad",
    "Adam",
    "Bernoulli",
    "Categorical",
    "ClosedForm",
    "CollapseWarning",
    "ColumnGaussian",
    "ConstantDataWarning",
    "ContinuousBernoulli",
    "DeadUnitsWarning",
    "Description",
    "Diagnosis",
    "DiagnosisWarning",
    "EntropyWarning",
    "Epoch",
    "Evaluation",
    "FloorWarning",
    "FreeBits",
    "Gaussian",
    "GradientError",
    "GreyTargetsWarning",
    "HeteroscedasticGaussian",
    "Holes",
    "ImportanceWeighted",
    "LearnedGaussian",
    "Likelihood",
    "LikelihoodCheck",
    "LikelihoodError",
    "LogLikelihood",
    "NegativeBinomial",
    "NonFiniteError",
    "OverfittingWarning",
    "Params",
    "Patience",
    "Poisson",
    "Product",
    "RangeWarning",
    "Sampled",
    "SpreadWarning",
    "Standardized",
    "StudentT",
    "Trace",
    "UnreliableWarning",
    "WidePosteriorWarning",
    "binarize",
    "bits_per_dim",
    "check_gradient",
    "check_likelihood",
    "check_model_gradient",
    "datasets",
    "describe",
    "diagnose",
    "elbo",
    "elbo_backward",
    "evaluate",
    "exact",
    "log_likelihood",
    "past_epochs",
    "schedules",
    "train",
]
