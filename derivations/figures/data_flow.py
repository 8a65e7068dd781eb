"""Draws data_flow.png: what a VAE computes of one image of two pixels, with the numbers."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

RECONSTRUCTION, KL, PLAIN = "#0072B2", "#D55E00", "#444444"

x, mu, logvar, noise = np.array([1, 0]), 0.5, -1.0, 1.0
z = mu + np.exp(logvar / 2) * noise
logits = z * np.array([2, -1])
log_px_z = np.sum(x * logits - np.log1p(np.exp(logits)))
kl = (mu**2 + np.exp(logvar) - 1 - logvar) / 2

BOXES = {  # name: centre, colour
    "encoder": (2.3, 6, PLAIN),
    "reparameterize": (6.5, 6, PLAIN),
    "decoder": (10.4, 6, RECONSTRUCTION),
    "likelihood": (10.4, 2.9, RECONSTRUCTION),
    "KL": (4.4, 2.9, KL),
    "−": (7.2, 0.6, PLAIN),
}


def text(axes, x, y, words, color="black", **options):
    axes.text(x, y, words, color=color, fontsize=10, va="center", linespacing=1.35, **options)


def arrow(axes, start, end, colour):
    style = {"arrowstyle": "-|>", "color": colour, "lw": 1.5, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops=style)


def number(value):
    return f"{value:.4f}".replace("-", "−")


figure = Figure(figsize=(6.6, 4.6), layout="constrained")
axes = figure.subplots()
axes.set(xlim=(-0.5, 12), ylim=(-0.9, 8.3))
axes.axis("off")
for name, (column, row, colour) in BOXES.items():
    frame = {"boxstyle": "round,pad=0.5", "fc": "white", "ec": colour, "lw": 1.5}
    text(axes, column, row, name, colour, ha="center", bbox=frame)

text(axes, 0.1, 6, "x\n(1, 0)", ha="center")
arrow(axes, (0.65, 6), (1.3, 6), PLAIN)
arrow(axes, (3.3, 6), (4.9, 6), PLAIN)
text(axes, 4.1, 6.8, f"mu {mu}\nlogvar −1", ha="center")
text(axes, 6.5, 7.9, "noise ε = 1", ha="center")
arrow(axes, (6.5, 7.6), (6.5, 6.5), PLAIN)
arrow(axes, (8.05, 6), (9.4, 6), RECONSTRUCTION)
text(axes, 8.7, 6.8, f"z\n{number(z)}", ha="center")
arrow(axes, (10.4, 5.5), (10.4, 3.4), RECONSTRUCTION)
text(axes, 10.2, 4.5, f"logits\n({number(logits[0])}, {number(logits[1])})", ha="right")
text(axes, 7.9, 2.9, "x\n(1, 0)", ha="center")
arrow(axes, (8.4, 2.9), (9.25, 2.9), RECONSTRUCTION)
arrow(axes, (4.4, 5.9), (4.4, 3.4), KL)
arrow(axes, (10.4, 2.4), (7.6, 0.75), RECONSTRUCTION)
text(axes, 9.6, 1.1, f"log p(x|z)\n{number(log_px_z)}", RECONSTRUCTION, ha="left")
arrow(axes, (4.4, 2.4), (6.8, 0.75), KL)
text(axes, 4.9, 1.1, f"kl\n{number(kl)}", KL, ha="right")
arrow(axes, (7.2, 0.1), (7.2, -0.35), PLAIN)
text(axes, 7.2, -0.7, f"bound {number(log_px_z - kl)}", ha="center")
figure.savefig(Path(__file__).with_suffix(".png"), dpi=150)
