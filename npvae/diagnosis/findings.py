"""Findings: each says what was measured, the likely cause, and what to try."""

from __future__ import annotations

import numpy as np

WIDE_VARIANCE = 10  # the prior's is 1
FLOOR_ROWS = 1000  # a floor fitted to fewer flatters itself, by about the optimism
SPREAD = 10  # the largest standard deviation of a column over that of the lower quartile
FALLEN_EPOCHS = 3  # in a row, before a fall is told
STANDARD_ERRORS = 3  # by which a difference must differ from 0
REMEDY = (
    "Stop at the best epoch (keep vae.copy() of it), or try more data, a smaller model, or an "
    "optimizer with weight_decay"
)


class DiagnosisWarning(UserWarning):
    """Something about a model or its data that is likely not what was meant."""


class GreyTargetsWarning(DiagnosisWarning):
    """A Bernoulli likelihood is given targets strictly between 0 and 1."""


class EntropyWarning(DiagnosisWarning):
    """Most of the loss is the grey targets' own entropy."""


class CollapseWarning(DiagnosisWarning):
    """No latent unit is active: the decoder ignores z."""


class DeadUnitsWarning(DiagnosisWarning):
    """Most latent units are not active."""


class FloorWarning(DiagnosisWarning):
    """The bound is no better than that of a model that ignores z."""


class ConstantDataWarning(DiagnosisWarning):
    """All rows of x are equal: there is nothing that z could tell."""


class SpreadWarning(DiagnosisWarning):
    """Columns of x have very different standard deviations."""


class OverfittingWarning(DiagnosisWarning):
    """The bound on data held out falls while the bound on the training data rises."""


class WidePosteriorWarning(DiagnosisWarning):
    """q(z|x) is far wider than the prior."""


class RangeWarning(DiagnosisWarning):
    """A quantity nears the largest number that the model's dtype holds."""


def findings(vitals):
    """Yield a DiagnosisWarning for each thing that is likely wrong, the gravest first."""
    yield from _constant_data(vitals.yardsticks)
    yield from _spread(vitals.yardsticks)
    if not np.isfinite(vitals.evaluation.elbo):
        yield RangeWarning(
            f"elbo is {vitals.evaluation.elbo}: a parameter is not finite, or a number has left "
            "the dtype's range"
        )
        return
    for find in (_near_the_range, _dead_units, _at_the_floor, _wide_posterior):
        yield from find(vitals)
    yield from grey_targets(vitals.yardsticks)
    yield from _mostly_entropy(vitals)


def of_data(yardsticks):
    """Yield what is likely wrong with the data, whatever the model."""
    yield from _constant_data(yardsticks)
    yield from _spread(yardsticks)
    yield from grey_targets(yardsticks)


def _constant_data(yardsticks):
    if _is_constant(yardsticks):
        yield ConstantDataWarning(
            f"x has no variance: all {yardsticks.rows:,} rows are equal, and z has nothing to "
            "tell. Likely causes: a mistake in reading the data, or in scaling them"
        )


def _is_constant(yardsticks):
    return yardsticks.rows > 1 and yardsticks.constant.all()


