"""Runs tests in a process forked, where that can be, from one that has read what they import.

pytest, hypothesis and SciPy take longer to be read than most tests to run. npvae is not read
before, so a mistake may stand in the copy that is tested.
"""

import contextlib
import io
import multiprocessing
import os
import sys

READ_AHEAD = "pytest", "hypothesis.extra.numpy", "mpmath", "scipy.stats", "matplotlib.figure"


def pool(processes):
    """A pool each of whose processes runs one task."""
    fork = "forkserver" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if fork else "spawn")
    if fork:
        context.set_forkserver_preload(list(READ_AHEAD))
    return context.Pool(processes, maxtasksperchild=1)


def run(root, *tests):
    """For tests of the tree at root, on reference kernels: pytest's exit code, what it printed."""
    import pytest

    os.environ |= {"NPVAE_KERNELS": "reference", "NPVAE_MUSEUM": "1"}
    os.environ |= {"HYPOTHESIS_PROFILE": "unshrunk", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    os.chdir(root)
    sys.path.insert(0, str(root))
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        code = pytest.main(["-qx", "-p", "no:cacheprovider", *tests])
    return code, output.getvalue()
