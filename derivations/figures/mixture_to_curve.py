"""Draws mixture_to_curve.png: K points of a decoder's curve as a mixture, and the whole curve.

Prints how far log p(x) of the mixture is from the VAE's, by quadrature, for each K.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import npvae
from npvae import exact
from npvae.relatives import from_decoder

SIGMA, KS = 0.15, [2**i for i in range(1, 11)]


def train():
    """A VAE with one latent dimension, on points around three quarters of a circle."""
    rng = np.random.default_rng(0)
    angle = rng.uniform(-0.75 * np.pi, 0.75 * np.pi, 2000)
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1) + SIGMA * rng.standard_normal((2000, 2))
    vae = npvae.VAE.init(
        2,
        hidden=(32,),
        latent_dim=1,
        likelihood=npvae.Gaussian(SIGMA),
        dtype=np.float64,
        rng=rng,
    )
    optimizer = npvae.Adam(3e-3)
    for epoch in npvae.train(vae, x, epochs=150, optimizer=optimizer, rng=rng):
        optimizer.learning_rate = 3e-3 * 0.01 ** (epoch.epoch / 150)
    print(epoch)
    return vae, x


def density(axes, log_px, title):
    axes.imshow(
        np.exp(log_px).reshape(161, 161), extent=(-1.6, 1.6) * 2, origin="lower", cmap="cividis"
    )
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=10)


vae, x = train()
side = np.linspace(-1.6, 1.6, 161)
square = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
figure = Figure(figsize=(6.2, 4.3), layout="constrained")
*panels, every, last = figure.subplots(2, 3).ravel()
for axes, K in zip(panels, (4, 8, 16, 32), strict=True):
    density(axes, from_decoder(vae, K).log_px(square), f"K = {K} points")
density(every, exact.quadrature(vae, square, step=0.02).log_px, "every point: the VAE")

log_px = exact.quadrature(vae, x, step=0.02).log_px
gaps = []
for K in KS:
    gaps.append(np.abs(log_px - from_decoder(vae, K).log_px(x)).mean())
    print(f"K = {K:5d}   log p(x) is off the VAE's by {gaps[-1]:8.4f} nats, the mean over the rows")
last.loglog(KS, gaps, "o-", color="#0072B2", markersize=3)
last.set_title("nats off the VAE's log p(x)", fontsize=10)
last.set(xlabel="K", box_aspect=1)
figure.savefig(Path(__file__).with_suffix(".png"), dpi=112)
