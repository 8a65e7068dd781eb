"""Draws few_labels.png, and prints its numbers: two long heaps of points, a label in each.

    python derivations/figures/few_labels.py [--seeds 12] [--epochs 60]

A classifier of the two labelled points; a VAE with the label as a latent variable, which sees all
points; and the same with the entropy of q(y|x) left out of the bound, with α multiplied by the
batch, and without α. Each from several pairs of labels. A minute.
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import npvae
from npvae.relatives import Predictor, SemiSupervisedVAE, train_predictor, train_semi_supervised
from npvae.relatives.semi_supervised import bounds as module

POINTS, BATCH, LABELS = 600, 50, 1
right_surplus = module._surplus
MISTAKES = {
    "as it is": {},
    "entropy forgotten": {"surplus": lambda with_class, log_q: with_class.T},
    "α times the batch": {"alpha": float(BATCH)},
    "α = 0": {"alpha": 0.0},
}


def heaps(seed):
    """Points of two long heaps, (POINTS, 2), the class of each, labels with −1 for all but two."""
    rng = np.random.default_rng(seed)
    heap = np.arange(POINTS) % 2
    along, off = rng.uniform(-2, 2, POINTS), rng.normal(0, 0.15, POINTS)
    x = np.stack([along, 0.3 * along + np.where(heap == 1, -0.6, 0.6) + off], axis=1)
    labels = np.full(POINTS, -1)
    for k in range(2):
        labels[rng.choice(np.flatnonzero(heap == k), LABELS, replace=False)] = k
    return x.astype(np.float32), heap, labels


def alone(x, labels, epochs, seed):
    """A classifier of the labelled points."""
    rng, known = np.random.default_rng(seed), labels >= 0
    predictor = Predictor.init(2, likelihood=npvae.Categorical(2), hidden=(30,), rng=rng)
    choices = {"epochs": 10 * epochs, "optimizer": npvae.Adam(5e-3), "rng": rng}
    list(train_predictor(predictor, x[known], labels[known], **choices))
    return predictor


def with_all(x, labels, epochs, seed, alpha=1.0, surplus=right_surplus):
    """The classifier q(y|x) of a VAE that sees all points."""
    module._surplus, rng = surplus, np.random.default_rng(seed)
    choices = {"hidden": (30,), "latent_dim": 1, "likelihood": npvae.LearnedGaussian(0.5)}
    model = SemiSupervisedVAE.init(2, classes=2, rng=rng, **choices)
    settings = {"epochs": epochs, "optimizer": npvae.Adam(5e-3), "batch_size": BATCH}
    list(train_semi_supervised(model, x, labels, alpha=alpha, rng=rng, **settings))
    module._surplus = right_surplus
    return model.classifier


def draw(axes, classifier, x, labels, title):
    span = np.linspace(-2.2, 2.2, 200, dtype=np.float32)
    grid = np.stack(np.meshgrid(span, span), axis=-1).reshape(-1, 2)
    q = np.exp(classifier.log_probabilities(grid)[:, 1]).reshape(200, 200)
    axes.contourf(span, span, q, levels=np.linspace(0, 1, 11), cmap="RdBu", alpha=0.6)
    axes.plot(*x[labels < 0].T, ".", color="black", ms=1.5)
    for k, mark in enumerate("os"):
        style = {"mfc": ("#D55E00", "#0072B2")[k], "mec": "white", "ms": 9}
        axes.plot(*x[labels == k].T, mark, **style)
    axes.set(title=title, xlim=(-2.2, 2.2), ylim=(-1.5, 1.5), xticks=[], yticks=[], aspect="equal")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=60)
    args = parser.parse_args()
    right, drawn = {}, {}
    for seed in range(args.seeds):
        x, truth, labels = heaps(seed)
        classifiers = {"labels alone": alone(x, labels, args.epochs, seed)}
        for name, settings in MISTAKES.items():
            classifiers[name] = with_all(x, labels, args.epochs, seed, **settings)
        for name, classifier in classifiers.items():
            right.setdefault(name, []).append(100 * classifier.accuracy(x, truth))
        kind = "found" if right["as it is"][-1] > 99 else "not found"
        drawn.setdefault(kind, (classifiers, x, labels))
    for name, shares in right.items():
        print(f"{name:22} {np.mean(shares):5.1f} % right; {np.sort(shares).round().astype(int)}")
    figure = Figure(figsize=(9, 2.3), layout="constrained")
    panels = figure.subplots(1, 3)
    classifiers, x, labels = drawn["found"]
    draw(panels[0], classifiers["labels alone"], x, labels, "two labels alone")
    draw(panels[1], classifiers["as it is"], x, labels, "and 598 points without")
    classifiers, x, labels = drawn["not found"]
    draw(panels[2], classifiers["as it is"], x, labels, "with two other labels")
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=130, bbox_inches="tight")


if __name__ == "__main__":
    main()
