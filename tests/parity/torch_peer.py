"""The model and its objectives in PyTorch, as the papers write them; autograd differentiates."""

import math

import torch
from torch.distributions import (
    AffineTransform,
    Bernoulli,
    Categorical,
    NegativeBinomial,
    Normal,
    Poisson,
    StudentT,
    TransformedDistribution,
    kl_divergence,
)
from torch.nn import functional as F

from npvae import likelihoods, objectives

ACTIVATIONS = {
    "identity": lambda a: a,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "leaky_relu": lambda a: F.leaky_relu(a, 0.01),
    # From its threshold of 20 on, PyTorch leaves out log(1 + e^−a), 2e-9 there.
    "softplus": lambda a: F.softplus(a, threshold=40),
}
PRIOR = Normal(torch.tensor(0.0, dtype=torch.float64), 1.0)


def compute(vae, x, noise, objective, dbound):
    """-> log_px_z, kl, bound by name; the gradient of Σ_b dbound_b·bound_b by parameter."""
    params = {name: torch.tensor(array) for name, array in vae.params.arrays().items()}
    for leaf in params.values():
        leaf.requires_grad_()
    x, noise, dbound = map(torch.tensor, (x, noise, dbound))

    read = encoder_input(vae.likelihood, x)
    mu, logvar = stack(read, params, "encoder", vae.activation).chunk(2, dim=-1)
    q = Normal(mu, torch.exp(logvar / 2))
    z = mu + torch.exp(logvar / 2) * noise
    output = stack(z, params, "decoder", vae.activation)
    log_px_z = terms(vae.likelihood, x, output, params).sum(dim=-1)
    kl = kl_divergence(q, PRIOR)
    bound, for_encoder = raised(objective, log_px_z, kl, z, q)

    gradients = {}
    for name, leaf in params.items():
        target = for_encoder if name.startswith("encoder") else bound
        (gradient,) = torch.autograd.grad(torch.sum(dbound * target), leaf, retain_graph=True)
        gradients[name] = gradient.numpy()
    values = {"log_px_z": log_px_z, "kl": kl.sum(dim=-1), "bound": bound}
    return {name: value.detach().numpy() for name, value in values.items()}, gradients


def stack(h, params, part, activation):
    """Dense layers with the activation between them."""
    depth = sum(name.startswith(f"{part}/") for name in params) // 2
    for i in range(depth):
        if i > 0:
            h = ACTIVATIONS[activation](h)
        h = h @ params[f"{part}/{i}/W"] + params[f"{part}/{i}/b"]
    return h


def encoder_input(likelihood, x):
    """What the encoder reads of x, NaN in its holes."""
    match likelihood:
        case likelihoods.Holes():
            read = encoder_input(likelihood.likelihood, x)
            return torch.cat([torch.nan_to_num(read, nan=0.0), 1.0 * ~torch.isnan(x)], dim=-1)
        case likelihoods.Product():
            return torch.cat([encoder_input(p, x[:, list(d)]) for d, p in likelihood.parts], dim=-1)
        case likelihoods.Standardized():
            return (x - x.new_tensor(likelihood.shift)) / x.new_tensor(likelihood.scale)
        case likelihoods.Poisson() | likelihoods.NegativeBinomial():
            return torch.log1p(x)
        case likelihoods.Categorical(whole=True):
            places = torch.arange(likelihood.levels, dtype=x.dtype)
            return (x[..., None] == places).flatten(start_dim=1).to(x.dtype)
    return x


def terms(likelihood, x, output, params, prefix="likelihood/"):
    """log p(x_d|z), (L, B, D), 0 in a hole."""
    match likelihood:
        case likelihoods.Holes():
            found = terms(likelihood.likelihood, torch.nan_to_num(x), output, params, prefix)
            return torch.where(torch.isnan(x), 0.0, found)
        case likelihoods.Product():
            widths = [
                p.levels * len(d) if hasattr(p, "levels") else len(d) for d, p in likelihood.parts
            ]
            found = output.new_zeros(*output.shape[:2], x.shape[1])
            outputs = output.split(widths, dim=-1)
            for i, (columns, p) in enumerate(likelihood.parts):
                part = terms(p, x[:, list(columns)], outputs[i], params, f"{prefix}{i}/")
                found[..., list(columns)] = part
            return found
    return distribution(likelihood, output, params, prefix).log_prob(x)


