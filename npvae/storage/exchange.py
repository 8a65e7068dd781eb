"""Models from elsewhere, and to elsewhere.

    from npvae.storage import exchange

    vae = exchange.load("vae.pt")                    PyTorch's VAE example, known by its names
    exchange.save(vae, "vae.safetensors")            or vae.pt; vae.onnx, a pair of files, to run
    vae = exchange.from_state_dict(module.state_dict(), likelihood=…, activation="relu")
    vae = exchange.from_keras(encoder.get_weights(), decoder.get_weights(), likelihood=…, …)

What a file does not say, the caller says: the likelihood, the activation, and what the layers are
called, if npvae does not know the names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..likelihoods import Likelihood
from ..vae import VAE
from . import archive, keras, model, naming, onnx, safetensors, state_dict
from .assembly import checked_activation, from_arrays, from_lists, layout_of

HEADER = "npvae"  # names the header among a safetensors file's metadata
READ = ".npz", ".safetensors", ".pt", ".pth"
WRITTEN = *READ, ".onnx"
Names = Sequence[Any]


def load(
    path: str | PathLike,
    *,
    likelihood: Likelihood | None = None,
    activation: str | None = None,
    encoder: Names | None = None,
    decoder: Names | None = None,
) -> VAE:
    """The model in an .npz, .safetensors, .pt or .pth file.

    likelihood, activation      what the file does not say
    encoder, decoder            names of the layers, such as ["fc1", ("fc21", "fc22")], mu's and
                                logvar's last, and ["fc3", "fc4"]; None knows npvae's own names,
                                those of PyTorch's VAE example, and Keras' list in an .npz
    Raises FileNotFoundError if there is no such file; ValueError, naming it, if it is damaged,
    does not fit together or says something else; ImportError for a .pt without PyTorch.
    """
    suffix = check_suffix(path, READ)
    header: Any = None
    if suffix == ".npz":
        arrays = archive.read_arrays(path)
        if "header" in arrays:
            _check_no_names(path, encoder, decoder)
            return checked_activation(path, VAE.load(path, likelihood=likelihood), activation)
    elif suffix == ".safetensors":
        metadata, arrays = safetensors.read(path)
        header = metadata.get(HEADER)
    else:
        header, arrays = state_dict.read(path)
    header = None if header is None else archive.from_json(path, header)
    return from_arrays(path, header, arrays, likelihood, activation, encoder, decoder)


def save(
    vae: VAE,
    path: str | PathLike,
    *,
    encoder: Names | None = None,
    decoder: Names | None = None,
) -> list[Path]:
    """Write the model to path, in the format that its suffix names.  -> the files written

    .npz            as VAE.save does
    .safetensors    arrays by PyTorch's names, with npvae's header
    .pt, .pth       the same, as PyTorch's state dict
    .onnx           two files for an ONNX runtime: vae.encoder.onnx, x -> mu, logvar, and
                    vae.decoder.onnx, z -> mean
    encoder, decoder are names for the layers, as in `load`.
    Raises as VAE.save does; ImportError for a .pt without PyTorch; ValueError for another suffix,
    or for .onnx if the likelihood's mean has no counterpart there.
    """
    suffix = check_suffix(path, WRITTEN)
    path = Path(path)
    if suffix in (".npz", ".onnx"):
        _check_no_names(path, encoder, decoder)
    if suffix == ".npz":
        vae.save(path)
        return [path]
    header = model.checked_header(path, vae.params, vae.likelihood, vae.activation)
    if suffix == ".onnx":
        return onnx.save(vae, path)
    arrays = to_state_dict(vae, encoder=encoder, decoder=decoder)
    if suffix == ".safetensors":
        safetensors.write(path, {HEADER: archive.to_json(header)}, arrays)
    else:
        state_dict.write(path, archive.to_json(header), arrays)
    return [path]


def from_state_dict(
    state: Mapping[str, Any],
    *,
    likelihood: Likelihood | None = None,
    activation: str | None = None,
    encoder: Names | None = None,
    decoder: Names | None = None,
) -> VAE:
    """The model of a PyTorch module's state_dict(), or of arrays by such names.

    The rest as `load` has it; of PyTorch's VAE example likelihood and activation are known.
    """
    if not isinstance(state, Mapping) or not all(isinstance(name, str) for name in state):
        raise TypeError(f"state is a {type(state).__name__}; expected arrays by name")
    arrays = {name: state_dict.to_array(value) for name, value in state.items()}
    return from_arrays("state", None, arrays, likelihood, activation, encoder, decoder)


def to_state_dict(
    vae: VAE, *, encoder: Names | None = None, decoder: Names | None = None
) -> dict[str, np.ndarray]:
    """The model's arrays by PyTorch's names, weights (D_out, D_in), for its load_state_dict.

    The names are those of nn.Sequential, encoder.0.weight, encoder.0.bias, encoder.2.weight, …, or
    those that encoder and decoder give, as in `load`.
    """
    layout = layout_of(encoder, decoder) or naming.own_layout(vae.params)
    return naming.to_state(vae.params, layout)


def from_keras(
    encoder_weights: Sequence[ArrayLike],
    decoder_weights: Sequence[ArrayLike],
    *,
    likelihood: Likelihood,
    activation: str,
) -> VAE:
    """The model of two lists as Keras' get_weights() gives them: kernel, bias, kernel, bias, …

    The encoder's last two layers are z_mean and z_log_var, which both read the layer before.
    Raises TypeError or ValueError, naming the array, if one is of an unexpected shape.
    """
    encoder, decoder = (
        {f"{name}[{i}]": np.asarray(array) for i, array in enumerate(weights)}
        for name, weights in (
            ("encoder_weights", encoder_weights),
            ("decoder_weights", decoder_weights),
        )
    )
    return from_lists(encoder, decoder, likelihood, activation)


def to_keras(vae: VAE) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Lists for Keras' set_weights: the encoder's, at its end z_mean and z_log_var; the decoder's.

    What a likelihood learns, such as a width, is in neither.
    """
    return keras.to_lists(vae.params)


def check_suffix(path: str | PathLike, allowed: Sequence[str]) -> str:
    """The suffix of path; raises ValueError unless it is one of those allowed."""
    suffix = Path(path).suffix.lower()
    if suffix not in allowed:
        of_keras = allowed is READ and suffix in (".h5", ".hdf5", ".keras")
        hint = "; in Keras, np.savez('vae.npz', *model.get_weights())" if of_keras else ""
        raise ValueError(f"{path} ends in {suffix!r}; expected one of {', '.join(allowed)}{hint}")
    return suffix


def _check_no_names(path, encoder, decoder):
    if encoder is not None or decoder is not None:
        raise ValueError(f"{path} has names of npvae's own; encoder and decoder go with others")
