"""A draw from q(z|x) = N(mu, diag(e^logvar)) that gradients can pass through."""

import numpy as np


def reparameterize(mu, logvar, noise):
    """z = mu + σ·noise,  σ = e^(logvar/2).                      [reparameterization.1]

    mu, logvar (B, Z), noise (L, B, Z) from N(0, I) -> z (L, B, Z)
    The half matters: e^logvar would be the variance, not σ.
    Kingma & Welling 2013, eq. (10).
    """
    return mu + np.exp(logvar / 2) * noise


def reparameterize_backward(dz, logvar, noise):
    """dmu = Σ_l dz,  dlogvar = ½ σ Σ_l dz·noise.                [reparameterization.2]

    dz (L, B, Z), logvar (B, Z), noise (L, B, Z) -> dmu, dlogvar (B, Z)
    """
    dmu = dz.sum(axis=0)
    dlogvar = np.exp(logvar / 2) / 2 * np.sum(dz * noise, axis=0)
    return dmu, dlogvar
