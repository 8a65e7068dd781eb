"""The epochs of a run as they are told, while it lasts and from its file."""

import math
from collections.abc import Callable
from os import PathLike

from ..elbo import CLOSED_FORM
from ..objectives import Objective, check_objective
from .checkpoint import read_past
from .epoch import Epoch


def past_epochs(
    path: str | PathLike, objective: Objective | Callable[[int], Objective] = CLOSED_FORM
) -> list[Epoch]:
    """The epochs that had ended when the checkpoint at path was written.

    objective       as the run had it: each Epoch has the one of its last step
    Raises FileNotFoundError if there is no such file; ValueError if it is damaged or holds no run.
    """
    shape, past = read_past(path)
    return [told(number, p, objective, *shape) for number, p in enumerate(past, start=1)]


def last_step(epoch, rows, batch_size):
    """The number of an epoch's last step, from 0."""
    return epoch * math.ceil(rows / batch_size) - 1


def told(epoch, past, objective, rows, batch_size):
    """The Epoch that is yielded."""
    trained = past.trained
    return Epoch(
        epoch=epoch,
        bound=past.bound,
        elbo=trained.elbo,
        reconstruction=trained.reconstruction,
        kl=trained.kl,
        kl_per_dim=trained.kl_per_dim,
        active_units=trained.active_units,
        objective=objective_at(objective, last_step(epoch, rows, batch_size)),
        seconds=past.seconds,
        images_per_second=rows / past.seconds,
        validation=past.validated,
    )


def objective_at(objective, step):
    if isinstance(objective, Objective | type) or not callable(objective):
        check_objective(objective)
        return objective
    chosen = objective(step)
    if not isinstance(chosen, Objective):
        raise TypeError(f"objective({step}) is {chosen!r}; expected one such as npvae.ClosedForm()")
    return chosen
