"""Draws half_a_digit.png and restored.png: what fits half a digit; three kinds of damage undone.

    python derivations/figures/half_a_digit.py --data-dir FOLDER

MNIST's four files are in FOLDER, or found as `npvae.datasets.load_mnist` finds them. Trains a
model for 20 epochs, unless --model names one that is saved: some minutes.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np

import npvae
from npvae.plots.sheet import centres, sheet_figure, tile
from npvae.posterior import Fewer, Noise, Pixels, restore
from npvae.posterior.sampling import ChainWarning

FOLDER, SIDE, DRAWS, SHOWN = Path(__file__).parent, 28, 6, 12
HALVES = (1, 13, 14, 34, 38, 62)  # test images whose upper half leaves a choice


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, help="folder with MNIST's four IDX files")
    parser.add_argument("--model", type=Path, help="a saved model; else one is trained")
    return parser.parse_args()


def train(x, rng):
    options = {"hidden": (200, 200), "latent_dim": 50, "likelihood": npvae.Bernoulli()}
    vae = npvae.VAE.init(SIDE * SIDE, x_mean=x.mean(axis=0), rng=rng, **options)
    optimizer = npvae.Adam(1e-3)
    for epoch in npvae.train(vae, x, epochs=20, optimizer=optimizer, binarize=True, rng=rng):
        optimizer.learning_rate = 10 ** (-3 - epoch.epoch / 20)
    return vae


def sheet(path, title, rows, names, **room):
    """A line of images for each of rows, each (columns, D)."""
    images = np.stack(rows).clip(0, 1)
    columns = images.shape[1]
    picture = tile(images.reshape(-1, SIDE, SIDE), columns)
    figure, axes = sheet_figure(picture, title, (SIDE, SIDE), bottom=30, **room)
    axes.set_xticks(centres(columns, SIDE), names)
    return figure, axes


def main():
    args, rng = parse_args(), np.random.default_rng(0)
    warnings.simplefilter("ignore", ChainWarning)
    data = npvae.datasets.load_mnist(args.data_dir)
    vae = npvae.VAE.load(args.model) if args.model else train(data.train, rng)

    x = npvae.binarize(data.test[list(HALVES)], rng=rng)
    upper = np.arange(SIDE * SIDE) < SIDE * SIDE // 2
    options = {"chains": SHOWN, "images": SHOWN, "rng": rng}
    answer = restore(vae, x, Pixels(upper), **options)
    print(answer)
    seen = np.where(upper, x, 0.5)
    rows = np.stack([seen, *answer.images, answer.mean, x], axis=1)
    names = ["seen", *[""] * SHOWN, "mean", "truth"]
    names[SHOWN // 2] = "one draw from each of 12 chains"
    figure, _ = sheet(None, "What fits the upper half of a digit", rows, names)
    figure.savefig(FOLDER / "half_a_digit.png", dpi=110)

    x = data.test[2:4]
    scattered = rng.random((2, SIDE * SIDE)) < 0.3
    rows, labels = [], []
    for name, observation in (
        ("70 % hidden", Pixels(scattered)),
        ("noise, σ = 0.5", Noise(0.5)),
        ("7 × 7 pixels", Fewer(4, 0.05)),
    ):
        y = observation.apply(x)
        y = y + observation.sigma * rng.standard_normal(y.shape)
        answer = restore(vae, y, observation, images=DRAWS, rng=rng)
        shown = observation.transpose(y) / (observation.gram or 1)
        if isinstance(observation, Pixels):
            shown = np.where(scattered, y, 0.5)
        rows.extend(np.stack([shown, *answer.images, answer.mean, x], axis=1))
        labels.extend([name, ""])
    names = ["seen", *[""] * DRAWS, "mean", "truth"]
    names[DRAWS // 2] = "six draws"
    figure, axes = sheet(None, "Restored by one model", rows, names, left=100)
    axes.set_yticks(
        centres(len(rows), SIDE) + (SIDE + 1) / 2 * (np.arange(len(rows)) % 2 == 0), labels
    )
    figure.savefig(FOLDER / "restored.png", dpi=110)


if __name__ == "__main__":
    main()
