"""python -m npvae explore MODEL: one HTML file about a saved model."""

from pathlib import Path

import numpy as np

from ..commands.record import load_model, rows_of
from ..commands.running import add_divide, add_model, new_parser, run
from ..reading.arrays import read_names
from .page import PRECISIONS, check_arguments, check_path, explore

DESCRIPTION = """\
Write one HTML file in which to try a saved model: it opens from the disk, in
any browser, and loads nothing from anywhere."""
SAMPLES = 1000  # of the model itself, where no data are given


def main(arguments):
    """Run the command.  -> exit status"""
    parser = new_parser("explore", DESCRIPTION)
    add_model(parser)
    add = parser.add_argument
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
    add_divide(parser)
    add(
        "--shape",
        metavar="N",
        type=int,
        nargs="+",
        help="an image's sides, then 3 if in colour; D alone for a table (default: the data's)",
    )
    add("--names", metavar="FILE", type=Path, help="a text with a column's name a line")
    add("--precision", type=int, choices=PRECISIONS, default=8, help="bits a weight (default: 8)")
    add("--out", metavar="FILE", type=Path, help="(default: MODEL with .html)")
    return run(parser, _explore, arguments)


def _explore(args):
    out = args.out or Path(str(args.model).removesuffix(".npz") + ".html")
    change = _write(args, out)
    print(f"{out}, {out.stat().st_size / 1e6:.2f} MB: open it in a browser.")
    print(f"{args.precision} bits a weight change the bound of a row by up to {change:.2g} nats.")
    return 0


def _write(args, out):
    """Read, and write the page.  -> what `explore` returns, and raises"""
    check_path(out)
    if args.data is None and (args.drop or args.label or args.divide):
        raise ValueError("--drop, --label and --divide say how --data is read; there is none")
    vae, record = load_model(args.model)
    names = read_names(args.names) if args.names else None
    check_arguments(vae, args.shape, names, args.precision)
    shape, source = args.shape, "draws of x from the model itself"
    if args.data:
        options = {"drop": args.drop, "label": args.label, "divide": args.divide}
        x, own = rows_of(vae, record, args.data, **options)
        source = args.data.name
    else:
        x, own = vae.sample(SAMPLES, rng=np.random.default_rng(0), draw=True), record
    if shape is None and names is None and own is not None:
        shape, names = own.shape, None if own.shape else own.names
    options = {"shape": shape, "names": names, "precision": args.precision}
    return explore(vae, x, out, source=source, **options)
