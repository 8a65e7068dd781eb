"""Hashes of what trainings and estimates come to, to the last bit.

    python tests/benchmarks/bits.py > before.txt        on one checkout
    python tests/benchmarks/bits.py | diff before.txt -   on another, on the same machine

A change that only moves code leaves every line as it was. Another processor, or another version
of numba or NumPy, may round differently, so the hashes themselves are worth nothing elsewhere.
"""

import hashlib
import itertools
import warnings

import numpy as np

import npvae

LIKELIHOODS = (
    npvae.Bernoulli(),
    npvae.ContinuousBernoulli(),
    npvae.Gaussian(0.3),
    npvae.LearnedGaussian(),
    npvae.HeteroscedasticGaussian(),
    npvae.Categorical(4),
)
OBJECTIVES = (
    npvae.ClosedForm(beta=0.5),
    npvae.Sampled(samples=2),
    npvae.ImportanceWeighted(3),
    npvae.ImportanceWeighted(3, gradient="dreg"),
    npvae.FreeBits(0.1),
)
OPTIMIZERS = npvae.SGD, npvae.Adagrad, npvae.Adam


def digest(*arrays):
    data = b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)
    return hashlib.sha256(data).hexdigest()[:16]


def trained(likelihood, objective, optimizer, dtype, activation):
    """-> a model of two latents after two epochs, and its data."""
    rng = np.random.default_rng(3)
    x = rng.integers(0, 4, (250, 30)) / 3
    model = {"hidden": (40, 30), "latent_dim": 2, "activation": activation, "dtype": dtype}
    vae = npvae.VAE.init(30, likelihood=likelihood, rng=rng, **model)
    choices = {"objective": objective, "optimizer": optimizer(1e-3), "batch_size": 64}
    binarize = isinstance(likelihood, npvae.Bernoulli)
    for _ in npvae.train(vae, x, epochs=2, rng=rng, binarize=binarize, x_val=x[:50], **choices):
        pass
    return vae, np.rint(x) if binarize else x


def main():
    warnings.simplefilter("ignore")
    activations = itertools.cycle(npvae.ACTIVATIONS)
    dtypes = itertools.cycle((np.float32, np.float64))
    for likelihood, objective in itertools.product(LIKELIHOODS, OBJECTIVES):
        optimizer = OPTIMIZERS[len(repr(objective)) % 3]
        vae, x = trained(likelihood, objective, optimizer, next(dtypes), next(activations))
        rng = np.random.default_rng(4)
        print(
            f"{likelihood!r:40.40} {type(objective).__name__:18}",
            digest(*vae.params.arrays().values()),
            digest(*npvae.evaluate(vae, x, rng=rng)[:4]),
            digest(npvae.log_likelihood(vae, x[:25], samples=300, rng=rng).log_px),
            digest(npvae.exact.quadrature(vae, x[:3]).log_px),
            digest(npvae.exact.expected_bound(vae, x[:3])),
        )


if __name__ == "__main__":
    main()
