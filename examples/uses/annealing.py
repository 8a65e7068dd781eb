"""How good is a model, if one does not believe its encoder? log p(x) by annealing.

    python examples/uses/annealing.py [--data-dir FOLDER] [--model FILE]

Trains a 784-200-200-50 VAE of MNIST, or takes yours, and judges it by the first test images: by the
bound, by importance sampling, and by annealing, which does not ask the encoder. Then it draws
images from the model, whose z are known exactly, and so has log p(x) from below and from above,
the closer together the more temperatures. The picture is out/annealing.png. A quarter of an hour.
"""

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

import npvae
from npvae.posterior import annealed_log_likelihood, annealed_upper_bound, simulate

TEMPERATURES = (10, 30, 100, 300, 1000)
BLUE, ORANGE = "#0072B2", "#D55E00"


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--data-dir", type=Path, help="folder with MNIST's four IDX files, plain or gzipped")
    add("--model", type=Path, help="a saved model of binary images, to be judged and not trained")
    add("--epochs", type=int, default=12, help="of training")
    add("--images", type=int, default=20, help="test images, and as many drawn from the model")
    add("--samples", type=int, default=5000, help="of importance sampling")
    add("--seed", type=int, default=0, help="of everything random")
    add("--out", type=Path, default=Path("out"), help="folder for the picture")
    return parser.parse_args()


def train(x, epochs, rng):
    vae = npvae.VAE.init(
        x.shape[1],
        hidden=(200, 200),
        latent_dim=50,
        likelihood=npvae.Bernoulli(),
        x_mean=x.mean(axis=0) / 255,
        rng=rng,
    )
    records = npvae.train(vae, x, epochs=epochs, optimizer=npvae.Adam(1e-3), binarize=True, rng=rng)
    *_, last = tqdm(records, total=epochs, desc="training", disable=None, leave=False)
    print(last)
    return vae


def judge(vae, x, samples, rng):
    """log p(x) of every row, by name of the estimate, without annealing."""
    noise = rng.standard_normal((100, len(x), vae.latent_dim), vae.dtype)
    return {
        "the bound": npvae.elbo(vae, x, noise).bound,
        f"{samples:,} importance samples": npvae.log_likelihood(
            vae, x, samples=samples, rng=rng
        ).log_px,
    }


def anneal(vae, x, z, rng):
    """-> {T: log p(x) from below}, and from above if z is known"""
    below, above = {}, {}
    for T in TEMPERATURES:
        options = {"temperatures": T, "rng": rng, "progress": sys.stderr.isatty()}
        below[T] = annealed_log_likelihood(vae, x, **options).log_px
        if z is not None:
            above[T] = annealed_upper_bound(vae, x, z, **options).log_px
    return below, above


def tell(title, estimates, below, above):
    print(f"\n{title}{'':{32 - len(title)}} log p(x)")
    for name, log_px in estimates.items():
        print(f"{name:32} {log_px.mean():8.2f}")
    for T, log_px in below.items():
        upper = f"   from above {above[T].mean():8.2f}" if above else ""
        print(f"{f'annealing, {T:,} temperatures':32} {log_px.mean():8.2f}{upper}", flush=True)


def draw(axes, title, estimates, below, above):
    for (name, log_px), style in zip(estimates.items(), ("--", ":"), strict=True):
        axes.axhline(log_px.mean(), color="0.3", linestyle=style, label=name)
    for side, found, colour in (("from below", below, BLUE), ("from above", above, ORANGE)):
        if found:
            means = [log_px.mean() for log_px in found.values()]
            axes.semilogx(list(found), means, "o-", color=colour, label=f"annealing {side}")
    axes.set(xlabel="temperatures", ylabel="log p(x), nats an image", title=title)
    axes.legend(frameon=False, fontsize=8)


def main():
    args = parse_args()
    warnings.simplefilter("ignore", npvae.UnreliableWarning)  # few temperatures are the subject
    data_rng, train_rng, rng = np.random.default_rng(args.seed).spawn(3)
    mnist = npvae.datasets.load_mnist(args.data_dir, dtype=np.uint8)
    vae = npvae.VAE.load(args.model) if args.model else train(mnist.train, args.epochs, train_rng)
    test = npvae.binarize(mnist.test[: args.images], rng=data_rng)
    z, drawn = simulate(vae, args.images, rng=data_rng)
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    titles = f"{args.images} test images", f"{args.images} images drawn from the model"
    for axes, title, x, known in zip(
        figure.subplots(1, 2), titles, (test, drawn), (None, z), strict=True
    ):
        result = judge(vae, x, args.samples, rng), *anneal(vae, x, known, rng)
        tell(title, *result)
        draw(axes, title, *result)
    args.out.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.out / "annealing.png", dpi=130)
    print(f"\n{args.out / 'annealing.png'}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
    except (OSError, ValueError, npvae.NonFiniteError) as error:
        sys.exit(f"error: {error}")
