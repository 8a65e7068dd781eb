"""Draws steps.png: three ways to raise a property, in a plane of two codes.

python derivations/figures/steps.py
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from npvae import uses

INK, SHADES = "#444444", ("#D55E00", "#0072B2", "#009E73")


def codes(n, rng):
    """Codes of two numbers that go together, and a property that is a noisy sum of both."""
    mu = rng.standard_normal((n, 2)) @ np.array([[1.6, 0.9], [0.0, 0.45]])
    return mu, mu @ [0.3, 1.0] + 0.8 * rng.standard_normal(n)


def main():
    mu, t = codes(100_000, np.random.default_rng(0))
    answer = uses.directions(mu, t)
    w, step = answer.weights[:, 0], 2 * answer.steps[0]
    arrows = {
        "along W": 2 * w / (w @ w),
        "the step, A/r²": step,
        "the mean shift A": 2 * uses.mean_shift(mu, t),
    }
    figure = Figure(figsize=(6.5, 3.6), layout="constrained")
    axes = figure.subplots()
    lengths, turn = np.linalg.eigh(np.cov(mu.T))
    angle = np.degrees(np.arctan2(turn[1, 1], turn[0, 1]))
    reach = np.sqrt(step @ np.linalg.solve(np.cov(mu.T), step))
    for widths in (1, 2, reach):
        height, width = 2 * widths * np.sqrt(lengths)
        axes.add_patch(Ellipse((0, 0), width, height, angle=angle, fill=False, ec="0.75"))
    along = np.array([-3.5, 3.5])
    for rise in (0, 1, 2):
        axes.plot(along, (rise - along * w[0]) / w[1], ":", color=INK, lw=1)
        axes.text(-3.4, (rise + 3.4 * w[0]) / w[1] + 0.06, f"t̂ + {rise}", fontsize=8, color=INK)
    arrow = {"arrowstyle": "->", "lw": 2, "shrinkA": 0, "shrinkB": 0}
    for (name, (right, up)), shade in zip(arrows.items(), SHADES, strict=True):
        axes.annotate("", (right, up), (0, 0), arrowprops=arrow | {"color": shade})
        axes.plot([], [], color=shade, lw=2, label=name)
    axes.set(xlim=(-3.5, 3.5), ylim=(-2.1, 3.5), aspect="equal", xlabel="mu₁", ylabel="mu₂")
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=120)
    print(f"r² {answer.r2[0]:.2f}")


if __name__ == "__main__":
    main()
