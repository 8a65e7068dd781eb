"""Bias and noise of gradient estimators, against the number of draws, on one figure.

    python examples/estimators.py                           about a minute; draws estimators.png

A small VAE is trained a little on digits drawn offline. Then, for one batch and fixed weights,
each estimator is run many times: the score function (REINFORCE), the reparameterized bound with
its KL sampled and in closed form, and the importance-weighted bound with its three
gradients. Left: the encoder's gradient. Right: the decoder's.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

import npvae
from npvae.activations import ACTIVATIONS
from npvae.dense import stack_backward
from npvae.objectives import log_weights

DRAWS = (1, 2, 4, 8, 16, 32, 64)
LARGE = 4096  # draws for log p(x), whose gradient the decoder's should be


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--repetitions", type=int, default=400, help="of each estimator at each number of draws")
    add("--seed", type=int, default=0, help="of everything random")
    add("--out", type=Path, default=Path("out/estimators.png"), help="the picture")
    args = parser.parse_args()
    if args.out.suffix not in (".png", ".pdf", ".svg") or args.out.is_dir():
        parser.error(f"--out is {args.out}; expected a file that ends in .png, .pdf or .svg")
    if args.repetitions < 2:
        parser.error(f"--repetitions is {args.repetitions}; a spread needs at least 2")
    return args


def score_function(vae, x, noise):
    """∇ E_q[log w] = E_q[log w ∇ log q(z|x)], z held fixed: no gradient passes through z."""
    trace = npvae.elbo(vae, x, noise)
    signal = log_weights(trace, noise)[..., None] / (len(noise) * len(x))
    dmu = np.sum(signal * noise * np.exp(-trace.logvar / 2), axis=0)
    dlogvar = np.sum(signal * (noise * noise - 1) / 2, axis=0)
    dheads = np.concatenate([dmu, dlogvar], axis=1)
    layers, activation = vae.params.encoder, ACTIVATIONS[vae.activation]
    _, dencoder = stack_backward(dheads, x, layers, activation, trace.encoder_hidden)
    return np.concatenate([array.ravel() for layer in dencoder for array in layer]), None


def reparameterized(make):
    """The gradients of the mean of an objective's bound, in the encoder and in the decoder."""

    def estimate(vae, x, noise):
        trace = npvae.elbo(vae, x, noise, make(len(noise)))
        dbound = np.full(len(x), 1 / len(x), vae.dtype)
        grads = npvae.elbo_backward(dbound, vae, x, noise, trace)
        return tuple(
            np.concatenate([array.ravel() for layer in part for array in layer])
            for part in (grads.encoder, grads.decoder)
        )

    return estimate


def importance_weighted(gradient):
    return reparameterized(lambda K: npvae.ImportanceWeighted(K, gradient))


ESTIMATORS = {
    "score function": (score_function, "#999933", "s"),
    "L draws, KL sampled": (reparameterized(lambda L: npvae.Sampled()), "#cc6677", "v"),
    "L draws, KL in closed form": (reparameterized(lambda L: npvae.ClosedForm()), "#332288", "o"),
    "K draws, total": (importance_weighted("total"), "#117733", "^"),
    "K draws, stl": (importance_weighted("stl"), "#88ccee", "x"),
    "K draws, dreg": (importance_weighted("dreg"), "#aa4499", "+"),
}


def trained_model(rng):
    """-> a VAE that has begun to learn, and a batch of 8 binary digits"""
    data_rng, init_rng, train_rng = rng.spawn(3)
    digits = npvae.datasets.glyph_digits(3000, rng=data_rng).images
    vae = npvae.VAE.init(
        784,
        hidden=(50,),
        latent_dim=5,
        likelihood=npvae.Bernoulli(),
        x_mean=digits.mean(axis=0),
        rng=init_rng,
    )
    for _ in npvae.train(
        vae, digits, epochs=5, optimizer=npvae.Adam(), binarize=True, rng=train_rng
    ):
        pass
    return vae, npvae.binarize(digits[:8], rng=data_rng)


