"""Data to learn from: MNIST, and digits and moons drawn on this machine that need no download."""

from .glyphs import Glyphs, glyph_digits
from .idx import read_idx
from .mnist import Dataset, load_mnist
from .moons import MoonFactors, Moons, draw_moons, random_moons

__all__ = [
    "Dataset",
    "Glyphs",
    "MoonFactors",
    "Moons",
    "draw_moons",
    "glyph_digits",
    "load_mnist",
    "random_moons",
    "read_idx",
]
