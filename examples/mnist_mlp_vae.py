"""The example to start with: trains, judges and draws. DESCRIPTION says how to run it."""

import argparse
import csv
import json
import logging
import math
import os
import sys
import tempfile
import textwrap
import threading
import warnings
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import numpy as np
import pooch
from tqdm import tqdm

import npvae

DESCRIPTION = """\
Train an MLP VAE on MNIST, or on digits drawn offline; judge it; draw what it
learned.

    mnist_mlp_vae.py                           MNIST, or drawn digits if offline
    mnist_mlp_vae.py --data glyphs --epochs 3
    mnist_mlp_vae.py --latent 2                draws the manifold of digits too
    mnist_mlp_vae.py --epochs 4 --warm-up 3 --lr 0.01 --schedule linear
        --lr-warm-up 0.3 --output-scale 0.1    as good in two fifths of the time
    mnist_mlp_vae.py --resume out --epochs 20  goes on with the run in out/
    mpiexec -n 2 python mnist_mlp_vae.py --mpi
                                               two processes share each batch

Pictures, vae.npz, metrics.json and epochs.csv go to the folder given by --out;
if that holds an earlier run, to out-2, out-3, … beside it. Ctrl-C stops the
training and keeps what was learned; run.npz is where --resume goes on."""
MAY_CHANGE = {"--resume", "--epochs", "--data-dir", "--mpi"}  # when a run goes on
METAVARS = {int: "N", float: "X", Path: "FOLDER"}

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
ONLY_FOR = [  # an option, its default, and the choice that it is for
    ("sigma", 0.1, "likelihood", ("gaussian", "learned-gaussian", "heteroscedastic")),
    ("levels", 256, "likelihood", ("categorical",)),
    ("free_bits", 0.1, "objective", ("free-bits",)),
]
SCHEDULES = {"linear": npvae.schedules.Linear, "cosine": npvae.schedules.Cosine}
OPTIMIZERS = {"adam": npvae.Adam, "adagrad": npvae.Adagrad, "sgd": npvae.SGD}
ADVICE = """\
Look at reconstructions.png first: each digit above a smoother copy of itself.
Then at prior_samples.png: new digits, most legible, some like two at once."""
TICK = 0.5  # seconds between two looks at the clock


def new_parser():
    parser = argparse.ArgumentParser(
        usage="%(prog)s [option …]",
        description=DESCRIPTION,
        formatter_class=argparse.RawTextHelpFormatter,
    )

    def add(flag, about, default=None, **choices):
        if default is not None:
            about += f" (default: {choices.pop('said', default)})"
        about = textwrap.fill(about, 54, break_on_hyphens=False)
        metavar = METAVARS.get(choices.get("type"), "NAME")
        parser.add_argument(flag, help=about, default=default, **{"metavar": metavar} | choices)

    def choose(flag, about, default, names):
        add(flag, f"{about}: {', '.join(names)}", default, choices=tuple(names))

    choose("--data", "auto is MNIST, or glyphs if offline", "auto", ("auto", "mnist", "glyphs"))
    add("--data-dir", "with MNIST's four IDX files, plain or gzipped", type=Path)
    add("--validation", "training images held out to be judged each epoch", 0, type=int)
    add("--epochs", "passes over the training images", 10, type=int)
    add("--batch-size", "images a step, B", 100, type=int)
    hidden = {"type": width, "nargs": "+", "metavar": "N", "said": "500"}
    add(
        "--hidden",
        "widths of the encoder's hidden layers; the decoder mirrors them",
        [500],
        **hidden,
    )
    add("--latent", "latent dimensions, Z", 20, type=int)
    choose("--activation", "of the hidden layers", "tanh", npvae.ACTIVATIONS)
    choose("--likelihood", "p(x|z)", "bernoulli", LIKELIHOODS)
    sigma = (
        "σ of gaussian; where learned-gaussian starts; the least of heteroscedastic (default: 0.1)"
    )
    add("--sigma", sigma, type=float)
    add("--levels", "grey levels of a categorical pixel (default: 256)", type=int)
    binary = "dynamic draws binary targets at each visit, none keeps grey"
    said = " (default: dynamic for bernoulli, else none)"
    add("--binarize", binary + said, choices=("dynamic", "none"))
    choose("--objective", "the bound to make large", "closed-form", OBJECTIVES)
    add("--samples", "draws of z an image, L or K", 1, type=int)
    add("--beta", "weight of the KL", 1.0, type=float)
    add("--warm-up", "epochs over which beta rises to its value", 0, type=int)
    add("--free-bits", "nats a dimension, for --objective free-bits (default: 0.1)", type=float)
    choose("--optimizer", "the step rule", "adam", OPTIMIZERS)
    add("--lr", "learning rate", 1e-3, type=float)
    choose("--schedule", "how it falls, to 0 at the end", "constant", ("constant", *SCHEDULES))
    add("--lr-warm-up", "epochs over which it rises to its value first", 0.0, type=float)
    add("--output-scale", "times the decoder's last weights, to begin with", 1.0, type=float)
    add("--weight-decay", "a Gaussian prior on the weights", 0.0, type=float)
    add("--seed", "of everything random", 0, type=int)
    add("--resume", "with an earlier run, to go on to --epochs in all", type=Path)
    add("--out", "for pictures, model and metrics", Path("out"), type=Path)
    mpi = "each process of an mpiexec makes its part of every batch"
    parser.add_argument("--mpi", action="store_true", help=textwrap.fill(mpi, 54))
    return parser


