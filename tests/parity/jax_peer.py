"""The model and its objectives in JAX, as the papers write them; jax.grad differentiates."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jax.scipy.stats import nbinom, norm, poisson
from jax.scipy.stats import t as student

from npvae import likelihoods, objectives

ACTIVATIONS = {
    "identity": lambda a: a,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "relu": jax.nn.relu,
    "leaky_relu": lambda a: jax.nn.leaky_relu(a, 0.01),
    "softplus": jax.nn.softplus,
}
LOG_2PI_E = np.log(2 * np.pi * np.e)


def compute(vae, x, noise, objective, dbound):
    """-> log_px_z, kl, bound by name; the gradient of Σ_b dbound_b·bound_b by parameter."""

    def totals(params):
        log_px_z, kl, z, q = forward(vae, params, x, noise)
        bound, for_encoder = raised(objective, log_px_z, kl, z, q)
        values = {"log_px_z": log_px_z, "kl": kl.sum(axis=-1), "bound": bound}
        return (jnp.sum(dbound * bound), jnp.sum(dbound * for_encoder)), values

    with jax.enable_x64(True):
        params = {name: jnp.asarray(array) for name, array in vae.params.arrays().items()}
        both, values = jax.jacrev(totals, has_aux=True)(params)
        of_bound, of_encoder = jax.tree.map(np.asarray, both)
        values = jax.tree.map(np.asarray, values)
    chosen = {name: of_encoder if name.startswith("encoder") else of_bound for name in params}
    return values, {name: gradients[name] for name, gradients in chosen.items()}


def forward(vae, params, x, noise):
    """-> log_px_z (L, B), kl (B, Z), z (L, B, Z), q = (mu, sigma), each (B, Z)"""
    read = encoder_input(vae.likelihood, x)
    mu, logvar = jnp.split(stack(read, params, "encoder", vae.activation), 2, axis=-1)
    sigma = jnp.exp(logvar / 2)
    z = mu + sigma * noise
    output = stack(z, params, "decoder", vae.activation)
    log_px_z = log_prob(vae.likelihood, x, output, params).sum(axis=-1)
    cross_entropy = (LOG_2PI_E - 1 + mu**2 + sigma**2) / 2
    entropy = (LOG_2PI_E + logvar) / 2
    return log_px_z, cross_entropy - entropy, z, (mu, sigma)


def stack(h, params, part, activation):
    """Dense layers with the activation between them."""
    depth = sum(name.startswith(f"{part}/") for name in params) // 2
    for i in range(depth):
        if i > 0:
            h = ACTIVATIONS[activation](h)
        h = h @ params[f"{part}/{i}/W"] + params[f"{part}/{i}/b"]
    return h


def encoder_input(likelihood, x):
    """What the encoder reads of x, NaN in its holes."""
    match likelihood:
        case likelihoods.Holes():
            read = encoder_input(likelihood.likelihood, x)
            return jnp.concatenate([jnp.nan_to_num(read, nan=0.0), ~jnp.isnan(x)], axis=-1)
        case likelihoods.Product():
            return jnp.concatenate(
                [encoder_input(p, x[:, np.array(d)]) for d, p in likelihood.parts], axis=-1
            )
        case likelihoods.Standardized():
            return (x - jnp.array(likelihood.shift)) / jnp.array(likelihood.scale)
        case likelihoods.Poisson() | likelihoods.NegativeBinomial():
            return jnp.log1p(x)
        case likelihoods.Categorical(whole=True):
            return jnp.reshape(x[..., None] == jnp.arange(likelihood.levels), (len(x), -1))
    return x


def log_prob(likelihood, x, output, params, prefix="likelihood/"):
    """log p(x_d|z) of each pixel, (L, B, D), 0 in a hole."""
    match likelihood:
        case likelihoods.Holes():
            found = log_prob(likelihood.likelihood, jnp.nan_to_num(x), output, params, prefix)
            return jnp.where(jnp.isnan(x), 0.0, found)
        case likelihoods.Product():
            found, start = jnp.zeros((*output.shape[:2], x.shape[1])), 0
            for i, (columns, p) in enumerate(likelihood.parts):
                stop = start + len(columns) * getattr(p, "levels", 1)
                at = np.array(columns)
                own = log_prob(p, x[:, at], output[..., start:stop], params, f"{prefix}{i}/")
                found, start = found.at[..., at].set(own), stop
            return found
        case likelihoods.Standardized():
            u, scale = encoder_input(likelihood, x), jnp.array(likelihood.scale)
            return log_prob(likelihood.likelihood, u, output, params, prefix) - jnp.log(scale)
        case likelihoods.ColumnGaussian():
            return norm.logpdf(x, output, column_width(likelihood, params, prefix))
        case likelihoods.StudentT():
            sigma = column_width(likelihood, params, prefix)
            return student.logpdf(x, likelihood.dof, output, sigma)
        case likelihoods.Poisson():
            return poisson.logpmf(x, jnp.exp(output))
        case likelihoods.NegativeBinomial():
            r = jnp.exp(params[f"{prefix}log_r"])
            return nbinom.logpmf(x, r, r / (r + jnp.exp(output)))
        case likelihoods.Categorical(whole=True):
            logits = output.reshape(*output.shape[:-1], -1, likelihood.levels)
            chosen = jax.nn.one_hot(x.astype(int), likelihood.levels)
            return jnp.sum(chosen * jax.nn.log_softmax(logits), axis=-1)
        case likelihoods.Bernoulli():
            return bernoulli(x, output)
        case likelihoods.Gaussian():
            return norm.logpdf(x, output, likelihood.sigma)
        case likelihoods.LearnedGaussian():
            return norm.logpdf(x, output, jnp.exp(params["likelihood/logvar"] / 2))
        case likelihoods.HeteroscedasticGaussian():
            mean, s = jnp.split(output, 2, axis=-1)
            return norm.logpdf(x, mean, jnp.sqrt(likelihood.min_sigma**2 + jnp.exp(s)))
        case likelihoods.ContinuousBernoulli():
            # C(λ) = 2 artanh(1 − 2λ)/(1 − 2λ), Loaiza-Ganem & Cunningham 2019, with
            # 1 − 2λ = −tanh(a/2)
            return bernoulli(x, output) + jnp.log(output / jnp.tanh(output / 2))
        case likelihoods.Categorical():
            logits = output.reshape(*output.shape[:-1], -1, likelihood.levels)
            level = jnp.round(x * (likelihood.levels - 1)).astype(int)
            chosen = jax.nn.one_hot(level, likelihood.levels)
            return jnp.sum(chosen * jax.nn.log_softmax(logits), axis=-1)


def column_width(likelihood, params, prefix):
    """σ of each column."""
    return jnp.sqrt(likelihood.min_sigma**2 + jnp.exp(params[f"{prefix}a"]))


def bernoulli(x, logits):
    """x log λ + (1 − x) log(1 − λ)."""
    return x * jax.nn.log_sigmoid(logits) + (1 - x) * jax.nn.log_sigmoid(-logits)


def raised(objective, log_px_z, kl, z, q):
    """-> bound (B,), and what the encoder's gradient is the gradient of."""
    match objective:
        case objectives.ClosedForm():
            bound = log_px_z.mean(axis=0) - objective.beta * kl.sum(axis=-1)
        case objectives.FreeBits():
            price = jnp.maximum(kl.mean(axis=0), objective.free_bits).sum()
            bound = log_px_z.mean(axis=0) - price
        case objectives.Sampled():
            bound = jnp.mean(log_px_z - objective.beta * log_ratio(z, q), axis=0)
        case objectives.ImportanceWeighted():
            return importance_weighted(objective.gradient, log_px_z, z, q)
    return bound, bound


def importance_weighted(gradient, log_px_z, z, q):
    """Burda et al. 2015; Roeder et al. 2017, q's own parameters stopped; Tucker et al. 2018."""
    log_w = log_px_z - log_ratio(z, q if gradient == "total" else jax.lax.stop_gradient(q))
    bound = logsumexp(log_w, axis=0) - np.log(len(log_w))
    if gradient == "dreg":
        share = jax.lax.stop_gradient(jax.nn.softmax(log_w, axis=0))
        return bound, jnp.sum(share**2 * log_w, axis=0)
    return bound, bound


def log_ratio(z, q):
    """log q(z|x) − log p(z)."""
    return jnp.sum(norm.logpdf(z, *q) - norm.logpdf(z), axis=-1)
