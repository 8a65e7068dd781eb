"""Digits asked for by class: a conditional VAE of MNIST, and what a label is worth to it.

    python examples/uses/conditional.py --data-dir FOLDER                   an hour
    python examples/uses/conditional.py --data-dir FOLDER --minutes 5       a taste
    python examples/uses/conditional.py --data-dir FOLDER --judge out/conditional.npz

784-200-200-50, tanh, a prior that is told the label, binary targets drawn at each visit, batches
of 50, Adam with ε = 1e-4. Its learning rate falls from 1e-3 to 1e-4 while the minutes pass. Then:
−log p(x|label) of test images, in nats; how often a classifier, trained apart, sees the digit that
was asked for; and a picture, out/conditional.png.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import npvae
from npvae.plots.sheet import centres, tile
from npvae.relatives import (
    ConditionalVAE,
    Masking,
    Predictor,
    conditional_log_likelihood,
    evaluate_conditional,
    marginal_log_likelihood,
    one_hot,
    train_conditional,
    train_predictor,
)

CLASSES, ASKED, SHOWN = 10, 1000, 12
EPOCHS, HIDDEN = 16, 0.4  # of the classifier


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--data-dir", type=Path, help="folder with MNIST's four IDX files, plain or gzipped")
    add("--minutes", type=float, default=60, help="of training, by the clock on the wall")
    add("--prior", choices=["label", "standard"], default="label", help="N(m(c), s²(c)) or N(0, I)")
    add("--latent", type=int, default=50, help="Z")
    add("--test-images", type=int, default=1000, help="the first so many, for −log p(x|label)")
    add("--draws", type=int, default=5000, help="of z for each of them")
    add("--marginal", type=int, default=0, help="of these, so many are judged by every label")
    add("--judge", type=Path, help="a saved model, to be judged and not trained")
    add("--seed", type=int, default=0, help="of everything random")
    add("--out", type=Path, default=Path("out"), help="folder for the picture")
    add("--model", type=Path, default=Path("out/conditional.npz"), help="where the model is kept")
    return parser.parse_args()


def fit(args, mnist, init_rng, train_rng):
    model = ConditionalVAE.init(
        784,
        condition_dim=CLASSES,
        hidden=(200, 200),
        latent_dim=args.latent,
        likelihood=npvae.Bernoulli(),
        prior_hidden=() if args.prior == "label" else None,
        x_mean=mnist.train.mean(axis=0) / 255,
        rng=init_rng,
    )
    optimizer = npvae.Adam(1e-3, epsilon=1e-4)
    start, busy = time.perf_counter(), time.process_time()
    for epoch in train_conditional(
        model,
        mnist.train,
        one_hot(mnist.train_labels, CLASSES),
        epochs=100_000,
        batch_size=50,
        optimizer=optimizer,
        binarize=True,
        rng=train_rng,
    ):
        passed = (time.perf_counter() - start) / (60 * args.minutes)
        optimizer.learning_rate = 1e-3 * 0.1**passed
        if epoch.epoch % 10 == 0 or passed >= 1:
            print(epoch, flush=True)
        if passed >= 1:
            break
    print(f"{(time.process_time() - busy) / 60:.1f} minutes of a processor")
    return model


def judge(args, model, mnist, rng):
    test = npvae.binarize(mnist.test, rng=rng)
    labels = one_hot(mnist.test_labels, CLASSES)
    print("all test images:", evaluate_conditional(model, test, labels, samples=10, rng=rng))
    n, m = args.test_images, args.marginal
    print(
        f"the first {n:,}:", evaluate_conditional(model, test[:n], labels[:n], samples=10, rng=rng)
    )
    given = conditional_log_likelihood(model, test[:n], labels[:n], samples=args.draws, rng=rng)
    print(f"given the label: {given}")
    if m:
        with warnings.catch_warnings():  # told a false label, q covers little
            warnings.simplefilter("ignore", npvae.UnreliableWarning)
            told = [
                conditional_log_likelihood(model, test[:m], c, samples=args.draws, rng=rng).log_px
                for c in np.eye(CLASSES, dtype=model.dtype)
            ]
        log_px_c = np.stack(told, axis=1)
        log_px = marginal_log_likelihood(log_px_c, np.full(CLASSES, -np.log(CLASSES)))
        right = log_px_c[np.arange(m), mnist.test_labels[:m]]
        print(
            f"first {m}: log p(x) {log_px.mean():.2f} nats; the label is worth "
            f"{np.mean(right - log_px):.3f} of log 10 = 2.303; the most likely label is right for "
            f"{np.mean(log_px_c.argmax(axis=1) == mnist.test_labels[:m]):.1%}"
        )


def teach(mnist, rng):
    """A classifier, apart from the model. It errs less because it learns with pixels hidden: in
    each epoch it sees binary images, drawn anew, without 40 % of their pixels, others each time."""
    choices = {"hidden": (512,), "activation": "relu", "rng": rng}
    classifier = Predictor.init(784, likelihood=npvae.Categorical(CLASSES), **choices)
    optimizer, mask = npvae.Adam(), Masking(HIDDEN)
    for epoch in range(EPOCHS):
        optimizer.learning_rate = 1e-3 if epoch < EPOCHS // 2 else 2e-4
        x = npvae.binarize(mnist.train, rng=rng)
        x = mask.apply(x, mask.draw(x.shape, x.dtype, rng=rng)) / np.float32(1 - HIDDEN)
        settings = {"epochs": 1, "optimizer": optimizer, "rng": rng}
        list(train_predictor(classifier, x, mnist.train_labels, **settings))
    return classifier


def recognise(model, mnist, rng):
    """How often a classifier sees the digit that was asked for, in means and in draws of x."""
    classifier = teach(mnist, rng)
    own = classifier.accuracy(mnist.test, mnist.test_labels)
    binary = classifier.accuracy(npvae.binarize(mnist.test, rng=rng), mnist.test_labels)
    print(f"classifier: {own:.2%} of grey test images, {binary:.2%} of binary ones")
    labels = np.repeat(np.arange(CLASSES), ASKED)
    for draw, kind in ((False, "means E[x|z, c]"), (True, "binary draws of x")):
        images = model.sample(len(labels), one_hot(labels, CLASSES), rng=rng, draw=draw)
        seen = classifier.predict(images) == labels
        by_digit = " ".join(f"{share:.1%}" for share in seen.reshape(CLASSES, ASKED).mean(axis=1))
        print(f"asked for and recognised, {kind}: {seen.mean():.2%}; by digit {by_digit}")


def draw(model, rng):
    """A row for each class, a column for each z': the same style in ten digits."""
    noise = rng.standard_normal((SHOWN, model.latent_dim), np.float32)
    images = [model.given(one_hot(k, CLASSES)).decode(noise) for k in range(CLASSES)]
    figure = Figure(figsize=(6, 5.2), layout="constrained")
    axes = figure.subplots()
    sheet = tile(np.concatenate(images).reshape(-1, 28, 28), SHOWN)
    axes.imshow(sheet, cmap="gray", vmin=0, vmax=1, interpolation="none")
    axes.set_yticks(centres(CLASSES, 28), range(CLASSES))
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def main():
    args = parse_args()
    warnings.formatwarning = lambda message, *_, **__: f"note: {message}\n"
    data_rng, init_rng, train_rng, judge_rng = np.random.default_rng(args.seed).spawn(4)
    mnist = npvae.datasets.load_mnist(args.data_dir, dtype=np.uint8)
    args.out.mkdir(parents=True, exist_ok=True)
    if args.judge:
        model = ConditionalVAE.load(args.judge)
    else:
        model = fit(args, mnist, init_rng, train_rng)
        args.model.parent.mkdir(parents=True, exist_ok=True)
        model.save(args.model)
    draw(model, data_rng).savefig(args.out / "conditional.png", dpi=150)
    recognise(model, mnist, data_rng)
    judge(args, model, mnist, judge_rng)


if __name__ == "__main__":
    main()
