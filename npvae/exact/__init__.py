"""Exact answers: what a model is worth without a draw, to hold every estimate against.

`linear` has closed forms where the decoder is one layer and the pixels are Gaussian with one σ;
`grid` sums over z where z has one or two dimensions, whatever the decoder. All is computed in
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
