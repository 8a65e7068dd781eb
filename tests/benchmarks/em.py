"""A step of EM, of npvae and of scikit-learn: 512 components, 60,000 images.

    python tests/benchmarks/em.py [--data-dir FOLDER]

Diagonal Gaussians of grey pixels, of both libraries and from one start, and products of Bernoullis
of binarised pixels, which scikit-learn does not have. Each library runs in a process of its own,
the processes take turns, and ratios are taken within each round: 3 is npvae three times as fast.
After as many steps each tells its mean log p(x), so that speed is not bought. scikit-learn is
missing without harm.
"""

import contextlib
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
from harness import (
    StoppedError,
    Worker,
    cpus,
    integer,
    machine,
    parser,
    print_machine,
    print_table,
    turns,
    write_json,
)

import npvae
from npvae.relatives import Bernoullis, DiagonalGaussians, Mixture

MIN_SIGMA = 0.1
# (library, kind): Gaussians of float64 are what scikit-learn makes of most people's data
WORKERS = {
    "npvae": ("npvae", "diagonal"),
    "npvae, Bernoulli": ("npvae", "Bernoulli"),
    "scikit-learn": ("sklearn", "float32"),
    "scikit-learn, float64": ("sklearn", "float64"),
}


def write_starts(args, folder):
    """The data and where to begin, as one file for each kind of component."""
    x = npvae.datasets.load_mnist(args.data_dir).train[: args.images]
    rng = np.random.default_rng(args.seed)
    diagonal = Mixture.init(x, args.components, family=DiagonalGaussians(MIN_SIGMA), rng=rng)
    mean, variance = diagonal.params
    shared = {"weights": diagonal.weights, "min_sigma": MIN_SIGMA}
    np.savez(folder / "diagonal.npz", x=x, mean=mean, variance=variance, **shared)
    x = npvae.binarize(x, rng=rng)
    products = Mixture.init(x, args.components, family=Bernoullis(), rng=rng)
    shared = {"weights": products.weights, "logits": products.params.logits}
    np.savez(folder / "Bernoulli.npz", x=x, **shared)
    return len(x)


def measure(args, folder):
    """-> {worker: {"seconds": […], "log_px": …, …}}, {worker: why it is missing}"""
    measured, missing = {}, {}
    with contextlib.ExitStack() as stack:
        workers = {}
        for name, (library, kind) in WORKERS.items():
            path = folder / ("Bernoulli.npz" if kind == "Bernoulli" else "diagonal.npz")
            worker = Worker("em", library, kind, path, threads=args.threads)
            stack.callback(worker.stop)
            try:
                worker.listen()
                workers[name], measured[name] = worker, {"seconds": []}
            except StoppedError as error:
                if library == "npvae":
                    raise
                missing[name] = str(error)
        for _, name in turns(workers, args.rounds):
            measured[name]["seconds"].append(workers[name].ask()["seconds"])
        for name, worker in workers.items():
            worker.process.stdin.close()
            measured[name] |= worker.listen()
    return measured, missing


def show(measured, N):
    rows = []
    for name, found in measured.items():
        seconds = found["seconds"]
        ours = measured["npvae, Bernoulli" if "Bernoulli" in name else "npvae"]["seconds"]
        ratio = statistics.median(b / a for a, b in zip(ours, seconds, strict=True))
        found |= {"median": statistics.median(seconds), "ratio": ratio}
        spread = f"{min(seconds):.2f}–{max(seconds):.2f}"
        row = [name, f"{found['median']:.2f}", spread, f"{ratio:.2f}"]
        rows.append([*row, f"{found['log_px']:.2f}", f"{found['peak'] / 1e9:.2f}"])
    headings = "", "s a step", "spread", "ratio", "log p(x)", "peak GB"
    print_table(headings, rows, (23, 10, 13, 8, 11, 9))


def main():
    args = parse_args()
    facts = machine()
    print_machine(facts)
    with tempfile.TemporaryDirectory() as name:
        N = write_starts(args, Path(name))
        print(
            f"{args.components} components, {N:,} rows of 784 numbers, {args.threads} threads, "
            f"medians of {args.rounds}"
        )
        measured, missing = measure(args, Path(name))
    show(measured, N)
    steps = measured["npvae"]["steps"]
    print(f"log p(x): nats a row, the mean over the rows after {steps} steps")
    for name, reason in missing.items():
        print(f"{name} is missing: {reason}")
    write_json(args.json, {"machine": facts, "rows": N, "measured": measured, "missing": missing})
    print(f"\nevery number is in {args.json}")


def parse_args():
    options = parser(__doc__, "em.json")
    add = options.add_argument
    add("--data-dir", type=Path, help="folder with MNIST's four IDX files, plain or gzipped")
    add("--components", type=integer(1), default=512, help="K")
    add("--images", type=integer(2), default=60_000, help="N")
    add("--threads", type=integer(1, len(cpus())), default=len(cpus()), help="of each library")
    add("--seed", type=int, default=0, help="of binary pixels and starts")
    return options.parse_args()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
    except (OSError, ValueError, StoppedError) as error:
        sys.exit(f"error: {error}")
