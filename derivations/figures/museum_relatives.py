"""Draws museum_autoencoder.png, museum_mixtures.png and museum_gan.png: three more halls.

    python derivations/figures/museum_relatives.py

Each exhibit of which there is something to see runs in a process of its own, on a copy of the
tree, on the reference kernels, beside the same run without the mistake. Prints the numbers of
chapter 16. Three minutes.
"""

import copy
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from matplotlib.figure import Figure

import npvae
from npvae import relatives

HERE = Path(__file__).resolve()
RED, BLUE = "#D55E00", "#0072B2"
TRAINED, HELD_OUT, SIGMA = 3000, 500, 0.5
# BLAS adds in another order with another number of threads, and games end elsewhere.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def digits(binary):
    images = npvae.datasets.glyph_digits(TRAINED + HELD_OUT, rng=np.random.default_rng(0)).images
    if binary:
        images = npvae.binarize(images, rng=np.random.default_rng(1))
    return images[:TRAINED], images[TRAINED:]


def denoise():
    """Squared errors to the image without noise, by epoch, and three images before and after."""
    x, x_val = digits(binary=False)
    model = relatives.Autoencoder.init(
        784,
        hidden=(400,),
        latent_dim=200,
        likelihood=npvae.Gaussian(1.0),
        activation="relu",
        x_mean=x.mean(axis=0),
        rng=np.random.default_rng(0),
    )
    noise = np.random.default_rng(2).standard_normal(x_val.shape, np.float32)
    seen = x_val + np.float32(SIGMA) * noise
    errors = []
    for _ in relatives.train_autoencoder(
        model,
        x,
        epochs=30,
        optimizer=npvae.Adam(1e-3),
        corruption=relatives.GaussianNoise(SIGMA),
        rng=np.random.default_rng(1),
    ):
        restored = model.reconstruct(seen)
        errors.append(np.square(restored - x_val).sum(axis=1).mean())
    return {"curve": errors, "seen": seen[:5], "restored": restored[:5], "clean": x_val[:5]}


def mix():
    """log p(x) of twenty products of Bernoullis by step of EM, and of the images held out."""
    x, x_val = digits(binary=True)
    model = relatives.Mixture.init(
        x, 20, family=relatives.Bernoullis(), rng=np.random.default_rng(0)
    )
    steps = [step.log_px for step in relatives.em(model, x, steps=20)]
    return {"curve": steps, "held out": model.log_px(x_val).mean()}


def follow():
    """log p(x) of a hidden Markov model along the rows of the images, by step of EM."""
    x, _ = digits(binary=True)
    model = relatives.HMM.init(x, 10, length=28, rng=np.random.default_rng(0))
    start = model.log_px(x).mean()
    gamma = model.state_posterior(x[:3]).sum(axis=2)
    own_way = len(list(relatives.em(copy.deepcopy(model), x, steps=20)))
    # A step at a time, because `em` stops after a fall.
    steps = [next(relatives.em(model, x, steps=1)).log_px for _ in range(20)]
    return {"curve": [start, *steps], "posteriors sum to": gamma[:, 0], "em stops after": own_way}


def play():
    """The ring of chapter 19: samples at the end, losses of D and of G."""
    from gan_ring import EPOCHS
    from gan_ring import play as play_ring

    samples, losses = play_ring(0, 0.5)
    return {"samples": samples[EPOCHS][:1000], "losses": losses}


RUNS = {"denoise": denoise, "mix": mix, "follow": follow, "play": play}
EXHIBITS = {  # what is run, and with which mistakes
    "denoise": ("the denoiser asked for the noisy image",),
    "mix": ("weights left out of the posterior",),
    "follow": ("α scaled, β not",),
    "play": (
        "a generator that learns through a detached sample",
        "the generator's step left in the discriminator's gradient",
    ),
}


def run_apart(name, mistake, folder):
    """The run in a process of its own, on a copy of the tree with the mistake, if any, put in."""
    tree = folder / "tree"
    tree.mkdir(parents=True)
    museum.copy_tree(tree)
    if mistake is not None:
        museum.make(mistake, tree)
    path = f"{tree}{os.pathsep}{HERE.parent}"
    environment = os.environ | ONE_THREAD | {"NPVAE_KERNELS": "reference", "PYTHONPATH": path}
    file = folder / "result.npz"
    subprocess.run([sys.executable, str(HERE), name, file], cwd=tree, env=environment, check=True)
    return dict(np.load(file))


