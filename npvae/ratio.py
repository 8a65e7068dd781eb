"""log q(z|x) − log p(z) at a draw, and its derivatives: along the draw, with respect to z alone."""

import numpy as np


def log_ratio(z, logvar, noise):
    """log q(z|x) − log p(z) = ½ Σ_j (z_j² − noise_j² − logvar_j), in nats.    [ratio.1]

    z, noise (L, B, Z), logvar (B, Z) -> (L, B), for z = mu + σ·noise; the mean is KL(q ‖ p)
    (z − mu)/σ is noise; computed from z, it would keep no digit once σ < 6e-8 |mu|.
    """
    return np.sum(z * z - noise * noise - logvar, axis=-1) / 2


def log_ratio_backward(dratio, z):
    """dz = dratio z,  dlogvar = −½ Σ_l dratio.                  [ratio.2]

    dratio (L, B), z (L, B, Z) -> dz (L, B, Z), dlogvar (B, 1), one for all Z
    Along z = mu + σ·noise with its noise fixed, log q changes with σ alone.
    """
    return dratio[..., None] * z, -dratio.sum(axis=0)[:, None] / 2


def log_ratio_backward_path(dratio, z, logvar, noise):
    """dz = dratio (z − noise/σ): mu and logvar inside q held fixed.       [ratio.3]

    dratio (L, B), z, noise (L, B, Z), logvar (B, Z) -> dz (L, B, Z)
    What it leaves out, the score of q, has mean zero.           [ratio.4]
    """
    return dratio[..., None] * (z - noise * np.exp(-logvar / 2))
