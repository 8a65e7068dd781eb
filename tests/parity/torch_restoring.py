"""log p(y, z) of something seen instead of x, in PyTorch; autograd differentiates it in z."""

import math

import torch
from torch.distributions import MultivariateNormal

from npvae import likelihoods

from .torch_peer import PRIOR, distribution, stack


def pixels(vae, y, z, mask):
    """-> log p(y, z) (L, N), its gradient in z; only the pixels of the mask (N, D) are seen."""
    z, pixels = _decoded(vae, z)
    log_p = pixels.log_prob(torch.tensor(y)) * torch.tensor(mask)
    return _with_gradient(log_p.sum(dim=-1), z)


def linear(vae, y, z, A, sigma, gram):
    """The same of y = A x + σ·noise, A (M, D), where gram says that A Aᵀ is that times I."""
    z, pixels = _decoded(vae, z)
    width = pixels.scale.flatten()[0] ** 2 if gram and _has_one_width(vae.likelihood) else 0.0
    A = torch.tensor(A)
    covariance = width * A @ A.T + sigma**2 * torch.eye(len(A), dtype=A.dtype)
    seen = MultivariateNormal(_mean(vae.likelihood, pixels) @ A.T, covariance.detach())
    return _with_gradient(seen.log_prob(torch.tensor(y)), z)


def _decoded(vae, z):
    params = {name: torch.tensor(array) for name, array in vae.params.arrays().items()}
    z = torch.tensor(z, requires_grad=True)
    output = stack(z, params, "decoder", vae.activation)
    return z, distribution(vae.likelihood, output, params)


def _has_one_width(likelihood):
    return isinstance(likelihood, (likelihoods.Gaussian, likelihoods.LearnedGaussian))


def _mean(likelihood, pixels):
    match likelihood:
        case likelihoods.Categorical():
            return pixels.probs @ torch.linspace(0, 1, likelihood.levels, dtype=torch.float64)
        case likelihoods.ContinuousBernoulli():
            a = pixels.logits  # near 0 the two fractions cancel, and their derivatives more so
            far = torch.where(abs(a) < 0.5, 1.0, a)
            near = a / 12 - a**3 / 720 + a**5 / 30_240 - a**7 / 1_209_600 + a**9 / 47_900_160
            return torch.where(abs(a) < 0.5, 0.5 + near, 1 / (1 - torch.exp(-far)) - 1 / far)
    return pixels.mean


def _with_gradient(log_py_z, z):
    log_joint = log_py_z + PRIOR.log_prob(z).sum(dim=-1)
    assert math.isfinite(log_joint.sum().item())
    (gradient,) = torch.autograd.grad(log_joint.sum(), z)
    return {"log_joint": log_joint.detach().numpy(), "dz": gradient.numpy()}
