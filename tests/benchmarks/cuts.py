"""Runs cut at random places and moments, which then go on: do they end as the uncut one?

    python tests/benchmarks/cuts.py [--cuts 100]

Three models in turn, four ways: an exception at a random step; SIGINT, SIGTERM and kill −9 sent
from outside at a random moment, while a checkpoint is written after every step. About a second
each.
"""

import argparse
import collections
import contextlib
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import cutting

PAUSE = 0.01  # seconds, in each step: a run lasts long enough to be cut anywhere
LONGEST = 1.5 * PAUSE * cutting.STEPS


def slow(step):
    """The schedule of all runs, which takes its time."""
    time.sleep(PAUSE)
    return cutting.RATE(step)


def run_slowly(model, path, started):
    """What a process does until a signal comes, if one comes."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    started.touch()
    with contextlib.suppress(KeyboardInterrupt, SystemExit):
        cutting.train(model, learning_rate=slow, checkpoint=path, every=1e-9)


def cut(context, model, way, path, rng):
    """A run that ends early, or not: the moment may come too late."""
    if way == "exception":
        cutting.begin(model, path, way, int(rng.integers(cutting.STEPS)), every=None)
        return
    started = path.with_name("started")
    process = context.Process(target=run_slowly, args=(model, path, started))
    process.start()
    while not started.exists():
        time.sleep(1e-3)
    time.sleep(rng.uniform(0, LONGEST))
    if process.is_alive():
        os.kill(process.pid, getattr(signal, way))
    process.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cuts", type=int, default=100, help="(default: 100)")
    parser.add_argument("--seed", type=int, default=0, help="of places and moments (default: 0)")
    args = parser.parse_args()
    rng, context = np.random.default_rng(args.seed), multiprocessing.get_context("spawn")
    expected = {model: cutting.whole(model) for model in cutting.MODELS}
    outcomes = collections.Counter()
    for i in range(args.cuts):
        model, way = cutting.MODELS[i % 3], cutting.WAYS[i % 4]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "run.npz"
            cut(context, model, way, path, rng)
            ended = len(cutting.npvae.past_epochs(path)) if path.exists() else -1
            same = cutting.go_on(model, path) == expected[model]
        place = {-1: "before a file", cutting.EPOCHS: "too late"}.get(ended, "within the run")
        outcomes[way, place, "same" if same else "OTHER"] += 1
        print(f"\r{i + 1} cuts", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    for (way, place, same), count in sorted(outcomes.items()):
        print(f"{way:9}  {place:14}  {same:5}  {count:3}")
    return any(same == "OTHER" for *_, same in outcomes)


if __name__ == "__main__":
    sys.exit(main())
