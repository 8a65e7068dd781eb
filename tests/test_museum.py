"""The tests, tested: each classic mistake, put in alone, must fail the test that guards against it.

A mistake is put into a copy of the tree, which runs on the reference kernels: they need no
compilation. Two copies run at a time.
"""

import os
import re

import pytest

import forked
from equations import ROOT
from museum import MUSEUM, copy_tree, make
from npvae import kernels

CHAPTER = ROOT / "derivations" / "16-museum.md"
PATIENCE = 300  # seconds

in_a_copy = pytest.mark.skipif(
    "NPVAE_MUSEUM" in os.environ, reason="this is a copy in which a mistake may stand"
)
once = pytest.mark.skipif(
    kernels.engine == "reference", reason="its copies run on the reference kernels anyway"
)
pytestmark = [in_a_copy, once]


@pytest.fixture(scope="module")
def workers():
    with forked.pool(2) as pool:
        yield pool


@pytest.fixture(scope="module")
def trials(request, tmp_path_factory, workers):
    """The trials of the mistakes that were asked for, by name, all under way."""
    asked = {
        item.callspec.params["mistake"]
        for item in request.session.items
        if item.nodeid.startswith("tests/test_museum.py::test_a_mistake_is_killed[")
    }
    under_way = {}
    for mistake in [mistake for mistake in MUSEUM if mistake in asked]:
        copy = tmp_path_factory.mktemp("copy")
        copy_tree(copy)
        make(mistake, copy)
        under_way[mistake.name] = workers.apply_async(forked.run, (copy, mistake.killed_by))
    return under_way


@pytest.mark.parametrize("mistake", MUSEUM, ids=[mistake.name for mistake in MUSEUM])
def test_a_mistake_is_killed(mistake, trials):
    code, printed = trials[mistake.name].get(PATIENCE)
    assert code == pytest.ExitCode.TESTS_FAILED, printed
    assert "\n1 failed" in printed
    assert "NameError" not in printed, "it must be wrong, not merely broken"


def test_without_a_mistake_every_killer_passes(tmp_path, workers):
    copy_tree(tmp_path)
    killers = sorted({mistake.killed_by for mistake in MUSEUM})
    code, printed = workers.apply(forked.run, (tmp_path, *killers))
    assert code == pytest.ExitCode.OK, printed


def test_no_two_exhibits_are_the_same():
    assert len({mistake.name for mistake in MUSEUM}) == len(MUSEUM)
    assert len({mistake.edits for mistake in MUSEUM}) == len(MUSEUM)


@pytest.mark.parametrize("mistake", MUSEUM, ids=[mistake.name for mistake in MUSEUM])
def test_the_chapter_shows_it(mistake):
    _, _, rest = CHAPTER.read_text(encoding="utf-8").partition(f"### {mistake.name}\n")
    section = re.split(r"^##+ ", rest, maxsplit=1, flags=re.MULTILINE)[0]
    shown = section.splitlines()
    for path, right, wrong in mistake.edits:
        assert f"# {path}" in shown
        for mark, lines in (("+", right), ("-", wrong)):
            assert all(f"{mark} {line.strip()}" in shown for line in lines.strip().splitlines())
    file, test = mistake.killed_by.split("::")
    assert f"[`{test}`](../{file})" in section
    for project in mistake.seen_in:
        assert f"https://github.com/{project}/" in section
