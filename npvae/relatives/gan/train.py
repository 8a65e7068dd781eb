"""`train_gan`: alternating steps of two networks, on the one loop over minibatches."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ... import kernels
from ..._checks import check_choice, check_positive_int
from ...activations import sigmoid
from ...optimizers import Optimizer
from ...training.loop import Rows, check_settings, must_be_iterated, progress_bar, visit
from ...training.step import require_finite, update
from .losses import GENERATOR_LOSSES, GeneratorLoss, discriminator_loss
from .model import GAN
from .steps import discriminator_gradient, generator_gradient


class GANEpoch(NamedTuple):
    """One pass over the data: means over its rows, each as it was when its turn came.

    Where D(x) = D(G(z)) = ½ for all, discriminator_loss = log 4 = 1.386 and
    generator_loss = log 2 = 0.693, or −0.693 for "minimax". None of the four says how good the
    samples are.
    """

    epoch: int  # from 1
    discriminator_loss: float  # nats
    generator_loss: float  # nats
    real: float  # mean D(x), a probability
    fake: float  # mean D(G(z)), before the generator's step
    seconds: float

    def __str__(self) -> str:
        return (
            f"epoch {self.epoch:3d}  losses D {self.discriminator_loss:7.3f} "
            f"G {self.generator_loss:7.3f} nats  D(x) {self.real:.3f} D(G(z)) {self.fake:.3f}"
        )


def train_gan(
    gan: GAN,
    x: ArrayLike,
    *,
    epochs: int,
    generator_optimizer: Optimizer,
    discriminator_optimizer: Optimizer,
    rng: np.random.Generator,
    batch_size: int = 100,
    generator_loss: str = "non-saturating",
    discriminator_steps: int = 1,
    progress: bool = False,
) -> Iterator[GANEpoch]:
    """Play the game over the rows of x; a generator of one GANEpoch after each epoch.

    x (N, D)                every row is visited exactly once an epoch, in a fresh order
    generator_optimizer     such as npvae.Adam(2e-4, beta1=0.5); and another for the
                            discriminator: each holds its own network's state
    generator_loss          "non-saturating", or "minimax"
    discriminator_steps     batches for the discriminator before the generator's step
    rng                     order, and noise for each network's steps, from streams of their own
    Raises TypeError or ValueError at once if an argument is not as described, NonFiniteError
    during training.
    """
    rows, unit = gan.check_rows("x", x)
    for optimizer in (generator_optimizer, discriminator_optimizer):
        check_settings(
            epochs=epochs, batch_size=batch_size, optimizer=optimizer, rng=rng, progress=progress
        )
    if generator_optimizer is discriminator_optimizer:
        raise ValueError("both networks got one optimizer; expected one for each, with its state")
    check_choice("generator_loss", generator_loss, GENERATOR_LOSSES)
    check_positive_int("discriminator_steps", discriminator_steps)
    game = _Game(
        gan,
        Rows(rows, unit, gan.dtype),
        batch_size,
        generator_optimizer,
        discriminator_optimizer,
        GENERATOR_LOSSES[generator_loss],
        discriminator_steps,
        *rng.spawn(3),
    )
    return must_be_iterated("relatives.train_gan", _epochs(game, epochs, progress))


class _Game(NamedTuple):
    """What stays the same from epoch to epoch."""

    gan: GAN
    data: Rows
    batch_size: int
    generator_optimizer: Optimizer
    discriminator_optimizer: Optimizer
    generator_loss: GeneratorLoss
    discriminator_steps: int
    order_rng: np.random.Generator
    discriminator_rng: np.random.Generator
    generator_rng: np.random.Generator


def _epochs(game, epochs, progress):
    N = len(game.data.x)
    for epoch in range(1, epochs + 1):
        with progress_bar(N, f"epoch {epoch}/{epochs}", progress) as bar:
            start = kernels.clock()
            real, fake, generator_losses = _visit_all_rows(game, epoch, bar)
            seconds = kernels.clock() - start
        yield GANEpoch(
            epoch=epoch,
            discriminator_loss=float(discriminator_loss(real, fake).mean(dtype=np.float64)),
            generator_loss=float(np.mean(generator_losses)),
            real=float(sigmoid(real).mean(dtype=np.float64)),
            fake=float(sigmoid(fake).mean(dtype=np.float64)),
            seconds=seconds,
        )


def _visit_all_rows(game, epoch, bar):
    """A step for each minibatch; -> logits of real and fake rows as visited, G's mean losses."""
    gan, N = game.gan, len(game.data.x)
    discriminator_grads, generator_grads = (
        network.empty_like() for network in (gan.discriminator, gan.generator)
    )
    real, fake = (np.empty(N, gan.dtype) for _ in range(2))
    generator_losses, waiting = [], 0

    def noise(rng, B):
        return rng.standard_normal((B, gan.latent_dim), gan.dtype)

    @np.errstate(over="ignore", invalid="ignore")  # told with a name
    def step(batch, rows, at, whole):
        nonlocal waiting
        z = noise(game.discriminator_rng, len(rows))
        real[at], fake[at], grads = discriminator_gradient(gan, batch, z, discriminator_grads)
        require_finite({"logits of the discriminator": real[at] + fake[at]})
        with whole:
            update(game.discriminator_optimizer, gan.discriminator, grads)
        waiting += 1
        if waiting < game.discriminator_steps and at.stop < N:
            return
        waiting = 0
        z = noise(game.generator_rng, len(rows))
        logits, grads = generator_gradient(gan, z, game.generator_loss, generator_grads)
        require_finite({"logits of the generator's samples": logits})
        generator_losses.append(game.generator_loss.forward(logits).mean(dtype=np.float64))
        with whole:
            update(game.generator_optimizer, gan.generator, grads)

    visit(
        game.data,
        step,
        epoch=epoch,
        batch_size=game.batch_size,
        work=("train_gan", gan.generator.rows[0].size, game.batch_size),
        order_rng=game.order_rng,
        target_rng=game.order_rng,
        bar=bar,
    )
    return real, fake, generator_losses
