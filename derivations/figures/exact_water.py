"""Draws exact_water.png: eigenvalues under a water level, and units that go out as it rises."""

import warnings
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import npvae
from npvae import exact

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#BBBBBB"
UNITS = "#0072B2", "#009E73", "#CC79A7", "#D55E00"
SIGMA, LEVEL = 0.6, 1.08  # the left panel's β is 3


def make_data():
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.standard_normal((8, 8)))[0]
    return rng.standard_normal((2000, 8)) * [2.4, 1.8, 1.3, 0.9, 0.6, 0.5, 0.4, 0.3] @ axes


def trained_kl(x, beta):
    """KL by unit, the largest first, of a linear model that npvae trained."""
    rng = np.random.default_rng(1)
    vae = npvae.VAE.init(
        8, hidden=(), latent_dim=4, likelihood=npvae.Gaussian(SIGMA), dtype=np.float64, rng=rng
    )
    optimizer, epochs = npvae.Adam(0.1), 200
    for epoch in npvae.train(
        vae,
        x,
        epochs=epochs,
        optimizer=optimizer,
        objective=npvae.ClosedForm(beta, samples=2),
        rng=rng,
    ):
        optimizer.learning_rate = 0.1 * min(1, 0.01 ** (2 * epoch.epoch / epochs - 1))
    return -np.sort(-npvae.evaluate(vae, x, rng=rng).kl_per_dim)


def draw_water(axes, eigenvalues):
    i = np.arange(1, 9)
    axes.bar(i, eigenvalues, color=BLUE, label="coded: KL = ½ log(l/βσ²)")
    axes.bar(i, np.minimum(eigenvalues, LEVEL), color=GREY, label="left as error")
    axes.bar(i[4:], eigenvalues[4:], color=GREY)
    axes.axhline(LEVEL, color=ORANGE, label="level βσ², β = 3")
    axes.axvline(4.5, color="k", linestyle=":", linewidth=1)
    axes.text(4.6, 5, "Z = 4", ha="left")
    axes.set(xlabel="i", ylabel="eigenvalue l of the data", title="water in the spectrum")
    axes.legend(frameon=False, fontsize=9, handlelength=1, loc="center right")


def draw_units(axes, x, eigenvalues):
    betas = np.geomspace(0.25, 30, 300)
    curves = np.array(
        [exact.water_filling(eigenvalues, SIGMA**2, beta, 4).kl_per_dim for beta in betas]
    )
    dots = np.geomspace(0.4, 25, 9)
    trained = np.array([trained_kl(x, beta) for beta in dots])
    for j, colour in enumerate(UNITS):
        axes.semilogx(betas, curves[:, j], color=colour, label=f"unit {j + 1}")
        axes.semilogx(dots, trained[:, j], "o", color=colour, markersize=5)
    axes.set(xlabel="β", ylabel="KL, nats", title="KL by unit: closed form, and trained (dots)")
    axes.legend(frameon=False, fontsize=9)


warnings.simplefilter("ignore", npvae.DiagnosisWarning)  # units go out on purpose here
figure = Figure(figsize=(9, 3.4), layout="constrained")
left, right = figure.subplots(1, 2)
data = make_data()
spectrum = exact.spectrum(data).eigenvalues
draw_water(left, spectrum)
draw_units(right, data, spectrum)
figure.savefig(Path(__file__).with_suffix(".png"), dpi=150)
