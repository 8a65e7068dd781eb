"""VAE: features of a table, and how likely each row is."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from .._checks import check_positive_int
from ..diagnosis import CollapseWarning, OverfittingWarning
from ..likelihoods import Likelihood
from ..objectives import ClosedForm
from ..optimizers import Adam
from ..training import Patience, train
from ..training.telling import SETTLED_STEPS
from .choices import check_parameters, choose_held_out, generator, new_model
from .scores import log_px_by_shared_noise, warn_of_collapse

VALIDATION_DRAWS = 1000  # of z at least, after each epoch: few rows are drawn for many times


class VAE(TransformerMixin, ClassNamePrefixFeaturesOutMixin, BaseEstimator):
    """A variational autoencoder that takes a table as it comes.

    `transform` gives mu, the mean of q(z|x); `score_samples` estimates log p(x), in nats.

    n_components            Z; what the data do not need stays unused, and costs only time
    hidden_layer_sizes      of the encoder, from x to z; the decoder's mirror them
    activation              one of npvae.ACTIVATIONS
    likelihood              such as npvae.StudentT(), which bears entries far out; "auto" is
                            npvae.Bernoulli() if X holds only 0 and 1, else npvae.ColumnGaussian().
                            If X as it is fitted has NaN, they count as not observed, there and
                            later (npvae.Holes)
    standardize             whether a likelihood of real numbers reads columns of mean 0 and spread
                            1 (npvae.Standardized); all results are in the units of X even so
    beta                    the weight of the KL term in training; a score always has 1
    learning_rate           Adam's
    batch_size              rows a step
    max_iter                epochs of `fit`, at most
    validation_fraction     of the rows, which `fit` holds out, to keep the epoch that is best on
                            them; 0 holds out none, and trains for max_iter epochs
    n_iter_no_change        epochs without a better one, after which `fit` stops
    n_draws                 K of `score_samples`
    random_state            an int, a RandomState, or None for NumPy's global one: scikit-learn's
                            convention, in place of npvae's rng
    verbose                 whether to print a line after each epoch

    Once fitted, it has model_, an npvae.VAE, whose file, if saved, is one for rows as X has them;
    history_, an npvae.Epoch for each; n_iter_, their number; n_features_in_, feature_names_in_.
    The model has the dtype of X, float32 or float64: float32 is faster.
    """

    def __init__(
        self,
        n_components: int = 10,
        *,
        hidden_layer_sizes: Sequence[int] = (64,),
        activation: str = "relu",
        likelihood: str | Likelihood = "auto",
        standardize: bool = True,
        beta: float = 1.0,
        learning_rate: float = 3e-3,
        batch_size: int = 32,
        max_iter: int = 400,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 20,
        n_draws: int = 100,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ) -> None:
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.likelihood = likelihood
        self.standardize = standardize
        self.beta = beta
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.n_draws = n_draws
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: ArrayLike, y: object = None) -> VAE:
        """The estimator, trained anew on X (N, D), N >= 2; y is not read.

        Raises TypeError or ValueError if X or a parameter is not as described, and NonFiniteError
        as npvae.train does. Warns DiagnosisWarnings, such as CollapseWarning.
        """
        rows = self._start(X)
        held_out = choose_held_out(self.validation_fraction, len(rows), rng=self._rng)
        options = {}
        if held_out.any():
            x_val = rows[held_out]
            options = {
                "x_val": np.repeat(x_val, math.ceil(VALIDATION_DRAWS / len(x_val)), axis=0),
                "stop_when": Patience(self.n_iter_no_change),
                "keep_best": True,
            }
        self._train(rows[~held_out], self.max_iter, **options)
        warn_of_collapse(self.model_, rows)
        return self

    def partial_fit(self, X: ArrayLike, y: object = None) -> VAE:
        """The estimator after one more epoch, over X (N, D); the first call starts the model.

        Raises and warns as `fit` does.
        """
        if hasattr(self, "model_"):
            check_parameters(self)
            rows = self._rows(X)
        else:
            rows = self._start(X)
        self._train(rows, 1)
        if self.n_iter_ * math.ceil(len(rows) / self.batch_size) >= SETTLED_STEPS:
            warn_of_collapse(self.model_, rows)
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """mu, the mean of q(z|x).        X (N, D) -> (N, Z)"""
        rows = self._rows(X)
        return self.model_.encode(rows)[0]

    def inverse_transform(self, X: ArrayLike) -> np.ndarray:
        """E[x|z], in the units of the data.        X, of z: (N, Z) -> (N, D)"""
        check_is_fitted(self)
        return self.model_.decode(X)

    def score_samples(self, X: ArrayLike) -> np.ndarray:
        """log p(x) ≈ log (1/K) Σ_k p(x|z_k) p(z_k)/q(z_k|x), in nats.        X (N, D) -> (N,)

        z_k = mu + σ·noise_k with K = n_draws, and the same noise for each row, at each call: so
        a score depends on its row and the model alone. It is too low on average, by less the larger
        K is. The density is per unit of X, so that scores of different models compare. −inf, and a
        warning, for a row so far out that a number leaves the range of the dtype.
        """
        rows = self._rows(X)
        check_positive_int("n_draws", self.n_draws)
        return log_px_by_shared_noise(self.model_, rows, self.n_draws)

    def score(self, X: ArrayLike, y: object = None) -> float:
        """The mean of `score_samples`, in nats: the higher, the better."""
        return float(self.score_samples(X).mean())

    def sample(
        self, n_samples: int = 1, *, random_state: int | np.random.RandomState | None = None
    ) -> np.ndarray:
        """Rows x drawn from the model.        -> (n_samples, D)

        random_state    None takes the estimator's own: if an int, each call draws the same rows
        """
        check_is_fitted(self)
        check_positive_int("n_samples", n_samples)
        rng = generator(self.random_state if random_state is None else random_state)
        return self.model_.sample(n_samples, rng=rng, draw=True)

    def _start(self, X):
        """A new model for X, which is returned as rows."""
        check_parameters(self)
        X = self._rows(X, first=True)
        self._rng = generator(self.random_state)
        self.model_ = new_model(self, X, rng=self._rng)
        self.history_, self.n_iter_ = [], 0
        return X

    def _rows(self, X, *, first=False):
        """X as an array (N, D) of float32 or float64, checked."""
        if not first:
            check_is_fitted(self)
        form = {"dtype": [np.float64, np.float32], "ensure_all_finite": "allow-nan"}
        X = validate_data(self, X, reset=first, ensure_min_samples=2 if first else 1, **form)
        if not first and not self.model_.likelihood.allows_holes and np.isnan(X).any():
            raise ValueError("X holds NaN, and had none when VAE was fitted: fit on rows with some")
        return X

    def _train(self, rows, epochs, **options):
        params, optimizer = self.model_.params, Adam(self.learning_rate)
        if self.n_iter_ > 0:
            optimizer.recall(params.rows, self._memory)
        choices = {"batch_size": self.batch_size, "objective": ClosedForm(beta=self.beta)}
        with warnings.catch_warnings():
            # They are about the last epoch; the best is kept, and judged afterwards.
            for kind in (CollapseWarning, OverfittingWarning):
                warnings.simplefilter("ignore", kind)
            options |= choices | {"epochs": epochs, "optimizer": optimizer, "rng": self._rng}
            for epoch in train(self.model_, rows, **options):
                self.history_.append(epoch)
                self.n_iter_ += 1
                if self.verbose:
                    print(epoch)
        self._memory = optimizer.memory(params.rows)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @property
    def _n_features_out(self):
        return self.model_.latent_dim