def parse_args():
    parser = new_parser()
    args = parser.parse_args()
    if args.resume:
        return arguments_of(args, parser)
    if args.data == "glyphs" and args.data_dir:
        parser.error("--data-dir is for MNIST; --data glyphs reads no files")
    if args.objective not in ("closed-form", "sampled") and (args.beta != 1 or args.warm_up):
        parser.error(f"--objective {args.objective} has no KL for --beta or --warm-up to weigh")
    for flag, default, choice, users in ONLY_FOR:
        if getattr(args, flag) is None:
            setattr(args, flag, default)
        elif getattr(args, choice) not in users:
            parser.error(f"--{flag.replace('_', '-')} is for --{choice} {' or '.join(users)}")
    for flag in ("warm_up", "validation", "seed", "lr_warm_up", "output_scale"):
        if not 0 <= (value := getattr(args, flag)) < math.inf:
            parser.error(f"--{flag.replace('_', '-')} is {value}; expected a number >= 0")
    args.binarize = args.binarize or ("dynamic" if args.likelihood == "bernoulli" else "none")
    try:
        rehearse(args)
    except (TypeError, ValueError) as error:
        parser.error(str(error))
    return args


def arguments_of(args, parser):
    """Those of the run that goes on, with what may change."""
    flags = {word.partition("=")[0] for word in sys.argv[1:] if word.startswith("--")}
    if others := sorted(flags - MAY_CHANGE):
        parser.error(f"{', '.join(others)}: a run that goes on keeps its own options")
    try:
        earlier = json.loads((args.resume / "arguments.json").read_text())
        given = {"out": args.resume, "resume": args.resume, "mpi": args.mpi}
        kept = argparse.Namespace(**vars(args) | earlier | given)
        kept.data_dir = args.data_dir or (earlier["data_dir"] and Path(earlier["data_dir"]))
        kept.epochs = args.epochs if "--epochs" in flags else earlier["epochs"]
        rehearse(kept)
    except (OSError, TypeError, ValueError, KeyError, AttributeError) as error:
        parser.error(f"there is no run in {args.resume} that could go on: {error}")
    return kept


def width(text):
    """The type of each number after --hidden."""
    try:
        return int(text)
    except ValueError:
        message = f"{text!r} is no whole number; write two layers as --hidden 500 200"
        raise argparse.ArgumentTypeError(message) from None


def rehearse(args):
    """What is wrong with a value is told by a model of one pixel, before any data are read."""
    one, rng = np.zeros((1, 1)), np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of one black pixel, and a training that never began
        train(args, make_vae(args, one, rng), one, None, rng)


@contextmanager
def waiting(what):
    """A line with a clock that ticks while the block runs; where no one watches, a line."""
    ended = threading.Event()
    with tqdm(bar_format="{desc} … {elapsed}", desc=what, leave=False, disable=None) as line:

        def tick():
            while not ended.wait(TICK):
                line.refresh()

        if line.disable:
            print(what, "…", file=sys.stderr, flush=True)
            yield
            return
        clock = threading.Thread(target=tick, daemon=True)
        clock.start()
        try:
            yield
        finally:
            ended.set()
            clock.join()


@contextmanager
def named(path):
    """A full disk does not say which file it was."""
    try:
        yield path
    except OSError as error:
        if error.filename:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None


def say(text):
    print(wrapped(text))


def wrapped(text):
    """The same lines, none beyond 80 columns and no word broken."""
    style = {"width": 80, "break_long_words": False, "break_on_hyphens": False}
    return "\n".join(textwrap.fill(line, **style) for line in text.splitlines())


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
            with waiting("reading MNIST, or downloading it"):
                pooch.get_logger().setLevel("WARNING")  # its bar is enough
                mnist = npvae.datasets.load_mnist(args.data_dir)
            return mnist.train, mnist.test, mnist.test_labels, "MNIST"
        except ConnectionError:
            if args.data == "mnist":
                raise
            print("MNIST could not be downloaded (--data mnist says why).")
            print("Going on with digits drawn from fonts (--data glyphs).\n")
    with waiting("drawing 70,000 digits"):
        train, test = (npvae.datasets.glyph_digits(n, rng=rng) for n in (60_000, 10_000))
    return train.images, test.images, test.labels, "glyph digits"


