"""The picture at the top of the README: a two-dimensional latent space of MNIST.

python derivations/figures/manifold.py [--data-dir FOLDER]
"""

import argparse
from pathlib import Path

import numpy as np

import npvae
from npvae import plots

EPOCHS = 30


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-dir", type=Path, help="folder with MNIST's four IDX files")
    x = npvae.datasets.load_mnist(parser.parse_args().data_dir).train
    rng = np.random.default_rng(0)
    vae = npvae.VAE.init(
        784,
        hidden=(500,),
        latent_dim=2,
        likelihood=npvae.Bernoulli(),
        x_mean=x.mean(axis=0),
        rng=rng,
    )
    optimizer = npvae.Adam(1e-3)
    for epoch in npvae.train(vae, x, epochs=EPOCHS, optimizer=optimizer, binarize=True, rng=rng):
        print(epoch, flush=True)
    figure = plots.manifold(vae, n=20)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=72)


if __name__ == "__main__":
    main()
