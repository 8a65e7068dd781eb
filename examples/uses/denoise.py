"""Takes noise of known σ from grey images.

python examples/uses/denoise.py                     MNIST, trained here: some minutes
python examples/uses/denoise.py --data glyphs --train-images 10000 --epochs 10
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

from npvae.posterior import Noise, most_likely
from npvae.relatives import GaussianNoise

SIGMAS = (0.3, 0.5)


def main():
    args = parse_args(__doc__)
    data_rng, model_rng, *rngs = np.random.default_rng(args.seed).spawn(2 + len(SIGMAS))
    train, truth = load(args, data_rng)
    vae = model_of(args, train, model_rng)
    for sigma, rng in zip(SIGMAS, rngs, strict=True):
        noise = Noise(sigma)
        y = truth + noise.sigma * rng.standard_normal(truth.shape, truth.dtype)
        denoiser = autoencoder_of(args, train, rng, GaussianNoise(sigma))
        mean, answer = restored(vae, y, noise, args, rng)
        lines = [
            Rival("y itself", y, 0),
            *rivals(train, y, noise),
            Rival("denoising autoencoder", denoiser.reconstruct(y), 0),
            Rival("restore, the most likely z", most_likely(vae, y, noise, rng=rng).image, 0),
            Rival("restore, one draw", answer.images[0], 0),
            mean,
        ]
        table(f"{args.data}, noise of σ = {sigma}", lines, truth)
        print(answer)
        path = args.out / f"denoise_{sigma}.png"
        strip(path, f"Denoising, σ = {sigma}", y, answer, truth)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
    except (OSError, ValueError, ArithmeticError) as error:
        sys.exit(f"error: {error}")
