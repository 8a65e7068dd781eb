"""Draws two_planes.png: an autoencoder and a VAE of the same digits, side by side, in two numbers.

    python derivations/figures/two_planes.py [--data-dir FOLDER]

Digits drawn offline, or MNIST if its folder is named; 784-300-2 tanh, 60 epochs of Adam whose rate
falls. Prints how the codes lie, and how fast each decoder changes over them.
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

import npvae
from npvae import relatives
from npvae.plots.charts import CLASSES
from npvae.plots.sheet import tile

ROWS, EPOCHS, ACROSS = 6000, 60, 10


def train(kind, x, seed=0):
    rng, optimizer = np.random.default_rng(seed), npvae.Adam(2e-3)
    options = {"hidden": (300,), "latent_dim": 2, "likelihood": npvae.Bernoulli()}
    model = kind.init(784, x_mean=x.mean(axis=0), rng=rng, **options)
    fit = npvae.train if kind is npvae.VAE else relatives.train_autoencoder
    options = {"optimizer": optimizer, "epochs": EPOCHS, "binarize": True, "rng": rng}
    for record in fit(model, x, **options):
        optimizer.learning_rate = 2e-3 * 0.5 ** (6 * record.epoch / EPOCHS)
    return model


def codes_of(model, x):
    code = model.encode(x)
    return code[0] if isinstance(code, tuple) else code


def grid(codes, n):
    """n × n points over the box that holds the codes but for 1 in 100 on each side."""
    low, high = np.quantile(codes, [0.01, 0.99], axis=0)
    across, down = (np.linspace(low[j], high[j], n, dtype=np.float32) for j in range(2))
    return np.stack(np.meshgrid(across, down[::-1]), axis=-1).reshape(-1, 2), (*low, *high)


def draw(axes, name, model, x, labels, rng):
    codes = codes_of(model, x)
    scatter, plane, samples, speed = axes
    some = rng.permutation(len(x))[:2000]
    colours = np.array(CLASSES)[labels[some]]
    scatter.scatter(*codes[some].T, s=2, c=colours, lw=0)
    circle = np.exp(2j * np.pi * np.linspace(0, 1, 100)) * np.sqrt(2 * np.log(20))
    scatter.plot(circle.real, circle.imag, color="black", lw=1)
    scatter.set_ylabel(name)
    points, (left, bottom, right, top) = grid(codes, ACROSS)
    plane.imshow(
        tile(model.decode(points).reshape(-1, 28, 28), ACROSS), cmap="gray", vmin=0, vmax=1
    )
    drawn = model.decode(rng.standard_normal((ACROSS**2, 2)).astype(np.float32))
    samples.imshow(tile(drawn.reshape(-1, 28, 28), ACROSS), cmap="gray", vmin=0, vmax=1)
    fine, _ = grid(codes, 80)
    # per spread of the codes, so that two planes of different scale can be compared
    scale = np.sqrt(codes.var(axis=0).mean())
    v = relatives.decoder_speed(model, fine).reshape(80, 80) * scale
    image = speed.imshow(v, extent=(left, right, bottom, top), aspect="auto", vmin=0, vmax=15)
    for axis in (plane, samples):
        axis.set_axis_off()
    here = relatives.decoder_speed(model, codes) * scale
    inside = np.mean(np.sum(codes**2, axis=1) < 2 * np.log(20))
    error = np.mean(np.sum((x - model.reconstruct(x)) ** 2, axis=1))
    print(
        f"{name}: sd of the codes {scale:.2f}, {inside:.1%} of them in the circle that holds 95 % "
        f"of N(0, I); squared error {error:.2f}"
    )
    print(
        f"speed over the plane: median {np.median(v):.1f}, 99 % below {np.quantile(v, 0.99):.1f}; "
        f"at the codes: median {np.median(here):.1f}",
        flush=True,
    )
    return image


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, help="folder with MNIST's four IDX files")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    if args.data_dir:
        data = npvae.datasets.load_mnist(args.data_dir)
        x, labels = data.train[:ROWS], data.train_labels[:ROWS]
    else:
        x, labels, _ = npvae.datasets.glyph_digits(ROWS, rng=rng)
    figure = Figure(figsize=(11, 5.4), layout="constrained")
    rows = figure.subplots(2, 4)
    for axes, (name, kind) in zip(
        rows, {"autoencoder": relatives.Autoencoder, "VAE": npvae.VAE}.items(), strict=True
    ):
        image = draw(axes, name, train(kind, x), x, labels, np.random.default_rng(1))
    titles = (
        "codes; circle: 95 % of N(0, I)",
        "decoded plane",
        "decoded draws from N(0, I)",
        "speed",
    )
    for axis, title in zip(rows[0], titles, strict=True):
        axis.set_title(title, fontsize=9)
    figure.colorbar(image, ax=rows[:, 3], label="‖∂decoder/∂z‖ · sd of the codes")
    path = Path(__file__).with_suffix(".png")
    figure.savefig(path, dpi=62)
    image = Image.open(path).convert("RGB").quantize(256, method=Image.Quantize.FASTOCTREE)
    image.save(path, optimize=True)  # a third of the bytes


if __name__ == "__main__":
    main()
