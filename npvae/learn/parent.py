"""Starts `child`, hands it a task, and waits for what it finds."""

import collections
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

CHILD = Path(__file__).with_name("child.py")
PATIENCE = 60  # seconds, after which an answer is taken to have no end


class Broken(Exception):
    """The child ended without findings; carries what it printed."""


class Children:
    """Starts children; some may wait for their task, with what tests import read already.

    pytest, hypothesis and SciPy take most of a verdict's time, and no answer can change them.
    `with` ends those that wait.
    """

    def __init__(self):
        self.waiting = collections.deque()  # of which a thread takes one at once

    def prepare(self, number=1):
        """Let so many wait."""
        while len(self.waiting) < number:
            self.waiting.append(_start("ready"))

    def ask(self, does, patience=PATIENCE, **task):
        """What `run(task, observer)` of the module npvae.learn.<does> finds, in a child.

        Raises subprocess.TimeoutExpired if it has no end, Broken if it ends without findings.
        """
        try:
            child = self.waiting.popleft()
        except IndexError:
            child = _start()
        with tempfile.TemporaryDirectory() as scratch:
            findings = Path(scratch, "findings.json")
            said = _hand(child, json.dumps(task | {"does": does, "to": str(findings)}), patience)
            if not findings.exists():
                raise Broken(said)
            return json.loads(findings.read_text(encoding="utf-8"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for child in self.waiting:
            child.kill()
            child.communicate()


def ask(does, **task):
    """As Children.ask, in a child of its own."""
    return Children().ask(does, **task)


def _start(*words):
    environment = os.environ | {"PYTHONIOENCODING": "utf-8"}
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(
        [sys.executable, str(CHILD), *words],
        env=environment,
        encoding="utf-8",
        errors="replace",
        **pipes,
    )


def _hand(child, task, patience):
    """What the child printed, once it has ended."""
    try:
        printed, error = child.communicate(task, timeout=patience)
    except BaseException:  # it has no end, or Ctrl-C: either way it must not go on alone
        child.kill()
        child.communicate()
        raise
    return error or printed
