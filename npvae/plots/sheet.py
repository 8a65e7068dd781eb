"""Many images in one array, and the Figure that shows it."""

import io
import math

import matplotlib.figure
import numpy as np

GAP = 1  # pixel between images
POINTS_PER_INCH = 72
DPI = 2 * POINTS_PER_INCH
ROOM, LEAST = 600, 28  # points: a small sheet is enlarged to the one, a small image to the other
LARGEST = 30_000  # points a side; Agg draws 2¹⁶ dots
PAD, LINE, TITLE = 12, 16, 300  # points: a margin, a line of text, the widest title


class Figure(matplotlib.figure.Figure):
    """matplotlib's, which a notebook shows when it is a cell's last value, without pyplot."""

    def _repr_png_(self):
        file = io.BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()


def tile(images, across, *, gap=GAP):
    """Image i at row i // across and column i % across of a sheet, with NaN between.

    images (N, rows, columns) -> (⌈N/across⌉ (rows + gap) − gap, across (columns + gap) − gap)
    images (N, rows, columns, 3) -> the same with a last axis of 3
    """
    n, rows, columns, *colours = images.shape
    down = -(-n // across)
    cells = np.full((down * across, rows + gap, columns + gap, *colours), np.nan, images.dtype)
    cells[:n, :rows, :columns] = images
    sheet = cells.reshape(down, across, *cells.shape[1:]).swapaxes(1, 2)
    sheet = sheet.reshape(down * (rows + gap), across * (columns + gap), *colours)
    return sheet[: len(sheet) - gap, : sheet.shape[1] - gap]


def centres(n, side, *, gap=GAP):
    """Where the middles of n images, `side` pixels each, lie along a sheet."""
    return np.arange(n) * (side + gap) + (side - 1) / 2


def sheet_figure(sheet, title, shape, *, left=PAD, bottom=PAD):
    """A Figure of a sheet of images of that shape, and its Axes.

    left and bottom are points of room for labels
    0 is black and 1 white, or no red, green or blue and all of it; if 1 % of the numbers or
    more lie outside, the title says so.
    Every pixel starts at a point and is a whole number of them wide: none is resampled.
    Raises ValueError if the sheet is too large to draw.
    """
    scale = max(ROOM // max(sheet.shape), math.ceil(LEAST / min(shape[:2])))
    height, width = (scale * side for side in sheet.shape[:2])
    if max(height, width) > LARGEST:
        raise ValueError(
            f"the images would fill {width:,} × {height:,} points; at most {LARGEST:,} a side can "
            "be drawn, so show fewer"
        )
    title += _clipping(sheet)
    top = LINE * (1 + title.count("\n")) + PAD
    figure, axes = _framed(width, height, left, max(width, TITLE) - width + PAD, bottom, top)
    if sheet.ndim == 3:  # of colours matplotlib leaves no NaN white, and clips with a warning
        sheet = np.clip(np.nan_to_num(sheet, nan=1), 0, 1)
    axes.imshow(sheet, cmap="gray", vmin=0, vmax=1, interpolation="none", origin="upper")
    axes.set_title(title, loc="left", fontsize="medium")
    axes.set(xticks=[], yticks=[])
    axes.tick_params(length=0, labelsize="small")
    axes.spines[:].set_visible(False)
    axes.grid(False)
    return figure, axes


def _clipping(sheet):
    pixels = sheet[~np.isnan(sheet)]
    clipped = np.mean((pixels < 0) | (pixels > 1))
    return f"\n{clipped:.0%} of the pixels lie outside [0, 1]: clipped" if clipped >= 0.01 else ""


def _framed(width, height, left, right, bottom, top):
    """A Figure and its Axes, width × height with those margins, all in points."""
    size = left + width + right, bottom + height + top
    figure = Figure([side / POINTS_PER_INCH for side in size], dpi=DPI)
    axes = figure.add_axes((left / size[0], bottom / size[1], width / size[0], height / size[1]))
    return figure, axes
