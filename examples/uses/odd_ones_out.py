"""Odd ones out: which images does a model find odd, by which score, and when is it wrong?

    python examples/uses/odd_ones_out.py                       digits drawn from fonts
    python examples/uses/odd_ones_out.py --data-dir FOLDER     MNIST

First nine digits are learned, and the tenth is to be found among them, for each of the ten. Then
all ten are learned, and other kinds of images are to be found. The tables have the AUROC: the
probability that an odd image is scored above a usual one. ± is its standard error.
"""

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import npvae
from npvae import uses

SHAPE = 28, 28
NAMES = *uses.Scores._fields, "corrected"


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--data-dir", type=Path, help="folder with MNIST's four IDX files, plain or gzipped")
    add("--epochs", type=int, default=10, help="of each model")
    add("--rows", type=int, default=500, help="odd ones, and as many usual ones")
    add("--draws", type=int, default=200, help="of z for each image")
    add("--digits", type=int, default=10, help="to leave out in turn, the first so many")
    add("--seed", type=int, default=0, help="of everything random")
    add("--out", type=Path, default=Path("out"), help="folder for the picture")
    return parser.parse_args()


def load(data_dir, rng):
    """-> train, labels, test, test labels"""
    if data_dir:
        return npvae.datasets.load_mnist(data_dir)[:4]
    train, test = (npvae.datasets.glyph_digits(n, rng=rng) for n in (20_000, 5000))
    return *train[:2], *test[:2]


def fit(x, epochs, rng):
    vae = npvae.VAE.init(
        784, hidden=(200,), likelihood=npvae.Bernoulli(), x_mean=x.mean(axis=0), rng=rng
    )
    list(npvae.train(vae, x, epochs=epochs, optimizer=npvae.Adam(), binarize=True, rng=rng))
    return vae


def all_scores(vae, grey, draws, rng):
    """{name: the score of each image}, of one binary draw of each grey image"""
    x = npvae.binarize(grey, rng=rng)
    scores = uses.anomaly_scores(vae, x, samples=draws, rng=rng)._asdict()
    return scores | {"corrected": uses.complexity_corrected(scores["log_px"], x, SHAPE)}


def line(name, odd, usual):
    """The name, the odd images' mean −log p(x), and the AUROC of each score."""
    is_odd = np.arange(len(odd["log_px"]) + len(usual["log_px"])) < len(odd["log_px"])
    told = [uses.auroc(np.append(odd[key], usual[key]), is_odd) for key in NAMES]
    return f"{name:10}{odd['log_px'].mean():9.1f}  {'  '.join(map(str, told))}"


def strangers(test, args, rng):
    """{name: grey images that are no digits of the kind that was learned}"""
    n = min(args.rows, len(test))
    other = npvae.datasets.random_moons(n, rng=rng).images
    if args.data_dir:
        other = npvae.datasets.glyph_digits(n, rng=rng).images
    return {
        "drawn" if args.data_dir else "moons": other,
        "faint": 0.3 * test[:n],
        "rescaled": rescaled(0.3 * test[:n]),
        "inverted": 1 - test[:n],
        "shuffled": rng.permuted(test[:n], axis=1),
        "noise": np.full((n, 784), 0.5),
        "black": np.zeros((1, 784)),
        "white": np.ones((1, 784)),
    }


def rescaled(x):
    """Each image divided by its own largest pixel, as many programs do first: a trap."""
    return x / x.max(axis=1, keepdims=True)


def picture(usual, kinds):
    """How the scores of each kind are spread, by log p(x) and corrected."""
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    figure.suptitle("Odder is to the right", fontsize="medium")
    titles = "−log p(x)", "−log p(x) less the coder's length"
    for axes, key, title in zip(
        figure.subplots(1, 2), ("log_px", "corrected"), titles, strict=True
    ):
        for i, scores in enumerate([usual, *kinds.values()]):
            where = np.full(len(scores[key]), -i)
            axes.plot(scores[key], where, "|", ms=12, alpha=0.2 if len(where) > 1 else 1)
        axes.set_yticks(-np.arange(1 + len(kinds)), ["learned", *kinds])
        axes.set_xscale("symlog", linthresh=100)
        axes.set_xlabel(f"{title}, nats")
    return figure


def main():
    args = parse_args()
    warnings.simplefilter("ignore", npvae.UnreliableWarning)  # q knows little of odd rows
    rng = np.random.default_rng(args.seed)
    train, labels, test, test_labels = load(args.data_dir, rng)
    heading = "".join(f"{name:>17}" for name in NAMES)
    print(f"{'left out':10}{'−log p(x)':>9}{heading}")
    for digit in range(args.digits):
        vae = fit(train[labels != digit], args.epochs, rng)
        odd, usual = (test[(test_labels == digit) == odd][: args.rows] for odd in (True, False))
        both = (all_scores(vae, x, args.draws, rng) for x in (odd, usual))
        print(line(digit, *both), flush=True)
    vae = fit(train, args.epochs, rng)
    usual = all_scores(vae, test[: args.rows], args.draws, rng)
    print(f"\n{'learned':10}{usual['log_px'].mean():9.1f}")
    kinds = strangers(test[args.rows :], args, rng)
    kinds = {name: all_scores(vae, x, args.draws, rng) for name, x in kinds.items()}
    print("\n".join(line(name, scores, usual) for name, scores in kinds.items()))
    args.out.mkdir(parents=True, exist_ok=True)
    picture(usual, kinds).savefig(args.out / "odd_ones_out.png", dpi=110)


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
