"""Models that stand beside the VAE, in PyTorch; autograd differentiates."""

import math

import torch
from torch.distributions import Categorical, Normal, kl_divergence
from torch.nn import functional as F

from npvae.objectives import ClosedForm, ImportanceWeighted, Sampled
from parity.torch_peer import ACTIVATIONS, PRIOR, distribution, stack


def leaves(*stacks):
    """Every parameter, by name, as a leaf of PyTorch's graph."""
    arrays = {name: array for part in stacks for name, array in part.arrays().items()}
    return {name: torch.tensor(array, requires_grad=True) for name, array in arrays.items()}


def gradients(loss, params, part=""):
    """The gradient of loss in the parameters whose names begin with part."""
    chosen = {name: leaf for name, leaf in params.items() if name.startswith(part)}
    found = torch.autograd.grad(loss, list(chosen.values()))
    return {name: g.numpy() for name, g in zip(chosen, found, strict=True)}


def autoencoder(model, x, seen, code_noise, dlog_px_z):
    """-> the gradient of Σ_b dlog_px_z_b log p(x_b|z_b)."""
    params = leaves(model.params)
    x, seen, code_noise, dlog_px_z = map(torch.tensor, (x, seen, code_noise, dlog_px_z))
    z = stack(seen, params, "encoder", model.activation) + code_noise
    output = stack(z, params, "decoder", model.activation)
    log_px_z = distribution(model.likelihood, output, params).log_prob(x).sum(dim=-1)
    return gradients(torch.sum(dlog_px_z * log_px_z), params)


def conditional(model, x, condition, noise, objective, dbound):
    """-> bound, the gradient of Σ_b dbound_b·bound_b; z and all densities in their own units."""
    params = leaves(model.params)
    x, c, noise, dbound = map(torch.tensor, (x, condition, noise, dbound))
    mu, logvar = stack(torch.cat([x, c], -1), params, "encoder", model.activation).chunk(2, -1)
    prior = PRIOR
    if model.params.prior:
        m, log_s2 = stack(c, params, "prior", model.activation).chunk(2, -1)
        prior = Normal(m, torch.exp(log_s2 / 2))
    q = Normal(mu, torch.exp(logvar / 2))
    z = mu + torch.exp(logvar / 2) * noise
    seen = torch.cat([z, c.expand(*z.shape[:-1], -1)], -1)
    output = stack(seen, params, "decoder", model.activation)
    log_px_z = distribution(model.likelihood, output, params).log_prob(x).sum(dim=-1)
    log_w = log_px_z + torch.sum(prior.log_prob(z) - q.log_prob(z), dim=-1)
    match objective:
        case ClosedForm():
            kl = kl_divergence(q, prior).sum(dim=-1)
            bound = log_px_z.mean(dim=0) - objective.beta * kl
        case Sampled():
            bound = torch.mean(log_w, dim=0)
        case ImportanceWeighted():
            bound = torch.logsumexp(log_w, dim=0) - math.log(len(log_w))
    return bound.detach().numpy(), gradients(torch.sum(dbound * bound), params)


def classifier(predictor, x, labels):
    """-> the gradient of the mean cross-entropy."""
    params = leaves(predictor.params)
    logits = stack(torch.tensor(x), params, "network", predictor.activation)
    return gradients(F.cross_entropy(logits, torch.tensor(labels)), params)


def gan(model, x, noise, loss):
    """-> the discriminator's gradients of its loss, the generator's of its own."""
    params = leaves(model.generator, model.discriminator)
    a = stack(torch.tensor(noise), params, "generator", model.activation)
    fake = ACTIVATIONS[model.output](a)

    def logits(rows):
        return stack(rows, params, "discriminator", model.discriminator_activation)[:, 0]

    ones, zeros = torch.ones(len(x), dtype=fake.dtype), torch.zeros(len(x), dtype=fake.dtype)
    score = F.binary_cross_entropy_with_logits
    lowered = score(logits(torch.tensor(x)), ones) + score(logits(fake.detach()), zeros)
    non_saturating = loss == "non-saturating"
    wanted = score(logits(fake), ones) if non_saturating else -score(logits(fake), zeros)
    return (
        gradients(lowered, params, "discriminator"),
        gradients(wanted, params, "generator"),
    )


def semi_supervised(model, x, labels, noise, weights):
    """-> the gradient of the loss of Kingma et al. 2014, class after class; labelled rows first."""
    params, C, M = leaves(*model.params), model.classes, len(labels)
    x, labels, noise = map(torch.tensor, (x, labels, noise))
    log_q = F.log_softmax(stack(x, params, "network", model.classifier.activation), dim=-1)

    def joint(k):
        c = F.one_hot(torch.tensor(k), C).to(x.dtype)
        seen = torch.cat([x, c.expand(len(x), C)], dim=-1)
        mu, logvar = stack(seen, params, "encoder", model.vae.activation).chunk(2, dim=-1)
        q = Normal(mu, torch.exp(logvar / 2))
        z = mu + torch.exp(logvar / 2) * noise
        z_c = torch.cat([z, c.expand(*z.shape[:-1], C)], dim=-1)
        output = stack(z_c, params, "decoder", model.vae.activation)
        log_px_z = distribution(model.vae.likelihood, output, params).log_prob(x).sum(dim=-1)
        return log_px_z.mean(dim=0) - kl_divergence(q, PRIOR).sum(dim=-1) - math.log(C)

    L = torch.stack([joint(k) for k in range(C)], dim=-1)
    q = Categorical(logits=log_q[M:])
    unlabelled = torch.sum(q.probs * L[M:], dim=-1) + q.entropy()
    with_label, log_q_y = (a[:M].gather(1, labels[:, None]) for a in (L, log_q))
    terms = with_label, unlabelled, log_q_y
    loss = -sum(w * term.mean() for w, term in zip(weights, terms, strict=True))
    return gradients(loss, params)
