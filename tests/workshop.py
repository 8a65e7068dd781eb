"""Proves the workshop, function by function: the right one passes, an empty and a wrong one fail.

    python tests/workshop.py               every function, some minutes
    python tests/workshop.py kl ratio.2    these topics or tags
    python tests/workshop.py kernels       those of the compiled kernels

Each function in turn is made to raise NotImplementedError, and then to return what a few generic
mistakes make of its result, while all others stay right; of its examiners, which run one after the
other in this process, one must fail. As it is, one must pass that called it; that all of them do is
what the suite shows on the reference engine.

The compiled kernels are no part of the workshop, because a verdict should not wait for a compiler.
What their tests are worth is shown all the same: by edits to their source, each in a process and
with a cache of its own.
"""

import copy
import functools
import importlib
import io
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)
os.environ |= {
    "NPVAE_KERNELS": "reference",
    "NPVAE_MUSEUM": "1",
    "HYPOTHESIS_PROFILE": "workshop",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
}


def right(function, args, kwargs):
    return function(*args, **kwargs)


def empty(function, args, kwargs):
    raise NotImplementedError


def changed(change):
    """A mistake: the result, with change made to every array in it."""
    return lambda function, args, kwargs: apply(change, function(*args, **kwargs))


def nothing_done(function, args, kwargs):
    """A mistake: the result is right, and what should have changed has not."""
    args, kwargs = copy.deepcopy((args, kwargs))
    return function(*args, **kwargs)


