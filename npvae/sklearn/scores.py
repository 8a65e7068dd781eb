"""What a fitted model is worth: of each row, and whether it uses z at all."""

import math
import warnings

import numpy as np

from ..diagnosis import CollapseWarning
from ..evaluation import ACTIVE_VARIANCE
from ..importance import UnreliableWarning, weigh

NUMBERS = 4_000_000  # that the decoder emits at once, as in `log_likelihood`


def log_px_by_shared_noise(model, X, K):
    """log (1/K) Σ_k w_k,  w_k = p(x|z_k) p(z_k)/q(z_k|x),  z_k = mu + σ·noise_k.

    X (N, D) -> (N,) nats, in float64; the same noise (K, Z) for each row, at each call. −inf, with
    an UnreliableWarning, for a row so far out that a number leaves the range of the dtype.
    """
    noise = np.random.default_rng(0).standard_normal((K, 1, model.latent_dim), model.dtype)
    at_once = max(1, NUMBERS // (K * model.likelihood.output_width(model.data_dim)))
    found = []
    for x in model.batches(model.check_data("X", X), 1, at_once):
        mu, logvar = model.encode(x)
        with np.errstate(over="ignore", invalid="ignore"):
            _, log_w = weigh(model, x, mu, logvar, np.repeat(noise, len(x), axis=1))
            found.append(np.logaddexp.reduce(log_w, axis=0, dtype=np.float64) - math.log(K))
    log_px = np.concatenate(found)
    beyond = ~np.isfinite(log_px)
    if beyond.any():
        warnings.warn(
            f"{beyond.sum():,} of {len(X):,} rows, row {beyond.argmax()} the first, lie so far out "
            f"that log p(x) leaves the range of {model.dtype}: their score is −inf",
            UnreliableWarning,
            stacklevel=3,
        )
    return np.where(beyond, -np.inf, log_px)


def warn_of_collapse(model, X):
    """Warn CollapseWarning, at the line that called fit, if no mean of q(z|x) varies over X."""
    mu, _ = model.encode(X)
    if (mu.var(axis=0) > ACTIVE_VARIANCE).any():
        return
    warnings.warn(
        "no component is used: the decoder ignores z (posterior collapse). Likely causes: columns "
        "that have nothing to do with each other, too few rows or epochs, or beta too large",
        CollapseWarning,
        stacklevel=3,
    )
