"""What is likely wrong with a model, told while it trains or afterwards.

A finding says what was measured, the likely cause, and what to try. `train` warns of each kind
once; `diagnose` lists them all for a finished model.

    measures    numbers of the data alone, and of a model on them
    findings    what they say, in words
    report      `diagnose`
"""

from .findings import (
    CollapseWarning,
    ConstantDataWarning,
    DeadUnitsWarning,
    DiagnosisWarning,
    EntropyWarning,
    FloorWarning,
    GreyTargetsWarning,
    OverfittingWarning,
    RangeWarning,
    SpreadWarning,
    WidePosteriorWarning,
    findings,
    of_data,
    overfitting,
)
from .measures import Vitals, Yardsticks, measure, optimism, take_vitals
from .report import Diagnosis, diagnose

__all__ = [
    "CollapseWarning",
    "ConstantDataWarning",
    "DeadUnitsWarning",
    "Diagnosis",
    "DiagnosisWarning",
    "EntropyWarning",
    "FloorWarning",
    "GreyTargetsWarning",
    "OverfittingWarning",
    "RangeWarning",
    "SpreadWarning",
    "Vitals",
    "WidePosteriorWarning",
    "Yardsticks",
    "diagnose",
    "findings",
    "measure",
    "of_data",
    "optimism",
    "overfitting",
    "take_vitals",
]
