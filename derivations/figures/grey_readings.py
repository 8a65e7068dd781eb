"""Draws grey_readings.png: the best constant answer of four likelihoods for one grey pixel."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import norm

import npvae

PIXEL = 10 * 28 + 13  # a row and a column where strokes often end
BINS = 16
BLUE = "#0072B2"

rng = np.random.default_rng(0)
x = npvae.datasets.glyph_digits(4000, rng=rng).images[:, [PIXEL]].astype(np.float64)
x = np.clip(np.rint(255 * x), 0, 255) / 255  # levels, as on a disk

edges = np.linspace(0, 1, BINS + 1)
middle, width = (edges[1:] + edges[:-1]) / 2, 1 / BINS
shares = np.histogram(x, edges)[0] / len(x)


def density(likelihood, grid, output, **learned):
    """p(x) of each entry of grid under one output."""
    output = np.tile(output, (1, len(grid), 1))
    return np.exp(likelihood.log_prob(grid[:, None], output, **learned)[0])


figure = Figure(figsize=(7, 5), layout="constrained")
panels = figure.subplots(2, 2, sharex=True, sharey=True)
mean = x.mean(axis=0)
for axes in panels.flat:
    axes.bar(middle, shares, width, color="#cccccc", label="data")
(first, second), (third, fourth) = panels

bernoulli = npvae.Bernoulli()
p = density(bernoulli, np.array([0.0, 1.0]), bernoulli.output_bias(mean))
first.bar([0, 1], p, 0.03, color=BLUE)
first.set_title("Bernoulli: two values")

gaussian = npvae.LearnedGaussian()
grid = np.linspace(-0.6, 1.6, 400)
p = density(gaussian, grid, mean, logvar=np.log([x.var()]))
second.plot(grid, width * p, color=BLUE, lw=2)
second.set_title("Gaussian: also outside [0, 1]")

continuous = npvae.ContinuousBernoulli()
grid = np.linspace(0, 1, 200)
third.plot(grid, width * density(continuous, grid, continuous.output_bias(mean)), color=BLUE, lw=2)
third.set_title("continuous Bernoulli: one-sided")

categorical = npvae.Categorical(256)
frequency = np.bincount(np.rint(255 * x[:, 0]).astype(int), minlength=256) / len(x)
output = np.log(np.maximum(frequency, 1e-12))
levels = np.arange(256) / 255
p = density(categorical, levels, output)
fourth.step(middle, np.histogram(levels, edges, weights=p)[0], where="mid", color=BLUE, lw=2)
fourth.set_title("categorical: any shape")

outside = norm.cdf(0, mean, x.std()) + norm.sf(1, mean, x.std())
print(f"{outside.item():.0%} of the Gaussian lies outside [0, 1]")
for likelihood in (bernoulli, gaussian, continuous, categorical):
    print(f"{likelihood!r:30s} floor {likelihood.floor(x):7.2f} nats")
for axes in (third, fourth):
    axes.set_xlabel("the pixel x")
for axes in (first, third):
    axes.set_ylabel("share in each 1/16")
figure.savefig(Path(__file__).with_suffix(".png"), dpi=150)
