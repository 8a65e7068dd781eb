"""Few labels: how well are digits recognised when only some of the images have a label?

    python examples/uses/few_labels.py                       digits drawn from fonts
    python examples/uses/few_labels.py --data-dir FOLDER     MNIST, 50,000 images to learn from

Six ways to use the same labels, all with one hidden layer of 500: a classifier alone; one that
starts with the weights of a VAE's encoder; a classifier of the VAE's codes (M1); a VAE that has
the label as a latent variable (M2); that, begun with the weights of a VAE; and that on the codes
of one (M1+M2). A VAE sees all images, labelled or not. The table has the share of test images
that are recognised. M2 takes most of the time: ten seconds an epoch on a core of its own.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

import npvae
from npvae import plots
from npvae.relatives import Masking, Predictor
from npvae.relatives.semi_supervised import UNLABELLED, SemiSupervisedVAE, train_semi_supervised

HIDDEN, LATENT, ACTIVATION = (500,), 50, "softplus"
CLASSIFIER_STEPS = 2000
NEGLIGIBLE = 1e-6  # classes that the classifier gives less are left out of M2's sum


class Data(NamedTuple):
    """x (N, D) with labels, −1 where they are hidden; rows to watch, and rows to judge by."""

    x: np.ndarray
    labels: np.ndarray
    x_val: np.ndarray
    labels_val: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray

    @property
    def known(self):
        return self.labels != UNLABELLED

    def encoded_by(self, vae):
        """The same, with every image replaced by its mu."""
        mu = {name: vae.encode(getattr(self, name))[0] for name in ("x", "x_val", "test")}
        return self._replace(**mu)


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--data-dir", type=Path, help="folder with MNIST's four IDX files, plain or gzipped")
    add("--labels", type=int, nargs="+", default=[100, 600, 1000, 3000], help="multiples of 10")
    add("--ways", nargs="+", choices=WAYS, default=list(WAYS), metavar="WAY", help=", ".join(WAYS))
    add("--images", type=int, default=50_000, help="to learn from")
    add("--epochs", type=int, default=80, help="of M2")
    add("--vae-epochs", type=int, default=20, help="of the VAE that M1 and others start from")
    add("--batch-size", type=int, default=200, help="of M2, of images without a label")
    add("--alpha", type=float, default=10.0, help="weight of the classifier's own loss in M2")
    add("--mask", type=float, default=0.5, help="share of pixels that M2's classifier misses")
    add("--rate", type=float, default=5e-3, help="M2's learning rate for half of its epochs")
    add("--seeds", type=int, nargs="+", default=[0], help="of labels, weights and order")
    add("--out", type=Path, default=Path("out"), help="folder for the pictures")
    return parser.parse_args()


def load(args, rng):
    """Images to learn from, to watch and to test, each with labels; the last of --data-dir's
    training images are watched."""
    if args.data_dir:
        d = npvae.datasets.load_mnist(args.data_dir, dtype=np.uint8)
        x, labels, test = d.train, d.train_labels, (d.test, d.test_labels)
    else:
        n = args.images + 2000
        x, labels = npvae.datasets.glyph_digits(n, rng=rng)[:2]
        test = npvae.datasets.glyph_digits(2000, rng=rng)[:2]
    n = min(args.images, len(x) * 5 // 6)
    return Data(x[:n], labels[:n], x[len(x) * 5 // 6 :], labels[len(x) * 5 // 6 :], *test)


def hide(data, n, rng):
    """The data with n labels, as many of each class; the others are −1."""
    labels = np.full_like(data.labels, UNLABELLED)
    for k in range(10):
        chosen = rng.choice(np.flatnonzero(data.labels == k), n // 10, replace=False)
        labels[chosen] = k
    return data._replace(labels=labels)


def fit_vae(data, epochs, rng):
    vae = npvae.VAE.init(
        data.x.shape[1],
        hidden=HIDDEN,
        latent_dim=LATENT,
        likelihood=npvae.Bernoulli(),
        activation=ACTIVATION,
        rng=rng,
    )
    choices = {"epochs": epochs, "optimizer": npvae.Adam(), "binarize": True, "rng": rng}
    for epoch in npvae.train(vae, data.x, **choices):
        print(f"VAE, {epoch}", flush=True)
    return vae


def classify(data, rng, start=None):
    """A classifier of the labelled rows alone; start is a layer to begin with."""
    choices = {"hidden": HIDDEN, "activation": ACTIVATION, "rng": rng}
    predictor = Predictor.init(data.x.shape[1], likelihood=npvae.Categorical(10), **choices)
    for array, values in zip(predictor.layers[0], start or (), strict=False):
        array[...] = values
    x, labels = data.x[data.known], data.labels[data.known]
    epochs = max(1, CLASSIFIER_STEPS // -(-len(x) // 100))  # in batches of 100
    list(
        npvae.relatives.train_predictor(
            predictor, x, labels, epochs=epochs, optimizer=npvae.Adam(), rng=rng
        )
    )
    return predictor


def begin_with(model, vae):
    """Give M2 the weights of a VAE, and its classifier those of the encoder's first layer."""
    mine, given = model.vae.params, vae.params
    for layer, start in zip(
        mine.encoder + mine.decoder, given.encoder + given.decoder, strict=True
    ):
        layer.W[: len(start.W)] = start.W  # the rows below multiply y, and are zero
        layer.b[...] = start.b
    for array, values in zip(model.classifier.layers[0], given.encoder[0], strict=True):
        array[...] = values


