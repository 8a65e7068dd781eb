"""An epoch of the deep autoencoder, of npvae and of PyTorch: 784-1000-500-250-30 and back.

    python tests/benchmarks/deep.py [--data-dir FOLDER] [--rounds 7]

Grey MNIST, ReLU, cross-entropy, Adam at 1e-3, batches of 100, float32, He's weights. Each library
runs in a process of its own, the processes take turns, and ratios are taken within each round:
1.2 is npvae a fifth faster. The cross-entropy of the last epoch shows that speed is not bought.
PyTorch is missing without harm.
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

LIBRARIES = {"npvae": "npvae", "PyTorch": "torch"}


def measure(args, path):
    """-> {library: {"seconds": […], "cross_entropy": […]}}, {library: why it is missing}"""
    measured, missing = {}, {}
    with contextlib.ExitStack() as stack:
        workers = {}
        for name, library in LIBRARIES.items():
            worker = Worker("deep", library, path, threads=args.threads)
            stack.callback(worker.stop)
            try:
                worker.listen()
                workers[name], measured[name] = worker, {"seconds": [], "cross_entropy": []}
            except StoppedError as error:
                if library == "npvae":
                    raise
                missing[name] = str(error)
        for _, name in turns(workers, args.rounds):
            for key, value in workers[name].ask().items():
                measured[name][key].append(value)
        for worker in workers.values():
            worker.finish()
    return measured, missing


def show(measured):
    rows = []
    for name, found in measured.items():
        pairs = zip(measured["npvae"]["seconds"], found["seconds"], strict=True)
        found["ratio"] = statistics.median(theirs / ours for ours, theirs in pairs)
        seconds = found["seconds"]
        spread = f"{min(seconds):.2f}–{max(seconds):.2f}"
        row = [name, f"{statistics.median(seconds):.2f}", spread, f"{found['ratio']:.2f}"]
        rows.append([*row, f"{found['cross_entropy'][-1]:.2f}"])
    print_table(("", "s an epoch", "spread", "ratio", "nats"), rows, (12, 12, 16, 8, 9))


def main():
    options = parser(__doc__, "deep.json")
    add = options.add_argument
    add("--data-dir", type=Path, help="folder with MNIST's four IDX files, plain or gzipped")
    add("--images", type=integer(100), default=20_000, help="an epoch")
    add("--threads", type=integer(1, len(cpus())), default=len(cpus()), help="of each library")
    args = options.parse_args()
    facts = machine()
    print_machine(facts)
    images = npvae.datasets.load_mnist(args.data_dir).train[: args.images]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.npy"
        np.save(path, np.rint(255 * images).astype(np.uint8))
        print(f"{len(images):,} images, {args.threads} threads, medians of {args.rounds}")
        measured, missing = measure(args, path)
    show(measured)
    for name, reason in missing.items():
        print(f"{name} is missing: {reason}")
    report = {"machine": facts, "images": len(images), "measured": measured, "missing": missing}
    write_json(args.json, report)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
    except (OSError, ValueError, StoppedError) as error:
        sys.exit(f"error: {error}")
