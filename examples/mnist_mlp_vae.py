"""Train an MLP VAE on MNIST, or on digits drawn offline; judge it; draw what it learned.

    python examples/mnist_mlp_vae.py                        MNIST, or drawn digits if offline
    python examples/mnist_mlp_vae.py --data glyphs --epochs 3
    python examples/mnist_mlp_vae.py --latent 2             draws the 2-D manifold as well

Pictures, vae.npz and metrics.json go to the folder given by --out. Ctrl-C stops the training
and keeps what was learned.
"""

import argparse
import json
import sys
import tempfile
import threading
import warnings
from pathlib import Path

import numpy as np
from tqdm import tqdm

import npvae
from npvae import plots

LIKELIHOODS = {
    "bernoulli": lambda args: npvae.Bernoulli(),
    "continuous-bernoulli": lambda args: npvae.ContinuousBernoulli(),
    "gaussian": lambda args: npvae.Gaussian(args.sigma),
    "learned-gaussian": lambda args: npvae.LearnedGaussian(args.sigma),
    "heteroscedastic": lambda args: npvae.HeteroscedasticGaussian(args.sigma),
    "categorical": lambda args: npvae.Categorical(args.levels),
}
OBJECTIVES = {
    "closed-form": lambda args, beta: npvae.ClosedForm(beta, args.samples),
    "sampled": lambda args, beta: npvae.Sampled(beta, args.samples),
    "importance-weighted": lambda args, beta: npvae.ImportanceWeighted(args.samples, beta=beta),
    "free-bits": lambda args, beta: npvae.FreeBits(args.free_bits, args.samples),
}
OPTIMIZERS = {"adam": npvae.Adam, "adagrad": npvae.Adagrad, "sgd": npvae.SGD}
BAR = "{n_fmt}/{total_fmt} |{bar:8}| {remaining} left{postfix}"


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    data = ("auto", "mnist", "glyphs")
    add("--data", choices=data, default="auto", help="auto: MNIST, or glyphs if offline")
    add("--data-dir", type=Path, help="folder with MNIST's four IDX files, plain or gzipped")
    add("--epochs", type=int, default=10, help="passes over the training images")
    add("--batch-size", type=int, default=100, help="images a step, B")
    add("--hidden", type=int, nargs="+", default=[500], help="widths of the hidden layers")
    add("--latent", type=int, default=20, help="latent dimensions, Z")
    add("--activation", choices=tuple(npvae.ACTIVATIONS), default="tanh", help="hidden layers'")
    add("--likelihood", choices=tuple(LIKELIHOODS), default="bernoulli", help="p(x|z)")
    add("--sigma", type=float, default=0.1, help="a Gaussian's σ, first or least σ")
    add("--levels", type=int, default=256, help="grey levels of a categorical pixel")
    add("--binarize", choices=("dynamic", "none"), help="draw binary targets at each visit")
    add("--objective", choices=tuple(OBJECTIVES), default="closed-form", help="what to raise")
    add("--samples", type=int, default=1, help="draws of z an image, L or K")
    add("--beta", type=float, default=1.0, help="weight of the KL")
    add("--warm-up", type=int, default=0, help="epochs over which beta rises to its value")
    add("--free-bits", type=float, help="nats a dimension, with that objective (default: 0.1)")
    add("--optimizer", choices=tuple(OPTIMIZERS), default="adam", help="the step rule")
    add("--lr", type=float, default=1e-3, help="learning rate")
    add("--weight-decay", type=float, default=0.0, help="a Gaussian prior on the weights")
    add("--seed", type=int, default=0, help="of everything random")
    add("--out", type=Path, default=Path("out"), help="folder for pictures, model and metrics")
    args = parser.parse_args()
    if args.data == "glyphs" and args.data_dir:
        parser.error("--data-dir is for MNIST; --data glyphs reads no files")
    if args.objective not in ("closed-form", "sampled") and (args.beta != 1 or args.warm_up):
        parser.error(f"--objective {args.objective} has no KL for --beta or --warm-up to weigh")
    if args.free_bits is None:
        args.free_bits = 0.1
    elif args.objective != "free-bits":
        parser.error("--free-bits is for --objective free-bits")
    if args.warm_up < 0:
        parser.error(f"--warm-up is {args.warm_up}; expected a number of epochs")
    args.binarize = args.binarize or ("dynamic" if args.likelihood == "bernoulli" else "none")
    return args


def load(args, rng):
    """-> train, test, test labels, the data's name; test is binary if training is"""
    train, test, labels, name = load_grey(args, rng)
    if train.shape[1] != 784:
        raise ValueError(f"images have D = {train.shape[1]} pixels; expected 28 × 28 = 784")
    if args.binarize == "dynamic":
        test = npvae.binarize(test, rng=rng)
    elif args.likelihood == "categorical":
        train, test = (np.rint(x * (args.levels - 1)) / (args.levels - 1) for x in (train, test))
    return train, test, labels, name


def load_grey(args, rng):
    if args.data != "glyphs":
        try:
            mnist = npvae.datasets.load_mnist(args.data_dir)
            return mnist.train, mnist.test, mnist.test_labels, "MNIST"
        except ConnectionError as error:
            if args.data == "mnist":
                raise
            print(f"{error}\n\nGoing on with digits drawn from fonts (--data glyphs).\n")
    train, test = (npvae.datasets.glyph_digits(n, rng=rng) for n in (60_000, 10_000))
    return train.images, test.images, test.labels, "glyph digits"


def train(args, vae, x, rng):
    """The generator of epochs that the arguments ask for."""
    return npvae.train(
        vae,
        x,
        epochs=args.epochs,
        optimizer=OPTIMIZERS[args.optimizer](args.lr, weight_decay=args.weight_decay),
        batch_size=args.batch_size,
        objective=objective(args),
        binarize=args.binarize == "dynamic",
        rng=rng,
    )


