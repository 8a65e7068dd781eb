"""`check_gradient`: central differences against any backward.

In float64 the right gradient of a function of size 1 scores below 1e-8, and one that is wrong by
0.05 % scores 5e-4. A bound of 500 nats leaves its slopes fewer digits, about 1e-6 of an array; so
an array fails that is off by more than the tolerance and by more than rounding explains.
A wrong forward beside the backward that belongs to it passes.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .._checks import check_number, check_positive_int, check_rng
from ..elbo import CLOSED_FORM, elbo, elbo_backward
from ..objectives import Objective
from ..vae import VAE
from .differences import (
    STEPS,
    TINY,
    moved,
    relative_error,
    rounding_error,
    slope,
    slope_jump,
    step_size,
)


class GradientError(AssertionError):
    """A backward disagrees with central differences, or returns no gradient at all."""


def check_gradient(
    f: Callable,
    f_backward: Callable,
    args: Sequence,
    *,
    rng: np.random.Generator,
    tolerance: float = 1e-7,
    coordinates: int | None = None,
) -> list[float]:
    """Hold f_backward to dx_i = Σ_j dy_j ∂y_j/∂x_i, argument by argument.    [gradientcheck.7]

    f(*args) -> y, one array; f_backward(dy, *args) -> a gradient for each argument, in order,
    None for one that has none; a lone gradient needs no tuple. dy is drawn from N(0, I).
    Float arguments are copied to float64, others are passed on as they are.
    coordinates     check so many entries of each argument, drawn at random; None checks all
    -> the relative error of each gradient, in order; 0 where there is nothing but rounding
    Raises GradientError, with the argument, the index and both numbers, above tolerance, unless
    rounding explains it; TypeError or ValueError if an argument is not as described.
    """
    _check_settings(rng, tolerance, coordinates)
    if not isinstance(args, tuple | list):
        raise TypeError(f"args is a {type(args).__name__}; expected a tuple, such as (x,)")
    args = [_float64(arg) for arg in args]
    y = _check_output(f(*args))
    dy = np.asarray(rng.standard_normal(y.shape))
    grads = f_backward(dy.copy(), *map(_float64, args))
    grads = _check_count(grads, len(args))
    check = _Check(lambda: f(*args), dy, y, rng, tolerance, coordinates)
    return [
        _check_array(check, name, arg, grad)
        for name, arg, grad in zip(_argument_names(f, len(args)), args, grads, strict=True)
        if grad is not None
    ]


def check_model_gradient(
    vae: VAE,
    x: ArrayLike,
    noise: np.ndarray,
    *,
    objective: Objective = CLOSED_FORM,
    rng: np.random.Generator,
    tolerance: float = 1e-7,
    coordinates: int | None = None,
) -> dict[str, float]:
    """Hold elbo_backward to central differences of elbo, for every parameter array.

    x (B, D), noise (L, B, Z); the model is copied to float64, and vae is left alone.
    -> relative error by name, such as {"encoder/0/W": 2.1e-11, …}
    Raises as check_gradient and elbo do, and ValueError for an objective whose gradient is right
    on average only, "stl" or "dreg": differences of one draw cannot confirm it.
    """
    _check_settings(rng, tolerance, coordinates)
    if getattr(objective, "gradient", "total") != "total":
        raise ValueError(
            f"{objective} has an estimate of the gradient of its mean, not the gradient of this "
            'draw; check gradient="total"'
        )
    vae = vae.astype(np.float64)
    x, noise = vae.check_data("x", x), _float64(noise)
    trace = elbo(vae, x, noise, objective)
    dbound = rng.standard_normal(len(x))
    grads = elbo_backward(dbound, vae, x, noise, trace).arrays()
    y = _check_output(trace.bound)
    check = _Check(
        lambda: elbo(vae, x, noise, objective).bound, dbound, y, rng, tolerance, coordinates
    )
    return {
        name: _check_array(check, name, array, grads[name])
        for name, array in vae.params.arrays().items()
    }


class _Check(NamedTuple):
    f: Callable  # () -> y, reading the arrays that are moved
    dy: np.ndarray
    y: np.ndarray
    rng: np.random.Generator
    tolerance: float
    coordinates: int | None


@np.errstate(divide="ignore", invalid="ignore", over="ignore")  # a step may leave f's domain
def _check_array(check, name, x, dx):
    """The relative error of dx, or GradientError."""
    dx = _check_form(name, x, dx)
    indices = _indices(check, x)
    measured = [slope(check.f, check.dy, check.y, x, index) for index in indices]
    slopes, rounding = np.reshape(measured, (-1, 2)).T
    backward = np.array([dx[index] for index in indices])
    error = _score(backward, slopes, rounding)
    floor = np.linalg.norm(rounding) / check.tolerance
    if not relative_error(backward, slopes, max(floor, TINY)) <= check.tolerance:
        gaps = np.abs(backward - slopes)
        worst = np.argmax(gaps)
        kink = _has_kink(check, x, indices[worst], gaps[worst])
        raise GradientError(
            f"{_entry(name, indices[worst])}: the backward gives {backward[worst]:.12g}, central "
            f"differences {slopes[worst]:.12g}; relative error of the array {error:.1e}, "
            f"allowed {check.tolerance:.1e}"
            + ("; f has a kink right there, so check it at another point" if kink else "")
            + _common_factor(backward, slopes, floor, check.tolerance)
        )
    return error


def _common_factor(backward, slopes, floor, tolerance):
    """Words for a backward that is one number times the differences, else none."""
    square = np.sum(slopes * slopes)
    if len(slopes) == 1 or not square > 0:
        return ""
    factor = np.sum(backward * slopes) / square
    if not relative_error(backward, factor * slopes, max(abs(factor) * floor, TINY)) <= tolerance:
        return ""
    return f"; the backward is {factor:.6g} times the differences, everywhere"


def _score(dx, slopes, rounding):
    """The relative error, or 0 where neither array holds more than rounding."""
    if max(map(np.linalg.norm, (dx, slopes))) <= np.linalg.norm(rounding):
        return 0.0
    return relative_error(dx, slopes)


def _check_form(name, x, dx):
    if getattr(x, "dtype", None) != np.float64:
        raise TypeError(f"{name} holds no floats; expected None for its gradient")
    dx = np.asarray(dx)
    if dx.shape != x.shape:
        raise GradientError(f"{name} has shape {x.shape}; its gradient has {dx.shape}")
    if not np.isfinite(dx).all():
        index = tuple(np.argwhere(~np.isfinite(dx))[0])
        raise GradientError(f"{_entry(name, index)}: the backward gives {dx[index]}")
    return dx


def _check_count(grads, n):
    """The gradients of n arguments, as a sequence of n."""
    if not isinstance(grads, tuple | list):
        if n != 1:
            raise GradientError(
                f"f_backward returned one array {np.shape(grads)}; expected a tuple of {n} "
                "gradients, one for each argument"
            )
        return (grads,)
    if len(grads) != n:
        raise GradientError(f"f_backward returned {len(grads)} gradients for {n} arguments")
    return grads


def _argument_names(f, n):
    """The names in f's signature; "argument 0", … where it has none to tell."""
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):  # not every function written in C has a signature
        parameters = ()
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return names[:n] + [f"argument {k}" for k in range(len(names), n)]


