"""Mixtures, naive Bayes and hidden Markov models on binarised MNIST: log p(x) of the test images.

    python tests/benchmarks/mixtures_mnist.py [--data-dir FOLDER] [--quick]

One draw of binary pixels, of the training images and then the test images, by default_rng(0).
Fitted to the training images; nats an image. A quarter of an hour, or --quick without the
large models in two minutes.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

import npvae
from npvae.relatives import HMM, Bernoullis, Mixture, NaiveBayes, em, naive_bayes

KNOWN = {  # of the same draw, by other programs
    "one product of Bernoullis": -205.8,
    "naive Bayes, ten classes": -170.87,
    "mixture, K = 10": -167.5,
    "mixture, K = 50": -144.1,
}
LIMIT = 1.5  # nats


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--data-dir", type=Path, help="folder with MNIST's four IDX files, plain or gzipped")
    add("--steps", type=int, default=60, help="of EM")
    add("--smoothing", type=float, default=0.1, help="α of mixtures and chains")
    add("--seed", type=int, default=1, help="of where EM begins")
    add("--quick", action="store_true", help="without K = 512 and the hidden Markov models")
    return parser.parse_args()


def fitted(model, x, steps):
    *_, last = tqdm(em(model, x, steps=steps), total=steps, disable=None, leave=False)
    if last.empty:
        print(f"of the following {last.empty} components are empty")
    return model


def models(args, x, labels):
    """Yield (name, fitted model)."""

    def rng():
        return np.random.default_rng(args.seed)

    family = Bernoullis(args.smoothing)
    one = Mixture.init(x, 1, family=family, rng=rng())
    yield "one product of Bernoullis", fitted(one, x, 1)
    yield "naive Bayes, ten classes", naive_bayes(x, labels)
    for K in (10, 50) if args.quick else (10, 50, 512):
        mixture = Mixture.init(x, K, family=family, rng=rng())
        yield f"mixture, K = {K}", fitted(mixture, x, args.steps)
    for K in () if args.quick else (10, 50):
        model = HMM.init(x, K, length=28, family=family, rng=rng())
        yield f"hidden Markov model, K = {K}", fitted(model, x, args.steps // 2)


def main():
    args = parse_args()
    data, rng = npvae.datasets.load_mnist(args.data_dir), np.random.default_rng(0)
    x, x_test = (
        (rng.random(grey.shape) < grey).astype(np.float32) for grey in (data.train, data.test)
    )
    wrong = []
    print("nats an image                    training       test      known")
    for name, model in models(args, x, data.train_labels):
        means = [model.log_px(rows).mean(dtype=np.float64) for rows in (x, x_test)]
        known = KNOWN.get(name)
        shown = "" if known is None else f"{known:10.2f}"
        print(f"{name:30s}{means[0]:11.2f}{means[1]:11.2f} {shown}", flush=True)
        if isinstance(model, NaiveBayes):
            sure = model.posterior(x_test).max(axis=1) > 0.99
            wrong_of_sure = 1 - model.accuracy(x_test[sure], data.test_labels[sure])
            print(f"  accuracy {model.accuracy(x_test, data.test_labels):.4f}; sure beyond 99 % of")
            print(
                f"  {sure.mean():.3f} of the images, and wrong about {wrong_of_sure:.3f} of those"
            )
        if known is not None and abs(means[1] - known) > LIMIT:
            wrong.append(name)
    if wrong:
        sys.exit(f"error: {', '.join(wrong)}: expected within {LIMIT} nats of what is known")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