def objective(args):
    """The one that the arguments ask for, or a function of the epoch for a warm-up."""
    make = OBJECTIVES[args.objective]
    if args.warm_up > 0:
        return lambda epoch: make(args, args.beta * min(1, epoch / args.warm_up))
    return make(args, args.beta)


def compile_kernels(args, vae, x):
    """An epoch of one batch, on a copy: the wait for the compiler has a name and is not timed."""
    wait = "compiling the kernels, on the first run only …"
    message = threading.Timer(1.5, print, [wait], {"flush": True})
    message.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # training will say it
            next(train(args, vae.astype(vae.dtype), x[: args.batch_size], np.random.default_rng(0)))
    finally:
        message.cancel()


def explain(args, vae, x):
    """What the numbers to come mean."""
    raised = objective(args)
    if callable(raised):
        raised = f"{raised(1)}, then more beta, up to {args.beta:g}"
    print(f"nats an image: elbo = reconstruction − kl\nraised: {raised}")
    if args.binarize == "none" and args.likelihood == "bernoulli":
        entropy = vae.likelihood.entropy(x[:10_000]).mean()
        print(f"grey targets: no elbo can exceed −{entropy:.1f}, minus their own entropy")


def fit(args, run):
    """Train, show how it goes, and stop at Ctrl-C or NaN; -> the epochs that ended."""
    epochs = []
    with tqdm(total=args.epochs, bar_format=BAR, disable=None) as bar:
        try:
            for epoch in run:
                epochs.append(epoch)
                tqdm.write(str(epoch))
                sys.stdout.flush()
                bar.set_postfix_str(
                    f"elbo {epoch.elbo:.2f} = {epoch.reconstruction:.2f} − {epoch.kl:.2f}, "
                    f"{epoch.active_units} active, {epoch.images_per_second:,.0f}/s"
                )
                bar.update()
        except (KeyboardInterrupt, npvae.NonFiniteError) as stop:
            tqdm.write(f"stopped in epoch {len(epochs) + 1}; keeping what was learned. {stop}")
    return epochs


def write_metrics(args, name, epochs, test):
    kept = ("epoch", "elbo", "reconstruction", "kl", "active_units", "bound")
    kept += ("seconds", "images_per_second")
    metrics = {
        "config": {key: str(v) if isinstance(v, Path) else v for key, v in vars(args).items()}
        | {"data": name},
        "epochs": [{key: getattr(epoch, key) for key in kept} for epoch in epochs],
        "test": {
            "elbo": test.elbo,
            "elbo_standard_error": test.standard_error,
            "reconstruction": test.reconstruction,
            "kl": test.kl,
            "active_units": test.active_units,
            "kl_per_dimension": test.kl_per_dim.tolist(),
        },
    }
    text = json.dumps(metrics, indent=2).replace("NaN", "null")  # of a run that exploded at once
    (args.out / "metrics.json").write_text(text + "\n")


def draw(args, vae, epochs, evaluation, x, labels, rng):
    """Every picture that fits the model, into --out."""
    x, labels = x[:5000], labels[:5000]
    figures = {
        "training_curves": lambda: plots.training_curves(epochs),
        "reconstructions": lambda: plots.reconstructions(vae, x[:10]),
        "prior_samples": lambda: plots.prior_samples(vae, rng=rng),
        "traversals": lambda: plots.traversals(vae, x),
        "kl_per_dimension": lambda: plots.kl_per_dimension(evaluation),
    }
    if args.latent > 1:
        figures["latent_scatter"] = lambda: plots.latent_scatter(vae, x, labels)
    if args.latent == 2:
        figures["manifold"] = lambda: plots.manifold(vae)
    for title, figure in figures.items():
        try:
            figure().savefig(args.out / f"{title}.png")
        except ValueError as error:
            print(f"no {title}.png: {error}")


def main():
    args = parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    data_rng, init_rng, train_rng, test_rng, plot_rng = np.random.default_rng(args.seed).spawn(5)
    warnings.simplefilter("ignore", npvae.GreyTargetsWarning)  # `explain` says it
    warnings.formatwarning = lambda message, *_, **__: f"note: {message}\n"
    likelihood = LIKELIHOODS[args.likelihood](args)

    x, test, labels, name = load(args, data_rng)
    vae = npvae.VAE.init(
        x.shape[1],
        hidden=args.hidden,
        latent_dim=args.latent,
        likelihood=likelihood,
        activation=args.activation,
        x_mean=x.mean(axis=0),
        rng=init_rng,
    )
    run = train(args, vae, x, train_rng)  # what is wrong with the arguments is told here,
    tempfile.TemporaryFile(dir=args.out).close()  # and here what is wrong with the folder
    widths = "-".join(map(str, [vae.data_dim, *args.hidden, args.latent]))
    print(f"{name}: {len(x):,} training images, {len(test):,} test images")
    print(f"VAE {widths}, {args.activation}, {args.likelihood}; binarize: {args.binarize}")
    explain(args, vae, x)
    compile_kernels(args, vae, x)

    epochs = fit(args, run)
    vae.save(args.out / "vae.npz")
    evaluation = npvae.evaluate(vae, test, rng=test_rng)
    print(f"test {evaluation}")
    write_metrics(args, name, epochs, evaluation)
    draw(args, vae, epochs, evaluation, test, labels, plot_rng)
    print(f"pictures, vae.npz and metrics.json are in {args.out}/")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
    except (OSError, ValueError, MemoryError, npvae.NonFiniteError) as error:
        sys.exit(f"error: {error}")
