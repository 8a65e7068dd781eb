"""A linear VAE on MNIST, trained by Adam, beside the most likely model there is: within 0.5 nats.

    python tests/benchmarks/pca_mnist.py [--data-dir FOLDER]

Grey pixels in [0, 1], 20 latent dimensions, one learned σ. The best log-likelihood comes from the
eigenvalues of the training images' covariance, that of the trained model from its W, b and σ;
nothing is estimated by sampling. Two or three minutes.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

import npvae
from npvae import exact

LIMIT = 0.5  # nats


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--data-dir", type=Path, help="folder with MNIST's four IDX files, plain or gzipped")
    add("--latent-dim", type=int, default=20, help="Z")
    add("--epochs", type=int, default=60, help="over the second half the rate falls")
    add("--batch-size", type=int, default=200, help="B")
    add("--learning-rate", type=float, default=3e-3, help="of the first half of the epochs")
    add("--seed", type=int, default=0, help="of everything random")
    return parser.parse_args()


def train(args, x, rng):
    vae = npvae.VAE.init(
        x.shape[1],
        hidden=(),
        latent_dim=args.latent_dim,
        likelihood=npvae.likelihoods.LearnedGaussian(0.25),
        x_mean=x.mean(axis=0, dtype=np.float64),
        rng=rng,
    )
    optimizer = npvae.Adam(args.learning_rate)
    options = {"epochs": args.epochs, "batch_size": args.batch_size}
    epochs = npvae.train(vae, x, optimizer=optimizer, rng=rng, **options)
    for epoch in tqdm(epochs, total=args.epochs, disable=None, leave=False):
        fallen = max(0, 2 * epoch.epoch / args.epochs - 1)  # from 0 to 1 over the second half
        optimizer.learning_rate = args.learning_rate * 0.001**fallen
    return vae


def main():
    args = parse_args()
    x = npvae.datasets.load_mnist(args.data_dir).train
    best = exact.probabilistic_pca(x, args.latent_dim)
    vae = train(args, x, np.random.default_rng(args.seed))
    log_px = exact.linear_log_likelihood(vae, x).mean()
    variance = np.exp(vae.params.likelihood["logvar"].item())
    print("mean over the training images          σ²        log p(x), nats")
    print(f"closed form, from eigenvalues     {best.variance:.6f}      {best.log_px:10.4f}")
    print(f"trained                           {variance:.6f}      {log_px:10.4f}")
    print(f"difference                                      {log_px - best.log_px:10.4f}")
    print(f"gap with the best encoder                       {exact.linear_gap(vae):10.4f}")
    if not best.log_px - LIMIT < log_px <= best.log_px:
        sys.exit(f"error: expected at most {LIMIT} nats below the closed form, and none above")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
    except (OSError, ValueError, npvae.NonFiniteError) as error:
        sys.exit(f"error: {error}")
