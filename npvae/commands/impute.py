"""python -m npvae impute MODEL DATA: the rows in a file, with their holes filled."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..likelihoods import Holes
from ..posterior import impute
from ..reading.data import is_text, read_whole
from ..reading.tables import read_table
from .record import load_model, rows_of
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
from .writing import (
    ENDINGS,
    add_force,
    check_ending,
    check_out,
    number_text,
    write_rows,
    write_table,
)

DESCRIPTION = """\
Fill the holes of a table by a model that `train` made of rows with holes.

    python -m npvae train visits.csv
    python -m npvae impute model.npz visits.csv --out filled.csv
    python -m npvae impute model.npz visits.csv --out filled.csv --draws 5

What was seen stays as it is, and so do columns that the model does not know; in
each hole comes a number drawn from what may stand there, given the rest of the
row. With several draws do your analysis once with each: how far the answers
differ is what the holes have cost. Of a .csv, a .npy has the model's columns."""
SAMPLES = 1000  # of z for each row


def main(arguments):
    """Run the command.  -> exit status"""
    parser = new_parser("impute", DESCRIPTION)
    add_model(parser)
    add_data(parser)
    add = parser.add_argument
    add("--out", metavar="FILE", type=Path, required=True, help="a .csv or .npy")
    add_force(parser)
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
    numbers = range(1, 1 + args.draws) if args.draws else ()
    paths = [args.out.with_name(f"{args.out.stem}-{k}{ending}") for k in numbers] or [args.out]
    for path in paths:
        check_out(path, args.force, args.model, args.data)
    vae, record = load_model(args.model)
    if not isinstance(vae.likelihood, Holes):
        raise ValueError(
            f"{args.model} learned from rows without holes; train it on rows with some"
        )
    options = {"drop": args.drop, "label": args.label, "divide": args.divide}
    x, data = rows_of(vae, record, args.data, **options)
    holes = np.isnan(x)
    found = impute(
        vae, x, draws=args.draws or 1, samples=SAMPLES, rng=np.random.default_rng(args.seed)
    )
    unit = args.divide or (record.divide if record else 1)
    tables = found.x[None] if args.means else found.draws
    for path, table in zip(paths, tables, strict=True):
        filled = np.where(np.isnan(data.x), table * table.dtype.type(unit), data.x)
        if is_text(args.data):
            _fill_table(path, args.data, data, filled)
        else:
            _fill_array(path, args.data, data, filled)
        print(f"{path}: {len(x):,} rows")
    print(wrapped(f"{holes.sum():,} holes filled, {holes.mean():.1%} of all numbers"))
    return 0


def _fill_table(path, source, data, filled):
    """The source's columns in their order, of which data's are filled, and the others as read."""
    if path.suffix.lower() == ".npy":
        write_rows(path, filled, None)
        return
    table, rows = read_table(source)

    def whole():
        for (_, entries), row in zip(rows, filled, strict=True):
            for d, value in zip(data.numbers, row, strict=True):
                entries[d] = number_text(value)
            yield entries

    write_table(path, whole(), table.names)


def _fill_array(path, source, data, filled):
    """The source's array, of which data's columns are filled."""
    array = read_whole(source).astype(filled.dtype, order="C")
    array.reshape(len(array), -1)[:, data.numbers] = filled
    write_rows(path, array, None)
