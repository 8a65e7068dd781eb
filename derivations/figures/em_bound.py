"""Draws em_bound.png: three steps of EM in one number, the bound of each q touching log p(x)."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.special import logsumexp
from scipy.stats import norm

# Rows of two heaps, and a mixture of which one number is not known: m, the mean of component 1.
rng = np.random.default_rng(1)
x = np.concatenate([rng.normal(-1.5, 1, 20), rng.normal(1.5, 1, 20)])
OTHER, BEGIN = 1.5, 2.5
m = np.linspace(-4, 3.5, 400)


def log_joint(m):
    """log ½ N(x; m, 1), log ½ N(x; 1.5, 1).        m (M,) -> (2, M, N)"""
    here = norm.logpdf(x, m[:, None])
    return np.log(0.5) + np.stack([here, np.broadcast_to(norm.logpdf(x, OTHER), here.shape)])


def log_px(m):
    return logsumexp(log_joint(m), axis=0).mean(axis=1)


def posterior(m):
    joint = log_joint(m)
    return np.exp(joint - logsumexp(joint, axis=0))


def bound(q, m):
    return (q * (log_joint(m) - np.log(q))).sum(axis=0).mean(axis=1)


figure = Figure(figsize=(8, 3.6), layout="constrained")
axes = figure.subplots()
axes.plot(m, log_px(m), "k", linewidth=2, label="log p(x), the mean over 40 rows")
here = np.array([BEGIN])
for colour in ("#D55E00", "#CC79A7", "#0072B2"):
    q = posterior(here)
    axes.plot(
        m, bound(q, m), color=colour, label=f"the bound with the posterior at m = {here[0]:.2f}"
    )
    axes.plot(here, log_px(here), "o", color=colour)
    there = np.array([(q[0, 0] * x).sum() / q[0, 0].sum()])  # the M step
    axes.plot([*there, *there], [bound(q, there)[0], log_px(there)[0]], ":", color=colour)
    print(f"m {here[0]:6.3f} -> {there[0]:6.3f}: log p(x) {log_px(here)[0]:.3f}", end="")
    print(f" <= bound {bound(q, there)[0]:.3f} <= log p(x) {log_px(there)[0]:.3f}")
    here = there
axes.set(xlabel="m, the mean of the first component", ylabel="nats a row", ylim=(-5, -1.5))
axes.legend(frameon=False, fontsize=8, loc="upper right")
figure.savefig(Path(__file__).with_suffix(".png"), dpi=120)