def draw_curves(axes, sound, wrong, title, ylabel, first=1):
    for curve, colour, label in ((sound, BLUE, "as it is"), (wrong, RED, "mistaken")):
        axes.plot(range(first, first + len(curve)), curve, ".-", color=colour, ms=4, label=label)
    axes.set(title=title, ylabel=ylabel)
    axes.spines[["top", "right"]].set_visible(False)


def draw_denoiser(sound, wrong):
    figure = Figure(figsize=(5.4, 5.4), layout="constrained")
    top, bottom = figure.subplots(2, 1, height_ratios=(2, 3))
    draw_curves(top, sound["curve"], wrong["curve"], "distance to the clean image", "Σ squares")
    top.set(xlabel="epoch", ylim=(0, None))
    top.legend(frameon=False)
    rows = {
        "seen": sound["seen"],
        "as it is": sound["restored"],
        "mistaken": wrong["restored"],
    }
    tiles = np.vstack([np.hstack(images.reshape(-1, 28, 28)) for images in rows.values()])
    bottom.imshow(tiles, cmap="gray", vmin=0, vmax=1)
    bottom.set_yticks([14 + 28 * i for i in range(len(rows))], list(rows), fontsize=9)
    bottom.set_xticks([])
    bottom.spines[:].set_visible(False)
    bottom.tick_params(length=0)
    return figure


def draw_mixtures(mixtures, chains):
    figure = Figure(figsize=(5.4, 5.4), layout="constrained")
    top, bottom = figure.subplots(2, 1)
    curves = [result["curve"] for result in mixtures]
    draw_curves(top, *curves, "mixture: weights left out of the posterior", "log p(x), nats")
    top.legend(frameon=False, loc="lower right")
    curves = [result["curve"] for result in chains]
    draw_curves(bottom, *curves, "chain: α scaled, β not", "log p(x), nats", first=0)
    bottom.set_xlabel("step of EM")
    for axes in (top, bottom):
        axes.set_xticks(range(0, 21, 5))
    return figure


def draw_games(games):
    from gan_ring import CENTRES

    figure = Figure(figsize=(6, 4.4), layout="constrained")
    above, below = figure.subplots(2, 3, height_ratios=(3, 2))
    titles = ("as it is", "detached sample", "gradient left in")
    for ring, axes, title, game in zip(above, below, titles, games, strict=True):
        ring.plot(*game["samples"].T, ".", color="#888888", ms=2)
        ring.plot(*CENTRES.T, "k+", ms=7)
        ring.set(xlim=(-3, 3), ylim=(-3, 3), aspect="equal", xticks=[], yticks=[], title=title)
        for losses, colour, label in zip(game["losses"].T, (BLUE, RED), "DG", strict=True):
            axes.plot(range(1, 1 + len(losses)), losses, color=colour, label=label)
        axes.set(ylim=(0, 4), xlabel="epoch", xticks=(0, 30, 60))
        axes.spines[["top", "right"]].set_visible(False)
    below[0].set_ylabel("losses, nats")
    below[0].legend(frameon=False, ncols=2, loc="upper right")
    return figure


def main():
    mistakes = {mistake.name: mistake for mistake in museum.MUSEUM}
    results = {}
    with TemporaryDirectory() as temporary:
        for name, exhibits in EXHIBITS.items():
            results[name] = [
                run_apart(name, mistakes.get(exhibit), Path(temporary) / f"{name} {number}")
                for number, exhibit in enumerate((None, *exhibits))
            ]
    for name, exhibits in EXHIBITS.items():
        for exhibit, result in zip(("as it is", *exhibits), results[name], strict=True):
            print(f"{name}: {exhibit}")
            for key in result.keys() - {"seen", "restored", "clean", "samples"}:
                values = np.asarray(result[key], np.float64).T
                with np.printoptions(precision=4, suppress=True):
                    print(f"   {key} {values}".replace("\n", "\n   "))
    for name, figure in (
        ("autoencoder", draw_denoiser(*results["denoise"])),
        ("mixtures", draw_mixtures(results["mix"], results["follow"])),
        ("gan", draw_games(results["play"])),
    ):
        figure.savefig(HERE.with_name(f"museum_{name}.png"), dpi=110)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        np.savez(sys.argv[2], **RUNS[sys.argv[1]]())
    else:
        sys.path.insert(0, str(HERE.parents[2] / "tests"))
        import museum

        main()
