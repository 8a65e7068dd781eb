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
    The sigmoid from −4 to 4 is in the programs of Wu et al. 2017.
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
    """log w = Σ_i (t_i+1 − t_i) log p(x|z_i),  z_i from z_i−1 by an HMC step at t_i.  [annealing.3]

    likelihood  z (C, N, Z) -> log p(x|z) (C, N), its gradient (C, N, Z)
    z (C, N, Z), drawn from f_t at the first of temperatures (T + 1,); step_size (T − 1, N), each
    for one temperature between, and fixed beforehand
    -> log_w (C, N), acceptance (N,)
    From 0 to 1, E[w] = p(x). From 1 to 0, E[w] = 1/p(x).        [annealing.4]
    Neal 2001; back from an exact draw, Grosse, Ghahramani & Adams 2015.
    """
    log_px_z, slope = likelihood(z)
    log_w = (temperatures[1] - temperatures[0]) * log_px_z.astype(np.float64)
    acceptance = np.zeros(z.shape[1])
    for t, after, step in zip(temperatures[1:-1], temperatures[2:], step_size, strict=True):
        z, log_px_z, slope, probability = _move(likelihood, t, z, log_px_z, slope, step, leaps, rng)
        log_w += (after - t) * log_px_z.astype(np.float64)
        acceptance += probability.mean(axis=0) / len(step_size)
        lap()
    return log_w, acceptance


def rehearse(likelihood, z, temperatures, leaps, *, rng, lap=lambda: None):
    """The ε of each temperature, adapted as in (hmc.6) by chains that are then forgotten.   [hmc.6]

    z (C, N, Z) from the prior, temperatures (T + 1,) from 0 to 1 -> step_size (T − 1, N)
    Chains that adapt their own steps are no longer right: which step comes next depends on where
    they are. These are others, so to the chains that count the steps are constants.
    """
    between, every = len(temperatures) - 2, _every(temperatures)
    log_step, steps = np.full(z.shape[1], np.log(STEP_SIZE)), np.empty((between, z.shape[1]))
    log_px_z, slope = likelihood(z)
    for i in range(0, between, every):
        t, step = temperatures[1 + i], np.exp(log_step)
        z, log_px_z, slope, probability = _move(likelihood, t, z, log_px_z, slope, step, leaps, rng)
        log_step = adapt_step(log_step, probability, ACCEPTANCE, GAIN)
        steps[i : i + every] = np.exp(log_step)
        lap()
    return steps


def hmc_steps(temperatures):
    """How many HMC steps rehearsing and annealing make.         [annealing.3]"""
    between = len(temperatures) - 2
    return len(range(0, between, _every(temperatures))) + between


def _every(temperatures):
    return max(1, len(temperatures) // REHEARSED)


def _move(likelihood, t, z, log_px_z, slope, step_size, leaps, rng):
    """An HMC step at temperature t -> z, log_px_z, slope, probability"""

    def density(z):
        return annealed(t, z, *likelihood(z))[1:]

    state = annealed(t, z, log_px_z, slope)
    (z, _, _, log_px_z, slope), probability = draw_step(density, state, step_size, leaps, rng=rng)
    return z, log_px_z, slope, probability
