"""python -m npvae diagnose MODEL DATA: what is likely wrong with a model."""

from __future__ import annotations

from pathlib import Path

from ..diagnosis import diagnose
from .record import binary_if_asked, load_model, rows_of
from .running import add_data, add_divide, add_model, add_seed, new_parser, run

DESCRIPTION = """\
Say what is likely wrong with a model, and what to try. With the rows that it
learned from as DATA, and others as --validation, it finds overfitting too."""


def main(arguments):
    """Run the command.  -> exit status"""
    parser = new_parser("diagnose", DESCRIPTION)
    add_model(parser)
    add_data(parser)
    about = "other rows, which it has not learned from"
    parser.add_argument("--validation", metavar="DATA", type=Path, help=about)
    add_divide(parser)
    add_seed(parser)
    return run(parser, _diagnose, arguments)


def _diagnose(args):
    vae, record = load_model(args.model)
    options = {"drop": args.drop, "label": args.label, "divide": args.divide}

    def rows(path):
        return binary_if_asked(record, rows_of(vae, record, path, **options)[0], args.seed)

    print(diagnose(vae, rows(args.data), rows(args.validation) if args.validation else None))
    return 0
