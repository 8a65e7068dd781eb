"""Training by several processes, on one machine or many, that speak MPI.

    mpiexec -n 4 python train.py            with in it
    npvae.train(…, ranks=npvae.distributed.Ranks())

Each process, a rank, makes its part of the rows of every batch; the gradients are added; and each
rank takes the same step with the sum. So n ranks go where one process goes with the same batch, to
rounding: the shuffled order of rows, the noise and the binary targets are those of one process.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
import traceback
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import numpy as np

from .objectives import FreeBits, Objective
from .training.epoch import NonFiniteError
from .training.ranks import Alone

T = TypeVar("T")
COMPARED = 500  # steps between two looks at everyone's parameters
RESCUE = 5.0  # seconds for the first one to write what was cut on all of them
HEARD = 0.5  # seconds for what a rank says to pass through mpiexec, which ends with it


class Ranks(Alone):
    """The processes of an MPI communicator, all by default.

    rank, size      this one's number, from 0, and how many there are
    first           whether rank is 0: who prints and saves
    An exception that nobody catches, in any rank, ends all of them.
    Raises ImportError without mpi4py or an MPI.
    """

    def __init__(self, communicator: Any = None) -> None:
        mpi = _mpi()
        self._all = mpi.COMM_WORLD if communicator is None else communicator
        self._in_place = mpi.IN_PLACE
        self.rank, self.size = self._all.Get_rank(), self._all.Get_size()
        self.first = self.rank == 0
        if self.size > 1:
            sys.excepthook = self._end_all

    def check(self, objective: Objective) -> None:
        """Raise ValueError if its bound of a batch cannot be made in parts."""
        if self.size > 1 and isinstance(objective, FreeBits):
            raise ValueError(f"{objective} is a bound of a whole batch, which ranks make in parts")

    def part(self, size: int) -> slice:
        """Rows ⌊B r/n⌋ … ⌊B (r + 1)/n⌋ − 1 of rank r; where there are none, the last of before."""
        start, stop = size * self.rank // self.size, size * (self.rank + 1) // self.size
        return slice(start, stop) if start < stop else slice(max(0, start - 1), max(1, start))

    def share(self, size: int) -> int:
        """How many rows of a batch count as this one's: as many as `part` has, or none."""
        return size * (self.rank + 1) // self.size - size * self.rank // self.size

    def agree(self, settings: dict[str, Any]) -> None:
        """Raise ValueError if somebody's settings are not the first one's."""
        seen = self._all.allgather(settings)
        for rank, its in enumerate(seen):
            if others := [name for name, value in its.items() if value != seen[0][name]]:
                raise ValueError(
                    f"rank {rank} trains with other arguments than rank 0, which all ranks share: "
                    + ", ".join(f"{name} {its[name]}, not {seen[0][name]}" for name in others)
                )

    def same(self, rng: np.random.Generator, arrays: Iterable[np.ndarray]) -> np.random.Generator:
        """The first one's rng, and the arrays overwritten with the first one's."""
        for array in arrays:
            self._all.Bcast(array, root=0)
        return self._all.bcast(rng, root=0)

    def decided(self, decide: Callable[[], T]) -> T:
        """What the first one decides. Raises what it raises."""
        answer: Any = None
        if self.first:
            try:
                answer = decide(), None
            except Exception as error:  # the others wait for an answer
                answer = None, error
        decision, refusal = self._all.bcast(answer, root=0)
        if refusal is not None:
            raise refusal
        return decision

    def all_go_on(self, goes_on: bool) -> bool:
        """Whether everyone does."""
        return all(self._all.allgather(goes_on))

    def join(self, size: int, values: list[np.ndarray]) -> list[np.ndarray]:
        """Of numbers for each row of a part, (b,) or (b, ·), those of the whole batch."""
        columns = [v.reshape(len(v), -1) for v in values]
        own = np.ascontiguousarray(np.hstack(columns)[: self.share(size)])
        batch = np.empty((size, own.shape[1]), own.dtype)
        ends = [size * r // self.size for r in range(self.size + 1)]
        counts = np.diff(ends) * own.shape[1]
        self._all.Allgatherv(own, [batch, counts])
        cuts = np.cumsum([column.shape[1] for column in columns])[:-1]
        pieces = zip(np.split(batch, cuts, axis=1), values, strict=True)
        return [piece.reshape(size, *value.shape[1:]) for piece, value in pieces]

    def add(self, arrays: Iterable[np.ndarray]) -> None:
        """dw = Σ_r dw_r, in place, the same bits for every rank.     [machines.1]

        With dbound_b = −1/B for the rows of rank r, dw_r is (B_r/B) times its own mean's gradient.
        """
        for array in arrays:
            self._all.Allreduce(self._in_place, array)

    def compare(self, step: int, arrays: Iterable[np.ndarray]) -> None:
        """Raise RuntimeError if arrays differ in a bit from the first one's.

        Looks at step 0, 500, 1000, …
        """
        if step % COMPARED:
            return
        seen = self._all.allgather([zlib.crc32(array.data) for array in arrays])
        if others := [rank for rank, checksum in enumerate(seen) if checksum != seen[0]]:
            raise RuntimeError(
                f"after step {step} the parameters of rank {', '.join(map(str, others))} differ "
                "from those of rank 0: something other than train changed them, or the ranks run "
                "on different processors or versions of npvae"
            )

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """A block in which an exception or a signal that ends one rank ends all."""
        try:
            yield
        except GeneratorExit:  # the loop over epochs was left
            raise
        except BaseException as error:
            if self.size > 1:
                met_by_all = isinstance(error, NonFiniteError) or not isinstance(error, Exception)
                if met_by_all and not self.first:
                    time.sleep(RESCUE)
                self._end_all(type(error), error, error.__traceback__)
            raise

    def _end_all(self, kind, error, trace):
        """The others wait for this rank, and would for ever."""
        lines = traceback.format_exception(kind, error, trace) * issubclass(kind, Exception)
        lines.append(f"rank {self.rank} of {self.size} ended: {kind.__name__}: {error}\n")
        for stream, text in ((sys.stdout, ""), (sys.__stderr__, "".join(lines))):
            if stream is not None:
                print(text, end="", file=stream, flush=True)
        time.sleep(HEARD)
        self._all.Abort(1)
        os._exit(1)  # some MPIs return


def _mpi():
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise ImportError(
            "npvae.distributed needs mpi4py and an MPI, such as pip install 'npvae[mpi]' mpich "
            f"brings: {error}"
        ) from error
    return MPI
