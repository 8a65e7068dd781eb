"""Three quadrants from one, and one from three: many answers against one grey mean.

    python examples/uses/quadrants.py --data-dir FOLDER

Some quadrants of a binary digit are seen, c; the rest, x, is hidden. A conditional VAE learns
p(x|c), and so does a network with the same hidden layers that answers with one mean, each pixel a
Bernoulli by itself. The table has log p(x|c) of the hidden part of test images, in nats; the
picture, out/quadrants.png, what both say.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import npvae
from npvae.plots.sheet import centres, tile
from npvae.relatives import (
    ConditionalVAE,
    Predictor,
    conditional_log_likelihood,
    train_conditional,
    train_predictor,
)

ROW, COLUMN = np.divmod(np.arange(784), 28)
TOP, LEFT = ROW < 14, COLUMN < 14
SEEN = {"one": ~TOP & LEFT, "three": ~(~TOP & ~LEFT)}
ANSWERS, SHOWN = 5, 10


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--data-dir", type=Path, help="folder with MNIST's four IDX files, plain or gzipped")
    add("--epochs", type=int, default=12, help="of each network, the last quarter at a tenth")
    add("--test-images", type=int, default=500, help="the first so many")
    add("--draws", type=int, default=1000, help="of z for each of them")
    add("--seed", type=int, default=0, help="of everything random")
    add("--out", type=Path, default=Path("out"), help="folder for the picture")
    return parser.parse_args()


def schedule(records, optimizer, epochs):
    """Go through the records; the last quarter of the epochs at a tenth of the learning rate."""
    for record in records:
        if record.epoch == (3 * epochs) // 4:
            optimizer.learning_rate /= 10
    print(record, flush=True)


def fit(args, seen, train, rng):
    """-> the conditional VAE and the network of one mean, both of hidden given seen pixels."""
    x, c, shape = train[:, ~seen], train[:, seen], {"hidden": (200, 200), "rng": rng}
    model = ConditionalVAE.init(
        x.shape[1],
        condition_dim=c.shape[1],
        latent_dim=20,
        likelihood=npvae.Bernoulli(),
        prior_hidden=(200,),
        x_mean=x.mean(axis=0),
        **shape,
    )
    network = Predictor.init(
        c.shape[1], target_dim=x.shape[1], likelihood=npvae.Bernoulli(), **shape
    )
    runs = (train_conditional, model, x, c), (train_predictor, network, c, x)
    for learn, *what in runs:
        optimizer = npvae.Adam(1e-3)
        records = learn(*what, epochs=args.epochs, optimizer=optimizer, rng=rng)
        schedule(records, optimizer, args.epochs)
    return model, network


def main():
    args = parse_args()
    warnings.formatwarning = lambda message, *_, **__: f"note: {message}\n"
    rng = np.random.default_rng(args.seed)
    mnist = npvae.datasets.load_mnist(args.data_dir)
    train, test = npvae.binarize(mnist.train, rng=rng), npvae.binarize(mnist.test, rng=rng)
    test = test[: args.test_images]
    figure = Figure(figsize=(6.2, 8.6), layout="constrained")
    for axes, (name, seen) in zip(figure.subplots(2, 1), SEEN.items(), strict=True):
        model, network = fit(args, seen, train, rng)
        x, c = test[:, ~seen], test[:, seen]
        ours = conditional_log_likelihood(model, x, c, samples=args.draws, rng=rng)
        theirs = network.log_prob(c, x)
        gain = ours.log_px - theirs
        print(
            f"{name} quadrants seen, log p of the rest in nats: conditional VAE "
            f"{ours.log_px.mean():.2f}, one mean {theirs.mean():.2f}, difference {gain.mean():.2f} "
            f"± {gain.std() / np.sqrt(len(gain)):.2f}\n{ours}",
            flush=True,
        )
        show(axes, name, seen, test[:SHOWN], model, network, rng)
    args.out.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.out / "quadrants.png", dpi=150)


def show(axes, name, seen, images, model, network, rng):
    """A column an image: what is seen, E[x|z, c] for draws of z, the one mean, and the image."""
    c, rows = images[:, seen], [np.where(seen, images, 0.5)]
    for _ in range(ANSWERS):
        rows.append(filled(images, seen, model.sample(len(c), c, rng=rng)))
    rows += [filled(images, seen, network.predict(c)), images]
    names = ["seen", *[f"answer {k + 1}" for k in range(ANSWERS)], "mean", "true"]
    sheet = tile(np.concatenate(rows).reshape(-1, 28, 28), len(images))
    axes.imshow(sheet, cmap="gray", vmin=0, vmax=1, interpolation="none")
    axes.set_yticks(centres(len(rows), 28), names)
    axes.set_title(f"{name} of the quadrants seen", loc="left", fontsize=10)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def filled(images, seen, hidden):
    """The images with `hidden` where they are not seen."""
    whole = images.copy()
    whole[:, ~seen] = hidden
    return whole


if __name__ == "__main__":
    main()
