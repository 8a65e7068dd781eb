"""What a model may be made of: checks of the choices that `VAE.init` and a file's header make."""

from collections.abc import Iterable

import numpy as np

from ._checks import check_choice, check_number, check_positive_int
from .activations import ACTIVATIONS
from .likelihoods._protocol import check_is_likelihood


def check_widths(name, widths):
    """A tuple of widths; raises TypeError or ValueError unless all are integers >= 1."""
    if isinstance(widths, str) or not isinstance(widths, Iterable):
        raise TypeError(f"{name} is {widths!r}; expected a sequence of widths, such as (500,)")
    widths = tuple(widths)
    for i, width in enumerate(widths):
        check_positive_int(f"{name}[{i}]", width)
    return widths


def check_choices(data_dim, latent_dim, likelihood, activation):
    """Raise TypeError or ValueError unless they can make a model."""
    check_positive_int("data_dim", data_dim)
    check_positive_int("latent_dim", latent_dim)
    check_is_likelihood(likelihood)
    if likelihood.fixed_dim not in (None, data_dim):
        raise ValueError(
            f"data_dim is {data_dim}; the likelihood {likelihood!r} has {likelihood.fixed_dim}"
        )
    check_choice("activation", activation, ACTIVATIONS)


def check_weight_init(weight_init, dtype):
    """Raise TypeError or ValueError unless it is "glorot", "he", or a std that dtype can hold."""
    if isinstance(weight_init, str):
        check_choice("weight_init", weight_init, ("glorot", "he"))
    else:
        # No draw lies a hundred std from zero, so no weight overflows.
        check_number("weight_init", weight_init, low=0, high=float(np.finfo(dtype).max) / 100)


def check_dtype(dtype):
    """dtype as NumPy's; raises ValueError unless it is float32 or float64."""
    dtype = np.dtype(dtype)
    if dtype not in (np.float32, np.float64):
        raise ValueError(f"dtype is {dtype}; expected float32 or float64")
    return dtype
