"""The examiner, in a child: runs one function's tests with the learner's answer in its place."""

import io
import os
import time
from contextlib import redirect_stderr, redirect_stdout

from .compare import report
from .splice import PACKAGE

ENOUGH = 0.3  # seconds of testing, once every examiner has seen the answer
MOST = 20.0  # seconds, if one has not
TO_COMPARE, PATIENCE = 30, 1.0  # calls that a comparison likes to have, seconds to wait for them


class Examination:
    """A plugin of pytest: which cases to run, and what came of them."""

    __name__ = "workshop"  # as conftest asks for it

    def __init__(self, task, observer):
        self.task, self.observer = task, observer
        self.key = task["key"]
        self.passed = self.silent = 0  # cases that called the answer, or did not
        self.seen = set()  # examiners that have called it
        self.failure = None
        self.total = 0
        self.begin = None

    def functions_citing(self, tag):
        """What conftest's hook waits for, whatever the tag: the answer."""
        return {(self.task["path"], self.task["line"])}

    def pytest_collection_modifyitems(self, items):
        """The first case of every test comes first, then the second of each."""
        turns = {}
        for item in items:
            name = _test(item)
            turns[name] = turns.get(name, -1) + 1
            item.turn = turns[name]
        items.sort(key=lambda item: item.turn)
        self.total = len(items)

    def pytest_runtestloop(self, session):
        """Run cases until one fails, or until there was time enough."""
        self.begin = time.perf_counter()
        for item in [] if session.testsfailed else session.items:
            if self.is_needless(item):
                continue
            before = self.observer.count[self.key]
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
            if self.observer.count[self.key] == before:
                self.silent += 1  # whatever came of it says nothing of the answer
                continue
            self.seen.add(_test(item))
            self.passed += item.outcomes == {"passed"}
            self.failure = self.failure or item.failure
        return True

    def is_needless(self, item):
        """Whether enough is known without this case."""
        spent = time.perf_counter() - self.begin
        if self.failure:
            return spent > PATIENCE or self.observer.count[self.key] >= TO_COMPARE
        return not self.task["whole"] and spent > (ENOUGH if _test(item) in self.seen else MOST)

    def pytest_runtest_makereport(self, item, call):
        if call.when == "setup":
            item.outcomes, item.failure = set(), None
        if call.excinfo is None:
            item.outcomes.add("passed")
        elif call.excinfo.typename == "Skipped":
            item.outcomes.add("skipped")
        else:
            item.outcomes.add("failed")
            item.failure = item.failure or _told(item, call.excinfo, self.task["path"])

    def findings(self):
        return {
            "passed": self.passed,
            "silent": self.silent,
            "examiners": sorted(self.seen),
            "failure": self.failure,
            "total": self.total,
            "calls": self.observer.count[self.key],
        }


def _test(item):
    return item.nodeid.split("[")[0]


def _told(item, error, path):
    """What a learner is told of a failure: the test, its docstring, the error, and where."""
    lines = [f"{entry.path}:{entry.lineno + 1}" for entry in error.traceback]
    own = [line for line in lines if line.startswith(f"{path}:")]
    return {
        "test": item.nodeid,
        "says": (item.function.__doc__ or "").strip().split("\n\n")[0],
        "error": error.exconly()[:1500],
        "line": own[-1] if own else "",
    }


def run(task, observer):
    """The findings: what passed, the first failure, and how the answer compares."""
    os.chdir(PACKAGE.parent)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # none is needed, and each takes its time
    os.environ.setdefault("HYPOTHESIS_PROFILE", "suite" if task["whole"] else "workshop")
    import pytest

    examination, output = Examination(task, observer), io.StringIO()
    options = ["-q", "-p", "no:cacheprovider", "--no-header", *task["tests"]]
    with redirect_stdout(output), redirect_stderr(output):
        code = pytest.main(options, plugins=[examination])
    findings = examination.findings() | {"code": code, "output": output.getvalue()[-3000:]}
    if examination.failure or task["museum"]:
        findings |= report(task, observer)
    return findings
