"""What Ctrl-C may not cut in two."""

import contextlib
import signal
import threading

SIGNALS = signal.SIGINT, signal.SIGTERM


class Whole:
    """Blocks `with whole:`, which a signal that Python handles interrupts only at their end."""

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

    def __exit__(self, *error):
        self._inside = False
        if self._waiting:
            (number, frame), self._waiting = self._waiting, None
            self._handlers[number](number, frame)


@contextlib.contextmanager
def whole_blocks():
    """A Whole for many short blocks: to set the handlers takes longer than some of those do."""
    handlers = {}
    if threading.current_thread() is threading.main_thread():  # no other one is interrupted
        handlers = {s: h for s in SIGNALS if callable(h := signal.getsignal(s))}
    whole = Whole(handlers)
    try:
        for number in handlers:
            signal.signal(number, whole.receive)
        yield whole
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
