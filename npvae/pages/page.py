"""A model and some rows of data -> one HTML file."""

import html
import json
import math
import os
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from .._checks import check_positive_int
from ..elbo import elbo
from ..evaluation import summarize
from ..likelihoods import (
    Bernoulli,
    Categorical,
    ContinuousBernoulli,
    Gaussian,
    HeteroscedasticGaussian,
    LearnedGaussian,
)
from ..vae import VAE
from .packing import pack_layers, rounded, text

PRECISIONS = 8, 16, 32
LIKELIHOODS = (  # of which likelihoods.js holds the formulas
    Bernoulli,
    ContinuousBernoulli,
    Gaussian,
    HeteroscedasticGaussian,
    LearnedGaussian,
    Categorical,
)
LARGEST_PAGE = 64_000_000  # bytes: browsers take seconds to open more
ROWS = 48  # on the page, at most
ROW_BYTES = 300_000  # of all those rows
SCRIPTS = "chance", "likelihoods", "model", "pictures", "pen", "explorer", "walks", "events"
PLACE = re.compile(r"\{\{(\w+)\}\}")


def explore(
    vae: VAE,
    x: ArrayLike,
    path: str | os.PathLike,
    *,
    shape: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
    precision: int = 8,
    source: str = "the data",
) -> float:
    """Write one HTML file in which to try the model: encode, decode, bound, latents, samples.

    x (N, D)        rows such as the model was trained on, N >= 2: some of them, evenly spaced,
                    go to the page, and all say which latents are alive
    shape           (rows, columns) of an image, (rows, columns, 3) in colour, or (D,) of a
                    table's row; None: a square image if D is a square, else a table's row
    names           D names of a table's columns; None: their numbers
    precision       8, 16 or 32 bits a weight
    source          what the page calls x
    -> the most by which rounding the weights changes the bound of a row shown, in nats, at z = mu
    Raises TypeError or ValueError if an argument is not as described, the likelihood is not one
    of npvae's, or the page would be too large; OSError if path cannot be written;
    FloatingPointError if a row's kl or bound is not finite.
    """
    check_path(path)
    check_arguments(vae, shape, names, precision)
    rows, unit = vae.check_rows("x", x, vae.likelihood)
    if len(rows) < 2:
        raise ValueError(f"x has shape {rows.shape}; the page needs (N, D) with N >= 2")
    packed = pack_layers(vae.params, precision)
    content = describe(vae, packed, precision) | {"source": source}
    content |= _layout(rows, unit, shape if names is None else (), names)
    content |= _latents(vae, rows) | _some_rows(vae, packed, rows, unit)
    page = assemble(f"{vae!r}", content)
    try:
        Path(path).write_text(page, encoding="utf-8")
    except OSError as error:
        raise OSError(error.errno, f"cannot write {path}: {error.strerror}") from error
    return content["change"]


def check_path(path):
    """Raise OSError or ValueError, before any work, if an HTML file cannot be written there."""
    path = Path(path)
    if path.suffix not in (".html", ".htm"):
        raise ValueError(f"cannot write {path}: expected a name that ends in .html")
    if path.is_dir():
        raise IsADirectoryError(f"cannot write {path}: it is a folder")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot write {path}: there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise PermissionError(f"cannot write {path}: permission denied")


def check_arguments(vae, shape, names, precision):
    """Raise TypeError or ValueError unless they fit the model, and the page is not too large."""
    if not isinstance(vae, VAE):
        raise TypeError(f"vae is a {type(vae).__name__}; expected a npvae.VAE")
    if type(vae.likelihood) not in LIKELIHOODS or not vae.likelihood.reads_x:
        known = ", ".join(kind.__name__ for kind in LIKELIHOODS)
        raise ValueError(
            f"the model's likelihood is {vae.likelihood!r}; a page knows {known}, of which the "
            "encoder reads x itself"
        )
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; expected 8, 16 or 32 bits a weight")
    if shape is not None and names is not None:
        raise ValueError("shape is for images and names for a table; expected one of them")
    if shape is not None:
        _check_shape(shape, vae.data_dim)
    if names is not None and len(names) != vae.data_dim:
        raise ValueError(f"names has {len(names)} names; expected D = {vae.data_dim}")
    size = vae.params.rows[0].size * precision / 8 * 4 / 3
    if size > LARGEST_PAGE:
        smaller = "a smaller model" if precision == 8 else "precision=8, or a smaller model"
        raise ValueError(
            f"the page would have {size / 1e6:,.0f} MB; expected at most "
            f"{LARGEST_PAGE / 1e6:.0f} MB: take {smaller}"
        )


