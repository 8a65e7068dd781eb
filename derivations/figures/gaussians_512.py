"""Draws gaussians_512.png: how far mixtures of 1 … 512 Gaussians are from densities that are known.

Prints KL and L1 for each K. The rows that EM is given are the densities' own quantiles, evenly
spread, so that no luck of draws is in the answer; integrals are sums over a fine grid.
About two minutes on a quiet core.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import qmc

from npvae.relatives import DiagonalGaussians, FullGaussians, Mixture, em

KS = [2**i for i in range(10)]
STEPS = 150
SKYLINE = np.array([1, 4, 2, 6, 6, 3, 0.5, 5])  # heights over equal pieces of [0, 1]
INNER, OUTER = 0.6, 1.0  # a ring of equal density


def skyline(x):
    inside = (x >= 0) & (x < 1)
    piece = np.clip((x * len(SKYLINE)).astype(int), 0, len(SKYLINE) - 1)
    return np.where(inside, SKYLINE[piece] / SKYLINE.mean(), 0)


def skyline_rows(N):
    edges = np.linspace(0, 1, len(SKYLINE) + 1)
    mass = np.concatenate([[0], np.cumsum(SKYLINE) / SKYLINE.sum()])
    return np.interp((np.arange(N) + 0.5) / N, mass, edges)[:, None]


def ring(x):
    radius = np.hypot(*x.T)
    inside = (radius >= INNER) & (radius < OUTER)
    return inside / (np.pi * (OUTER**2 - INNER**2))


def ring_rows(N):
    u, v = qmc.Sobol(2, scramble=False).random(N).T
    radius = np.sqrt(INNER**2 + u * (OUTER**2 - INNER**2))
    return np.stack([radius * np.cos(2 * np.pi * v), radius * np.sin(2 * np.pi * v)], axis=1)


def distances(p, q, volume):
    """KL(p ‖ q) and ∫ |p − q|, as sums over a grid."""
    some = p > 0
    kl = np.sum(p[some] * (np.log(p[some]) - np.log(q[some]))) * volume
    return kl, np.abs(p - q).sum() * volume


def fit(rows, K, family):
    mixture = Mixture.init(rows, K, family=family, rng=np.random.default_rng(0))
    for _ in em(mixture, rows, steps=STEPS, tol=1e-6):
        pass
    return mixture


def main():
    line = (np.arange(-2000, 12_000) + 0.5)[:, None] / 10_000
    side = np.linspace(-1.5, 1.5, 601)
    square = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    targets = {
        "skyline": (skyline_rows(2**15), skyline(line[:, 0]), line, 1e-4, DiagonalGaussians(1e-4)),
        "ring": (ring_rows(2**14), ring(square), square, 0.005**2, FullGaussians(0.005)),
    }
    found, densities = {}, {}
    for name, (rows, p, grid, volume, family) in targets.items():
        for K in KS:
            q = np.exp(fit(rows, K, family).log_px(grid))
            found[name, K], densities[name, K] = distances(p, q, volume), q
            kl, l1 = found[name, K]
            print(f"{name:8s} K = {K:3d}   KL {kl:.4f} nats   L1 {l1:.4f}", flush=True)
    draw(found, densities, line, targets["skyline"][1])


def draw(found, densities, line, p):
    figure = Figure(figsize=(9, 5.6), layout="constrained")
    (first, second, third), below = figure.subplots(2, 3)
    for axes, K in ((first, 8), (second, 64)):
        axes.plot(line, p, "k", linewidth=0.8, label="skyline")
        axes.plot(line, densities["skyline", K], color="#0072B2", label=f"K = {K}")
        axes.set(xlim=(-0.1, 1.1), ylim=(0, 2.6), xlabel="x", ylabel="density")
        axes.legend(frameon=False, fontsize=8, loc="upper left")
    for name, colour in (("skyline", "#0072B2"), ("ring", "#D55E00")):
        kl, l1 = np.transpose([found[name, K] for K in KS])
        third.loglog(KS, kl, "o-", color=colour, markersize=3, label=f"{name}, KL in nats")
        third.loglog(KS, l1, "s--", color=colour, markersize=3, label=f"{name}, L1")
    third.set(xlabel="K", ylabel="distance")
    third.legend(frameon=False, fontsize=8)
    for axes, K in zip(below, (4, 32, 512), strict=True):
        image = densities["ring", K].reshape(601, 601)
        axes.imshow(image, extent=(-1.5, 1.5) * 2, cmap="cividis", vmin=0, vmax=0.8)
        axes.set(title=f"ring, K = {K}", xticks=[], yticks=[])
        axes.title.set_fontsize(9)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=80)


if __name__ == "__main__":
    main()
