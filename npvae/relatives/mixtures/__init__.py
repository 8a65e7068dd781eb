"""Mixtures, fitted by EM: chapter 4's bound, made tight at each step.

families    what a component is; products of Bernoullis
gaussians   spherical, diagonal and full ones
rows        data as EM walks over them
posterior   which component a row is of
starts      where EM begins
mixture     `Mixture`
em          the one loop of EM
best        several starts
continuous  from K components to a decoder of z
"""

from .best import best_start
from .continuous import from_decoder
from .em import Step, em
from .families import Bernoullis
from .gaussians import DiagonalGaussians, FullGaussians, SphericalGaussians
from .mixture import Mixture

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
