"""Draws two_humps.png: what a hidden coordinate may be, by draws of a model and by regression."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import npvae
from npvae.posterior import impute

SEEN = 0.3  # of x₁
BLUE, ORANGE = "#0072B2", "#E69F00"

rng = np.random.default_rng(0)
angle = rng.uniform(0, 2 * np.pi, 3000)
x = np.stack([np.cos(angle), np.sin(angle)], axis=1) + 0.08 * rng.standard_normal((3000, 2))
holed = np.where(rng.random(x.shape) < 0.25, np.nan, x)

likelihood = npvae.Holes(npvae.ColumnGaussian(0.3, 0.02))
vae = npvae.VAE.init(2, hidden=(64, 64), latent_dim=2, likelihood=likelihood, rng=rng)
*_, last = npvae.train(vae, holed, epochs=150, batch_size=100, optimizer=npvae.Adam(2e-3), rng=rng)
print(last)
filled = impute(vae, [[SEEN, np.nan]], draws=4000, samples=20_000, rng=rng)
drawn = filled.draws[:, 0, 1]
print(filled)
print(f"mean {filled.x[0, 1]:.2f}, standard deviation of the draws {drawn.std():.2f}")
print(
    f"{np.mean(np.abs(np.abs(drawn) - np.sqrt(1 - SEEN**2)) < 0.24):.0%} of the draws on the ring"
)
slope, height = np.polyfit(x[:, 0], x[:, 1], 1)

figure = Figure(figsize=(7, 3.2), layout="constrained")
left, right = figure.subplots(1, 2, sharey=True)
left.plot(*x[:600].T, ".", color="#bbbbbb", ms=3)
left.plot([-1.2, 1.2], np.polyval([slope, height], [-1.2, 1.2]), color=ORANGE, lw=2)
left.axvline(SEEN, color="black", lw=1, ls="--")
left.plot(np.full(100, SEEN), drawn[:100], ".", color=BLUE, ms=4)
left.set(xlabel="x₁, seen", ylabel="x₂, hidden", title="rows, and a line through them")
right.hist(drawn, np.linspace(-1.5, 1.5, 61), orientation="horizontal", density=True, color=BLUE)
right.axhline(np.polyval([slope, height], SEEN), color=ORANGE, lw=2)
right.set(xlabel="density", title=f"x₂ where x₁ = {SEEN} was seen")
figure.savefig(Path(__file__).with_suffix(".png"), dpi=150)
