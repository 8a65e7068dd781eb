"""PyTorch in its ordinary form: a Module, autograd, Adam with its fused update.

Tried with models a or c of `configurations`, and no faster on two cores: 8-bit images divided in
each step, index_select, an epoch's images permuted at once, torch.rand(…) < x, softplus in place of
binary_cross_entropy_with_logits, flushed denormals, no oneDNN, a larger MALLOC_TOP_PAD_.
"""

import itertools

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from worker import serve


def _stack(layers, activation):
    modules = []
    for W, b in layers:
        linear = nn.Linear(*W.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(W.T))
            linear.bias.copy_(torch.from_numpy(b))
        modules += [linear, activation()]
    return nn.Sequential(*modules[:-1])


class VAE(nn.Module):
    def __init__(self, task):
        super().__init__()
        activation = {"tanh": nn.Tanh, "relu": nn.ReLU}[task.activation]
        self.encoder = _stack(task.layers("encoder"), activation)
        self.decoder = _stack(task.layers("decoder"), activation)

    def forward(self, x, noise, beta):
        """The loss: minus the mean bound of the batch. beta is a tensor, lest it be compiled in."""
        mu, logvar = self.encoder(x).chunk(2, dim=-1)
        z = mu + torch.exp(logvar / 2) * noise
        logits = self.decoder(z)
        bce = F.binary_cross_entropy_with_logits(
            logits, x.expand(logits.shape), reduction="sum"
        ) / len(noise)
        kl = 0.5 * torch.sum(mu * mu + logvar.exp() - 1 - logvar)
        return (bce + beta * kl) / len(x)


def start(task, wrap=lambda loss: loss):
    torch.manual_seed(task.seed)
    vae = VAE(task)
    loss_of = wrap(vae)
    optimizer = torch.optim.Adam(vae.parameters(), fused=True)
    images = torch.from_numpy(task.images().astype(np.float32)).div_(255)

    def step(rows, t):
        for group in optimizer.param_groups:
            group["lr"] = task.rate(t)
        x = images[rows]
        if task.binarize:
            x = torch.bernoulli(x)
        noise = torch.randn(task.samples, len(x), task.latent_dim)
        loss = loss_of(x, noise, torch.tensor(task.beta(t)))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.detach()

    steps = itertools.count()

    def epoch():
        batches = torch.randperm(len(images)).split(task.batch_size)
        return float(sum(step(rows, next(steps)) for rows in batches) / len(batches))

    def params():
        stacks = {"encoder": vae.encoder, "decoder": vae.decoder}
        return {
            f"{part}/{i}/{field}": value.detach().numpy()
            for part, modules in stacks.items()
            for i, linear in enumerate(m for m in modules if isinstance(m, nn.Linear))
            for field, value in {"W": linear.weight.T, "b": linear.bias}.items()
        }

    step(torch.arange(task.batch_size), 0)
    return epoch, params


if __name__ == "__main__":
    serve(start)
