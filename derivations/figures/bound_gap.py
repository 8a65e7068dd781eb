"""Draws bound_gap.png: three choices of q for one x, and what each leaves of log p(x)."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import norm

# z ~ N(0, 1) and x = 0.8 z + 0.6 noise, so p(x) = N(0, 1) and p(z|x) = N(0.8 x, 0.36).
X, W, SIGMA = 1.5, 0.8, 0.6
LOG_PX = norm.logpdf(X)
CHOICES = {  # mean and width of q, its colour and line
    "q = the prior": (0.0, 1.0, "#7FC8AE", "--"),
    "q too narrow": (W * X, 0.3, "#2FA37C", "-."),
    "q = the posterior": (W * X, SIGMA, "#00664B", "-"),
}


def bound(mu, std):
    """E_q[log p(x|z)] − KL(q ‖ p(z)), in closed form."""
    error = (X - W * mu) ** 2 + (W * std) ** 2
    reconstruction = -(error / SIGMA**2 + np.log(2 * np.pi * SIGMA**2)) / 2
    return reconstruction - (mu**2 + std**2 - 1 - 2 * np.log(std)) / 2


figure = Figure(figsize=(6.6, 3.4), layout="constrained")
left, right = figure.subplots(1, 2)

z = np.linspace(-3, 3.5, 600)
left.plot(z, norm.pdf(z, W * X, SIGMA), "k:", linewidth=4, label="the posterior, p(z|x)")
for name, (mu, std, colour, line) in CHOICES.items():
    left.plot(z, norm.pdf(z, mu, std), line, color=colour, linewidth=2, label=name)
left.set(xlabel="z", ylabel="density", title=f"p and q at x = {X}", ylim=(-0.07, 2.4))
left.legend(fontsize=9, loc="upper left", frameon=False)

floor = -7
LABELS = ("the prior", "too narrow", "the posterior")
for row, (mu, std, colour, _) in enumerate(CHOICES.values()):
    value = bound(mu, std)
    gap = LOG_PX - value
    right.barh(row, value - floor, left=floor, height=0.5, color=colour)
    right.barh(row, gap, left=value, height=0.5, color="none", edgecolor="0.4", hatch="///")
    right.text(
        value - 0.05,
        row,
        f"bound −{-value:.2f}",
        color="black" if row == 0 else "white",
        ha="right",
        va="center",
    )
    right.text(LOG_PX + 0.06, row, f"gap {gap:.2f}", va="center")
right.axvline(LOG_PX, color="k", linestyle=":", linewidth=2)
right.set(
    xlabel="nats",
    xlim=(floor, -0.3),
    ylim=(2.5, -0.5),
    yticks=range(3),
    yticklabels=[name.replace(" ", "\n") for name in LABELS],
    ylabel="q(z|x)",
    title=f"bound + gap = −{-LOG_PX:.2f}",
)

figure.savefig(Path(__file__).with_suffix(".png"), dpi=130)
