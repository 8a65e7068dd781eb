"""python -m npvae sample MODEL: rows that a model makes, as numbers or a sheet of pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..reading.data import picture_shape
from ..storage import archive
from .record import load_model
from .running import add_model, add_seed, count, new_parser, run
from .writing import ENDINGS, add_force, check_ending, check_out, write_rows

DESCRIPTION = """\
Write rows that a model makes: .csv or .npy, in the data's own units; or .png, a
sheet of pictures, which are means."""


def main(arguments):
    """Run the command.  -> exit status"""
    parser = new_parser("sample", DESCRIPTION)
    add_model(parser)
    add = parser.add_argument
    add("--out", metavar="FILE", type=Path, required=True, help="a .csv, .npy or .png")
    add_force(parser)
    add("--n", metavar="N", type=count, default=100, help="rows (default: 100)")
    add("--means", action="store_true", help="E[x|z], instead of draws of x itself")
    about = "a picture's sides, then 3 if in colour (default: as it was trained, or a square)"
    add("--shape", metavar="N", type=count, nargs="+", help=about)
    add_seed(parser)
    return run(parser, _sample, arguments)


def _sample(args):
    ending = check_ending(args.out, (*ENDINGS, ".png"))
    if args.shape and ending != ".png":
        raise ValueError(f"--shape is for a .png; --out is {args.out}")
    check_out(args.out, args.force, args.model)
    vae, record = load_model(args.model)
    rng = np.random.default_rng(args.seed)
    if ending == ".png":
        _draw(args, vae, record, rng)
    else:
        x = vae.sample(args.n, rng=rng, draw=not args.means) * (record.divide if record else 1)
        write_rows(args.out, x, record and record.names)
    print(f"{args.out}: {args.n:,} {'pictures' if ending == '.png' else 'rows'}")
    return 0


def _draw(args, vae, record, rng):
    from ..plots import prior_samples

    shape = picture_shape(args.shape or (record and record.shape), vae.data_dim)
    if shape is None:
        raise ValueError(
            f"{args.model} makes rows of {vae.data_dim} numbers, no square; expected --shape, or "
            "a .csv"
        )
    with archive.whole(args.out) as file:
        prior_samples(vae, args.n, shape, rng=rng).savefig(file, format="png")
