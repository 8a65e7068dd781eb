"""Draws random_node.png: a random node in the gradient's path, and the same with ε beside it."""

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch

GREY, BLUE = "#888888", "#0072B2"


def node(axes, x, y, text, *, random=False):
    """A box for what is computed, a grey circle for what is drawn."""
    if random:
        axes.add_patch(Circle((x, y), 0.52, facecolor="#DDDDDD", edgecolor="black"))
    else:
        style = {"boxstyle": "round,pad=0.08", "facecolor": "white", "edgecolor": "black"}
        axes.add_patch(FancyBboxPatch((x - 0.66, y - 0.34), 1.32, 0.68, **style))
    axes.text(x, y, text, ha="center", va="center", fontsize=11)


def arrow(axes, start, end, colour, *, shift=0.0, text=""):
    """An arrow of one colour, moved sideways by shift, with its text on that side."""
    (x0, y0), (x1, y1) = start, end
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
    dx, dy = shift * (y1 - y0) / length, -shift * (x1 - x0) / length
    style = {"arrowstyle": "->", "color": colour, "lw": 1.8, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (x1 + dx, y1 + dy), (x0 + dx, y0 + dy), arrowprops=style)
    place = (x0 + x1) / 2 + 2.6 * dx, (y0 + y1) / 2 + 2.6 * dy
    axes.text(*place, text, color=colour, ha="left", va="center", fontsize=11)


figure = Figure(figsize=(6.4, 3.8), layout="constrained")
left, right = figure.subplots(1, 2)
for axes in (left, right):
    axes.set(xlim=(-1.9, 3.3), ylim=(-0.5, 4.9), aspect="equal")
    axes.axis("off")
    node(axes, 0, 0, "mu, σ")
    node(axes, 0, 4.4, "f(z)")
    arrow(axes, (0, 2.85), (0, 3.95), GREY)
    arrow(axes, (0, 3.95), (0, 2.85), BLUE, shift=-0.18, text="f '(z)")

left.set_title("z is drawn", fontsize=12)
node(left, 0, 2.2, "z ~ q", random=True)
arrow(left, (0, 0.45), (0, 1.65), GREY)
left.text(0.3, 1.05, "no way back", color=BLUE, fontsize=11, va="center")
left.plot([0.16, -0.16], [0.93, 1.17], color=BLUE, linewidth=2.4)
left.plot([0.16, -0.16], [1.17, 0.93], color=BLUE, linewidth=2.4)

right.set_title("z is computed, from a drawn ε", fontsize=12)
node(right, 0, 2.2, "mu + σ ε")
node(right, 2.5, 2.2, "ε", random=True)
arrow(right, (1.95, 2.2), (0.8, 2.2), GREY)
arrow(right, (0, 0.45), (0, 1.75), GREY)
arrow(right, (0, 1.75), (0, 0.45), BLUE, shift=-0.18, text="× 1 for mu\n× ε for σ")
figure.savefig(Path(__file__).with_suffix(".png"), dpi=130)
