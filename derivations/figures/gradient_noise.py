"""Draws gradient_noise.png: the noise of three estimators of one gradient, by Z and by L.

Prints what chapter 6 says of the trained model.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import npvae
from npvae.activations import ACTIVATIONS
from npvae.dense import dense_backward_input, stack, stack_backward
from npvae.reparameterization import reparameterize, reparameterize_backward

LABELS = ("score function", "score function, f − mean f", "pathwise")
COLOURS = ("#882255", "#CC79A7", "#0072B2")
DRAWS = 8192


def estimators(f, dz, noise, logvar):
    """Three estimates of dE[f(z)]/dmu from each draw.

    f (N,), dz (N, Z), noise (N, Z), logvar (1, Z) -> three arrays (N, Z)
    """
    score = noise / np.exp(logvar / 2)
    pathwise, _ = reparameterize_backward(dz[None], logvar, noise[None])
    return f[:, None] * score, (f - f.mean())[:, None] * score, pathwise


def quadratic(Z, rng):
    """f(z) = −½ ‖z‖² at mu = 1, σ = ½, in Z dimensions."""
    logvar = np.full((1, Z), 2 * np.log(0.5))
    noise = rng.standard_normal((DRAWS, Z))
    z = reparameterize(np.ones((1, Z)), logvar, noise)
    return estimators(-np.sum(z * z, axis=1) / 2, -z, noise, logvar)


def trained_model(rng):
    """f(z) = log p(x|z) for one image x and a VAE trained on drawn digits."""
    images = npvae.datasets.glyph_digits(2000, rng=rng).images
    x = npvae.binarize(images[:1], rng=rng)
    vae = npvae.VAE.init(784, hidden=(200,), latent_dim=10, likelihood=npvae.Bernoulli(), rng=rng)
    list(npvae.train(vae, images, epochs=6, optimizer=npvae.Adam(3e-3), binarize=True, rng=rng))
    mu, logvar = vae.encode(x)
    noise = rng.standard_normal((DRAWS, vae.latent_dim), np.float32)
    z = reparameterize(mu, logvar, noise)

    tanh, decoder = ACTIVATIONS[vae.activation], vae.params.decoder
    hidden, logits = stack(z, decoder, tanh)
    f = vae.likelihood.log_prob(x, logits[:, None])
    dlogits = vae.likelihood.log_prob_backward(np.ones_like(f), x, logits[:, None])
    da, _ = stack_backward(dlogits[:, 0], z, decoder, tanh, hidden)
    return estimators(f[:, 0], dense_backward_input(da, decoder[0].W), noise, logvar)


rng = np.random.default_rng(0)
figure = Figure(figsize=(6.6, 3.2), layout="constrained")
left, right = figure.subplots(1, 2)

Zs = (1, 2, 5, 10, 20, 50, 100)
spreads = [[gradient.std(axis=0).mean() for gradient in quadratic(Z, rng)] for Z in Zs]
for spread, label, colour in zip(np.transpose(spreads), LABELS, COLOURS, strict=True):
    left.loglog(Zs, spread, "o-", markersize=4, color=colour, label=label)
left.set(title="f = −½ ‖z‖², gradient −1", xlabel="Z, dimensions")
left.set_ylabel("standard deviation of one draw")

gradients = [g.astype(np.float64) for g in trained_model(rng)]
exact = gradients[-1].mean(axis=0)
Ls = (1, 4, 16, 64, 256)
for gradient, label, colour in zip(gradients, LABELS, COLOURS, strict=True):
    errors = [gradient.reshape(-1, L, len(exact)).mean(axis=1) - exact for L in Ls]
    relative = [np.sqrt(np.sum(e * e, axis=1).mean()) / np.linalg.norm(exact) for e in errors]
    right.loglog(Ls, relative, "o-", markersize=4, color=colour, label=label)
    times = gradient.var(axis=0).sum() / gradients[-1].var(axis=0).sum()
    print(f"{label}: {times:,.1f} times the variance of pathwise, error at L = 1 {relative[0]:.1f}")
right.axhline(1, color="black", linewidth=0.8)
right.set(title="f = log p(x|z), a trained VAE", xlabel="L, draws averaged")
right.set_ylabel("error / length of the gradient")
left.legend(frameon=False, fontsize=9)

figure.savefig(Path(__file__).with_suffix(".png"), dpi=130)
