"""The VAE beside its relatives: log p(x) of the same binary test images, in nats an image.

    python examples/family.py                  MNIST, or digits drawn offline
    python examples/family.py --data glyphs --images 10000 --epochs 5

Mixtures, naive Bayes and the hidden Markov model have log p(x) exactly; the VAE's is estimated by
importance sampling, and its estimate is too low, never too high, on average. The table is printed,
and one row of samples a model goes to family.png.
"""

import argparse
import sys
import warnings
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

import npvae
from npvae.kernels import clock
from npvae.plots.sheet import centres, sheet_figure, tile
from npvae.relatives import HMM, Mixture, em, naive_bayes

SAMPLES = 12  # pictures of each model
SIDE = 28  # pixels
LARGEST = 512  # components
DRAWS = 500  # of z an image, for the VAE's log p(x)


class Data(NamedTuple):
    """Binary images, drawn once from grey ones: all models see the same."""

    grey: np.ndarray
    train: np.ndarray
    labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray
    name: str


class Row(NamedTuple):
    """A line of the table, and a line of pictures."""

    name: str
    log_px: np.ndarray  # (N',) nats
    parameters: int
    seconds: float
    drawn: np.ndarray  # (SAMPLES, D) from p(x)
    remark: str = ""

    def __str__(self):
        spread = self.log_px.std() / np.sqrt(len(self.log_px))
        line = f"{self.name:26} {self.log_px.mean():8.2f} ± {spread:4.2f}"
        return f"{line} {self.parameters:9,} {self.seconds:7.1f}  {self.remark}".rstrip()


HEADING = f"{'':26} {'log p(x), nats':>15} {'numbers':>9} {'seconds':>7}"


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    sources = {"choices": ("auto", "mnist", "glyphs"), "default": "auto"}
    add("--data", **sources, help="auto is MNIST, or glyphs if offline")
    add("--data-dir", type=Path, help="folder with MNIST's four IDX files, plain or gzipped")
    add("--images", type=int, default=60_000, help="to train on, the first so many")
    add("--test-images", type=int, default=10_000, help="the first so many")
    add("--steps", type=int, default=60, help="of EM")
    add("--epochs", type=int, default=30, help="of the VAE")
    add("--seed", type=int, default=0, help="of everything random")
    add("--out", type=Path, default=Path("out"), help="folder for the picture")
    args = parser.parse_args()
    for name in ("images", "test_images", "steps", "epochs"):
        if getattr(args, name) < 1:
            option = name.replace("_", "-")
            parser.error(f"--{option} is {getattr(args, name)}; expected a number >= 1")
    if args.images < LARGEST:
        parser.error(f"--images is {args.images}; a mixture of {LARGEST} needs as many")
    return args


def load(args, rng):
    if args.data != "glyphs":
        try:
            return split(args, *npvae.datasets.load_mnist(args.data_dir)[:4], "MNIST", rng)
        except ConnectionError:
            if args.data == "mnist":
                raise
            print("MNIST could not be downloaded. Going on with digits drawn from fonts.\n")
    train, test = (npvae.datasets.glyph_digits(n, rng=rng) for n in (args.images, args.test_images))
    return split(args, *train[:2], *test[:2], "glyph digits", rng)


def split(args, train, labels, test, test_labels, name, rng):
    grey, labels = train[: args.images], labels[: args.images]
    test, test_labels = test[: args.test_images], test_labels[: args.test_images]
    binary, test = (npvae.binarize(x, rng=rng) for x in (grey, test))
    return Data(grey, binary, labels, test, test_labels, name)


def fit(model, x, steps, name):
    """Fit by EM, with a bar; -> seconds."""
    start = clock()
    steps_done = em(model, x, steps=steps, tol=1e-3)
    bar = tqdm(steps_done, total=steps, desc=name, disable=None, leave=False)
    for step in bar:
        bar.set_postfix_str(f"{step.log_px:.2f} nats")
    return clock() - start


