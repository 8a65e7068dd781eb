"""Models that stand beside the VAE, in PyTorch; autograd differentiates."""

import torch
from torch.nn import functional as F

from parity.torch_peer import ACTIVATIONS, distribution, stack


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
