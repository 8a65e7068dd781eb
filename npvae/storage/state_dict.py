"""PyTorch's files of weights, `torch.save(module.state_dict(), path)`.

PyTorch itself writes and reads them, and nothing else in a file than arrays and their names is
read: a pickle in it that would run code is refused.
"""

import os
import zipfile
from collections import OrderedDict
from collections.abc import Mapping

import numpy as np

from . import archive

HEADER = "npvae"  # among what PyTorch notes of each module: its load_state_dict passes over it


def write(path, header, arrays):
    """Write a state dict of these arrays. Raises ImportError, and as `archive.write` does.

    header is text, which rides along where `load_state_dict(strict=True)` does not mind.
    """
    torch = _torch()
    archive.check_finite(f"cannot save to {path}", arrays)
    state = OrderedDict((name, torch.from_numpy(array.copy())) for name, array in arrays.items())
    state._metadata = OrderedDict({"": {"version": 1}, HEADER: {"header": header}})
    with archive.whole(path) as file:
        torch.save(state, file)


def read(path):
    """-> header, None if the file has none; arrays by name

    Raises ImportError without PyTorch; FileNotFoundError if there is no such file; ValueError if
    it holds anything but tensors of floats by name, code above all, or claims more than it holds.
    """
    torch = _torch()
    with archive.open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            if not zipfile.is_zipfile(file):
                raise ValueError("it is no zip, as PyTorch writes it since 1.6")
            with zipfile.ZipFile(file) as members:
                archive.check_members(members, size)
            file.seek(0)
            loaded = torch.load(file, map_location="cpu", weights_only=True)
            state = only_state(loaded)
            if sum(tensor.numel() * tensor.element_size() for tensor in state.values()) > size:
                raise ValueError("its tensors claim to be larger than the file")
            return _header(state), {name: to_array(v) for name, v in state.items()}
        except Exception as error:  # PyTorch raises a dozen kinds on damaged bytes
            raise ValueError(f"{path} holds no state dict ({_reason(error)})") from error


def only_state(loaded):
    """The state dict itself, of a checkpoint that has one beside other things.

    Raises ValueError unless there is one, and no other.
    """
    if _is_state(loaded):
        return loaded
    inner = loaded.values() if isinstance(loaded, Mapping) else ()
    found = [value for value in inner if _is_state(value)]
    if len(found) != 1:
        raise ValueError(f"{len(found)} mappings of names to tensors; expected one")
    return found[0]


def to_array(value):
    """A tensor, or what NumPy makes an array of, as an array. BF16 becomes float32, exactly."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = (value.float() if "bfloat16" in str(value.dtype) else value).numpy()
    return np.asarray(value)


def _torch():
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            "PyTorch's files need PyTorch: pip install torch, or npvae's extra `parity`; "
            ".safetensors need nothing"
        ) from error
    return torch


def _is_state(value):
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(name, str) and hasattr(v, "detach") for name, v in value.items())
    )


def _header(state):
    metadata = getattr(state, "_metadata", None)
    entry = metadata.get(HEADER) if isinstance(metadata, Mapping) else None
    text = entry.get("header") if isinstance(entry, Mapping) else None
    return text if isinstance(text, str) else None


def _reason(error):
    if "weights_only" in str(error):
        return "its pickle would run code, or make other things than tensors"
    return str(error).strip().partition("\n")[0] or type(error).__name__
