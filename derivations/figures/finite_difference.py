"""Draws finite_difference.png: the two branches of a difference quotient's error, and a kink."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#888888"


def error(dtype, h, central=True):
    """Root mean square error of the slope of sin over 400 points."""
    x = np.linspace(0.5, 1, 400).astype(dtype)
    up = x + dtype(h)
    down = x - dtype(h) if central else x
    quotient = (np.sin(up) - np.sin(down)) / (up - down)
    return np.sqrt(np.mean((quotient - np.cos(x.astype(np.float64))) ** 2))


figure = Figure(figsize=(5, 6), layout="constrained")
upper, lower = figure.subplots(2, height_ratios=[3, 2])

h = np.logspace(-12, -0.5, 70)
upper.loglog(h, [error(np.float64, s) for s in h], color=BLUE, label="central, float64")
upper.loglog(
    h, [error(np.float64, s, False) for s in h], "--", color=GREEN, label="one-sided, float64"
)
wide = h[h > 1e-6]
upper.loglog(
    wide, [error(np.float32, s) for s in wide], "-.", color=ORANGE, label="central, float32"
)
upper.axvline(np.cbrt(2.0**-52), color=GREY, linewidth=0.8)
upper.text(8e-6, 2e-2, "h = ∛ε", color=GREY)
upper.text(3e-3, 1e-8, "h²", color=BLUE)
upper.text(2e-10, 3e-9, "ε/h", color=BLUE)
upper.set(title="error of the slope of sin", xlabel="h", ylabel="root mean square error")
upper.set_xticks(10.0 ** np.arange(-12, 0, 2))
upper.legend(frameon=False, fontsize=9, loc="lower left")

distance = 1e-7
h = np.logspace(-9, -5, 200)
slope = (np.maximum(distance + h, 0) - np.maximum(distance - h, 0)) / (2 * h)
steps = np.cbrt(2.0**-52) / 4.0 ** np.arange(5)
lower.semilogx(h, slope, color=BLUE)
lower.semilogx(
    steps,
    (np.maximum(distance + steps, 0) - np.maximum(distance - steps, 0)) / (2 * steps),
    "o",
    color=ORANGE,
    label="steps tried",
)
lower.set(title="slope of ReLU at x = 10⁻⁷", xlabel="h", ylabel="difference quotient")
lower.set_ylim(0.4, 1.1)
lower.legend(frameon=False, fontsize=9)

figure.savefig(Path(__file__).with_suffix(".png"), dpi=150)
