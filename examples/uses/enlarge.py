"""Enlarges 7 × 7 grey images to 28 × 28, and sharpens blurred ones.

python examples/uses/enlarge.py                     MNIST, trained here: some minutes
python examples/uses/enlarge.py --data glyphs --train-images 10000 --epochs 10
"""

import sys

import numpy as np
from restoring import (
    Rival,
    autoencoder_of,
    load,
    model_of,
    parse_args,
    restored,
    rivals,
    strip,
    table,
)

from npvae.posterior import Blur, Fewer, most_likely

SIGMA = 0.05
USES = (
    ("7 × 7 pixels to 28 × 28", "fewer", Fewer(4, SIGMA)),
    ("blurred, 2 pixels wide", "blur", Blur(2.0, SIGMA)),
)


def main():
    args = parse_args(__doc__)
    data_rng, model_rng, *rngs = np.random.default_rng(args.seed).spawn(3 + len(USES))
    train, truth = load(args, data_rng)
    vae = model_of(args, train, model_rng)
    autoencoder = autoencoder_of(args, train, rngs[-1])
    for (title, name, observation), rng in zip(USES, rngs, strict=False):
        y = observation.apply(truth)
        y = y + SIGMA * rng.standard_normal(y.shape, y.dtype)
        blocks = observation.transpose(y) / (observation.gram or 1)  # y, as large as x
        mean, answer = restored(vae, y, observation, args, rng)
        likely = most_likely(vae, y, observation, rng=rng)
        lines = [
            Rival("y itself, each pixel a block", blocks, 0),
            *rivals(train, y, observation),
            Rival("autoencoder, fed those blocks", autoencoder.reconstruct(blocks), 0),
            Rival("restore, the most likely z", likely.image, 0),
            Rival("restore, one draw", answer.images[0], 0),
            mean,
        ]
        table(f"{args.data}, {title}, σ = {SIGMA}", lines, truth)
        print(answer)
        shown = blocks if observation.gram else y
        strip(args.out / f"enlarge_{name}.png", f"From {title}", shown, answer, truth)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
    except (OSError, ValueError, ArithmeticError) as error:
        sys.exit(f"error: {error}")
