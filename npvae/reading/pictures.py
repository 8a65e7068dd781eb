"""A folder of pictures: one row each, all of one size."""

from __future__ import annotations

from pathlib import Path

import numpy as np

ENDINGS = ".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"
GREY, COLOUR = "L", "RGB"


def read_pictures(folder: Path) -> np.ndarray:
    """All pictures of a folder, in the order of their names.

    -> (N, rows, columns) uint8, or (N, rows, columns, 3) if one of them is in colour
    Raises ValueError, naming the file, if one cannot be read, is transparent or of 16 bits, or is
    of another size than the first; or if there is none.
    """
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in ENDINGS and p.is_file())
    if not paths:
        raise ValueError(f"{folder} holds no picture; expected some of {', '.join(ENDINGS)}")
    pictures: list[np.ndarray] = []
    for path in paths:
        picture = _read(path)
        if picture.shape[:2] != (first := pictures[0] if pictures else picture).shape[:2]:
            raise ValueError(
                f"{path} has {_size(picture)} pixels; {paths[0].name} has {_size(first)}, and all "
                "must have as many"
            )
        pictures.append(picture)
    if len({picture.ndim for picture in pictures}) > 1:
        pictures = [p if p.ndim == 3 else np.repeat(p[..., None], 3, axis=-1) for p in pictures]
    return np.stack(pictures)


def _read(path):
    from PIL import Image  # here, so that no other command need read it

    try:
        with Image.open(path) as image:
            mode, palette = image.mode, image.mode == "P"
            if mode.startswith(("I", "F")):
                raise ValueError(f"it has more than 8 bits a colour (mode {mode})")
            if mode in ("LA", "RGBA", "PA") or "transparency" in image.info:
                image = _opaque(image)
            grey = image.mode in ("1", GREY) and not palette
            return np.asarray(image.convert(GREY if grey else COLOUR))
    except Exception as error:  # Pillow raises a dozen kinds on damaged bytes
        reason = str(error) or type(error).__name__
        raise ValueError(f"{path} is no picture to learn from: {reason}") from error


def _opaque(image):
    """The picture without its alpha, if that hides nothing."""
    grey = image.mode == "LA"
    image = image.convert("RGBA")
    if image.getchannel("A").getextrema() != (255, 255):
        raise ValueError("it is transparent in places; lay it on a background first")
    return image.convert(GREY if grey else COLOUR)


def _size(picture):
    return f"{picture.shape[0]} × {picture.shape[1]}"
