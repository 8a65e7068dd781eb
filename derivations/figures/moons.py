"""Draws moons.png, and prints its numbers: what lies between the codes of a half and a full moon?

    python derivations/figures/moons.py [--seeds 5] [--epochs 40]

Three models, 784-200-4 tanh, learn moons that are either half or full: an autoencoder, one with
noise in its code, and a VAE. None has seen a moon in between. "standing" moons have nearly one
place and size, 500 of them; "wandering" ones any, 2,000. A few minutes.
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import npvae
from npvae import relatives
from npvae.datasets import draw_moons, random_moons

ROWS = {"standing": 500, "wandering": 2000}
PAIRS, CODE_SIGMA, RATE = 200, 1.0, 2e-3
HALF, FULL, THREE_QUARTERS = 0.25, 0.5, 1 / 3  # phases; lit are ½, 1 and ¾ of the disc
FAR = np.arange(0, 4.01, 0.25)  # distances from a code, in units of the codes' own spread
SHADES = {"autoencoder": "#D55E00", "noise in the code": "#E69F00", "VAE": "#0072B2"}


def places(setting, n, rng):
    """-> row, column, radius, each (n,)"""
    if setting == "wandering":
        return random_moons(n, rng=rng).factors[1:]
    return 14 + rng.uniform(-0.5, 0.5, n), 14 + rng.uniform(-0.5, 0.5, n), rng.uniform(6, 7, n)


def train(name, x, seed, epochs):
    rng, optimizer = np.random.default_rng(seed), npvae.Adam(RATE)
    kind = npvae.VAE if name == "VAE" else relatives.Autoencoder
    options = {"hidden": (200,), "latent_dim": 4, "likelihood": npvae.Bernoulli()}
    model = kind.init(784, x_mean=x.mean(axis=0), rng=rng, **options)
    options = {"epochs": epochs, "optimizer": optimizer, "batch_size": 50, "binarize": True}
    if name == "noise in the code":
        options["code_sigma"] = CODE_SIGMA
    fit = npvae.train if name == "VAE" else relatives.train_autoencoder
    for record in fit(model, x, rng=rng, **options):
        optimizer.learning_rate = RATE * 0.5 ** (6 * record.epoch / epochs)
    return model


def encode(model, x):
    code = model.encode(x)
    return code[0] if isinstance(code, tuple) else code


def squares(x, y):
    """The squared error an image, a mean over images."""
    return np.mean(np.sum((x - y) ** 2, axis=1))


class AllMoons:
    """Moons of every phase, place and size, on a grid that is fine enough to be near any."""

    def __init__(self):
        radius, phase = np.arange(4, 7.1, 0.5), np.append(np.arange(0.125, 0.51, 0.0625), 0.75)
        place = np.arange(4, 24.1, 0.8)
        grid = np.stack(np.meshgrid(phase, place, place, radius), axis=-1).reshape(-1, 4)
        low, high = grid[:, 1:3].min(axis=1), grid[:, 1:3].max(axis=1)
        grid = grid[(low >= grid[:, 3] - 0.5) & (high <= 28.5 - grid[:, 3])]
        self.images = draw_moons(*grid.T)
        self.light = np.sum(self.images**2, axis=1)

    def distance(self, x):
        """‖x − the nearest moon‖² / ‖that moon‖².        x (N, 784) -> (N,)"""
        distance = self.light - 2 * x @ self.images.T  # and ‖x‖², the same for all
        nearest = distance.argmin(axis=1)
        return (distance.min(axis=1) + np.sum(x * x, axis=1)) / self.light[nearest]


def between(model, place):
    """Errors at both ends, at the midpoint, the distance of the ends, and the codes' spread."""
    half, full, truth = (draw_moons(phase, *place) for phase in (HALF, FULL, THREE_QUARTERS))
    ends = encode(model, half), encode(model, full)
    at_ends = [squares(model.decode(z), x) for z, x in zip(ends, (half, full), strict=True)]
    gap = np.sqrt(squares(*ends))
    codes = np.concatenate(ends)
    spread = np.sqrt(squares(codes, codes.mean(axis=0)))
    return np.mean(at_ends), squares(model.decode((ends[0] + ends[1]) / 2), truth), gap, spread


