"""Mixtures, fitted by EM: chapter 4's bound, made tight at each step.

families    what a component is; products of Bernoullis
gaussians   spherical, diagonal and full ones
rows        data as EM walks over them
starts      where EM begins
em          the one loop of EM
mixture     `Mixture`
continuous  from K components to a decoder of z
"""

from .continuous import from_decoder
from .em import Step, em
from .families import Bernoullis
from .gaussians import DiagonalGaussians, FullGaussians, SphericalGaussians
from .mixture import Mixture, best_start

__all__ = [
    "Bernoullis",
    "DiagonalGaussians",
    "FullGaussians",
    "Mixture",
    "SphericalGaussians",
    "Step",
    "best_start",
    "em",
    "from_decoder",
]
