"""What a trained model is worth, in nats an image."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from . import kernels
from ._checks import check_positive_int, check_rng
from .elbo import elbo
from .kl import gaussian_kl_per_dim
from .vae import VAE

ACTIVE_VARIANCE = 0.01


class Evaluation(NamedTuple):
    """Means over rows; elbo = reconstruction − kl."""

    elbo: float  # nats
    standard_error: float  # of elbo, over rows and draws of z
    reconstruction: float  # mean log p(x|z), nats
    kl: float  # nats
    kl_per_dim: np.ndarray  # (Z,) nats
    mu_variance: np.ndarray  # (Z,), over the data

    @property
    def active(self) -> np.ndarray:
        """active_j = [(1/N) Σ_n (μ_nj − μ̄_j)² > 0.01].           [evaluation.1]

        (Z,) bool: where the mean of q(z|x) varies over the data.
        Burda, Grosse & Salakhutdinov 2015, section 5.2.
        """
        return self.mu_variance > ACTIVE_VARIANCE

    @property
    def active_units(self) -> int:
        """The number of latent dimensions that the model uses."""
        return int(self.active.sum())

    def __str__(self) -> str:
        return (
            f"elbo {self.elbo:.2f} ± {self.standard_error:.2f} = "
            f"{self.reconstruction:.2f} − kl {self.kl:.2f} nats, "
            f"{self.active_units} of {len(self.active)} units active"
        )


def summarize(log_px_z, mu, logvar):
    """elbo = (1/N) Σ_n bound_n,  standard_error = std/√N.       [evaluation.2]

    std² = (1/N) Σ_n (bound_n − elbo)².
    log_px_z (N,), mu, logvar (N, Z), of any float dtype -> Evaluation, added up in float64
    """
    N, mean = len(mu), mu.mean(axis=0, dtype=np.float64)
    kl, kl_sums, squares = [], np.zeros_like(mean), np.zeros_like(mean)
    for mu_part, logvar_part in parts(mu, logvar):
        kl_per_dim = gaussian_kl_per_dim(mu_part, logvar_part)
        kl.append(kl_per_dim.sum(axis=1, dtype=np.float64))
        kl_sums += kl_per_dim.sum(axis=0, dtype=np.float64)
        deviation = mu_part - mean
        squares += np.einsum("nj,nj->j", deviation, deviation)
    bound = log_px_z - np.concatenate(kl)
    return Evaluation(
        elbo=float(bound.mean()),
        standard_error=float(bound.std() / np.sqrt(N)),
        reconstruction=float(log_px_z.mean(dtype=np.float64)),
        kl=float(kl_sums.sum() / N),
        kl_per_dim=kl_sums / N,
        mu_variance=squares / N,
    )


def parts(*arrays):
    """Yield the arrays a thousand rows at a time, so that intermediate results stay small."""
    for start in range(0, len(arrays[0]), 1000):
        yield [a[start : start + 1000] for a in arrays]


def evaluate(
    vae: VAE, x: ArrayLike, *, samples: int = 1, batch_size: int = 1000, rng: np.random.Generator
) -> Evaluation:
    """E[elbo] = (1/N) Σ_n {E_q[log p(x_n|z)] − KL(q(z|x_n) ‖ p(z))}, in nats.   [evaluation.3]

    x (N, D), samples L -> Evaluation, with z drawn from q(z|x), never its mean; beta is 1
    With grey x, a Bernoulli's log p(x|z) is a cross-entropy; `binarize` x first for a bound on
    log p(x).
    Raises TypeError or ValueError unless x is a finite (N, D) array in the likelihood's support,
    samples and batch_size are integers >= 1 and rng is a Generator; FloatingPointError, naming
    the row, if its log p(x|z) or kl is not finite.
    """
    x, unit = vae.check_rows("x", x, vae.likelihood)
    check_positive_int("samples", samples)
    check_positive_int("batch_size", batch_size)
    check_rng(rng)
    rows = []
    with kernels.pace("evaluate", vae.params.rows[0].size, batch_size, samples) as lap:
        for i, batch in enumerate(vae.batches(x, unit, batch_size)):
            noise = rng.standard_normal((samples, len(batch), vae.latent_dim), vae.dtype)
            with np.errstate(over="ignore", invalid="ignore"):  # told below, with a row
                trace = elbo(vae, batch, noise)
            _require_finite(trace, i * batch_size, vae.dtype)
            rows.append(per_row(trace))
            lap()
    return summarize(*map(np.concatenate, zip(*rows, strict=True)))


def _require_finite(trace, start, dtype):
    for name, values in (("kl", trace.kl), ("log p(x|z)", trace.log_px_z)):
        if not np.isfinite(values).all():
            row = start + np.argwhere(~np.isfinite(values))[0, -1]
            raise FloatingPointError(
                f"{name} of row {row} is not finite: a parameter is not, or a number has left "
                f"the range of {dtype}"
            )


def per_row(trace):
    """What `summarize` needs of a batch: log p(x|z), averaged over the L draws; mu; logvar."""
    return trace.log_px_z.sum(axis=0) / len(trace.log_px_z), trace.mu, trace.logvar
