"""A digit, the digit with a piece missing, the digit moved: which is further away?"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

SEVEN = """
----------
-########-
-########-
-------##-
------##--
------##--
-----##---
-----##---
----##----
----##----
----------"""

seven = np.array([[ink == "#" for ink in row] for row in SEVEN.split()], float)
broken = seven.copy()
broken[:4, :5] = 0
moved = np.roll(seven, 1, axis=1)

figure = Figure(figsize=(7, 2.85), layout="constrained")
pictures = {"x": seven, "broken": broken, "moved": moved}
for axes, (name, image) in zip(figure.subplots(1, 3), pictures.items(), strict=True):
    axes.imshow(image, cmap="gray_r", vmin=0, vmax=1)
    for row, column in np.argwhere(image != seven):  # the pixels that are counted
        axes.plot(column, row, "x", color="#D55E00", mew=2)
    distance = f": squared distance {np.sum((image - seven) ** 2):.0f}" if name != "x" else ""
    axes.set_title(name + distance, fontsize=10)
    axes.set(xticks=[], yticks=[])
figure.savefig(Path(__file__).with_suffix(".png"), dpi=150)
