"""Which findings of an epoch are warned of: each kind once in a run, and none that may yet pass."""

import math

from ..diagnosis import (
    CollapseWarning,
    ConstantDataWarning,
    DeadUnitsWarning,
    FloorWarning,
    GreyTargetsWarning,
    SpreadWarning,
    findings,
    overfitting,
)

SETTLED_STEPS = 500  # before so many, a model may yet wake its units and leave the floor
JUDGED_ROWS = 10  # of x_val; the standard error of fewer says little


def to_warn_of(run, vitals, validated, *, last):
    """What is to be warned of after this epoch, each kind once in a run."""
    progress = run.progress
    steps = progress.epoch * math.ceil(len(run.data.x) / run.batch_size)
    before = progress.past[-1].trained.elbo if progress.past else -math.inf
    found = list(findings(vitals))
    if validated is not None and len(run.x_val) >= JUDGED_ROWS:
        trained = [past.trained for past in progress.past] + [vitals.evaluation]
        found += overfitting(trained, [past.validated for past in progress.past] + [validated])
    silent = _may_pass(steps, last, vitals.evaluation.elbo - before, vitals.yardsticks.floor)
    silent |= {ConstantDataWarning, GreyTargetsWarning, SpreadWarning}  # told of the data
    return [
        type(finding)(f"{finding} (after epoch {progress.epoch})")
        for finding in found
        if type(finding) not in silent and type(finding).__name__ not in progress.told
    ]


def _may_pass(steps, last, rise, floor):
    """Kinds of findings that may yet pass by themselves, and are not told so soon."""
    passing = set()
    if steps < SETTLED_STEPS:
        passing |= {DeadUnitsWarning, FloorWarning} | (set() if last else {CollapseWarning})
    if rise > 0.001 * abs(floor) and not last:
        passing.add(FloorWarning)
    return passing
