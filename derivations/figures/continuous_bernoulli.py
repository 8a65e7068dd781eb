"""Draws continuous_bernoulli.png: its density, and what its normaliser is worth."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.special import logit

from npvae.likelihoods import Bernoulli, ContinuousBernoulli

COLOURS = {0.02: "#0072B2", 0.2: "#56B4E9", 0.5: "#888888", 0.9: "#D55E00"}


def log_prob(likelihood, x, lightness):
    """log p of each x (N,) at each lightness (N,)."""
    return likelihood.log_prob(x[:, None], logit(lightness)[None, :, None])[0]


figure = Figure(figsize=(8, 3.2), layout="constrained")
left, right = figure.subplots(1, 2)

x = np.linspace(0, 1, 401)
for lightness, colour in COLOURS.items():
    density = np.exp(log_prob(ContinuousBernoulli(), x, np.full_like(x, lightness)))
    cross = np.exp(log_prob(Bernoulli(), x, np.full_like(x, lightness)))
    left.plot(x, density, color=colour, linewidth=2, label=f"λ = {lightness}")
    left.plot(x, cross, "--", color=colour, linewidth=1)
left.set(title="density of a pixel (dashed: without C)", xlabel="x", ylim=(0, 4.2))
left.legend(frameon=False)

lightness = np.linspace(0.0005, 0.9995, 800)
worth = log_prob(ContinuousBernoulli(), lightness, lightness)
worth -= log_prob(Bernoulli(), lightness, lightness)
right.plot(lightness, worth, color="black", linewidth=2)
right.axhline(np.log(2), color="#888888", linestyle=":", label="log 2")
right.set(title="log C(λ), in nats a pixel", xlabel="λ", ylim=(0, 2.2))
right.legend(frameon=False, loc="lower center")

figure.savefig(Path(__file__).with_suffix(".png"), dpi=150)
