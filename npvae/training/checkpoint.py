"""A run in a file: what it takes to go on to the same bits.

The file holds the model as `VAE.save` writes it, so `VAE.load` reads it; beside it the optimizer's
memory, the state of every random stream, what was told of each epoch, the rows visited in the one
that was cut, and the parameters of the best validation.
"""

from __future__ import annotations

import warnings
import zlib
from os import PathLike
from typing import Any, NamedTuple

import numpy as np

from .. import kernels
from .._checks import check_number
from ..evaluation import Evaluation
from ..storage import archive
from ..storage import model as storage
from .progress import Past, Run

VISITED = "bound", "log_px_z", "mu", "logvar"
NUMBERS = "bound", "seconds"  # of a Past
PER_UNIT = "kl_per_dim", "mu_variance"  # of an Evaluation
MOST_EPOCHS, MOST_ROWS = 10**9, 2**62
CHECKED_ROWS = 10_000


class Checkpoint:
    """The file, and how often it is written while an epoch lasts.

    Raises as `VAE.save` does, where it cannot be written.
    """

    def __init__(self, path: str | PathLike, every: float | None) -> None:
        if every is not None:
            check_number("every", every, low=0)
        archive.check_place(path)
        self.path, self.every, self.written = path, every, kernels.clock()
        self.failed: Exception | None = None

    def after_step(self, run: Run) -> None:
        """Write, if `every` seconds have passed."""
        if self.every is not None and kernels.clock() - self.written >= self.every:
            self.write(run)

    def rescue(self, run: Run, cut: BaseException) -> None:
        """Write, because this cut the run; where that fails, warn: there is an error already."""
        if cut is self.failed:
            return
        try:
            self.write(run)
        except (OSError, ValueError) as error:
            warnings.warn(f"{error}; an older checkpoint stays as it was", stacklevel=5)

    def write(self, run: Run) -> None:
        """Write the whole file, then rename it. Raises as `VAE.save` does."""
        try:
            self._write(run)
        except (OSError, ValueError) as error:
            self.failed = error
            raise
        self.written = kernels.clock()

    def _write(self, run: Run) -> None:
        vae, progress = run.vae, run.progress
        optimizer: Any = run.optimizer  # a Resumable
        memory = optimizer.memory(vae.params.rows)
        arrays = {f"optimizer/{name}": array for name, array in memory.items()}
        if progress.best is not None:
            arrays |= {f"best/{name}": array for name, array in progress.best.arrays().items()}
        for name, values in zip(VISITED, progress.visited, strict=True):
            arrays[f"visited/{name}"] = values[: progress.done]
        arrays |= _columns(progress.past, vae.latent_dim, run.x_val is not None)
        header = settings(run) | {
            "epochs": len(progress.past),
            "done": progress.done,
            "seconds": progress.seconds,
            "told": sorted(progress.told),
            "best": progress.best is not None,
            "streams": _plain(progress.states),
        }
        model = vae.params, vae.likelihood, vae.activation
        storage.save(self.path, *model, run=header, beside=arrays)


