"""Draws kl_terms.png: five choices of N(mu, σ²) over the prior, and the four terms of each KL."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import norm

from npvae.kl import gaussian_kl_per_dim

CHOICES = {  # mu, σ
    "the prior": (0.0, 1.0),
    "moved": (1.0, 1.0),
    "narrow": (0.0, 0.5),
    "wide": (0.0, 2.0),
    "the toy": (0.5, np.exp(-0.5)),
}
TERMS = {  # label, colour, hatch
    "½ mu²": ("#D55E00", None),
    "½ σ²": ("#F0A35E", None),
    "−½": ("#BBBBBB", None),
    "−½ log σ²": ("#FBDCC0", "////"),
}

figure = Figure(figsize=(6.4, 4.4), layout="constrained")
rows = figure.subplots(2, 5, sharex="row", sharey="row", height_ratios=(1, 1.5))
z = np.linspace(-4, 4, 400)
for upper, lower, (name, (mu, std)) in zip(*rows, CHOICES.items(), strict=True):
    upper.fill_between(z, norm.pdf(z), color="#CCCCCC", linewidth=0)
    upper.plot(z, norm.pdf(z, mu, std), color="#009E73", linewidth=2)
    upper.set_title(f"{name}\nmu = {mu:g}\nσ = {std:.2g}", fontsize=10)
    upper.set(yticks=[], xticks=[-2, 0, 2])

    values = mu**2 / 2, std**2 / 2, -0.5, -np.log(std)
    ends = {True: 0.0, False: 0.0}  # of the stack above 0, and of the one below
    for value, (colour, hatch) in zip(values, TERMS.values(), strict=True):
        end = ends[value > 0]
        lower.bar(0, value, 0.7, end, color=colour, hatch=hatch, edgecolor="white", linewidth=0.5)
        ends[value > 0] += value
    kl = gaussian_kl_per_dim(mu, 2 * np.log(std))
    assert np.isclose(kl, sum(values))
    lower.plot([0.55], [kl], "k<", markersize=6)
    lower.text(0.66, kl, f"{abs(kl):.2f}", va="center", fontsize=10)
    lower.plot([-0.5, 0.45], [0, 0], color="black", linewidth=0.8)
    lower.set(xlim=(-0.5, 1.2), xticks=[])
rows[0, 0].set_ylabel("density")
rows[1, 0].set_ylabel("nats")
patches = [
    rows[1, 0].bar(0, 0, color=colour, hatch=hatch, edgecolor="white", label=label)
    for label, (colour, hatch) in TERMS.items()
]
(triangle,) = rows[1, 0].plot([], [], "k<", label="kl, their sum")
figure.legend(handles=[*patches, triangle], loc="outside lower center", ncols=5, frameon=False)
figure.savefig(Path(__file__).with_suffix(".png"), dpi=130)
