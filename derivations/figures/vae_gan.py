"""Prints a VAE beside a GAN, a number for each line of the usual comparison; draws vae_gan.png.

    python derivations/figures/vae_gan.py                       on drawn digits, no picture
    python derivations/figures/vae_gan.py --data-dir DIR        on MNIST's four files in DIR

The VAE is 784-256-20-256-784, the GAN 20-256-784 and 784-128-1. They are trained for as many
epochs, and are judged by one classifier that saw the training labels.
"""

import argparse
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from scipy.special import logsumexp
from scipy.stats import spearmanr

import npvae
from npvae.activations import ACTIVATIONS
from npvae.dense import dense_backward_input, stack_backward
from npvae.relatives import GAN, Predictor, train_gan, train_predictor
from npvae.relatives.gan import mode_shares, modes_found, ring, ring_centres
from npvae.relatives.gan.network import generate

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#888888"
SAMPLES, INK, EVERY = 5000, 0.1, 2
SURE = 0.9


class Data(NamedTuple):
    train: np.ndarray
    labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray


def load(data_dir):
    if data_dir is not None:
        return Data(*npvae.datasets.load_mnist(data_dir)[:4])
    x, labels, _ = npvae.datasets.glyph_digits(15_000, rng=np.random.default_rng(0))
    return Data(x[:10_000], labels[:10_000], x[10_000:], labels[10_000:])


# The three models


def make_judge(data, rng):
    judge = Predictor.init(
        784, likelihood=npvae.Categorical(10), hidden=(200,), activation="relu", rng=rng
    )
    optimizer = npvae.Adam(1e-3, weight_decay=1e-5)
    for _ in train_predictor(
        judge, data.train, data.labels, epochs=10, optimizer=optimizer, rng=rng
    ):
        optimizer.learning_rate *= 0.8
    return judge


def sure(judge, x):
    """The share of images of which the judge is sure: a label has a probability above 0.9."""
    return np.mean(judge.log_probabilities(x).max(axis=1) > np.log(SURE))


def learn_vae(data, judge, epochs, rng):
    vae = npvae.VAE.init(
        784,
        hidden=(256,),
        latent_dim=20,
        likelihood=npvae.Bernoulli(),
        activation="relu",
        x_mean=data.train.mean(axis=0),
        rng=rng,
    )
    curve, quality = [], []
    for epoch in npvae.train(
        vae, data.train, epochs=epochs, optimizer=npvae.Adam(1e-3), binarize=True, rng=rng
    ):
        curve.append(epoch.bound)
        if epoch.epoch % EVERY == 0:
            quality.append(sure(judge, vae.sample(2000, rng=np.random.default_rng(1))))
    return vae, np.array(curve), np.array(quality)


def learn_gan(data, judge, epochs, rng):
    gan = GAN.init(784, hidden=(256,), discriminator_hidden=(128,), latent_dim=20, rng=rng)
    curve, quality = [], []
    for epoch in train_gan(
        gan,
        data.train,
        epochs=epochs,
        generator_optimizer=npvae.Adam(1e-3, beta1=0.5),
        discriminator_optimizer=npvae.Adam(2e-4, beta1=0.5),
        rng=rng,
    ):
        curve.append((epoch.discriminator_loss, epoch.generator_loss))
        if epoch.epoch % EVERY == 0:
            quality.append(sure(judge, gan.sample(2000, rng=np.random.default_rng(1))))
    return gan, np.array(curve), np.array(quality)


# What is measured


def grey(x):
    """The share of pixels with ink, x > 0.1, that are not white, x < 0.9."""
    return np.mean(x[x > INK] < 1 - INK)


def fine(x):
    """The share of the power, mean image of each taken off, above a quarter cycle a pixel."""
    images = x.reshape(-1, 28, 28)
    power = np.abs(np.fft.fft2(images - images.mean(axis=(1, 2), keepdims=True))) ** 2
    frequency = np.fft.fftfreq(28)
    high = np.hypot(*np.meshgrid(frequency, frequency)) > 0.25
    return power[:, high].sum() / power.sum()


