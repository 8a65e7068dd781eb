"""What other programs call the layers of a VAE, and what npvae calls them.

PyTorch has names, and weights (D_out, D_in). Keras has a list: kernel (D_in, D_out), bias, layer
after layer. npvae has "encoder/0/W" (D_in, D_out), "encoder/0/b", … "decoder/1/b", and in the
encoder's last layer mu and logvar side by side, for which others have two layers.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

OWN = re.compile(r"(encoder|decoder)\.(\d{1,4})\.(weight|bias)", re.ASCII)
LEARNED = "likelihood."


class Layout(NamedTuple):
    """A state dict's names of the layers, from first to last.

    The encoder's last entry is one name, or two: those of mu and logvar.
    """

    encoder: tuple[str | tuple[str, str], ...]
    decoder: tuple[str, ...]

    @property
    def heads(self) -> tuple[str, ...]:
        """The last entry, as one name or two."""
        heads = self.encoder[-1]
        return (heads,) if isinstance(heads, str) else heads


PYTORCH_EXAMPLE = Layout(("fc1", ("fc21", "fc22")), ("fc3", "fc4"))  # pytorch/examples, vae/main.py


class Named(NamedTuple):
    """A dense layer, as its source calls it."""

    name: str
    W: np.ndarray  # (D_in, D_out)
    b: np.ndarray  # (D_out,)


def check_layout(encoder, decoder) -> Layout:
    """The two lists of names; raises TypeError or ValueError unless they are such lists."""
    for part, names in (("encoder", encoder), ("decoder", decoder)):
        if isinstance(names, str) or not isinstance(names, Sequence) or not names:
            raise TypeError(
                f"{part} is {names!r}; expected names of layers, such as ['fc3', 'fc4']"
            )
    *hidden, heads = encoder
    heads = tuple(heads) if isinstance(heads, list) else heads
    layout = Layout((*hidden, heads), tuple(decoder))
    last = list(heads) if isinstance(heads, tuple) else [heads]
    names = [*hidden, *last, *decoder]
    if len(last) not in (1, 2) or not all(isinstance(name, str) for name in names):
        raise TypeError(
            f"encoder is {encoder!r} and decoder {decoder!r}; expected names, and as the "
            "encoder's last entry one, or a pair for mu and logvar"
        )
    if len(set(names)) < len(names):
        raise ValueError(f"encoder and decoder name a layer twice: {', '.join(names)}")
    return layout


def own_layout(params) -> Layout:
    """The names in nn.Sequential, where an activation stands between two layers."""
    encoder, decoder = (
        tuple(f"{part}.{2 * i}" for i in range(len(layers)))
        for part, layers in (("encoder", params.encoder), ("decoder", params.decoder))
    )
    return Layout(encoder, decoder)


def without_prefix(arrays):
    """The arrays without what all their names begin with, such as DataParallel's "module."."""
    while len({n.partition(".")[0] for n in arrays}) == 1 and all(n.count(".") > 1 for n in arrays):
        arrays = {name.partition(".")[2]: array for name, array in arrays.items()}
    return arrays


def recognised(names) -> Layout:
    """The layout that has these names: npvae's own, or that of PyTorch's example.

    Raises ValueError if they are others.
    """
    found: dict[str, set[str]] = {part: set() for part in ("encoder", "decoder")}
    others = set()
    for name in names:
        if match := OWN.fullmatch(name):
            found[match[1]].add(match[2])
        elif not name.startswith(LEARNED):
            others.add(name)
    if all(found.values()) and not others:
        encoder, decoder = (
            tuple(f"{part}.{i}" for i in sorted(numbers, key=int))
            for part, numbers in found.items()
        )
        return Layout(encoder, decoder)
    expected = {f"{name}.{kind}" for name in _flat(PYTORCH_EXAMPLE) for kind in ("weight", "bias")}
    if others == expected:
        return PYTORCH_EXAMPLE
    raise ValueError(
        f"it has the arrays {_listed(names)}; expected npvae's encoder.0.weight, encoder.0.bias, … "
        f"decoder.0.weight, …, or those of the layers of PyTorch's example, "
        f"{', '.join(_flat(PYTORCH_EXAMPLE))}, or that encoder and decoder name the layers"
    )


