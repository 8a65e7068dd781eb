"""Draws few_labels.png, and prints its numbers: digits drawn from fonts, few of them labelled.

    python derivations/figures/few_labels.py [--labels 50] [--epochs 30]

The same model as it is, with the entropy of q(y|x) left out of the bound, with α multiplied by
the batch, and without α; beside a classifier of the labelled digits alone. A few minutes.
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import npvae
from npvae.plots.sheet import tile
from npvae.relatives import Predictor, SemiSupervisedVAE, train_predictor, train_semi_supervised
from npvae.relatives.semi_supervised import bounds as module

DIGITS, HELD_OUT, BATCH = 3000, 2000, 50
SHADES = {
    "as it is": "#0072B2",
    "entropy forgotten": "#D55E00",
    "α times the batch": "#E69F00",
    "α = 0": "#999999",
}
right_surplus = module._surplus


def data(labels):
    """Digits, labels with −1 for all but as many of each class; digits held out."""
    x, truth, _ = npvae.datasets.glyph_digits(DIGITS + HELD_OUT, rng=np.random.default_rng(0))
    known = np.full(DIGITS, -1)
    for k in range(10):
        known[np.flatnonzero(truth[:DIGITS] == k)[: labels // 10]] = k
    return x[:DIGITS], known, x[DIGITS:], truth[DIGITS:]


def supervised(x, known, x_val, labels_val):
    rng, chosen = np.random.default_rng(1), known >= 0
    predictor = Predictor.init(784, likelihood=npvae.Categorical(10), hidden=(100,), rng=rng)
    choices = {"epochs": 200, "optimizer": npvae.Adam(), "rng": rng}
    list(train_predictor(predictor, x[chosen], known[chosen], **choices))
    return predictor.accuracy(x_val, labels_val)


def run(x, known, x_val, labels_val, epochs, alpha=1.0, surplus=right_surplus):
    """-> the model, accuracy held out by epoch, bound, mean entropy of q(y|x) held out"""
    module._surplus = surplus
    rng = np.random.default_rng(1)
    choices = {"hidden": (100,), "latent_dim": 10, "likelihood": npvae.Bernoulli(), "rng": rng}
    model = SemiSupervisedVAE.init(784, classes=10, **choices)
    records = list(
        train_semi_supervised(
            model,
            x,
            known,
            epochs=epochs,
            optimizer=npvae.Adam(2e-3),
            rng=rng,
            alpha=alpha,
            batch_size=BATCH,
            binarize=True,
            x_val=x_val,
            labels_val=labels_val,
        )
    )
    log_q = model.classifier.log_probabilities(x_val)
    entropy = -np.sum(np.exp(log_q) * log_q, axis=1).mean()
    accuracy = [record.validation_accuracy for record in records]
    return model, accuracy, records[-1].unlabelled, entropy


def analogies(model, x, n=8):
    """Each row: a digit, then E[x|y, z] for every y at the mean of q(z|x, the class predicted)."""
    classes = np.eye(10, dtype=model.dtype)
    mu, _ = model.vae.encode(x[:n], classes[model.classifier.predict(x[:n])])
    drawn = [model.vae.decode(mu, np.tile(one, (n, 1))) for one in classes]
    gap = np.ones((n, 784))
    return tile(np.stack([x[:n], gap, *drawn], axis=1).reshape(-1, 28, 28), 12)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--labels", type=int, default=50)
    parser.add_argument("--epochs", type=int, default=30)
    args = parser.parse_args()
    of = data(args.labels)
    alone = supervised(*of)
    print(f"{'supervised':20} {100 * alone:.1f} % right", flush=True)
    settings = {
        "as it is": {},
        "entropy forgotten": {"surplus": lambda with_class, log_q: with_class.T},
        "α times the batch": {"alpha": float(BATCH)},
        "α = 0": {"alpha": 0.0},
    }
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, sheet = figure.subplots(1, 2, width_ratios=(5, 6))
    for name, setting in settings.items():
        model, accuracy, bound, entropy = run(*of, args.epochs, **setting)
        print(
            f"{name:20} {100 * accuracy[-1]:.1f} % right, bound {bound:.2f} nats, "
            f"entropy of q(y|x) {entropy:.3f} nats",
            flush=True,
        )
        epochs = range(1, len(accuracy) + 1)
        left.plot(epochs, 100 * np.array(accuracy), color=SHADES[name], label=name)
        if name == "as it is":
            sheet.imshow(analogies(model, of[2]), cmap="gray", vmin=0, vmax=1)
    left.axhline(100 * alone, color="black", ls=":", label="labels alone")
    left.set(xlabel="epoch", title=f"{args.labels} labels: % of digits held out recognised")
    left.legend(frameon=False)
    left.spines[["top", "right"]].set_visible(False)
    sheet.set(title="x, and the same z with every class y", xticks=[], yticks=[])
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=120)


if __name__ == "__main__":
    main()
