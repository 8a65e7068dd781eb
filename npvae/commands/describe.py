"""python -m npvae describe DATA: what data are, and what to begin with."""

from __future__ import annotations

import shlex

from ..description.report import describe_rows
from ..reading.data import read_data
from .running import add_data, new_parser, run

DESCRIPTION = """\
Look at data before a model learns from them: what the columns hold, what to
mend first, and the likelihood to begin with."""


def main(arguments):
    """Run the command.  -> exit status"""
    parser = new_parser("describe", DESCRIPTION)
    add_data(parser)
    return run(parser, _describe, arguments)


def _describe(args):
    data = read_data(args.data, drop=args.drop, label=args.label)
    description = describe_rows(data.x, data.titles)
    print(description)
    drop = [*args.drop, *(_named(data, d) for f in description.faults for d in f.drop)]
    if len({*drop}) >= len(args.drop) + len(data.numbers):
        return 0  # no column would be left
    line = ["python -m npvae train", shlex.quote(str(args.data))]
    line += ["--drop", *map(shlex.quote, drop)] if drop else []
    line += ["--label", shlex.quote(args.label)] if args.label else []
    print(f"\nFrom the shell:\n\n    {' '.join(line)}")
    return 0


def _named(data, d):
    """A column as --drop takes it: its number if it has no name, or one like an option."""
    if data.names is None or data.names[d].startswith("-"):
        return str(data.numbers[d])
    return data.names[d]