def from_state(arrays, layout: Layout) -> dict[str, np.ndarray]:
    """npvae's arrays of a state dict's.

    Raises ValueError, naming the array, if one is missing, unknown, or of an unexpected shape.
    """
    left = dict(arrays)
    hidden = [_popped(left, name) for name in layout.encoder[:-1]]
    heads = [_popped(left, name) for name in layout.heads]
    decoder = [_popped(left, name) for name in layout.decoder]
    learned = {name: left.pop(name) for name in arrays if name.startswith(LEARNED)}
    if left:
        raise ValueError(f"unknown arrays: {_listed(left)}")
    own = {f"likelihood/{name.removeprefix(LEARNED)}": array for name, array in learned.items()}
    return joined(hidden, heads, decoder) | own


def to_state(params, layout: Layout) -> dict[str, np.ndarray]:
    """A state dict's arrays of npvae's.

    Raises ValueError unless the layout has as many layers as the model.
    """
    counts = len(layout.encoder), len(layout.decoder)
    if counts != (len(params.encoder), len(params.decoder)):
        raise ValueError(
            f"the names are of {counts[0]} layers of an encoder and {counts[1]} of a decoder; "
            f"the model has {len(params.encoder)} and {len(params.decoder)}"
        )
    names = [*layout.encoder[:-1], *layout.heads, *layout.decoder]
    *hidden, (W, b) = params.encoder
    parts = len(layout.heads)
    heads = list(zip(np.split(W, parts, axis=1), np.split(b, parts), strict=True))
    arrays: dict[str, np.ndarray] = {}
    for name, (W, b) in zip(names, [*hidden, *heads, *params.decoder], strict=True):
        arrays |= {f"{name}.weight": W.T.copy(), f"{name}.bias": b.copy()}
    learned = {f"{LEARNED}{name}": array.copy() for name, array in params.likelihood.items()}
    return arrays | learned


def joined(hidden, heads, decoder) -> dict[str, np.ndarray]:
    """npvae's arrays of named layers: [Named, …], [both] or [mu, logvar], [Named, …].

    Raises ValueError, naming the layer, if one does not fit what comes before it.
    """
    for head in heads:
        _check_chain([*hidden, head])
    if len({head.W.shape for head in heads}) > 1:
        both = " and ".join(f"{head.name} has {head.b.size}" for head in heads)
        raise ValueError(f"{both} outputs; expected as many of mu as of logvar")
    W, b = np.hstack([head.W for head in heads]), np.concatenate([head.b for head in heads])
    if b.size % 2:
        raise ValueError(f"{heads[0].name} has {b.size} outputs; expected 2 Z, mu's and logvar's")
    if decoder[0].W.shape[0] != b.size // 2:
        raise ValueError(
            f"{decoder[0].name} has {decoder[0].W.shape[0]} inputs; expected Z = {b.size // 2}"
        )
    _check_chain(decoder)
    stacks = {"encoder": [*hidden, Named("heads", W, b)], "decoder": decoder}
    arrays: dict[str, np.ndarray] = {}
    for part, layers in stacks.items():
        for i, (_, W, b) in enumerate(layers):
            arrays |= {f"{part}/{i}/W": W, f"{part}/{i}/b": b}
    return arrays


def dense_layer(name, W, b, *, shape, kinds) -> Named:
    """A layer with W as it is stored, of `shape` in letters; kinds are its arrays' names.

    Raises ValueError, naming the array, unless W is a matrix and b has one number an output.
    """
    weight, bias = kinds
    if W.ndim != 2:
        raise ValueError(f"{weight} has shape {W.shape}; expected {shape}, of a dense layer")
    W = W.T if shape == "(D_out, D_in)" else W
    if b.shape != W.shape[1:]:
        raise ValueError(f"{bias} has shape {b.shape}; expected {W.shape[1:]}, as {weight} has it")
    return Named(name, W, b)


def _popped(arrays, name):
    kinds = f"{name}.weight", f"{name}.bias"
    for kind in kinds:
        if kind not in arrays:
            raise ValueError(
                f"there is no array {kind!r} among {_listed(arrays) or 'what is left'}"
            )
    W, b = (arrays.pop(kind) for kind in kinds)
    return dense_layer(name, W, b, shape="(D_out, D_in)", kinds=kinds)


def _check_chain(layers):
    for before, after in pairwise(layers):
        if after.W.shape[0] != before.b.size:
            raise ValueError(
                f"{after.name} has {after.W.shape[0]} inputs; expected {before.b.size}, "
                f"because {before.name} has so many outputs"
            )


def _flat(layout):
    return *layout.encoder[:-1], *layout.heads, *layout.decoder


def _listed(names, most=10):
    names = [str(name)[:80] for name in names]
    more = [f"and {len(names) - most} more"] if len(names) > most else []
    return ", ".join(names[:most] + more)