def make_vae(args, x, rng):
    vae = npvae.VAE.init(
        x.shape[1],
        hidden=args.hidden,
        latent_dim=args.latent,
        likelihood=LIKELIHOODS[args.likelihood](args),
        activation=args.activation,
        x_mean=x.mean(axis=0),
        rng=rng,
    )
    vae.params.decoder[-1].W[...] *= args.output_scale
    return vae


def train(args, vae, x, x_val, rng, **choices):
    """The generator of epochs that the arguments ask for."""
    return npvae.train(
        vae,
        x,
        epochs=args.epochs,
        optimizer=OPTIMIZERS[args.optimizer](args.lr, weight_decay=args.weight_decay),
        batch_size=args.batch_size,
        objective=objective(args, len(x)),
        learning_rate=learning_rate(args, len(x)),
        binarize=args.binarize == "dynamic",
        x_val=x_val,
        rng=rng,
        **choices,
    )


def objective(args, rows):
    """The one that the arguments ask for, or a function of the step for a warm-up."""
    make = OBJECTIVES[args.objective]
    if args.warm_up == 0 or args.beta == 0:
        return make(args, args.beta)
    rise = npvae.schedules.WarmUp(args.beta, args.warm_up * steps_of_an_epoch(args, rows))
    return lambda step: make(args, rise(step))


def steps_of_an_epoch(args, rows):
    """Of batches that are none, too: npvae.train says what is wrong with them."""
    return math.ceil(rows / max(1, args.batch_size))


def learning_rate(args, rows):
    """A function of the step, or None of a constant."""
    epoch = steps_of_an_epoch(args, rows)
    warm_up = round(args.lr_warm_up * epoch)
    if args.schedule != "constant":
        return SCHEDULES[args.schedule](args.lr, args.epochs * epoch, warm_up)
    return npvae.schedules.WarmUp(args.lr, warm_up) if warm_up else None


def compile_kernels(args, vae, x):
    """An epoch of one batch, on a copy: the wait for the compiler has a name and is not timed."""
    copy, batch = vae.astype(vae.dtype), x[: args.batch_size]
    with waiting("compiling the kernels, once for each kind of model"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # training will say it
        next(train(args, copy, batch, None, np.random.default_rng(0)))


def explain(args, vae, x):
    """What the numbers to come mean."""
    chosen = objective(args, len(x))
    if callable(chosen):
        chosen = f"{chosen(0)}, then more beta, up to {args.beta:g}"
    print(f"nats an image, higher is better: elbo = reconstruction − kl\nobjective: {chosen}")
    if args.binarize == "none" and args.likelihood == "bernoulli":
        entropy = vae.likelihood.entropy(x[:10_000]).mean()
        print(f"grey targets: no elbo can exceed −{entropy:.1f}, minus their own entropy")


def fit(run, epochs):
    """Train, print each epoch, and stop at Ctrl-C or NaN; -> the epochs that ended, with these."""
    try:
        for epoch in run:
            epochs.append(epoch)
            print(epoch, flush=True)
    except (KeyboardInterrupt, ArithmeticError) as stop:
        say(f"stopped in epoch {len(epochs) + 1}; keeping what was learned. {stop}")
    return epochs


def write_rows(out, epochs):
    """A line for each epoch, to be opened as a table."""
    rows = [epoch.to_row() for epoch in epochs]
    with named(out / "epochs.csv") as path, open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else ["epoch"])
        writer.writeheader()
        writer.writerows(rows)


def judge(vae, x, rng):
    """The Evaluation, or None of a model that exploded."""
    try:
        with waiting("judging the model by the test images"):
            evaluation = npvae.evaluate(vae, x, rng=rng)
    except FloatingPointError as error:
        say(f"the model cannot be judged: {error}")
        return None
    print(f"test {evaluation}")
    return evaluation


def arguments(args):
    """As JSON has them."""
    return {key: str(v) if isinstance(v, Path) else v for key, v in vars(args).items()}


def write_metrics(args, out, name, epochs, test):
    kept = ("epoch", "elbo", "reconstruction", "kl", "active_units", "bound")
    kept += ("seconds", "images_per_second")
    metrics = {
        "config": arguments(args) | {"data": name},
        "epochs": [
            {key: getattr(epoch, key) for key in kept}
            | ({"validation": judgement(epoch.validation)} if epoch.validation else {})
            for epoch in epochs
        ],
        "test": judgement(test) if test else None,
    }
    with named(out / "metrics.json") as path:
        path.write_text(json.dumps(metrics, indent=2) + "\n")


