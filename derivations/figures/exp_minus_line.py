"""Draws exp_minus_line.png: why the KL is never negative, and what float32 makes of it."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

ORANGE, GREY = "#D55E00", "#777777"

figure = Figure(figsize=(6.4, 3.1), layout="constrained")
left, right = figure.subplots(1, 2)

t = np.linspace(-4.5, 2.5, 401)
left.axhline(0, color="black", linewidth=0.8)
left.plot(t, (np.expm1(t) - t) / 2, color=ORANGE, linewidth=2, label="½ (exp(t) − 1 − t)")
left.plot(t, t * t / 4, "--", color=GREY, label="t²/4")
left.plot(t, (-1 - t) / 2, ":", color=GREY, linewidth=2, label="½ (−1 − t)")
left.set(title="the price of a width", xlabel="t = logvar", ylabel="nats", ylim=(-0.2, 2.75))
left.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.52, 1))

t = np.linspace(-6e-4, 6e-4, 401, dtype=np.float32)
naive, careful = (np.exp(t) - 1 - t) / 2, (np.expm1(t) - t) / 2
right.axhline(0, color="black", linewidth=0.8)
right.plot(1e3 * t, 1e7 * naive, color=GREY, linewidth=0.8, label="½ (exp(t) − 1 − t)")
right.plot(1e3 * t, 1e7 * careful, color=ORANGE, linewidth=2, label="½ (expm1(t) − t)")
right.set(title="in float32, near the prior", xlabel="t / 10⁻³", ylabel="nats / 10⁻⁷")
right.set_ylim(-0.5, 1.8)
right.legend(frameon=False, loc="upper center")

figure.savefig(Path(__file__).with_suffix(".png"), dpi=130)
