"""Draws tile.png: what one turn of the innermost loop touches, in four versions of y = x W."""

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

B, D, H = 6, 8, 8  # numbers drawn: rows of x and y, terms, columns of W and y
LOADED, CHANGED, KEPT, EMPTY, EDGE = "#56B4E9", "#CC79A7", "#009E73", "#F2F2F2", "#BBBBBB"
GAP = 1.7
PLACES = {"x": (0, 0, B, D), "W": (D + GAP, B + GAP, D, H), "y": (D + GAP, 0, B, H)}
NAMES = {
    "x": (D / 2, B + 0.2, ("center", "bottom")),
    "W": (D + GAP - 0.4, B + GAP + D / 2, ("right", "center")),
    "y": (D + GAP + H / 2, B + 0.05, ("center", "bottom")),
}

# For each version: (array, first row, first column, rows, columns, colour), and an arrow along
# which the innermost loop goes, as (array, from (row, column), to (row, column)).
VERSIONS = {
    "1  for i, for j, for k": (
        [("x", 2, 0, 1, D, LOADED), ("W", 0, 3, D, 1, LOADED), ("y", 2, 3, 1, 1, KEPT)],
        [("x", (2, 0), (2, D - 1)), ("W", (0, 3), (D - 1, 3))],
    ),
    "2  for i, for k, for j": (
        [("x", 2, 4, 1, 1, KEPT), ("W", 4, 0, 1, H, LOADED), ("y", 2, 0, 1, H, CHANGED)],
        [("W", (4, 0), (4, H - 1)), ("y", (2, 0), (2, H - 1))],
    ),
    "3  two rows, four terms": (
        [("x", 2, 4, 2, 4, KEPT), ("W", 4, 0, 4, H, LOADED), ("y", 2, 0, 2, H, CHANGED)],
        [("W", (5.5, 0), (5.5, H - 1)), ("y", (2.5, 0), (2.5, H - 1))],
    ),
    "4  a tile in registers": (
        [("x", 1, 0, 4, D, LOADED), ("W", 0, 2, D, 4, LOADED), ("y", 1, 2, 4, 4, KEPT)],
        [("x", (2.5, 0), (2.5, D - 1)), ("W", (0, 3.5), (D - 1, 3.5))],
    ),
}


def corner(array, row, column):
    """Left edge and upper edge of a cell; rows go down the page."""
    left, bottom, rows, _ = PLACES[array]
    return left + column, bottom + rows - row


def draw(axes, title, cells, arrows):
    axes.set(xlim=(-0.3, D + GAP + H + 0.3), ylim=(-0.3, B + GAP + D + 0.3), aspect="equal")
    axes.axis("off")
    axes.set_title(title, fontsize=11, loc="left")
    for array, (_, _, rows, columns) in PLACES.items():
        for row in range(rows):
            for column in range(columns):
                x, y = corner(array, row, column)
                axes.add_patch(Rectangle((x, y), 1, -1, fc=EMPTY, ec=EDGE, lw=0.4))
    for name, (x, y, sides) in NAMES.items():
        axes.text(x, y, name, fontsize=12, style="italic", ha=sides[0], va=sides[1])
    for array, row, column, rows, columns, colour in cells:
        for i in range(rows):
            for j in range(columns):
                x, y = corner(array, row + i, column + j)
                axes.add_patch(Rectangle((x, y), 1, -1, fc=colour, ec="white", lw=0.6))
    for array, start, end in arrows:
        (x0, y0), (x1, y1) = corner(array, *start), corner(array, *end)
        axes.annotate(
            "",
            (x1 + 0.5, y1 - 0.5),
            (x0 + 0.5, y0 - 0.5),
            arrowprops={
                "arrowstyle": "-|>",
                "lw": 1.4,
                "color": "black",
                "shrinkA": 0,
                "shrinkB": 0,
            },
        )


figure = Figure(figsize=(5.4, 5.7), layout="constrained")
for axes, (title, (cells, arrows)) in zip(
    figure.subplots(2, 2).flat, VERSIONS.items(), strict=True
):
    draw(axes, title, cells, arrows)
handles = [Rectangle((0, 0), 1, 1, fc=colour) for colour in (LOADED, CHANGED, KEPT)]
words = "loaded", "loaded and stored", "stays in registers"
figure.legend(handles, words, loc="outside lower center", ncols=3, fontsize=10, frameon=False)
figure.savefig(Path(__file__).with_suffix(".png"), dpi=110)
