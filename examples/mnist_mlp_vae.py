"""Train an MLP VAE on MNIST (or on digits drawn offline), judge it, and draw what it learned.

    python examples/mnist_mlp_vae.py                        MNIST, or drawn digits if offline
    python examples/mnist_mlp_vae.py --data glyphs --epochs 3
    python examples/mnist_mlp_vae.py --latent 2             draws the 2-D manifold as well

Pictures and the model go to the folder given by --out.
"""

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np

import npvae
from npvae import plots

SHAPE = (28, 28)
LIKELIHOODS = {
    "bernoulli": lambda args: npvae.Bernoulli(),
    "gaussian": lambda args: npvae.Gaussian(sigma=args.sigma),
    "heteroscedastic": lambda args: npvae.HeteroscedasticGaussian(min_sigma=args.sigma),
}
OPTIMIZERS = {"adam": npvae.Adam, "adagrad": npvae.Adagrad, "sgd": npvae.SGD}


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    data = ("auto", "mnist", "glyphs")
    add("--data", choices=data, default="auto", help="auto: MNIST, or glyphs if offline")
    add("--data-dir", type=Path, help="folder with MNIST's four IDX files, plain or gzipped")
    add("--train-size", type=count, default=60_000, help="training images, at most")
    add(
        "--binarize",
        choices=("none", "dynamic", "threshold"),
        default=argparse.SUPPRESS,
        help="targets: grey; binary, drawn anew at each visit; binary, split at one half "
        "(default: dynamic for a Bernoulli likelihood, none for the others)",
    )
    add("--hidden", type=count, nargs="+", default=[500], help="widths of the hidden layers")
    add("--latent", type=count, default=20, help="latent dimensions Z")
    add("--activation", choices=tuple(npvae.ACTIVATIONS), default="tanh", help="hidden layers'")
    add("--likelihood", choices=tuple(LIKELIHOODS), default="bernoulli", help="p(x|z)")
    add("--sigma", type=positive, default=0.1, help="the Gaussian's σ, or the other one's floor")
    add("--optimizer", choices=tuple(OPTIMIZERS), default="adam", help="the step rule")
    add("--learning-rate", type=positive, default=1e-3, help="the optimizer's step size")
    add("--epochs", type=count, default=10, help="passes over the training images")
    add("--batch-size", type=count, default=100, help="images a step, B")
    add("--samples", type=count, default=1, help="draws of z an image, L")
    add("--beta", type=weight, default=1.0, help="weight of the KL")
    add("--warmup", type=count, default=1, help="epochs over which beta rises to its value")
    add("--seed", type=seed, default=0, help="of everything random")
    add("--out", type=Path, default=Path("out"), help="folder for pictures and the model")
    args = parser.parse_args()
    if "binarize" not in args:
        args.binarize = "dynamic" if args.likelihood == "bernoulli" else "none"
    return args


def number(kind, low, low_allowed, name):
    """An argparse type: a finite number above low."""

    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not (low < value < np.inf or (low_allowed and value == low)):
            raise argparse.ArgumentTypeError(f"{text!r} is not {name}")
        return value

    return parse


count = number(int, 1, True, "an integer >= 1")
seed = number(int, 0, True, "an integer >= 0")
positive = number(float, 0, False, "a number > 0")
weight = number(float, 0, True, "a number >= 0")


def load(args, rng):
    """-> train, test, test labels, the data's name"""
    if args.data != "glyphs":
        try:
            mnist = npvae.datasets.load_mnist(args.data_dir)
            return mnist.train, mnist.test, mnist.test_labels, "MNIST"
        except OSError as error:
            if args.data == "mnist" or args.data_dir is not None:
                raise
            print(f"{error}\n\nGoing on with digits drawn from fonts (--data glyphs).\n")
    sizes = args.train_size, max(1, args.train_size // 6)  # as MNIST is split
    train, test = (npvae.datasets.glyph_digits(n, rng=rng) for n in sizes)
    return train.images, test.images, test.labels, "glyph digits"


def binarized(x, how, rng):
    """The targets to judge by, drawn once."""
    if how == "none":
        return x
    return (x > 0.5).astype(x.dtype) if how == "threshold" else npvae.binarize(x, rng=rng)


def draw(args, vae, epochs, test, labels, rng):
    """Every picture that fits the model, by file name."""
    few, many = test[:10], test[:5000]
    evaluation = npvae.evaluate(vae, many, rng=rng)
    figures = {
        "training_curves": plots.training_curves(epochs),
        "reconstructions": plots.reconstructions(vae, few, SHAPE),
        "prior_samples": plots.prior_samples(vae, 100, SHAPE, rng=rng),
        "traversals": plots.traversals(vae, many, SHAPE),
        "kl_per_dimension": plots.kl_per_dimension(evaluation),
    }
    if args.latent > 1:
        figures["latent_scatter"] = plots.latent_scatter(vae, many, labels[:5000])
    if args.latent == 2:
        figures["manifold"] = plots.manifold(vae, SHAPE)
    return figures


def main():
    args = parse_args()
    data_rng, init_rng, train_rng, test_rng, plot_rng = np.random.default_rng(args.seed).spawn(5)
    args.out.mkdir(parents=True, exist_ok=True)
    warnings.formatwarning = lambda message, *_, **__: f"note: {message}\n\n"

    train, test, labels, name = load(args, data_rng)
    train = train[: args.train_size]
    test = binarized(test, args.binarize, data_rng)
    if args.binarize == "threshold":
        train = binarized(train, "threshold", data_rng)

    vae = npvae.VAE.init(
        train.shape[1],
        hidden=args.hidden,
        latent_dim=args.latent,
        likelihood=LIKELIHOODS[args.likelihood](args),
        activation=args.activation,
        x_mean=train.mean(axis=0),
        rng=init_rng,
    )
    print(f"{name}: {len(train):,} training images, {len(test):,} test images")
    widths = "-".join(map(str, [vae.data_dim, *args.hidden, args.latent]))
    print(f"VAE {widths}, {args.activation}, {args.likelihood}; targets: {args.binarize}\n")

    epochs = []
    start = time.perf_counter()
    for epoch in npvae.train(
        vae,
        train,
        epochs=args.epochs,
        optimizer=OPTIMIZERS[args.optimizer](args.learning_rate),
        batch_size=args.batch_size,
        samples=args.samples,
        beta=lambda epoch: args.beta * min(1, epoch / args.warmup),
        binarize=args.binarize == "dynamic",
        rng=train_rng,
    ):
        print(epoch, flush=True)
        epochs.append(epoch)
    print(f"\ntrained in {time.perf_counter() - start:.0f} s")
    print(f"test {npvae.evaluate(vae, test, rng=test_rng)}")

    vae.save(args.out / "vae.npz")
    for title, figure in draw(args, vae, epochs, test, labels, plot_rng).items():
        figure.savefig(args.out / f"{title}.png")
    print(f"pictures and vae.npz are in {args.out}/")


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError, npvae.NonFiniteError) as error:
        sys.exit(f"error: {error}")