def distribution(likelihood, output, params, prefix="likelihood/"):
    """p(x|z), each pixel by itself."""
    match likelihood:
        case likelihoods.Standardized():
            units = AffineTransform(
                output.new_tensor(likelihood.shift), output.new_tensor(likelihood.scale)
            )
            return TransformedDistribution(
                distribution(likelihood.likelihood, output, params, prefix), units
            )
        case likelihoods.ColumnGaussian():
            return Normal(output, column_width(likelihood, params, prefix))
        case likelihoods.StudentT():
            return StudentT(likelihood.dof, output, column_width(likelihood, params, prefix))
        case likelihoods.Poisson():
            return Poisson(torch.exp(output))
        case likelihoods.NegativeBinomial():
            log_r = params[f"{prefix}log_r"]
            return NegativeBinomial(torch.exp(log_r), logits=output - log_r)
        case likelihoods.Categorical(whole=True):
            return Categorical(logits=output.unflatten(-1, (-1, likelihood.levels)))
        case likelihoods.Bernoulli():
            return Bernoulli(logits=output, validate_args=False)  # for x between 0 and 1
        case likelihoods.Gaussian():
            return Normal(output, likelihood.sigma)
        case likelihoods.LearnedGaussian():
            return Normal(output, torch.exp(params["likelihood/logvar"] / 2))
        case likelihoods.HeteroscedasticGaussian():
            mean, s = output.chunk(2, dim=-1)
            return Normal(mean, torch.sqrt(likelihood.min_sigma**2 + torch.exp(s)))
        case likelihoods.ContinuousBernoulli():
            return GreyBernoulli(logits=output, validate_args=False)
        case likelihoods.Categorical():
            return Levels(logits=output.unflatten(-1, (-1, likelihood.levels)))


def column_width(likelihood, params, prefix):
    """σ of each column."""
    return torch.sqrt(likelihood.min_sigma**2 + torch.exp(params[f"{prefix}a"]))


class GreyBernoulli(Bernoulli):
    """With C(λ) = 2 artanh(1 − 2λ)/(1 − 2λ); Loaiza-Ganem & Cunningham 2019.

    There 1 − 2λ = −tanh(a/2). PyTorch's own ContinuousBernoulli takes log(1 − λ) from a λ that
    is rounded: it is 3e-10 off at a logit of 20, 2e-8 at 25, and 6e-3 at 40.
    """

    def log_prob(self, x):
        return super().log_prob(x) + torch.log(self.logits / torch.tanh(self.logits / 2))


class Levels(Categorical):
    """A Categorical over x = k/(levels − 1)."""

    def log_prob(self, x):
        return super().log_prob(torch.round(x * (self.logits.shape[-1] - 1)))


def raised(objective, log_px_z, kl, z, q):
    """-> bound (B,), and what the encoder's gradient is the gradient of.

    log_px_z (L, B), kl (B, Z), z (L, B, Z), q the posterior
    """
    match objective:
        case objectives.ClosedForm():
            bound = log_px_z.mean(dim=0) - objective.beta * kl.sum(dim=-1)
        case objectives.FreeBits():
            price = kl.mean(dim=0).clamp(min=objective.free_bits).sum()
            bound = log_px_z.mean(dim=0) - price
        case objectives.Sampled():
            bound = torch.mean(log_px_z - objective.beta * log_ratio(z, q), dim=0)
        case objectives.ImportanceWeighted():
            return importance_weighted(objective.gradient, log_px_z, z, q)
    return bound, bound


def importance_weighted(gradient, log_px_z, z, q):
    """Burda et al. 2015; Roeder et al. 2017, q's own parameters stopped; Tucker et al. 2018."""
    stopped = Normal(q.loc.detach(), q.scale.detach())
    log_w = log_px_z - log_ratio(z, q if gradient == "total" else stopped)
    bound = torch.logsumexp(log_w, dim=0) - math.log(len(log_w))
    if gradient == "dreg":
        share = torch.softmax(log_w, dim=0).detach()
        return bound, torch.sum(share**2 * log_w, dim=0)
    return bound, bound


def log_ratio(z, q):
    """log q(z|x) − log p(z)."""
    return torch.sum(q.log_prob(z) - PRIOR.log_prob(z), dim=-1)
