"""log p(x, z) and its gradient in z: the posterior, up to the constant log p(x)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..elbo import decode, decode_backward_input
from ..likelihoods.gaussian import LOG_2PI
from ..vae import VAE

# z (C, N, Z) -> log p (C, N), its gradient (C, N, Z), and any further arrays (C, N, …)
Density = Callable[[np.ndarray], tuple[np.ndarray, ...]]


def log_prior(z: np.ndarray) -> np.ndarray:
    """log p(z) = −½ Σ_j (z_j² + log 2π), in nats; its gradient is −z.    [joint.1]

    z (…, Z) -> (…)
    """
    return -np.sum(z * z + LOG_2PI, axis=-1) / 2


def log_joint(vae: VAE, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """log p(x_b, z_lb) = log p(x_b|z_lb) + log p(z_lb), in nats.         [joint.2]

    x (B, D), z (L, B, Z), or z (L, 1, Z), which all rows of x then share -> (L, B)
    """
    _, _, log_px_z = decode(vae, x, z)
    return log_px_z + log_prior(z)


def log_joint_backward(
    dlog_joint: np.ndarray,
    vae: VAE,
    x: np.ndarray,
    z: np.ndarray,
    hidden: tuple[np.ndarray, ...],
    output: np.ndarray,
) -> np.ndarray:
    """dz = dlog_joint (∂ log p(x|z)/∂z − z), all parameters held fixed.  [joint.3]

    dlog_joint (L, B), x (B, D), z (L, B, Z), hidden and output as `decode` returned them
    -> dz (L, B, Z)
    """
    dz = decode_backward_input(dlog_joint, vae, x, hidden, output)
    return dz - dlog_joint[..., None] * z


def posterior_density(vae: VAE, x: np.ndarray) -> Density:
    """log p(x, z) and ∇_z log p(x, z) = ∇_z log p(z|x), as a function of z.   [joint.4]

    x (N, D) -> density, z (C, N, Z) -> log_joint (C, N), gradient (C, N, Z)
    """

    def density(z):
        hidden, output, log_px_z = decode(vae, x, z)
        gradient = log_joint_backward(np.ones_like(log_px_z), vae, x, z, hidden, output)
        return log_px_z + log_prior(z), gradient

    return density


def decoder_likelihood(vae: VAE, x: np.ndarray) -> Density:
    """log p(x|z) and its gradient in z, as a function of z.     [dense.9]

    x (N, D) -> likelihood, z (C, N, Z) -> log_px_z (C, N), gradient (C, N, Z)
    """

    def likelihood(z):
        hidden, output, log_px_z = decode(vae, x, z)
        return log_px_z, decode_backward_input(np.ones_like(log_px_z), vae, x, hidden, output)

    return likelihood
