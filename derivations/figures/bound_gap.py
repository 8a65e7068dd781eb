"""Draws bound_gap.png: three choices of q for one x, and what each leaves of log p(x)."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import norm

# z ~ N(0, 1) and x = 0.8 z + 0.6 noise, so p(x) = N(0, 1) and p(z|x) = N(0.8 x, 0.36).
X, W, SIGMA = 1.5, 0.8, 0.6
LOG_PX = norm.logpdf(X)
CHOICES = {  # mean and width of q
    "q = the prior": (0.0, 1.0, "#D55E00"),
    "q too narrow": (W * X, 0.25, "#CC79A7"),
    "q = the posterior": (W * X, SIGMA, "#0072B2"),
}


def bound(mu, std):
    """E_q[log p(x|z)] − KL(q ‖ p(z)), in closed form."""
    error = (X - W * mu) ** 2 + (W * std) ** 2
    reconstruction = -(error / SIGMA**2 + np.log(2 * np.pi * SIGMA**2)) / 2
    return reconstruction - (mu**2 + std**2 - 1 - 2 * np.log(std)) / 2


figure = Figure(figsize=(9, 3.3), layout="constrained")
left, right = figure.subplots(1, 2)

z = np.linspace(-3, 3.5, 600)
left.plot(z, norm.pdf(z, W * X, SIGMA), "k:", linewidth=4, label="the posterior, p(z|x)")
for name, (mu, std, colour) in CHOICES.items():
    left.plot(z, norm.pdf(z, mu, std), color=colour, label=name)
left.set(xlabel="z", ylabel="density", title=f"three choices of q(z|x) at x = {X}")
left.legend(fontsize=8, loc="upper left", frameon=False)

floor = -6
for row, (mu, std, colour) in enumerate(CHOICES.values()):
    value = bound(mu, std)
    gap = LOG_PX - value
    right.barh(row, value - floor, left=floor, height=0.5, color=colour)
    right.barh(row, gap, left=value, height=0.5, color="none", edgecolor="0.4", hatch="///")
    right.text(value - 0.05, row, f"bound {value:.2f}", color="white", ha="right", va="center")
    right.text(LOG_PX + 0.06, row, f"gap {gap:.2f}", va="center")
right.axvline(LOG_PX, color="k", linestyle=":", linewidth=2)
right.set(
    xlabel="nats",
    xlim=(floor, -1.0),
    ylim=(2.5, -0.5),
    yticks=range(3),
    yticklabels=list(CHOICES),
    title=f"log p(x) = {LOG_PX:.2f} = bound + gap",
)

figure.savefig(Path(__file__).with_suffix(".png"), dpi=150)
