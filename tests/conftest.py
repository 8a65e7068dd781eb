"""What every test shares: hypothesis's profile, and the promise behind an equation's mark."""

import os
import signal
import sys

import hypothesis
import pytest

from equations import audit, functions_citing

# The same examples every time: a failure is a fact to look into, never a matter of luck.
# HYPOTHESIS_PROFILE=explore looks for new ones.
hypothesis.settings.register_profile("suite", derandomize=True, deadline=None, max_examples=50)
hypothesis.settings.register_profile("explore", deadline=None, max_examples=500)
# For the museum: that a test fails is enough, and shrinking an example takes half a minute.
hypothesis.settings.register_profile(
    "unshrunk",
    hypothesis.settings.get_profile("suite"),
    phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
)
# For the workshop: a verdict in a second.
hypothesis.settings.register_profile(
    "workshop", hypothesis.settings.get_profile("unshrunk"), max_examples=10
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))

OUTCOMES = "passed", "failed", "error"


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "equation(*tags): checks the equations of derivations/ with these tags"
    )


@pytest.fixture
def ctrl_c_is_heard():
    """A background job ignores it, and so would what it starts; a handler is not handed on."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Fail a marked test that never called a function whose docstring cites the tag.

    In the workshop it must have called the learner's function.
    """
    citing = getattr(workshop(item.config), "functions_citing", functions_citing)
    waiting = {tag: citing(tag) for mark in item.iter_markers("equation") for tag in mark.args}

    def profile(frame, event, arg):
        here = (frame.f_code.co_filename, frame.f_code.co_firstlineno)
        for tag in [tag for tag, functions in waiting.items() if here in functions]:
            del waiting[tag]
        if not waiting:
            sys.setprofile(None)

    if waiting:
        sys.setprofile(profile)
    try:
        result = yield
    finally:
        sys.setprofile(None)
    if waiting:
        pytest.fail(f"{item.nodeid} called no function that cites {', '.join(waiting)}")
    return result


def workshop(config):
    """The plugin with which npvae.learn examines an answer, or None."""
    return config.pluginmanager.get_plugin("workshop")


def pytest_terminal_summary(terminalreporter, config):
    if workshop(config):
        return
    terminalreporter.write_line(str(audit()))
    ran, killed = (_exhibits(terminalreporter, *kinds) for kinds in (OUTCOMES, ["passed"]))
    if ran:
        terminalreporter.write_line(f"museum: {ran} mistakes, {killed} killed")


def _exhibits(terminalreporter, *outcomes):
    """How many mistakes of tests/museum.py had one of these outcomes."""
    reports = [r for outcome in outcomes for r in terminalreporter.stats.get(outcome, [])]
    return sum("test_museum.py::test_a_mistake_is_killed[" in r.nodeid for r in reports)
