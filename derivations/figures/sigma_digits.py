"""Draws sigma_digits.png, and prints its numbers: eight digits under three widths of a pixel.

python derivations/figures/sigma_digits.py

Three models, 784-200-10 tanh, learn the same drawn digits under a Gaussian likelihood. Nothing
but its σ differs.
"""

import math
import warnings
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import npvae
from npvae.plots.sheet import centres, tile

SIGMAS = {"19.8": math.sqrt(784 / 2), "1": 1.0, "0.1": 0.1}
ROWS, EPOCHS, SHOWN = 5000, 40, 8


def learn(sigma, x):
    rng = np.random.default_rng(0)
    vae = npvae.VAE.init(
        784,
        hidden=(200,),
        latent_dim=10,
        likelihood=npvae.Gaussian(sigma),
        x_mean=x.mean(axis=0),
        rng=rng,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", npvae.DiagnosisWarning)  # of what the picture shows
        for _ in npvae.train(vae, x, epochs=EPOCHS, optimizer=npvae.Adam(1e-3), rng=rng):
            pass
    return vae


def main():
    rng = np.random.default_rng(0)
    x = npvae.datasets.glyph_digits(ROWS + 1000, rng=rng).images
    train, test = x[:ROWS], x[ROWS:]
    print(
        f"the data's largest variance along a line: {np.linalg.eigvalsh(np.cov(train.T))[-1]:.1f}"
    )
    groups = {"": [test[:SHOWN]]}
    for name, sigma in SIGMAS.items():
        vae = learn(sigma, train)
        result = npvae.evaluate(vae, test, rng=np.random.default_rng(1))
        error = math.sqrt(np.mean((vae.reconstruct(test) - test) ** 2))
        print(
            f"σ = {name:5s} KL {result.kl:6.2f} nats, {result.active_units:2d} of 10 units used, "
            f"root mean squared error {error:.3f}"
        )
        samples = vae.sample(SHOWN, rng=np.random.default_rng(2))
        groups[f"σ = {name}"] = [vae.reconstruct(test[:SHOWN]), samples]
    draw(groups).savefig(Path(__file__).with_suffix(".png"), dpi=150)


def draw(groups):
    """The digits in one row, and two rows below them for each σ."""
    figure = Figure(figsize=(6, 5.2), layout="constrained")
    panels = figure.subplots(len(groups), 1, height_ratios=[len(rows) for rows in groups.values()])
    for axes, (name, rows) in zip(panels, groups.items(), strict=True):
        sheet = tile(np.concatenate(rows).reshape(-1, 28, 28), SHOWN)
        axes.imshow(sheet, cmap="gray", vmin=0, vmax=1, interpolation="none")
        axes.set_title(name, loc="left", fontsize=10, pad=3)
        labels = ["reconstructions", "samples"] if name else ["digits"]
        axes.set_yticks(centres(len(rows), 28), labels, fontsize=10)
        axes.tick_params(length=0)
        axes.set_xticks([])
        axes.spines[:].set_visible(False)
    return figure


if __name__ == "__main__":
    main()
