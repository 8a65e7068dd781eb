"""What a checkpoint costs: epochs of the default example with one, beside epochs without.

    python tests/benchmarks/checkpoint.py [--rounds 9]

Each round times an epoch of either, in turn, from one `next` to the next; drawn digits, 784-500-20.
"""

import argparse
import statistics
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

import npvae


def epochs(x, rounds, **choices):
    """The generator of a run of so many epochs, whose first has ended."""
    rng = np.random.default_rng(0)
    vae = npvae.VAE.init(784, likelihood=npvae.Bernoulli(), x_mean=x.mean(axis=0), rng=rng)
    settings = {"epochs": rounds + 1, "optimizer": npvae.Adam(), "binarize": True, "rng": rng}
    run = npvae.train(vae, x, **settings, **choices)
    next(run)
    return run


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="(default: 9)")
    parser.add_argument("--images", type=int, default=60_000, help="(default: 60,000)")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    x = npvae.datasets.glyph_digits(args.images, rng=np.random.default_rng(0)).images
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.npz"
        runs = {
            "without": epochs(x, args.rounds),
            "a file an epoch": epochs(x, args.rounds, checkpoint=path),
        }
        seconds = {name: [] for name in runs}
        for turn in range(args.rounds):
            for name in sorted(runs, reverse=turn % 2 == 1):
                start = time.perf_counter()
                next(runs[name])
                seconds[name].append(time.perf_counter() - start)
        size = path.stat().st_size
    ratios = [b / a for a, b in zip(*seconds.values(), strict=True)]
    for name, values in seconds.items():
        print(f"{name:16} {statistics.median(values):.3f} s an epoch (median)")
    middle, low, high = statistics.median(ratios), min(ratios), max(ratios)
    print(f"ratio within rounds: median {middle:.4f}, {low:.3f} to {high:.3f}")
    print(f"a file of {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
