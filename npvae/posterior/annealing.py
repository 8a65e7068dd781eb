"""Annealing: from the prior to the posterior a little at a time, and back."""

from __future__ import annotations

import numpy as np

from .hmc import adapt_step, draw_step
from .joint import log_prior

STEEPNESS = 4.0  # the sigmoid is taken from −4 to 4
ACCEPTANCE = 0.8
REHEARSED = 100  # temperatures at which the rehearsal adapts the step
GAIN = 0.5  # of its adaptation, constant, because the density moves
STEP_SIZE = 0.5  # at the prior, where the rehearsal begins


def annealing_schedule(temperatures: int, schedule: str = "sigmoidal") -> np.ndarray:
    """t_i = (s(i) − s(0))/(s(T) − s(0)),  s(i) = sigmoid(8 i/T − 4);  or t_i = i/T.  [annealing.1]

    temperatures T -> (T + 1,), from t_0 = 0 to t_T = 1, finest at both ends if sigmoidal
    Grosse, Ghahramani & Adams 2015, section 4 (of the sigmoid).
    """
    t = np.arange(temperatures + 1) / temperatures
    if schedule == "linear":
        return t
    s = 1 / (1 + np.exp(-STEEPNESS * (2 * t - 1)))
    return (s - s[0]) / (s[-1] - s[0])


def annealed(t, z, log_px_z, slope):
    """log f_t(z) = log p(z) + t log p(x|z), and its gradient −z + t ∂log p(x|z)/∂z.  [annealing.2]

    log_px_z (C, N) and slope (C, N, Z), its gradient, at z (C, N, Z) -> a state of hmc: z, log f_t,
    gradient, and the two themselves, from which any other temperature follows without the decoder
    """
    t = z.dtype.type(t)
    return z, log_prior(z) + t * log_px_z, t * slope - z, log_px_z, slope


def anneal(likelihood, z, temperatures, step_size, leaps, *, rng, lap=lambda: None):
    """log w = Σ_i (t_i − t_i−1) log p(x|z_i−1),  z_i by an HMC step at t_i.     [annealing.3]

    likelihood  z (C, N, Z) -> log p(x|z) (C, N), its gradient (C, N, Z)
    z (C, N, Z), drawn from f_t at the first temperature; step_size (T, N), each fixed beforehand
    -> log_w (C, N), acceptance (N,)
    From 0 to 1, E[w] = p(x). From 1 to 0, E[w] = 1/p(x).        [annealing.4]
    Neal 2001; back from an exact draw, Grosse, Ghahramani & Adams 2015.
    """
    log_w, acceptance = np.zeros(z.shape[:2]), np.zeros(z.shape[1])
    log_px_z, slope = likelihood(z)
    for before, t, step in zip(temperatures, temperatures[1:], step_size, strict=False):
        log_w += (t - before) * log_px_z.astype(np.float64)
        z, log_px_z, slope, probability = _move(likelihood, t, z, log_px_z, slope, step, leaps, rng)
        acceptance += probability.mean(axis=0) / len(step_size)
        lap()
    return log_w, acceptance


def rehearse(likelihood, z, temperatures, leaps, *, rng, lap=lambda: None):
    """Each ε_i, adapted as in (hmc.6) by chains that are then forgotten.     [hmc.6]

    z (C, N, Z) from the prior -> step_size (T, N), for each temperature but the first
    Chains that adapt their own steps are no longer right: which step comes next depends on where
    they are. These are others, so to the chains that count the steps are constants.
    """
    T = len(temperatures) - 1
    every = _every(T)
    log_step, steps = np.full(z.shape[1], np.log(STEP_SIZE)), []
    log_px_z, slope = likelihood(z)
    for t in temperatures[1::every]:
        here = np.exp(log_step)
        z, log_px_z, slope, probability = _move(likelihood, t, z, log_px_z, slope, here, leaps, rng)
        log_step = adapt_step(log_step, probability, ACCEPTANCE, GAIN)
        steps.append(np.exp(log_step))
        lap()
    return np.repeat(steps, every, axis=0)[:T]


def rehearsals(T):
    """How many HMC steps `rehearse` makes for T temperatures.   [hmc.6]"""
    return len(range(0, T, _every(T)))


def _every(T):
    return max(1, T // REHEARSED)


def _move(likelihood, t, z, log_px_z, slope, step_size, leaps, rng):
    """An HMC step at temperature t -> z, log_px_z, slope, probability"""

    def density(z):
        return annealed(t, z, *likelihood(z))[1:]

    state = annealed(t, z, log_px_z, slope)
    (z, _, _, log_px_z, slope), probability = draw_step(density, state, step_size, leaps, rng=rng)
    return z, log_px_z, slope, probability
