"""python -m npvae explore MODEL: one HTML file about a saved model."""

import argparse
import sys
from pathlib import Path

import numpy as np

from ..commands.record import Record, rows_of
from ..reading.arrays import read_names
from ..vae import VAE
from .page import PRECISIONS, check_arguments, check_path, explore

DESCRIPTION = """\
Write one HTML file in which to try a saved model: it opens from the disk, in
any browser, and loads nothing from anywhere."""
SAMPLES = 1000  # of the model itself, where no data are given


def main(arguments):
    """Run the command.  -> exit status"""
    parser = new_parser()
    args = parser.parse_args(arguments)
    out = args.out or Path(str(args.model).removesuffix(".npz") + ".html")
    try:
        change = write(args, out)
    except (OSError, TypeError, ValueError, ArithmeticError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    print(f"{out}, {out.stat().st_size / 1e6:.2f} MB: open it in a browser.")
    print(f"{args.precision} bits a weight change the bound of a row by up to {change:.2g} nats.")
    return 0


def new_parser():
    """The command's arguments."""
    parser = argparse.ArgumentParser("python -m npvae explore", description=DESCRIPTION)
    add = parser.add_argument
    add("model", type=Path, metavar="MODEL", help="what VAE.save wrote, an .npz")
    add(
        "--data",
        metavar="FILE",
        type=Path,
        help="rows as the model was trained on, .csv, .npy, .npz or IDX, or a folder of pictures "
        "(default: draws from the model)",
    )
    about = "columns of a table to leave out"
    add("--drop", metavar="COLUMN", nargs="+", default=[], help=about)
    add("--label", metavar="COLUMN", help="a column to leave out, of text or numbers")
    add(
        "--divide",
        metavar="X",
        type=float,
        help="by which data are divided first, such as 255 for a Gaussian model of grey levels",
    )
    add(
        "--shape",
        metavar="N",
        type=int,
        nargs="+",
        help="an image's sides, then 3 if in colour; D alone for a table",
    )
    add("--names", metavar="FILE", type=Path, help="a text with a column's name a line")
    add("--precision", type=int, choices=PRECISIONS, default=8, help="bits a weight (default: 8)")
    add("--out", metavar="FILE", type=Path, help="(default: MODEL with .html)")
    return parser


def write(args, out):
    """Read, and write the page.  -> what `explore` returns, and raises"""
    check_path(out)
    vae = VAE.load(args.model)
    names = read_names(args.names) if args.names else None
    check_arguments(vae, args.shape, names, args.precision)
    shape, source = args.shape, "draws of x from the model itself"
    if args.data:
        options = {"drop": args.drop, "label": args.label, "divide": args.divide}
        x, data = rows_of(vae, Record.read(args.model), args.data, **options)
        source = args.data.name
        if shape is None and names is None:
            shape, names = data.shape, None if data.shape else data.names  # the data's own
    else:
        x = vae.sample(SAMPLES, rng=np.random.default_rng(0), draw=True)
    options = {"shape": shape, "names": names, "precision": args.precision}
    return explore(vae, x, out, source=source, **options)
