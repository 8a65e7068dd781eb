"""What Ctrl-C may not cut in two."""

import contextlib
import signal
import threading

SIGNALS = signal.SIGINT, signal.SIGTERM


class Whole:
    """What begins with a block `with whole:` and ends at `end()` is not interrupted by a signal.

    One that Python handles and that arrives in between is handled at the end; where the block
    raises, that is the end.
    """

    def __init__(self, handlers):
        self._handlers, self._inside, self._waiting = handlers, False, None

    def receive(self, number, frame):
        """What is called instead of a handler."""
        if self._inside:
            self._waiting = self._waiting or (number, frame)
        else:
            self._handlers[number](number, frame)

    def __enter__(self):
        self._inside = True

    def __exit__(self, kind, *_):
        if kind is not None:
            self.end()

    def end(self):
        """Handle what arrived, if anything did."""
        self._inside = False
        if self._waiting:
            (number, frame), self._waiting = self._waiting, None
            self._handlers[number](number, frame)


def _terminate(number, frame):
    """The usual way out, with the status that a shell shows of a process that was terminated."""
    raise SystemExit(128 + number)


@contextlib.contextmanager
def terminable():
    """A block in which SIGTERM raises SystemExit where it would end the process without a word."""
    usual = _handlers().get(signal.SIGTERM) is signal.SIG_DFL
    if usual:
        signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        if usual:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextlib.contextmanager
def whole_blocks():
    """A Whole for many short blocks: to set the handlers takes longer than some of those do."""
    handlers = {number: handler for number, handler in _handlers().items() if callable(handler)}
    whole = Whole(handlers)
    try:
        for number in handlers:
            signal.signal(number, whole.receive)
        yield whole
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        whole.end()


def _handlers():
    """{signal: its handler}, none in a thread beside the main one, which no signal interrupts."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.getsignal(number) for number in SIGNALS}
