"""A model as a header and arrays: what `VAE.save` writes and `VAE.load` reads."""

from itertools import pairwise

import numpy as np

from .._checks import check_choice, check_positive_int
from .._choices import check_choices, check_widths
from ..dense import Layer
from ..likelihoods import LIKELIHOODS, Likelihood
from . import archive

RUN = "run/"  # begins the names of a run's arrays
DAMAGED = KeyError, TypeError, ValueError, OverflowError, AttributeError, RecursionError


def save(path, params, likelihood, activation, condition_dim=0, *, run=None, beside=None):
    """Write a model to path, unless `load` would refuse it. Raises as `VAE.save` does.

    run, beside     a header and arrays of the training that goes on, which `read_run` returns
    """
    header = header_of(params, likelihood, activation, condition_dim)
    _, shapes = _read_choices(header, likelihood)
    arrays, dtype = params.arrays(), params.rows[0].dtype
    archive.check(f"cannot save to {path}", _forms(shapes, dtype), arrays)
    if run is not None:
        header = {"model": header, "run": run}
        arrays = arrays | {f"{RUN}{name}": array for name, array in beside.items()}
    archive.write(path, header, arrays)


def header_of(params, likelihood, activation, condition_dim=0):
    """What a file says of a model beside its arrays."""
    header = {
        "data_dim": likelihood.data_dim(params.encoder[0].W.shape[0] - condition_dim),
        "latent_dim": params.decoder[0].W.shape[0] - condition_dim,
        "hidden": [layer.b.size for layer in params.encoder[:-1]],
        "decoder_hidden": [layer.b.size for layer in params.decoder[:-1]],
        **_described(likelihood),
        "activation": activation,
        "dtype": params.rows[0].dtype.name,
    }
    if condition_dim:
        prior = [layer.b.size for layer in params.prior[:-1]] if params.prior else None
        header |= {"condition_dim": condition_dim, "prior_hidden": prior}
    return header


def load(path, likelihood, *, conditional=False):
    """-> stacks and what is learned, likelihood, activation. Raises as `VAE.load` does."""
    header, arrays = archive.read(path)
    if "run" in header:
        header = header.get("model")
        arrays = {name: array for name, array in arrays.items() if not name.startswith(RUN)}
    try:
        chosen, shapes = _read_choices(header, likelihood)
    except DAMAGED as error:
        raise ValueError(f"{path} has a damaged header: {error}") from error
    if likelihood not in (None, chosen):
        raise ValueError(f"{path} has the likelihood {chosen}; {likelihood} was passed")
    if conditional != ("condition_dim" in header):
        kind = "a VAE without a condition" if conditional else "a relatives.ConditionalVAE"
        raise ValueError(f"{path} holds {kind}; its own load reads it")
    archive.check(path, _forms(shapes, np.dtype(header["dtype"])), arrays)
    parts = {"encoder": [], "decoder": []} | ({"prior": []} if conditional else {})
    for name in shapes:
        part, _, rest = name.partition("/")
        if rest.endswith("/W"):
            parts[part].append(Layer(arrays[name], arrays[f"{name[:-1]}b"]))
    learned = {n.partition("/")[2]: arrays[n] for n in shapes if n.startswith("likelihood/")}
    return (*parts.values(), learned), chosen, header["activation"]


def read_run(path):
    """-> {"model": the model's header, "run": the run's}, arrays, the run's without `RUN`

    Raises FileNotFoundError if there is no such file; ValueError if it holds no run.
    """
    header, arrays = archive.read(path)
    if not all(isinstance(header.get(part), dict) for part in ("model", "run")):
        raise ValueError(f"{path} holds no run that could go on; expected a checkpoint of train")
    return header, {name.removeprefix(RUN): array for name, array in arrays.items()}


def _forms(shapes, dtype):
    return {name: (shape, dtype) for name, shape in shapes.items()}


def _described(likelihood):
    """What a file says of it: npvae's own by name and options, others by name and module."""
    kind = type(likelihood)
    if LIKELIHOODS.get(kind.__name__) is not kind:
        return {"likelihood": f"{kind.__module__}.{kind.__qualname__}", "likelihood_options": {}}
    options = {name: _plain(value) for name, value in vars(likelihood).items()}
    return {"likelihood": kind.__name__, "likelihood_options": options}


def _plain(value):
    """A likelihood's choice as JSON has it: likelihoods may hold others."""
    if isinstance(value, Likelihood):
        return _described(value)
    return [_plain(v) for v in value] if isinstance(value, tuple) else value


def _built(value):
    """The choice that `_plain` wrote."""
    if isinstance(value, dict):
        options = {name: _built(v) for name, v in value["likelihood_options"].items()}
        return _own(value["likelihood"])(**options)
    return tuple(map(_built, value)) if isinstance(value, list) else value


def _own(name):
    if name not in LIKELIHOODS:
        raise ValueError(
            f"its likelihood is {name}; expected one of {', '.join(LIKELIHOODS)}, or that one "
            "as load(…, likelihood=…)"
        )
    return LIKELIHOODS[name]


def _read_choices(header, likelihood=None):
    """A file's likelihood, the given one if that is its name, and the shape of each array.

    Raises KeyError, TypeError or ValueError if the header holds anything else.
    """
    header = dict(header)
    described = {name: header.pop(name) for name in ("likelihood", "likelihood_options")}
    if likelihood is None or _described(likelihood) != described:
        likelihood = _built(described)
    return likelihood, _shapes(likelihood, **header)


def _shapes(
    likelihood,
    *,
    data_dim,
    latent_dim,
    hidden,
    decoder_hidden,
    activation,
    dtype,
    condition_dim=0,
    prior_hidden=None,
):
    check_choices(data_dim, latent_dim, likelihood, activation)
    check_choice("dtype", dtype, ("float32", "float64"))
    hidden = check_widths("hidden", hidden)
    decoder_hidden = check_widths("decoder_hidden", decoder_hidden)
    stacks = {
        "encoder": (likelihood.input_width(data_dim) + condition_dim, *hidden, 2 * latent_dim),
        "decoder": (latent_dim + condition_dim, *decoder_hidden, likelihood.output_width(data_dim)),
    }
    if condition_dim != 0:
        check_positive_int("condition_dim", condition_dim)
    if prior_hidden is not None:
        hidden = check_widths("prior_hidden", prior_hidden)
        stacks["prior"] = (condition_dim, *hidden, 2 * latent_dim)
    shapes = {}
    for part, widths in stacks.items():
        for i, shape in enumerate(pairwise(widths)):
            shapes |= {f"{part}/{i}/W": shape, f"{part}/{i}/b": shape[1:]}
    learned = likelihood.init_learned(np.dtype(dtype), data_dim)
    return shapes | {f"likelihood/{name}": array.shape for name, array in learned.items()}
