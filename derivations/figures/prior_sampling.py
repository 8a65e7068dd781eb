"""Estimates of log p(x) by K draws of z, from the prior and from near the posterior."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import multivariate_normal

import npvae

Z, D, SIGMA = 5, 20, 0.1
REPETITIONS, K = 20, 2**17
WIDER = 1.5

rng = np.random.default_rng(1)
W = rng.standard_normal((Z, D))
x = rng.standard_normal((1, Z)) @ W + SIGMA * rng.standard_normal((1, D))
exact = multivariate_normal(np.zeros(D), W.T @ W + SIGMA**2 * np.eye(D)).logpdf(x[0])
covariance = np.linalg.inv(np.eye(Z) + W @ W.T / SIGMA**2)
mean = (x @ W.T @ covariance / SIGMA**2)[0]
kl = (np.trace(covariance) + mean @ mean - Z - np.linalg.slogdet(covariance)[1]) / 2


def estimates(q):
    """log (1/k) Σ p(x|z) p(z)/q(z) for k = 1 … K, one row a repetition."""
    prior = multivariate_normal(np.zeros(Z))
    rows = []
    for _ in range(REPETITIONS):
        z = q.rvs(K, random_state=rng)
        log_px_z = npvae.Gaussian(SIGMA).log_prob(x, (z @ W)[:, None])[:, 0]
        log_w = log_px_z + prior.logpdf(z) - q.logpdf(z)
        rows.append(np.logaddexp.accumulate(log_w) - np.log(np.arange(1, K + 1)))
    return np.array(rows)


figure = Figure(figsize=(6.2, 3.4), layout="constrained")
axes = figure.subplots()
shown = np.unique(np.geomspace(1, K, 60).astype(int))
proposals = {
    "from the prior": (multivariate_normal(np.zeros(Z)), "#0072B2"),
    "from near the posterior": (multivariate_normal(mean, WIDER**2 * covariance), "#D55E00"),
}
for label, (q, color) in proposals.items():
    rows = estimates(q)[:, shown - 1]
    axes.fill_between(shown, rows.min(axis=0), rows.max(axis=0), color=color, alpha=0.25, lw=0)
    axes.plot(shown, np.median(rows, axis=0), color=color, label=label)
axes.axhline(exact, color="black", lw=0.8)
axes.annotate(f"exact: −{-exact:.2f}", (30, exact + 2))
axes.axvline(np.exp(kl), color="black", ls=":")
axes.annotate("exp(KL)  ", (np.exp(kl), -900), ha="right")
axes.set_yscale("symlog", linthresh=10)
axes.set(xscale="log", xlabel="draws K", ylabel="estimate of log p(x), nats", ylim=(-5000, 40))
axes.set_yticks([-1000, -100, -10, 0, 10], ["−1000", "−100", "−10", "0", "10"])
axes.legend(loc="upper left", ncols=2, frameon=False)
figure.savefig(Path(__file__).with_suffix(".png"), dpi=150)
