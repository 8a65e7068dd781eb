"""How many threads a loop gets: as many as were fastest, which is checked again now and then.

Two threads that share their work end together, so one that must share its core with another
program holds up both. Beside a busy core, one thread is up to six times faster than two. No
setting can know that, but the time of the work tells it.
"""

import contextlib
import functools

WINDOW, PIECES = 0.05, 3  # seconds and pieces of work, at least, that are judged together
FIRST, LAST = 0.1, 3.0  # seconds before another number is tried, first and at most
CLEARLY = 0.97  # another number of threads must take less than this share of the time
SLOWER = 1.3  # a window that takes so many times as long as before calls for fewer threads
HOPELESS = 1.5  # a trial so many times as slow as the best ends after PIECES of the best's time
SHARE = 0.007  # of the time that trials may lose, once the first are over
MEMORY = 0.5  # how much earlier measurements still count after another window


class Pace:
    """The number of threads for one kind of work, found by trying half and twice as many.

        with pace as lap:
            for piece in work:
                …
                lap()

    get(), set(n) read and set the number of threads; that of before returns with the block.
    clock() -> seconds
    """

    def __init__(self, get, set, clock):
        self._get, self._set, self._clock = get, set, clock
        self._best = self._trial = None  # numbers of threads
        self._took = {}  # seconds a piece, by number of threads: (pieces, seconds), fading
        self._until_trial, self._patience = FIRST, FIRST
        self._pieces, self._seconds, self._warm_up = -1, 0.0, 0.0  # of this window
        self._fewer = True  # is tried next
        self._limits = []  # of the blocks that are open, one within another

    def __enter__(self):
        self._limits.append(self._get())
        self._limit = self._limits[-1]
        if self._limit < max(self._best or 1, self._trial or 1):
            self._trial, self._pieces, self._seconds = None, -1, 0.0
        self._best = min(self._best or self._limit, self._limit)
        self._set(self._trial or self._best)
        self._since = self._clock()
        return self._lap if self._limit > 1 else _no_lap

    def __exit__(self, *error):
        self._set(self._limits.pop())
        self._limit = self._limits[-1] if self._limits else self._limit

    def _lap(self):
        """A piece has ended."""
        now = self._clock()
        self._pieces += 1
        if self._pieces == 0:  # the first after a change
            self._warm_up = now - self._since
        else:
            self._seconds += now - self._since
            if self._is_enough():
                self._judge()
        self._since = now

    def _is_enough(self):
        enough = self._pieces >= PIECES and self._seconds >= WINDOW
        return enough or (self._trial is not None and self._is_hopeless())

    def _is_hopeless(self):
        """Whether the trial will hardly win, so that no more time is lost by it."""
        most = max(PIECES, HOPELESS * self._pieces)
        return self._seconds > most * self._a_piece(self._best)

    def _judge(self):
        """A window has ended: another number's, or the best's."""
        if self._trial is None:
            before = self._a_piece(self._best)
            self._note(self._best)
            self._until_trial -= self._seconds
            if self._best > 1 and self._seconds > SLOWER * before * self._pieces:
                self._until_trial = min(self._until_trial, FIRST)
                self._patience, self._fewer = FIRST, True
            if self._until_trial <= 0:
                self._trial = self._neighbour()
        else:
            best = self._a_piece(self._best)
            lost = self._warm_up + self._seconds - (1 + self._pieces) * best
            faster = self._seconds < CLEARLY * best * self._pieces
            self._note(self._trial)
            self._decide(faster, lost)
            self._trial = None
        threads = self._trial or self._best
        self._pieces, self._seconds = (0 if threads == self._get() else -1), 0.0
        self._set(threads)

    def _decide(self, faster, lost):
        """Stay, or change; if this window alone was faster, look again soon.

        lost: seconds by which the trial took longer than the best number would have
        """
        if self._a_piece(self._trial) < CLEARLY * self._a_piece(self._best):
            self._best, self._patience = self._trial, FIRST
        elif faster:
            self._patience = FIRST
        else:
            self._patience = min(2 * self._patience, LAST)
            self._fewer = not self._fewer
        self._until_trial = max(self._patience, lost / SHARE)

    def _neighbour(self):
        fewer, more = max(1, self._best // 2), min(2 * self._best, self._limit)
        first, second = (fewer, more) if self._fewer else (more, fewer)
        return first if first != self._best else second

    def _note(self, threads):
        pieces, seconds = self._took.get(threads, (0, 0.0))
        self._took[threads] = MEMORY * pieces + self._pieces, MEMORY * seconds + self._seconds

    def _a_piece(self, threads):
        pieces, seconds = self._took.get(threads, (0, 0.0))
        return seconds / pieces if pieces else float("inf")


def _no_lap():
    """One thread is all there is."""


@functools.lru_cache(256)
def pace(*work):
    """The Pace of this kind of work: equal words give the same Pace, with all it has measured."""
    import numba

    from .disk import clock

    return Pace(numba.get_num_threads, numba.set_num_threads, clock)


def one_thread(*work):
    """A Pace where no kernel has threads to choose from."""
    return contextlib.nullcontext(_no_lap)
