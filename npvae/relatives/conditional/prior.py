"""The prior N(m(c), diag s²(c)), and the units in which it is N(0, I).

A draw from the prior is z = m + s·z', which is `reparameterize` again, z' in the noise's place.
For z' the prior is N(0, I), and whatever was derived for N(0, I) holds.
"""

import numpy as np

from ...kl import gaussian_kl, gaussian_kl_backward


def whiten(mu, logvar, prior_mu, prior_logvar):
    """mu' = (mu − m)/s,  logvar' = logvar − log s².             [conditional.2]

    mu, logvar (B, Z), the prior's m and log s² (B, Z) -> mu', logvar' (B, Z)
    If z ~ N(mu, e^logvar), then z' = (z − m)/s ~ N(mu', e^logvar').
    """
    return (mu - prior_mu) * np.exp(-prior_logvar / 2), logvar - prior_logvar


def whiten_backward(dmu_white, dlogvar_white, mu_white, prior_logvar):
    """dmu = dmu'/s,  dm = −dmu'/s,  dlog s² = −½ dmu' mu' − dlogvar'.       [conditional.3]

    All (B, Z) -> dmu, dlogvar, dm, dlog s² (B, Z); logvar passes dlogvar' on as it is
    """
    dmu = dmu_white * np.exp(-prior_logvar / 2)
    return dmu, dlogvar_white, -dmu, -dmu_white * mu_white / 2 - dlogvar_white


def gaussians_kl(mu, logvar, prior_mu, prior_logvar):
    """KL = ½ Σ_j [((mu_j − m_j)² + σ_j²)/s_j² − 1 − log (σ_j²/s_j²)], in nats.  [conditional.4]

    All (B, Z) -> kl (B,). A divergence does not depend on units: it is `gaussian_kl` in the
    prior's, where the prior is N(0, I).
    """
    return gaussian_kl(*whiten(mu, logvar, prior_mu, prior_logvar))


def gaussians_kl_backward(dkl, mu, logvar, prior_mu, prior_logvar):
    """dmu = dkl (mu − m)/s² = −dm,  dlogvar = dkl ½ (σ²/s² − 1),
    dlog s² = dkl ½ (1 − σ²/s² − (mu − m)²/s²).                  [conditional.5]

    dkl (B,), the others (B, Z) -> dmu, dlogvar, dm, dlog s² (B, Z)
    """
    mu_white, logvar_white = whiten(mu, logvar, prior_mu, prior_logvar)
    dwhite = gaussian_kl_backward(dkl, mu_white, logvar_white)
    return whiten_backward(*dwhite, mu_white, prior_logvar)
