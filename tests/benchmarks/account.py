"""What a step of training is made of: each kernel's time, and what lies between the kernels.

    python tests/benchmarks/account.py --configurations c --threads 1

A kernel is timed where it is called, with its checks and with the memory as the step left it. The
rest of a step is Python and NumPy: noise, z, the KL, whatever a kernel is not. The number of
threads is held fixed. GFLOP/s count every multiplication of a product, also those by zeros that
are left out.
"""

import collections
import math
import statistics
import sys
import time
import warnings
from pathlib import Path

import numba
import numpy as np
from configurations import PLAIN, new_model
from harness import (
    cpus,
    integer,
    machine,
    parser,
    print_machine,
    print_table,
    write_json,
)
from training import load

import npvae
from npvae import kernels
from npvae.kernels import compiled, pacing

PRODUCTS = {"affine": "x W + b", "matmul": "dy Wᵀ", "affine_backward_params": "xᵀ dy, Σ dy"}
HEADINGS = ("kernel", "size", "calls", "µs a call", "µs a step", "GFLOP/s")
WIDTHS = (28, 13, 7, 11, 11, 9)


def parse_args():
    options = parser(__doc__, "account.json")
    add = options.add_argument
    options.set_defaults(rounds=3)
    add("--configurations", nargs="+", choices=PLAIN, default=list(PLAIN), metavar="NAME")
    add("--threads", type=integer(1, len(cpus())), default=len(cpus()))
    add("--data", choices=("auto", "mnist", "glyphs"), default="auto")
    add("--data-dir", type=Path, help="folder with MNIST's four IDX files, plain or gzipped")
    add("--images", type=integer(1), default=20_000, help="a number of them, in each round")
    add("--seed", type=integer(0), default=0, help="of everything random")
    return options.parse_args()


def size(name, arrays):
    """What the kernel works on: rows × columns, and of a product R × D_in × D_out."""
    first, second = arrays[0].shape, arrays[1].shape if len(arrays) > 1 else ()
    if name == "affine":
        return *first, second[1]
    if name == "affine_backward_params":
        return *second, first[1]
    if name == "matmul":
        return first[0], second[1], first[1]
    return (len(arrays[1]), first[1]) if name.startswith("gather") else arrays[-1].shape


class Account:
    """Seconds of every call of every kernel, by its name and size."""

    def __init__(self):
        self.seconds = collections.defaultdict(list)
        for name in compiled.__all__:
            setattr(kernels, name, self._timed(name, getattr(compiled, name)))

    def _timed(self, name, kernel):
        def timed(*args, **options):
            began = time.perf_counter()
            result = kernel(*args, **options)
            took = time.perf_counter() - began
            arrays = [a for a in args if isinstance(a, np.ndarray)]
            self.seconds[name, size(name, arrays)].append(took)
            return result

        return timed


def measure(configuration, images, args):
    """-> {(kernel, size): seconds of each call}, seconds of all steps, their number"""
    steps = max(1, len(images) // configuration.batch_size)
    images = images[: steps * configuration.batch_size]  # all batches are of one size
    account = Account()
    epochs = npvae.train(
        new_model(configuration, images, args.seed),
        images,
        epochs=1 + args.rounds,
        optimizer=npvae.Adam(),
        batch_size=configuration.batch_size,
        objective=npvae.ClosedForm(samples=configuration.samples),
        binarize=configuration.binarize,
        rng=np.random.default_rng(args.seed),
    )
    next(epochs)  # warms up
    account.seconds.clear()
    whole = sum(epoch.seconds for epoch in epochs)
    return account.seconds, whole, args.rounds * steps


def rows(seconds, steps):
    """The table's, the longest first."""
    for (name, shape), calls in sorted(seconds.items(), key=lambda item: -sum(item[1])):
        call = statistics.median(calls)
        rate = f"{2 * math.prod(shape) / call / 1e9:.0f}" if name in PRODUCTS else None
        yield (
            PRODUCTS.get(name, name),
            "×".join(map(str, shape)),
            f"{len(calls) / steps:.3g}",
            f"{1e6 * call:.1f}",
            f"{1e6 * sum(calls) / steps:.1f}",
            rate,
        )


def main():
    args = parse_args()
    train, _, data = load(args)
    numba.set_num_threads(args.threads)
    kernels.pace = pacing.one_thread  # which leaves the number as it is
    warnings.simplefilter("ignore", npvae.GreyTargetsWarning)
    facts = machine()
    print_machine(facts)
    print(f"{data}: {len(train):,} images, {args.rounds} rounds, threads: {args.threads}")
    report = {"machine": facts, "data": data, "threads": args.threads, "configurations": {}}
    for name in args.configurations:
        seconds, whole, steps = measure(PLAIN[name], train, args)
        table = list(rows(seconds, steps))
        step, kernel = whole / steps, sum(map(sum, seconds.values())) / steps
        print(f"\n({name}) {PLAIN[name].description}")
        print_table(HEADINGS, table, WIDTHS)
        parts = f"{1e6 * kernel:.0f} in kernels, {1e6 * (step - kernel):.0f} between them"
        print(f"a step: {1e6 * step:.0f} µs, {parts}")
        kept = [dict(zip(HEADINGS, row, strict=True)) for row in table]
        report["configurations"][name] = {"step": step, "in kernels": kernel, "kernels": kept}
        write_json(args.json, report)
    print(f"\nevery number is in {args.json}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
