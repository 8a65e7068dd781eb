"""What the estimator's parameters may be, and the model that they ask for."""

import math

import numpy as np
from sklearn.utils import check_random_state

from .._checks import check_number, check_positive_int
from .._choices import check_widths
from ..likelihoods import Bernoulli, ColumnGaussian, Holes, Standardized
from ..likelihoods._protocol import check_is_likelihood
from ..vae import VAE as Model

REAL_NUMBERS = (-math.inf, math.inf)


def check_parameters(estimator):
    """Raise TypeError or ValueError unless they are as described; the model checks the others."""
    for name in ("n_components", "batch_size", "max_iter", "n_iter_no_change", "n_draws"):
        check_positive_int(name, getattr(estimator, name))
    check_widths("hidden_layer_sizes", estimator.hidden_layer_sizes)
    check_number(
        "validation_fraction", estimator.validation_fraction, low=0, low_allowed=True, high=1
    )
    if not isinstance(estimator.standardize, bool):
        raise TypeError(f"standardize is {estimator.standardize!r}; expected True or False")
    if isinstance(estimator.likelihood, str) and estimator.likelihood != "auto":
        raise ValueError(
            f"likelihood is {estimator.likelihood!r}; expected 'auto' or an instance of a "
            "npvae.Likelihood, such as npvae.StudentT()"
        )


def new_model(estimator, X, *, rng):
    """The model for rows such as X (N, D), of X's dtype."""
    empty = np.isnan(X).all(axis=0)
    if empty.any():
        raise ValueError(f"column {empty.argmax()} of X holds NaN alone; drop it")
    likelihood = choose_likelihood(X, estimator.likelihood, estimator.standardize)
    likelihood.check_support("X", X)
    return Model.init(
        X.shape[1],
        hidden=estimator.hidden_layer_sizes,
        latent_dim=estimator.n_components,
        likelihood=likelihood,
        activation=estimator.activation,
        x_mean=np.nanmean(X, axis=0, dtype=np.float64),
        dtype=X.dtype,
        rng=rng,
    )


def choose_likelihood(X, likelihood, standardize):
    """likelihood, or what "auto" means for X; with X's scales, and holes where X has some."""
    holes = np.isnan(X)
    if likelihood == "auto":
        binary = ((X == 0) | (X == 1) | holes).all()
        likelihood = Bernoulli() if binary else ColumnGaussian()
    check_is_likelihood(likelihood)
    support = likelihood.support
    real = isinstance(support, tuple) and support == REAL_NUMBERS
    if standardize and real and likelihood.reads_x:
        likelihood = Standardized.of(X, likelihood)
    if holes.any() and not likelihood.allows_holes:
        likelihood = Holes(likelihood)
    return likelihood


def choose_held_out(fraction, N, *, rng):
    """Which of N >= 2 rows are held out: (N,) bool, at least one and not all, if fraction > 0."""
    held_out = np.zeros(N, bool)
    if fraction > 0:
        held_out[rng.permutation(N)[: min(math.ceil(fraction * N), N - 1)]] = True
    return held_out


def generator(random_state):
    """A numpy Generator, seeded by what scikit-learn calls a random_state."""
    words = check_random_state(random_state).randint(2**32, size=4, dtype=np.uint32)
    return np.random.default_rng(words)
