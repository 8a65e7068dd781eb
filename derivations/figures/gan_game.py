"""Draws gan_game.png: steps around the saddle of V = xy, and how fast they leave it."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from npvae.relatives.gan import game

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#888888"
RATE, STEPS = 0.1, 190  # three turns


def orbit(step, start):
    points = [start]
    for _ in range(STEPS):
        points.append(step(points[-1]))
    return np.array(points)[:, :2]


def draw_orbits(axes, orbits):
    for name, (points, colour) in orbits.items():
        axes.plot(*points.T, color=colour, linewidth=1, label=name)
        axes.plot(*points[-1], "o", color=colour, markersize=4)
    axes.plot(0, 0, "k+", markersize=9)
    axes.plot(1, 0, "ks", markersize=4)
    axes.set(xlabel="x, which goes down", aspect="equal")


simultaneous = orbit(lambda p: game.simultaneous_step(*p, RATE), (1.0, 0.0))
alternating = orbit(lambda p: game.alternating_step(*p, RATE), (1.0, 0.0))
means = {
    beta: orbit(lambda p, beta=beta: game.momentum_step(p, RATE, beta), (1.0, 0.0, 0.0, 0.0))
    for beta in (0.5, 0.9)
}
figure = Figure(figsize=(10, 3.5), layout="constrained")
left, middle, right = figure.subplots(1, 3)
draw_orbits(left, {"simultaneous": (simultaneous, ORANGE), "alternating": (alternating, BLUE)})
left.set(ylabel="y, which goes up", title=f"η = {RATE}, {STEPS} steps")
for name, points, colour in (
    ("simultaneous", simultaneous, ORANGE),
    ("alternating", alternating, BLUE),
    ("alternating, β = 0.5", means[0.5], GREEN),
    ("alternating, β = 0.9", means[0.9], GREY),
):
    middle.semilogy(np.linalg.norm(points, axis=1), color=colour, linewidth=1, label=name)
middle.set(xlabel="step", title="distance from the saddle")
left.legend(fontsize=8, frameon=False, loc="lower left")
middle.legend(fontsize=8, frameon=False)

betas = 1 - np.geomspace(1, 0.01, 200)
for rate, colour in ((0.1, ORANGE), (0.03, BLUE), (0.01, GREEN)):
    growth = [game.momentum_growth(rate, beta) - 1 for beta in betas[1:]]
    right.loglog(1 - betas[1:], growth, color=colour, label=f"η = {rate}")
    right.loglog(1 - betas[1:], rate**2 * betas[1:] / (1 - betas[1:]), ":", color="k", linewidth=1)
right.set(xlabel="1 − β", ylabel="|λ| − 1, growth by step", title="dotted: η² β/(1 − β)")
right.set_xlim(1, 0.01)
right.set_ylim(1e-7, 1)
right.legend(fontsize=8, frameon=False)
figure.savefig(Path(__file__).with_suffix(".png"), dpi=100)

for name, points in (("simultaneous", simultaneous), ("alternating", alternating), *means.items()):
    distance = np.linalg.norm(points, axis=1)
    print(f"{name}: distance from the saddle from 1 to {distance[-1]:.2f}")
for beta in (0, 0.5, 0.9):
    print(f"β = {beta}: grows by {game.momentum_growth(RATE, beta) - 1:.5f} a step")
