"""Every gradient held to central differences.

differences: slopes of a function, and how far rounding and kinks let them be trusted
check:       a backward held to them, or a whole model
"""

from .check import GradientError, check_gradient, check_model_gradient
from .differences import (
    central_difference,
    moved,
    relative_error,
    rounding_error,
    slope,
    slope_jump,
    step_size,
)

__all__ = [
    "GradientError",
    "central_difference",
    "check_gradient",
    "check_model_gradient",
    "moved",
    "relative_error",
    "rounding_error",
    "slope",
    "slope_jump",
    "step_size",
]
