"""What Ctrl-C may not cut in two."""

import contextlib
import signal
import threading

SIGNALS = signal.SIGINT, signal.SIGTERM


@contextlib.contextmanager
def whole():
    """A block that Ctrl-C, or another signal that Python handles, interrupts only at its end."""
    handlers = {}
    if threading.current_thread() is threading.main_thread():  # no other one is interrupted
        handlers = {s: h for s in SIGNALS if callable(h := signal.getsignal(s))}
    waiting = []
    try:
        for number in handlers:
            signal.signal(number, lambda *args: waiting.append(args))
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number, frame in waiting[:1]:
            handlers[number](number, frame)
