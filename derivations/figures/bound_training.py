"""Draws bound_training.png: the bound and log p(x) while φ alone learns, then φ and θ."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.special import logsumexp
from scipy.stats import norm

import npvae

STEPS, FROZEN, EVERY, ROWS = 2000, 400, 20, 100
rng = np.random.default_rng(2)

angle = rng.uniform(-np.pi, np.pi, ROWS)  # a circle: one dimension, bent through two
x = np.stack([np.cos(angle), np.sin(angle)], axis=1) + 0.1 * rng.standard_normal((ROWS, 2))
vae = npvae.VAE.init(
    2,
    hidden=(16,),
    latent_dim=1,
    likelihood=npvae.Gaussian(0.3),
    dtype=np.float64,
    rng=rng,
)
for layer in vae.params.decoder:  # a decoder that says much about z from the start
    layer.W[:] *= 2

grid = np.linspace(-6, 6, 241)[:, None]
log_pz_dz = norm.logpdf(grid) + np.log(grid[1] - grid[0])
even = np.repeat(norm.ppf((np.arange(100) + 0.5) / 100)[:, None, None], ROWS, axis=1)


def evidence():
    """Mean over the rows of log ∫ p(z) p(x|z) dz, as a sum over the grid."""
    mean = np.repeat(vae.decode(grid)[:, None], ROWS, axis=1)
    return logsumexp(log_pz_dz + vae.likelihood.log_prob(x, mean), axis=0).mean()


def step(optimizer, layers, noise):
    """Raise the mean bound over the arrays of layers alone."""
    trace = npvae.elbo(vae, x, noise)
    grads = npvae.elbo_backward(np.full(ROWS, -1 / ROWS), vae, x, noise, trace).arrays()
    params = {name: w for name, w in vae.params.arrays().items() if name.startswith(layers)}
    optimizer.update(params.values(), [grads[name] for name in params])


steps, bounds, log_px = [], [], []
alone, together = npvae.Adam(2e-3), npvae.Adam(2e-3)
for i in range(STEPS + 1):
    if i % EVERY == 0:
        steps.append(i)
        bounds.append(npvae.elbo(vae, x, even).bound.mean())
        log_px.append(evidence())
    noise = rng.standard_normal((1, ROWS, 1))
    if i < FROZEN:
        step(alone, ("encoder",), noise)
    else:
        step(together, ("encoder", "decoder"), noise)

figure = Figure(figsize=(6.4, 3.3), layout="constrained")
axes = figure.subplots()
axes.plot(steps, log_px, "k:", linewidth=2, label="log p(x), by quadrature")
axes.plot(steps, bounds, "k", linewidth=2, label="the bound")
axes.fill_between(
    steps, bounds, log_px, color="0.5", alpha=0.35, linewidth=0, label="gap = KL(q(z|x) ‖ p(z|x))"
)
axes.axvline(FROZEN, color="0.5", linewidth=1)
for place, text in (
    (FROZEN / 2, "φ alone:\nit tightens"),
    ((FROZEN + STEPS) / 2, "φ and θ: it fits"),
):
    axes.text(place, 0.97, text, ha="center", va="top", transform=axes.get_xaxis_transform())
axes.set(xlabel="step", ylabel="nats a row", xlim=(0, STEPS), ylim=(-5.8, -1.2))
axes.legend(loc="lower right")

print(f"gap: {log_px[0] - bounds[0]:.3f}", end="")
print(f", {log_px[FROZEN // EVERY] - bounds[FROZEN // EVERY]:.3f} after φ alone", end="")
print(
    f", {log_px[-1] - bounds[-1]:.3f} at the end; log p(x) from {log_px[0]:.2f} to {log_px[-1]:.2f}"
)
figure.savefig(Path(__file__).with_suffix(".png"), dpi=130)
