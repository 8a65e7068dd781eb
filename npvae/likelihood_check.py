"""A likelihood is checked against itself: density, gradient, terms, mean, draws, start must agree.

If the density is wrong and the gradient belongs to it, central differences find nothing. So the
density is added up over its support, and its mean and variance are compared with `mean` and
`draw`.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ._checks import check_positive_int, check_rng, real_numbers
from .gradient_check import check_gradient
from .likelihoods import Likelihood
from .likelihoods._protocol import check_is_likelihood

STANDARD_ERRORS = 5.5  # a false alarm once in 26 million comparisons
TOLERANCE = 1e-6  # of sums and quadrature, against 1
STEP = 1 / 64  # between points of quadrature, on a scale that stretches the density's ends


class LikelihoodError(AssertionError):
    """A likelihood contradicts itself, or what `Likelihood` promises."""


class LikelihoodCheck(NamedTuple):
    """How far a likelihood contradicts itself: the largest error of each kind."""

    log_mass: float  # nats, of ∫ p(x|z) dx from 1
    gradient: float  # relative, of the backward from central differences
    mean: float  # of `mean` from the density's, in standard deviations of x
    draws: float  # of the draws' mean and variance from the density's, in standard errors
    output_bias: float  # of mean(output_bias(m)) from m, in standard deviations of x


def check_likelihood(
    likelihood: Likelihood, x: ArrayLike, *, rng: np.random.Generator, draws: int = 10_000
) -> LikelihoodCheck:
    """Σ_d log ∫ p(x) dx_d = (D − 1) log p(x) if p(x) = Π_d p_d(x_d) is normalised. [likelihoods.37]

    x (B, D), a few rows and columns in the support -> LikelihoodCheck. The decoder's output is
    drawn from N(0, I). Integrals go over likelihood.support, one coordinate at a time.
    Raises LikelihoodError, or GradientError for the backward, with what was found; TypeError or
    ValueError if likelihood is not a `Likelihood`, x lies outside its support, rng is not a
    Generator, or draws is not an integer >= 1.
    """
    check_is_likelihood(likelihood)
    check_rng(rng)
    check_positive_int("draws", draws)
    x = real_numbers("x", x)[0].astype(np.float64)
    if x.ndim != 2 or x.size == 0:
        raise ValueError(f"x has shape {x.shape}; expected (B, D), neither of them 0")
    likelihood.check_support("x", x)
    output = rng.standard_normal((2, len(x), likelihood.output_width(x.shape[1])))
    for dtype in (np.float32, np.float64):
        _check_forms(likelihood, x.astype(dtype), output.astype(dtype), rng)
    learned = likelihood.init_learned(np.float64, x.shape[1])
    gradient = _check_gradient(likelihood, x, output, learned, rng)
    checks = [
        _check_row(likelihood, row, row_output, learned, draws, rng)
        for row, row_output in zip(x, output[0], strict=True)
    ]
    _check_terms(likelihood, x, output, learned)
    _check_floor(likelihood, x, output[0, 0], learned)
    log_mass, mean, drawn, bias = np.max(checks, axis=0).tolist()
    return LikelihoodCheck(log_mass, gradient, mean, drawn, bias)


def _check_forms(likelihood, x, output, rng):
    """Shapes and dtypes, and that nothing is NaN or inf."""
    (L, B, W), D, dtype = output.shape, x.shape[1], x.dtype
    learned = likelihood.init_learned(dtype, D)
    log_px_z = likelihood.log_prob(x, output, **learned)
    g = np.ones((L, B), dtype)
    mean = likelihood.mean(output)
    results = {
        "log_prob": (log_px_z, (L, B)),
        "log_prob_backward": (likelihood.log_prob_backward(g, x, output, **learned), (L, B, W)),
        "mean": (mean, (L, B, D)),
        "draw": (likelihood.draw(output, rng=rng, **learned), (L, B, D)),
        "output_bias": (likelihood.output_bias(mean[0, 0]), (W,)),
    }
    if learned:
        slopes = likelihood.log_prob_backward_learned(g, x, output, **learned)
        if slopes.keys() != learned.keys():
            raise LikelihoodError(
                f"log_prob_backward_learned has {sorted(slopes)}; init_learned {sorted(learned)}"
            )
        for name, array in learned.items():
            results[f"log_prob_backward_learned, {name}:"] = slopes[name], array.shape
    for name, (result, shape) in results.items():
        _check_form(name, result, shape, dtype)


def _check_form(name, result, shape, dtype):
    result = np.asarray(result)
    if result.shape != shape or result.dtype != dtype:
        raise LikelihoodError(
            f"{name} gives {result.dtype} {result.shape}; expected {dtype} {shape}"
        )
    if not np.isfinite(result).all():
        raise LikelihoodError(f"{name} gives NaN or inf at an output drawn from N(0, I)")


def _check_gradient(likelihood, x, output, learned, rng):
    names = list(learned)

    def log_prob(x, output, *values):
        return likelihood.log_prob(x, output, **dict(zip(names, values, strict=True)))

    def backward(g, x, output, *values):
        given = dict(zip(names, values, strict=True))
        doutput = likelihood.log_prob_backward(g, x, output, **given)
        if not names:
            return None, doutput
        slopes = likelihood.log_prob_backward_learned(g, x, output, **given)
        return None, doutput, *(slopes[name] for name in names)

    return max(check_gradient(log_prob, backward, (x, output, *learned.values()), rng=rng))


def _check_terms(likelihood, x, output, learned):
    """log_prob is the sum of the columns' terms, and the backwards agree, as `Holes` needs it."""
    log_px_z = likelihood.log_prob(x, output, **learned)
    g = np.sin(np.arange(log_px_z.size)).reshape(log_px_z.shape)
    doutput = likelihood.log_prob_backward(g, x, output, **learned)
    dterms = np.repeat(g[..., None], x.shape[1], axis=-1)
    try:
        summed = likelihood.terms(x, output, **learned).sum(axis=-1)
        of_terms = likelihood.terms_backward(dterms, x, output, **learned)
        agree = np.allclose(summed, log_px_z) and np.allclose(of_terms, doutput)
    except (ValueError, IndexError, TypeError):  # of log_prob, given a single column
        agree = False
    _require(
        agree,
        "terms do not add up to log_prob, or terms_backward to log_prob_backward; where columns "
        "have numbers of their own, both must be defined, as in npvae.Standardized",
    )


