"""What training tells: a record after each epoch, and the error that stops it."""

from typing import NamedTuple

import numpy as np

from ..evaluation import Evaluation
from ..objectives import Objective

JUDGED = "elbo", "standard_error", "reconstruction", "kl", "active_units"
OWN = {"epoch", "bound", "seconds", "images_per_second", *JUDGED}


class Epoch(NamedTuple):
    """One pass over the data: means over its rows, each as it was when its turn came.

    elbo = reconstruction − kl whatever the objective is; bound is the objective's.
    """

    epoch: int  # from 1
    bound: float  # nats, what was raised
    elbo: float  # nats
    reconstruction: float  # nats
    kl: float  # nats
    kl_per_dim: np.ndarray  # (Z,) nats
    active_units: int
    objective: Objective
    seconds: float  # of training, validation not counted
    images_per_second: float
    validation: Evaluation | None  # of x_val, after the epoch

    def to_row(self) -> dict[str, float | str]:
        """Every number by name, those of x_val as validation_…, those of a unit as kl_0, kl_1, …

        For `csv.DictWriter`, `pandas.DataFrame` or a logger: the same names after each epoch.
        """
        row = {name: value for name, value in self._asdict().items() if name in OWN}
        row |= {f"kl_{j}": float(kl) for j, kl in enumerate(self.kl_per_dim)}
        if self.validation is not None:
            judged = self.validation
            row |= {f"validation_{name}": getattr(judged, name) for name in JUDGED}
            row |= {f"validation_kl_{j}": float(kl) for j, kl in enumerate(judged.kl_per_dim)}
        return row | {"objective": repr(self.objective)}

    def __str__(self) -> str:
        line = (
            f"epoch {self.epoch:3d}  elbo {self.elbo:8.2f} = {self.reconstruction:8.2f} "
            f"− kl {self.kl:6.2f} nats {self.active_units:3d} active "
            f"{self.images_per_second:7,.0f} rows/s"
        )
        if self.validation is None:
            return line
        return (
            f"{line}\nvalidation     {self.validation.elbo:8.2f} = "
            f"{self.validation.reconstruction:8.2f} − kl {self.validation.kl:6.2f} nats "
            f"{self.validation.active_units:3d} active"
        )


class NonFiniteError(ArithmeticError):
    """A quantity became NaN or inf; the parameters are those before that step."""

    def __init__(self, quantity: str, epoch: int, step: int) -> None:
        super().__init__(quantity, epoch, step)
        self.quantity = quantity
        self.epoch = epoch
        self.step = step

    def __str__(self) -> str:
        return (
            f"{self.quantity} is not finite at epoch {self.epoch}, step {self.step}; the "
            "parameters are those before that step. Try a smaller learning rate or data scaled "
            "to about unit range"
        )
