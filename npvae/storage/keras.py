"""Keras' lists of weights, `model.get_weights()`: kernel (D_in, D_out), bias, layer after layer."""

import re

import numpy as np

from .naming import dense_layer, joined

UNNAMED = re.compile(r"arr_(\d{1,3})", re.ASCII)  # np.savez's names of arrays that had none


def from_lists(encoder, decoder) -> dict[str, np.ndarray]:
    """npvae's arrays of two lists; the last two layers of the encoder are mu and logvar.

    encoder, decoder {name: array}, in Keras' order
    Raises ValueError, naming the array, if one is of an unexpected shape.
    """
    layers = _layers(encoder)
    if len(layers) < 2:
        raise ValueError(
            f"the encoder has {len(layers)} layers; expected mu's and logvar's at least"
        )
    return joined(layers[:-2], layers[-2:], _layers(decoder))


def from_list(weights) -> dict[str, np.ndarray]:
    """npvae's arrays of a whole model's list, the encoder's and then the decoder's.

    weights {"arr_0": array, …}
    Raises ValueError, naming the array, if one is of an unexpected shape, or unless there is one
    place, and no other, where two layers can be mu and logvar, and what follows the decoder.
    """
    names = [f"arr_{i}" for i in range(len(weights))]
    if missing := sorted(set(names) - weights.keys()):
        raise ValueError(f"there is no array {missing[0]!r}, and {len(weights)} arrays")
    layers, found = _layers({name: weights[name] for name in names}), []
    for i in range(len(layers) - 2):
        try:
            found.append(joined(layers[:i], layers[i : i + 2], layers[i + 2 :]))
        except ValueError:
            continue
    if len(found) != 1:
        shapes = ", ".join(str(layer.W.shape) for layer in layers[:10])
        raise ValueError(
            f"its kernels {shapes} make an encoder and a decoder in {len(found)} ways; expected "
            "one: exchange.from_keras takes their lists apart"
        )
    return found[0]


def to_lists(params) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The encoder's list, at its end mu's and logvar's layers, and the decoder's."""
    *hidden, (W, b) = params.encoder
    heads = zip(np.split(W, 2, axis=1), np.split(b, 2), strict=True)
    return _arrays([*hidden, *heads]), _arrays(params.decoder)


def is_list(names) -> bool:
    """Whether these are the names that `np.savez(path, *model.get_weights())` gives."""
    return bool(names) and all(UNNAMED.fullmatch(name) for name in names)


def _layers(weights):
    names = list(weights)
    if not names or len(names) % 2:
        raise ValueError(f"there are {len(names)} arrays; expected kernel, bias, kernel, bias, …")
    return [
        dense_layer(
            kinds[0], *(weights[name] for name in kinds), shape="(D_in, D_out)", kinds=kinds
        )
        for kinds in zip(names[::2], names[1::2], strict=True)
    ]


def _arrays(layers):
    return [array.copy() for layer in layers for array in layer]
