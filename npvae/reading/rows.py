"""What a file holds, as rows that a model takes."""

from __future__ import annotations

import numpy as np

from ..likelihoods import Gaussian, HeteroscedasticGaussian, LearnedGaussian
from ..vae import VAE

UNITLESS = Gaussian, HeteroscedasticGaussian, LearnedGaussian


def rows_for(vae: VAE, array: np.ndarray, divide: float | None, source: object) -> np.ndarray:
    """Rows (N, D), divided.

    Raises ValueError, naming the source, if they are not of the model's width, or of 8 bits where
    nobody says what stands for 1.
    """
    if array.ndim < 2 or array[:1].size != vae.data_dim:
        raise ValueError(
            f"{source} has shape {array.shape}; expected (N, D) with D = {vae.data_dim}, or N "
            f"images of {vae.data_dim} numbers"
        )
    rows = array.reshape(len(array), vae.data_dim)
    if divide is not None:
        if not (divide > 0 and np.isfinite(divide)):
            raise ValueError(f"--divide is {divide:g}; expected a finite number > 0")
        return divided(rows, divide)
    if rows.dtype == np.uint8 and isinstance(vae.likelihood, UNITLESS):
        raise ValueError(
            f"{source} is uint8 and the likelihood {vae.likelihood!r} says nothing of its unit; "
            "expected --divide 255 if the model learned from x / 255, or --divide 1"
        )
    return rows


def divided(rows: np.ndarray, divide: float) -> np.ndarray:
    """rows / divide in float32; what is divided by 1 stays as it is, unless it is of 8 bits."""
    if divide == 1 and rows.dtype != np.uint8:
        return rows
    return np.divide(rows, divide, dtype=np.float32)
