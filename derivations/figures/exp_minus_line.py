"""Draws exp_minus_line.png: why the KL is never negative, and what float32 makes of it."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#888888"

figure = Figure(figsize=(8, 3.2), layout="constrained")
left, right = figure.subplots(1, 2)

a = np.linspace(-4.5, 2.5, 401)
left.axhline(0, color="black", linewidth=0.8)
left.plot(a, np.expm1(a) - a, color=BLUE, linewidth=2, label="exp(a) − 1 − a")
left.plot(a, a * a / 2, "--", color=ORANGE, label="a²/2")
left.plot(a, -1 - a, ":", color=GREY, label="−1 − a")
left.set(title="twice the price of a width, in nats", xlabel="a = log σ²", ylim=(-0.4, 5.5))
left.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.52, 1))

a = np.linspace(-6e-4, 6e-4, 401, dtype=np.float32)
right.axhline(0, color="black", linewidth=0.8)
right.plot(1e3 * a, 1e7 * (np.exp(a) - 1 - a), color=ORANGE, linewidth=0.8, label="exp(a) − 1 − a")
right.plot(1e3 * a, 1e7 * (np.expm1(a) - a), color=BLUE, linewidth=2, label="expm1(a) − a")
right.set(title="in float32, near the prior", xlabel="a / 10⁻³", ylabel="nats / 10⁻⁷")
right.set_ylim(-1, 3.4)
right.legend(frameon=False, loc="upper center")

figure.savefig(Path(__file__).with_suffix(".png"), dpi=150)
