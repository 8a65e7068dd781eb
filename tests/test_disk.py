"""What is kept on disk is never another kernel, whoever was killed, and never needed."""

import os
import pickle
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from npvae.kernels import disk, reference

# Loops that compile fast, and what each makes of its arguments.
USE = """
import sys, warnings
import numpy as np
from npvae.kernels import compiled

def use():
    rng = np.random.default_rng(0)
    for dtype in np.float32, np.float64:
        a, b, c = abs(rng.standard_normal((3, 50_000))).astype(dtype)
        yield "relu", compiled.relu(a - 1)
        yield "relu_backward", compiled.relu_backward(b, a - 1)
        compiled.sgd_update(a, b, c, 0.1, 0.9, 0.3)
        yield "sgd_update", a.copy()
        compiled.adagrad_update(a, b, c, 0.1, 1e-8, 0.3)
        yield "adagrad_update", a
"""
COMPARE = """
import pickle
sys.stdout.buffer.write(pickle.dumps(list(use())))
"""
# A process that is killed when it has written so many files.
KILLED = """
import os
replace, written = os.replace, 0

def counted(*args):
    global written
    replace(*args)
    written += 1
    if written == int(sys.argv[1]):
        os._exit(9)

os.replace = counted
list(use())
"""


def process(code, *args, source=None, **environment):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", USE + textwrap.dedent(code), *map(str, args)],
        env=os.environ
        | {"PYTHONPATH": str(source or Path(disk.__file__).parents[2])}
        | environment,
        capture_output=True,
        cwd="/",
    )


def results(**choices):
    done = process(COMPARE, **choices)
    assert done.returncode == 0, done.stderr.decode()
    return pickle.loads(done.stdout)


def expected():
    code = USE.replace("import compiled", "import reference as compiled")
    names = {"np": np, "compiled": reference}
    exec(code.replace("from npvae.kernels import reference as compiled", ""), names)
    return list(names["use"]())


def assert_right(found):
    for (name, y), (_, right) in zip(found, expected(), strict=True):
        rounding = 8 * np.finfo(y.dtype).eps * abs(right).max()  # of terms that may cancel
        np.testing.assert_allclose(y, right, rtol=0, atol=rounding, err_msg=name)
        assert y.dtype == right.dtype, name


@pytest.fixture
def upgraded(tmp_path):
    """A copy of the package whose kernels were compiled before its sources changed."""
    package = Path(disk.__file__).parents[1]
    shutil.copytree(package, tmp_path / "npvae", ignore=shutil.ignore_patterns("__pycache__"))
    cache = {"source": tmp_path, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    assert process("list(use())", **cache).returncode == 0
    updates = tmp_path / "npvae/kernels/updates.py"
    updates.write_text(updates.read_text() + "\n# another version\n")
    return cache


def test_a_first_run_that_is_killed_after_an_upgrade_harms_no_later_one(upgraded):
    """Wherever between two writes: an index must not lead to the data of another version."""
    for written in range(1, 33, 3):  # an index and its data, for four loops and two dtypes
        assert process(KILLED, written, **upgraded).returncode in (0, 9)
        if written in (1, 4, 31):
            assert_right(results(**upgraded))


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder in which a first run has kept its kernels."""
    folder = tmp_path_factory.mktemp("kept")
    assert_right(results(NUMBA_CACHE_DIR=str(folder)))
    return folder


def test_data_in_anothers_place_are_compiled_anew(kept, tmp_path):
    shutil.copytree(kept, tmp_path, dirs_exist_ok=True)
    cache = {"NUMBA_CACHE_DIR": str(tmp_path)}
    data = sorted(tmp_path.rglob("*.nbc"))
    assert len(data) == 8
    contents = [path.read_bytes() for path in data]
    for path, other in zip(data, contents[1:] + contents[:1], strict=True):
        path.write_bytes(other)
    assert_right(results(**cache))
    for path in data:
        path.write_bytes(path.read_bytes()[:100])  # a disk that was full
    for path in tmp_path.rglob("*.nbi"):
        path.write_bytes(b"no index")
    assert_right(results(**cache))


def test_every_loop_has_an_index_that_carries_the_version(kept):
    names = {path.name.partition("-")[0] for path in kept.rglob("*.nbi")}
    loops = "elementwise._relu", "elementwise._relu_backward", "updates._sgd", "updates._adagrad"
    assert names == {f"threads.{loop}_{disk.version():08x}" for loop in loops}


def test_without_a_folder_to_write_to_it_goes_on_and_says_so(tmp_path):
    file = tmp_path / "file"
    file.touch()
    code = """
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        list(use())
    print(*[w.message for w in told], sep="|")
    """
    locators = "UserProvidedCacheLocator"  # and so no other folder
    done = process(code, NUMBA_CACHE_DIR=str(file), NUMBA_CACHE_LOCATOR_CLASSES=locators)
    assert done.returncode == 0, done.stderr
    assert b"Set NUMBA_CACHE_DIR to a folder that can be written" in done.stdout
    ignored = subprocess.run(
        [sys.executable, "-c", USE + COMPARE],
        env=os.environ
        | {"NUMBA_CACHE_DIR": str(file), "NUMBA_CACHE_LOCATOR_CLASSES": locators}
        | {"PYTHONPATH": str(Path(disk.__file__).parents[2])},
        capture_output=True,
    )
    assert ignored.returncode == 0, ignored.stderr
    assert ignored.stderr.count(b"RuntimeWarning") == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_of_a_fork_computes_the_same_alone():
    code = """
    before = list(use())
    child = os.fork()
    if child == 0:
        after = list(use())
        os._exit(0 if all((a == b).all() for (_, a), (_, b) in zip(before, after)) else 1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    done = process("import os" + textwrap.dedent(code))
    assert done.stdout == b"0\n", done.stderr


def test_two_threads_of_python_may_use_any_threading_layer():
    code = """
    from concurrent.futures import ThreadPoolExecutor
    import numba
    list(use())
    a = np.random.default_rng(0).standard_normal((200, 300)).astype(np.float32)
    right = compiled.matmul(a, a.T)
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda _: (compiled.matmul(a, a.T) == right).all(), range(2000))
        print(all(found), numba.threading_layer())
    """
    done = process(code, NUMBA_THREADING_LAYER="workqueue")
    assert done.returncode != -signal.SIGABRT, done.stderr
    assert done.stdout == b"True workqueue\n", done.stderr
