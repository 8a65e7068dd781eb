"""Small models for tests, and their bounds as loops in plain floats: nothing of npvae but the
numbers in the model."""

import math

import numpy as np
from scipy.integrate import quad
from scipy.special import logsumexp
from scipy.stats import norm

import npvae

LIKELIHOODS = {
    "bernoulli": npvae.Bernoulli(),
    "continuous bernoulli": npvae.ContinuousBernoulli(),
    "gaussian": npvae.Gaussian(0.7),
    "learned gaussian": npvae.LearnedGaussian(0.7),
    "heteroscedastic": npvae.HeteroscedasticGaussian(0.1),
    "categorical": npvae.Categorical(levels=3),
}


def make_vae(likelihood=LIKELIHOODS["bernoulli"], activation="tanh", D=4, Z=2, seed=0, **options):
    """A small model whose every parameter is drawn: zero biases could put ReLU on its kink."""
    rng = np.random.default_rng(seed)
    options = {"hidden": (3,), "decoder_hidden": (5, 4), "dtype": np.float64} | options
    options |= {"latent_dim": Z, "likelihood": likelihood, "activation": activation}
    vae = npvae.VAE.init(D, rng=rng, **options)
    for array in vae.params.arrays().values():
        array[...] = rng.normal(0, 0.6, array.shape)
    return vae


def make_batch(vae, B=6, L=2, seed=1):
    """x in the likelihood's support inside [0, 1], and noise, in the model's dtype."""
    rng = np.random.default_rng(seed)
    x = rng.random((B, vae.data_dim), vae.dtype)
    if isinstance(vae.likelihood, npvae.Categorical):
        x = np.rint(2 * x) / 2
    return x, rng.standard_normal((L, B, vae.latent_dim), vae.dtype)


SLOW_ACTIVATIONS = {
    "identity": lambda a: a,
    "tanh": math.tanh,
    "sigmoid": lambda a: 1 / (1 + math.exp(-a)),
    "relu": lambda a: a if a > 0 else 0.0,
    "leaky_relu": lambda a: a if a > 0 else 0.01 * a,
    "softplus": lambda a: math.log(1 + math.exp(a)),
}


def slow_layer(h, layer):
    return [
        sum(h[i] * layer.W[i, j] for i in range(len(h))) + layer.b[j] for j in range(len(layer.b))
    ]


def slow_stack(h, layers, activation):
    for layer in layers[:-1]:
        h = [SLOW_ACTIVATIONS[activation](a) for a in slow_layer(h, layer)]
    return slow_layer(h, layers[-1])


def slow_log_prob(vae, x, output):
    """log p(x|z) of one row from one row of the decoder's output."""
    return sum(slow_pixel(vae, d, x[d], output, len(x)) for d in range(len(x)))


def slow_pixel(vae, d, x, output, D):
    likelihood, a = vae.likelihood, output[d]
    if isinstance(likelihood, npvae.Bernoulli):
        p = 1 / (1 + math.exp(-a))
        return x * math.log(p) + (1 - x) * math.log(1 - p)
    if isinstance(likelihood, npvae.ContinuousBernoulli):
        return a * x - math.log(quad(lambda t: math.exp(a * t), 0, 1, epsabs=0)[0])
    if isinstance(likelihood, npvae.Categorical):
        levels = likelihood.levels
        logits = output[d * levels : (d + 1) * levels]
        return logits[round(x * (levels - 1))] - logsumexp(logits)
    if isinstance(likelihood, npvae.HeteroscedasticGaussian):
        sigma = math.sqrt(likelihood.min_sigma**2 + math.exp(output[D + d]))
    elif isinstance(likelihood, npvae.LearnedGaussian):
        sigma = math.exp(vae.params.likelihood["logvar"][0] / 2)
    else:
        sigma = likelihood.sigma
    return norm.logpdf(x, a, sigma)


def slow_posterior(vae, x):
    """mu and logvar of one row."""
    heads = slow_stack(list(x), vae.params.encoder, vae.activation)
    return heads[: vae.latent_dim], heads[vae.latent_dim :]


def slow_draw(mu, logvar, noise):
    return [m + math.exp(s) ** 0.5 * e for m, s, e in zip(mu, logvar, noise, strict=True)]


def slow_reconstruction(vae, x, z):
    """log p(x|z) of one row."""
    return slow_log_prob(vae, x, slow_stack(z, vae.params.decoder, vae.activation))


def slow_log_ratio(mu, logvar, z):
    """log q(z|x) − log p(z) of one row."""
    return sum(
        norm.logpdf(z_j, m, math.exp(s / 2)) - norm.logpdf(z_j)
        for z_j, m, s in zip(z, mu, logvar, strict=True)
    )


def slow_kl_per_dim(mu, logvar):
    """Cross-entropy of q and the prior, less the entropy of q, dimension by dimension."""
    cross_entropy = [
        0.5 * math.log(2 * math.pi) + 0.5 * (m**2 + math.exp(s))
        for m, s in zip(mu, logvar, strict=True)
    ]
    return np.array(cross_entropy) - [norm.entropy(scale=math.exp(s / 2)) for s in logvar]


def slow_bound(vae, x, noise, beta):
    """The bound with its KL in closed form, row by row."""
    bound = []
    for b in range(len(x)):
        mu, logvar = slow_posterior(vae, x[b])
        draws = [slow_draw(mu, logvar, noise_l[b]) for noise_l in noise]
        reconstruction = np.mean([slow_reconstruction(vae, x[b], z) for z in draws])
        bound.append(reconstruction - beta * sum(slow_kl_per_dim(mu, logvar)))
    return bound


def slow_log_weights(vae, x, noise):
    """log p(x|z), log q(z|x) − log p(z), each (L, B)."""
    log_px_z, log_ratio = np.empty((2, *noise.shape[:2]))
    for b in range(len(x)):
        mu, logvar = slow_posterior(vae, x[b])
        for draw in range(len(noise)):
            z = slow_draw(mu, logvar, noise[draw, b])
            log_px_z[draw, b] = slow_reconstruction(vae, x[b], z)
            log_ratio[draw, b] = slow_log_ratio(mu, logvar, z)
    return log_px_z, log_ratio
