"""Damaged files: no reader may do anything but refuse them, at once and in little memory.

    python tests/benchmarks/fuzz.py                     100,000 files of each kind
    python tests/benchmarks/fuzz.py --files 1000000 --seed 1 --seconds 1800

Each file is a sound one with something changed: bits, bytes, a piece cut out, doubled or moved,
a number set to an extreme, the header of a model or of one of its arrays written anew, a member
compressed or of a wrong size. What is raised, the time of the
slowest and the growth of the memory's peak are printed; any exception but ValueError and
FileNotFoundError, a second, or 200 MB, fails the command.
"""

import argparse
import collections
import contextlib
import copy
import gzip
import io
import json
import random
import resource
import struct
import sys
import tempfile
import time
import warnings
import zipfile
from pathlib import Path

import numpy as np
from harness import integer, print_table

import npvae
from npvae.datasets.idx import TYPES

EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 40, (1 << 64) - 1)
VALUES = (-1, 0, 1, 2, 7, 10**6, 10**13, 10**30, 1.5, True, None, "", "tanh", [], [10**9], {}, [[]])
DESCRS = ("'<f4'", "'>f4'", "'<f8'", "'|O'", "'<U0'", "'<U99'", "[('a', '<f4')]", "-" * 9000 + "1")
SHAPES = ("()", "(3,)", "(4, 3)", "(-1, -12)", "(0, 10**9)", "(1000000000000,)", "(4, True)", "3")
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
BOMB = bytes(1 << 20)
SECONDS, BYTES = 1.0, 200e6


def model_file(folder):
    path = Path(folder) / "sound.npz"
    rng = np.random.default_rng(0)
    likelihood = npvae.LearnedGaussian()
    npvae.VAE.init(4, hidden=(3,), latent_dim=2, likelihood=likelihood, rng=rng).save(path)
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
    """A damaged model file: most of them sound archives, with other headers or other arrays."""
    return rng.choice((damaged, _other_header, _other_members))(content, rng)


def _other_header(content, rng):
    with np.load(io.BytesIO(content)) as file:
        stored = dict(file)
    header = json.loads(str(stored.pop("header")))
    for _ in range(rng.randint(1, 2)):
        part = header
        while (parts := [v for v in part.values() if isinstance(v, dict)]) and rng.random() < 0.7:
            part = rng.choice(parts)
        part[rng.choice([*part, "new"])] = copy.deepcopy(rng.choice(VALUES))
    text = json.dumps(header)
    text = damaged(text.encode(), rng).decode("utf-8", "replace") if rng.random() < 0.3 else text
    if rng.random() < 0.3:
        name = rng.choice(list(stored))
        stored[name] = np.zeros(rng.choice(((), 0, 3, (4, 3), (1, 1, 1))), rng.choice("fdiU?"))
    out = io.BytesIO()
    rng.choice((np.savez, np.savez_compressed))(out, header=np.array(text), **stored)
    return out.getvalue()


def _other_members(content, rng):
    """The archive's members damaged, compressed or twice there, with the right checksums."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        chosen = rng.choice(old.namelist())
        for name in old.namelist():
            data = old.read(name)
            if name == chosen:
                data = _other_member(data, rng)
                size = len(data)
            new.writestr(name, data, rng.choice(METHODS) if name == chosen else None)
        if rng.random() < 0.1:
            new.writestr(chosen.removesuffix(".npy"), old.read(chosen))
    archive = out.getvalue()
    if rng.random() < 0.3:  # the size that is claimed, wherever it stands
        claim = rng.choice((1, 100, len(archive), 0xFFFFFFFF))
        archive = archive.replace(struct.pack("<I", size), struct.pack("<I", claim))
    return archive


def _other_member(data, rng):
    """An .npy file with another header, or bytes damaged, or a bomb."""
    kind = rng.random()
    if kind < 0.01:
        return BOMB
    if kind < 0.5:
        return damaged(data, rng)
    shape, descr = rng.choice(SHAPES), rng.choice(DESCRS)
    text = f"{{'descr': {descr}, 'fortran_order': {rng.random() < 0.5}, 'shape': {shape}, }}\n"
    size = struct.pack("<H", len(text))
    return b"\x93NUMPY\x01\x00" + size + text.encode() + data[128:]


def damaged_idx(content, rng):
    data = damaged(content, rng)
    if rng.random() < 0.5:
        data = gzip.compress(data, 1)
        data = damaged(data, rng) if rng.random() < 0.5 else data
    return data


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
    return {
        "npz": (npvae.VAE.load, lambda rng: damaged_model(model, rng)),
        "run": (run.read, lambda rng: damaged_model(cut, rng)),
        "idx": (npvae.datasets.read_idx, lambda rng: damaged_idx(rng.choice(idx), rng)),
    }


def _peak():
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--files", type=integer(1), default=100_000, help="of each kind")
    options.add_argument("--seed", type=integer(0), default=0)
    options.add_argument("--seconds", type=integer(1), default=3600, help="at most, for each kind")
    args = options.parse_args()
    failures, widths = [], (6, 10, 10, 12, 11, 8)
    print_table(("", "read", "refused", "other", "slowest, s", "MB"), [], widths)
    with tempfile.TemporaryDirectory() as folder:
        for name, (read, make) in readers(folder).items():
            found = fuzz(read, make, args.files, args.seed, Path(folder) / "damaged", args.seconds)
            came, slowest, growth = found
            refused = came["ValueError"] + came["FileNotFoundError"]
            row = came["read"], refused, came.total() - came["read"] - refused
            print_table((name, *row, f"{slowest:.3f}", f"{growth / 1e6:.0f}"), [], widths)
            failures += [f"{name} {complaint}" for complaint in complaints(*found)]
    if failures:
        sys.exit("\n".join(failures))


if __name__ == "__main__":
    main()
