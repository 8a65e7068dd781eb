"""Exact answers: log p(x) and the bound without random draws, to compare every estimate with.

`linear` has closed forms for models whose decoder is one layer and whose pixels are Gaussian with
one σ; `grid` sums over z for any decoder, if z has one or two dimensions. Everything is computed in
float64, whatever the model's dtype.
"""

from .grid import Quadrature, expected_bound, quadrature
from .linear import (
    LinearModel,
    Spectrum,
    WaterFilling,
    best_encoder,
    linear_gap,
    linear_log_likelihood,
    linear_posterior,
    probabilistic_pca,
    spectrum,
    water_filling,
)

__all__ = [
    "LinearModel",
    "Quadrature",
    "Spectrum",
    "WaterFilling",
    "best_encoder",
    "expected_bound",
    "linear_gap",
    "linear_log_likelihood",
    "linear_posterior",
    "probabilistic_pca",
    "quadrature",
    "spectrum",
    "water_filling",
]
