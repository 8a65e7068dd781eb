"""What the game is worth when both densities are known: the best discriminator, and a divergence.

p is the density of the data, g the generator's. Both come as logarithms at the nodes of a rule
of quadrature: ∫ f(x) dx ≈ Σ_i weight_i f(x_i), such as a fine grid with its step for a weight.
A density may be 0, its logarithm −inf: 0 log 0 counts as 0, its limit.
"""

import numpy as np

from ...activations import softplus


def game_value(logits, log_p, log_g, weight):
    """V(D, G) = E_p[log D(x)] + E_g[log(1 − D(x))], in nats.    [gan.13]

    logits of D, log_p, log_g, weight (M,) at the nodes -> a number
    Goodfellow et al. 2014, eq. (1).
    """
    inside = _times(np.exp(log_p), softplus(-logits)) + _times(np.exp(log_g), softplus(logits))
    return -float(np.sum(weight * inside))


def optimal_logits(log_p, log_g):
    """D*(x) = p(x)/(p(x) + g(x)), whose logit is log p(x) − log g(x).   [gan.14]

    log_p, log_g (M,) -> (M,), NaN where both densities are 0 and any D is as good
    Goodfellow et al. 2014, proposition 1.
    """
    with np.errstate(invalid="ignore"):
        return log_p - log_g


def kullback_leibler(log_p, log_g, weight):
    """KL(p ‖ g) = E_p[log p(x) − log g(x)], in nats.            [gan.15]

    log_p, log_g, weight (M,) at the nodes -> a number, inf if g is 0 somewhere and p is not
    """
    return float(np.sum(weight * _times(np.exp(log_p), optimal_logits(log_p, log_g))))


def jensen_shannon(log_p, log_g, weight):
    """JS(p, g) = ½ KL(p ‖ m) + ½ KL(g ‖ m),  m = (p + g)/2, in nats.    [gan.16]

    log_p, log_g, weight (M,) at the nodes -> a number in [0, log 2]
    max_D V(D, G) = V(D*, G) = 2 JS(p, g) − log 4.               [gan.17]
    Goodfellow et al. 2014, theorem 1.
    """
    log_m = np.logaddexp(log_p, log_g) - np.log(2)
    halves = kullback_leibler(log_p, log_m, weight), kullback_leibler(log_g, log_m, weight)
    return sum(halves) / 2


def _times(density, value):
    """density · value, 0 where the density is."""
    return np.multiply(density, value, out=np.zeros_like(density), where=density > 0)
