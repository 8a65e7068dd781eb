"""The posterior by sampling, where the answer is known: HMC's moments, annealing's two sides.

    python tests/benchmarks/posterior_exact.py [--data-dir FOLDER]

1. A 784-200-2 Bernoulli model of MNIST: moments of HMC's draws for 20 test images beside a grid's,
   of which 95 % must lie within four standard errors.
2. A linear model, 50 rows drawn from it: annealing from below and from above, within 0.05 nats of
   the closed form on all.
3. Chapter 15's two humps and a q on one of them: importance sampling, annealing, and the grid.
4. The model of 1, 50 images drawn from it: both sides within 0.1 nats of the grid on all.
A quarter of an hour, or more.
"""

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from tqdm import tqdm

import npvae
from npvae import exact
from npvae.posterior import (
    annealed_log_likelihood,
    annealed_upper_bound,
    effective_samples,
    sample_posterior,
    simulate,
)

ERRORS = 4  # standard errors
LINE = {"temperatures": 15_000, "chains": 64, "leaps": 3}
GRID = {"temperatures": 6_000, "chains": 32, "leaps": 2}


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--data-dir", type=Path, help="folder with MNIST's four IDX files, plain or gzipped")
    add("--epochs", type=int, default=5, help="of training")
    add("--images", type=int, default=20, help="for HMC")
    add("--draws", type=int, default=4000, help="of HMC, of each of 4 chains")
    add("--simulated", type=int, default=50, help="rows for each bracket")
    add("--skip-hmc", action="store_true", help="leave out 1")
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
    epochs = npvae.train(
        vae, x, epochs=args.epochs, optimizer=npvae.Adam(1e-3), binarize=True, rng=rng
    )
    for _ in tqdm(epochs, total=args.epochs, desc="training", disable=None, leave=False):
        pass
    return vae


def linear(rng):
    """x = z W + b + ½ noise, Z = 5, D = 20."""
    vae = npvae.VAE.init(
        20, hidden=(), latent_dim=5, likelihood=npvae.Gaussian(0.5), dtype=np.float64, rng=rng
    )
    for array in vae.params.decoder[0]:
        array[:] = 0.4 * rng.standard_normal(array.shape)
    return vae


def two_humps(rng):
    """Chapter 15's model: z and −z look alike, and q sits on one of the two."""
    vae = npvae.VAE.init(
        1,
        hidden=(),
        decoder_hidden=(2,),
        latent_dim=1,
        likelihood=npvae.Gaussian(0.15),
        dtype=np.float64,
        rng=rng,
    )
    (encoder,), (first, last), _ = vae.params
    first.W[:], first.b[:], last.W[:], last.b[:] = 2, (-2, 2), [[1], [-1]], 2
    encoder.W[:], encoder.b[:] = 0, (1.2, 2 * np.log(0.12))
    return vae


def compare_moments(vae, x, draws, rng):
    """-> the share of means and covariances within ERRORS standard errors of the grid's"""
    answer, began = exact.quadrature(vae, x, step=0.02, reach=6), time.perf_counter()
    found = sample_posterior(vae, x, draws=draws, warm_up=500, start="prior", rng=rng)
    seconds = time.perf_counter() - began
    centred = found.z.astype(np.float64) - answer.mean
    squares = (centred[..., :, None] * centred[..., None, :]).reshape(*centred.shape[:3], -1)
    values = np.concatenate([centred, squares[..., [0, 1, 3]]], axis=-1)
    known = np.zeros((len(x), 5))
    known[:, 2:] = answer.covariance.reshape(len(x), 4)[:, [0, 1, 3]]
    error = values.std(axis=(0, 1)) / np.sqrt(effective_samples(values))
    distance = (values.mean(axis=(0, 1)) - known) / error
    within = np.mean(np.abs(distance) < ERRORS)
    print(found)
    print(
        f"HMC beside the grid: {within:.1%} of {distance.size} means and covariances within "
        f"{ERRORS} standard errors,\nthe farthest {np.abs(distance).max():.1f}, their rms "
        f"{np.sqrt(np.mean(distance**2)):.2f}; {seconds:.0f} s\n"
    )
    return within


def bracket(name, vae, z, x, log_px, rng, **options):
    """Print both sides; -> the largest distance from what is known"""
    began = time.perf_counter()
    sides = {
        "below": annealed_log_likelihood(vae, x, rng=rng, **options),
        "above": annealed_upper_bound(vae, x, z, rng=rng, **options),
    }
    print(f"{name}, {len(x)} rows, log p(x) {log_px.mean():.4f}, {options}")
    farthest = 0.0
    for side, found in sides.items():
        difference = found.log_px - log_px
        farthest = max(farthest, np.abs(difference).max())
        print(
            f"  from {side}: mean {difference.mean():+.4f}, largest "
            f"{np.abs(difference).max():.4f}, standard error {found.standard_error.mean():.4f}"
        )
    print(f"  {time.perf_counter() - began:.0f} s\n", flush=True)
    return farthest


def compare_humps(rng, temperatures):
    vae = two_humps(rng)
    x = vae.decode([[1.2]])
    log_px = exact.quadrature(vae, x, step=0.01).log_px[0]
    lying = npvae.log_likelihood(vae, x, samples=5000, rng=rng)
    found = annealed_log_likelihood(vae, x, temperatures=temperatures, chains=500, rng=rng)
    print(f"two humps, log p(x) {log_px:.3f} by quadrature")
    for name, estimate in (("importance sampling", lying), ("annealing", found)):
        print(f"  {name:20} {estimate.log_px[0]:.3f} ± {estimate.standard_error[0]:.3f}")
    return abs(found.log_px[0] - log_px) / found.standard_error[0]


def main():
    args = parse_args()
    warnings.formatwarning = lambda message, *_, **__: f"note: {message}\n"
    data_rng, train_rng, rng = np.random.default_rng(args.seed).spawn(3)
    mnist = npvae.datasets.load_mnist(args.data_dir, dtype=np.uint8)
    x = npvae.binarize(mnist.test[: args.images], rng=data_rng)
    vae = train(args, mnist.train, train_rng)
    wrong = []
    if not args.skip_hmc and compare_moments(vae, x, args.draws, rng) < 0.95:
        wrong.append("HMC's moments: expected 95 % within")
    line = linear(rng)
    z, x = simulate(line, args.simulated, rng=rng)
    log_px = exact.linear_log_likelihood(line, x)
    if bracket("linear", line, z, x, log_px, rng, **LINE) > 0.05:
        wrong.append("the linear model: expected all within 0.05 nats")
    if compare_humps(rng, 500) > ERRORS:
        wrong.append("two humps: annealing is more than four standard errors away")
    z, x = simulate(vae, args.simulated, rng=rng)
    log_px = exact.quadrature(vae, x, step=0.02, reach=6).log_px
    if bracket("784-200-2", vae, z, x, log_px, rng, **GRID) > 0.1:
        wrong.append("the grid: expected all within 0.1 nats")
    if wrong:
        sys.exit("error: " + "; ".join(wrong))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
    except (OSError, ValueError, npvae.NonFiniteError) as error:
        sys.exit(f"error: {error}")
