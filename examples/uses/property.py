"""Turn one property up: steps in z, learned from labelled images, in units of the property.

    python examples/uses/property.py                      digits drawn from fonts
    python examples/uses/property.py --data-dir FILE.npy  faces (N, rows, columns), as Frey's, too

A VAE learns drawn digits without labels. Some of them then tell how slanted, thick and large they
are, and that gives three directions. Each test image is asked for a new slant (thickness, scale),
drawn at random from the whole range, and a network that has learned to read the three from true
images reads what came out. R² is the share of what it reads that a straight line in what was
asked for explains; "as asked" is the share if the line must be the diagonal.
"""

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np

import npvae
from npvae import uses
from npvae.plots.sheet import centres, sheet_figure, tile
from npvae.relatives import Predictor, train_predictor

PROPERTIES = "slant", "thickness", "scale"


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--data-dir", type=Path, help="an .npy file of faces, (N, rows, columns) uint8")
    add("--images", type=int, default=20_000, help="digits to learn from")
    add("--labels", type=int, default=2000, help="of them with labels")
    add("--epochs", type=int, default=30, help="of the VAE and of the network that reads")
    add("--seed", type=int, default=0, help="of everything random")
    add("--out", type=Path, default=Path("out"), help="folder for the pictures")
    return parser.parse_args()


def factors(glyphs):
    return np.stack([getattr(glyphs.factors, name) for name in PROPERTIES], axis=1)


def fit(train, model, x, *rest, epochs, rng, **options):
    optimizer = npvae.Adam(1e-3)
    for epoch in train(model, x, *rest, epochs=epochs, optimizer=optimizer, rng=rng, **options):
        optimizer.learning_rate = 1e-3 * 10 ** (-1.5 * epoch.epoch / epochs)
    return model


def reader(glyphs, epochs, rng):
    """A function of images (N, 784) -> their properties (N, 3), learned from true images."""
    t = factors(glyphs)
    mean, spread = t.mean(axis=0), t.std(axis=0)
    network = Predictor.init(
        784,
        likelihood=npvae.Gaussian(1.0),
        target_dim=3,
        hidden=(300, 100),
        activation="relu",
        weight_init="he",
        rng=rng,
    )
    fit(train_predictor, network, glyphs.images, (t - mean) / spread, epochs=epochs, rng=rng)
    return lambda x: mean + spread * network.predict(x)


def r2(told, truth):
    return 1 - np.mean((told - truth) ** 2, axis=0) / np.var(truth, axis=0)


def judge(name, directions, vae, read, x, t, rng):
    """Ask each image for each property in turn; a line of the table for each."""
    mu, before = vae.encode(x)[0], read(vae.reconstruct(x))
    for p, what in enumerate(PROPERTIES):
        asked = rng.permutation(t[:, p])
        z = mu + (asked - before[:, p])[:, None] * directions[p]
        after = read(vae.decode(z))
        square = [np.corrcoef(asked, column)[0, 1] ** 2 for column in after.T]
        slope = np.polyfit(asked, after[:, p], 1)[0]
        numbers = f"{square[p]:6.2f} {r2(after[:, p], asked):9.2f} {slope:6.2f}"
        others = " ".join(
            f"{PROPERTIES[q]} {square[q]:.3f}, kept {r2(after[:, q], before[:, q]):.2f};"
            for q in range(3)
            if q != p
        )
        print(f"{name:12} {what:10}{numbers}   {others}", flush=True)


def alone(mu, t):
    """mean_shift of each property, as if it were the only one."""
    return np.stack([uses.mean_shift(mu, column) for column in t.T])


def steps(mu, t):
    return uses.directions(mu, t).steps


def samples(t, n, rng):
    """{name: rows}: fair ones, ones of which the slanted are mostly thick, and those balanced."""
    high = t[:, :2] > np.median(t[:, :2], axis=0)
    kind = 2 * high[:, 0] + high[:, 1]
    share = np.where((kind == 0) | (kind == 3), 0.9, 0.1)
    unfair = rng.choice(len(t), n, replace=False, p=share / share.sum())
    fewest = np.bincount(kind[unfair]).min()
    balanced = [unfair[kind[unfair] == k][:fewest] for k in range(4)]
    return {
        "a fair sample": np.arange(n),
        "where the slanted are mostly thick": unfair,
        "of these, as many thick as thin ones": np.concatenate(balanced),
    }


