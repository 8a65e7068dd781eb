"""MNIST in thirty numbers an image: PCA, linear autoencoders, logistic PCA, a deep autoencoder.

    python tests/benchmarks/thirty_numbers.py [--data-dir FOLDER] [--epochs 30] [--only deep]

Prints the squared error an image: Σ over the 784 pixels of (x − x̂)², x in [0, 1], the mean over
images, for training and test images. All are fitted to the 60,000 training images. The deep one,
784-1000-500-250-30 ReLU, learns by Adam at a rate that falls from --learning-rate to 0 as a cosine
over --epochs, with --weight-decay; the linear ones at a rate that falls likewise over ten epochs.
"""

import argparse
import math
import sys
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

import npvae
from npvae import relatives

LOSSES = {"cross-entropy": npvae.Bernoulli(), "squares": npvae.Gaussian(0.5)}


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--data-dir", type=Path, help="folder with MNIST's four IDX files, plain or gzipped")
    add("--only", choices=MODELS, action="append", help="these models; all if none is named")
    add("--numbers", type=int, default=30, help="an image, k")
    add("--epochs", type=int, default=30, help="of the deep autoencoder")
    add("--loss", choices=LOSSES, default="cross-entropy", help="of the deep autoencoder")
    add("--learning-rate", type=float, default=1e-3, help="of its first epoch")
    add("--weight-decay", type=float, default=2e-3, help="of its weights, a Gaussian prior on them")
    add("--steps", type=int, default=60, help="of logistic PCA, on --rows images")
    add("--rows", type=int, default=20_000, help="that logistic PCA is fitted to")
    add("--seed", type=int, default=0, help="of everything random")
    return parser.parse_args()


def learn(model, x, epochs, learning_rate, seed, weight_decay=0.0):
    """Adam, the rate of epoch t being learning_rate · ½ (1 + cos π(t − 1)/epochs)."""
    optimizer = npvae.Adam(learning_rate, weight_decay=weight_decay)
    options = {"optimizer": optimizer, "batch_size": 100, "epochs": epochs}
    rng = np.random.default_rng(seed)
    records = relatives.train_autoencoder(model, x, rng=rng, **options)
    for record in tqdm(records, total=epochs, disable=None, leave=False):
        fallen = (1 + math.cos(math.pi * record.epoch / epochs)) / 2
        optimizer.learning_rate = max(learning_rate * fallen, 1e-12)
    return model


def make(args, x, hidden, likelihood, **options):
    options |= {"hidden": hidden, "latent_dim": args.numbers, "likelihood": likelihood}
    options |= {"x_mean": x.mean(axis=0, dtype=np.float64).clip(0, 1)}
    return relatives.Autoencoder.init(x.shape[1], rng=np.random.default_rng(args.seed), **options)


def pca(args, x):
    return relatives.PCA.fit(x, args.numbers)


def linear(args, x):
    model = make(args, x, (), npvae.Gaussian(0.5))
    return learn(model, x, 10, 1e-3, args.seed + 1)


def linear_sigmoid(args, x):
    model = make(args, x, (), npvae.Bernoulli())
    return learn(model, x, 10, 3e-3, args.seed + 1)


def logistic(args, x):
    steps = relatives.fit_logistic_pca(x[: args.rows], args.numbers, steps=args.steps)
    *_, last = tqdm(steps, total=args.steps, disable=None, leave=False)
    return last.model


def deep(args, x):
    hidden, likelihood = (1000, 500, 250), LOSSES[args.loss]
    model = make(args, x, hidden, likelihood, activation="relu", weight_init="he")
    given = args.epochs, args.learning_rate, args.seed + 1, args.weight_decay
    return learn(model, x, *given)


MODELS = {
    "pca": pca,
    "linear": linear,
    "linear-sigmoid": linear_sigmoid,
    "logistic": logistic,
    "deep": deep,
}


def squared_error(model, x):
    total = 0.0
    for start in range(0, len(x), 1000):
        rows = x[start : start + 1000]
        error = rows - model.reconstruct(rows)
        total += float(np.sum(error * error, dtype=np.float64))
    return total / len(x)


def main():
    args = parse_args()
    data = npvae.datasets.load_mnist(args.data_dir)
    print(f"{args.numbers} numbers an image       train      test   minutes")
    for name in args.only or MODELS:
        start = time.perf_counter()
        model = MODELS[name](args, data.train)
        minutes = (time.perf_counter() - start) / 60
        train = squared_error(model, data.train[:10_000])
        test = squared_error(model, data.test)
        print(f"{name:20} {train:10.4f} {test:9.4f} {minutes:9.1f}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
    except (OSError, ValueError, npvae.NonFiniteError) as error:
        sys.exit(f"error: {error}")
