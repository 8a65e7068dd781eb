"""Draws exact_estimates.png: estimates of log p(x) against K, where the answer is known."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import norm

import npvae
from npvae import exact

CHOICES = {"q over both humps": (0.0, 1.0, "#0072B2"), "q on one hump": (1.2, 0.12, "#D55E00")}
KS = np.array([1, 3, 10, 30, 100, 300, 1000, 3000])
REPEATS = 300


def folded():
    """x = tanh(2z − 2) − tanh(2z + 2) + 2 + 0.15 noise: z and −z look alike."""
    rng = np.random.default_rng(0)
    vae = npvae.VAE.init(
        1,
        hidden=(),
        decoder_hidden=(2,),
        latent_dim=1,
        likelihood=npvae.Gaussian(0.15),
        dtype=np.float64,
        rng=rng,
    )
    first, last = vae.params.decoder
    first.W[:], first.b[:] = 2, (-2, 2)
    last.W[:], last.b[:] = [[1], [-1]], 2
    return vae


def set_q(vae, mu, std):
    (encoder,) = vae.params.encoder
    encoder.W[:], encoder.b[:] = 0, (mu, 2 * np.log(std))


vae = folded()
x = vae.decode([[1.2]])
log_px = exact.quadrature(vae, x, step=0.01).log_px[0]

figure = Figure(figsize=(9, 3.4), layout="constrained")
left, right = figure.subplots(1, 2)
z = np.linspace(-3, 3, 1200)
log_joint = vae.likelihood.log_prob(x, vae.decode(z[:, None])[:, None])[:, 0] + norm.logpdf(z)
left.plot(z, np.exp(log_joint - log_px), "k:", linewidth=3, label="the posterior, p(z|x)")

rng = np.random.default_rng(1)
for name, (mu, std, colour) in CHOICES.items():
    set_q(vae, mu, std)
    left.plot(z, norm.pdf(z, mu, std), color=colour, label=name)
    noise = (rng.standard_normal((K, REPEATS, 1)) for K in KS)
    rows = np.repeat(x, REPEATS, axis=0)
    bounds = np.array(
        [npvae.elbo(vae, rows, n, npvae.ImportanceWeighted(len(n))).bound for n in noise]
    )
    right.semilogx(KS, bounds.mean(axis=1), "o-", color=colour, label=f"mean bound, {name}")
    low, high = np.quantile(bounds, (0.1, 0.9), axis=1)
    right.fill_between(KS, low, high, color=colour, alpha=0.2, linewidth=0)
right.axhline(log_px, color="k", linestyle=":", label="log p(x), by quadrature")
right.axhline(log_px - np.log(2), color="0.6", linestyle="--", label="log p(x) − log 2")
left.set(xlabel="z", ylabel="density", title="one x, two explanations")
right.set(xlabel="K", ylabel="nats", ylim=(-4.5, 0.2), title="bounds of K draws")
for axes in (left, right):
    axes.legend(frameon=False, fontsize=8)
figure.savefig(Path(__file__).with_suffix(".png"), dpi=150)