def away(model, moons, place, rng):
    """Distances to a moon of what is decoded away from codes.        -> (len(FAR), PAIRS)"""
    codes = [encode(model, draw_moons(phase, *place)) for phase in (HALF, FULL)]
    *_, spread = between(model, place)
    start = np.where(rng.random((PAIRS, 1)) < 0.5, *codes)
    direction = rng.standard_normal(start.shape).astype(np.float32)
    direction *= np.float32(spread) / np.linalg.norm(direction, axis=1, keepdims=True)
    return np.array([moons.distance(model.decode(start + far * direction)) for far in FAR])


def reach(distances, limit):
    """How far away half of the pictures are within the limit, interpolated."""
    median = np.median(distances, axis=1)
    beyond = np.flatnonzero(median > limit)
    if not beyond.size:
        return FAR[-1]
    i = max(beyond[0], 1)
    return np.interp(limit, median[i - 1 : i + 1], FAR[i - 1 : i + 1])


def strip(axes, models, place, title):
    steps = np.linspace(0, 1, 6, dtype=np.float32)[:, None]
    phases = np.arccos(-steps.ravel()) / (2 * np.pi)  # lit is (1 + step)/2
    rows = [draw_moons(phases, *place)]
    for model in models.values():
        half, full = (encode(model, draw_moons(phase, *place)) for phase in (HALF, FULL))
        rows.append(model.decode(half + steps * (full - half)))
    sheet = np.vstack([np.hstack(row.reshape(-1, 28, 28)[:, 3:25, 3:25]) for row in rows])
    axes.imshow(sheet, cmap="gray", vmin=0, vmax=1)
    axes.set_yticks(11 + 22 * np.arange(4), ["true moons", *models], fontsize=8)
    axes.set_xticks([11, 11 + 22 * 5], ["half", "full"], fontsize=8)
    axes.set_title(title, fontsize=9)


def draw(models, curves, limit):
    figure = Figure(figsize=(10, 2.9), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=[4, 4, 3])
    strip(
        left, models["standing"], (14, 14, 6.5), "standing moons: along the line between two codes"
    )
    strip(middle, models["wandering"], (14, 14, 6.5), "wandering moons")
    middle.set_yticks([])
    for name, distances in curves.items():
        right.plot(FAR, np.median(distances, axis=1), color=SHADES[name], label=name)
    right.axhline(limit, color="gray", lw=0.8, ls=":")
    right.set(xlim=(0, FAR[-1]), ylim=(0, None))
    right.set_xlabel("distance from a code / spread", fontsize=8)
    right.set_title("how far from a moon (wandering)", fontsize=9)
    right.tick_params(labelsize=8)
    right.legend(fontsize=7, frameon=False)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=90)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="runs of each model")
    parser.add_argument("--epochs", type=int, default=40, help="of each run")
    args = parser.parse_args()
    moons, first, curves = AllMoons(), {}, {}
    for setting, rows in ROWS.items():
        place = places(setting, PAIRS, np.random.default_rng(99))
        half, full, truth = (draw_moons(phase, *place) for phase in (HALF, FULL, THREE_QUARTERS))
        limit = np.median(moons.distance((half + full) / 2))
        print(
            f"{setting}: from the three-quarter moon, half {squares(half, truth):.2f}, "
            f"crossfade {squares((half + full) / 2, truth):.2f}"
        )
        print(
            f"from the grid of moons: true ones {np.median(moons.distance(truth)):.3f}, "
            f"crossfades {limit:.3f}"
        )
        print(f"{'':18}      ends   midpoint        gap     spread      reach")
        first[setting] = {}
        for name in SHADES:
            results = []
            for seed in range(args.seeds):
                rng = np.random.default_rng(seed)
                phases = rng.choice([HALF, FULL], rows)
                x = np.minimum(draw_moons(phases, *places(setting, rows, rng)), 1)
                model = train(name, x, seed, args.epochs)
                distances = away(model, moons, place, rng)
                results.append((*between(model, place), reach(distances, limit)))
                first[setting].setdefault(name, model)
                if setting == "wandering":
                    curves.setdefault(name, distances)
            mean, sd = np.mean(results, axis=0), np.std(results, axis=0)
            cells = " ".join(f"{m:5.2f} ± {s:.2f}" for m, s in zip(mean, sd, strict=True))
            print(f"{name:18} {cells}", flush=True)
    draw(first, curves, limit)


if __name__ == "__main__":
    main()
