"""x given y and c: what a conditional model makes of what was seen, told what it is."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._checks import real_numbers
from ...posterior.observations import Observation
from ...posterior.restoring import R_HAT, Restored, check_seen, restore
from ...posterior.sampling import ChainWarning, PosteriorSamples, warn_of_chains
from ...reparameterization import reparameterize
from .bound import conditional_prior
from .model import ConditionalVAE


def restore_conditional(
    model: ConditionalVAE,
    y: ArrayLike,
    observation: Observation,
    condition: ArrayLike,
    *,
    rng: np.random.Generator,
    **choices: Any,
) -> Restored:
    """z ~ p(z|y, c) ∝ p(y|z, c) p(z|c), and x given them all.   [conditional.7]

    y (N, M), observation and choices as `npvae.posterior.restore` takes them, condition (N, C)
    Rows of one condition go together: `restore` of the VAE that the model is at c.
    Raises and warns as `restore` does, and if condition is missing or of another shape.
    """
    y = real_numbers("y", y)[0]
    c = model.check_condition("condition", condition, len(y) if y.ndim else 1)
    y = check_seen(model.given(c[0]), "y", y, observation)
    conditions, group = np.unique(c, axis=0, return_inverse=True)
    order, found = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ChainWarning)  # told below, of all rows at once
        for g, one in enumerate(conditions):
            rows = np.flatnonzero(group.reshape(-1) == g)
            order.append(rows)
            some = observation.rows(rows)
            found.append(restore(model.given(one), y[rows], some, rng=rng, **choices))
    back = np.argsort(np.concatenate(order))
    posterior = PosteriorSamples(
        *_joined([part.posterior for part in found], back, (2, 0, 0, 0, 0))
    )
    _, m, log_s2 = conditional_prior(model, c)
    posterior = posterior._replace(z=reparameterize(m, log_s2, posterior.z))
    warn_of_chains(posterior, R_HAT)
    images, mean, spread = _joined([part[:3] for part in found], back, (1, 0, 0))
    return Restored(images, mean, spread, posterior)


def _joined(records, back, axes):
    """Each field of the records as one array, its rows, along these axes, in the order of y."""
    fields = zip(*records, strict=True)
    return [
        np.take(np.concatenate(parts, axis), back, axis)
        for parts, axis in zip(fields, axes, strict=True)
    ]