def checksums(x: np.ndarray, x_val: np.ndarray | None) -> dict[str, int | None]:
    """Of so many rows as are read in no time, from everywhere in the data."""
    return {
        name: None if rows is None else zlib.crc32(rows[:: -(-len(rows) // CHECKED_ROWS)].tobytes())
        for name, rows in (("data", x), ("validation", x_val))
    }


def settings(run: Run) -> dict[str, Any]:
    """What a run that goes on must have in common with the one that was cut."""
    return {
        "optimizer": type(run.optimizer).__name__,
        "batch_size": run.batch_size,
        "binarize": run.data.binarize,
        "rows": len(run.data.x),
        **run.progress.checksums,
    }


def go_on(path: str | PathLike, run: Run) -> None:
    """Give the run's model, optimizer and progress what the file at path holds.

    Raises FileNotFoundError if there is no such file; ValueError if it is damaged, holds no run,
    or one of another model, other rows or settings. Then model and optimizer are as they were.
    """
    header, arrays = storage.read_run(path)
    vae, progress = run.vae, run.progress
    optimizer: Any = run.optimizer  # a Resumable
    model = storage.header_of(vae.params, vae.likelihood, vae.activation)
    for kind, ours in (("model", model), ("run", settings(run))):
        its = header[kind]
        for name, value in ours.items():
            if its.get(name) != value:
                raise ValueError(
                    f"{path} holds a {kind} with {name} {its.get(name)}; this one has {value}"
                )
    try:
        stand = _Stand.read(header["run"], len(progress.visited[0]))
        progress.go_on(header["run"]["streams"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} has a damaged header: {error}") from error
    memory = optimizer.memory(vae.params.rows)
    archive.check(path, _forms(vae, memory, stand, run.x_val is not None), arrays)
    _check_seconds(path, arrays)

    optimizer.recall(vae.params.rows, _under("optimizer/", arrays))
    for name, array in vae.params.arrays().items():
        array[...] = arrays[name]
    if stand.best:
        progress.best = vae.params.empty_like()
        for name, array in progress.best.arrays().items():
            array[...] = arrays[f"best/{name}"]
    for name, values in zip(VISITED, progress.visited, strict=True):
        values[: stand.done] = arrays[f"visited/{name}"]
    progress.past = _past(_under("past/", arrays))
    progress.done, progress.seconds, progress.told = stand.done, stand.seconds, set(stand.told)


def read_past(path: str | PathLike) -> tuple[tuple[int, int], list[Past]]:
    """-> rows of the data and batch_size; the epochs that ended. Raises as `past_epochs` does."""
    header, arrays = storage.read_run(path)
    try:
        rows, batch_size, epochs = (header["run"][n] for n in ("rows", "batch_size", "epochs"))
        latents, validated = header["model"]["latent_dim"], header["run"]["validation"] is not None
        if {type(value) for value in (rows, batch_size, epochs, latents)} != {int}:
            raise TypeError("entries of other types")
        if not (1 <= rows <= MOST_ROWS and batch_size >= 1):
            raise TypeError(f"{rows} rows in batches of {batch_size}")
        columns = {n: a for n, a in arrays.items() if n.startswith("past/")}
        archive.check(path, _past_forms(epochs, latents, validated), columns)
        _check_seconds(path, columns)
    except (KeyError, TypeError, OverflowError, MemoryError) as error:
        raise ValueError(f"{path} has a damaged header: {error}") from error
    return (rows, batch_size), _past(_under("past/", columns))


class _Stand(NamedTuple):
    """The numbers of a run's header."""

    epochs: int
    done: int
    seconds: float
    told: list[str]
    best: bool

    @classmethod
    def read(cls, header, rows):
        stand = cls(*(header[name] for name in cls._fields))
        kinds = [type(value) for value in stand]
        if kinds != [int, int, float, list, bool] or {type(name) for name in stand.told} - {str}:
            raise ValueError(f"{stand} has entries of other types")
        possible = 0 <= stand.epochs <= MOST_EPOCHS and 0 <= stand.done <= rows
        if not (possible and 0 <= stand.seconds < np.inf):
            raise ValueError(f"{stand} says what cannot be")
        return stand


def _forms(vae, memory, stand, validated):
    """{name: (shape, dtype)} of the file's arrays."""
    params = {name: (a.shape, vae.dtype) for name, a in vae.params.arrays().items()}
    forms = params | {f"optimizer/{name}": (a.shape, a.dtype) for name, a in memory.items()}
    if stand.best:
        forms |= {f"best/{name}": form for name, form in params.items()}
    for name, width in zip(VISITED, ((), (), (vae.latent_dim,), (vae.latent_dim,)), strict=True):
        forms[f"visited/{name}"] = ((stand.done, *width), vae.dtype)
    return forms | _past_forms(stand.epochs, vae.latent_dim, validated)


def _past_forms(epochs, latents, validated):
    none = _columns([], latents, validated)
    return {name: ((epochs, *a.shape[1:]), a.dtype) for name, a in none.items()}


def _columns(past, latents, validated):
    """{name: (E, …)}, the numbers of E epochs, an array for each kind of number."""
    records = {"past": past, "past/trained": [epoch.trained for epoch in past]}
    if validated:
        records["past/validated"] = [epoch.validated for epoch in past]
    columns = {}
    for prefix, of_epochs in records.items():
        for name in NUMBERS if prefix == "past" else Evaluation._fields:
            shape = (len(past), latents) if name in PER_UNIT else (len(past),)
            column = [getattr(record, name) for record in of_epochs]
            columns[f"{prefix}/{name}"] = np.array(column, np.float64).reshape(shape)
    return columns


def _check_seconds(path, arrays):
    if not (arrays["past/seconds"] > 0).all():
        raise ValueError(f"{path} says of an epoch that it took no time")


def _past(columns):
    """[Past, …], of columns by their names without the prefix."""
    epochs = []
    for i in range(len(columns["bound"])):
        evaluations = []
        for part in ("trained", "validated"):
            of_part = _under(f"{part}/", columns)
            fields = {
                name: a[i].copy() if name in PER_UNIT else float(a[i])
                for name, a in of_part.items()
            }
            evaluations.append(Evaluation(**fields) if of_part else None)
        epochs.append(Past(*(float(columns[name][i]) for name in NUMBERS), *evaluations))
    return epochs


def _under(prefix, arrays):
    """The arrays whose names begin so, without it."""
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def _plain(states):
    """States as JSON has them: no arrays."""
    if isinstance(states, dict):
        return {name: _plain(state) for name, state in states.items()}
    return states.tolist() if isinstance(states, np.ndarray | np.generic) else states
