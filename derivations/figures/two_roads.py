"""Draws two_roads.png: the arrows of a training step, there and back."""

from pathlib import Path

from matplotlib.figure import Figure

FORWARD, FIRST, SECOND, JOINED = "#888888", "#0072B2", "#D55E00", "#000000"
BOXES = {
    "x": (0, 0, "x\n(B, D)"),
    "heads": (2.4, 0, "mu, logvar\n(B, Z)"),
    "z": (4.5, 1.5, "z\n(L, B, Z)"),
    "output": (7.0, 1.5, "output\n(L, B, ·)"),
    "log_px_z": (9.5, 1.5, "log_px_z\n(L, B)"),
    "kl": (7.0, -1.5, "kl\n(B,)"),
    "bound": (11.4, 0, "bound\n(B,)"),
}
GIVEN = (("z", "noise ε\n(L, B, Z)"), ("log_px_z", "x\n(B, D)"))  # what enters from above
ARROWS = (  # from, to, forward, backward, colour of the way back
    ("x", "heads", "stack\n(encoder)", "dheads,\nbut no dx", JOINED),
    ("heads", "z", "reparameterize", "dmu, dlogvar", FIRST),
    ("z", "output", "stack\n(decoder)", "dz", FIRST),
    ("output", "log_px_z", "log_prob", "doutput", FIRST),
    ("log_px_z", "bound", "mean over L", "dlog_px_z", FIRST),
    ("heads", "kl", "gaussian_kl", "roads.dmu, roads.dlogvar", SECOND),
    ("kl", "bound", "−beta ·", "dkl", SECOND),
)


def arrow(axes, start, end, side, text, colour):
    """One arrow between two boxes, shifted to one side, with its text beyond it."""
    (x0, y0), (x1, y1) = start, end
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
    shift_x, shift_y = -side * (y1 - y0) / length, side * (x1 - x0) / length
    axes.annotate(
        "",
        (x1 + 0.1 * shift_x, y1 + 0.1 * shift_y),
        (x0 + 0.1 * shift_x, y0 + 0.1 * shift_y),
        arrowprops={"arrowstyle": "->", "color": colour, "lw": 1.6, "shrinkA": 32, "shrinkB": 32},
    )
    axes.text(
        (x0 + x1) / 2 + 0.38 * shift_x,
        (y0 + y1) / 2 + 0.38 * shift_y,
        text,
        color=colour,
        ha="center" if y0 == y1 else ("right" if shift_x < 0 else "left"),
        va="center",
        fontsize=9,
    )


figure = Figure(figsize=(11, 5), layout="constrained")
axes = figure.subplots()
axes.set(xlim=(-0.7, 12.1), ylim=(-2.2, 3.3))
axes.axis("off")
for x, y, text in BOXES.values():
    axes.text(x, y, text, ha="center", va="center", fontsize=10)
for start, end, forward, backward, colour in ARROWS:
    here, there = BOXES[start][:2], BOXES[end][:2]
    arrow(axes, here, there, 1, forward, FORWARD)
    arrow(axes, there, here, 1, backward, colour)
for name, text in GIVEN:
    x, y, _ = BOXES[name]
    axes.text(x, y + 1.4, text, ha="center", va="center", fontsize=10)
    style = {"arrowstyle": "->", "color": FORWARD, "lw": 1.6, "shrinkA": 18, "shrinkB": 18}
    axes.annotate("", (x, y), (x, y + 1.4), arrowprops=style)
figure.savefig(Path(__file__).with_suffix(".png"), dpi=150)
