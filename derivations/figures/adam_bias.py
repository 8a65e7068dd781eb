"""Draws adam_bias.png: Adam's steps under a steady gradient, with three ways to count t."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#888888"
BETA1, BETA2, EPOCH = 0.9, 0.999, 600

step = np.arange(1, 3 * EPOCH + 1)
epoch = (step - 1) // EPOCH + 1


def rests(t):
    """What the weights of m and v add up to after t steps."""
    return 1 - BETA1**t, 1 - BETA2**t


m, v = rests(step)
epoch_m, epoch_v = rests(epoch)

figure = Figure(figsize=(5, 3), layout="constrained")
axes = figure.subplots()
axes.loglog(step, m / np.sqrt(v), ":", color=GREY, linewidth=2, label="no correction")
axes.loglog(
    step,
    (m / epoch_m) / np.sqrt(v / epoch_v),
    "--",
    color=ORANGE,
    label=f"t counts epochs of {EPOCH} steps",
)
axes.loglog(step, np.ones(len(step)), color=BLUE, linewidth=2, label="t counts steps")
axes.set(xlabel="step", ylabel="length / learning_rate", ylim=(0.2, 9))
axes.set_yticks([0.5, 1, 2, 5], ["0.5", "1", "2", "5"])
axes.set_yticks([], minor=True)
axes.set_xticks([1, 10, 100, EPOCH, 2 * EPOCH], ["1", "10", "100", "600", "1200"])
axes.legend(frameon=False, loc="lower left", fontsize=9)
axes.set_title("Adam's step under a steady gradient", fontsize="medium")

figure.savefig(Path(__file__).with_suffix(".png"), dpi=150)
