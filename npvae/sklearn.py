"""VAE as an estimator of scikit-learn: a transformer, and a density whose score is in nats."""

import numpy as np

try:
    from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.validation import check_is_fitted, validate_data
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "npvae.sklearn needs scikit-learn: pip install 'npvae[sklearn]'"
    ) from error

from . import vae as _vae
from .diagnosis import OverfittingWarning
from .elbo import decode
from .likelihoods import Bernoulli, LearnedGaussian
from .objectives import ClosedForm
from .optimizers import Adam
from .ratio import log_ratio
from .reparameterization import reparameterize
from .training import Patience, train


class VAE(TransformerMixin, ClassNamePrefixFeaturesOutMixin, BaseEstimator):
    def __init__(
        self,
        n_components=10,
        *,
        hidden_layer_sizes=(128,),
        activation="tanh",
        likelihood="auto",
        standardize=True,
        beta=1.0,
        learning_rate=1e-3,
        batch_size=32,
        max_iter=200,
        validation_fraction=0.1,
        n_iter_no_change=20,
        n_draws=100,
        random_state=None,
        verbose=False,
    ):
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

    def fit(self, X, y=None):
        X = self._rows(X, reset=True)
        self._start(X)
        x = self._scaled(X)
        options = {}
        if self.validation_fraction:
            order = self._rng.permutation(len(x))
            M = max(1, round(self.validation_fraction * len(x)))
            held_out = x[order[:M]]
            x = x[order[M:]]
            options = {
                "x_val": np.repeat(held_out, -(-1000 // M), axis=0),
                "stop_when": Patience(self.n_iter_no_change),
                "keep_best": True,
            }
        self._train(x, self.max_iter, **options)
        return self

    def partial_fit(self, X, y=None):
        first = not hasattr(self, "model_")
        X = self._rows(X, reset=first)
        if first:
            self._start(X)
        self._train(self._scaled(X), 1)
        return self

    def transform(self, X):
        check_is_fitted(self)
        mu, _ = self.model_.encode(self._scaled(self._rows(X)))
        return mu

    def inverse_transform(self, X):
        check_is_fitted(self)
        return self.model_.decode(X) * self._scale + self._shift

    def score_samples(self, X):
        check_is_fitted(self)
        x = self._scaled(self._rows(X))
        rng = np.random.default_rng(0)
        noise = rng.standard_normal((self.n_draws, 1, self.n_components), x.dtype)
        out = np.empty(len(x))
        for at in range(0, len(x), 20):
            rows = x[at : at + 20]
            mu, logvar = self.model_.encode(rows)
            eps = np.broadcast_to(noise, (self.n_draws, *mu.shape))
            z = reparameterize(mu, logvar, eps)
            _, _, log_px_z = decode(self.model_, rows, z)
            log_w = (log_px_z - log_ratio(z, logvar, eps)).astype(np.float64)
            out[at : at + 20] = np.logaddexp.reduce(log_w, axis=0) - np.log(self.n_draws)
        return out - np.log(self._scale).sum()

    def score(self, X, y=None):
        return float(self.score_samples(X).mean())

    def sample(self, n_samples=1):
        check_is_fitted(self)
        x = self.model_.sample(n_samples, rng=_generator(self.random_state), draw=True)
        return x * self._scale + self._shift

    def _rows(self, X, *, reset=False):
        return validate_data(
            self, X, reset=reset, dtype=[np.float64, np.float32], ensure_min_samples=1 + reset
        )

    def _start(self, X):
        self._rng = _generator(self.random_state)
        binary = ((X == 0) | (X == 1)).all()
        self._shift, self._scale = np.zeros(X.shape[1], X.dtype), np.ones(X.shape[1], X.dtype)
        likelihood = self.likelihood
        if likelihood == "auto":
            likelihood = Bernoulli() if binary else LearnedGaussian()
        if self.standardize and not binary:
            self._shift, std = X.mean(axis=0), X.std(axis=0)
            self._scale = np.where(std > 0, std, 1).astype(X.dtype)
        x = self._scaled(X)
        self.model_ = _vae.VAE.init(
            X.shape[1],
            hidden=self.hidden_layer_sizes,
            latent_dim=self.n_components,
            likelihood=likelihood,
            activation=self.activation,
            x_mean=x.mean(axis=0),
            dtype=x.dtype,
            rng=self._rng,
        )
        self._optimizer = Adam(self.learning_rate)
        self.history_, self.n_iter_ = [], 0

    def _scaled(self, X):
        return (X - self._shift) / self._scale

    def _train(self, x, epochs, **options):
        for epoch in train(
            self.model_,
            x,
            epochs=epochs,
            batch_size=self.batch_size,
            optimizer=self._optimizer,
            objective=ClosedForm(beta=self.beta),
            rng=self._rng,
            **options,
        ):
            self.history_.append(epoch)
            self.n_iter_ += 1
            if self.verbose:
                print(epoch)

    @property
    def _n_features_out(self):
        return self.n_components


def _generator(random_state):
    seed = check_random_state(random_state).randint(2**32, size=4, dtype=np.uint32)
    return np.random.default_rng(seed)
