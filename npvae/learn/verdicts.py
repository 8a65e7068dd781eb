"""What is found of an answer: it is handed to `examine`, and its findings are put into words."""

import os
import subprocess
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .catalogue import tests_module
from .parent import PATIENCE, Broken, Children
from .splice import functions

STATES = {  # (sign, what it says)
    "yours": ("✓", "right"),
    "digits": ("½", "mathematics right, digits not yet"),
    "wrong": ("✗", "not yet"),
    "silent": ("?", "no test called it"),
    "broken": ("!", "the library does not start with it"),
    "endless": ("∞", "it does not come to an end"),
    "empty": ("·", "empty"),
}


def examine(folder, exercise, children=None, *, whole=False, hints=False):
    """The findings about one answer, with its "state", one of STATES.

    children may have one that waits; whole runs every case of every examiner with all of the
    suite's examples; hints also compares the answer with the museum's mistakes
    """
    path = (folder.path / exercise.file).resolve()
    node = functions(folder.parse(exercise.file))[exercise.name]
    try:
        found = (children or Children()).ask(
            "examine",
            patience=10 * PATIENCE if whole else PATIENCE,
            key=exercise.key,
            path=str(path),
            line=node.lineno,
            answers={exercise.module: {exercise.name: str(path)}},
            tests=exercise.tests,
            whole=whole,
            museum=museum() if hints else [],
        )
    except subprocess.TimeoutExpired:
        return {"state": "endless"}
    except Broken as error:
        return {"state": "broken", "output": str(error)[-3000:]}
    return {"state": _state(found), **found}


def examine_many(folder, exercises, children, **options):
    """Yield (exercise, findings), some at a time, in order."""

    def one(number):
        children.prepare(min(2, len(exercises) - number))  # this one's, and the next one's
        return exercises[number], examine(folder, exercises[number], children, **options)

    with ThreadPoolExecutor(max(1, (os.cpu_count() or 1) // 2)) as pool:
        yield from pool.map(one, range(len(exercises)))


def _state(found):
    if found["failure"]:
        return "digits" if found.get("mathematics") else "wrong"
    if found["passed"]:
        return "yours"
    return "broken" if found["code"] not in (0, 1, 5) else "silent"


def museum():
    """The museum's mistakes, for JSON."""
    mistakes = tests_module("museum").MUSEUM
    return [
        {"number": i, "name": mistake.name, "edits": mistake.edits, "seen_in": mistake.seen_in}
        for i, mistake in enumerate(mistakes)
    ]


def sentences(found):
    """Lines of a verdict, without its first."""
    state, failure = found["state"], found.get("failure")
    if state == "yours":
        return
    if state in ("broken", "endless"):
        yield from (found.get("output", "").strip().splitlines() or ["it was stopped"])[-6:]
        return
    if state == "silent":
        yield "the tests that are marked with its tags ran, and none of them called it"
        return
    if state == "digits" and found.get("digits"):
        yield found["digits"]
    yield failure["test"].split("::")[1].split("[")[0]
    if failure["says"]:
        yield f"  “{failure['says'].splitlines()[0]}”"
    error = [line.strip() for line in failure["error"].splitlines() if line.strip()]
    error = [line for line in error if not line.startswith("+")]  # pytest's remarks on values
    yield from [f"  {part}" for line in error for part in textwrap.wrap(line, 72)][:6]
    if failure["line"]:
        file, _, line = failure["line"].rpartition(":")
        yield f"  at {Path(file).name}, line {line}"
    if state == "wrong" and found.get("relation"):
        yield from textwrap.wrap(f"On the examiners' arguments, {found['relation']}.", 76)
