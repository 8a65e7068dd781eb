"""GANs: a generator and a discriminator at odds, every gradient through both by hand.

game     the smallest game, whose steps are matrices
losses   what each network lowers
network  the passes of both, forward and back
steps    the gradient of each network's loss
optimum  the best discriminator, and the divergence that the game then is
ring     data whose modes can be counted
model    `GAN`
train    `train_gan`
"""

from .losses import GENERATOR_LOSSES
from .model import GAN
from .ring import mode_shares, modes_found, ring, ring_centres
from .train import GANEpoch, train_gan

__all__ = [
    "GAN",
    "GENERATOR_LOSSES",
    "GANEpoch",
    "mode_shares",
    "modes_found",
    "ring",
    "ring_centres",
    "train_gan",
]
