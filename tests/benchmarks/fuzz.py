"""Damaged files: no reader may do anything but refuse them, at once and in little memory.

    python tests/benchmarks/fuzz.py                     100,000 model files, 100,000 IDX files
    python tests/benchmarks/fuzz.py --files 1000000 --seed 1

Each file is a sound one with something changed: bits, bytes, a piece cut out, doubled or moved,
a number set to an extreme, the header of a model written anew. What is raised, the time of the
slowest and the growth of the memory's peak are printed; any exception but ValueError and
FileNotFoundError, a second, or 200 MB, fails the command.
"""

import argparse
import collections
import gzip
import io
import json
import random
import resource
import struct
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from harness import integer, print_table

import npvae

EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 40, (1 << 64) - 1)
VALUES = (-1, 0, 1, 2, 7, 10**6, 10**13, 10**30, 1.5, True, None, "", "tanh", [], [10**9], {}, [[]])
SECONDS, BYTES = 1.0, 200e6


def model_file(folder):
    path = Path(folder) / "sound.npz"
    rng = np.random.default_rng(0)
    likelihood = npvae.LearnedGaussian()
    npvae.VAE.init(4, hidden=(3,), latent_dim=2, likelihood=likelihood, rng=rng).save(path)
    return path.read_bytes()


def idx_file(ndim=3):
    shape = (5, 4, 3)[:ndim]
    header = bytes([0, 0, 8, ndim]) + struct.pack(f">{ndim}I", *shape)
    return header + bytes(range(np.prod(shape)))


def damaged(content, rng):
    """Bytes of a file with one to three things changed."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 3)):
        rng.choice(CHANGES)(data, rng)
    return bytes(data)


def _bit(data, rng):
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _bytes(data, rng):
    at = rng.randrange(len(data) + 1)
    data[at : at + rng.randint(1, 8)] = rng.randbytes(rng.randint(0, 8))


def _number(data, rng):
    size, order = rng.choice((1, 2, 4, 8)), rng.choice(("little", "big"))
    at = rng.randrange(len(data) + 1)
    data[at : at + size] = (rng.choice(EXTREMES) % (1 << 8 * size)).to_bytes(size, order)


def _cut(data, rng):
    at = rng.randrange(len(data) + 1)
    del data[at : at + rng.choice((1, 10, 10**6))]


def _double(data, rng):
    at, size = rng.randrange(len(data) + 1), rng.randint(1, 64)
    there = rng.randrange(len(data) + 1)
    data[there:there] = data[at : at + size]


CHANGES = (_bit, _bytes, _number, _cut, _double)


def damaged_model(content, rng):
    """A damaged model file: half of them sound archives, with another header or other arrays."""
    if rng.random() < 0.5:
        return damaged(content, rng)
    with np.load(io.BytesIO(content)) as file:
        stored = dict(file)
    header = json.loads(str(stored.pop("header")))
    for _ in range(rng.randint(1, 2)):
        header[rng.choice([*header, "new"])] = rng.choice(VALUES)
    text = json.dumps(header)
    text = damaged(text.encode(), rng).decode("utf-8", "replace") if rng.random() < 0.3 else text
    if rng.random() < 0.3:
        name = rng.choice(list(stored))
        stored[name] = np.zeros(rng.choice(((), 0, 3, (4, 3), (1, 1, 1))), rng.choice("fdiU?"))
    out = io.BytesIO()
    rng.choice((np.savez, np.savez_compressed))(out, header=np.array(text), **stored)
    return out.getvalue()


def damaged_idx(content, rng):
    data = damaged(content, rng)
    if rng.random() < 0.5:
        data = gzip.compress(data, 1)
        data = damaged(data, rng) if rng.random() < 0.5 else data
    return data


def fuzz(read, make, files, seed, path):
    """-> how often each exception came, the slowest in seconds, the peak's growth in bytes"""
    rng = random.Random(seed)
    came, slowest = collections.Counter(), 0.0
    before = _peak()
    for _ in range(files):
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
    model, idx = model_file(folder), idx_file()
    return {
        "npz": (npvae.VAE.load, lambda rng: damaged_model(model, rng)),
        "idx": (npvae.datasets.read_idx, lambda rng: damaged_idx(idx, rng)),
    }


def _peak():
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--files", type=integer(1), default=100_000, help="of each kind")
    options.add_argument("--seed", type=integer(0), default=0)
    args = options.parse_args()
    failures, widths = [], (6, 10, 10, 12, 11, 8)
    print_table(("", "read", "refused", "other", "slowest, s", "MB"), [], widths)
    with tempfile.TemporaryDirectory() as folder:
        for name, (read, make) in readers(folder).items():
            found = fuzz(read, make, args.files, args.seed, Path(folder) / "damaged")
            came, slowest, growth = found
            refused = came["ValueError"] + came["FileNotFoundError"]
            row = came["read"], refused, came.total() - came["read"] - refused
            print_table((name, *row, f"{slowest:.3f}", f"{growth / 1e6:.0f}"), [], widths)
            failures += [f"{name} {complaint}" for complaint in complaints(*found)]
    if failures:
        sys.exit("\n".join(failures))


if __name__ == "__main__":
    main()
