"""Draws activation_slopes.png: each activation, and its slope as float32 knows it."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from npvae import ACTIVATIONS

COLOURS = {
    "identity": "#999999",
    "tanh": "#0072B2",
    "sigmoid": "#D55E00",
    "relu": "#000000",
    "leaky_relu": "#CC79A7",
    "softplus": "#009E73",
}

figure = Figure(figsize=(9, 3.6), layout="constrained")
left, right = figure.subplots(1, 2)

a = np.linspace(-4, 4, 401)
for name, colour in COLOURS.items():
    style = "--" if name in ("identity", "leaky_relu") else "-"
    left.plot(a, ACTIVATIONS[name].forward(a), style, color=colour, label=name)
left.set(xlabel="a", ylabel="y", ylim=(-1.5, 4))
left.legend(frameon=False)

a = np.linspace(-24, 24, 4801, dtype=np.float32)
for name, style in (("tanh", "-"), ("softplus", "-"), ("sigmoid", "--")):
    forward, backward = ACTIVATIONS[name]
    slope = backward(np.ones_like(a), forward(a))
    alive = slope > 0
    right.semilogy(a[alive], slope[alive], style, color=COLOURS[name], label=name)
    ends = [i for i in np.flatnonzero(alive)[[0, -1]] if 0 < i < len(a) - 1]
    right.plot(a[ends], slope[ends], "x", color=COLOURS[name])
right.set(xlabel="a", ylabel="slope dy/da, in float32")
right.legend(frameon=False)

figure.savefig(Path(__file__).with_suffix(".png"), dpi=150)
