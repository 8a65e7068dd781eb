"""Damaged files: no reader may do anything but refuse them, at once and in little memory.

    python tests/benchmarks/fuzz.py                     100,000 files of each kind
    python tests/benchmarks/fuzz.py --files 1000000 --seed 1 --seconds 1800

Each file is a sound one with something changed: bits, bytes, a piece cut out, doubled or moved,
a number set to an extreme, the header of a model or of one of its arrays written anew, a member
compressed or of a wrong size; or arrays under other names, of other shapes and numbers. PyTorch's
files are among them where it is installed. What is raised, the time of the slowest and the growth
of the memory's peak are printed; any exception but ValueError and FileNotFoundError, a second, or
200 MB, fails the command.
"""

import argparse
import collections
import contextlib
import importlib.util
import random
import resource
import struct
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from damage import damaged_idx, damaged_model, damaged_safetensors, damaged_state, damaged_zip
from harness import integer, print_table

import npvae
from npvae.datasets.idx import TYPES
from npvae.storage import exchange

SAYS_NOTHING = {"likelihood": npvae.Bernoulli(), "activation": "relu"}  # so that the caller does
SECONDS, BYTES = 1.0, 200e6


def model_file(folder, suffix=".npz"):
    path = Path(folder) / f"sound{suffix}"
    rng = np.random.default_rng(0)
    likelihood = npvae.Standardized(npvae.ColumnGaussian(), (0, 1, 2, 3), (1, 2, 3, 4))
    vae = npvae.VAE.init(4, hidden=(3,), latent_dim=2, likelihood=likelihood, rng=rng)
    exchange.save(vae, path)
    return path.read_bytes()


class Run:
    """Small, cut in its second epoch; and what reads its file."""

    def __init__(self, folder):
        self.path, self.x = Path(folder) / "run.npz", np.eye(7, 4)
        rng = np.random.default_rng(0)
        likelihood = npvae.Gaussian(0.5)
        self.vae = npvae.VAE.init(4, hidden=(3,), latent_dim=2, likelihood=likelihood, rng=rng)
        warnings.simplefilter("ignore")  # of a training that is read and never iterated
        with contextlib.suppress(ZeroDivisionError):
            list(self.train(checkpoint=self.path, learning_rate=lambda t: 1e-3 / (5 - t)))

    def train(self, **choices):
        settings = {"epochs": 3, "batch_size": 2, "x_val": self.x, "keep_best": True}
        settings |= {"optimizer": npvae.Adam(), "rng": np.random.default_rng(1)} | choices
        return npvae.train(self.vae, self.x, **settings)

    def read(self, path):
        """By all three that read it: one may refuse what another reads."""
        refused = []
        for reader in (lambda p: self.train(resume=p), npvae.past_epochs, npvae.VAE.load):
            try:
                reader(path)
            except ValueError as error:
                refused.append(error)
        if refused:
            raise refused[0]


def idx_file(code, dtype):
    shape = (5, 4, 3)
    header = bytes([0, 0, code, 3]) + struct.pack(">3I", *shape)
    return header + bytes(range(60)) * dtype.itemsize


def foreign_states():
    """Arrays by PyTorch's names: of its VAE example, of npvae, and of Keras' list."""
    rng = np.random.default_rng(0)
    shapes = {"fc1": (3, 4), "fc21": (2, 3), "fc22": (2, 3), "fc3": (3, 2), "fc4": (4, 3)}
    example = {
        f"{name}.{kind}": rng.normal(size=size).astype(np.float32)
        for name, shape in shapes.items()
        for kind, size in (("weight", shape), ("bias", shape[0]))
    }
    vae = exchange.from_state_dict(example)
    lists = [array for arrays in exchange.to_keras(vae) for array in arrays]
    listed = {f"arr_{i}": array for i, array in enumerate(lists)}
    return example, exchange.to_state_dict(vae), listed


def fuzz(read, make, files, seed, path, seconds=np.inf):
    """-> how often each exception came, the slowest in seconds, the peak's growth in bytes"""
    rng = random.Random(seed)
    came, slowest = collections.Counter(), 0.0
    before, end = _peak(), time.monotonic() + seconds
    while came.total() < files and time.monotonic() < end:
        path.write_bytes(make(rng))
        start = time.perf_counter()
        try:
            read(path)
            came["read"] += 1
        except Exception as error:
            came[type(error).__name__] += 1
        slowest = max(slowest, time.perf_counter() - start)
    return came, slowest, _peak() - before


def complaints(came, slowest, growth):
    other = came.keys() - {"read", "ValueError", "FileNotFoundError"}
    if other:
        yield f"raised {', '.join(sorted(other))}"
    if slowest > SECONDS:
        yield f"took {slowest:.1f} s"
    if growth > BYTES:
        yield f"took {growth / 1e6:.0f} MB"


def readers(folder):
    """By name: what reads a file, and what makes a damaged one."""
    model = model_file(folder)
    run = Run(folder)
    cut = run.path.read_bytes()
    idx = [idx_file(code, dtype) for code, dtype in TYPES.items()]
    tensors, states = model_file(folder, ".safetensors"), foreign_states()
    kinds = {
        "npz": (npvae.VAE.load, lambda rng: damaged_model(model, rng)),
        "run": (run.read, lambda rng: damaged_model(cut, rng)),
        "idx": (npvae.datasets.read_idx, lambda rng: damaged_idx(rng.choice(idx), rng)),
        "safetensors": (exchange.load, lambda rng: damaged_safetensors(tensors, rng)),
        "names": (read_names, lambda rng: damaged_state(states, rng)),
    }
    if importlib.util.find_spec("torch"):
        state = model_file(folder, ".pt")
        kinds["pt"] = exchange.load, lambda rng: damaged_zip(state, rng)
    return kinds


def read_names(path):
    """Arrays from an npz, as a state dict or as Keras' list."""
    return exchange.load(path.rename(path.with_suffix(".npz")), **SAYS_NOTHING)


def _peak():
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--files", type=integer(1), default=100_000, help="of each kind")
    options.add_argument("--seed", type=integer(0), default=0)
    options.add_argument("--seconds", type=integer(1), default=3600, help="at most, for each kind")
    args = options.parse_args()
    failures, widths = [], (11, 10, 10, 10, 11, 8)
    print_table(("", "read", "refused", "other", "slowest, s", "MB"), [], widths)
    with tempfile.TemporaryDirectory() as folder:
        for name, (read, make) in readers(folder).items():
            found = fuzz(
                read, make, args.files, args.seed, Path(folder) / f"damaged.{name}", args.seconds
            )
            came, slowest, growth = found
            refused = came["ValueError"] + came["FileNotFoundError"]
            row = came["read"], refused, came.total() - came["read"] - refused
            print_table((name, *row, f"{slowest:.3f}", f"{growth / 1e6:.0f}"), [], widths)
            failures += [f"{name} {complaint}" for complaint in complaints(*found)]
    if failures:
        sys.exit("\n".join(failures))


if __name__ == "__main__":
    main()
