"""Times `restore` at its default settings, and compares places where its chains may begin.

python tests/benchmarks/restoring.py --data-dir FOLDER              100 images of each kind
python tests/benchmarks/restoring.py --data-dir FOLDER --starts     log p(y, z), by the start
"""

import argparse
import sys
import warnings
from pathlib import Path
from time import process_time

import numpy as np

import npvae
from npvae.kernels import clock
from npvae.posterior import Blur, Fewer, Noise, Pixels, restore, sample
from npvae.posterior.joint import posterior_density
from npvae.posterior.restoring import climb, moments, seen_through
from npvae.posterior.sampling import ChainWarning, split_r_hat

SIDE = 28


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, help="folder with MNIST's four IDX files")
    parser.add_argument("--model", type=Path, help="a saved model; else one is trained")
    parser.add_argument("--gaussian", action="store_true", help="train one with a learned σ")
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=20, help="of the model, if it is trained")
    parser.add_argument("--starts", action="store_true", help="compare starts, not seconds")
    return parser.parse_args()


def model_of(args, x, rng):
    if args.model:
        return npvae.VAE.load(args.model)
    likelihood = npvae.LearnedGaussian(0.3, optimal=True) if args.gaussian else npvae.Bernoulli()
    options = {"hidden": (200, 200), "latent_dim": 50, "likelihood": likelihood}
    vae = npvae.VAE.init(SIDE * SIDE, x_mean=x.mean(axis=0), rng=rng, **options)
    optimizer, options = npvae.Adam(1e-3), {"binarize": not args.gaussian, "rng": rng}
    for epoch in npvae.train(vae, x, epochs=args.epochs, optimizer=optimizer, **options):
        optimizer.learning_rate = 10 ** (-3 - epoch.epoch / args.epochs)
    return vae


def uses(n, rng):
    yield "upper half seen", Pixels(np.arange(SIDE * SIDE) < SIDE * SIDE // 2)
    yield "30 % of the pixels seen", Pixels(rng.random((n, SIDE * SIDE)) < 0.3)
    yield "noise of σ = 0.3", Noise(0.3)
    yield "7 × 7 pixels", Fewer(4, 0.05)
    yield "blurred, 2 pixels wide", Blur(2.0, 0.05)


def seen(x, observation, rng):
    y = observation.apply(x)
    return (y + observation.sigma * rng.standard_normal(y.shape)).astype(x.dtype)


def time(vae, x, rng):
    for name, observation in uses(len(x), rng):
        y, start, busy = seen(x, observation, rng), clock(), process_time()
        answer = restore(vae, y, observation, rng=rng)
        seconds, busy = clock() - start, process_time() - busy
        told = f"{seconds:7.1f} s, {busy:6.1f} s of all cores, for {len(x)} images"
        print(f"{name:26}{told}\n{answer}", flush=True)


def compare(vae, x, rng):
    """How high the chains come, and whether they agree, after 100 steps of warm-up."""
    for name, observation in uses(len(x), rng):
        y = seen(x, observation, rng)
        model = seen_through(vae, observation)
        density = posterior_density(model, y)
        z = rng.standard_normal((4, len(x), vae.latent_dim)).astype(vae.dtype)
        mu = np.tile(vae.encode(x)[0], (4, 1, 1))
        starts = {"the prior": z, "a climb from there": climb(density, z, 100), "the truth": mu}
        for start, z0 in starts.items():
            chains = sample(density, z0, draws=100, warm_up=100, rng=rng)
            log_p = np.array([density(some)[0] for some in chains.z])
            _, mean, _ = moments(model, y, chains.z, 1)
            error = np.square(mean - x).mean(axis=1)
            apart = np.mean(split_r_hat(chains.z) > 1.1)
            told = f"log p(y, z) {log_p.mean():9.2f}, mean of each image's lowest chain "
            told += f"{log_p.mean(axis=0).min(axis=0).mean():9.2f}, "
            told += f"PSNR {-10 * np.log10(error).mean():6.2f} dB, R̂ > 1.1 in {apart:.0%}"
            print(f"{name:24} from {start:20} {told}", flush=True)


def main():
    args = parse_args()
    warnings.simplefilter("ignore", ChainWarning)
    data_rng, model_rng, rng = np.random.default_rng(0).spawn(3)
    data = npvae.datasets.load_mnist(args.data_dir)
    vae = model_of(args, data.train, model_rng)
    x = data.test[: args.images]
    if isinstance(vae.likelihood, npvae.Bernoulli):
        x = npvae.binarize(x, rng=data_rng)
    (compare if args.starts else time)(vae, x, rng)


if __name__ == "__main__":
    sys.exit(main())
