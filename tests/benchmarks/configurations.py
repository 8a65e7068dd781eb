"""What is trained: models, batches, images; and the time that it takes at least."""

from typing import NamedTuple

import numpy as np
from harness import cpus

import npvae

IMAGES = {
    "digits": lambda levels: levels,
    "no black": lambda levels: (1 + levels * (254 / 255)).round().astype(np.uint8),
    "inverted": lambda levels: 255 - levels,
}


class Configuration(NamedTuple):
    hidden: tuple[int, ...]
    latent_dim: int
    activation: str
    batch_size: int
    samples: int = 1
    binarize: bool = True
    images: str = "digits"
    threads: int | None = None  # None: as --threads says
    busy: bool = False  # another program holds the last CPU

    @property
    def description(self):
        widths = "-".join(map(str, [784, *self.hidden, self.latent_dim]))
        targets = "binary" if self.binarize else "grey"
        cores = ", one thread" * (self.threads == 1) + ", one core busy" * self.busy
        return (
            f"{widths} {self.activation}, batch {self.batch_size}, L = {self.samples}, "
            f"{targets} {self.images}{cores}"
        )


PLAIN = {
    "a": Configuration((500,), 20, "tanh", 100),
    "b": Configuration((400,), 20, "relu", 128, binarize=False),
    "c": Configuration((200, 200), 50, "tanh", 20),
    "d": Configuration((500,), 20, "tanh", 1000),
}
ONE = {f"{name}-one": chosen._replace(threads=1) for name, chosen in PLAIN.items()}
BUSY = {f"{name}-busy": chosen._replace(busy=True) for name, chosen in PLAIN.items()}
A, B = PLAIN["a"], PLAIN["b"]
# npvae skips what a zero of the data would be multiplied by; here are few zeros, or none.
DENSE = {
    "a1": A._replace(images="inverted"),
    "a2": A._replace(images="no black", binarize=False),
    "b1": B._replace(images="no black"),
}
SCALING = {
    **{f"batch-{n}": A._replace(batch_size=n) for n in (20, 50, 100, 200, 500, 1000)},
    **{f"width-{n}": A._replace(hidden=(n,)) for n in (100, 200, 500, 1000, 2000)},
    **{f"samples-{n}": A._replace(samples=n) for n in (1, 5, 20)},
    **{f"threads-{n}": A._replace(threads=n) for n in sorted({1, len(cpus())})},
}
CONFIGURATIONS = PLAIN | ONE | BUSY | DENSE | SCALING
TABLE = *PLAIN, "b-one", "c-one", "a-busy"  # what README shows


def zeros(configuration, images):
    """The part of what the encoder reads that is zero."""
    return float(1 - images.mean() / 255 if configuration.binarize else (images == 0).mean())


def new_model(configuration, images, seed):
    return npvae.VAE.init(
        images.shape[1],
        hidden=configuration.hidden,
        latent_dim=configuration.latent_dim,
        likelihood=npvae.Bernoulli(),
        activation=configuration.activation,
        x_mean=images.mean(axis=0) / 255,
        rng=np.random.default_rng(seed),
    )


def operations(params, rows, samples):
    """Additions and multiplications in the matrix products of a training on so many rows.

    Each W takes part in three: x W, dy Wᵀ and xᵀ dy, but for the encoder's first, whose dy Wᵀ
    would be the gradient of the data.
    """
    products = 0
    for name, w in params.items():
        if name.endswith("W"):
            copies = samples if name.startswith("decoder") else 1
            products += rows * copies * w.size * (2 if name == "encoder/0/W" else 3)
    return 2 * products


def shortest_epoch(configuration, params, rows, rates):
    """Seconds that no implementation can beat which multiplies every number."""
    steps = -(-rows // configuration.batch_size)
    numbers = sum(w.size for w in params.values())
    arithmetic = operations(params, rows, configuration.samples) / rates["operations"]
    return arithmetic + steps * 28 * numbers / rates["bytes"]  # Adam: 4 floats read, 3 written
