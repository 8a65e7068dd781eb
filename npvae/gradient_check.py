"""Central differences against any backward.

A check in float64 tells a right gradient (below 1e-9) from one that is wrong by 0.05 %
(2e-4) with room to spare. It cannot tell a right forward from a wrong one.
"""

from typing import NamedTuple

import numpy as np

from ._checks import check_number, check_positive_int, check_rng
from .elbo import elbo, elbo_backward

EPS = np.finfo(np.float64).eps


class GradientError(AssertionError):
    """A backward disagrees with central differences, or has the wrong shape."""


def check_gradient(f, f_backward, args, *, rng, tolerance=1e-7, coordinates=None):
    """Hold f_backward to central differences of f, argument by argument.

    f(*args) -> y; f_backward(dy, *args) -> one gradient for each argument, in order, or
    None where there is none (a lone argument needs no tuple). dy is drawn from N(0, I).
    Float arguments are checked in float64 whatever they came in.
    coordinates     check so many of each argument, drawn at random; None checks all
    -> the relative error of each argument: ‖difference‖ / ‖gradient‖ in the 2-norm
    Raises GradientError, with the argument, the index and both numbers, above tolerance.
    """
    _check_settings(rng, tolerance, coordinates)
    args = [_float64(arg) for arg in args]
    y = np.asarray(f(*args))
    dy = rng.standard_normal(y.shape)
    grads = f_backward(dy, *args)
    if len(args) == 1 and not isinstance(grads, tuple | list):
        grads = (grads,)
    if len(grads) != len(args):
        raise GradientError(f"f_backward returned {len(grads)} gradients for {len(args)} arguments")
    check = _Check(lambda: f(*args), dy, tolerance, coordinates, rng)
    return [
        _check_array(check, f"argument {k}", arg, grad)
        for k, (arg, grad) in enumerate(zip(args, grads, strict=True))
        if grad is not None
    ]


def check_model_gradient(vae, x, noise, *, beta=1.0, rng, tolerance=1e-7, coordinates=None):
    """Hold elbo_backward to central differences of elbo, for every parameter array.

    x (B, D), noise (L, B, Z); the model is copied to float64, and vae is left alone.
    -> relative error by name, such as {"encoder/0/W": 2.1e-11, …}
    Raises as check_gradient and elbo do.
    """
    _check_settings(rng, tolerance, coordinates)
    vae = vae.astype(np.float64)
    x, noise = _float64(vae.check_data("x", x)), _float64(noise)
    trace = elbo(vae, x, noise, beta)
    dbound = rng.standard_normal(len(x))
    grads = elbo_backward(dbound, vae, x, noise, trace).arrays()
    check = _Check(lambda: elbo(vae, x, noise, beta).bound, dbound, tolerance, coordinates, rng)
    return {
        name: _check_array(check, name, array, grads[name])
        for name, array in vae.params.arrays().items()
    }


def central_difference(f, dy, x, index):
    """Σ dy·(f(x + h e_i) − f(x − h e_i)) / 2h,  h = ∛ε max(1, |x_i|).    [gradient_check.1]

    f reads x, which is float64 and left as it was; ∛ε balances the h² of truncation
    against the ε/h of rounding. Where steps h and h/4 disagree there is a kink between,
    and the step shrinks until there is none.
    """
    h = np.cbrt(EPS) * max(1, abs(x[index]))
    wide, _ = _difference(f, dy, x, index, h)
    for _ in range(6):
        narrow, rounding = _difference(f, dy, x, index, h / 4)
        if abs(wide - narrow) <= rounding + 1e-9 * abs(narrow):
            return wide
        h, wide = h / 4, narrow
    return wide


def _difference(f, dy, x, index, h):
    """The difference quotient, and a bound on its rounding error."""
    here = x[index]
    x[index] = here + h
    above = np.array(f())
    x[index] = here - h
    below = np.array(f())
    x[index] = here
    rounding = 16 * EPS * np.sum(np.abs(dy) * (np.abs(above) + np.abs(below)))
    return np.sum(dy * (above - below)) / (2 * h), rounding / (2 * h)


class _Check(NamedTuple):
    f: object  # () -> y, reading the arrays that are varied
    dy: np.ndarray
    tolerance: float
    coordinates: int | None
    rng: np.random.Generator


def _check_array(check, name, array, grad):
    """The relative error of grad."""
    grad = np.asarray(grad)
    if grad.shape != array.shape:
        raise GradientError(f"{name} has shape {array.shape}; its gradient has {grad.shape}")
    flat = np.arange(array.size)
    if check.coordinates is not None and check.coordinates < array.size:
        flat = check.rng.choice(array.size, check.coordinates, replace=False)
    indices = [np.unravel_index(i, array.shape) for i in flat]
    numeric = np.array([central_difference(check.f, check.dy, array, i) for i in indices])
    backward = np.array([grad[i] for i in indices])
    _, rounding = _difference(check.f, check.dy, array, indices[0], np.cbrt(EPS))
    # A gradient of zero has no relative error: below this norm both are rounding.
    floor = rounding * np.sqrt(len(indices)) / check.tolerance
    scale = max(np.linalg.norm(numeric), np.linalg.norm(backward), floor)
    error = np.linalg.norm(numeric - backward) / scale
    if not error <= check.tolerance:
        worst = np.argmax(np.nan_to_num(np.abs(numeric - backward), nan=np.inf))
        index = ", ".join(map(str, indices[worst]))
        kink = _has_kink(check.f, check.dy, array, indices[worst])
        raise GradientError(
            f"{name}[{index}]: the backward gives {backward[worst]:.12g}, central differences "
            f"{numeric[worst]:.12g}; relative error of the array {error:.1e}, "
            f"allowed {check.tolerance:.1e}"
            + ("; f has a kink right there, so check it at another point" if kink else "")
        )
    return error


def _has_kink(f, dy, x, index):
    """Whether the slopes on the two sides of x stay apart as the step shrinks."""
    here, slopes = x[index], []
    for h in (1e-6, -1e-6):
        x[index] = here
        y = np.array(f())
        x[index] = here + h
        slopes.append(np.sum(dy * (np.array(f()) - y)) / h)
    x[index] = here
    return abs(slopes[0] - slopes[1]) > 1e-3 * max(map(abs, slopes))


def _float64(arg):
    array = np.asarray(arg)
    return array.astype(np.float64) if array.dtype.kind == "f" else arg


def _check_settings(rng, tolerance, coordinates):
    check_rng(rng)
    check_number("tolerance", tolerance, low=0)
    if coordinates is not None:
        check_positive_int("coordinates", coordinates)