def strip(vae, mu, directions, values, names, shape, title):
    """A line of images for each direction: the same code, turned by each of the values."""
    lines = [mu + value[:, None] * step for step, value in zip(directions, values, strict=True)]
    sheet = tile(vae.decode(np.concatenate(lines)).reshape(-1, *shape), len(values[0]))
    figure, axes = sheet_figure(np.clip(sheet, 0, 1), title, shape, left=90)
    axes.set_yticks(centres(len(names), shape[0]), names)
    return figure


def faces(path, out, epochs, rng):
    """No labels: brightness of the mouth, and where the dark hair lies, are measured instead."""
    images = np.load(path)
    shape = images.shape[1:]
    x = np.float32(images.reshape(len(images), -1) / 255)
    vae = npvae.VAE.init(
        x.shape[1],
        hidden=(200,),
        latent_dim=10,
        likelihood=npvae.LearnedGaussian(0.1),
        x_mean=x.mean(axis=0),
        rng=rng,
    )
    fit(npvae.train, vae, x, epochs=10 * epochs, batch_size=50, rng=rng)
    dark = (1 - x).reshape(-1, *shape)
    columns = np.arange(shape[1])
    place = (dark.sum(axis=1) @ columns) / dark.sum(axis=(1, 2))
    mouth = x.reshape(-1, *shape)[:, 20:24, 6:14].mean(axis=(1, 2))
    t, names = np.stack([place, mouth], axis=1), ["turned", "mouth"]
    mu, _ = vae.encode(x)
    answer = uses.directions(mu, t)
    told = ", ".join(f"{name} {share:.2f}" for name, share in zip(names, answer.r2, strict=True))
    print(f"faces: R² of what is read from the codes: {told}")
    values = np.linspace(-2, 2, 9) * t.std(axis=0)[:, None]
    title = "One face; the dark turned to the right, the mouth brighter, −2 to 2 deviations"
    strip(vae, mu[:1], answer.steps, values, names, shape, title).savefig(out / "faces.png")


def main():
    args = parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(args.seed)
    train, test = (npvae.datasets.glyph_digits(n, rng=rng) for n in (args.images, 2000))
    read = reader(train, args.epochs, rng)
    vae = npvae.VAE.init(
        784, likelihood=npvae.Bernoulli(), x_mean=train.images.mean(axis=0), rng=rng
    )
    fit(npvae.train, vae, train.images, epochs=args.epochs, binarize=True, rng=rng)
    (mu, _), t, truth = vae.encode(train.images), factors(train), factors(test)
    told = read(test.images)
    print(f"R² of the network on true images it has not seen: {r2(told, truth).round(2)}")
    again = read(vae.reconstruct(test.images))
    print(f"of what it reads in reconstructions: {r2(again, told).round(2)}")
    print(f"{'':12} {'asked for':10}{'R²':>6} {'as asked':>9} {'slope':>6}   R² of the others")
    for name, rows in samples(t, args.labels, rng).items():
        print(f"{len(rows)} labels, {name}")
        for rule in (alone, uses.mean_shift, steps):
            judge(rule.__name__, rule(mu[rows], t[rows]), vae, read, test.images, truth, rng)
    print("steps, by the number of labels")
    warnings.simplefilter("ignore", uses.UnreadableWarning)
    for n in (50, 100, 300, 1000):
        judge(f"{n} labels", steps(mu[:n], t[:n]), vae, read, test.images, truth, rng)
    answer = uses.directions(mu[: args.labels], t[: args.labels])
    low, high = t.min(axis=0), t.max(axis=0)
    values = np.linspace(low, high, 9, axis=1) - read(vae.reconstruct(test.images[:1])).T
    title = "One digit, asked for nine slants, thicknesses and scales over their whole range"
    figure = strip(
        vae, vae.encode(test.images[:1])[0], answer.steps, values, PROPERTIES, (28, 28), title
    )
    figure.savefig(args.out / "property.png")
    if args.data_dir:
        faces(args.data_dir, args.out, args.epochs, rng)


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