def _indices(check, x):
    flat = np.arange(x.size)
    if check.coordinates is not None and check.coordinates < x.size:
        flat = check.rng.choice(x.size, check.coordinates, replace=False)
    return [np.unravel_index(i, x.shape) for i in flat]


def _has_kink(check, x, index, gap):
    """Whether the slope jumps within the last step that `slope` could take, by enough.

    A backward that gives the slope of one side is off by half the jump, gap = jump/2; and of a
    kink beside x, not on it, a step sees a part. So half of gap, a quarter of the jump, is asked.
    Four evaluations stand in a jump, and two in 2 D_h: rounding weighs four times as much.
    """
    h = step_size(x[index]) / 4 ** (STEPS - 2)
    narrow, wide = (
        abs(slope_jump(check.f, check.dy, check.y, x, index, step)) for step in (h, 16 * h)
    )
    dy_moved = check.dy * moved(check.f, check.y, x, index)
    return narrow > max(wide / 4, gap / 2, 4 * rounding_error(dy_moved, check.y, h))


def _entry(name, index):
    return f"{name}[{', '.join(map(str, index))}]" if index else name


def _float64(arg):
    """A float64 copy of floats; anything else as it is."""
    if isinstance(arg, tuple):
        return arg
    array = np.asarray(arg)
    return array.astype(np.float64) if array.dtype.kind == "f" else arg


def _check_output(y):
    y = np.array(y)
    if y.dtype != np.float64:
        raise TypeError(f"f returns {y.dtype} for float64 arguments; expected float64")
    if not np.isfinite(y).all():
        raise ValueError("f returns NaN or inf; expected finite numbers to take differences of")
    return y


def _check_settings(rng, tolerance, coordinates):
    check_rng(rng)
    check_number("tolerance", tolerance, low=0)
    if coordinates is not None:
        check_positive_int("coordinates", coordinates)
