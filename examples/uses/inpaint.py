"""Fills holes: half an image, a square in its middle, 70 % of its pixels.

    python examples/uses/inpaint.py                     MNIST, trained here: some minutes
    python examples/uses/inpaint.py --data glyphs --train-images 10000 --epochs 10

Images are binary, so the likelihood of the seen pixels is exact. Two tables: how near the answers
come, over the hidden pixels, and what probability they give to what was really there.
"""

import sys

import numpy as np
from restoring import (
    SIDE,
    Rival,
    autoencoder_of,
    bernoulli,
    load,
    model_of,
    parse_args,
    restored,
    rivals,
    strip,
    table,
)

import npvae
from npvae.posterior import Pixels, log_predictive, most_likely
from npvae.relatives import Masking


def masks(n, rng):
    down, across = np.abs(np.indices((SIDE, SIDE)) - (SIDE - 1) / 2).reshape(2, -1)
    yield "the upper half seen", "half", np.arange(SIDE * SIDE) < SIDE * SIDE // 2
    yield "a square of 14 × 14 hidden", "square", np.maximum(down, across) > 7
    yield "30 % of the pixels seen", "random", rng.random((n, SIDE * SIDE)) < 0.3


def main():
    args = parse_args(__doc__)
    data_rng, model_rng, mask_rng, *rngs = np.random.default_rng(args.seed).spawn(7)
    train, grey = load(args, data_rng)
    binary, truth = (npvae.binarize(x, rng=data_rng) for x in (train, grey))
    vae = model_of(args, train, model_rng)
    plain = autoencoder_of(args, binary, rngs[-1])
    trained = autoencoder_of(args, binary, rngs[-1], Masking(0.7))
    for (title, name, mask), rng in zip(masks(len(truth), mask_rng), rngs, strict=False):
        seen = Pixels(mask)
        hidden, holes = seen.hidden, seen.apply(truth)
        mean, answer = restored(vae, truth, seen, args, rng)
        lines = [
            *rivals(binary, truth, seen),
            Rival("the VAE's encoder, fed the holes", vae.reconstruct(holes), 0),
            Rival("autoencoder, fed the holes", plain.reconstruct(holes), 0),
            Rival("autoencoder, trained with holes", trained.reconstruct(holes), 0),
            Rival("restore, the most likely z", most_likely(vae, truth, seen, rng=rng).image, 0),
            Rival("restore, one draw", answer.images[0], 0),
        ]
        lines = [r._replace(log_p=bernoulli(r.x, truth, hidden.mask)) for r in lines]
        log_p = log_predictive(vae, truth, hidden, answer.posterior.z)
        table(f"{args.data}, {title}", [*lines, mean._replace(log_p=log_p)], truth, hidden.mask)
        print(answer)
        shown = np.where(np.broadcast_to(mask, truth.shape), truth, 0.5)
        strip(args.out / f"inpaint_{name}.png", f"Inpainting: {title}", shown, answer, truth)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
    except (OSError, ValueError, ArithmeticError) as error:
        sys.exit(f"error: {error}")
