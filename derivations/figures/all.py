"""Draws every picture of the book anew, and says what has changed.

    python derivations/figures/all.py --data-dir FOLDER     all of them, about half an hour
    python derivations/figures/all.py two_roads adam_bias   these alone

Each picture is drawn by its own script, in a process of its own. Those that need MNIST's four
files are left out without --data-dir. What a clock measured for kernels.png and machines.png is
not measured anew, but drawn from kernels.json and machines.json.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from matplotlib.image import imread

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parents[1] / "examples"
KEPT = Path(tempfile.gettempdir()) / "conditional.npz"
OF_MNIST = {
    "manifold",
    "vae_gan",
    "family",
    "annealing",
    "half_a_digit",
    "conditional",
    "quadrants",
    "odd_ones_out",
    "few_labels_analogies",
}  # in the book; others may be asked for it
CONDITIONAL = EXAMPLES / "uses" / "conditional.py"
FEW_LABELS = EXAMPLES / "uses" / "few_labels.py"
M2 = "--ways", "M2", "--labels", 100, "--seeds", 1
WITH_OPTIONS = {
    "kernels": (HERE / "kernels.py", "--draw"),
    "machines": (HERE / "machines.py", "--draw"),
    "family": (EXAMPLES / "family.py", "--out", HERE),
    "annealing": (EXAMPLES / "uses" / "annealing.py", "--out", HERE),  # draws annealing.png
    "conditional": (CONDITIONAL, "--model", KEPT, "--out", HERE),
    "quadrants": (EXAMPLES / "uses" / "quadrants.py", "--out", HERE),
    "few_labels_analogies": (FEW_LABELS, *M2, "--out", HERE),
    "odd_ones_out": (EXAMPLES / "uses" / "odd_ones_out.py", "--out", HERE),
    "exploration": (EXAMPLES / "uses" / "exploration.py", "--out", HERE),
    "property": (EXAMPLES / "uses" / "property.py", "--out", HERE),
    "impute": (EXAMPLES / "uses" / "impute.py", "--out", HERE),
    "estimators": (EXAMPLES / "estimators.py", "--out", HERE / "estimators.png"),
}


def scripts():
    """{name: the command that draws}, each script of this folder and the examples that draw."""
    found = {path.stem: (path,) for path in sorted(HERE.glob("*.py")) if path.stem != "all"}
    return found | WITH_OPTIONS


def pictures():
    """{file's name: (its bytes, its pixels)} of the folder as it is."""
    return {path.name: (path.read_bytes(), imread(path)) for path in HERE.glob("*.png")}


def changes(before, after):
    """A line for each picture that is not what it was."""
    for name, (content, pixels) in after.items():
        old_content, old = before.get(name, (None, None))
        if old is None:
            yield f"{name} is new"
        elif content == old_content:
            continue
        elif old.shape != pixels.shape:
            yield f"{name} has the shape {pixels.shape}, and had {old.shape}"
        else:
            difference = np.abs(pixels - old).max(axis=-1)
            share, most = (difference > 1 / 512).mean(), 255 * difference.max()
            yield f"{name} differs in {share:.1%} of its pixels, by {most:.0f} of 255 at most"


def draw(name, command, data_dir):
    """-> (whether it ended well, what to say)"""
    options = ["--data-dir", data_dir] if name in OF_MNIST else []
    before, start = pictures(), time.perf_counter()
    command = [sys.executable, *map(str, (*command, *options))]
    done = subprocess.run(command, cwd=HERE.parents[1], capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode:
        words = done.stderr.strip().splitlines() or ["it said nothing"]
        return False, f"failed after {seconds:.0f} s: {words[-1]}"
    told = list(changes(before, pictures()))
    return True, f"{seconds:4.0f} s  {'; '.join(told) or 'unchanged'}"


def parse_args(names):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="scripts, without .py")
    parser.add_argument("--data-dir", type=Path, help="folder with MNIST's four IDX files")
    args = parser.parse_args()
    unknown = sorted(set(args.names) - set(names))
    if unknown:
        parser.error(f"no script draws {', '.join(unknown)}; there are {', '.join(names)}")
    if args.data_dir and not args.data_dir.is_dir():
        parser.error(f"--data-dir {args.data_dir} is not a folder")
    return args


def main():
    commands = scripts()
    args = parse_args(commands)
    failed = 0
    for name in args.names or sorted(commands):
        if name in OF_MNIST and not args.data_dir:
            print(f"{name:20} left out: it needs MNIST, --data-dir FOLDER", flush=True)
            continue
        well, told = draw(name, commands[name], args.data_dir and args.data_dir.resolve())
        print(f"{name:20} {told}", flush=True)
        failed += not well
    sys.exit(f"{failed} failed" if failed else 0)


if __name__ == "__main__":
    main()
