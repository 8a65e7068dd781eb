"""The evidence lower bound: the forward pass, and the whole backward pass.

elbo_backward is elbo read from its last line to its first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .activations import ACTIVATIONS
from .dense import dense_backward_input, stack, stack_backward, stack_backward_input
from .kl import gaussian_kl
from .objectives import ClosedForm, Objective, check_objective
from .params import Params
from .reparameterization import reparameterize, reparameterize_backward
from .trace import Trace

if TYPE_CHECKING:
    from .vae import VAE

CLOSED_FORM = ClosedForm()


def decode(
    vae: VAE, x: np.ndarray, z: np.ndarray
) -> tuple[tuple[np.ndarray, ...], np.ndarray, np.ndarray]:
    """log p(x_b|z_lb), in nats, and the decoder's layers at z.   [dense.4]

    x (B, D), z (L, B, Z), or z (L, 1, Z): then all rows of x share z, which is decoded once
    -> hidden, each (L·B, H), output (L, B, ·), log_px_z (L, B)
    """
    activation = ACTIVATIONS[vae.activation]
    hidden, output = stack(z.reshape(-1, z.shape[-1]), vae.params.decoder, activation)
    output = output.reshape(*z.shape[:2], -1)
    log_prob, learned = vae.likelihood.log_prob, vae.params.likelihood
    if z.shape[1] == len(x):
        return hidden, output, log_prob(x, output, **learned)
    return hidden, output, np.hstack([log_prob(row, output, **learned) for row in x[:, None]])


def decode_backward_input(
    dlog_px_z: np.ndarray,
    vae: VAE,
    x: np.ndarray,
    hidden: tuple[np.ndarray, ...],
    output: np.ndarray,
) -> np.ndarray:
    """dz_lb = dlog_px_z_lb ∂ log p(x_b|z_lb)/∂z_lb, all parameters held fixed.   [dense.9]

    dlog_px_z (L, B), x (B, D), hidden and output as decode returned them -> dz (L, B, Z)
    """
    learned, decoder = vae.params.likelihood, vae.params.decoder
    doutput = vae.likelihood.log_prob_backward(dlog_px_z, x, output, **learned)
    rows = doutput.reshape(-1, doutput.shape[-1])
    dz = stack_backward_input(rows, decoder, ACTIVATIONS[vae.activation], hidden)
    return dz.reshape(*dlog_px_z.shape, -1)


def elbo(vae: VAE, x: np.ndarray, noise: np.ndarray, objective: Objective = CLOSED_FORM) -> Trace:
    """bound = (1/L) Σ_l log p(x|z_l) − KL(q(z|x) ‖ p(z)), in nats, or another objective. [elbo.1]

    x (B, D), noise (L, B, Z) from N(0, I) -> Trace with bound (B,)
    Raises TypeError unless x and noise are arrays and objective is one, ValueError if a shape
    or dtype differs from the model's, or L from an importance-weighted objective's K.
    """
    _check_batch(vae, x, noise)
    check_objective(objective)
    objective.check_samples(len(noise))
    Z = vae.latent_dim

    encoder_input = vae.likelihood.encoder_input(x)
    encoder_hidden, heads = stack(encoder_input, vae.params.encoder, ACTIVATIONS[vae.activation])
    mu, logvar = heads[:, :Z].copy(), heads[:, Z:].copy()
    kl = gaussian_kl(mu, logvar)
    z = reparameterize(mu, logvar, noise)
    decoder_hidden, decoder_output, log_px_z = decode(vae, x, z)

    trace = Trace(
        encoder_hidden, mu, logvar, z, decoder_hidden, decoder_output, log_px_z, kl, objective
    )
    return trace._replace(bound=objective.bound(trace, noise))


def elbo_backward(
    dbound: np.ndarray,
    vae: VAE,
    x: np.ndarray,
    noise: np.ndarray,
    trace: Trace,
    out: Params | None = None,
) -> Params:
    """The gradient of Σ_b dbound_b·bound_b with respect to every parameter.     [elbo.2]

    dbound (B,); vae, x, noise as they were in trace = elbo(vae, x, noise) -> Params; if out is
    given, it is overwritten and returned
    Raises TypeError or ValueError as elbo does.
    """
    _check_batch(vae, x, noise)
    _check_dbound(vae, dbound, trace)
    if noise.shape != trace.z.shape:
        raise ValueError(f"noise has shape {noise.shape}; the trace was made with {trace.z.shape}")
    L, B, Z = noise.shape
    activation = ACTIVATIONS[vae.activation]
    params, grads = vae.params, out or vae.params.empty_like()

    # bound = objective.bound(trace, noise)
    roads = trace.objective.bound_backward(dbound, trace, noise)

    # log_px_z = log_prob(x, decoder_output, **learned)
    learned = params.likelihood
    likelihood_inputs = roads.dlog_px_z, x, trace.decoder_output
    doutput = vae.likelihood.log_prob_backward(*likelihood_inputs, **learned)
    if learned:
        dlearned = vae.likelihood.log_prob_backward_learned(*likelihood_inputs, **learned)
        for name, dv in grads.likelihood.items():
            dv[...] = dlearned[name]

    # decoder_hidden, output = stack(z, decoder)
    da, _ = stack_backward(
        doutput.reshape(L * B, -1),
        trace.z.reshape(L * B, Z),
        params.decoder,
        activation,
        trace.decoder_hidden,
        out=grads.decoder,
    )
    dz = dense_backward_input(da, params.decoder[0].W).reshape(L, B, Z)
    dz = roads.dz_weight * dz + roads.dz

    # z = reparameterize(mu, logvar, noise)
    dmu, dlogvar = reparameterize_backward(dz, trace.logvar, noise)

    # mu, logvar = heads[:, :Z], heads[:, Z:]: all roads meet
    dheads = np.concatenate([dmu + roads.dmu, dlogvar + roads.dlogvar], axis=-1)

    # encoder_hidden, heads = stack(encoder_input, encoder)
    encoder_input = vae.likelihood.encoder_input(x)
    inputs = dheads, encoder_input, params.encoder, activation, trace.encoder_hidden
    stack_backward(*inputs, out=grads.encoder)
    return grads


def _check_batch(vae, x, noise):
    _check_array("x", x, vae.dtype)
    _check_array("noise", noise, vae.dtype)
    if x.ndim != 2 or x.shape[1] != vae.data_dim or len(x) == 0:
        raise ValueError(f"x has shape {x.shape}; expected (B, D) with D = {vae.data_dim}, B >= 1")
    if noise.ndim != 3 or noise.shape[0] < 1 or noise.shape[1:] != (len(x), vae.latent_dim):
        raise ValueError(
            f"noise has shape {noise.shape}; expected (L, B, Z) with L >= 1, B = {len(x)}, "
            f"Z = {vae.latent_dim}"
        )


def _check_dbound(vae, dbound, trace):
    _check_array("dbound", dbound, vae.dtype)
    if dbound.shape != trace.bound.shape:
        raise ValueError(
            f"dbound has shape {dbound.shape}; expected (B,) with B = {len(trace.bound)}"
        )


def _check_array(name, array, dtype):
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} is a {type(array).__name__}; expected a NumPy array")
    if array.dtype != dtype:
        raise ValueError(f"{name} is {array.dtype}; the model's parameters are {dtype}")
