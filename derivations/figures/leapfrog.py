"""Draws leapfrog.png: a bent posterior, q's ellipse, paths over it, and their energy."""

import warnings
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import npvae
from npvae.posterior import log_joint, posterior_density, sample_posterior
from npvae.posterior.hmc import kinetic, leapfrog

BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
SIGMA, LENGTH = 0.15, 3.0


def train(rng):
    """x = uv + 0.05 noise, u, v ~ N(0, 1): one number, and two latent ones to explain it."""
    u, v, noise = rng.standard_normal((3, 2000))
    x = (u * v + 0.05 * noise)[:, None]
    vae = npvae.VAE.init(
        1,
        hidden=(50, 50),
        latent_dim=2,
        likelihood=npvae.Gaussian(SIGMA),
        dtype=np.float64,
        rng=rng,
    )
    options = {"epochs": 40, "batch_size": 20, "optimizer": npvae.Adam(1e-3), "rng": rng}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", npvae.FloorWarning)  # K = 30 makes q wide, and the elbo low
        for _ in npvae.train(vae, x, objective=npvae.ImportanceWeighted(30), **options):
            pass
    return vae


def path(density, z, momentum, step_size, leaps):
    """Every point of a leapfrog, (leaps + 1, 2), and its energy less that of the first."""
    points, energies = [z], [kinetic(momentum) - density(z)[0]]
    for _ in range(leaps):
        momentum, (z, log_p, _) = leapfrog(
            density, z, momentum, density(z)[1], np.full(1, step_size), 1
        )
        momentum = -momentum
        points.append(z)
        energies.append(kinetic(momentum) - log_p)
    points = np.array(points)[:, 0, 0]
    return points, np.array(energies)[:, 0, 0] - energies[0].item()


def push(degrees):
    """A momentum in this direction."""
    return 1.3 * np.array([[[np.cos(np.radians(degrees)), np.sin(np.radians(degrees))]]])


rng = np.random.default_rng(0)
vae = train(rng)
x = np.array([[1.0]])
density = posterior_density(vae, x)
mu, logvar = vae.encode(x)
found = sample_posterior(vae, x, draws=2000, warm_up=500, start="prior", rng=rng)
print(found)
draws = found.z[:, :, 0].reshape(-1, 2)
print(f"step size {found.step_size[0]:.3f}; q {mu[0].round(2)} ± {np.exp(logvar[0] / 2).round(2)}")
print(f"posterior {draws.mean(axis=0).round(2)} ± {draws.std(axis=0).round(2)}")

figure = Figure(figsize=(11, 3.8), layout="constrained")
left, middle, right = figure.subplots(1, 3)
line = np.linspace(-3.3, 3.3, 200)
grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 1, 2)
log_p = log_joint(vae, x, grid).reshape(200, 200)
for axes in (left, middle):
    axes.contourf(line, line, np.exp(log_p - log_p.max()), levels=8, cmap="Greys")
    axes.set(xlabel="$z_1$", ylabel="$z_2$")
left.set(xlim=(0.3, 2.1), ylim=(-2.1, 1.7))
middle.set(xlim=(-0.8, 3.0), ylim=(-3.3, 3.3))
turn = np.linspace(0, 2 * np.pi, 200)
ellipse = mu[0] + 2 * np.exp(logvar[0] / 2) * np.stack([np.cos(turn), np.sin(turn)], axis=1)
middle.plot(*ellipse.T, color=ORANGE, label="q(z|x), two widths")
start = draws[np.abs(draws[:, 1] + 1).argmin()].reshape(1, 1, 2)
step = found.step_size[0] / 2
for angle, colour in ((80, BLUE), (190, GREEN)):
    points, _ = path(density, start, push(angle), step, round(LENGTH / step))
    left.plot(*points.T, ".-", color=colour, markersize=4, linewidth=1)
left.plot(*start[0, 0], "k*", markersize=9)
left.set_title("the posterior, and two paths")
middle.plot(*draws[::10].T, ".", color=BLUE, markersize=3, label="draws by HMC")
middle.set_title("draws, and q")
middle.legend(frameon=False, fontsize=8, loc="upper right")
for factor, colour in ((0.5, GREEN), (1, BLUE), (2, ORANGE)):
    step = factor * found.step_size[0]
    _, energy = path(density, start, push(80), step, round(LENGTH / step))
    right.plot(step * np.arange(len(energy)), energy, ".-", color=colour, label=f"ε = {step:.3f}")
    print(f"ε {step:.3f}: largest energy error {np.abs(energy).max():.3f}, last {energy[-1]:+.4f}")
right.axhline(0, color="k", linewidth=0.5)
right.set(xlabel="time", ylabel="H − H at the start, nats", title="energy along the blue path")
right.set_ylim(-0.6, 2.4)
right.legend(frameon=False, fontsize=8)
figure.savefig(Path(__file__).with_suffix(".png"), dpi=130)
