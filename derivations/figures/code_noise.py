"""The same network with and without noise on its code: what draws from the prior decode to."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import npvae

P, Q = "#0072B2", "#D55E00"  # what the prior and the decoder give; what the encoder gives

rng = np.random.default_rng(0)
angle = rng.uniform(0, 1.5 * np.pi, (2000, 1))
x = np.hstack([np.cos(angle), np.sin(angle)]) + 0.05 * rng.standard_normal((2000, 2))


def trained(beta):
    vae = npvae.VAE.init(
        2, hidden=(50,), latent_dim=1, likelihood=npvae.Gaussian(0.1), rng=np.random.default_rng(1)
    )
    optimizer = npvae.Adam(3e-3)
    for _ in npvae.train(
        vae,
        x,
        epochs=150,
        optimizer=optimizer,
        objective=npvae.ClosedForm(beta),
        rng=np.random.default_rng(2),
    ):
        pass
    return vae


figure = Figure(figsize=(6.4, 4.4), layout="constrained")
columns = figure.subplots(2, 2, height_ratios=[3, 2]).T
titles = {0: "β = 0: nothing rewards keeping the noise", 1: "β = 1: the KL keeps the noise"}
grid = np.linspace(-3, 3, 400)
prior = np.exp(-grid * grid / 2) / np.sqrt(2 * np.pi)
for (top, bottom), (beta, title) in zip(columns, titles.items(), strict=True):
    vae = trained(beta)
    mu, logvar = vae.encode(x)
    draws = vae.sample(400, rng=rng)
    top.plot(*x.T, ".", color="0.75", ms=2, label="data")
    top.plot(*draws.T, ".", color=P, ms=4, label="decoded draws")
    top.set(title=title, aspect="equal", xlim=(-1.7, 1.7), ylim=(-1.4, 1.4))
    bottom.hist(mu.ravel(), 60, density=True, color=Q, label="codes mu")
    bottom.plot(grid, prior, color=P, label="prior N(0, 1)")
    width = np.median(np.exp(logvar / 2))
    bottom.set(xlabel=f"z (the noise's median width: {width:.2g})", ylabel="density")
columns[0][0].legend(frameon=False, fontsize=9, loc="lower right", handlelength=0.5, markerscale=2)
columns[0][1].legend(frameon=False, fontsize=9)
figure.savefig(Path(__file__).with_suffix(".png"), dpi=150)
