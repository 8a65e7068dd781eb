"""A draw from q(z|x) = N(mu, diag(e^logvar)) that gradients can pass through."""

import numpy as np


def reparameterize(mu, logvar, noise):
    """z = mu + σ·noise,  σ = e^(logvar/2).                      [reparameterization.1]

    mu, logvar (B, Z), noise (L, B, Z) from N(0, I) -> z (L, B, Z)
    Hence E[z] = mu and Var[z] = σ² = e^logvar.                  [reparameterization.2]
    The half matters: e^logvar would be the variance, not σ.
    Kingma & Welling 2013, eq. (10).
    """
    return mu + np.exp(logvar / 2) * noise


def reparameterize_backward(dz, logvar, noise):
    """dmu = Σ_l dz [reparameterization.3],  dlogvar = ½ σ Σ_l dz·noise [reparameterization.4].

    dz (L, B, Z), logvar (B, Z), noise (L, B, Z) -> dmu, dlogvar (B, Z)
    With dz = f'(z)/L, their expectations over the noise are the derivatives of E[f(z)] with
    respect to mu and logvar.                                    [reparameterization.5]
    σ·noise is also z − mu, but in float32 no digit of it survives once σ < 6e-8 |mu|.
    """
    dmu = dz.sum(axis=0)
    dlogvar = np.exp(logvar / 2) / 2 * (dz * noise).sum(axis=0)
    return dmu, dlogvar
