"""Latent dimensions in order of their KL, the dead ones marked."""

import numpy as np

from ..evaluation import ACTIVE_VARIANCE, summarize

BLUE, VERMILION = "#0072b2", "#d55e00"  # Okabe & Ito 2008: apart for every eye
WHAT_DEAD_MEANS = f"dead: variance of mu over the data ≤ {ACTIVE_VARIANCE}"


def latent_summary(vae, x):
    """mu (N, Z), and an Evaluation in which only kl_per_dim and mu_variance have meaning."""
    mu, logvar = vae.encode(x)
    return mu, summarize(np.zeros(len(mu)), mu, logvar)


def by_kl(evaluation):
    """The dimensions, largest mean KL first."""
    return np.argsort(-evaluation.kl_per_dim, kind="stable")


def label_dimensions(axes, positions, evaluation, order):
    """Ticks such as "z[7]  3.21" (nats) or, in vermilion, "dead  z[13]  0.00"."""
    kl, active = evaluation.kl_per_dim, evaluation.active
    names = [f"z[{i}]  {kl[i]:.2f}" if active[i] else f"dead  z[{i}]  {kl[i]:.2f}" for i in order]
    axes.set_yticks(positions, names)
    for label, i in zip(axes.get_yticklabels(), order, strict=True):
        if not active[i]:
            label.set_color(VERMILION)
