"""Draws first_run.png: a VAE learns drawn digits; the two terms of its bound, and what it makes.

Prints the two terms after the steps whose reconstructions are shown, and those that are quoted.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import npvae

RECONSTRUCTION, KL = "#0072B2", "#D55E00"
STEPS, SHOWN = 4000, (1, 30, 300, 4000)
COLUMNS, B, Z = 10, 100, 10

rng = np.random.default_rng(0)
digits = npvae.datasets.glyph_digits(10_100, rng=rng)
binary = npvae.binarize(digits.images, rng=rng).astype(np.float32)
x, held_out = binary[:10_000], binary[10_000:]
examples = held_out[[np.flatnonzero(digits.labels[10_000:] == k)[0] for k in range(COLUMNS)]]
vae = npvae.VAE.init(
    784,
    hidden=(200,),
    latent_dim=Z,
    likelihood=npvae.Bernoulli(),
    x_mean=x.mean(axis=0),
    rng=rng,
)
optimizer = npvae.Adam(1e-3)
prior_z = rng.standard_normal((COLUMNS, Z), np.float32)
judge = rng.standard_normal((1, len(held_out), Z), np.float32)

steps = np.unique(np.geomspace(1, STEPS, 60).astype(int))
terms, rows = [], {"x": examples}
for step in range(1, STEPS + 1):
    batch = x[rng.integers(len(x), size=B)]
    noise = rng.standard_normal((1, B, Z), np.float32)
    trace = npvae.elbo(vae, batch, noise)
    grads = npvae.elbo_backward(np.full(B, -1 / B, np.float32), vae, batch, noise, trace)
    optimizer.update(vae.params.rows, grads.rows)
    if step in steps:
        trace = npvae.elbo(vae, held_out, judge)
        terms.append([trace.log_px_z.mean(), trace.kl.mean()])
    if step in SHOWN:
        print(f"step {step:5d}  log p(x|z) {terms[-1][0]:8.2f}  kl {terms[-1][1]:6.2f}")
        rows[f"step {step}"] = vae.reconstruct(examples)
rows["new"] = vae.decode(prior_z)

figure = Figure(figsize=(6.2, 7.0), layout="constrained")
top, bottom = figure.subfigures(2, 1, height_ratios=[3, 4])
above, below = top.subplots(2, 1, sharex=True, height_ratios=[5, 3])
log_px_z, kl = np.array(terms).T
above.plot(steps, log_px_z, color=RECONSTRUCTION, lw=2, label="log p(x|z): reconstruction")
above.plot(steps, log_px_z - kl, color="black", lw=1, ls="--", label="bound = log p(x|z) − kl")
below.plot(steps, kl, color=KL, lw=2, label="kl: the price of the code")
above.set(ylabel="nats an image", ylim=(-195, -60), xlim=(1, STEPS))
below.set(xscale="log", xlabel="step", ylabel="nats", ylim=(0, 22))
for axes in above, below:
    axes.legend(loc="upper left", fontsize=9, frameon=False)
for axes, (name, images) in zip(bottom.subplots(len(rows), 1), rows.items(), strict=True):
    strip = images.reshape(COLUMNS, 28, 28).swapaxes(0, 1).reshape(28, -1)
    axes.imshow(strip, cmap="gray", vmin=0, vmax=1, aspect="equal")
    axes.set(xticks=[], yticks=[])
    axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=10)
figure.savefig(Path(__file__).with_suffix(".png"), dpi=96)
