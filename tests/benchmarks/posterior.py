"""Annealing of a 784-200-200-50 model, by npvae and by PyTorch's autograd.

    python tests/benchmarks/posterior.py [--data-dir FOLDER] [--model FILE]

Both take the same temperatures, chains, leaps and step sizes, and make the same HMC steps: PyTorch
differentiates its decoder, npvae walks back by hand. Each runs in a process of its own, the
processes take turns, and ratios are taken within each round: 2 is npvae twice as fast. Each tells
its mean log p(x), so that speed is not bought. At the end it says how long 100 images with 16
chains and 1,000 temperatures take. PyTorch is missing without harm.
"""

import contextlib
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
from harness import (
    StoppedError,
    Worker,
    cpus,
    integer,
    machine,
    parser,
    print_machine,
    print_table,
    turns,
    write_json,
)

import npvae
from npvae.posterior.annealing import annealing_schedule, rehearse
from npvae.posterior.joint import decoder_likelihood

LIBRARIES = "npvae", "torch"
FULL = 100 * 16 * 1000  # images, chains, temperatures


def write_task(args, folder):
    """The model, binary images, temperatures and rehearsed steps, as one file."""
    rng = np.random.default_rng(args.seed)
    data = npvae.datasets.load_mnist(args.data_dir, dtype=np.uint8)
    if args.model:
        vae = npvae.VAE.load(args.model)
    else:
        vae = npvae.VAE.init(
            784,
            hidden=(200, 200),
            latent_dim=50,
            likelihood=npvae.Bernoulli(),
            x_mean=data.train.mean(axis=0) / 255,
            rng=rng,
        )
        for _ in npvae.train(
            vae, data.train, epochs=1, optimizer=npvae.Adam(1e-3), binarize=True, rng=rng
        ):
            pass
    vae.save(folder / "model.npz")
    x, t = npvae.binarize(data.test[: args.images], rng=rng), annealing_schedule(args.temperatures)
    z = rng.standard_normal((args.chains, len(x), vae.latent_dim), np.float32)
    steps = rehearse(decoder_likelihood(vae, x), z, t, args.leaps, rng=rng)
    decoder = {name: a for name, a in vae.params.arrays().items() if name.startswith("decoder")}
    np.savez(
        folder / "task.npz",
        model=str(folder / "model.npz"),
        x=x,
        steps=steps,
        temperatures=t,
        chains=args.chains,
        leaps=args.leaps,
        depth=len(vae.params.decoder),
        **decoder,
    )


def measure(args, folder):
    """-> {library: {"seconds": […], "log_px": […]}}, {library: why it is missing}"""
    measured, missing, workers = {}, {}, {}
    with contextlib.ExitStack() as stack:
        for name in LIBRARIES:
            worker = Worker("annealing", name, folder / "task.npz", threads=args.threads)
            stack.callback(worker.stop)
            try:
                worker.listen()
                workers[name], measured[name] = worker, {"seconds": [], "log_px": []}
            except StoppedError as error:
                if name == "npvae":
                    raise
                missing[name] = str(error)
        for _, name in turns(workers, args.rounds):
            for key, value in workers[name].ask().items():
                measured[name][key].append(value)
    return measured, missing


def show(args, measured):
    rows, ours = [], measured["npvae"]["seconds"]
    for name, found in measured.items():
        seconds = found["seconds"]
        found["median"] = statistics.median(seconds)
        found["ratio"] = statistics.median(b / a for a, b in zip(ours, seconds, strict=True))
        spread = f"{min(seconds):.2f}–{max(seconds):.2f}"
        log_px = statistics.mean(found["log_px"])
        row = [name, f"{found['median']:.2f}", spread, f"{found['ratio']:.2f}", f"{log_px:.2f}"]
        rows.append(row)
    print_table(("", "seconds", "spread", "ratio", "log p(x)"), rows, (10, 10, 14, 8, 11))
    share = args.images * args.chains * args.temperatures / FULL
    minutes = measured["npvae"]["median"] / share / 60
    print(
        "\nso 100 images, 16 chains and 1,000 temperatures take npvae "
        f"{1.1 * minutes:.1f} minutes, its rehearsal included"
    )


def main():
    args = parse_args()
    facts = machine()
    print_machine(facts)
    print(
        f"{args.images} images, {args.chains} chains, {args.temperatures} temperatures, "
        f"{args.leaps} leaps, {args.threads} threads, medians of {args.rounds}"
    )
    with tempfile.TemporaryDirectory() as name:
        write_task(args, Path(name))
        measured, missing = measure(args, Path(name))
    show(args, measured)
    for name, reason in missing.items():
        print(f"{name} is missing: {reason}")
    write_json(args.json, {"machine": facts, "measured": measured, "missing": missing})
    print(f"every number is in {args.json}")


def parse_args():
    options = parser(__doc__, "posterior.json")
    add = options.add_argument
    add("--data-dir", type=Path, help="folder with MNIST's four IDX files, plain or gzipped")
    add("--model", type=Path, help="a saved 784-…-50 Bernoulli model; else one epoch is trained")
    add("--images", type=integer(1), default=100, help="N")
    add("--chains", type=integer(1), default=16, help="C")
    add("--temperatures", type=integer(2), default=20, help="T")
    add("--leaps", type=integer(1), default=10, help="of each HMC step")
    add("--threads", type=integer(1, len(cpus())), default=len(cpus()), help="of each library")
    add("--seed", type=int, default=0, help="of everything random")
    return options.parse_args()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
    except (OSError, ValueError, StoppedError) as error:
        sys.exit(f"error: {error}")