def apply(change, value, depth=4):
    """value with change made to every number in it."""
    if isinstance(value, bool | np.bool_):
        return not value
    if isinstance(value, np.ndarray | np.generic | int | float):
        array = np.asarray(value)
        wrong = ~array if array.dtype == bool else change(array.copy()).astype(array.dtype)
        return wrong if isinstance(value, np.ndarray) else wrong[()].item()
    if isinstance(value, Mapping):
        return {key: apply(change, part, depth) for key, part in value.items()}
    if isinstance(value, tuple):
        parts = [apply(change, part, depth) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if isinstance(value, list):
        return [apply(change, part, depth) for part in value]
    if isinstance(value, Iterator):
        return (apply(change, part, depth) for part in value)
    if depth and callable(value):
        return lambda *args, **kwargs: apply(change, value(*args, **kwargs), depth - 1)
    for part in vars(value).values() if depth and hasattr(value, "__dict__") else ():
        in_place(change, part, depth - 1)
    return value


def in_place(change, value, depth):
    if isinstance(value, np.ndarray) and value.dtype != bool and value.flags.writeable:
        value[...] = change(value.copy())
    elif isinstance(value, Mapping):
        for part in value.values():
            in_place(change, part, depth)
    elif isinstance(value, list | tuple):
        for part in value:
            in_place(change, part, depth)
    elif depth and hasattr(value, "__dict__"):
        for part in vars(value).values():
            in_place(change, part, depth - 1)


def first_moved(a):
    a.flat[:1] += 1
    return a


MISTAKES = {
    "negated": changed(lambda a: -a),
    "first entry moved": changed(first_moved),
    "half too large": changed(lambda a: a + a // 2 if a.dtype.kind in "iu" else 1.5 * a),
    "nothing done": nothing_done,
}


PRODUCTS, ZEROS, FUNCTIONS, VECTORS = (
    f"npvae/kernels/{name}.py" for name in ("products", "zeros", "functions", "vectors")
)
ONE_MORE = "tile[0][:] = [writer.multiply_add(b, b, c) for b, c in zip(b_row, tile[0])]"
KERNELS = {  # tag: (file, a statement of the function, a mistake to stand before it)
    "kernels.1": (PRODUCTS, "(m, depth), n, dtype = a.shape, bias.size, y.dtype", "b = b + b"),
    "kernels.2": (VECTORS, "for r, row in enumerate(tile):\n        number", ONE_MORE),
    "kernels.3": (VECTORS, "for _ in range(count.bit_length() - 1):", "tile = tile[::-1]"),
    "kernels.4": (ZEROS, "ends[block, parts] = count", "count -= np.uint64(count > 0)"),
    "kernels.5": (FUNCTIONS, "n = shifted - TO_INTEGER", "x = x + ONE"),
    "kernels.6": (FUNCTIONS, "t = HALF * two_t", "two_t = two_t + x * x"),
    "kernels.7": (PRODUCTS, "if parts > 1:", "rest = rest + rest"),
}
EMPTY = "raise NotImplementedError"
PATIENCE = 600  # seconds for a compiler, beside other work


class Switch:
    """Every function of the workshop, one of which can be made wrong."""

    def __init__(self):
        self.key = self.behaviour = self.place = None
        self.calls = 0

    def watch(self, key):
        def decorate(function):
            @functools.wraps(function)
            def switched(*args, **kwargs):
                if self.key != key or self.behaviour is None:
                    return function(*args, **kwargs)
                self.calls += 1
                return self.behaviour(function, args, kwargs)

            self.place = switched.__code__.co_filename, switched.__code__.co_firstlineno
            return switched

        return decorate


class Proof:
    """A plugin of pytest that runs each function's examiners against it."""

    __name__ = "workshop"  # as conftest asks for it

    def __init__(self, exercises, switch):
        self.exercises, self.switch = exercises, switch
        self.failures, self.slow, self.failed = [], [], False

    def functions_citing(self, tag):
        """What conftest's hook waits for; that the function itself is called is seen to here."""
        return {self.switch.place}

    def pytest_runtestloop(self, session):
        by_test = {}
        for item in session.items:
            by_test.setdefault(item.nodeid.split("[")[0], []).append(item)
        for exercise in self.exercises:
            begin = time.perf_counter()
            items = in_turns([by_test.get(test, []) for test in exercise.tests])
            self.prove(exercise, items)
            self.slow.append((time.perf_counter() - begin, exercise.title))
        return True

    def prove(self, exercise, items):
        self.switch.key = exercise.key
        if not self.any(items, right, failed=False):
            self.failures.append(f"{exercise.key}: as it is, and no examiner that calls it passes")
        elif not self.any(items, empty, failed=True):
            self.failures.append(f"{exercise.key}: empty, and no examiner fails")
        elif not any(self.any(items, mistake, failed=True) for mistake in MISTAKES.values()):
            self.failures.append(f"{exercise.key}: no mistake makes an examiner fail")

    def any(self, items, behaviour, failed):
        """Whether an examiner that calls the function fails, or passes."""
        self.switch.behaviour = behaviour
        try:
            return any(self.outcome(item) == (True, failed) for item in items)
        finally:
            self.switch.behaviour = None

    def outcome(self, item):
        """(whether it called the function, whether it failed)"""
        self.failed, self.switch.calls = False, 0
        item._initrequest()
        item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
        return self.switch.calls > 0, self.failed

    def pytest_runtest_makereport(self, item, call):
        if call.excinfo and not call.excinfo.errisinstance(pytest.skip.Exception):
            self.failed = True


def in_turns(lists):
    """The first of each list, then the second of each, and so on."""
    longest = max(map(len, lists), default=0)
    return [items[i] for i in range(longest) for items in lists if i < len(items)]


def prove_kernels(ask, audit):
    """Yield what is wrong with the tests of the compiled kernels."""
    for tag, (file, statement, mistake) in KERNELS.items():
        tests = [f"{place.file}::{place.name}" for place in audit.marks[tag]]
        for words, line in (("empty", EMPTY), ("with a mistake", mistake)):
            source = (ROOT / file).read_text(encoding="utf-8")
            indent = source[: source.index(statement)].rpartition("\n")[2]
            edit = file, statement, f"{line}\n{indent}{statement}"
            with tempfile.TemporaryDirectory() as cache:
                os.environ["NUMBA_CACHE_DIR"] = cache
                task = {"edits": [edit], "tests": tests, "where": str(ROOT)}
                found = ask("exhibits", patience=PATIENCE, engine="compiled", **task)
            if found["code"] != pytest.ExitCode.TESTS_FAILED:
                yield f"{tag}: {words}, and no test fails: {found['said']}"


def main():
    child = _load_child()
    splice, catalogue, parent = (
        importlib.import_module(f"{child.ALIAS}.{name}")
        for name in ("splice", "catalogue", "parent")
    )
    audit = catalogue.tests_module("equations").audit()
    words = sys.argv[1:]
    failures = []
    if words != ["kernels"]:
        failures += prove(splice, catalogue, words)
    if words in ([], ["kernels"]):
        begin = time.perf_counter()
        failures += prove_kernels(parent.ask, audit)
        print(f"{len(KERNELS)} equations of compiled code, {time.perf_counter() - begin:.0f} s")
    sys.exit("\n".join(failures) or 0)


def prove(splice, catalogue, words):
    """What is wrong with the examiners of the workshop's functions that words name, or of all."""
    exercises = catalogue.exercises()
    exercises = catalogue.choose(exercises, words) if words else exercises
    answers = {}
    for exercise in exercises:
        path = ROOT.joinpath(*exercise.module.split(".")).with_suffix(".py")
        answers.setdefault(exercise.module, {})[exercise.name] = str(path)
    switch = Switch()
    splice.install(answers, switch.watch)
    proof = Proof(exercises, switch)
    begin, output = time.perf_counter(), io.StringIO()
    tests = sorted({test for exercise in exercises for test in exercise.tests})
    with redirect_stdout(output), redirect_stderr(output):
        os.chdir(ROOT)
        pytest.main(["-q", "-p", "no:cacheprovider", *tests], plugins=[proof])
    for seconds, title in sorted(proof.slow, reverse=True)[:5]:
        print(f"{seconds:6.1f} s  {title}")
    tags = {tag for exercise in exercises for tag in exercise.tags}
    print(f"{len(exercises)} functions, {len(tags)} equations, {time.perf_counter() - begin:.0f} s")
    return proof.failures if proof.slow else [output.getvalue()]


def _load_child():
    spec = importlib.util.spec_from_file_location("child", ROOT / "npvae" / "learn" / "child.py")
    child = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(child)
    child.import_under_alias()
    return child


if __name__ == "__main__":
    main()
