"""Annealing by one library, on request.

posterior.py passes the library's name and a file with the decoder, x and the steps' sizes. Each
line is answered with the seconds that all temperatures took for all rows, and the mean log p(x).
"""

import sys
import time

import numpy as np
from worker import answer

SIZES = (1000, 4000, 16000)  # rows of z that may go through PyTorch's decoder at once


def npvae_annealing(given):
    """anneal as the library does, batch by batch."""
    import npvae
    from npvae import kernels
    from npvae.importance import add_weights, estimate, no_weights
    from npvae.posterior.annealing import anneal
    from npvae.posterior.joint import decoder_likelihood
    from npvae.posterior.sampling import rows_at_once

    vae, chains, leaps = npvae.VAE.load(str(given["model"])), int(given["chains"]), given["leaps"]
    size, rng = rows_at_once(vae, chains), np.random.default_rng(1)

    def run(x, steps, t):
        found = []
        with kernels.pace("annealing", vae.params.rows[0].size, chains * size) as lap:
            for start in range(0, len(x), size):
                batch, step = x[start : start + size], steps[:, start : start + size]
                shape = chains, len(batch), vae.latent_dim
                z, density = rng.standard_normal(shape, np.float32), decoder_likelihood(vae, batch)
                log_w, _ = anneal(density, z, t, step, int(leaps), rng=rng, lap=lap)
                found.append(estimate(add_weights(no_weights(len(batch)), log_w), chains)[0])
        return np.concatenate(found)

    return run


def torch_annealing(given):
    """The same arithmetic, with autograd for the gradient in z."""
    import torch
    from torch.nn import functional as F

    layers = [
        (torch.tensor(given[f"decoder/{i}/W"].T.copy()), torch.tensor(given[f"decoder/{i}/b"]))
        for i in range(int(given["depth"]))
    ]
    chains, leaps = int(given["chains"]), int(given["leaps"])
    generator = torch.Generator().manual_seed(1)

    def likelihood(x, z):
        z = z.detach().requires_grad_()
        h = z
        for W, b in layers[:-1]:
            h = torch.tanh(F.linear(h, W, b))
        logits = F.linear(h, *layers[-1])
        error = F.binary_cross_entropy_with_logits(logits, x.expand_as(logits), reduction="none")
        log_px_z = -error.sum(dim=-1)
        (slope,) = torch.autograd.grad(log_px_z.sum(), z)
        return log_px_z.detach(), slope

    def log_f(t, z, log_px_z):
        return t * log_px_z - (z * z).sum(dim=-1) / 2

    def move(x, t, z, log_px_z, slope, step):
        momentum = torch.randn(z.shape, generator=generator)
        uniform = torch.rand(z.shape[:2], generator=generator)
        step = (step * (0.8 + 0.4 * torch.rand(step.shape, generator=generator)))[:, None]
        energy = (momentum**2).sum(dim=-1) / 2 - log_f(t, z, log_px_z)
        there, p = z, momentum + step / 2 * (t * slope - z)
        for leap in range(1, leaps + 1):
            there = there + step * p
            value, gradient = likelihood(x, there)
            p = p + (step if leap < leaps else step / 2) * (t * gradient - there)
        change = energy - (p**2).sum(dim=-1) / 2 + log_f(t, there, value)
        accept = uniform < torch.exp(torch.clamp(change, max=0))
        wide = accept[..., None]
        return (
            torch.where(wide, there, z),
            torch.where(accept, value, log_px_z),
            torch.where(wide, gradient, slope),
        )

    def anneal(x, steps, t):
        z = torch.randn((chains, len(x), layers[0][0].shape[1]), generator=generator)
        log_px_z, slope = likelihood(x, z)
        log_w = (t[1] - t[0]) * log_px_z.double()
        for i in range(1, len(t) - 1):
            z, log_px_z, slope = move(x, t[i], z, log_px_z, slope, steps[i - 1])
            log_w += (t[i + 1] - t[i]) * log_px_z.double()
        return torch.logsumexp(log_w, dim=0) - np.log(chains)

    def all_of(size, x, steps, t):
        x, steps = torch.tensor(x), torch.tensor(steps, dtype=torch.float32)
        rows = max(1, size // chains)
        parts = [anneal(x[i : i + rows], steps[:, i : i + rows], t) for i in range(0, len(x), rows)]
        return torch.cat(parts).numpy()

    x, steps, t = given["x"], given["steps"], list(map(float, given["temperatures"]))

    def seconds(size):
        """The better of two short runs."""
        took = []
        for _ in range(2):
            began = time.perf_counter()
            all_of(size, x, steps[:3], t[:5])
            took.append(time.perf_counter() - began)
        return min(took)

    best = min(SIZES, key=seconds)
    return lambda x, steps, t: all_of(best, x, steps, list(map(float, t)))


def main():
    library, path = sys.argv[1:]
    with np.load(path) as file:
        given = dict(file)
    run = (npvae_annealing if library == "npvae" else torch_annealing)(given)
    task = given["x"], given["steps"], given["temperatures"]
    run(task[0], task[1][:1], task[2][:3])  # compiles, and starts threads

    def timed(_):
        began = time.perf_counter()
        log_px = run(*task)
        return {"seconds": time.perf_counter() - began, "log_px": float(log_px.mean())}

    answer(timed)


if __name__ == "__main__":
    main()
