"""What denoise.py, inpaint.py and enlarge.py share: a model, rivals, a table, a picture."""

import argparse
import sys
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

import npvae
from npvae import exact
from npvae.kernels import clock
from npvae.plots.sheet import centres, sheet_figure, tile
from npvae.posterior import Pixels, restore
from npvae.posterior.sampling import ChainWarning
from npvae.relatives import Autoencoder, train_autoencoder

SIDE = 28  # pixels
AXES = 50  # of PCA, as many as the model's latent dimensions
PIXEL_NOISE = 0.1  # σ with which the linear rivals take pixels that are seen as they are
SHOWN, DRAWN = 8, 6  # images in a picture, and draws of each
LEAST = 0.001  # probability of a rival's pixel, lest its log p be −∞


class Rival(NamedTuple):
    """A line of the table: what a method makes of y."""

    name: str
    x: np.ndarray  # (N, D)
    seconds: float
    log_p: np.ndarray | None = None  # (N,) nats, of the hidden pixels


def parse_args(description, images=200):
    parser = argparse.ArgumentParser(
        description=description.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--data", choices=("mnist", "glyphs"), default="mnist", help="glyphs need no download")
    add("--data-dir", type=Path, help="folder with MNIST's four IDX files, plain or gzipped")
    add("--train-images", type=int, default=60_000, help="the first so many")
    add("--images", type=int, default=images, help="test images to restore, the first so many")
    add("--model", type=Path, help="a saved model of binary pixels; else one is trained")
    add("--epochs", type=int, default=20, help="of the model and of the autoencoders")
    add("--draws", type=int, default=100, help="of each of 4 chains, after as many to warm up")
    add("--seed", type=int, default=0, help="of everything random")
    add("--out", type=Path, default=Path("out"), help="folder for the pictures")
    args = parser.parse_args()
    for name in ("train_images", "images", "epochs", "draws"):
        if getattr(args, name) < 1:
            option = name.replace("_", "-")
            parser.error(f"--{option} is {getattr(args, name)}; expected a number >= 1")
    warnings.formatwarning = lambda message, *_, **__: f"note: {message}\n"
    warnings.simplefilter("ignore", ChainWarning)  # the table's last line says what it would
    args.out.mkdir(parents=True, exist_ok=True)
    return args


def load(args, rng):
    """-> train (N, D), test (N', D), grey."""
    if args.data == "mnist":
        data = npvae.datasets.load_mnist(args.data_dir)
        return data.train[: args.train_images], data.test[: args.images]
    counts = args.train_images, args.images
    return tuple(npvae.datasets.glyph_digits(n, rng=rng).images for n in counts)


def model_of(args, train, rng):
    """784-200-200-50 of binary pixels, read from a file or trained."""
    if args.model:
        return npvae.VAE.load(args.model)
    options = {"hidden": (200, 200), "latent_dim": 50, "likelihood": npvae.Bernoulli()}
    vae = npvae.VAE.init(SIDE * SIDE, x_mean=train.mean(axis=0), rng=rng, **options)
    optimizer = npvae.Adam(1e-3)
    options = {"epochs": args.epochs, "optimizer": optimizer, "rng": rng}
    for epoch in npvae.train(vae, train, binarize=True, progress=sys.stderr.isatty(), **options):
        optimizer.learning_rate = 10 ** (-3 - epoch.epoch / args.epochs)
    print(f"trained: {epoch}", flush=True)
    return vae


def autoencoder_of(args, train, rng, corruption=None):
    """The same layers without noise in z, trained on squared errors; a denoiser if corrupted."""
    options = {"hidden": (200, 200), "latent_dim": 50, "likelihood": npvae.Gaussian(1.0)}
    model = Autoencoder.init(SIDE * SIDE, x_mean=train.mean(axis=0), rng=rng, **options)
    optimizer = npvae.Adam(1e-3)
    options = {"epochs": args.epochs, "optimizer": optimizer, "rng": rng}
    for epoch in train_autoencoder(model, train, corruption=corruption, **options):
        optimizer.learning_rate = 10 ** (-3 - epoch.epoch / args.epochs)
    return model


def psnr(x, truth, hidden=None):
    """−10 log₁₀ mean (x − truth)², in dB, over the hidden pixels of each image, x in [0, 1]."""
    hidden = np.ones(truth.shape) if hidden is None else np.broadcast_to(hidden, truth.shape)
    squares = np.square(np.clip(x, 0, 1) - truth) * hidden
    return -10 * np.log10(squares.sum(axis=1) / hidden.sum(axis=1))


def wiener(mean, covariance, y, observation):
    """E[x|y] = m + C Aᵀ (A C Aᵀ + σ² I)⁻¹ (y − A m), the answer of a Gaussian N(m, C) to y."""
    if isinstance(observation, Pixels):
        if len(observation.mask) == 1:
            return _of_pixels(mean, covariance, y, observation.mask[0])
        rows = zip(y[:, None], observation.mask, strict=True)
        return np.concatenate([_of_pixels(mean, covariance, row, seen) for row, seen in rows])
    CAt = observation.apply(covariance.T)  # (D, M)
    ACAt = observation.apply(CAt.T)
    Am = observation.apply(mean[None])[0]
    return _answer(mean, CAt.T, y, Am, ACAt, observation.sigma)


def _of_pixels(mean, covariance, y, seen):
    block = covariance[np.ix_(seen, seen)]
    return _answer(mean, covariance[seen], y[:, seen], mean[seen], block, PIXEL_NOISE)


def _answer(mean, AC, y, Am, ACAt, sigma):
    return mean + (y - Am) @ np.linalg.solve(ACAt + sigma**2 * np.eye(len(ACAt)), AC)


def nearest(train, y, observation):
    """The training image that looks most like y, once it is seen as y was."""
    mask = np.ones(y.shape[1], bool)
    if isinstance(observation, Pixels):
        seen, mask = train, np.broadcast_to(observation.mask, y.shape)
    else:
        seen = observation.apply(train)
    y, weight = np.where(mask, y, 0), np.broadcast_to(mask, y.shape).astype(y.dtype)
    distance = weight @ np.square(seen).T - 2 * y @ seen.T
    return train[distance.argmin(axis=1)]


def rivals(train, y, observation):
    """The mean image, two linear models, and the nearest neighbour."""
    start = clock()
    spectrum = exact.spectrum(train)
    mean, axes, eigenvalues = spectrum.mean, spectrum.axes, spectrum.eigenvalues
    linear = exact.probabilistic_pca(train, AXES)
    plane = linear.W.T @ linear.W + linear.variance * np.eye(len(mean))
    whole = axes.T @ (eigenvalues[:, None] * axes)
    y64 = np.asarray(y, np.float64)
    for name, answer in (
        ("mean image", lambda: np.tile(mean, (len(y), 1))),
        (f"PCA, {AXES} axes, Gaussian posterior", lambda: wiener(mean, plane, y64, observation)),
        ("all axes (Wiener's filter)", lambda: wiener(mean, whole, y64, observation)),
        ("nearest training image", lambda: nearest(train, y, observation)),
    ):
        start = clock()
        x = answer()
        yield Rival(name, x, clock() - start)


def restored(vae, y, observation, args, rng):
    """-> the posterior mean as a Rival, and the whole answer."""
    start = clock()
    progress = sys.stderr.isatty()
    options = {"draws": args.draws, "warm_up": args.draws, "images": DRAWN, "progress": progress}
    answer = restore(vae, y, observation, rng=rng, **options)
    return Rival("restore, mean", answer.mean, clock() - start), answer


def bernoulli(mean, x, hidden):
    """log p of the hidden pixels if each is 1 with probability mean, on its own, in nats."""
    p = np.clip(mean, LEAST, 1 - LEAST)
    log_p = x * np.log(p) + (1 - x) * np.log1p(-p)
    return np.sum(log_p * np.broadcast_to(hidden, x.shape), axis=1)


def table(title, lines, truth, hidden=None):
    """Print a line for each rival: PSNR and, if there is one, log p; -> {name: mean PSNR}"""
    print(f"\n{title}\n{'':36}{'PSNR, dB':>14}{'log p hidden':>18}{'seconds':>10}")
    scores = {line.name: psnr(line.x, truth, hidden) for line in lines}
    for line in lines:
        told = f"{line.name:36}{_mean(scores[line.name]):>14}"
        told += f"{'' if line.log_p is None else _mean(line.log_p):>18}{line.seconds:10.1f}"
        print(told, flush=True)
    return {name: score.mean() for name, score in scores.items()}


def _mean(values):
    return f"{values.mean():.2f} ± {values.std() / np.sqrt(len(values)):.2f}"


def strip(path, title, seen, answer, truth, rows=SHOWN):
    """Seen, some draws, their mean, truth: a line an image."""
    columns = [seen, *answer.images, answer.mean, truth]
    images = np.stack([column[:rows] for column in columns], axis=1).clip(0, 1)
    sheet = tile(images.reshape(-1, SIDE, SIDE), len(columns))
    figure, axes = sheet_figure(sheet, title, (SIDE, SIDE), bottom=30)
    middle = len(columns) // 2 - 1
    names = ["seen", *[""] * DRAWN, "mean", "truth"]
    names[middle] = "draws"
    axes.set_xticks(centres(len(columns), SIDE), names)
    figure.savefig(path)
    print(f"Seen, {DRAWN} draws, their mean and the truth are in {path}", flush=True)