def nearest(x, others):
    """The distance from each row of x to the nearest of others."""
    squares = np.sum(others * others, axis=1)
    parts = [
        np.sum(part * part, axis=1) + np.min(squares - 2 * part @ others.T, axis=1)
        for part in np.array_split(x, max(1, len(x) // 500))
    ]
    return np.sqrt(np.maximum(np.concatenate(parts), 0))


def frequencies(labels):
    return np.bincount(labels, minlength=10) / len(labels)


def parzen(centres, x, sigma):
    """Mean log density of x under a Gaussian of width sigma around each centre, nats."""
    squares = np.sum(centres * centres, axis=1)
    log_p = [
        logsumexp(-(squares - 2 * part @ centres.T) / (2 * sigma**2), axis=1)
        for part in np.array_split(x, 10)
    ]
    own = np.sum(x * x, axis=1) / (2 * sigma**2)
    constant = np.log(len(centres)) + 392 * np.log(2 * np.pi * sigma**2)
    return np.mean(np.concatenate(log_p) - own) - constant


def k_means(x, k, rng, steps=15):
    centres = x[rng.choice(len(x), k, replace=False)].copy()
    for _ in range(steps):
        scores = x @ centres.T - np.sum(centres * centres, axis=1) / 2
        owner = scores.argmax(axis=1)
        counts = np.bincount(owner, minlength=k)
        sums = np.zeros_like(centres)
        np.add.at(sums, owner, x)
        centres[counts > 0] = sums[counts > 0] / counts[counts > 0, None]
    return centres


def search(gan, x, rng, steps=500):
    """min_z ‖x − G(z)‖² for each row of x, by gradient, z from N(0, I) on."""
    z = rng.standard_normal((len(x), gan.latent_dim), np.float32)
    adam, layers = npvae.Adam(0.05), gan.generator.stacks["generator"]
    for _ in range(steps):
        sample = generate(gan, z)
        da = ACTIVATIONS[gan.output].backward(2 * (sample.x - x), sample.x)
        da, _ = stack_backward(da, z, layers, ACTIVATIONS[gan.activation], sample.hidden)
        adam.update([z], [dense_backward_input(da, layers[0].W)])
    return np.sum((generate(gan, z).x - x) ** 2, axis=1)


def on_the_ring(seed):
    """-> modes found and share within 3 std, of a VAE; its width is learned."""
    rng = np.random.default_rng(seed)
    centres = ring_centres()
    x = ring(5000, centres=centres, std=0.1, rng=rng)
    vae = npvae.VAE.init(
        2, hidden=(64, 64), latent_dim=8, likelihood=npvae.LearnedGaussian(), rng=rng
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", npvae.DiagnosisWarning)
        for _ in npvae.train(
            vae, x, epochs=60, batch_size=250, optimizer=npvae.Adam(1e-2), rng=rng
        ):
            pass
    drawn = vae.sample(4000, rng=rng, draw=True)
    found = modes_found(drawn, centres=centres, std=0.1)
    return found, mode_shares(drawn, centres=centres, std=0.1).sum()


# What is told


def tell_optimisation(vae_curve, vae_quality, gan_curve, gan_quality):
    print(f"epochs: {len(vae_curve)}; in how many the VAE's bound fell: ", end="")
    print(np.sum(np.diff(vae_curve) < 0), end="; the GAN's losses rose: ")
    print("D", np.sum(np.diff(gan_curve[:, 0]) > 0), "G", np.sum(np.diff(gan_curve[:, 1]) > 0))
    print("share the judge is sure of, every other epoch: VAE", vae_quality.round(2))
    print("   GAN", gan_quality.round(2))
    for name, loss, quality in (
        ("bound of the VAE", vae_curve, vae_quality),
        ("−loss of D", -gan_curve[:, 0], gan_quality),
        ("−loss of G", -gan_curve[:, 1], gan_quality),
    ):
        rank = spearmanr(loss[EVERY - 1 :: EVERY], quality).statistic
        print(f"   rank correlation of it with the {name}: {rank:.2f}")


def tell_samples(data, judge, images):
    rng = np.random.default_rng(4)
    n = min(len(data.train), len(data.test), 10_000)
    seen = data.train[rng.choice(len(data.train), n, replace=False)]
    held_out = data.test[:n]
    truth = frequencies(data.labels)
    for name, x in images.items():
        shares = frequencies(judge.predict(x))
        known = nearest(x, data.train)
        line = f"{name:22s} grey {grey(x):.3f}  fine {fine(x):.4f}  sure {sure(judge, x):.3f}  "
        line += f"shares {shares.min():.3f} … {shares.max():.3f}, "
        line += f"total variation {np.abs(shares - truth).sum() / 2:.3f}  "
        line += f"to the nearest {np.median(known):.2f}"
        if "test" not in name:
            nearer = np.mean(nearest(x, seen) < nearest(x, held_out))
            line += f", {nearer:.3f} nearer to seen than to held-out images"
        print(line)


def tell_parzen(data, images):
    rng = np.random.default_rng(5)
    half = len(data.test) // 2
    choose, judge = data.test[:half], data.test[half : half + 2000]
    centres = {
        "training images": data.train[rng.choice(len(data.train), 1000, replace=False)],
        "k-means": k_means(data.train[:20_000], 1000, rng),
        **{name: x[:1000] for name, x in images.items() if name[:4] in ("VAE'", "GAN'")},
    }
    for name, rows in centres.items():
        sigma = max(np.arange(0.1, 0.4, 0.02), key=lambda s: parzen(rows, choose[:1000], s))
        print(f"Parzen, 1000 {name}: {parzen(rows, judge, sigma):.1f} nats at σ = {sigma:.2f}")


def tell_what_one_alone_can(data, vae, gan):
    x = npvae.binarize(data.test[:200], rng=np.random.default_rng(6))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", npvae.UnreliableWarning)
        log_px = npvae.log_likelihood(vae, x, samples=1000, rng=np.random.default_rng(7)).log_px
    print(f"log p(x) of 200 binarised test images: VAE {log_px.mean():.1f} nats; GAN has none")
    x = data.test[:200]
    error = np.sum((vae.reconstruct(x) - x) ** 2, axis=1)
    print(f"encode and decode: squared error {error.mean():.1f} an image, by one pass")
    found = np.min([search(gan, x, np.random.default_rng(seed)) for seed in range(3)], axis=0)
    print(f"search for z in the GAN, 3 × 500 steps: {found.mean():.1f}")


def draw(file, images, vae_curve, gan_curve):
    figure = Figure(figsize=(9, 5.2), layout="constrained")
    grid = figure.add_gridspec(2, 3, height_ratios=(3, 2))
    for place, (name, x) in zip(range(3), images.items(), strict=False):
        axes = figure.add_subplot(grid[0, place])
        sheet = x[:48].reshape(6, 8, 28, 28).swapaxes(1, 2).reshape(168, 224)
        axes.imshow(sheet, cmap="gray", vmin=0, vmax=1)
        axes.set_title(name)
        axes.set_axis_off()
    axes = figure.add_subplot(grid[1, 0])
    axes.plot(np.arange(1, len(vae_curve) + 1), vae_curve, color=BLUE)
    axes.set(xlabel="epoch", ylabel="nats an image", title="VAE: the bound")
    axes = figure.add_subplot(grid[1, 1])
    epochs = np.arange(1, len(gan_curve) + 1)
    axes.plot(epochs, gan_curve[:, 0], color="k", label="D")
    axes.plot(epochs, gan_curve[:, 1], color=ORANGE, label="G")
    axes.axhline(np.log(4), color=GREY, linestyle=":")
    axes.axhline(np.log(2), color=GREY, linestyle=":")
    axes.set(xlabel="epoch", ylabel="nats", title="GAN: the losses")
    axes.legend(fontsize=8, frameon=False)
    axes = figure.add_subplot(grid[1, 2])
    levels = np.linspace(0, 1, 21)
    colours = ("k", BLUE, ORANGE)
    for (name, x), colour in zip(images.items(), colours, strict=False):
        counts, _ = np.histogram(x, levels)
        axes.semilogy((levels[1:] + levels[:-1]) / 2, counts / x.size, color=colour, label=name)
    axes.set(xlabel="grey level", ylabel="share of pixels", title="levels")
    axes.legend(fontsize=7, frameon=False)
    figure.savefig(file, dpi=90)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", help="folder with MNIST's four files; else drawn digits")
    parser.add_argument("--epochs", type=int, help="default: 50 on MNIST, 100 on drawn digits")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    data = load(options.data_dir)
    epochs = options.epochs or (100 if options.data_dir is None else 50)
    streams = np.random.default_rng(options.seed).spawn(3)
    judge = make_judge(data, streams[0])
    print(f"the judge: {100 * judge.accuracy(data.test, data.test_labels):.2f} % right")
    vae, vae_curve, vae_quality = learn_vae(data, judge, epochs, streams[1])
    gan, gan_curve, gan_quality = learn_gan(data, judge, epochs, streams[2])
    rng = np.random.default_rng(3)
    images = {
        "test images": data.test[:SAMPLES],
        "VAE's means": vae.sample(SAMPLES, rng=rng),
        "GAN's samples": gan.sample(SAMPLES, rng=rng),
        "VAE's draws": vae.sample(SAMPLES, rng=rng, draw=True),
        "binarised test images": npvae.binarize(data.test[:SAMPLES], rng=rng),
    }
    if options.data_dir is not None:
        draw(Path(__file__).with_suffix(".png"), images, vae_curve, gan_curve)
    tell_optimisation(vae_curve, vae_quality, gan_curve, gan_quality)
    tell_samples(data, judge, images)
    tell_parzen(data, images)
    tell_what_one_alone_can(data, vae, gan)
    ringed = [on_the_ring(seed) for seed in range(10)]
    print("on the ring, the VAE: modes", [found for found, _ in ringed], end=", within 3 std ")
    print(np.round([share for _, share in ringed], 2))


if __name__ == "__main__":
    main()
