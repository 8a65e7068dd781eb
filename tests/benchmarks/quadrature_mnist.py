"""log p(x) of binarised MNIST under two latent dimensions: sampled, bounded, and by quadrature.

    python tests/benchmarks/quadrature_mnist.py [--data-dir FOLDER]

A 784-200-2 Bernoulli model, a few epochs of training with the bound of K = 20 draws, 100 test
images. (Trained with one draw, q misses a part of some posteriors, and their estimates fail.) Of
the importance-sampled estimates 95 must lie within four of their standard errors of the exact
answer and none may lie more than four above; nor may any average of the bounds. A few minutes.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

import npvae
from npvae import exact

ERRORS = 4  # standard errors
DRAWS = 200  # of each bound
PRIOR_DRAWS = 1_000_000  # few of which fall where the posterior is
KS = (1, 5, 50)


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--data-dir", type=Path, help="folder with MNIST's four IDX files, plain or gzipped")
    add("--epochs", type=int, default=5, help="of training")
    add("--train-samples", type=int, default=20, help="K of the training; 1: KL in closed form")
    add("--images", type=int, default=100, help="test images")
    add("--samples", type=int, default=5000, help="of z for each, by importance sampling")
    add("--step", type=float, default=0.05, help="of the grid")
    add("--seed", type=int, default=0, help="of everything random")
    return parser.parse_args()


def train(args, x, rng):
    vae = npvae.VAE.init(
        x.shape[1],
        hidden=(200,),
        latent_dim=2,
        likelihood=npvae.Bernoulli(),
        x_mean=x.mean(axis=0) / 255,
        rng=rng,
    )
    closed_form = args.train_samples == 1
    epochs = npvae.train(
        vae,
        x,
        epochs=args.epochs,
        objective=npvae.ClosedForm()
        if closed_form
        else npvae.ImportanceWeighted(args.train_samples),
        optimizer=npvae.Adam(1e-3),
        binarize=True,
        rng=rng,
    )
    for _ in tqdm(epochs, total=args.epochs, desc="training", disable=None, leave=False):
        pass
    return vae


def with_prior(vae):
    """The same model with q(z|x) = p(z), which covers every posterior."""
    vae = vae.astype(vae.dtype)
    for array in vae.params.encoder[-1]:
        array[:] = 0
    return vae


def draw_bounds(vae, x, K, rng):
    """DRAWS bounds of K draws each, (DRAWS, N)."""
    objective = npvae.ImportanceWeighted(K)
    bars = tqdm(range(DRAWS), desc=f"bounds, K = {K}", disable=None, leave=False)
    return np.array(
        [
            npvae.elbo(
                vae, x, rng.standard_normal((K, len(x), vae.latent_dim), vae.dtype), objective
            ).bound
            for _ in bars
        ],
        np.float64,
    )


def tell(name, value, error, log_px):
    """Print a line; -> which images lie within ERRORS standard errors, and which above."""
    distance = (value - log_px) / error
    within, above = np.abs(distance) <= ERRORS, distance > ERRORS
    counts = f"{within.sum():8} {above.sum():8}"
    print(f"{name:32} {value.mean():10.3f} {error.mean():12.4f} {counts}")
    return within, above


def print_what_is_wrong(vae, x, outside, estimate, answer):
    """How far the estimates miss, and where q is, beside the posterior's mean and widths."""
    mu, logvar = vae.encode(x)
    std = np.exp(logvar / 2)
    missed = np.abs(answer.log_px - estimate.log_px)[outside].max()
    beside = (np.abs(mu - answer.mean[outside]) / std).max()
    widths = np.sqrt(np.diagonal(answer.covariance[outside], axis1=1, axis2=2))
    print(
        f"\nOf those not within, the farthest is wrong by {missed:.1f} nats; q is up to "
        f"{beside:.1f} of its widths\nbeside the posterior, whose widths are up to "
        f"{(widths / std).max():.1f} times q's"
    )


def main():
    args = parse_args()
    rngs = np.random.default_rng(args.seed).spawn(5)
    data_rng, train_rng, sample_rng, bound_rng, prior_rng = rngs
    mnist = npvae.datasets.load_mnist(args.data_dir, dtype=np.uint8)
    x = npvae.binarize(mnist.test[: args.images], rng=data_rng)
    vae = train(args, mnist.train, train_rng)
    answer = exact.quadrature(vae, x, step=args.step)
    width = np.sqrt(np.linalg.eigvalsh(answer.covariance)[:, 0].min())
    error = answer.error.max()
    print(f"narrowest posterior {width:.3f}, step {args.step}, error {error:.1e} nats\n")
    print("nats, mean over images             log p(x)    std. error   within    above")
    print(f"{'quadrature':32} {answer.log_px.mean():10.3f}")
    estimate = npvae.log_likelihood(vae, x, samples=args.samples, rng=sample_rng)
    name = f"{args.samples} importance samples"
    within, above = tell(name, estimate.log_px, estimate.standard_error, answer.log_px)
    for K in KS:
        draws = draw_bounds(vae, x, K, bound_rng)
        error = draws.std(axis=0, ddof=1) / np.sqrt(DRAWS)
        name = f"bound, K = {K}, mean of {DRAWS}"
        above = above | tell(name, draws.mean(axis=0), error, answer.log_px)[1]
    print(f"\nmedians{'':17} {'images':>7} {'KL(q ‖ posterior)':>18} {'effective samples':>18}")
    gap = answer.log_px - exact.expected_bound(vae, x)
    for name, some in (("estimates within", within), ("estimates not within", ~within)):
        if some.any():
            effective = np.median(estimate.effective_samples[some])
            print(f"{name:24} {some.sum():7} {np.median(gap[some]):18.2f} {effective:18.0f}")
    if not within.all():
        outside = x[~within], answer.log_px[~within]
        print_what_is_wrong(vae, outside[0], ~within, estimate, answer)
        print("\nThose not within, again, with z drawn from the prior")
        estimate = npvae.log_likelihood(
            with_prior(vae), outside[0], samples=PRIOR_DRAWS, rng=prior_rng
        )
        name = f"{PRIOR_DRAWS} importance samples"
        tell(name, estimate.log_px, estimate.standard_error, outside[1])
    if within.mean() < 0.95 or above.any():
        sys.exit("error: expected 95 % within, and none above")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
    except (OSError, ValueError, npvae.NonFiniteError) as error:
        sys.exit(f"error: {error}")
