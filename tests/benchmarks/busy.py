"""Training beside another program that keeps a core busy: as many threads as are fastest?

    python tests/benchmarks/busy.py                     with one core held busy, then quiet
    python tests/benchmarks/busy.py --configurations c --rounds 9

A round trains an epoch three times, in an order that turns: with the number of threads that
npvae chooses, with one, with all. `better` is the better fixed number's seconds by the chosen
one's: 1 is as good, 0.95 a twentieth slower. It is taken round by round, and its median told,
because what two threads are worth may change between rounds.
"""

import contextlib
import os
import statistics
import subprocess
import sys
import time
import warnings

import numba
import numpy as np
from configurations import PLAIN, new_model
from harness import cpus, integer, machine, parser, print_machine, print_table, turns, write_json

import npvae
from npvae.kernels.pacing import one_thread, pace

HEADINGS, WIDTHS = ("", "chosen", "one", "all", "better"), (16, 9, 9, 9, 9)
SPIN = "while True: pass"


@contextlib.contextmanager
def spinning():
    """Another program, held to the last CPU."""
    process = subprocess.Popen([sys.executable, "-c", SPIN])
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(process.pid, cpus()[-1:])
    try:
        yield
    finally:
        process.kill()
        process.wait()


CHOSEN, FIXED = npvae.kernels.pace, one_thread  # which leaves the number as it is
MODES = {"chosen": (CHOSEN, None), "one": (FIXED, 1), "all": (FIXED, None)}


def epochs(configuration, images, seed):
    """A function of a mode's name that trains for an epoch, and tells the seconds."""
    rng = np.random.default_rng(seed)
    vae, optimizer = new_model(configuration, images, seed), npvae.Adam(1e-3)

    def epoch(mode):
        npvae.kernels.pace, threads = MODES[mode]
        numba.set_num_threads(threads or numba.config.NUMBA_NUM_THREADS)
        choices = {"batch_size": configuration.batch_size, "binarize": configuration.binarize}
        run = npvae.train(vae, images, epochs=1, optimizer=optimizer, rng=rng, **choices)
        return next(run).seconds

    return epoch


def measure(configuration, images, rounds, seed):
    epoch = epochs(configuration, images, seed)
    pace.cache_clear()  # nothing is known yet, as in a new process
    for mode in MODES:
        epoch(mode)  # warms up
    seconds = {mode: [] for mode in MODES}
    for _, mode in turns(MODES, rounds):
        seconds[mode].append(epoch(mode))
        time.sleep(0.1)
    return seconds


def row(name, seconds):
    medians = (f"{statistics.median(times):.2f}" for times in seconds.values())
    rounds = zip(*seconds.values(), strict=True)
    better = statistics.median(min(one, every) / chosen for chosen, one, every in rounds)
    return name, *medians, f"{better:.2f}"


def main():
    options = parser(__doc__, "busy.json")
    add = options.add_argument
    add("--configurations", nargs="+", choices=PLAIN, default=list(PLAIN), metavar="NAME")
    add("--images", type=integer(1), default=20_000, help="drawn digits, an epoch")
    add("--quiet-only", action="store_true", help="hold no core busy")
    args = options.parse_args()
    warnings.simplefilter("ignore", npvae.DiagnosisWarning)
    facts = machine()
    print_machine(facts)
    drawn = npvae.datasets.glyph_digits(args.images, rng=np.random.default_rng(0)).images
    images = np.rint(255 * drawn).astype(np.uint8)
    report = {"machine": facts, "images": args.images, "busy": {}, "quiet": {}}
    kinds = {"quiet": contextlib.nullcontext} if args.quiet_only else {}
    kinds = kinds or {"busy": spinning, "quiet": contextlib.nullcontext}
    for kind, beside in kinds.items():
        print(f"\n{kind}: seconds for {args.images:,} images, medians of {args.rounds}")
        print_table(HEADINGS, [], WIDTHS)
        for name in args.configurations:
            with beside():
                seconds = measure(PLAIN[name], images, args.rounds, 0)
            report[kind][name] = seconds
            print_table(row(f"({name})", seconds), [], WIDTHS)
            write_json(args.json, report)


if __name__ == "__main__":
    main()
