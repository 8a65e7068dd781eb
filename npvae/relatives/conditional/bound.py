"""The bound on log p(x|c), and its backward pass.

z and the q of x and c are kept in the prior's units, where p(z|c) is N(0, I); so every objective
of npvae serves, and none knows of a condition.
conditional_elbo_backward is conditional_elbo read from its last line to its first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...activations import ACTIVATIONS
from ...dense import dense_backward_input, stack, stack_backward
from ...elbo import CLOSED_FORM, _check_array, _check_batch, _check_dbound, decode
from ...kl import gaussian_kl
from ...objectives import Objective, check_objective
from ...reparameterization import reparameterize, reparameterize_backward
from ...trace import NOT_YET
from ...vae import VAE
from .conditions import beside
from .prior import whiten, whiten_backward

if TYPE_CHECKING:
    from .model import ConditionalParams, ConditionalVAE


class ConditionalTrace(NamedTuple):
    """All that one forward pass computed; a `Trace` as far as an objective looks."""

    encoder_input: np.ndarray  # (B, D + C): [x, c]
    encoder_hidden: tuple[np.ndarray, ...]  # each (B, H)
    prior_hidden: tuple[np.ndarray, ...]  # each (B, H)
    prior_mu: np.ndarray  # (B, Z)
    prior_logvar: np.ndarray  # (B, Z)
    mu: np.ndarray  # (B, Z), in the prior's units
    logvar: np.ndarray  # (B, Z), in the prior's units
    z: np.ndarray  # (L, B, Z), in the prior's units
    decoder_input: np.ndarray  # (L, B, Z + C): [z, c], z in its own
    decoder_hidden: tuple[np.ndarray, ...]  # each (L·B, H)
    decoder_output: np.ndarray  # (L, B, ·)
    log_px_z: np.ndarray  # (L, B) nats, log p(x|z, c)
    kl: np.ndarray  # (B,) nats
    objective: Objective
    bound: np.ndarray = NOT_YET  # (B,) nats


def conditional_prior(
    model: ConditionalVAE, condition: np.ndarray
) -> tuple[tuple[np.ndarray, ...], np.ndarray, np.ndarray]:
    """p(z|c) = N(m, diag s²),  [m, log s²] = stack(c); N(0, I) without a stack. [conditional.1]

    condition (B, C) -> hidden, m (B, Z), log s² (B, Z)
    """
    layers = model.params.prior
    if not layers:
        zeros = np.zeros((len(condition), model.latent_dim), model.dtype)
        return (), zeros, zeros
    hidden, heads = stack(condition, layers, ACTIVATIONS[model.activation])
    m, log_s2 = np.split(heads, 2, axis=-1)
    return hidden, m, log_s2


def conditional_elbo(
    model: ConditionalVAE,
    x: np.ndarray,
    condition: np.ndarray,
    noise: np.ndarray,
    objective: Objective = CLOSED_FORM,
) -> ConditionalTrace:
    """bound = (1/L) Σ_l log p(x|z_l, c) − KL(q(z|x, c) ‖ p(z|c)) <= log p(x|c) on average, in
    nats, or another objective.                                  [conditional.1]

    x (B, D), condition (B, C), noise (L, B, Z) from N(0, I) -> ConditionalTrace with bound (B,)
    Raises as `elbo` does, and if condition is of another shape or dtype.
    """
    _check_batch(model, x, noise)
    _check_condition(model, x, condition)
    check_objective(objective)
    objective.check_samples(len(noise))

    encoder_input = beside(model.likelihood.encoder_input(x), condition)
    activation = ACTIVATIONS[model.activation]
    encoder_hidden, heads = stack(encoder_input, model.params.encoder, activation)
    prior_hidden, m, log_s2 = conditional_prior(model, condition)
    Z = model.latent_dim
    mu, logvar = whiten(heads[:, :Z], heads[:, Z:], m, log_s2)
    kl = gaussian_kl(mu, logvar)
    z = reparameterize(mu, logvar, noise)
    decoder_input = beside(reparameterize(m, log_s2, z), condition)
    decoder = VAE(model.params, model.likelihood, model.activation)  # whose z is [z, c]
    decoder_hidden, decoder_output, log_px_z = decode(decoder, x, decoder_input)

    trace = ConditionalTrace(
        encoder_input,
        encoder_hidden,
        prior_hidden,
        m,
        log_s2,
        mu,
        logvar,
        z,
        decoder_input,
        decoder_hidden,
        decoder_output,
        log_px_z,
        kl,
        objective,
    )
    return trace._replace(bound=objective.bound(trace, noise))


def conditional_elbo_backward(
    dbound: np.ndarray,
    model: ConditionalVAE,
    x: np.ndarray,
    condition: np.ndarray,
    noise: np.ndarray,
    trace: ConditionalTrace,
    out: ConditionalParams | None = None,
) -> ConditionalParams:
    """The gradient of Σ_b dbound_b·bound_b with respect to every parameter.  [conditional.6]

    dbound (B,); model, x, condition, noise as they were in trace = conditional_elbo(…)
    -> ConditionalParams; if out is given, it is overwritten and returned
    """
    _check_batch(model, x, noise)
    _check_condition(model, x, condition)
    _check_dbound(model, dbound, trace)
    if noise.shape != trace.z.shape:
        raise ValueError(f"noise has shape {noise.shape}; the trace was made with {trace.z.shape}")
    Z, activation = model.latent_dim, ACTIVATIONS[model.activation]
    params, grads = model.params, out or model.params.empty_like()

    # bound = objective.bound(trace, noise)
    roads = trace.objective.bound_backward(dbound, trace, noise)

    # log_px_z = log_prob(x, decoder_output, **learned)
    learned = params.likelihood
    likelihood_inputs = roads.dlog_px_z, x, trace.decoder_output
    doutput = model.likelihood.log_prob_backward(*likelihood_inputs, **learned)
    if learned:
        dlearned = model.likelihood.log_prob_backward_learned(*likelihood_inputs, **learned)
        for name, dv in grads.likelihood.items():
            dv[...] = dlearned[name]

    # decoder_hidden, output = stack([m + s z', c], decoder)
    seen = trace.decoder_input
    rows = doutput.reshape(-1, doutput.shape[-1]), seen.reshape(-1, seen.shape[-1])
    decoder = params.decoder, activation, trace.decoder_hidden
    da, _ = stack_backward(*rows, *decoder, out=grads.decoder)
    dz_own = dense_backward_input(da, params.decoder[0].W[:Z]).reshape(noise.shape)

    # z' into m + s z', which is reparameterize(m, log s², z')
    dprior_mu, dprior_logvar = reparameterize_backward(dz_own, trace.prior_logvar, trace.z)
    dz = roads.dz_weight * np.exp(trace.prior_logvar / 2) * dz_own + roads.dz

    # z' = reparameterize(mu', logvar', noise), and the objective's own roads to mu' and logvar'
    dmu, dlogvar = reparameterize_backward(dz, trace.logvar, noise)
    dwhite = dmu + roads.dmu, dlogvar + roads.dlogvar

    # mu', logvar' = whiten(mu, logvar, m, log s²)
    dmu, dlogvar, dm, dlog_s2 = whiten_backward(*dwhite, trace.mu, trace.prior_logvar)

    # prior_hidden, [m, log s²] = stack(c, prior)
    if params.prior:
        dheads = np.concatenate([dprior_mu + dm, dprior_logvar + dlog_s2], axis=-1)
        inputs = dheads, condition, params.prior, activation, trace.prior_hidden
        stack_backward(*inputs, out=grads.prior)

    # encoder_hidden, [mu, logvar] = stack([x, c], encoder)
    dheads = np.concatenate([dmu, dlogvar], axis=-1)
    inputs = dheads, trace.encoder_input, params.encoder, activation, trace.encoder_hidden
    stack_backward(*inputs, out=grads.encoder)
    return grads


def _check_condition(model, x, condition):
    _check_array("condition", condition, model.dtype)
    if condition.shape != (len(x), model.condition_dim):
        raise ValueError(
            f"condition has shape {condition.shape}; expected (B, C) with B = {len(x)}, "
            f"C = {model.condition_dim}"
        )
