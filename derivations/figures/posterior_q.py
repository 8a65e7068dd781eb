"""Draws posterior_q.png: p(z|x) of two drawn digits on a grid of z, and the encoder's q(z|x).

Prints what chapter 4 says of them.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import npvae
from npvae import exact
from npvae.elbo import decode

GREEN, ROWS, JUDGED, SIDE = "#009E73", 4000, 50, 161


def train(images, rng):
    """A VAE 784-200-2."""
    vae = npvae.VAE.init(784, hidden=(200,), latent_dim=2, likelihood=npvae.Bernoulli(), rng=rng)
    optimizer = npvae.Adam(2e-3)
    for epoch in npvae.train(vae, images, epochs=30, optimizer=optimizer, binarize=True, rng=rng):
        last = epoch
    print(last)
    return vae.astype(np.float64)


def posterior(x, z, log_px):
    """p(z|x) = p(z) p(x|z)/p(x) at every point z (…, 2)."""
    _, _, log_px_z = decode(vae, x, z.reshape(-1, 1, 2))
    log_pz = -np.sum(z**2, axis=-1) / 2 - np.log(2 * np.pi)
    return np.exp(log_px_z.reshape(log_pz.shape) + log_pz - log_px)


rng = np.random.default_rng(0)
images = npvae.datasets.glyph_digits(ROWS + JUDGED, rng=rng).images
vae = train(images[:ROWS], rng)
x = npvae.binarize(images[ROWS:], rng=rng).astype(np.float64)
mu, logvar = vae.encode(x)
truth = exact.quadrature(vae, x, step=0.06, reach=4.0)
gaps = truth.log_px - exact.expected_bound(vae, x, step=0.5, reach=5.0)
order = np.argsort(gaps)
print(
    f"gap: median of {JUDGED} digits {np.median(gaps):.2f}, the largest", gaps[order[-2:]].round(2)
)

figure = Figure(figsize=(6.4, 3.4), layout="constrained")
panels = figure.subplots(1, 2)
shown = {"a common case": order[JUDGED // 2], f"the worst of {JUDGED}": order[-1]}
for axes, (name, n) in zip(panels, shown.items(), strict=True):
    std, spread = np.exp(logvar[n] / 2), np.sqrt(truth.covariance[n].diagonal())
    low = np.minimum(mu[n] - 3 * std, truth.mean[n] - 3.5 * spread)
    high = np.maximum(mu[n] + 3 * std, truth.mean[n] + 3.5 * spread)
    half = max(high - low) / 2
    z1, z2 = (np.linspace(c - half, c + half, SIDE) for c in (low + high) / 2)
    density = posterior(x[n : n + 1], np.stack(np.meshgrid(z1, z2), axis=-1), truth.log_px[n])
    area = (z1[1] - z1[0]) ** 2
    print(f"{name}: gap {gaps[n]:.2f}; p(z|x) adds up to {density.sum() * area:.4f}")
    levels = np.linspace(0.02, 1, 9) * density.max()
    axes.contourf(z1, z2, density, levels, cmap="Greys", vmin=-0.1 * density.max())
    angle = np.linspace(0, 2 * np.pi, 200)
    for width in (1, 2):
        ellipse = mu[n] + width * std * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        axes.plot(*ellipse.T, color=GREEN, linewidth=2)
    axes.set(aspect="equal", xlabel="z₁", ylabel="z₂", title=f"{name}: gap {gaps[n]:.2f} nats")
    corner = axes.inset_axes((0.02, 0.7, 0.28, 0.28))
    corner.imshow(x[n].reshape(28, 28), cmap="gray")
    corner.set(xticks=[], yticks=[])
for y, text, colour in ((0.13, "p(z|x)", "0.3"), (0.04, "q(z|x), at 1 and 2 σ", GREEN)):
    place = {"ha": "right", "fontsize": 11, "transform": panels[0].transAxes}
    panels[0].text(0.97, y, text, color=colour, **place)
figure.savefig(Path(__file__).with_suffix(".png"), dpi=120)
