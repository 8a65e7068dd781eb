"""Draws signal_by_depth.png: what ten layers do to a signal, there and back."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from npvae import ACTIVATIONS
from npvae.dense import dense_backward_input, init_layers, stack

DEPTH, WIDTH, ROWS = 10, 500, 200
STYLES = {
    "N(0, 0.01²)": (0.01, "#D55E00", "v"),
    "Glorot": ("glorot", "#0072B2", "o"),
    "N(0, 0.3²)": (0.3, "#009E73", "^"),
}


def rms(v):
    return np.sqrt(np.mean(v**2))


numbers = np.arange(1, DEPTH + 1)
figure = Figure(figsize=(9, 3.4), layout="constrained")
left, right = figure.subplots(1, 2, sharex=True)
tanh = ACTIVATIONS["tanh"]
for label, (weight_init, colour, marker) in STYLES.items():
    rng = np.random.default_rng(0)
    layers = init_layers((WIDTH,) * (DEPTH + 2), weight_init, dtype=np.float64, rng=rng)
    x, dh = rng.standard_normal((2, ROWS, WIDTH))
    hidden, _ = stack(x, layers, tanh)
    gradients = []
    for (W, _), h in zip(reversed(layers[:-1]), reversed(hidden), strict=True):
        da = tanh.backward(dh, h)
        gradients.append(rms(da))
        dh = dense_backward_input(da, W)
    left.semilogy(numbers, [rms(h) for h in hidden], marker=marker, color=colour, label=label)
    right.semilogy(numbers, gradients[::-1], marker=marker, color=colour, label=label)
left.set(xlabel="layer", ylabel="root mean square of h", xticks=numbers)
right.set(xlabel="layer", ylabel="root mean square of da")
left.legend(frameon=False)

figure.savefig(Path(__file__).with_suffix(".png"), dpi=150)
