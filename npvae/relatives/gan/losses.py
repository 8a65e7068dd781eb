"""What the two networks of a GAN lower, each loss beside its backward.

The discriminator emits a logit a for each row; D = sigmoid(a) is its probability of "real".
Only log D and log(1 − D) are needed, and neither is ever a log of a rounded probability:
log D = −softplus(−a), log(1 − D) = −softplus(a).
"""

from collections.abc import Callable
from typing import NamedTuple

from ...activations import sigmoid, softplus


class GeneratorLoss(NamedTuple):
    """A loss of the generator, and its vector-Jacobian product."""

    forward: Callable  # fake_logits (B,) -> loss (B,)
    backward: Callable  # dloss (B,), fake_logits (B,) -> dfake_logits (B,)


def discriminator_loss(real_logits, fake_logits):
    """−log D(x) − log(1 − D(G(z))), in nats.                    [gan.7]

    real_logits, fake_logits (B,) -> (B,)
    Goodfellow et al. 2014, eq. (1), with the sign of a loss.
    """
    return softplus(-real_logits) + softplus(fake_logits)


def discriminator_loss_backward(dloss, real_logits, fake_logits):
    """dreal_logits = −dloss (1 − D(x)),  dfake_logits = dloss D(G(z)).  [gan.8]

    dloss, real_logits, fake_logits (B,) -> (B,), (B,)
    """
    return -dloss * sigmoid(-real_logits), dloss * sigmoid(fake_logits)


def minimax_loss(fake_logits):
    """log(1 − D(G(z))), in nats: what D raises, G lowers.       [gan.9]

    fake_logits (B,) -> (B,)
    """
    return -softplus(fake_logits)


def minimax_loss_backward(dloss, fake_logits):
    """dfake_logits = −dloss D(G(z)): nothing, where D is sure.  [gan.10]

    dloss, fake_logits (B,) -> (B,)
    """
    return -dloss * sigmoid(fake_logits)


def non_saturating_loss(fake_logits):
    """−log D(G(z)), in nats: G raises what D lowers.            [gan.11]

    fake_logits (B,) -> (B,)
    At D*, its gradient for θ is that of KL(g ‖ p) − 2 JS(p, g).    [gan.29]
    Goodfellow et al. 2014, section 3.
    """
    return softplus(-fake_logits)


def non_saturating_loss_backward(dloss, fake_logits):
    """dfake_logits = −dloss (1 − D(G(z))): most, where D is sure.       [gan.12]

    dloss, fake_logits (B,) -> (B,)
    """
    return -dloss * sigmoid(-fake_logits)


GENERATOR_LOSSES = {
    "minimax": GeneratorLoss(minimax_loss, minimax_loss_backward),
    "non-saturating": GeneratorLoss(non_saturating_loss, non_saturating_loss_backward),
}
