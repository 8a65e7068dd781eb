"""Draws two_roads.png: the arrows of a training step, there and back, with the toy's numbers."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import npvae
from npvae.dense import Layer

FORWARD, FIRST, SECOND, JOINED = "#777777", "#0072B2", "#D55E00", "#000000"


def numbers(a):
    """An array's numbers as text, in brackets if there are several."""
    texts = [f"{v:.4f}".rstrip("0").rstrip(".").replace("-", "−") for v in np.ravel(a)]
    return texts[0] if len(texts) == 1 else f"({', '.join(texts)})"


encoder = [Layer(np.zeros((2, 2)), np.array([0.5, -1.0]))]
decoder = [Layer(np.array([[2.0, -1.0]]), np.zeros(2))]
toy = npvae.VAE(npvae.Params(encoder, decoder, {}), npvae.Bernoulli(), "tanh")
x, noise = np.array([[1.0, 0.0]]), np.ones((1, 1, 1))
trace = npvae.elbo(toy, x, noise)
grads = npvae.elbo_backward(np.ones(1), toy, x, noise, trace)
roads = trace.objective.bound_backward(np.ones(1), trace, noise)
doutput = toy.likelihood.log_prob_backward(roads.dlog_px_z, x, trace.decoder_output)
dz = doutput @ decoder[0].W.T
dmu, dlogvar = npvae.reparameterization.reparameterize_backward(dz, trace.logvar, noise)
dheads = grads.encoder[0].b

LEFT, MIDDLE, RIGHT = 1.3, 2.5, 3.75  # lanes, in inches
BOXES = {  # inches from the lower left, and what stands there
    "x": (MIDDLE, 0.2, "x = (1, 0)"),
    "heads": (MIDDLE, 1.2, "mu = 0.5,   logvar = −1"),
    "z": (LEFT, 2.3, f"z = {numbers(trace.z)}"),
    "output": (LEFT, 3.4, f"output = {numbers(trace.decoder_output)}"),
    "log_px_z": (LEFT, 4.5, f"log_px_z = {numbers(trace.log_px_z)}"),
    "kl": (RIGHT, 3.4, f"kl = {numbers(trace.kl)}"),
    "bound": (MIDDLE, 5.6, f"bound = {numbers(trace.bound)}"),
}
ARROWS = (  # lane, from, to, forward, backward, colour of the way back
    (MIDDLE, "x", "heads", "encoder", f"dheads = {numbers(dheads)},\nbut no dx", JOINED),
    (
        *(LEFT, "heads", "z", "repara-\nmeterize"),
        f"dmu = {numbers(dmu)}\ndlogvar = {numbers(dlogvar)}",
        FIRST,
    ),
    (LEFT, "z", "output", "decoder", f"dz = {numbers(dz)}", FIRST),
    (LEFT, "output", "log_px_z", "log_prob", f"doutput =\n{numbers(doutput)}", FIRST),
    (LEFT, "log_px_z", "bound", "mean over L", "dlog_px_z = 1", FIRST),
    (
        *(RIGHT, "heads", "kl", "gaussian_kl"),
        f"roads.dmu\n= {numbers(roads.dmu)}\nroads.dlogvar\n= {numbers(roads.dlogvar)}",
        SECOND,
    ),
    (RIGHT, "kl", "bound", "−beta ·", "dkl = −1", SECOND),
)
GIVEN = (("z", "ε = 1"), ("log_px_z", "x"))  # what enters from the left


def arrow(axes, start, end, colour):
    style = {"arrowstyle": "->", "color": colour, "lw": 1.6, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops=style)


figure = Figure(figsize=(5, 5.8))
axes = figure.add_axes((0, 0, 1, 1))
axes.set(xlim=(0, 5), ylim=(0, 5.8))
axes.axis("off")
for x0, y0, text in BOXES.values():
    axes.text(x0, y0, text, ha="center", va="center", fontsize=10)
for y0 in (BOXES["heads"][1] + 0.14, BOXES["bound"][1] - 0.14):  # where the roads part and meet
    axes.plot([LEFT - 0.3, RIGHT + 0.3], [y0, y0], color="black", lw=1)
for lane, start, end, forward, backward, colour in ARROWS:
    low, high = BOXES[start][1] + 0.2, BOXES[end][1] - 0.2
    middle = (low + high) / 2
    arrow(axes, (lane - 0.07, low), (lane - 0.07, high), FORWARD)
    arrow(axes, (lane + 0.07, high), (lane + 0.07, low), colour)
    style = {"va": "center", "fontsize": 9}
    axes.text(lane - 0.16, middle, forward, color=FORWARD, ha="right", **style)
    axes.text(lane + 0.16, middle, backward, color=colour, ha="left", **style)
for name, text in GIVEN:
    y0 = BOXES[name][1]
    axes.text(0.05, y0, text, ha="left", va="center", fontsize=10)
    arrow(axes, (0.1 + 0.08 * len(text), y0), (0.72 if name == "z" else 0.55, y0), FORWARD)
figure.savefig(Path(__file__).with_suffix(".png"), dpi=150)
