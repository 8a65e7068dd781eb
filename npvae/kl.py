"""The Kullback–Leibler divergence from q(z|x) to the prior p(z) = N(0, I)."""

import numpy as np


def gaussian_kl_per_dim(mu, logvar):
    """KL(N(μ, σ²) ‖ N(0, 1)) = ½ (μ² + σ² − 1 − log σ²), in nats.    [kl.1]

    mu, logvar (B, Z) -> (B, Z)
    Never negative, and 0 only at μ = 0, σ = 1: e^t ≥ 1 + t at t = logvar.   [kl.2]
    σ² − 1 is expm1(logvar): in float32, e^t − 1 − t is 5 % off at t = 1e-3 and negative at
    t = −1e-4. expm1(t) − t is not, because rounding never takes expm1(t) below t.
    """
    return (mu * mu + (np.expm1(logvar) - logvar)) / 2


def gaussian_kl(mu, logvar):
    """kl = ½ Σ_j (μ_j² + σ_j² − 1 − log σ_j²), in nats.         [kl.3]

    mu, logvar (B, Z) -> kl (B,)
    Dimensions are independent under both q and p, so their divergences add.
    Kingma & Welling 2013, appendix B.
    """
    return gaussian_kl_per_dim(mu, logvar).sum(axis=-1)


def gaussian_kl_backward(dkl, mu, logvar):
    """dmu = dkl μ [kl.4],  dlogvar = dkl ½ (σ² − 1) [kl.5].

    dkl (B,), mu, logvar (B, Z) -> dmu, dlogvar (B, Z)
    """
    dkl = dkl[:, None]
    return dkl * mu, dkl * np.expm1(logvar) / 2
