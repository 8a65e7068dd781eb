"""A VAE of arrays that came under other names: what is known of it, found or asked for."""

import numpy as np

from ..activations import ACTIVATIONS
from ..dense import Layer
from ..likelihoods import Bernoulli
from ..likelihoods._protocol import check_is_likelihood
from ..params import Params
from ..vae import VAE
from . import keras, model, naming

FLOATS = np.float16, np.float32, np.float64


def from_arrays(source, header, arrays, likelihood, activation, encoder, decoder):
    """The model of arrays under another program's names.

    source          begins what is said in errors
    header          what npvae's own says of the model, or None
    likelihood, activation, encoder, decoder    what `exchange.load` was given
    Raises ValueError, beginning with source, if they do not fit together.
    """
    layout = layout_of(encoder, decoder)
    try:
        arrays = _same_dtype(arrays)
        if layout is None and keras.is_list(arrays):
            arrays = keras.from_list(arrays)
        else:
            if layout is None:
                arrays = naming.without_prefix(arrays)
                layout = naming.recognised(arrays)
            arrays = naming.from_state(arrays, layout)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error
    if layout == naming.PYTORCH_EXAMPLE and header is None:
        likelihood, activation = likelihood or Bernoulli(), activation or "relu"
    return _assembled(source, header, arrays, likelihood, activation)


def from_lists(encoder, decoder, likelihood, activation):
    """The model of Keras' two lists, {name: array}. Raises ValueError, naming the array."""
    arrays = _same_dtype(encoder | decoder)
    encoder, decoder = ({name: arrays[name] for name in part} for part in (encoder, decoder))
    return _assembled("weights", None, keras.from_lists(encoder, decoder), likelihood, activation)


def layout_of(encoder, decoder):
    """The layout that a caller gave, or None."""
    if encoder is None and decoder is None:
        return None
    return naming.check_layout(encoder, decoder)


def _same_dtype(arrays):
    """The arrays in float32, or all in float64 if one is.

    Raises ValueError, naming the array, if one holds other numbers, NaN or inf.
    """
    for name, array in arrays.items():
        if array.dtype.newbyteorder("=") not in FLOATS:
            raise ValueError(f"{name} holds {array.dtype}; expected float16, float32 or float64")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds NaN or inf")
    dtype = np.result_type(np.float32, *{array.dtype for array in arrays.values()})
    return {name: array.astype(dtype) for name, array in arrays.items()}


def _assembled(source, header, arrays, likelihood, activation):
    """The model of npvae's arrays and a header, or what is known without one."""
    if header is None:
        header, arrays = _header(source, arrays, likelihood, activation)
    else:
        header |= {"dtype": arrays["encoder/0/W"].dtype.name}
    parts, *choices = model.assemble(source, header, arrays, likelihood)
    return checked_activation(source, VAE(Params(*parts), *choices), activation)


def _header(source, arrays, likelihood, activation):
    """What a file of npvae would say, and the arrays with what the likelihood learns."""
    if likelihood is None:
        raise ValueError(
            f"{source} does not say its likelihood; pass it, such as npvae.Bernoulli()"
        )
    check_is_likelihood(likelihood)
    if activation is None:
        activations = ", ".join(ACTIVATIONS)
        raise ValueError(f"{source} does not say its activation; pass it, one of {activations}")
    encoder, decoder = (_layers(arrays, part) for part in ("encoder", "decoder"))
    inputs, outputs = encoder[0].W.shape[0], decoder[-1].b.size
    data_dim, dtype = likelihood.data_dim(inputs), encoder[0].W.dtype
    widths = likelihood.input_width(data_dim), likelihood.output_width(data_dim)
    if (inputs, outputs) != widths:
        raise ValueError(
            f"{source}: the encoder has {inputs} inputs and the decoder {outputs} outputs; "
            f"{likelihood!r} of D = {data_dim} has {widths[0]} and {widths[1]}"
        )
    learned = {n.partition("/")[2]: a for n, a in arrays.items() if n.startswith(model.LEARNED)}
    learned = learned or likelihood.init_learned(dtype, data_dim)
    params = Params(encoder, decoder, learned)
    return model.header_of(params, likelihood, activation), params.arrays()


def _layers(arrays, part):
    kernels = [name for name in arrays if name.startswith(f"{part}/") and name.endswith("/W")]
    return [Layer(arrays[name], arrays[f"{name[:-1]}b"]) for name in kernels]


def checked_activation(source, vae, activation):
    """The model; raises ValueError if another activation than its own was passed."""
    if activation not in (None, vae.activation):
        raise ValueError(f"{source} has the activation {vae.activation}; {activation} was passed")
    return vae
