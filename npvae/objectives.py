"""What training raises: bounds on log p(x), and the gradient of each with respect to its inputs.

An objective is two functions of one forward pass: `bound`, one number a row, and
`bound_backward`, which returns Roads, a gradient for each thing that the bound reads.
"""

from collections.abc import Callable
from dataclasses import InitVar, dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from ._checks import check_choice, check_number, check_positive_int
from .kl import gaussian_kl_backward, gaussian_kl_per_dim
from .ratio import log_ratio, log_ratio_backward, log_ratio_backward_path
from .trace import Trace

GRADIENTS = ("total", "stl", "dreg")


class Roads(NamedTuple):
    """Where the gradient of Σ_b dbound_b·bound_b goes next, and how much of it."""

    dlog_px_z: np.ndarray  # (L, B), into the decoder
    dz: np.ndarray | float = 0.0  # (L, B, Z), into z past the decoder
    dmu: np.ndarray | float = 0.0  # (B, Z), into mu past z
    dlogvar: np.ndarray | float = 0.0  # (B, Z), into logvar past z
    dz_weight: np.ndarray | float = 1.0  # (L, B, 1), on what comes out of the decoder into z


class Objective:
    """A bound on log p(x), computed from one forward pass.

    With noise (L, B, Z) and the trace of a forward pass with it, each objective defines

        samples, the number of draws of z a row that `train` makes: L, or K
        bound(trace, noise) -> bound (B,), in nats
        bound_backward(dbound, trace, noise) -> Roads
    """

    samples: int
    bound: ClassVar[Callable[..., np.ndarray]]
    bound_backward: ClassVar[Callable[..., Roads]]

    def check_samples(self, L: int) -> None:
        """Any L will do: an average over L draws has the same mean for every L."""


@dataclass(frozen=True)
class ClosedForm(Objective):
    """The bound with its KL in closed form: Kingma & Welling's estimator B, weighted by beta.

    beta other than 1 is Higgins et al.'s β-VAE (2017); below 1 it is not a bound on log p(x).
    Raises TypeError or ValueError unless beta is a finite number >= 0, samples an integer >= 1.
    """

    beta: float = 1.0
    samples: int = 1

    def __post_init__(self):
        _check_beta_and_samples(self)

    def bound(self, trace: Trace, noise: np.ndarray) -> np.ndarray:
        """bound = (1/L) Σ_l log p(x|z_l) − beta·KL(q(z|x) ‖ p(z)), in nats.    [elbo.1]

        An estimate: it may exceed log p(x), though at beta = 1 its mean over the noise does not.
        Kingma & Welling 2013, eq. (10), for one row.
        """
        return trace.log_px_z.sum(axis=0) / len(noise) - self.beta * trace.kl

    def bound_backward(self, dbound: np.ndarray, trace: Trace, noise: np.ndarray) -> Roads:
        """dlog_px_z = dbound/L,  dkl = −beta·dbound.            [objectives.1]"""
        dmu, dlogvar = gaussian_kl_backward(-self.beta * dbound, trace.mu, trace.logvar)
        return Roads(_shared(dbound, noise), dmu=dmu, dlogvar=dlogvar)


@dataclass(frozen=True)
class FreeBits(Objective):
    """The first free_bits nats of each dimension of z are free, so that none is worth closing.

    Raises TypeError or ValueError unless free_bits is a finite number >= 0, in nats despite
    its name, samples an integer >= 1.
    """

    free_bits: float
    samples: int = 1

    def __post_init__(self):
        check_number("free_bits", self.free_bits, low=0, low_allowed=True)
        object.__setattr__(self, "free_bits", float(self.free_bits))
        check_positive_int("samples", self.samples)

    def bound(self, trace: Trace, noise: np.ndarray) -> np.ndarray:
        """bound_b = (1/L) Σ_l log p(x_b|z_lb) − Σ_j max(free_bits, KL_j).  [objectives.2]

        KL_j is the mean over the batch of the KL of dimension j: never above the bound with
        beta = 1 on the batch's mean. Kingma et al. 2016, appendix C.8.
        """
        price = np.maximum(_mean_kl(trace), self.free_bits).sum()
        return trace.log_px_z.sum(axis=0) / len(noise) - price

    def bound_backward(self, dbound: np.ndarray, trace: Trace, noise: np.ndarray) -> Roads:
        """dkl_bj = −(1/B) Σ_b dbound_b where KL_j > free_bits, else 0.     [objectives.3]"""
        dkl = np.full_like(dbound, -dbound.mean())
        priced = _mean_kl(trace) > self.free_bits
        dmu, dlogvar = gaussian_kl_backward(dkl, trace.mu, trace.logvar)
        return Roads(_shared(dbound, noise), dmu=dmu * priced, dlogvar=dlogvar * priced)


