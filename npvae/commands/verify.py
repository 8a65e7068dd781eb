"""python -m npvae verify MODEL: whether a model says what it said when it was trained."""

from __future__ import annotations

import numpy as np

from .record import DRAWS, ROWS, checks_of, load_model, rows_of
from .running import add_data, add_model, new_parser, run

DESCRIPTION = f"""\
Compute again what train wrote beside a model, and say whether it holds: the
parameters' checksum, and log p(x) of {ROWS} draws from the model; and with DATA,
the checksum of the data, their bound, and log p(x) of their first {ROWS} rows, by
{DRAWS} draws of z. Status 1 if something does not hold."""
AWAY = 1e-4  # of a number, or of a nat: other processors round otherwise
FAILED = 1  # status


def main(arguments):
    """Run the command.  -> exit status"""
    parser = new_parser("verify", DESCRIPTION)
    add_model(parser)
    add_data(parser, optional=True)
    return run(parser, _verify, arguments)


def _verify(args):
    vae, record = load_model(args.model)
    if record is None or not record.checks:
        raise ValueError(f"{args.model} holds no numbers to compare; train writes them")
    x = None
    if args.data:
        options = {"drop": args.drop, "label": args.label, "divide": None}
        x, _ = rows_of(vae, record, args.data, **options)
    found = checks_of(vae, record.seed, x, record.binarize)
    print(f"{args.model}, by {record.command}")
    for name, kept in record.checks.items():
        if name not in found:
            print(f"  not checked  {name}: it needs DATA")
        else:
            verdict = "holds" if _holds(kept, found[name]) else "FAILS"
            print(f"  {verdict:11}  {name}: {_told(kept, found[name])}")
    held = [_holds(record.checks.get(name), now) for name, now in found.items()]
    return 0 if all(held) else FAILED


def _holds(kept, now):
    """Whether two checksums, or two lists of numbers, agree."""
    if isinstance(now, str) or not isinstance(kept, list) or len(kept) != len(now):
        return kept == now
    kept, now = np.array(kept, np.float64), np.array(now)
    return bool((np.abs(kept - now) <= AWAY * np.maximum(1, np.abs(kept))).all())


def _told(kept, now):
    if isinstance(now, str):
        return f"SHA-256 {str(kept)[:12]}…" + ("" if kept == now else f", now {now[:12]}…")
    if len(now) == 1:
        return f"{kept[0]:.4f}, now {now[0]:.4f}"
    return f"mean {np.mean(kept):.4f}, now {np.mean(now):.4f}"
