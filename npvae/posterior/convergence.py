"""What chains can say about themselves: whether they agree, and how many draws they are worth."""

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft


def split_r_hat(z):
    """R̂ = √(var⁺/W),  var⁺ = (n − 1)/n W + B/n, over the halves of the chains.    [convergence.1]

    z (draws, C, …) -> (…); n = draws/2, W the mean variance within a half, B/n the variance of
    their means. About 1 if all halves saw the same; NaN if all draws are equal, or draws < 4.
    Gelman et al. 2013, section 11.4; Vehtari et al. 2021, eqs. (1) to (4), ask for R̂ < 1.01.
    """
    n = len(z) // 2
    if n < 2:
        return np.full(z.shape[2:], np.nan)
    halves = np.concatenate([z[:n], z[len(z) - n :]], axis=1).astype(np.float64)
    within, total = _variances(halves)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt(total / within)


def effective_samples(z):
    """C·draws / τ,  τ = −1 + 2 Σ_t (ρ_2t + ρ_2t+1), while these pairs are positive. [convergence.2]

    ρ_t = 1 − (W − mean_C autocovariance_t)/var⁺, W and var⁺ as in split_r_hat but over whole
    chains; and a pair is at most the pair before.               [convergence.3]
    z (draws, C, …) -> (…), how many independent draws would give the mean of z as small an error;
    NaN if all draws are equal, or draws < 4.
    Geyer 1992; Vehtari et al. 2021, eqs. (10) and (11). At most C·draws·log₁₀(C·draws), as there.
    """
    n, chains = z.shape[:2]
    if n < 4:
        return np.full(z.shape[2:], np.nan)
    z = z.astype(np.float64)
    within, total = _variances(z)
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = 1 - (within - autocovariance(z).mean(axis=1)) / total
        rho[0] = 1
        pairs = rho[: n // 2 * 2].reshape(n // 2, 2, *z.shape[2:]).sum(axis=1)
        going_on = np.logical_and.accumulate(pairs > 0, axis=0)
        tau = -1 + 2 * np.sum(np.minimum.accumulate(pairs, axis=0) * going_on, axis=0)
        effective = n * chains / np.maximum(tau, 1 / np.log10(n * chains))
    return np.where(total > 0, effective, np.nan)


def autocovariance(z):
    """(1/n) Σ_i (z_i − z̄)(z_i+t − z̄), by Fourier transforms.    [convergence.4]

    z (n, …) -> (n, …), for t = 0 … n − 1
    """
    n = len(z)
    size = next_fast_len(2 * n, real=True)
    spectrum = rfft(z - z.mean(axis=0), size, axis=0)
    return irfft(np.abs(spectrum) ** 2, size, axis=0)[:n] / n


def _variances(z):
    """W and var⁺ of chains (n, C, …)."""
    n = len(z)
    within = z.var(axis=0, ddof=1).mean(axis=0)
    between = z.mean(axis=0).var(axis=0, ddof=1) if z.shape[1] > 1 else 0.0
    return within, (n - 1) / n * within + between
