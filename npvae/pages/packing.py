"""Weights as text, in 8, 16 or 32 bits a number; and the model that such weights make."""

import base64
from typing import NamedTuple

import numpy as np

from ..dense import Layer
from ..params import Params
from ..vae import VAE

LARGEST = 127  # of a signed byte, in magnitude
LEAST = 1e-30  # a column of smaller weights is one of zeros


class Packed(NamedTuple):
    """W as it is kept: q of 8 bits with a scale a column, or q alone, of 16 or 32 bits."""

    q: np.ndarray  # (D_in, D_out) int8, float16 or float32
    scale: np.ndarray | None  # (D_out,) float32


def pack(W, precision):
    """q = rint(W / scale),  scale_j = max_i |W_ij| / 127; or q = W, rounded.

    W (D_in, D_out), precision 8, 16 or 32 -> Packed
    A column is what feeds one unit, so a scale a column leaves each unit its own range.
    Raises ValueError if an entry is too large for that.
    """
    if precision > 8:
        return Packed(_narrow(W, np.dtype(f"f{precision // 8}")), None)
    largest = np.abs(W).max(axis=0)
    scale = _narrow(np.where(largest > LEAST, largest / LARGEST, 1), np.float32)
    return Packed(np.rint(W / scale).astype(np.int8), scale)


def unpack(packed):
    """W = q scale, float32, as the page computes with it."""
    W = packed.q.astype(np.float32)
    return W if packed.scale is None else W * packed.scale


def _narrow(array, dtype):
    """The array in dtype; raises ValueError if a number is too large for it."""
    with np.errstate(over="ignore"):
        narrow = array.astype(dtype)
    if not np.isfinite(narrow).all():
        raise ValueError(
            f"a parameter of {np.abs(array).max():.4g} leaves the range of {np.dtype(dtype)}"
        )
    return narrow


def pack_layers(params, precision):
    """{"encoder": [(Packed, b), …], "decoder": …}, b float32: biases are few."""
    return {
        name: [(pack(W, precision), _narrow(b, np.float32)) for W, b in layers]
        for name, layers in params.stacks.items()
    }


def rounded(vae, packed):
    """The model that the page holds, in float64: what the rounding of its weights has left."""
    wide = np.float64
    stacks = [
        [Layer(unpack(W).astype(wide), b.astype(wide)) for W, b in packed[name]]
        for name in ("encoder", "decoder")
    ]
    learned = {name: value.astype(wide) for name, value in vae.params.likelihood.items()}
    return VAE(Params(*stacks, learned), vae.likelihood, vae.activation)


def text(array):
    """The array's bytes, little-endian, as base64 text, and what they are."""
    array = np.ascontiguousarray(array)
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    data = base64.b64encode(little.tobytes()).decode("ascii")
    return {"dtype": array.dtype.name, "shape": array.shape, "data": data}