def _spread(yardsticks):
    varying = np.flatnonzero(~yardsticks.constant)
    if len(yardsticks.deviation) == 0 or len(varying) == 0 or yardsticks.largest <= 1:
        return  # the margins of images in [0, 1] vary little, and may
    order = varying[np.argsort(yardsticks.deviation[varying])]
    least, low, most = yardsticks.deviation[order[[0, len(order) // 4, -1]]]
    if most > SPREAD * low:
        yield SpreadWarning(
            f"the columns of x have very different spread: standard deviations from {least:.3g} "
            f"(column {order[0]}) to {most:.3g} (column {order[-1]}). Only the widest will be "
            "learned, if any. Standardise the columns, (x - x.mean(0)) / x.std(0)"
            + (", those that are constant left out" if yardsticks.constant.any() else "")
        )


def _near_the_range(vitals):
    for name, value in vitals.largest.items():
        if value > vitals.limit**0.8:
            yield RangeWarning(
                f"{name} reaches {value:.1e}, and the dtype ends at {vitals.limit:.1e}. Likely "
                "causes: data far from unit range, a learning rate too large, a likelihood much "
                "too narrow. Scale the data, or lower the learning rate"
            )


def _dead_units(vitals):
    Z = len(vitals.variance)
    dead = Z - vitals.evaluation.active_units
    if _is_constant(vitals.yardsticks):
        return
    if dead == Z and vitals.yardsticks.rows > 1:
        yield CollapseWarning(
            f"no latent unit is active: the decoder ignores z (posterior collapse). Likely "
            f"causes: {_causes(vitals)}a learning rate too large, or too few "
            "steps. Let beta rise from 0 over the first epochs"
        )
    elif dead < Z < 2 * dead:
        yield DeadUnitsWarning(
            f"{dead} of {Z} latent units are not active. Likely causes: {_causes(vitals)}"
            "more units than the data need. It costs nothing but time; fewer "
            "units, or FreeBits, would use all"
        )


def _at_the_floor(vitals):
    elbo, floor = vitals.evaluation.elbo, vitals.yardsticks.floor
    if elbo < _held_against(vitals.yardsticks) and not _is_constant(vitals.yardsticks):
        yield FloorWarning(
            f"elbo {elbo:.2f} is no better than {floor:.2f} nats, the best of a model that "
            f"ignores z. Likely causes: {_causes(vitals, 'wide or too narrow')}a learning rate "
            "too large or too small, too few steps"
        )


def _held_against(yardsticks):
    """The bound below which a model is called no better than one that ignores z, in nats.

    Fitted to few rows, the floor exceeds what it is worth on others by χ²_p/N nats, p its
    fitted numbers: p/N on average, give or take √(2p)/N. Three times the average is forgiven.
    """
    if yardsticks.rows >= FLOOR_ROWS:
        return yardsticks.floor + 0.01 * abs(yardsticks.floor)
    return yardsticks.floor - 3 * yardsticks.optimism


def _wide_posterior(vitals):
    widest = int(np.argmax(vitals.variance))
    if vitals.variance[widest] > WIDE_VARIANCE:
        yield WidePosteriorWarning(
            f"the variance of q(z|x) in dimension {widest} is {vitals.variance[widest]:.3g} on "
            "average, and the prior's is 1. Likely causes: beta too small to hold z near the "
            "prior, or a learning rate too large. Samples from the prior will be poor"
        )


def grey_targets(yardsticks):
    """Yield the finding that a Bernoulli's targets are grey, if any are."""
    if yardsticks.grey > 0:
        yield GreyTargetsWarning(
            f"{_percent(yardsticks.grey)} of the targets lie strictly between 0 and 1: the bound "
            "is then a cross-entropy, not a bound on log p(x) of a binary image, and about "
            f"{yardsticks.entropy:.1f} nats a row of -elbo are the targets' own entropy. "
            "binarize=True draws binary targets"
        )


def _percent(part):
    """Such as 19 %, or 0.25 % of a part below a hundredth."""
    percent = 100 * part
    return f"{percent:.0f} %" if percent >= 1 else f"{percent:.2g} %"


def _mostly_entropy(vitals):
    elbo, entropy = vitals.evaluation.elbo, vitals.yardsticks.entropy
    if entropy > -elbo / 2 > 0:
        yield EntropyWarning(
            f"{entropy:.1f} of the {-elbo:.1f} nats of −elbo are the grey targets' own entropy, "
            "which no model can win. Compare losses after subtracting it, draw binary targets "
            "(binarize=True), or take ContinuousBernoulli()"
        )


def overfitting(trained, validated):
    """Yield the finding that validation's elbo has fallen from its best while training's rose.

    trained, validated: an Evaluation of each epoch so far. Told if the last 3 validations are all
    below the best, and the last below training's, by more than 3 standard errors.
    """
    best = int(np.argmax([evaluation.elbo for evaluation in validated]))
    since, last = validated[best + 1 :], validated[-1]
    fallen = all(_is_below(now, validated[best]) for now in since[-FALLEN_EPOCHS:])
    risen = trained[-1].elbo > trained[best].elbo and _is_below(last, trained[-1])
    if len(since) >= FALLEN_EPOCHS and fallen and risen:
        yield OverfittingWarning(
            f"validation's elbo was best at {validated[best].elbo:.2f}, after epoch {best + 1}, "
            f"and has fallen to {last.elbo:.2f} ± {last.standard_error:.2f}, while training's has "
            f"risen to {trained[-1].elbo:.2f}: the model learns its rows by heart (overfitting). "
            + REMEDY
        )


def generalization(vitals, validation):
    """Yield the finding that the elbo of x_val is far below that of x.

    Far is by more than 3 standard errors, and a tenth of what lies between x's elbo and its floor.
    """
    elbo, floor = vitals.evaluation.elbo, vitals.yardsticks.floor
    if not np.isfinite(validation.elbo):
        yield RangeWarning(f"elbo of x_val is {validation.elbo}: a number has left the range")
    elif _is_below(validation, vitals.evaluation) and elbo - validation.elbo > 0.1 * abs(
        elbo - floor
    ):
        yield OverfittingWarning(
            f"elbo is {elbo:.2f} ± {vitals.evaluation.standard_error:.2f} on x and "
            f"{validation.elbo:.2f} ± {validation.standard_error:.2f} on x_val: the model has "
            f"learned the rows of x by heart (overfitting). {REMEDY}"
        )


def _is_below(a, b):
    """Whether a's elbo is below b's by more than 3 standard errors of the difference."""
    return b.elbo - a.elbo > STANDARD_ERRORS * np.hypot(a.standard_error, b.standard_error)


def _causes(vitals, width="wide"):
    """Likely causes, to begin a list with."""
    return _beta(vitals) + _width(vitals, width) + _constant_columns(vitals)


def _beta(vitals):
    return f"beta = {vitals.beta:g} too large, " if vitals.beta > 1 else ""


def _width(vitals, width):
    return f"a likelihood too {width} for the data, " if vitals.yardsticks.has_width else ""


def _constant_columns(vitals):
    constant = vitals.yardsticks.constant
    few = not vitals.yardsticks.has_width or 2 * constant.sum() < len(constant)
    return "" if few else f"{constant.sum()} of {len(constant)} columns of x constant, "
