"""Draws two_spaces.png: z-space and x-space, with the encoder and the decoder between them.

The decoder is a formula that bends the plane of z round an arc. The encoder's q(z|x) is the
posterior of this decoder made linear at the z of the x that is shown.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle, ConnectionPatch, Ellipse

P, Q = "#0072B2", "#D55E00"
SIGMA = 0.12  # of p(x|z)
SHOWN = np.array([-1.05, 0.35])  # the z whose x is shown


def decoder(z):
    """z (N, 2) -> the mean of x (N, 2)."""
    angle, radius = np.pi / 2 - 0.95 * z[:, 0], 1.6 + 0.33 * z[:, 1] + 0.12 * z[:, 0]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def ring(axes, centre, sigma, colour, **options):
    for times in (1, 2):
        axes.add_patch(Circle(centre, times * sigma, fill=False, ec=colour, **options))


rng = np.random.default_rng(0)
z = rng.standard_normal((1000, 2))
x = decoder(z) + SIGMA * rng.standard_normal((1000, 2))
here = decoder(SHOWN[None])[0]
jacobian = np.array(
    [(decoder((SHOWN + h)[None]) - decoder((SHOWN - h)[None]))[0] / 2e-5 for h in 1e-5 * np.eye(2)]
)
spread, axes_of_q = np.linalg.eigh(np.linalg.inv(np.eye(2) + jacobian @ jacobian.T / SIGMA**2))

figure = Figure(figsize=(6.4, 3.7), layout="constrained")
left, right = figure.subplots(1, 2)
for axes, dots, title in ((left, z, "z-space: the codes"), (right, x, "x-space: the data")):
    axes.plot(*dots.T, ".", color="0.75", ms=2.5, mec="none")
    axes.set(xticks=[], yticks=[], aspect="equal")
    axes.set_title(title, fontsize=11)
left.set(xlim=(-3.4, 3.4), ylim=(-3.9, 3.3))
right.set(xlim=(-3.0, 3.0), ylim=(-2.95, 3.4))

ring(left, (0, 0), 1, P, lw=1, ls="--")
left.text(0, -3.4, "prior p(z) = N(0, I)", color=P, ha="center", fontsize=10)
angle = np.degrees(np.arctan2(*axes_of_q[::-1, 1]))
for times in (1, 2):
    width, height = 2 * times * np.sqrt(spread[::-1])
    left.add_patch(Ellipse(SHOWN, width, height, angle=angle, fill=False, ec=Q, lw=1.8))
right.plot(*here, "o", color="black", ms=4)
right.annotate("x", here, (-9, 5), textcoords="offset points", fontsize=11)
far = np.array([1.35, -0.45])
left.plot(*far, "o", color=P, ms=5)
left.annotate("z", far, (-2, -13), textcoords="offset points", fontsize=11, color=P)
there = decoder(far[None])[0]
for times in (1, 2):
    right.add_patch(Circle(there, times * SIGMA, fill=False, ec=P, lw=1.8))
arrows = (  # from, to, colour, bend, words and where they stand
    (right, here, left, SHOWN, Q, 0.35, "encoder q(z|x)", (0.5, 0.78)),
    (left, far, right, there, P, 0.28, "decoder p(x|z)", (0.5, 0.285)),
)
for from_axes, start, to_axes, end, colour, bend, words, place in arrows:
    patch = ConnectionPatch(
        start,
        end,
        "data",
        "data",
        axesA=from_axes,
        axesB=to_axes,
        arrowstyle="-|>",
        mutation_scale=14,
        connectionstyle=f"arc3,rad={bend}",
        color=colour,
        lw=1.8,
        shrinkA=4,
        shrinkB=9,
    )
    figure.add_artist(patch)
    box = {"fc": "white", "ec": "none", "pad": 1.5}
    figure.text(*place, words, color=colour, ha="center", va="center", fontsize=10, bbox=box)
figure.savefig(Path(__file__).with_suffix(".png"), dpi=150)
