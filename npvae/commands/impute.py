"""python -m npvae impute MODEL DATA: the rows in a file, with their holes filled."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..posterior import impute
from ..vae import VAE
from .record import Record, rows_of
from .running import (
    add_data,
    add_divide,
    add_model,
    add_seed,
    count,
    new_parser,
    run,
    wrapped,
)
from .writing import ENDINGS, check_ending, write_rows

DESCRIPTION = """\
Fill the holes of a table by a model that `train` made of rows with holes.

    python -m npvae train visits.csv
    python -m npvae impute model.npz visits.csv --out filled.csv
    python -m npvae impute model.npz visits.csv --out filled.csv --draws 5

What was seen stays as it is; in each hole comes a number drawn from what may
stand there, given the rest of the row. With several draws do your analysis once
with each: how far the answers differ is what the holes have cost."""
SAMPLES = 1000  # of z for each row


def main(arguments):
    """Run the command.  -> exit status"""
    parser = new_parser("impute", DESCRIPTION)
    add_model(parser)
    add_data(parser)
    add = parser.add_argument
    add("--out", metavar="FILE", type=Path, required=True, help="a .csv or .npy")
    about = "files, FILE with -1, -2, … before its ending (default: FILE alone)"
    add("--draws", metavar="K", type=count, help=about)
    about = "E[x|what was seen], instead of draws: a better guess, but too sure of itself"
    add("--means", action="store_true", help=about)
    add_divide(parser)
    add_seed(parser)
    return run(parser, _impute, arguments)


def _impute(args):
    ending = check_ending(args.out, ENDINGS)
    if args.means and args.draws:
        raise ValueError("--means are no --draws; expected one of the two")
    vae, record = VAE.load(args.model), Record.read(args.model)
    options = {"drop": args.drop, "label": args.label, "divide": args.divide}
    x, data = rows_of(vae, record, args.data, **options)
    holes = np.isnan(x)
    found = impute(
        vae, x, draws=args.draws or 1, samples=SAMPLES, rng=np.random.default_rng(args.seed)
    )
    unit = args.divide or (record.divide if record else 1)
    tables = found.x[None] if args.means else found.draws
    for k, table in enumerate(tables, start=1):
        path = args.out.with_name(f"{args.out.stem}-{k}{ending}") if args.draws else args.out
        whole = np.where(np.isnan(data.x), table * table.dtype.type(unit), data.x)
        write_rows(path, whole, data.names)
        print(f"{path}: {len(x):,} rows")
    print(wrapped(f"{holes.sum():,} holes filled, {holes.mean():.1%} of all numbers"))
    return 0