@dataclass(frozen=True)
class Sampled(Objective):
    """The bound with nothing in closed form: Kingma & Welling's estimator A, weighted by beta.

    Raises TypeError or ValueError unless beta is a finite number >= 0, samples an integer >= 1.
    """

    beta: float = 1.0
    samples: int = 1

    def __post_init__(self):
        _check_beta_and_samples(self)

    def bound(self, trace: Trace, noise: np.ndarray) -> np.ndarray:
        """bound = (1/L) Σ_l [log p(x|z_l) − beta (log q(z_l|x) − log p(z_l))].   [objectives.4]

        Kingma & Welling 2013, eq. (6).
        """
        price = log_ratio(trace.z, trace.logvar, noise)
        return np.sum(trace.log_px_z - self.beta * price, axis=0) / len(noise)

    def bound_backward(self, dbound: np.ndarray, trace: Trace, noise: np.ndarray) -> Roads:
        """dlog_px_z = dbound/L,  dlog_ratio = −beta·dbound/L.   [objectives.5]"""
        dlog_px_z = _shared(dbound, noise)
        dz, dlogvar = log_ratio_backward(-self.beta * dlog_px_z, trace.z)
        return Roads(dlog_px_z, dz=dz, dlogvar=dlogvar)


@dataclass(frozen=True)
class ImportanceWeighted(Objective):
    """The bound of K = samples draws that count as one: the larger K, the tighter.

    gradient    "total": of the bound as it was computed
                "stl": the score of q left out, biased for K > 1; Roeder, Wu & Duvenaud 2017
                "dreg": the encoder's by two reparameterizations, unbiased, and less noisy
                the larger K; Tucker et al. 2018
    Raises TypeError or ValueError unless samples is an integer >= 1 and gradient one of these,
    or if beta is given and not 1. Burda, Grosse & Salakhutdinov 2015.
    """

    samples: int
    gradient: str = "total"
    beta: InitVar[float] = 1.0

    def __post_init__(self, beta):
        check_positive_int("samples", self.samples)
        check_choice("gradient", self.gradient, GRADIENTS)
        check_number("beta", beta, low=0, low_allowed=True)
        if beta != 1:
            raise ValueError(
                f"beta is {beta}; an importance-weighted bound has no KL term that beta could "
                "weigh. ClosedForm(beta=…) and Sampled(beta=…) have"
            )

    def bound(self, trace: Trace, noise: np.ndarray) -> np.ndarray:
        """bound = log (1/K) Σ_k w_k,  w_k = p(x|z_k) p(z_k)/q(z_k|x).      [objectives.6]

        Burda et al. 2015, eq. (8); in logs, from the largest weight down.
        """
        log_w = log_weights(trace, noise)
        largest = log_w.max(axis=0)
        return largest + np.log(np.exp(log_w - largest).sum(axis=0) / len(log_w))

    def bound_backward(self, dbound: np.ndarray, trace: Trace, noise: np.ndarray) -> Roads:
        """dlog_w_k = dbound w̃_k,  w̃_k = w_k/Σ_i w_i.            [objectives.7]

        total: log_ratio_backward of −dlog_w.
        stl: ∂log w/∂z with mu and logvar of q held fixed.       [objectives.8]
        dreg: the same, times w̃_k once more on its way into z.   [objectives.9]
        """
        log_w = log_weights(trace, noise)
        w = np.exp(log_w - log_w.max(axis=0))
        share = w / w.sum(axis=0)
        dlog_w = dbound * share
        if self.gradient == "total":
            dz, dlogvar = log_ratio_backward(-dlog_w, trace.z)
            return Roads(dlog_w, dz=dz, dlogvar=dlogvar)
        dz = -log_ratio_backward_path(dlog_w, trace.z, trace.logvar, noise)
        if self.gradient == "stl":
            return Roads(dlog_w, dz=dz)
        weight = share[..., None]
        return Roads(dlog_w, dz=weight * dz, dz_weight=weight)

    def check_samples(self, L: int) -> None:
        """Raises ValueError unless L is K: another K is another bound."""
        if self.samples != L:
            raise ValueError(
                f"noise holds {L} draws of z a row; {self} is a bound of K = {self.samples}"
            )


def check_objective(objective):
    """Raise TypeError unless objective is an instance of Objective."""
    if not isinstance(objective, Objective) or type(objective) is Objective:
        raise TypeError(f"objective is {objective!r}; expected one such as npvae.ClosedForm()")


def log_weights(trace, noise):
    """log w = log p(x|z) + log p(z) − log q(z|x), in nats.      [objectives.10]

    E_q[w] = p(x). trace, noise (K, B, Z) -> log_w (K, B)
    """
    return trace.log_px_z - log_ratio(trace.z, trace.logvar, noise)


def _mean_kl(trace):
    return gaussian_kl_per_dim(trace.mu, trace.logvar).mean(axis=0)


def _shared(dbound, noise):
    return np.full(noise.shape[:2], dbound / len(noise))


def _check_beta_and_samples(objective):
    check_number("beta", objective.beta, low=0, low_allowed=True)
    object.__setattr__(objective, "beta", float(objective.beta))  # float64 would widen float32
    check_positive_int("samples", objective.samples)
