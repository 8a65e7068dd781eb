"""Draws moons.png, and prints its numbers: what lies between the codes of a half and a full moon?

    python derivations/figures/moons.py [--seeds 5] [--epochs 40]

Three models, 784-200-4 tanh, learn 2,000 moons that are either half or full, of any place and
size: an autoencoder, one with noise in its code, and a VAE. None has seen a moon in between.
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import npvae
from npvae import relatives
from npvae.datasets import draw_moons, random_moons

ROWS, PAIRS, CODE_SIGMA = 2000, 200, 1.0
HALF, FULL, THREE_QUARTERS = 0.25, 0.5, 1 / 3  # phases; lit are ½, 1 and ¾ of the disc
FAR = np.arange(0, 4.01, 0.25)  # distances from a code, in units of the codes' own spread
SHADES = {"autoencoder": "#D55E00", "with noise in the code": "#E69F00", "VAE": "#0072B2"}


def train(name, x, seed, epochs):
    rng, optimizer = np.random.default_rng(seed), npvae.Adam(2e-3)
    kind = npvae.VAE if name == "VAE" else relatives.Autoencoder
    options = {"hidden": (200,), "latent_dim": 4, "likelihood": npvae.Bernoulli()}
    model = kind.init(784, x_mean=x.mean(axis=0), rng=rng, **options)
    options = {"epochs": epochs, "optimizer": optimizer, "batch_size": 50, "rng": rng}
    if name == "VAE":
        records = npvae.train(model, x, binarize=True, **options)
    else:
        sigma = CODE_SIGMA if "noise" in name else 0.0
        records = relatives.train_autoencoder(model, x, binarize=True, code_sigma=sigma, **options)
    for record in records:
        optimizer.learning_rate = 2e-3 * 0.5 ** (6 * record.epoch / epochs)
    return model


def encode(model, x):
    code = model.encode(x)
    return code[0] if isinstance(code, tuple) else code


class AllMoons:
    """Moons of every phase, place and size, on a grid that is fine enough to be near any."""

    def __init__(self):
        radius, phase = np.arange(4, 7.1, 0.5), np.append(np.arange(0.125, 0.51, 0.0625), 0.75)
        place = np.arange(4, 24.1, 0.8)
        grid = np.stack(np.meshgrid(phase, place, place, radius), axis=-1).reshape(-1, 4)
        low, high = grid[:, 1:3].min(axis=1), grid[:, 1:3].max(axis=1)
        grid = grid[(low >= grid[:, 3] - 0.5) & (high <= 28.5 - grid[:, 3])]
        self.images = draw_moons(*grid.T)
        self.squares = np.sum(self.images**2, axis=1)

    def distance(self, x):
        """‖x − the nearest moon‖² / ‖that moon‖².        x (N, 784) -> (N,)"""
        squares = self.squares - 2 * x @ self.images.T  # and ‖x‖², the same for all
        nearest = squares.argmin(axis=1)
        return (squares.min(axis=1) + np.sum(x * x, axis=1)) / self.squares[nearest]


def judge(model, moons, place, rng):
    """-> errors at the midpoint, (PAIRS,); distances to a moon (len(FAR), PAIRS); spread"""
    half, full, truth = (draw_moons(phase, *place) for phase in (HALF, FULL, THREE_QUARTERS))
    ends = encode(model, half), encode(model, full)
    midpoint = np.sum((model.decode((ends[0] + ends[1]) / 2) - truth) ** 2, axis=1)
    codes = np.concatenate(ends)
    spread = np.sqrt(np.mean(np.sum((codes - codes.mean(axis=0)) ** 2, axis=1)))
    direction = rng.standard_normal(ends[0].shape).astype(np.float32)
    direction *= spread / np.linalg.norm(direction, axis=1, keepdims=True)
    start = np.where(rng.random((PAIRS, 1)) < 0.5, *ends)
    away = [moons.distance(model.decode(start + far * direction)) for far in FAR]
    return midpoint, np.array(away), spread


def reach(away, limit):
    """How far away half of the pictures are still within the limit, interpolated."""
    median = np.median(away, axis=1)
    beyond = np.flatnonzero(median > limit)
    if not beyond.size:
        return FAR[-1]
    i = beyond[0]
    return np.interp(limit, median[i - 1 : i + 1], FAR[i - 1 : i + 1]) if i else 0.0


def draw(models, curves, limit):
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[5, 3])
    place, steps = (14, 14, 6.5), np.linspace(0, 1, 8)
    lit = 0.5 + steps / 2
    rows = [draw_moons(np.arccos(1 - 2 * lit) / (2 * np.pi), *place)]
    for model in models.values():
        half, full = (encode(model, draw_moons(phase, *place)) for phase in (HALF, FULL))
        rows.append(model.decode(half + steps[:, None].astype(np.float32) * (full - half)))
    left.imshow(
        np.vstack([np.hstack(row.reshape(-1, 28, 28)) for row in rows]), cmap="gray", vmin=0, vmax=1
    )
    left.set_yticks(14 + 28 * np.arange(4), ["true moons", *models], fontsize=8)
    left.set_xticks([14, 14 + 28 * 7], ["half", "full"], fontsize=8)
    for name, away in curves.items():
        right.plot(FAR, np.median(away, axis=1), color=SHADES[name], label=name)
    right.axhline(limit, color="gray", lw=0.8, ls=":")
    right.set(xlabel="distance from a code / spread of the codes", ylabel="distance to a moon")
    right.set(xlim=(0, FAR[-1]), ylim=(0, None))
    right.legend(fontsize=8, frameon=False)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=90)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="runs of each model")
    parser.add_argument("--epochs", type=int, default=40, help="of each run")
    args = parser.parse_args()
    moons = AllMoons()
    _, *place = random_moons(PAIRS, rng=np.random.default_rng(99)).factors
    half, full, truth = (draw_moons(phase, *place) for phase in (HALF, FULL, THREE_QUARTERS))
    for name, picture in (("half", half), ("crossfade", (half + full) / 2)):
        error = np.mean(np.sum((picture - truth) ** 2, axis=1))
        print(f"{name:24} {error:6.2f} from the three-quarter moon")
    limit = np.median(moons.distance((half + full) / 2))
    print(f"from the grid of moons: true ones {np.median(moons.distance(truth)):.3f}, ", end="")
    print(f"crossfades {limit:.3f}")
    first, curves = {}, {}
    for name in SHADES:
        results = []
        for seed in range(args.seeds):
            x = random_moons(ROWS, rng=np.random.default_rng(seed), phases=[HALF, FULL]).images
            model = train(name, np.minimum(x, 1), seed, args.epochs)
            first.setdefault(name, model)
            midpoint, away, spread = judge(model, moons, place, np.random.default_rng(seed))
            results.append((midpoint.mean(), reach(away, limit), spread))
            curves.setdefault(name, away)
            print(f"{name:24} {midpoint.mean():6.2f}  reach {reach(away, limit):4.2f}  spread {spread:5.1f}"
                  f"  {np.median(away, axis=1)[::4].round(3)}", flush=True)
        mean, sd = np.mean(results, axis=0), np.std(results, axis=0, ddof=min(1, args.seeds - 1))
        print(f"{name:24} {mean[0]:6.2f} ± {sd[0]:.2f}  reach {mean[1]:.2f} ± {sd[1]:.2f}  spread {mean[2]:.1f}")
    draw(first, curves, limit)


if __name__ == "__main__":
    main()
