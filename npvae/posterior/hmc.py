"""Hamiltonian Monte Carlo over z, for many chains and many images at once.

A state is (z, log_p, gradient, …): z (C, N, Z), C chains for each of N images, and all that the
density returned there, which travels with z.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .._checks import check_number, check_positive_int, check_rng
from .joint import Density

STEP_SIZE = 1.0  # where the adaptation begins: what is too long is shortened soonest
DECAY = 0.6  # of its steps, n^−0.6: they must add up to infinity, and their squares must not
JITTER = 0.2  # a step's size is drawn within ± 20 % of what was adapted


class Chains(NamedTuple):
    """What `sample` drew."""

    z: np.ndarray  # (draws, C, N, Z)
    acceptance: np.ndarray  # (N,), the mean probability of acceptance after the warm-up
    step_size: np.ndarray  # (N,)


def kinetic(momentum: np.ndarray) -> np.ndarray:
    """K(p) = ½ ‖p‖², so that e^−K is the density of N(0, I) but for its constant.   [hmc.1]

    momentum (C, N, Z) -> (C, N)
    """
    return np.sum(momentum * momentum, axis=-1) / 2


def leapfrog(density, z, momentum, gradient, step_size, leaps):
    """p ← p + ½ε∇log p(z),  z ← z + εp,  p ← p + ½ε∇log p(z), `leaps` times; then p ← −p.  [hmc.2]

    z, momentum, gradient (C, N, Z), the density's at z, step_size ε (N,)
    -> momentum (C, N, Z), the state (z, log_p, gradient, …) at the end
    Two half steps that meet are one. Because of the last line the map is its own inverse, and
    it keeps volumes.                                            [hmc.3]
    """
    step = step_size[:, None]
    momentum = momentum + step / 2 * gradient
    for leap in range(1, leaps + 1):
        z = z + step * momentum
        there = density(z)
        momentum = momentum + (step if leap < leaps else step / 2) * there[1]
    return -momentum, (z, *there)


def hmc_step(density, state, momentum, uniform, step_size, leaps):
    """z ← leapfrog's z with probability min(1, e^(H − H')),  H = K(p) − log p(z).   [hmc.4]

    momentum (C, N, Z) from N(0, I), uniform (C, N) from [0, 1), step_size (N,)
    -> state, probability (C, N)
    It leaves p invariant, whatever the step's size.             [hmc.5]
    A path that ends in NaN is never accepted.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # a step far too long: it is rejected
        momentum_there, there = leapfrog(density, state[0], momentum, state[2], step_size, leaps)
        energy, energy_there = kinetic(momentum) - state[1], kinetic(momentum_there) - there[1]
        probability = np.nan_to_num(np.exp(np.minimum(energy - energy_there, 0)), nan=0)
    accept = uniform < probability
    chosen = zip(there, state, strict=True)
    return tuple(np.where(_as_wide(accept, b), a, b) for a, b in chosen), probability


def adapt_step(log_step, probability, acceptance, gain):
    """log ε ← log ε + gain (mean_C probability − acceptance).   [hmc.6]

    log_step (N,), probability (C, N) -> (N,). Robbins & Monro 1951.
    """
    return log_step + gain * (probability.mean(axis=0) - acceptance)


def sample(
    density: Density,
    z: np.ndarray,
    *,
    draws: int,
    warm_up: int,
    leaps: int = 10,
    acceptance: float = 0.8,
    step_size: float = STEP_SIZE,
    rng: np.random.Generator,
    lap: Callable[[], object] = lambda: None,
) -> Chains:
    """Draws from any density: HMC whose step is adapted while warming up, and then fixed.  [hmc.5]

    density     z (C, N, Z) -> log p (C, N) but for a constant, its gradient (C, N, Z)
    z           (C, N, Z), where the chains begin
    draws, warm_up      steps that are kept, and steps before them that are not
    leaps       of the leapfrog in a step; each asks the density once
    acceptance  the mean probability of acceptance that the warm-up adapts each ε_n to
    step_size   ε at the beginning
    lap         is called after every step
    Every step's ε is within ± 20 % of the adapted one, drawn for it, lest a path close on itself.
    Raises TypeError or ValueError if an argument is not as described, or log p is not finite at z.
    """
    check_run(draws, warm_up, leaps, acceptance, rng)
    check_number("step_size", step_size, low=0)
    _check_states(z)
    state = (z, *_first(density, z))
    log_step, probabilities = np.full(z.shape[1], np.log(step_size)), np.zeros(z.shape[1])
    kept = np.empty((draws, *z.shape), z.dtype)
    for n in range(1 - warm_up, draws + 1):
        state, probability = draw_step(density, state, np.exp(log_step), leaps, rng=rng)
        if n <= 0:
            log_step = adapt_step(log_step, probability, acceptance, (n + warm_up) ** -DECAY)
        else:
            kept[n - 1] = state[0]
            probabilities += probability.mean(axis=0)
        lap()
    return Chains(kept, probabilities / draws, np.exp(log_step))


def draw_step(density, state, step_size, leaps, *, rng):
    """hmc_step with noise of its own: p ~ N(0, I), u ~ U[0, 1), ε (1 ± 0.2).     [hmc.4]

    state, step_size (N,) -> state, probability (C, N)
    """
    z = state[0]
    jitter = rng.uniform(1 - JITTER, 1 + JITTER, z.shape[1])
    momentum = rng.standard_normal(z.shape, z.dtype)
    uniform = rng.random(z.shape[:2])
    step = (jitter * step_size).astype(z.dtype)
    return hmc_step(density, state, momentum, uniform, step, leaps)


def _as_wide(accept, array):
    return accept.reshape(accept.shape + (1,) * (array.ndim - 2))


def _first(density, z):
    """The density at the beginning, checked."""
    log_p, gradient, *more = density(z)
    if np.shape(log_p) != z.shape[:2] or np.shape(gradient) != z.shape:
        raise ValueError(
            f"density returned shapes {np.shape(log_p)} and {np.shape(gradient)}; expected (C, N) "
            f"= {z.shape[:2]} and (C, N, Z) = {z.shape}"
        )
    if not (np.isfinite(log_p).all() and np.isfinite(gradient).all()):
        raise ValueError("log p or its gradient is not finite at some z where a chain begins")
    return log_p, gradient, *more


def check_run(draws, warm_up, leaps, acceptance, rng):
    """Raise TypeError or ValueError unless they are what `sample` takes."""
    for name, value in (("draws", draws), ("warm_up", warm_up), ("leaps", leaps)):
        check_positive_int(name, value)
    check_number("acceptance", acceptance, low=0, high=1)
    check_rng(rng)


def _check_states(z):
    if not isinstance(z, np.ndarray) or z.dtype not in (np.float32, np.float64):
        raise TypeError("z is no array of float32 or float64; expected (C, N, Z)")
    if z.ndim != 3 or z.size == 0:
        raise ValueError(f"z has shape {z.shape}; expected (C, N, Z), C, N, Z >= 1")