def share_labels(data, likelihood, binarize, args, rng, start=None):
    """M2, whose classifier has learned from all rows; start is a VAE to begin with."""
    model = SemiSupervisedVAE.init(
        data.x.shape[1],
        classes=10,
        hidden=HIDDEN,
        latent_dim=LATENT,
        likelihood=likelihood,
        activation=ACTIVATION,
        rng=rng,
    )
    if start is not None:
        begin_with(model, start)
    optimizer = npvae.Adam(args.rate)
    choices = {"alpha": args.alpha, "negligible": NEGLIGIBLE, "epochs": args.epochs, "rng": rng}
    choices |= {"batch_size": args.batch_size, "binarize": binarize}
    choices |= {"corruption": Masking(args.mask) if args.mask else None}
    watched = {"x_val": data.x_val, "labels_val": data.labels_val}
    for epoch in train_semi_supervised(
        model, data.x, data.labels, optimizer=optimizer, **choices, **watched
    ):
        print(f"{epoch}, {epoch.seconds:.0f} s", flush=True)
        optimizer.learning_rate = args.rate * min(1, 2 * (1 - epoch.epoch / (args.epochs + 1)))
    return model


def supervised(data, vae, args, rng):
    return classify(data, rng).accuracy(data.test, data.test_labels)


def pretrained(data, vae, args, rng):
    start = vae.params.encoder[0]
    return classify(data, rng, start).accuracy(data.test, data.test_labels)


def m1(data, vae, args, rng):
    return supervised(data.encoded_by(vae), vae, args, rng)


def m2(data, vae, args, rng, start=None):
    model = share_labels(data, npvae.Bernoulli(), True, args, rng, start)
    draw_analogies(model, data.test, args.out)
    return model.classifier.accuracy(data.test, data.test_labels)


def pretrained_m2(data, vae, args, rng):
    return m2(data, vae, args, rng, start=vae)


def m1_m2(data, vae, args, rng):
    codes = data.encoded_by(vae)
    model = share_labels(codes, npvae.LearnedGaussian(), False, args, rng)
    return model.classifier.accuracy(codes.test, codes.test_labels)


WAYS = {
    "supervised": supervised,
    "pretrained": pretrained,
    "M1": m1,
    "M2": m2,
    "pretrained M2": pretrained_m2,
    "M1+M2": m1_m2,
}


def draw_analogies(model, x, out, n=10):
    """Each row: an image, then E[x|y, z] for every class y at the image's own z."""
    x = np.divide(x[:n], 255 if x.dtype == np.uint8 else 1, dtype=model.dtype)
    classes = np.eye(10, dtype=model.dtype)
    guessed = classes[model.classifier.predict(x)]
    mu, _ = model.vae.encode(x, guessed)
    written = [model.vae.decode(mu, np.broadcast_to(k, (n, 10))) for k in classes]
    images = np.stack([x, *written], axis=1).reshape(-1, 28, 28)
    sheet = plots.sheet.tile(images, 11)
    title = "An image, and the same z with each class y"
    figure, _ = plots.sheet.sheet_figure(sheet, title, (28, 28))
    figure.savefig(out / "few_labels_analogies.png", dpi=100)


def draw(table, args):
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    for way in args.ways:
        shares = np.array([table[way, n] for n in args.labels])  # (labels, seeds)
        axes.plot(args.labels, 100 * shares.mean(axis=1), "o-", label=way)
    axes.set(xscale="log", xlabel="labels", ylabel="% of test images recognised")
    axes.set_xticks(args.labels, args.labels, minor=False)
    axes.legend()
    figure.savefig(args.out / "few_labels_shares.png", dpi=120)


def main():
    args = parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    table = {}
    for seed in args.seeds:
        rng = np.random.default_rng(seed)
        data = load(args, rng)
        needs_vae = set(args.ways) - {"supervised", "M2"}
        vae = fit_vae(data, args.vae_epochs, rng) if needs_vae else None
        for n in args.labels:
            labelled = hide(data, n, rng)
            for way in args.ways:
                share = WAYS[way](labelled, vae, args, rng)
                table.setdefault((way, n), []).append(share)
                print(f"seed {seed}, {n} labels, {way}: {100 * share:.2f} % right", flush=True)
    print("\n% right: a mean over seeds, and the lowest\n" + " " * 12, end="")
    print("".join(f"{n:>16,}" for n in args.labels))
    for way in args.ways:
        cells = [100 * np.array(table[way, n]) for n in args.labels]
        print(f"{way:12}" + "".join(f"{c.mean():9.2f} {c.min():6.2f}" for c in cells))
    if len(args.labels) > 1:
        draw(table, args)


if __name__ == "__main__":
    main()
