"""A black pixel under a growing logit, in float32: three ways to its cost and slope."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import npvae

logits = np.linspace(0, 30, 1201, dtype=np.float32)
one = np.float32(1)

column = logits[None, :, None]  # (L, B, D) = (1, 1201, 1)
black = np.zeros((len(logits), 1), np.float32)
bernoulli = npvae.Bernoulli()
cost = -bernoulli.log_prob(black, column)[0]
slope = -bernoulli.log_prob_backward(np.ones((1, len(logits)), np.float32), black, column)[0, :, 0]

m = one / (one + np.exp(-logits))
with np.errstate(divide="ignore", invalid="ignore"):
    naive_cost = -np.log(one - m)
    naive_slope = m * (one - m) / (one - m)
naive_cost[~np.isfinite(naive_cost)] = np.nan  # drawn as the end of the line
clipped = np.clip(m, np.float32(1e-7), one - np.float32(1e-7))
clipped_cost = -np.log(one - clipped)
clipped_slope = np.where(clipped == m, naive_slope, 0)

ways = {
    "from the logit": (cost, slope, {"color": "#0072B2", "lw": 2}),
    "through a clipped probability": (
        clipped_cost,
        clipped_slope,
        {"color": "#D55E00", "ls": "--"},
    ),
    "through the probability": (naive_cost, naive_slope, {"color": "black", "ls": ":", "lw": 3}),
}
figure = Figure(figsize=(8, 3.2), layout="constrained")
left, right = figure.subplots(1, 2)
for label, (value, gradient, style) in ways.items():
    left.plot(logits, value, label=label, **style)
    right.plot(logits, gradient, **style)
left.set(xlabel="logit a of a black pixel", ylabel="−log p(x = 0), nats", ylim=(0, 31))
right.set(xlabel="logit a of a black pixel", ylabel="slope of the cost", ylim=(-0.05, 1.1))
left.legend(frameon=False)
for axes, height, word in ((left, 22, "infinite"), (right, 0.5, "not a number")):
    axes.annotate(
        f"{word}\nfrom 16.64 on",
        (16.64, 16.3 if axes is left else 0.98),
        (19, height - 14 if axes is left else height),
        arrowprops={"arrowstyle": "->"},
    )
figure.savefig(Path(__file__).with_suffix(".png"), dpi=150)
