"""python -m npvae evaluate MODEL DATA: what a model is worth on these rows."""

from __future__ import annotations

import numpy as np

from ..evaluation import evaluate
from ..importance import log_likelihood
from .record import binary_if_asked, load_model, rows_of
from .running import (
    add_data,
    add_divide,
    add_model,
    add_seed,
    is_watched,
    natural,
    new_parser,
    run,
    wrapped,
)

DESCRIPTION = """\
Say what a model is worth on these rows, in nats a row: the bound and its parts,
the latent units that it uses, and log p(x) by draws of z."""
LABELS = 20  # more are no labels


def main(arguments):
    """Run the command.  -> exit status"""
    parser = new_parser("evaluate", DESCRIPTION)
    add_model(parser)
    add_data(parser)
    add_divide(parser)
    about = "draws of z for log p(x), 0 for none (default: 500)"
    parser.add_argument("--draws", metavar="K", type=natural, default=500, help=about)
    add_seed(parser)
    return run(parser, _evaluate, arguments)


def _evaluate(args):
    vae, record = load_model(args.model)
    options = {"drop": args.drop, "label": args.label, "divide": args.divide}
    x, data = rows_of(vae, record, args.data, **options)
    x = binary_if_asked(record, x, args.seed)
    bound_rng, draws_rng = np.random.default_rng(args.seed).spawn(2)
    print(f"{len(x):,} rows of {args.data}")
    print(wrapped(str(evaluate(vae, x, rng=bound_rng))))
    if data.labels is not None:
        _tell_labels(vae, x, data.labels, args.seed)
    if args.draws:
        draws = {"samples": args.draws, "progress": is_watched()}
        print(log_likelihood(vae, x, **draws, rng=draws_rng))
    return 0


def _tell_labels(vae, x, labels, seed):
    names = np.unique(labels)
    if not 1 < len(names) <= LABELS:
        return
    width = max(map(len, names))
    for name in names:
        own = x[labels == name]
        said = evaluate(vae, own, rng=np.random.default_rng(seed))
        error = f"elbo {said.elbo:9.2f} ± {said.standard_error:.2f}"
        print(f"  label {name:{width}}  {error:24}  {len(own):,} rows")
