"""The generator's and the discriminator's passes, forward and back, arrow by arrow.

noise (B, Z) ─ generator ─▶ x (B, D) ─ discriminator ─▶ logits (B,)

Nothing is remembered: each forward returns all that its backward reads. The sample x is an argument
of the discriminator, never a constant of it, so the road from logits to the generator is one
more backward; and that road makes no gradient of the discriminator that could be left in a sum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...activations import ACTIVATIONS
from ...dense import dense_backward_input, stack, stack_backward
from ...params import Stacks

if TYPE_CHECKING:
    from .model import GAN


class Sample(NamedTuple):
    """What a forward pass of the generator computed."""

    hidden: tuple[np.ndarray, ...]  # each (B, H)
    x: np.ndarray  # (B, D)


class Verdict(NamedTuple):
    """What a forward pass of the discriminator computed."""

    hidden: tuple[np.ndarray, ...]  # each (B, H)
    logits: np.ndarray  # (B,)


def generate(gan: GAN, noise: np.ndarray) -> Sample:
    """x = G(z) = output(stack(z)).                              [gan.18]

    noise z (B, Z) from N(0, I) -> x (B, D)
    """
    layers = gan.generator.stacks["generator"]
    hidden, a = stack(noise, layers, ACTIVATIONS[gan.activation])
    return Sample(hidden, ACTIVATIONS[gan.output].forward(a))


def generate_backward(
    dx: np.ndarray, gan: GAN, noise: np.ndarray, sample: Sample, out: Stacks | None = None
) -> Stacks:
    """dθ = Σ_b dx_b ∂G(z_b)/∂θ.                                 [gan.19]

    dx (B, D); sample = generate(gan, noise) -> the generator's gradients, in out if given
    """
    grads = out or gan.generator.empty_like()
    da = ACTIVATIONS[gan.output].backward(dx, sample.x)
    layers, dlayers = gan.generator.stacks["generator"], grads.stacks["generator"]
    stack_backward(da, noise, layers, ACTIVATIONS[gan.activation], sample.hidden, out=dlayers)
    return grads


def discriminate(gan: GAN, x: np.ndarray) -> Verdict:
    """a = stack(x), one logit a row: D(x) = sigmoid(a).         [gan.20]

    x (B, D) -> logits (B,)
    """
    layers = gan.discriminator.stacks["discriminator"]
    hidden, a = stack(x, layers, ACTIVATIONS[gan.discriminator_activation])
    return Verdict(hidden, a[:, 0])


def discriminate_backward_params(
    dlogits: np.ndarray, gan: GAN, x: np.ndarray, verdict: Verdict, out: Stacks | None = None
) -> Stacks:
    """dφ = Σ_b dlogits_b ∂a(x_b)/∂φ.                            [gan.21]

    dlogits (B,); verdict = discriminate(gan, x) -> the discriminator's gradients, in out if given
    """
    grads = out or gan.discriminator.empty_like()
    layers, dlayers = gan.discriminator.stacks["discriminator"], grads.stacks["discriminator"]
    activation = ACTIVATIONS[gan.discriminator_activation]
    stack_backward(dlogits[:, None], x, layers, activation, verdict.hidden, out=dlayers)
    return grads


def discriminate_backward_input(dlogits: np.ndarray, gan: GAN, verdict: Verdict) -> np.ndarray:
    """dx_b = dlogits_b ∂a(x_b)/∂x_b: from the verdict to the sample.    [gan.22]

    dlogits (B,); verdict = discriminate(gan, x) -> dx (B, D)
    dhᵢ₋₁ = daᵢ Wᵢᵀ, daᵢ₋₁ = activation_backward(dhᵢ₋₁, hᵢ₋₁), down to x = h₀.
    """
    layers = gan.discriminator.stacks["discriminator"]
    activation = ACTIVATIONS[gan.discriminator_activation]
    dh = dense_backward_input(dlogits[:, None], layers[-1].W)
    for layer, h in zip(layers[-2::-1], verdict.hidden[::-1], strict=True):
        dh = dense_backward_input(activation.backward(dh, h), layer.W)
    return dh
