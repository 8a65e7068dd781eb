"""The two gradients of a step, each along its own road and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...params import Stacks
from .losses import GeneratorLoss, discriminator_loss_backward
from .network import (
    discriminate,
    discriminate_backward_input,
    discriminate_backward_params,
    generate,
    generate_backward,
)

if TYPE_CHECKING:
    from .model import GAN


def discriminator_gradient(
    gan: GAN, x: np.ndarray, noise: np.ndarray, out: Stacks | None = None
) -> tuple[np.ndarray, np.ndarray, Stacks]:
    """The gradient in φ of −(1/B) Σ_b [log D(x_b) + log(1 − D(G(z_b)))].    [gan.27]

    x (B, D), noise (B, Z) -> real_logits, fake_logits (B,), the discriminator's gradients
    G(z) is a number here: the road back into the generator is not taken.
    """
    B = len(x)
    both = np.concatenate([x, generate(gan, noise).x])
    verdict = discriminate(gan, both)
    real_logits, fake_logits = verdict.logits[:B], verdict.logits[B:]
    dloss = np.full(B, 1 / B, gan.dtype)
    dlogits = np.concatenate(discriminator_loss_backward(dloss, real_logits, fake_logits))
    grads = discriminate_backward_params(dlogits, gan, both, verdict, out)
    return real_logits, fake_logits, grads


def generator_gradient(
    gan: GAN, noise: np.ndarray, loss: GeneratorLoss, out: Stacks | None = None
) -> tuple[np.ndarray, Stacks]:
    """The gradient in θ of (1/B) Σ_b loss(a(G(z_b))), through the discriminator.    [gan.28]

    noise (B, Z) -> fake_logits (B,), the generator's gradients
    """
    sample = generate(gan, noise)
    verdict = discriminate(gan, sample.x)
    dloss = np.full(len(noise), 1 / len(noise), gan.dtype)
    dlogits = loss.backward(dloss, verdict.logits)
    dx = discriminate_backward_input(dlogits, gan, verdict)
    return verdict.logits, generate_backward(dx, gan, noise, sample, out)
