"""Draws layer.png: the three products of a layer as rectangles, and a stack there and back."""

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

FORWARD, BACKWARD, GIVEN = "#DDDDDD", "#9ECAE9", "#FFFFFF"
R, D_IN, D_OUT = 0.8, 1.05, 0.5  # rows and columns in inches
SIZE = {"R": R, "D_in": D_IN, "D_out": D_OUT}
PRODUCTS = (  # name, rows, columns, fill: left factor, right factor, result
    (("x", "R", "D_in", FORWARD), ("W", "D_in", "D_out", GIVEN), ("y", "R", "D_out", FORWARD)),
    (("dy", "R", "D_out", BACKWARD), ("Wᵀ", "D_out", "D_in", GIVEN), ("dx", "R", "D_in", BACKWARD)),
    (
        ("xᵀ", "D_in", "R", FORWARD),
        ("dy", "R", "D_out", BACKWARD),
        ("dW", "D_in", "D_out", BACKWARD),
    ),
)
TITLES = ("forward", "back\nto x", "back\nto W")
SUB = {"R": "R", "D_in": "$D_{in}$", "D_out": "$D_{out}$"}


def rectangle(axes, left, middle, name, rows, columns, colour):
    """A matrix, its name inside, its rows at its left and its columns above."""
    height, width = SIZE[rows], SIZE[columns]
    bottom = middle - height / 2
    axes.add_patch(Rectangle((left, bottom), width, height, fc=colour, ec="black", lw=1))
    axes.text(left + width / 2, middle, name, ha="center", va="center", fontsize=12)
    axes.text(left - 0.05, middle, SUB[rows], ha="right", va="center", fontsize=9)
    axes.text(left + width / 2, bottom + height + 0.04, SUB[columns], ha="center", fontsize=9)
    return left + width


def between(axes, x, y, text):
    axes.text(x, y, text, ha="center", va="center", fontsize=13)


figure = Figure(figsize=(5, 5.3))
axes = figure.add_axes((0, 0, 1, 1))
axes.set(xlim=(0, 5), ylim=(0, 5.3))
axes.axis("off")

for (left_factor, right_factor, result), title, middle in zip(
    PRODUCTS, TITLES, (4.55, 3.3, 2.05), strict=True
):
    axes.text(0.05, middle, title, va="center", fontsize=10)
    end = rectangle(axes, 1.0, middle, *left_factor)
    between(axes, end + 0.1, middle, "·")
    end = rectangle(axes, end + 0.52, middle, *right_factor)
    between(axes, end + 0.15, middle, "=")
    rectangle(axes, end + 0.68, middle, *result)


def arrow(axes, end, start, colour):
    style = {"arrowstyle": "->", "lw": 1.5, "color": colour}
    axes.annotate("", end, start, arrowprops=style)


UP, DOWN = "#777777", "#0072B2"
names, places = ("x", "h₁", "h₂", "y"), (0.4, 1.8, 3.2, 4.6)
axes.text(places[0], 0.9, names[0], ha="center", va="center", fontsize=12)
for i in (1, 2, 3):
    before, here = places[i - 1 : i + 1]
    middle, index = (before + here) / 2, "₁₂₃"[i - 1]
    axes.text(here, 0.9, names[i], ha="center", va="center", fontsize=12)
    axes.text(here, 0.2, f"d{names[i]}", ha="center", va="center", fontsize=12, color=DOWN)
    arrow(axes, (here - 0.2, 0.9), (before + 0.2, 0.9), UP)
    weights = f"W{index}, b{index}" + (", f" if i < 3 else "")
    axes.text(middle, 1.0, weights, ha="center", color=UP, fontsize=9)
    if i > 1:
        arrow(axes, (before + 0.25, 0.2), (here - 0.25, 0.2), DOWN)
    arrow(axes, (middle, 0.48), (here - 0.22, 0.28), DOWN)
    axes.text(middle, 0.55, f"dW{index}, db{index}", ha="center", color=DOWN, fontsize=9)
figure.savefig(Path(__file__).with_suffix(".png"), dpi=150)
