"""Numbers as charts: training, the latent space, KL."""

from collections.abc import Iterable

import numpy as np
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from ..evaluation import Evaluation
from ..objectives import ClosedForm, Sampled
from ..training import Epoch
from ..vae import VAE
from .dimensions import (
    BLUE,
    VERMILION,
    WHAT_DEAD_MEANS,
    by_kl,
    label_dimensions,
    latent_summary,
)
from .sheet import DPI, Figure

# Paul Tol 2021, "Colour schemes", muted, and black: apart for the colour-blind too.
CLASSES = (
    *("#332288", "#88ccee", "#44aa99", "#117733", "#999933"),
    *("#ddcc77", "#cc6677", "#882255", "#aa4499", "#000000"),
)


def training_curves(epochs: Iterable[Epoch]) -> Figure:
    """The bound, its two parts and the number of active units, epoch by epoch.

    epochs      Epoch records, such as list(npvae.train(…)), with validation or without
    Raises TypeError unless all are Epoch records, ValueError if there are no records.
    """
    records = _check_epochs(epochs)
    latent_dim = len(records[0].kl_per_dim)
    panels = {
        "elbo": "elbo = reconstruction − kl",
        "reconstruction": "reconstruction, mean log p(x|z)",
        "kl": "kl, mean KL(q(z|x) ‖ p(z))",
        "active_units": f"active units, of Z = {latent_dim}",
    }
    figure = Figure(figsize=(8, 6), dpi=DPI, layout="constrained")
    for axes, (name, title) in zip(figure.subplots(2, 2).flat, panels.items(), strict=True):
        _curves(axes, name, records)
        axes.set_title(title, fontsize="medium")
        axes.set(xlabel="epoch", ylabel="nats an image")
        axes.xaxis.set_major_locator(_integers())
    axes.set(ylabel="units", ylim=(0, 1.08 * latent_dim))
    axes.yaxis.set_major_locator(_integers())
    handles, labels = axes.get_legend_handles_labels()
    if len(labels) > 1:
        figure.legend(handles, labels, loc="outside lower center", ncols=2)
    else:  # one curve needs no key, and four panels no box that explains it
        figure.supxlabel(*labels, fontsize="small")
    if text := _objective(records):
        figure.suptitle(text, fontsize="medium")
    return figure


def _curves(axes, name, epochs):
    # A training value is a mean over an epoch in which the model changed, so it lags half
    # an epoch behind the validation's: the legend must say so.
    at, values = [e.epoch for e in epochs], [getattr(e, name) for e in epochs]
    axes.plot(at, values, ".-", ms=5, color=BLUE, label="training, mean over the epoch")
    axes.set_xlim(min(at) - 0.5, max(at) + 0.5)
    if validated := [e for e in epochs if e.validation is not None]:
        at, values = [e.epoch for e in validated], [getattr(e.validation, name) for e in validated]
        axes.plot(at, values, ".--", ms=5, color=VERMILION, label="validation, after the epoch")


def _integers():
    return MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1)


def _objective(epochs):
    """What training maximized, where that is not the elbo."""
    first, last = epochs[0].objective, epochs[-1].objective
    if all(isinstance(e.objective, ClosedForm | Sampled) and e.objective.beta == 1 for e in epochs):
        return ""
    return f"Training maximized {first}" + (f",\nand at last {last}" if last != first else "")


