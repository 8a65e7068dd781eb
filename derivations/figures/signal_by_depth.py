"""Draws signal_by_depth.png: what ten layers do to a signal, there and back."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from npvae import ACTIVATIONS
from npvae.dense import dense_backward_input, init_layers, stack

DEPTH, WIDTH, ROWS = 10, 500, 200
STYLES = {
    "std 0.01": (0.01, "#D55E00", "v"),
    "std 0.3": (0.3, "#009E73", "^"),
    "Glorot": ("glorot", "#0072B2", "o"),
    "He": ("he", "#000000", "s"),
}
ROWS_OF_THE_FIGURE = {"tanh": ("std 0.01", "std 0.3", "Glorot"), "relu": ("Glorot", "He")}


def rms(v):
    return np.sqrt(np.mean(v**2))


def sizes(activation, weight_init):
    """Root mean squares, layer by layer -> of h, of da"""
    rng = np.random.default_rng(0)
    layers = init_layers((WIDTH,) * (DEPTH + 2), weight_init, dtype=np.float64, rng=rng)
    x, dh = rng.standard_normal((2, ROWS, WIDTH))
    hidden, _ = stack(x, layers, activation)
    gradients = []
    for (W, _), h in zip(reversed(layers[:-1]), reversed(hidden), strict=True):
        da = activation.backward(dh, h)
        gradients.append(rms(da))
        dh = dense_backward_input(da, W)
    return [rms(h) for h in hidden], gradients[::-1]


numbers = np.arange(1, DEPTH + 1)
figure = Figure(figsize=(5, 5), layout="constrained")
axes = figure.subplots(2, 2, sharex=True)
for (left, right), (name, scales) in zip(axes, ROWS_OF_THE_FIGURE.items(), strict=True):
    for scale in scales:
        weight_init, colour, marker = STYLES[scale]
        forward, backward = sizes(ACTIVATIONS[name], weight_init)
        left.semilogy(numbers, forward, marker=marker, ms=4, color=colour, label=scale)
        right.semilogy(numbers, backward, marker=marker, ms=4, color=colour)
        print(f"{name:4}  {scale:8}  h at 10 {forward[-1]:.2g}   da at 1 {backward[0]:.2g}")
    title = {"tanh": "tanh", "relu": "ReLU"}[name]
    left.set_title(f"{title}: size of h, forward", fontsize=10)
    right.set_title(f"{title}: size of da, back", fontsize=10)
    left.legend(frameon=False, fontsize=9)
for ax in axes[1]:
    ax.set_xlabel("layer")
    ax.set_ylim(1e-2, 3)
    ax.set_xticks([1, 5, 10])

figure.savefig(Path(__file__).with_suffix(".png"), dpi=150)
