"""Draws denoiser.png: where a denoising autoencoder points, on data that lie about a circle.

    python derivations/figures/denoiser.py

Half a minute. Prints how far its arrows are from the slope of the log density, which is known.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.special import ive

import npvae
from npvae import relatives

WIDTH, SIGMA = 0.1, 0.2  # of the data about the circle of radius 1, and of the noise
BLUE, RED = "#0072B2", "#D55E00"


def data(n, rng):
    angle = 2 * np.pi * rng.random(n)
    return np.stack([np.cos(angle), np.sin(angle)], 1) + WIDTH * rng.standard_normal((n, 2))


def exact_slope(radius):
    """∂ log p/∂r of a circle blurred by N(0, (WIDTH² + SIGMA²) I): (I₁/I₀(r/s²) − r)/s²."""
    variance = WIDTH**2 + SIGMA**2
    return (ive(1, radius / variance) / ive(0, radius / variance) - radius) / variance


def exact_score(x):
    radius = np.linalg.norm(x, axis=1, keepdims=True)
    return exact_slope(radius) * x / radius


def train(x, seed=0):
    rng, optimizer = np.random.default_rng(seed), npvae.Adam(3e-3)
    options = {"hidden": (64, 64), "latent_dim": 16, "likelihood": npvae.Gaussian(1.0)}
    model = relatives.Autoencoder.init(2, rng=rng, **options)
    corruption = relatives.GaussianNoise(SIGMA)
    options = {"epochs": 60, "corruption": corruption, "optimizer": optimizer, "rng": rng}
    for record in relatives.train_autoencoder(model, x, **options):
        optimizer.learning_rate = 3e-3 * 0.5 ** (record.epoch / 10)
    return model


def main():
    rng = np.random.default_rng(0)
    x = data(5000, rng)
    model = train(x)
    seen = data(5000, rng) + SIGMA * rng.standard_normal((5000, 2))
    exact = exact_score(seen)
    error = np.sqrt(np.mean((model.score(seen, SIGMA) - exact) ** 2) / np.mean(exact**2))
    print(f"root mean square of the difference, over that of the slope: {error:.3f}")

    figure = Figure(figsize=(8, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(*x[:800].T, ".", color="#BBBBBB", ms=2)
    side = np.linspace(-1.6, 1.6, 15)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    step = model.reconstruct(grid) - grid
    left.quiver(*grid.T, *step.T, color=BLUE, angles="xy", scale_units="xy", scale=1.5, width=0.005)
    left.set(aspect="equal", title="r(x) − x", xlim=(-1.75, 1.75), ylim=(-1.75, 1.75))
    radius = np.linspace(0.02, 1.6, 80)
    right.plot(radius, exact_slope(radius), color="black", lw=1, label="∂ log p/∂r, exact")
    angle = 2 * np.pi * rng.random(80)
    points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    slope = np.sum(model.score(points, SIGMA) * points, axis=1) / radius
    right.plot(radius, slope, ".", color=RED, ms=4, label="(r(x) − x)/σ², outwards")
    right.axhline(0, color="gray", lw=0.6)
    right.set(xlabel="distance from the centre", title="its length, in 80 directions")
    right.legend(fontsize=8, frameon=False)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=80)


if __name__ == "__main__":
    main()