def repeat(estimator, vae, x, draws, repetitions, rng):
    """Mean of the estimates in the encoder and the decoder, and the rms distance from it."""
    sums, squares = [0.0, 0.0], [0.0, 0.0]
    for _ in range(repetitions):
        noise = rng.standard_normal((draws, len(x), vae.latent_dim), vae.dtype)
        for part, estimate in enumerate(estimator(vae, x, noise)):
            if estimate is not None:
                sums[part] = sums[part] + estimate.astype(np.float64)
                squares[part] += float(np.square(estimate, dtype=np.float64).sum())
    means = [total / repetitions for total in sums]
    spread = [
        np.sqrt(max(0, square / repetitions - np.square(mean).sum()))
        for square, mean in zip(squares, means, strict=True)
    ]
    return means, spread


def measure(vae, x, repetitions, rng):
    """name -> part -> [(draws, bias, noise, what of bias chance explains)], over ‖truth‖.

    The encoder's truth is the mean gradient of the objective itself, by four times as many runs
    of its quietest unbiased estimator; the decoder's is the gradient of log p(x), whatever the
    objective: what the draws are for.
    """
    runs_of_evidence = min(20, repetitions)
    evidence = repeat(importance_weighted("total"), vae, x, LARGE, runs_of_evidence, rng)
    results = {name: ([], []) for name in ESTIMATORS}
    for draws in tqdm(DRAWS, desc="draws", disable=None, leave=False):
        quietest = ESTIMATORS["L draws, KL in closed form"][0], ESTIMATORS["K draws, dreg"][0]
        bound, bound_of_k = (repeat(run, vae, x, draws, 4 * repetitions, rng) for run in quietest)
        for name, (estimator, _, _) in ESTIMATORS.items():
            means, spread = repeat(estimator, vae, x, draws, repetitions, rng)
            encoder = bound_of_k if name.startswith("K") else bound
            sources = (encoder, 4 * repetitions), (evidence, runs_of_evidence)
            for part, ((truths, truth_spread), runs) in enumerate(sources):
                if np.ndim(means[part]):
                    size = np.linalg.norm(truths[part])
                    bias = np.linalg.norm(means[part] - truths[part])
                    chance = np.hypot(
                        spread[part] / repetitions**0.5, truth_spread[part] / runs**0.5
                    )
                    row = draws, *(v / size for v in (bias, spread[part], chance))
                    results[name][part].append(row)
    return results


def draw(results):
    figure = Figure(figsize=(9, 7.5), dpi=110, layout="constrained")
    panels = figure.subplots(2, 2, sharex=True)
    for name, parts in results.items():
        _, colour, marker = ESTIMATORS[name]
        for part, rows in enumerate(parts):
            if rows:
                draws, bias, noise, chance = np.transpose(rows)
                style = {"color": colour, "marker": marker, "ms": 5, "lw": 1.2}
                panels[0, part].plot(draws, noise, label=name, **style)
                panels[1, part].plot(draws, bias, **style)
                panels[1, part].plot(draws, chance, ":", color=colour, lw=1)
    titles = {
        (0, 0): "encoder: noise, rms / ‖mean gradient of the bound‖",
        (0, 1): "decoder: noise, rms / ‖gradient of log p(x)‖",
        (1, 0): "encoder: distance from the bound's mean gradient",
        (1, 1): "decoder: distance from the gradient of log p(x)",
    }
    for place, title in titles.items():
        panels[place].set_title(title, fontsize="medium")
        panels[place].set_xscale("log", base=2)
        panels[place].set_yscale("log")
        panels[place].set_xticks(DRAWS, map(str, DRAWS))
        panels[place].grid(alpha=0.3)
    caption = "against draws of z a row, L or K; dotted: the distance that chance alone would give"
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, title=caption)
    return figure


def main():
    args = parse_args()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(args.seed)
    vae, x = trained_model(rng)
    results = measure(vae, x, args.repetitions, rng)
    draw(results).savefig(args.out)
    print(f"noise and bias at L or K = {DRAWS[0]}, {DRAWS[-1]}, as parts of the gradient's length")
    for name, (encoder, decoder) in results.items():
        for part, rows in (("encoder", encoder), ("decoder", decoder)):
            if rows:
                first, last = rows[0], rows[-1]
                print(
                    f"{name:26s} {part}  noise {first[2]:6.2f}, {last[2]:6.2f}   "
                    f"bias {first[1]:6.3f}, {last[1]:6.3f}"
                )
    print(f"{args.out} shows all")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
    except (OSError, ValueError, MemoryError, npvae.NonFiniteError) as error:
        sys.exit(f"error: {error}")
