"""When a run ends before its last epoch."""

from collections.abc import Callable
from dataclasses import dataclass

from .._checks import check_positive_int
from .epoch import Epoch


@dataclass(frozen=True)
class Patience:
    """Stop when the validation's elbo has not been above its best for so many epochs.

    Raises TypeError or ValueError unless epochs is an integer >= 1.
    """

    epochs: int

    def __post_init__(self) -> None:
        check_positive_int("epochs", self.epochs)

    def __call__(self, ended: list[Epoch]) -> bool:
        """Whether to stop after these epochs. Raises ValueError if one has no validation."""
        elbos = [epoch.validation.elbo for epoch in ended if epoch.validation is not None]
        if len(elbos) < len(ended):
            raise ValueError("Patience looks at validation, and there is no x_val")
        return len(elbos) - 1 - elbos.index(max(elbos)) >= self.epochs


def check_ways_to_end(
    learning_rate: object, stop_when: object, keep_best: object, x_val: object
) -> None:
    """Raise TypeError or ValueError unless they are as `train` describes them."""
    for name, function in (("learning_rate", learning_rate), ("stop_when", stop_when)):
        if function is not None and not isinstance(function, Callable):  # type: ignore[arg-type]
            raise TypeError(f"{name} is {function!r}; expected a function")
    if not isinstance(keep_best, bool):
        raise TypeError(f"keep_best is {keep_best!r}; expected True or False")
    for name, asked in (("keep_best", keep_best), ("Patience", isinstance(stop_when, Patience))):
        if asked and x_val is None:
            raise ValueError(f"{name} goes by the validation; expected x_val as well")
