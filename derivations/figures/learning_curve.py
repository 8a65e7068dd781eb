"""Draws learning_curve.png: reconstruction, KL and bound of two VAEs that learn drawn digits.

Prints what chapter 4 says of the runs.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import npvae
from npvae.training.loop import minibatches
from npvae.training.step import descend

BLUE, ORANGE, ROWS, EPOCHS, B = "#0072B2", "#D55E00", 4000, 25, 100
TICKS = (1, 10, 100, 1000)
AT = np.unique(np.geomspace(1, EPOCHS * ROWS // B, 40).round()).astype(int) - 1  # steps


def train(images, test, x_mean):
    """A VAE 784-200-10, and what it is worth on test at the steps AT: three arrays."""
    rng = np.random.default_rng(1)
    vae = npvae.VAE.init(
        784, hidden=(200,), latent_dim=10, likelihood=npvae.Bernoulli(), x_mean=x_mean, rng=rng
    )
    optimizer, curve = npvae.Adam(2e-3), []
    batches = (rows for _ in range(EPOCHS) for rows in minibatches(ROWS, B, rng=rng))
    for step, rows in enumerate(batches):
        if step in AT:
            worth = npvae.evaluate(vae, test, rng=np.random.default_rng(2))
            curve.append((worth.reconstruction, worth.kl, worth.elbo))
            shared = np.sum(vae.encode(test)[0].mean(axis=0) ** 2) / 2
            print(f"step {step:4d}  {worth}; ½ ‖mean of mu‖² = {shared:.2f} nats of the KL")
        noise = rng.standard_normal((1, B, vae.latent_dim), np.float32)
        descend(vae, optimizer, npvae.binarize(images[rows], rng=rng), noise, npvae.ClosedForm())
    return vae, np.transpose(curve)


rng = np.random.default_rng(0)
images = npvae.datasets.glyph_digits(ROWS + 1000, rng=rng).images
images, test = images[:ROWS], npvae.binarize(images[ROWS:], rng=rng)

figure = Figure(figsize=(6.4, 4.6), layout="constrained")
columns = figure.subplots(2, 2, sharex=True, sharey="row", height_ratios=(1.3, 1)).T
runs = {"output bias 0": None, "output bias: x_mean": images.mean(axis=0)}
for (upper, lower), (title, x_mean) in zip(columns, runs.items(), strict=True):
    print(title)
    vae, (reconstruction, kl, bound) = train(images, test, x_mean)
    at_mu = npvae.elbo(vae, test, np.zeros((1, len(test), vae.latent_dim), np.float32))
    print(f"at the end  {npvae.evaluate(vae, test, rng=np.random.default_rng(2))}")
    print(f"with z = mu in place of draws {at_mu.bound.mean():.2f}")
    upper.plot(AT + 1, reconstruction, color=BLUE, linewidth=2, label="reconstruction")
    upper.plot(AT + 1, bound, color="black", linewidth=2, label="bound")
    upper.fill_between(AT + 1, bound, reconstruction, color=ORANGE, alpha=0.5, label="KL")
    upper.set(title=title, xscale="log", xlim=(1, AT[-1] + 1))
    lower.plot(AT + 1, kl, color=ORANGE, linewidth=2, label="KL")
    lower.set(xlabel="step", ylim=(0, None), xticks=TICKS, xticklabels=TICKS)
    for axes in (upper, lower):
        axes.grid(color="0.9")
for axes in columns[0]:
    axes.set_ylabel("nats an image")
columns[0, 0].legend(frameon=False, loc="lower right", fontsize=10)
figure.savefig(Path(__file__).with_suffix(".png"), dpi=130)