def _check_row(likelihood, x, output, learned, draws, rng):
    """-> the errors of one row x (D,) under one output (W,): log mass, mean, draws, bias."""
    drawn = likelihood.draw(np.tile(output, (draws, 1)), rng=rng, **learned)
    moments = [
        _moments(likelihood, x, output, learned, d, drawn[:, d].mean(), drawn[:, d].std())
        for d in range(len(x))
    ]
    log_mass, mean, variance = np.array(moments).T
    log_p = likelihood.log_prob(x[None], output[None, None], **learned).item()
    excess = log_mass.sum() - (len(x) - 1) * log_p
    _require(
        abs(excess) <= TOLERANCE * len(x),
        f"the probabilities sum to e^{excess:.6g}, not 1: log_prob is off by {excess:.6g} nats",
    )
    sigma = np.sqrt(variance)
    _check_close("mean", likelihood.mean(output), mean, sigma, "the density's mean")
    bias = likelihood.output_bias(mean)
    _check_close("mean(output_bias(m))", likelihood.mean(bias), mean, sigma, "m")
    return (
        abs(excess),
        _distance(likelihood.mean(output), mean, sigma),
        _check_draws(drawn, mean, variance),
        _distance(likelihood.mean(bias), mean, sigma),
    )


def _moments(likelihood, x, output, learned, d, centre, scale):
    """log ∫ p(x) dx_d, and the mean and variance of x_d, from the density alone."""
    values, weights = _points(_support_of(likelihood, d), centre, max(scale, 1e-30))
    rows = np.tile(x, (len(values), 1))
    rows[:, d] = values
    outputs = np.tile(output, (1, len(values), 1))
    with np.errstate(over="ignore"):  # far out, where the density is 0
        log_p = likelihood.log_prob(rows, outputs, **learned)[0]
    strange = values[np.isnan(log_p)]
    _require(not strange.size, f"log_prob gives NaN at x[{d}] = {strange[:1]}")
    top = log_p.max()
    p = np.exp(log_p - top) * weights
    mass = p.sum()
    mean = p @ values / mass
    return top + math.log(mass), mean, p @ np.square(values - mean) / mass


