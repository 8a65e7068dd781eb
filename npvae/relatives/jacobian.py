"""How fast a decoder changes: the Jacobian of what it draws, with respect to the code."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .._checks import check_number, matrix
from ..activations import ACTIVATIONS
from ..dense import dense_backward_input, stack
from ..likelihoods import Bernoulli, Gaussian, LearnedGaussian
from ..vae import VAE
from .autoencoder import Autoencoder


def decoder_jacobian(model: Autoencoder | VAE, z: ArrayLike) -> np.ndarray:
    """J = ∂E[x|z]/∂z = diag(m') Wₙᵀ diag(hₙ₋₁') Wₙ₋₁ᵀ … diag(h₁') W₁ᵀ.       [jacobian.1]

    z (N, Z) -> (N, D, Z); h' the slopes of the activation, m' that of the likelihood's mean
    Column j is what a step along z_j does to every pixel. That takes Z passes forward; backward it
    would take D, one for each pixel. An activation works on each unit alone, so its
    vector-Jacobian product is its Jacobian-vector product as well.
    Raises TypeError or ValueError if z is not a finite (N, Z) array or the likelihood is not
    Bernoulli, Gaussian or LearnedGaussian.
    """
    form = {"columns": model.latent_dim, "letters": "(N, Z)", "dtype": model.dtype}
    z = matrix("z", z, **form)
    layers, activation = model.params.stacks["decoder"], ACTIVATIONS[model.activation]
    hidden, output = stack(z, layers, activation)
    slope = _mean_slope(model.likelihood, output)
    columns = []
    for direction in np.eye(model.latent_dim, dtype=model.dtype):
        change = np.tile(direction, (len(z), 1))
        for layer, h in zip(layers[:-1], hidden, strict=True):
            change = activation.backward(dense_backward_input(change, layer.W.T), h)
        columns.append(slope * dense_backward_input(change, layers[-1].W.T))
    return np.stack(columns, axis=-1)


def decoder_speed(model: Autoencoder | VAE, z: ArrayLike) -> np.ndarray:
    """‖J‖ = √(Σ_dj J_dj²).        z (N, Z) -> (N,)              [jacobian.2]

    For a short step dz in a random direction, E‖dx‖² = ‖J‖² ‖dz‖²/Z.
    Raises as decoder_jacobian does.
    """
    J = decoder_jacobian(model, z)
    return np.sqrt(np.einsum("ndj,ndj->n", J, J))


def code_noise_price(model: Autoencoder | VAE, z: ArrayLike, sigma: float) -> np.ndarray:
    """σ² ‖J‖² = E‖x − g(z + σ·noise)‖² − ‖x − g(z)‖² if g = E[x|z] is linear.    [jacobian.3]

    Otherwise up to terms with g'' and σ⁴. z (N, Z) -> (N,)
    Raises as decoder_jacobian does, and ValueError unless sigma is a finite number >= 0.
    """
    check_number("sigma", sigma, low=0, low_allowed=True)
    return float(sigma) ** 2 * decoder_speed(model, z) ** 2


def _mean_slope(likelihood, output):
    """dmean/doutput, where the mean of a pixel reads one number."""
    if isinstance(likelihood, Bernoulli):
        m = likelihood.mean(output)
        return m * (1 - m)
    if isinstance(likelihood, Gaussian | LearnedGaussian):
        return np.ones_like(output)
    raise ValueError(
        f"the likelihood is {likelihood!r}; expected Bernoulli, Gaussian or LearnedGaussian"
    )
