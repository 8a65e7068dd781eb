"""Holes filled: numbers of a table that nobody took, from the rest of their rows.

    python examples/uses/impute.py                       breast cancer, 569 rows of 30 columns
    python examples/uses/impute.py --data digits         handwritten digits, 1,797 rows of 64

The data are scikit-learn's, and so are the rivals (pip install scikit-learn). A share of all
entries is hidden at random, and guessed. What is printed is the root mean square error of the
guesses, in standard deviations of their columns, and how many of the hidden numbers lie within the
VAE's intervals of 90 %. The picture, out/impute.png, has some of them.
"""

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import npvae
from npvae.posterior import impute

try:
    from sklearn import datasets
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer, KNNImputer
except ImportError as error:
    sys.exit(f"error: this example needs scikit-learn, pip install scikit-learn ({error})")

DATA = {
    "breast_cancer": datasets.load_breast_cancer,
    "digits": datasets.load_digits,
    "wine": datasets.load_wine,
}
NEIGHBOURS, COPIES, LEVEL, SHOWN = 10, 3, 0.9, 60


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--data", choices=DATA, default="breast_cancer", help="a table of scikit-learn's")
    add("--shares", type=float, nargs="+", default=[0.1, 0.3, 0.5], help="of entries hidden")
    add("--epochs", type=int, default=200, help="at most")
    add("--latent", type=int, default=10, help="Z")
    add("--seed", type=int, default=0, help="of everything random")
    add("--out", type=Path, default=Path("out"), help="folder for the picture")
    args = parser.parse_args()
    if not all(0 < share < 1 for share in args.shares):
        parser.error(f"--shares are {args.shares}; expected numbers between 0 and 1")
    return args


def fit(y, args, rng):
    """A model of rows with holes, NaN in y; a fifth of them is watched, and the best epoch kept."""
    likelihood = npvae.Holes(npvae.Standardized.of(y, npvae.StudentT()))
    vae = npvae.VAE.init(
        y.shape[1], hidden=(100,), latent_dim=args.latent, likelihood=likelihood, rng=rng
    )
    y_val, y_train = np.split(rng.permutation(y), [len(y) // 5])
    epochs = npvae.train(
        vae,
        np.concatenate([y_train, *(with_more_holes(y_train, rng) for _ in range(COPIES))]),
        x_val=y_val,
        epochs=args.epochs,
        batch_size=32,
        objective=npvae.ImportanceWeighted(5),
        optimizer=npvae.Adam(2e-3),
        stop_when=npvae.Patience(20),
        keep_best=True,
        rng=rng,
    )
    list(epochs)
    return vae


def with_more_holes(y, rng):
    """A copy, in each row of which up to 60 % is hidden: so the encoder learns to do without."""
    return np.where(rng.random(y.shape) < rng.uniform(0, 0.6, (len(y), 1)), np.nan, y)


def guesses(y, args, rng):
    """{way: y with its holes filled}, and what `impute` says."""
    mean, scale = np.nanmean(y, axis=0), np.nanstd(y, axis=0)
    scale[scale == 0] = 1
    u = (y - mean) / scale
    neighbours = KNNImputer(n_neighbors=NEIGHBOURS, weights="distance")
    regression = IterativeImputer(max_iter=10, random_state=args.seed, skip_complete=True)
    found = impute(fit(y, args, rng), y, draws=200, rng=rng)
    return {
        "column's mean": np.where(np.isnan(y), mean, y),
        f"{NEIGHBOURS} nearest rows": mean + scale * neighbours.fit_transform(u),
        "regression": mean + scale * regression.fit_transform(u),
        "VAE": found.x,
    }, found


def picture(x, hole, scale, found, rng):
    """Some hidden numbers, in the order of the guesses, each with its guess and interval."""
    rows, columns = np.nonzero(hole)
    some = rng.choice(len(rows), min(SHOWN, len(rows)), replace=False)
    at = rows[some], columns[some]
    centre, unit = np.mean(x, axis=0)[at[1]], scale[at[1]]
    low, high = ((end[at] - centre) / unit for end in found.interval(LEVEL))
    guess, truth = ((v[at] - centre) / unit for v in (found.x, x))
    order = np.argsort(guess)
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots()
    place = np.arange(len(some))
    axes.vlines(place, low[order], high[order], color="C0", alpha=0.4, lw=4, label="90 %")
    axes.plot(place, guess[order], "_", color="C0", ms=8, label="guess")
    axes.plot(place, truth[order], ".", color="black", label="truth")
    axes.set_xlabel("holes, in the order of the guesses")
    axes.set_xticks([])
    axes.set_ylabel("standard deviations")
    figure.legend(loc="outside upper right", frameon=False, ncols=3)
    return figure


def main():
    args = parse_args()
    warnings.simplefilter("ignore")  # of rows that show next to nothing, and of toy-sized data
    x = DATA[args.data]().data
    scale = np.where(np.std(x, axis=0) > 0, np.std(x, axis=0), 1)
    rng = np.random.default_rng(args.seed)
    for i, share in enumerate(args.shares):
        hole = rng.random(x.shape) < share
        ways, found = guesses(np.where(hole, np.nan, x), args, rng)
        if i == 0:
            print(f"{'hidden':8}{''.join(f'{way:>17}' for way in ways)}{'within':>8}")
        errors = [np.sqrt(np.mean(np.square((way - x) / scale)[hole])) for way in ways.values()]
        low, high = found.interval(LEVEL)
        within = np.mean(((x >= low) & (x <= high))[hole])
        print(f"{share:<8.0%}{''.join(f'{e:17.3f}' for e in errors)}{within:8.1%}", flush=True)
    args.out.mkdir(parents=True, exist_ok=True)
    picture(x, hole, scale, found, rng).savefig(args.out / "impute.png", dpi=110)


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
