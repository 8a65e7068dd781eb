"""Draws student_pull.png: log p and its slope over the error, of a Gaussian and of Student's t."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import npvae

ERRORS = np.linspace(-8, 8, 641)
KINDS = (
    (npvae.ColumnGaussian(), "Gaussian", "#888888"),
    (npvae.StudentT(4), "t, ν = 4", "#0072B2"),
)

figure = Figure(figsize=(7, 3.2), layout="constrained")
left, right = figure.subplots(1, 2)
x, mean, one = ERRORS[:, None], np.zeros((1, 641, 1)), np.ones((1, 641))
for likelihood, label, color in KINDS:
    learned = likelihood.init_learned(np.float64, 1)
    log_p = likelihood.log_prob(x, mean, **learned)[0]
    pull = likelihood.log_prob_backward(one, x, mean, **learned)[0, :, 0]
    left.plot(ERRORS, log_p, color=color, lw=2, label=label)
    right.plot(ERRORS, pull, color=color, lw=2, label=label)
    print(f"{label}: log p {log_p[-1]:.2f} at an error of 8, the strongest pull {pull.max():.2f}")
right.axhline(0, color="#cccccc", lw=1, zorder=0)
left.set(xlabel="error, in units of σ", title="log p, nats", ylim=(-15, 0))
right.set(xlabel="error, in units of σ", title="pull on the mean", ylim=(-4, 4))
left.legend(frameon=False, loc="lower center")
figure.savefig(Path(__file__).with_suffix(".png"), dpi=150)