def latent_scatter(vae: VAE, x: ArrayLike, labels: ArrayLike) -> Figure:
    """The means mu of q(z|x) in two dimensions of z, coloured by label.

    x (N, D); labels (N,): whole numbers or strings, ten kinds at most, get a legend, other
    numbers a colour bar
    Of more than two dimensions it shows the two with the largest mean KL.
    Raises TypeError or ValueError if x is no finite (N, D) array in the likelihood's support,
    labels are not as described, or Z = 1.
    """
    if vae.latent_dim < 2:
        raise ValueError("the model has Z = 1; a scatter needs Z >= 2")
    x = vae.check_data("x", x)
    labels = _check_labels(labels, len(x))
    mu, latents = latent_summary(vae, x)
    i, j = sorted(by_kl(latents)[:2])
    figure = Figure(figsize=(7, 6), dpi=DPI, layout="constrained")
    axes = figure.subplots()
    _scatter(axes, mu[:, i], mu[:, j], labels)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xlabel(f"mu[{i}], mean KL {latents.kl_per_dim[i]:.2f} nats")
    axes.set_ylabel(f"mu[{j}], mean KL {latents.kl_per_dim[j]:.2f} nats")
    title = f"Means mu of q(z|x), N = {len(mu):,}"
    if vae.latent_dim > 2:
        title += f"\nin the two of Z = {vae.latent_dim} dimensions with the largest mean KL"
    axes.set_title(title, fontsize="medium")
    return figure


def _scatter(axes, right, up, labels):
    style = {"s": 8, "alpha": 0.8, "linewidths": 0, "rasterized": True}
    kinds, codes = np.unique(labels, return_inverse=True)
    if _is_measured(labels, kinds):
        points = axes.scatter(right, up, c=labels, cmap="viridis", **style)
        axes.figure.colorbar(points, label="label")
        return
    axes.scatter(right, up, c=np.array(CLASSES)[codes], **style)
    handles = [Patch(color=c, label=str(k)) for c, k in zip(CLASSES, kinds, strict=False)]
    axes.figure.legend(handles=handles, title="label", loc="outside right center")


def kl_per_dimension(evaluation: Evaluation) -> Figure:
    """The mean KL of each latent dimension in nats an image, largest first, dead ones marked.

    evaluation      what npvae.evaluate returned
    Raises TypeError if it is anything else.
    """
    if not isinstance(evaluation, Evaluation):
        raise TypeError(
            f"evaluation is a {type(evaluation).__name__}; expected what npvae.evaluate returns"
        )
    order = by_kl(evaluation)
    active, rows = evaluation.active[order], np.arange(len(order))
    figure = Figure(figsize=(7, 1.5 + 0.18 * len(order)), dpi=DPI, layout="constrained")
    axes = figure.subplots()
    axes.barh(rows, evaluation.kl_per_dim[order], color=np.where(active, BLUE, VERMILION))
    axes.set(ylim=(len(order) - 0.5, -0.5), xlabel="mean KL(q(z|x) ‖ p(z)), nats an image")
    axes.set_title(f"KL by latent dimension: {evaluation.kl:.2f} nats in all", fontsize="medium")
    axes.spines[["top", "right"]].set_visible(False)
    label_dimensions(axes, rows, evaluation, order)
    figure.legend(
        [Patch(color=BLUE), Patch(color=VERMILION)],
        [f"{active.sum()} active", f"{np.sum(~active)} {WHAT_DEAD_MEANS}"],
        loc="outside lower center",
        ncols=2,
    )
    return figure


def _is_measured(labels, kinds):
    return labels.dtype.kind == "f" or (labels.dtype.kind in "iu" and len(kinds) > len(CLASSES))


def _check_epochs(epochs):
    epochs = list(epochs)
    if not epochs:
        raise ValueError("epochs is empty; expected at least one Epoch record")
    for epoch in epochs:
        if not isinstance(epoch, Epoch):
            raise TypeError(
                f"epochs holds a {type(epoch).__name__}; expected the Epoch records of npvae.train"
            )
    return epochs


def _check_labels(labels, n):
    labels = np.asarray(labels)
    if labels.dtype.kind not in "biufU":
        raise TypeError(f"labels holds {labels.dtype} entries; expected numbers or strings")
    if labels.shape != (n,):
        raise ValueError(f"labels has shape {labels.shape}; expected (N,) with N = {n}")
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise ValueError("labels holds NaN or inf; expected finite numbers")
    if labels.dtype.kind == "U" and len(np.unique(labels)) > len(CLASSES):
        raise ValueError(f"labels holds more than {len(CLASSES)} kinds of string, one a colour")
    return labels