def mixture(data, args, rng, *, components):
    name = "one product of Bernoullis" if components == 1 else f"mixture of {components} products"
    model = Mixture.init(data.train, components, rng=rng)
    seconds = fit(model, data.train, args.steps, name)
    drawn = model.sample(SAMPLES, rng=rng)
    return Row(name, model.log_px(data.test), model.parameters, seconds, drawn)


def bayes(data, args, rng):
    start = clock()
    model = naive_bayes(data.train, data.labels)
    seconds = clock() - start
    drawn = model.mixture.sample(SAMPLES, rng=rng)
    told = f"{model.accuracy(data.test, data.test_labels):.1%} of labels"
    log_px = model.log_px(data.test)
    return Row("naive Bayes", log_px, model.mixture.parameters, seconds, drawn, told)


def hmm(data, args, rng, *, states):
    name = f"HMM of {states} states"
    model = HMM.init(data.train, states, length=SIDE, rng=rng)
    seconds = fit(model, data.train, args.steps, name)
    drawn = model.sample(SAMPLES, rng=rng).reshape(SAMPLES, -1)
    return Row(name, model.log_px(data.test), model.parameters, seconds, drawn)


def vae(data, args, rng):
    model = npvae.VAE.init(
        SIDE * SIDE,
        hidden=(200, 200),
        latent_dim=50,
        likelihood=npvae.Bernoulli(),
        x_mean=data.grey.mean(axis=0),
        rng=rng,
    )
    start = clock()
    optimizer = npvae.Adam(1e-3)
    epochs = npvae.train(
        model, data.grey, epochs=args.epochs, optimizer=optimizer, binarize=True, rng=rng
    )
    bar = tqdm(epochs, total=args.epochs, desc="VAE", disable=None, leave=False)
    for epoch in bar:
        bar.set_postfix_str(f"{epoch.bound:.2f} nats")
        # From 1e-3 to 1e-4, by the same factor an epoch.
        optimizer.learning_rate = 10 ** (-3 - epoch.epoch / args.epochs)
    seconds = clock() - start
    progress = sys.stderr.isatty()
    estimate = npvae.log_likelihood(model, data.test, samples=DRAWS, rng=rng, progress=progress)
    numbers = sum(row.size for row in model.params.rows)
    drawn = model.sample(SAMPLES, rng=rng, draw=True)
    told = f"by {DRAWS} draws"
    return Row("VAE, 784-200-200-50", estimate.log_px, numbers, seconds, drawn, told)


MODELS = (
    partial(mixture, components=1),
    bayes,
    partial(mixture, components=10),
    partial(mixture, components=50),
    partial(mixture, components=LARGEST),
    partial(hmm, states=50),
    vae,
)


def picture(rows, test):
    """A line of draws for each model, and one of test images below."""
    lines = [*(row.drawn for row in rows), test[:SAMPLES]]
    names = [*(row.name for row in rows), "test images"]
    sheet = tile(np.concatenate(lines).reshape(-1, SIDE, SIDE), SAMPLES)
    figure, axes = sheet_figure(sheet, "Draws of x from each model", (SIDE, SIDE), left=150)
    axes.set_yticks(centres(len(names), SIDE), names)
    return figure


def main():
    args = parse_args()
    warnings.formatwarning = lambda message, *_, **__: f"note: {message}\n"
    warnings.simplefilter("ignore", npvae.UnreliableWarning)
    args.out.mkdir(parents=True, exist_ok=True)
    data_rng, *rngs = np.random.default_rng(args.seed).spawn(1 + len(MODELS))
    data = load(args, data_rng)
    print(f"{data.name}: {len(data.train):,} images to train on, {len(data.test):,} to test")
    print(HEADING, flush=True)
    rows = []
    for make, rng in zip(MODELS, rngs, strict=True):
        rows.append(make(data, args, rng))
        print(rows[-1], flush=True)
    path = args.out / "family.png"
    picture(rows, data.test).savefig(path)
    print(f"A line of draws from each model is in {path}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
    except (OSError, ValueError, MemoryError, ArithmeticError) as error:
        sys.exit(f"error: {error}")
