"""Draws valley.png: the paths of four rules in a narrow valley, along the axes and turned."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from npvae import SGD, Adagrad, Adam

STEPS, START = 60, np.array([-4.0, 1.3])
CURVATURES = np.diag([1.0, 50.0])
TURN = np.array([[1.0, -1.0], [1.0, 1.0]]) / np.sqrt(2)  # by 45 degrees
VALLEYS = {  # the matrix A of loss = ½ w A wᵀ, and the start
    "along the axes": (CURVATURES, START),
    "turned by 45°": (TURN @ CURVATURES @ TURN.T, TURN @ START),
}
RULES = {
    "SGD, η = 0.03": (lambda: SGD(0.03), "#0072B2"),
    "momentum 0.9, η = 0.02": (lambda: SGD(0.02, momentum=0.9), "#D55E00"),
    "Adagrad, η = 1": (lambda: Adagrad(1.0), "#009E73"),
    "Adam, η = 0.3": (lambda: Adam(0.3), "#CC79A7"),
}


def path(optimizer, A, start):
    """Every point from the start on, and the loss at each."""
    w, points = start.copy(), [start]
    for _ in range(STEPS):
        optimizer.update([w], [A @ w])
        points.append(w.copy())
    points = np.array(points)
    return points, np.einsum("ti,ij,tj->t", points, A, points) / 2


x, y = np.meshgrid(np.linspace(-4.6, 1.6, 300), np.linspace(-3.9, 2, 300))
figure = Figure(figsize=(5, 6.6), layout="constrained")
axes = figure.subplots(len(RULES), 2)
for row, (name, (make, colour)) in zip(axes, RULES.items(), strict=True):
    for ax, (valley, (A, start)) in zip(row, VALLEYS.items(), strict=True):
        points, losses = path(make(), A, start)
        print(f"{name:23} {valley:15} loss {losses[0]:.0f} to {losses[-1]:.1g}")
        loss = (A[0, 0] * x * x + 2 * A[0, 1] * x * y + A[1, 1] * y * y) / 2
        ax.contour(x, y, loss, [0.3, 2, 8, 50], colors="#BBBBBB", linewidths=0.8)
        ax.plot(*points.T, ".-", color=colour, lw=1, ms=3)
        ax.plot(0, 0, "+", color="black")
        low, high = (-1.7, 1.7) if valley == "along the axes" else (-3.9, 2)
        ax.set(xlim=(-4.6, 1.6), ylim=(low, high), xticks=[], yticks=[])
        ax.set_title(name if valley == "along the axes" else valley, fontsize=10)
        reached = f"loss {losses[-1]:.1g}"
        ax.text(0.97, 0.05, reached, transform=ax.transAxes, ha="right", fontsize=9)
figure.savefig(Path(__file__).with_suffix(".png"), dpi=100)
