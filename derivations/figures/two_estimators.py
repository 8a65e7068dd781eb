"""Draws two_estimators.png: the variance of one draw of d/dmu E[cos z], by two estimators."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import brentq

MU = 1.0
BLUE, PURPLE = "#0072B2", "#882255"


def pathwise(sigma):
    """Var[−sin z], z ~ N(mu, σ²)."""
    return (1 - np.exp(-2 * sigma**2) * np.cos(2 * MU)) / 2 - gradient(sigma) ** 2


def score_function(sigma):
    """Var[ε cos z / σ], z = mu + σ ε."""
    shrunk = np.exp(-2 * sigma**2) * np.cos(2 * MU)
    return (1 + shrunk * (1 - 4 * sigma**2)) / (2 * sigma**2) - gradient(sigma) ** 2


def gradient(sigma):
    """d/dmu E[cos z]."""
    return -np.exp(-(sigma**2) / 2) * np.sin(MU)


turn = brentq(lambda sigma: pathwise(sigma) - score_function(sigma), 0.5, 2)
print(f"the order turns at σ = {turn:.3f}")

figure = Figure(figsize=(6.4, 3.1), layout="constrained")
left, right = figure.subplots(1, 2)
z = np.linspace(-5, 7, 600)
left.plot(z, np.cos(z), "k", linewidth=1, label="f(z) = cos z")
for sigma, style in ((0.5, "-"), (2.0, "--")):
    density = np.exp(-(((z - MU) / sigma) ** 2) / 2) / (np.sqrt(2 * np.pi) * sigma)
    left.plot(z, density, style, color="#009E73", linewidth=2, label=f"q, σ = {sigma:g}")
left.set(xlabel="z", title="E[cos z], two widths of q", ylim=(-1.15, 2.1))
left.legend(frameon=False, loc="upper right", fontsize=10)

sigma = np.geomspace(0.1, 5, 300)
right.loglog(sigma, score_function(sigma), color=PURPLE, linewidth=2, label="score function")
right.loglog(sigma, pathwise(sigma), color=BLUE, linewidth=2, label="pathwise")
right.axvline(turn, color="0.6", linewidth=1, linestyle=":")
right.set(xlabel="σ", ylabel="variance of one draw", title="estimators of its gradient")
right.set(xticks=[0.1, 0.5, 1, 2, 5], xticklabels=["0.1", "0.5", "1", "2", "5"])
right.minorticks_off()
right.legend(frameon=False, fontsize=10)
figure.savefig(Path(__file__).with_suffix(".png"), dpi=130)
