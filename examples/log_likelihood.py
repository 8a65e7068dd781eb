"""Burda et al.'s experiment: how large is log p(x) of MNIST, and does a tighter bound raise it?

    python examples/log_likelihood.py                       the closed-form bound, one draw
    python examples/log_likelihood.py --samples 5           the importance-weighted one, K = 5
    python examples/log_likelihood.py --stages 8            the whole schedule: a day
    python examples/log_likelihood.py --epochs 300          a schedule that needs fewer epochs
    python examples/log_likelihood.py --epochs 300 --tighten 10     and ten of a tighter bound
    python examples/log_likelihood.py --judge out/samples-1-stage-5.npz --test-images 10000

784-200-200-50, tanh, binary targets drawn at each visit, batches of 20, Adam with ε = 1e-4 and
the learning rate 10^(−3 − i/7) for 3^i epochs, i = 0, 1, … After each stage it prints the test
NLL by 5000 draws an image, and saves the model. Burda, Grosse & Salakhutdinov 2015, table 1:
86.76 after eight stages with one draw, 85.54 with K = 5.

With --epochs there are no stages: batches of 100, Adam's own ε, a rate that rises to 4e-3 in 200
steps and falls in a line to 0, and a weight of the KL that rises over the first tenth of the
epochs (of the closed form; the other bound has none). With --tighten as well, so many epochs follow
of the importance-weighted bound with K = 5, which cost five times as much each, at a rate from 1e-3
down: they widen q(z|x) where the closed form left it too narrow.
"""

import argparse
import math
import sys
import warnings
from pathlib import Path

import numpy as np
from tqdm import tqdm

import npvae

BATCH_SIZE = 100  # where there are no stages


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--data-dir", type=Path, help="folder with MNIST's four IDX files, plain or gzipped")
    add("--samples", type=int, default=1, help="K; 1 raises the bound with its KL in closed form")
    add("--stages", type=int, default=6, choices=range(1, 9), help="of the schedule's eight")
    add("--epochs", type=int, help="in one go, in place of stages")
    add("--tighten", type=int, help="epochs after those, of the bound with K = 5")
    add("--test-images", type=int, default=1000, help="the first so many, for the NLL")
    add("--draws", type=int, default=5000, help="of z for each, for the NLL")
    add("--judge", type=Path, help="a saved model, to be judged and not trained")
    add("--seed", type=int, default=0, help="of everything random")
    add("--out", type=Path, default=Path("out"), help="folder for the model")
    args = parser.parse_args()
    for name in ("test_images", "draws", "epochs", "tighten"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            option = name.replace("_", "-")
            parser.error(f"--{option} is {getattr(args, name)}; expected a number >= 1")
    if args.tighten and not args.epochs:
        parser.error("--tighten is of no use without --epochs")
    return args


def build(x, rng):
    return npvae.VAE.init(
        x.shape[1],
        hidden=(200, 200),
        latent_dim=50,
        likelihood=npvae.Bernoulli(),
        activation="tanh",
        x_mean=x.mean(axis=0) / 255,
        rng=rng,
    )


def objective(args, beta=1.0):
    """The importance-weighted bound has no KL for beta to weigh."""
    return npvae.ClosedForm(beta) if args.samples == 1 else npvae.ImportanceWeighted(args.samples)


def stages(args, vae, x, rng):
    """Yield a stage's name, how many epochs it has, and their records as it is trained."""
    if args.epochs is None:
        optimizer = npvae.Adam(1e-3, epsilon=1e-4)
        for stage in range(args.stages):
            optimizer.learning_rate = 10 ** (-3 - stage / 7)
            yield stage, 3**stage, train_stage(args, vae, x, optimizer, 3**stage, rng)
        return
    rise = npvae.schedules.WarmUp(1.0, math.ceil(args.epochs / 10 * len(x) / BATCH_SIZE))

    def bound(step):
        return objective(args, rise(step))

    yield "only", args.epochs, train_in_one_go(vae, x, args.epochs, bound, 4e-3, rng)
    if args.tighten:
        tighter = npvae.ImportanceWeighted(5, "dreg")
        yield "tight", args.tighten, train_in_one_go(vae, x, args.tighten, tighter, 1e-3, rng)


def train_stage(args, vae, x, optimizer, epochs, rng):
    """Records of epochs at a constant rate."""
    return npvae.train(
        vae,
        x,
        epochs=epochs,
        optimizer=optimizer,
        batch_size=20,
        objective=objective(args),
        binarize=True,
        rng=rng,
    )


def train_in_one_go(vae, x, epochs, objective, peak, rng):
    """Records of epochs at a rate that falls from its peak to 0."""
    steps = epochs * math.ceil(len(x) / BATCH_SIZE)
    return npvae.train(
        vae,
        x,
        epochs=epochs,
        optimizer=npvae.Adam(),
        batch_size=BATCH_SIZE,
        objective=objective,
        learning_rate=npvae.schedules.Linear(peak, steps, warm_up=min(200, steps - 1)),
        binarize=True,
        rng=rng,
    )


def nll(vae, test, draws, rng):
    """A line on the test images."""
    progress = sys.stderr.isatty()
    result = npvae.log_likelihood(vae, test, samples=draws, rng=rng, progress=progress)
    spread = result.log_px.std() / np.sqrt(len(test))
    effective = np.median(result.effective_samples)
    return f"{-result.log_px.mean():8.2f} ± {spread:.2f}   {effective:.0f} of {draws}"


def main():
    args = parse_args()
    warnings.formatwarning = lambda message, *_, **__: f"note: {message}\n"
    data_rng, init_rng, train_rng, test_rng = np.random.default_rng(args.seed).spawn(4)
    mnist = npvae.datasets.load_mnist(args.data_dir, dtype=np.uint8)
    test = npvae.binarize(mnist.test[: args.test_images], rng=data_rng)
    if args.judge:
        judged = nll(npvae.VAE.load(args.judge), test, args.draws, test_rng)
        print(f"NLL of {len(test):,} test images, nats an image; effective draws\n{judged}")
        return
    args.out.mkdir(parents=True, exist_ok=True)
    vae = build(mnist.train, init_rng)
    print("stage  epochs  minutes  train bound  active  test NLL, nats  effective draws")
    epochs, seconds = 0, 0.0
    for stage, more, records in stages(args, vae, mnist.train, train_rng):
        for epoch in tqdm(records, total=more, desc=f"stage {stage}", disable=None, leave=False):
            seconds += epoch.seconds
        epochs += more
        vae.save(args.out / f"samples-{args.samples}-stage-{stage}.npz")
        record = f"{stage:>5}  {epochs:6d}  {seconds / 60:7.1f}  {epoch.bound:11.2f}"
        judged = nll(vae, test, args.draws, test_rng)
        print(f"{record}  {epoch.active_units:6d}  {judged}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
    except (OSError, ValueError, MemoryError, npvae.NonFiniteError) as error:
        sys.exit(f"error: {error}")
