"""Draws tilted_posterior.png: a posterior with a tilt, and the best q, whose axes are parallel."""

import math
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import norm

import npvae
from npvae import exact

POSTERIOR, Q = "#000000", "#0072B2"
ROWS = np.diag([4.0, 0.8])  # W before it is turned
ANGLES = {"W turned by 40°: q cannot follow": 40, "W along its axes: no gap": 0}
LIMIT = 2.0
TURN = np.linspace(0, 2 * np.pi, 200)
TWO_STD = 2 * np.stack([np.cos(TURN), np.sin(TURN)])


def linear_vae(W):
    vae = npvae.VAE.init(
        2,
        hidden=(),
        latent_dim=2,
        likelihood=npvae.Gaussian(1.0),
        dtype=np.float64,
        rng=np.random.default_rng(0),
    )
    vae.params.decoder[0].W[:] = W
    vae.params.encoder[0].W[:], vae.params.encoder[0].b[:] = exact.best_encoder(vae)
    return vae


def rotation(degrees):
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[c, s], [-s, c]])


def outline(covariance):
    """The points two standard deviations from the centre, (2, 200)."""
    return np.linalg.cholesky(covariance) @ TWO_STD


def draw(axes, title, vae):
    _, posterior = exact.linear_posterior(vae, np.zeros((1, 2)))
    q = np.exp(vae.params.encoder[0].b[2:])
    axes.plot(*outline(posterior), ":", color=POSTERIOR, linewidth=2.5, label="p(z|x)")
    axes.plot(*outline(np.diag(q)), color=Q, label="q(z|x)")
    axes.set(xlim=(-LIMIT, LIMIT), ylim=(-LIMIT, LIMIT), aspect="equal")
    axes.set_xlabel("z₁ − m₁")
    axes.set_ylabel("z₂ − m₂")
    axes.legend(frameon=False, fontsize=10, loc="upper right")
    axes.text(0.05 - LIMIT, 0.1 - LIMIT, f"gap {exact.linear_gap(vae):.2f} nats", fontsize=10)
    above, beside = axes.inset_axes([0, 1.03, 1, 0.25]), axes.inset_axes([1.03, 0, 0.25, 1])
    above.set(xlim=(-LIMIT, LIMIT), title=title)
    beside.set_ylim(-LIMIT, LIMIT)
    z = np.linspace(-LIMIT, LIMIT, 300)
    for j, margin in enumerate((above, beside)):
        for variance, style, colour in ((posterior[j, j], ":", POSTERIOR), (q[j], "-", Q)):
            density = norm.pdf(z, 0, math.sqrt(variance))
            points = (density, z) if j else (z, density)
            margin.plot(*points, style, color=colour, linewidth=2.5 if style == ":" else 1.5)
        margin.axis("off")


figure = Figure(figsize=(9, 4.6), layout="constrained")
figure.get_layout_engine().set(rect=(0, 0, 0.99, 0.94))  # the titles stand outside the axes
for axes, (title, degrees) in zip(figure.subplots(1, 2), ANGLES.items(), strict=True):
    draw(axes, title, linear_vae(rotation(degrees) @ ROWS))
figure.savefig(Path(__file__).with_suffix(".png"), dpi=150)
