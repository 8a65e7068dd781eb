"""Data to learn from: MNIST, and digits drawn on this machine that need no download."""

from .glyphs import Glyphs, glyph_digits
from .idx import read_idx
from .mnist import Dataset, load_mnist

__all__ = ["Dataset", "Glyphs", "glyph_digits", "load_mnist", "read_idx"]
