"""The tests, tested: each classic mistake, put in alone, must fail the test that guards against it.

A mistake is put into a copy of the tree, which runs on the reference kernels: they need no
compilation. Two copies run at a time.
"""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from equations import ROOT
from museum import MUSEUM, copy_tree, make
from npvae import kernels

CHAPTER = ROOT / "derivations" / "16-museum.md"

in_a_copy = pytest.mark.skipif(
    "NPVAE_MUSEUM" in os.environ, reason="this is a copy in which a mistake may stand"
)
once = pytest.mark.skipif(
    kernels.engine == "reference", reason="its copies run on the reference kernels anyway"
)
pytestmark = [in_a_copy, once]


def run(root, *tests):
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-qx", "-p", "no:cacheprovider", *tests],
        cwd=root,
        env=os.environ
        | {"NPVAE_KERNELS": "reference", "NPVAE_MUSEUM": "1", "HYPOTHESIS_PROFILE": "unshrunk"},
        capture_output=True,
        text=True,
    )


def trial(mistake, root):
    copy_tree(root)
    make(mistake, root)
    return run(root, mistake.killed_by)


@pytest.fixture(scope="module")
def trials(request, tmp_path_factory):
    """The trials of the mistakes that were asked for, by name, all under way."""
    asked = {
        item.callspec.params["mistake"]
        for item in request.session.items
        if item.nodeid.startswith("tests/test_museum.py::test_a_mistake_is_killed[")
    }
    mistakes = [mistake for mistake in MUSEUM if mistake in asked]
    with ThreadPoolExecutor(2) as pool:
        yield {m.name: pool.submit(trial, m, tmp_path_factory.mktemp("copy")) for m in mistakes}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("mistake", MUSEUM, ids=[mistake.name for mistake in MUSEUM])
def test_a_mistake_is_killed(mistake, trials):
    done = trials[mistake.name].result()
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "\n1 failed" in done.stdout
    assert "NameError" not in done.stdout, "it must be wrong, not merely broken"


def test_without_a_mistake_every_killer_passes(tmp_path):
    copy_tree(tmp_path)
    done = run(tmp_path, *sorted({mistake.killed_by for mistake in MUSEUM}))
    assert done.returncode == pytest.ExitCode.OK, done.stdout + done.stderr


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
