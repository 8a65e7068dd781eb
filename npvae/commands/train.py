"""python -m npvae train DATA: a model of the rows in a file, and what it takes to check it."""

from __future__ import annotations

import math
import shlex
import sys
from pathlib import Path

import numpy as np

from .._signals import terminable
from ..description.report import describe_rows
from ..objectives import ClosedForm
from ..optimizers import Adam
from ..reading.data import read_data
from ..reading.rows import divided
from ..storage import archive
from ..training import NonFiniteError, Patience, train
from ..vae import VAE
from .choices import LIKELIHOODS, batch_for, choose, epochs_for, widths_for
from .record import BOUND_OF_DATA, Record
from .running import (
    add_data,
    add_seed,
    count,
    is_watched,
    natural,
    new_parser,
    positive,
    run,
    tell,
    weight,
    wrapped,
)
from .writing import add_force, check_out

DESCRIPTION = """\
Train a model of the rows in a file, and write it to model.npz.

    python -m npvae train wine.csv --label kind
    python -m npvae train faces.npy --latent 10 --out faces.npz
    python -m npvae train pictures/ --epochs 50

What is not chosen is chosen by the data, as `describe` tells. A tenth of the
rows is held out; training stops when it gets no better there, and the best
epoch is kept. Ctrl-C stops it too, and SIGTERM; what was learned is kept."""
HELD_OUT = 10  # one of so many rows
FEWEST, MOST = 50, 5000  # rows, of which some are held out; rows that are
EXPLODED = 1  # status


def main(arguments):
    """Run the command.  -> exit status"""
    parser = new_parser("train", DESCRIPTION)
    add_data(parser)
    add = parser.add_argument
    out = Path("model.npz")
    add("--out", metavar="FILE", type=Path, default=out, help="(default: model.npz)")
    add_force(parser)
    add("--likelihood", metavar="NAME", choices=LIKELIHOODS, help=", ".join(LIKELIHOODS))
    about = "by which numbers are divided first (default: 255 for grey levels of 8 bits, …)"
    add("--divide", metavar="X", type=positive, help=about)
    about = "at most (default: 50, or as many as have 10,000 steps)"
    add("--epochs", metavar="N", type=count, help=about)
    about = "widths of hidden layers (default: 500, or 100 where there are few columns)"
    add("--hidden", metavar="N", type=count, nargs="*", help=about)
    about = "latent dimensions (default: a third of the columns, 20 at most)"
    add("--latent", metavar="N", type=count, help=about)
    about = "rows a step (default: 100, or fewer of few rows)"
    add("--batch-size", metavar="N", type=count, help=about)
    add("--lr", metavar="X", type=positive, default=1e-3, help="learning rate (default: 0.001)")
    add("--beta", metavar="X", type=weight, default=1.0, help="weight of the KL (default: 1)")
    about = "rows held out, 0 for none (default: a tenth)"
    add("--validation", metavar="N", type=natural, help=about)
    add_seed(parser)
    command = shlex.join(["python", "-m", "npvae", "train", *arguments])
    return run(parser, lambda args: _train(args, command), arguments)


def _train(args, command):
    check_out(args.out, args.force, args.data)
    data = read_data(args.data, drop=args.drop, label=args.label)
    about = describe_rows(data.x, data.titles)
    choice = choose(data.x, about, args.likelihood, args.divide)
    x = divided(data.x, choice.divide)
    init_rng, split_rng, train_rng = np.random.default_rng(args.seed).spawn(3)
    learned, held_out = _split(x, args.validation, split_rng)
    for fault in about.faults:
        tell(wrapped(f"note: {fault.text}"), sys.stderr)

    vae = _model(args, x, about, choice, init_rng)
    archive.check_place(args.out, size=sum(row.nbytes for row in vae.params.rows))
    record = Record(
        command=command,
        rows=len(x),
        names=data.names,
        drop=args.drop,
        label=args.label,
        shape=data.shape and list(data.shape),
        divide=choice.divide,
        binarize=choice.binarize,
        seed=args.seed,
        checks={},
    )
    record.check_fits(vae)
    with terminable():
        epochs, status = _fit(args, vae, learned, held_out, choice, train_rng)
        if not epochs and status == EXPLODED:
            tell("nothing was learned, and nothing is written", sys.stderr)
            return status
        record.save(args.out, vae)  # first of all
    record = record.checked(vae, x)
    record.save(args.out, vae)
    bound = record.checks.get(BOUND_OF_DATA)
    tell(
        f"{args.out}" + (f": elbo {bound[0]:.2f} nats a row, over all {len(x):,}" if bound else "")
    )
    return status


def _split(x, held_out, rng):
    """-> the rows to learn from, those held out or None"""
    N = len(x)
    if held_out is None:
        held_out = min(N // HELD_OUT, MOST) if N >= FEWEST else 0
    if held_out >= N:
        raise ValueError(f"--validation is {held_out}; there are {N} rows")
    if held_out == 0:
        return x, None
    order = rng.permutation(N)
    return x[order[held_out:]], x[order[:held_out]]


def _model(args, x, about, choice, rng):
    hidden, latent = widths_for(x.shape[1])
    return VAE.init(
        x.shape[1],
        hidden=hidden if args.hidden is None else args.hidden,
        latent_dim=args.latent or latent,
        likelihood=choice.likelihood,
        x_mean=about.columns.mean / choice.divide,
        rng=rng,
    )


def _fit(args, vae, x, x_val, choice, rng):
    """Train and print each epoch.  -> the epochs that ended; the command's status"""
    batch_size = args.batch_size or batch_for(len(x))
    most, patience = epochs_for(math.ceil(len(x) / batch_size))
    most = args.epochs or most
    run = train(
        vae,
        x,
        epochs=most,
        batch_size=batch_size,
        optimizer=Adam(args.lr),
        objective=ClosedForm(args.beta),
        binarize=choice.binarize,
        x_val=x_val,
        stop_when=None if x_val is None else Patience(patience),
        keep_best=x_val is not None,
        progress=is_watched(),
        rng=rng,
    )
    rest = "" if x_val is None else f"; {len(x_val):,} held out"
    tell(f"{args.data}: {len(x):,} rows to learn from{rest}")
    tell(wrapped(f"{vae!r}"))
    epochs, status = [], 0
    try:
        for epoch in run:
            epochs.append(epoch)
            tell(f"{epoch}")
    except (KeyboardInterrupt, SystemExit) as end:  # Ctrl-C, SIGTERM
        tell(f"stopped in epoch {len(epochs) + 1}; keeping what was learned")
        status = getattr(end, "code", 0)
    except (NonFiniteError, FloatingPointError) as error:
        tell(wrapped(f"stopped in epoch {len(epochs) + 1}: {error}"), sys.stderr)
        return epochs, EXPLODED
    if x_val is not None and epochs:
        best = max(epochs, key=lambda epoch: epoch.validation.elbo)
        tell(f"kept epoch {best.epoch} of {len(epochs)}, the best on the rows held out")
    return epochs, status
