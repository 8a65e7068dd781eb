"""Draws bernoulli_logit.png: log p of a white, a grey and a black pixel, and its slope."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import npvae

PIXELS = {1.0: ("x = 1", "#56B4E9"), 0.5: ("x = ½", "#888888"), 0.0: ("x = 0", "black")}

logits = np.linspace(-6, 6, 601)
bernoulli = npvae.Bernoulli()
figure = Figure(figsize=(7, 3.2), layout="constrained")
left, right = figure.subplots(1, 2)
for x, (label, color) in PIXELS.items():
    pixels, column = np.full((601, 1), x), logits[None, :, None]
    left.plot(logits, bernoulli.log_prob(pixels, column)[0], color=color, lw=2, label=label)
    slope = bernoulli.log_prob_backward(np.ones((1, 601)), pixels, column)[0, :, 0]
    right.plot(logits, slope, color=color, lw=2, label=label)
    if x == 0.5:
        left.plot(0, -np.log(2), "o", color=color)
        left.annotate(
            "−log 2", (0.1, -np.log(2)), (3.4, -0.75), va="center", arrowprops={"arrowstyle": "->"}
        )
        right.plot(0, 0, "o", color=color)
left.axhline(0, color="#cccccc", lw=1, zorder=0)
right.axhline(0, color="#cccccc", lw=1, zorder=0)
left.set(xlabel="logit a", title="log p of the pixel, nats", ylim=(-6, 0.5))
right.set(xlabel="logit a", title="its slope, x − sigmoid(a)", ylim=(-1.1, 1.1))
left.legend(frameon=False, loc="lower center")
figure.savefig(Path(__file__).with_suffix(".png"), dpi=150)