def _support_of(likelihood, d):
    support = likelihood.support
    return support[d] if isinstance(support, list) else support


def _points(support, centre, scale):
    """Points and weights with Σ_i weight_i f(point_i) ≈ ∫ f, or the sum over given values.

    Equal steps in u, x = g(u) with ends so far out that f g' dies away at both.
    """
    if not isinstance(support, tuple):
        values = np.asarray(support, np.float64)
        return values, np.ones_like(values)
    low, high = support
    if math.isinf(low) and math.isinf(high):
        u = np.arange(-20, 20, STEP)
        return centre + scale * np.sinh(u), STEP * scale * np.cosh(u)
    if math.isinf(low) or math.isinf(high):
        u = np.arange(-35, 20, STEP)
        distance, step = scale * np.exp(u), STEP * scale * np.exp(u)
        return (high - distance if math.isinf(low) else low + distance), step
    u = np.arange(-3, 3, STEP / 8)
    half, slope = (high - low) / 2, np.pi / 2 * np.cosh(u) / np.cosh(np.pi / 2 * np.sinh(u)) ** 2
    return low + half * (1 + np.tanh(np.pi / 2 * np.sinh(u))), STEP / 8 * half * slope


def _distance(got, expected, sigma):
    return float(np.max(np.abs(got - expected) / np.maximum(sigma, 1e-12 + 1e-6 * abs(expected))))


def _check_close(name, got, expected, sigma, what):
    d = int(np.argmax(np.abs(got - expected)))
    _require(
        _distance(got, expected, sigma) <= 10 * TOLERANCE,
        f"{name} is {got[d]:.9g} at coordinate {d}; {what} is {expected[d]:.9g}",
    )


def _check_draws(drawn, mean, variance):
    """The largest distance of the draws' two moments, in standard errors."""
    squares = np.square(drawn - mean)
    farthest = 0.0
    for name, sample, expected in (("mean", drawn, mean), ("variance", squares, variance)):
        error = np.maximum(sample.std(axis=0), 1e-12) / math.sqrt(len(drawn))
        distance = np.abs(sample.mean(axis=0) - expected) / error
        d = int(distance.argmax())
        _require(
            distance[d] <= STANDARD_ERRORS,
            f"draws have {name} {sample[:, d].mean():.6g} at coordinate {d}; the density has "
            f"{expected[d]:.6g}, {distance[d]:.1f} standard errors away",
        )
        farthest = max(farthest, float(distance[d]))
    return farthest


def _check_floor(likelihood, x, output, learned):
    """No one output for all rows may give x more than floor(x) says is possible."""
    floor = likelihood.floor(x)
    outputs = np.tile(output, (1, len(x), 1))
    reached = float(likelihood.log_prob(x, outputs, **learned).mean())
    _require(math.isfinite(floor), f"floor(x) is {floor}; expected a finite number of nats")
    _require(
        floor >= reached - TOLERANCE * max(1, abs(reached)),
        f"floor(x) is {floor:.6g}, yet one output for all rows reaches {reached:.6g} nats",
    )


def _require(holds, complaint):
    if not holds:
        raise LikelihoodError(complaint)
