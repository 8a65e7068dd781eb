"""Draws weights.png: one posterior, three choices of q, and what twelve draws of each weigh."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import norm

import npvae
from npvae import exact
from npvae.dense import Layer
from npvae.objectives import log_weights

POSTERIOR, Q = "#000000", "#0072B2"
K, MU = 12, 0.5
CHOICES = {"the toy's q": -1.0, "narrower: logvar = −3": -3.0, "wider: logvar = 1": 1.0}
x = np.array([[1.0, 0.0]])


def toy(logvar):
    encoder = [Layer(np.zeros((2, 2)), np.array([MU, logvar]))]
    decoder = [Layer(np.array([[2.0, -1.0]]), np.zeros(2))]
    return npvae.VAE(npvae.Params(encoder, decoder, {}), npvae.Bernoulli(), "tanh")


def draw_densities(axes, vae, std):
    z = np.linspace(-3.2, 4.2, 500)
    log_px_z = vae.likelihood.log_prob(x, (z[:, None] * [[2.0, -1.0]])[:, None])[:, 0]
    posterior = np.exp(log_px_z + norm.logpdf(z) - exact.quadrature(vae, x).log_px)
    axes.plot(z, posterior, ":", color=POSTERIOR, linewidth=2.5, label="p(z|x)")
    axes.plot(z, norm.pdf(z, MU, std), color=Q, label="q(z|x)")
    axes.set_ylim(0, 1.85)
    axes.legend(frameon=False, fontsize=10)


def draw_weights(axes, vae, noise):
    trace = npvae.elbo(vae, x, noise)
    log_w = log_weights(trace, noise)[:, 0]
    w = np.exp(log_w)
    share = w / w.sum()
    axes.vlines(trace.z[:, 0, 0], 0, share, color=Q, linewidth=2)
    axes.plot(trace.z[:, 0, 0], share, "o", color=Q, markersize=5)
    axes.axhline(1 / K, color="0.5", linestyle="--", linewidth=1)
    text = f"{1 / np.square(share).sum():.1f} of {K} effective\n"
    text += f"log of the mean {np.log(w.mean()):.2f}\nmean of the logs {log_w.mean():.2f}"
    text = text.replace("-", "−")
    axes.text(0.03, 0.96, text, transform=axes.transAxes, va="top", fontsize=9)
    axes.set(xlabel="z", ylim=(0, 0.65))


figure = Figure(figsize=(9, 4.6), layout="constrained")
panels = figure.subplots(2, 3, sharex=True, sharey="row")
noise = np.random.default_rng(2).standard_normal((K, 1, 1))
for (upper, lower), (name, logvar) in zip(panels.T, CHOICES.items(), strict=True):
    vae = toy(logvar)
    upper.set_title(name)
    draw_densities(upper, vae, np.exp(logvar / 2))
    draw_weights(lower, vae, noise)
panels[0, 0].set_ylabel("density")
panels[1, 0].set_ylabel("share of the weight")
figure.savefig(Path(__file__).with_suffix(".png"), dpi=150)
