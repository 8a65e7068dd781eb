"""What a model makes of images: reconstructions, samples, walks through z."""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from .._checks import check_positive_int
from ..vae import VAE
from .dimensions import WHAT_DEAD_MEANS, by_kl, label_dimensions, latent_summary
from .sheet import GAP, Figure, centres, sheet_figure, tile

MNIST = (28, 28)
PAIRS_ACROSS = 10


def reconstructions(vae: VAE, x: ArrayLike, shape: tuple[int, ...] = MNIST) -> Figure:
    """Each image of x above its reconstruction E[x|z] at z = mu, the mean of q(z|x).

    x (N, D), shape (rows, columns) of an image, or (rows, columns, 3) in colour
    Raises TypeError or ValueError if x is no finite (N, D) array in the likelihood's support,
    or shape's product is not D.
    """
    x = vae.check_data("x", x)
    shape = rows, *rest = _check_shape(vae, shape)
    pairs = np.concatenate([x, vae.reconstruct(x)], axis=1).reshape(-1, 2 * rows, *rest)
    figure, axes = sheet_figure(
        tile(pairs, min(len(pairs), PAIRS_ACROSS)),
        "Each original x above its reconstruction:\nE[x|z] at z = mu, the mean of q(z|x)",
        shape,
        left=50,
    )
    middles = centres(-(-len(pairs) // PAIRS_ACROSS), 2 * rows)
    ticks = np.add.outer(middles, (-rows / 2, rows / 2)).ravel()
    axes.set_yticks(ticks, ["x", "E[x|z]"] * len(middles))
    return figure


def prior_samples(
    vae: VAE, n: int = 100, shape: tuple[int, ...] = MNIST, *, rng: np.random.Generator
) -> Figure:
    """The means E[x|z] of n draws of z from the prior.

    shape (rows, columns) of an image, or (rows, columns, 3) in colour
    Raises TypeError or ValueError unless n is an integer >= 1, shape's product is D, and
    rng a Generator.
    """
    shape = _check_shape(vae, shape)
    images = vae.sample(n, rng=rng).reshape(n, *shape)
    title = f"E[x|z], a mean and not a draw of x,\nfor n = {n} draws of z from the prior N(0, I)"
    figure, _ = sheet_figure(tile(images, math.ceil(math.sqrt(n))), title, shape)
    return figure


def manifold(vae: VAE, shape: tuple[int, ...] = MNIST, n: int = 20) -> Figure:
    """E[x|z] on an n × n grid of z at the prior's quantiles, for a model with Z = 2.

    shape (rows, columns) of an image, or (rows, columns, 3) in colour
    Each image stands for 1/n² of the prior's mass; z[0] grows rightwards, z[1] upwards.
    Raises TypeError or ValueError unless Z = 2, shape's product is D, and n an integer >= 1.
    """
    if vae.latent_dim != 2:
        raise ValueError(f"the model has Z = {vae.latent_dim}; a manifold needs Z = 2")
    shape = _check_shape(vae, shape)
    check_positive_int("n", n)
    right = prior_quantiles(n)
    down = right[::-1]
    z = np.stack(np.meshgrid(right, down), axis=-1).reshape(n * n, 2)
    figure, axes = sheet_figure(
        tile(vae.decode(z).reshape(-1, *shape), n, gap=0),
        f"E[x|z] for z at {n} × {n} quantiles of the prior:\neach image stands for equal mass",
        shape,
        left=50,
        bottom=40,
    )
    axes.set_xticks(*_ticks(right, shape[1], gap=0))
    axes.set_yticks(*_ticks(down, shape[0], gap=0))
    axes.set(xlabel="z[0]", ylabel="z[1]")
    return figure


def traversals(
    vae: VAE,
    x: ArrayLike,
    shape: tuple[int, ...] = MNIST,
    *,
    around: ArrayLike | None = None,
    steps: int = 11,
) -> Figure:
    """E[x|z] as one dimension of z runs over the prior's quantiles and the others stay.

    x (N, D)        the data over which KL and activity are measured, N >= 2
    shape           (rows, columns) of an image, or (rows, columns, 3) in colour
    around (D,)     the others stay at this image's mu; None: at 0
    steps           images a row
    One row a dimension, the largest mean KL first; dead ones, whose mu varies
    over x by at most 0.01 (variance), are marked.
    Raises TypeError or ValueError if an argument is not as described.
    """
    x = _check_several(vae.check_data("x", x))
    shape = _check_shape(vae, shape)
    check_positive_int("steps", steps)
    start = _start(vae, around)
    _, latents = latent_summary(vae, x)
    order, quantiles = by_kl(latents), prior_quantiles(steps)
    images = vae.decode(_walks(start, order, quantiles).reshape(-1, vae.latent_dim))

    sheet = tile(images.reshape(-1, *shape), steps)
    title = _traversals_title(around, latents)
    figure, axes = sheet_figure(sheet, title, shape, left=100, bottom=40)
    axes.set_xticks(*_ticks(quantiles, shape[1]))
    axes.set_xlabel("z[i], at the prior's quantiles")
    label_dimensions(axes, centres(len(order), shape[0]), latents, order)
    return figure


def prior_quantiles(n):
    """z_i = Φ⁻¹((i + ½)/n), i = 0 … n − 1: the medians of n equal shares of N(0, 1)."""
    return ndtri((np.arange(n) + 0.5) / n)


def _traversals_title(around, latents):
    stay = "0" if around is None else "one image's mu"
    title = f"E[x|z] as one dimension of z moves,\nthe others stay at {stay};\n"
    title += "beside each row: z[i], its mean KL in nats"
    return title if latents.active.all() else f"{title}\n{WHAT_DEAD_MEANS}"


def _walks(start, order, values):
    """z (Z, steps, Z): in row r dimension order[r] takes the values, the others start's."""
    z = np.tile(start, (len(order), len(values), 1))
    z[np.arange(len(order)), :, order] = values
    return z


def _start(vae, around):
    if around is None:
        return np.zeros(vae.latent_dim)
    mu, _ = vae.encode(vae.check_data("around", np.reshape(around, (1, -1))))
    return mu[0]


def _ticks(values, side, *, gap=GAP):
    """Where a few of the values lie along a sheet, and their texts: both ends, the middle."""
    n = len(values)
    some = np.unique(np.linspace(0, n - 1, 4 + n % 2).round().astype(int))
    return centres(n, side, gap=gap)[some], [f"{v:.2f}".replace("-", "−") for v in values[some]]


def _check_several(x):
    if len(x) < 2:
        raise ValueError(f"x has shape {x.shape}; a variance over x needs (N, D) with N >= 2")
    return x


def _check_shape(vae, shape):
    """-> (rows, columns), or (rows, columns, 3)."""
    if np.shape(shape) not in ((2,), (3,)) or (len(shape) == 3 and shape[2] not in (1, 3)):
        raise ValueError(
            f"shape is {shape!r}; expected (rows, columns) of an image, or (rows, columns, 3)"
        )
    check_positive_int("rows of shape", shape[0])
    check_positive_int("columns of shape", shape[1])
    if math.prod(shape) != vae.data_dim:
        raise ValueError(_another_shape(shape, vae.data_dim))
    return tuple(shape[:2]) if math.prod(shape[2:]) == 1 else tuple(shape)


def _another_shape(shape, D):
    if shape is not MNIST:
        product = " × ".join(["rows", "columns", "colours"][: len(shape)])
        return f"shape is {shape!r}; expected {product} = D = {D}"
    text = f"shape is {shape!r}, the default; the model has D = {D}: pass shape="
    for colours in ((), (3,)):
        side = math.isqrt(D // math.prod(colours))
        if math.prod((side, side, *colours)) == D:
            return text + repr((side, side, *colours))
    return text + "(rows, columns), whose product is D"