def judgement(evaluation):
    return {
        "elbo": evaluation.elbo,
        "elbo_standard_error": evaluation.standard_error,
        "reconstruction": evaluation.reconstruction,
        "kl": evaluation.kl,
        "active_units": evaluation.active_units,
        "kl_per_dimension": evaluation.kl_per_dim.tolist(),
    }


def draw(args, out, vae, epochs, evaluation, x, labels, rng):
    """Every picture that fits the model, into out; all of them of the images x."""
    from npvae import plots  # here, where a first import that looks for fonts has a name

    figures = {"training_curves": lambda: plots.training_curves(epochs)}
    if evaluation:
        figures |= {
            "reconstructions": lambda: plots.reconstructions(vae, x[:10]),
            "prior_samples": lambda: plots.prior_samples(vae, rng=rng),
            "traversals": lambda: plots.traversals(vae, x),
            "kl_per_dimension": lambda: plots.kl_per_dimension(evaluation),
        }
        if args.latent == 2:
            if labels is not None:
                figures["latent_scatter"] = lambda: plots.latent_scatter(vae, x, labels)
            figures["manifold"] = lambda: plots.manifold(vae)
    for title, figure in figures.items():
        try:
            with named(out / f"{title}.png") as path:
                figure().savefig(path)
        except ValueError as error:
            say(f"no {title}.png: {error}")


def vacant(folder):
    """The folder, or folder-2, folder-3, … if it holds an earlier run."""
    names = (folder.with_name(f"{folder.name}-{i}") for i in count(2))
    out = folder
    while (out / "metrics.json").exists():
        out = next(names)
    if out != folder:
        print(f"{folder}/ holds an earlier run; this one goes to {out}/")
    out.mkdir(parents=True, exist_ok=True)
    tempfile.TemporaryFile(dir=out).close()  # what is wrong with the folder is told now
    return out


def main():
    args = parse_args()
    ranks = processes(args)
    with ranks.together():
        experiment(args, ranks)


def experiment(args, ranks):
    out = args.out if args.resume else ranks.decided(lambda: vacant(args.out))
    data_rng, init_rng, train_rng, test_rng, plot_rng = np.random.default_rng(args.seed).spawn(5)
    warnings.simplefilter("ignore", npvae.GreyTargetsWarning)  # `explain` says it
    logging.getLogger("npvae").setLevel(logging.ERROR)  # `compile_kernels` says it
    warnings.formatwarning = lambda message, *_, **__: f"note: {message}\n"

    x, test, labels, name = load(args, data_rng)
    x, x_val = hold_out(args, x)
    vae = make_vae(args, x, init_rng)
    widths = "-".join(map(str, [vae.data_dim, *args.hidden, args.latent]))
    print(f"{name}: {len(x):,} training images, {len(test):,} test images")
    print(f"VAE {widths}, {args.activation}, {args.likelihood}; binarize: {args.binarize}")
    explain(args, vae, x)
    compile_kernels(args, vae, x)

    file, ended = out / "run.npz", []
    choices = {"checkpoint": file, "progress": sys.stderr.isatty(), "ranks": ranks}
    if args.resume:
        ended, choices["resume"] = npvae.past_epochs(file, objective(args, len(x))), file
        print(f"going on after epoch {len(ended)}")
    if ranks.first:
        with named(out / "arguments.json") as path:
            path.write_text(json.dumps(arguments(args), indent=2) + "\n")
    epochs = fit(train(args, vae, x, x_val, train_rng, **choices), ended)
    if not ranks.first:
        return
    write_rows(out, epochs)
    with named(out / "vae.npz") as path:
        vae.save(path)
    evaluation = judge(vae, test, test_rng)
    write_metrics(args, out, name, epochs, evaluation)
    with waiting("drawing the pictures"):
        draw(args, out, vae, epochs, evaluation, test, labels, plot_rng)
    print(f"pictures, vae.npz, metrics.json and epochs.csv are in {out}/")
    if evaluation:
        print(ADVICE)


def processes(args):
    """Who trains: this process alone, or with --mpi several, of which the first one tells."""
    if not args.mpi:
        return npvae.training.ranks.ALONE
    from npvae.distributed import Ranks

    ranks = Ranks()
    if not ranks.first:
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    return ranks


def hold_out(args, x):
    """-> the images to train on, the last --validation of them or None"""
    if not args.validation:
        return x, None
    if args.validation >= len(x):
        raise ValueError(f"--validation is {args.validation}; there are {len(x)} training images")
    return x[: -args.validation], x[-args.validation :]


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
    except (OSError, ValueError, MemoryError, ImportError, npvae.NonFiniteError) as error:
        sys.exit(wrapped(f"error: {error}"))