def _check_shape(shape, D):
    if np.shape(shape) not in ((1,), (2,), (3,)) or tuple(shape[2:]) not in ((), (1,), (3,)):
        raise ValueError(
            f"shape is {tuple(shape)}; expected (rows, columns) of an image, (rows, columns, 3), "
            "or (D,) of a table's row"
        )
    for side in shape:
        check_positive_int("a side of shape", side)
    if math.prod(shape) != D:
        raise ValueError(
            f"shape is {tuple(shape)}, which has {math.prod(shape)} numbers; the model has D = {D}"
        )


def describe(vae, packed, precision):
    """What makes the model: choices, and arrays as text."""
    stacks = {
        name: [
            {"W": text(W.q), "b": text(b)} | ({} if W.scale is None else {"scale": text(W.scale)})
            for W, b in layers
        ]
        for name, layers in packed.items()
    }
    return stacks | {
        "title": repr(vae),
        "precision": precision,
        "activation": vae.activation,
        "likelihood": type(vae.likelihood).__name__,
        "options": vars(vae.likelihood),
        "learned": {name: value.tolist() for name, value in vae.params.likelihood.items()},
    }


def _layout(rows, unit, shape, names):
    """How a row is drawn: as an image of that shape, or as bars with names; from low to high."""
    D = rows.shape[1]
    if shape is None:
        side = math.isqrt(D)
        shape = (side, side) if side * side == D and D > 1 else ()
    low, high = rows.min(axis=0) / unit, rows.max(axis=0) / unit
    if len(shape) > 1:  # one scale for all pixels
        low, high = min(0.0, float(low.min())), max(1.0, float(high.max()))
        return {"shape": [int(side) for side in shape], "low": low, "high": high}
    names = [f"x[{d}]" for d in range(D)] if names is None else [str(name) for name in names]
    return {"shape": [], "names": names, "low": low.tolist(), "high": high.tolist()}


def _latents(vae, rows):
    """Which latents are alive, and their mean KL in nats, over all rows."""
    with np.errstate(over="ignore", invalid="ignore"):  # told below
        mu, logvar = vae.encode(rows)
        summary = summarize(np.zeros(len(mu)), mu, logvar)
    if not np.isfinite(summary.kl_per_dim).all():
        raise FloatingPointError("kl is not finite: x leaves the range in which the model works")
    return {"kl": summary.kl_per_dim.tolist(), "active": summary.active.tolist()}


def _some_rows(vae, packed, rows, unit):
    """The rows that the page shows, and what rounding the weights has changed of their bound."""
    n = min(len(rows), ROWS, max(2, ROW_BYTES // (rows.itemsize * rows.shape[1])))
    which = np.linspace(0, len(rows) - 1, n).round().astype(int)
    x = next(vae.batches(rows[which], unit, n))
    still = np.zeros((1, n, vae.latent_dim))
    models = rounded(vae, packed), vae.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        small, full = (elbo(model, x.astype(np.float64), still).bound for model in models)
    change = np.abs(small - full).max()
    if not np.isfinite(change):
        raise FloatingPointError("the bound of a row is not finite")
    kept = rows[which] if rows.dtype == np.uint8 else x.astype(np.float32)
    return {
        "rows": which.tolist(),
        "x": text(kept),
        "unit": unit,
        "change": float(change),
    }


def assemble(title, content):
    """The page: the template, its style and its scripts, and the content as JSON, in one text."""
    files = resources.files(__package__)
    # No "<" is left in the JSON, so nothing in it can end its element.
    data = json.dumps(content, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    scripts = [files.joinpath(f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS]
    parts = {
        "title": html.escape(title),
        "style": files.joinpath("explorer.css").read_text(encoding="utf-8"),
        "content": data,
        "scripts": "\n".join(f"<script>\n{script}</script>" for script in scripts),
    }
    template = files.joinpath("explorer.html").read_text(encoding="utf-8")
    return PLACE.sub(lambda place: parts[place[1]], template)
