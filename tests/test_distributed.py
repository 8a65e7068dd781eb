"""npvae.distributed: several processes, run by a real mpiexec where there is one."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import npvae
from equations import ROOT

pytest.importorskip("mpi4py.MPI", exc_type=ImportError)
import ranks as ranks_program
from npvae import distributed

MPIEXEC = shutil.which("mpiexec", path=Path(sys.executable).parent) or shutil.which("mpiexec")
PROGRAM = ROOT / "tests" / "ranks.py"

pytestmark = pytest.mark.skipif(MPIEXEC is None, reason="there is no mpiexec")


def start(n, *command):
    """-> the process that ended: a command of Python's on n ranks, or on none but this."""
    ranks = [MPIEXEC, "-n", str(n)] if n else []
    return subprocess.run(
        [*ranks, sys.executable, *map(str, command)], capture_output=True, text=True, timeout=200
    )


def end(n, name, folder):
    folder.mkdir(exist_ok=True)
    done = start(n, PROGRAM, name if n else f"alone-{name}", folder)
    assert done.returncode == 0, done.stderr
    return done


def numbers(path):
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def apart(a, b):
    """The largest difference, by the largest number."""
    assert a.keys() == b.keys()
    return max(np.abs(a[name] - b[name]).max() / np.abs(a[name]).max() for name in a)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What one process comes to."""
    folder = tmp_path_factory.mktemp("alone")
    end(0, "trajectory", folder)
    end(0, "followed", folder)
    return folder


@pytest.mark.parametrize("n", [1, 2, 3])
def test_ranks_go_where_one_process_goes(n, alone, tmp_path):
    end(n, "trajectory", tmp_path)
    for name, limit in (("gradients-float64", 1e-13), ("gradients-float32", 1e-6), ("end", 1e-10)):
        files = (folder / f"{name}.npz" for folder in (alone, tmp_path))
        assert apart(*map(numbers, files)) < limit, name


@pytest.mark.parametrize("n", [2, 3])
def test_a_width_follows_whole_batches(n, alone, tmp_path):
    end(n, "followed", tmp_path)
    files = (folder / "followed.npz" for folder in (alone, tmp_path))
    assert apart(*map(numbers, files)) < 1e-10


def test_all_ranks_hold_the_same_bits_after_500_steps(tmp_path):
    end(2, "same_bits", tmp_path)
    first, second = (json.loads(path.read_text()) for path in sorted(tmp_path.glob("rank-*")))
    assert first == second


def test_a_killed_rank_ends_all_and_any_number_goes_on(tmp_path):
    end(2, "uncut", tmp_path / "uncut")
    expected = numbers(tmp_path / "uncut" / "end.npz")
    (tmp_path / "cut").mkdir()
    done = start(2, PROGRAM, "killed", tmp_path / "cut")
    assert done.returncode != 0
    assert len(npvae.past_epochs(tmp_path / "cut" / "run.npz")) == 3
    for n in (1, 2, 3):
        folder = shutil.copytree(tmp_path / "cut", tmp_path / f"on-{n}")
        end(n, "resumed", folder)
        difference = apart(expected, numbers(folder / "end.npz"))
        assert difference == 0 if n == 2 else difference < 1e-10


def test_a_signal_to_all_is_a_checkpoint_that_goes_on(tmp_path):
    end(2, "uncut", tmp_path / "uncut")
    done = start(2, PROGRAM, "told_to_end", tmp_path)
    assert done.returncode != 0
    assert "rank 0 of 2 ended: SystemExit: 143" in done.stderr
    assert (len(npvae.past_epochs(tmp_path / "run.npz")), visited(tmp_path / "run.npz")) == (3, 93)
    end(2, "resumed", tmp_path)
    assert apart(*(numbers(f / "end.npz") for f in (tmp_path / "uncut", tmp_path))) == 0


def test_a_number_that_is_not_finite_leaves_a_checkpoint_however_long_it_takes(tmp_path):
    done = start(2, PROGRAM, "slowly_not_finite", tmp_path)
    assert done.returncode != 0
    assert "rank 0 of 2 ended: NonFiniteError" in done.stderr
    path = tmp_path / "run.npz"
    assert (len(npvae.past_epochs(path)), visited(path) >= 93) == (3, True)


def visited(checkpoint):
    """Rows of the epoch that was cut."""
    return len(numbers(checkpoint)["run/visited/bound"])


def test_who_leaves_the_loop_leaves_it_for_all(tmp_path):
    end(3, "left", tmp_path)
    assert [json.loads((tmp_path / f"rank-{r}.json").read_text()) for r in range(3)] == [2, 2, 2]


def test_other_arguments_are_refused_by_all(tmp_path):
    said = end(2, "otherwise", tmp_path).stdout
    assert (
        said.count("other arguments than rank 0, which all ranks share: batch_size 31, not 30") == 2
    )
    assert said.count("which all ranks share: validation ") == 2
    assert said.count("share: optimizer Adam(learning_rate=2, beta1=0.9, ") == 2
    assert said.count("not ClosedForm(beta=1.0, samples=1)") == 2


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("before", "rank 1 of 2 ended: FileNotFoundError: one rank has no data"),
        ("one_told_to_end", "rank 1 of 2 ended: SystemExit: 143"),
        ("raising", "rank 1 of 2 ended: OSError: the disk of one rank is full"),
        ("changed", "RuntimeError: after step 500 the parameters of rank 1 differ from"),
    ],
)
def test_what_ends_one_rank_ends_all_with_a_word(name, said, tmp_path):
    done = start(2, PROGRAM, name, tmp_path)
    assert done.returncode != 0
    assert said in done.stderr


def test_what_needs_whole_batches_is_refused_whenever_it_comes(tmp_path):
    done = start(2, PROGRAM, "refused", tmp_path)
    said = "FreeBits(free_bits=0.1, samples=1) is a bound of a whole batch"
    assert done.stdout.count(said) == 2
    assert f"ended: ValueError: {said}" in done.stderr


class Communicator:
    """As much of one as tells who one is, and adds to each array what it is given next."""

    def __init__(self, rank, size, so_far=()):
        self.Get_rank, self.Get_size = lambda: rank, lambda: size
        self.so_far = iter(so_far)

    def Allreduce(self, _, array):
        array += next(self.so_far, 0)


@pytest.fixture
def hook(monkeypatch):
    """What Ranks sets, put back."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)


@pytest.mark.equation("machines.1")
@pytest.mark.parametrize("n", [1, 2, 3, 9])
def test_the_parts_add_up_to_the_whole_batchs_gradient(hook, n):
    rng = np.random.default_rng(n)
    vae = ranks_program.model(np.float64)
    x, noise = rng.random((7, ranks_program.WIDTH)), rng.standard_normal((2, 7, 3))
    objective = npvae.ImportanceWeighted(2)

    def gradient(x, noise, **choices):
        recorder = ranks_program.Recorder()
        npvae.training.descend(vae, recorder, x, noise, objective, **choices)
        return recorder.seen

    so_far = ()
    for rank in range(n):
        ranks = distributed.Ranks(Communicator(rank, n, so_far))
        part = ranks.part(7)
        so_far = gradient(x[part], noise[:, part], ranks=ranks, size=7)
    for summed, whole in zip(so_far, gradient(x, noise), strict=True):
        assert np.allclose(summed, whole, rtol=1e-12, atol=1e-14)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=st.integers(1, 300), n=st.integers(1, 70))
def test_each_row_counts_once(hook, size, n):
    before = 0
    for rank in range(n):
        ranks = distributed.Ranks(Communicator(rank, n))
        part, counts = ranks.part(size), ranks.share(size)
        made = range(size)[part]
        assert len(made) == max(1, counts)
        if counts:
            assert made[0] == before
            before = made[-1] + 1
    assert before == size


def test_mapped_rows_are_read_where_they_lie(tmp_path):
    x = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.uint8, (300, 12))
    x[...] = np.random.default_rng(0).integers(0, 256, x.shape)
    x.flush()
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    vae = npvae.VAE.init(
        12, hidden=(5,), latent_dim=2, likelihood=npvae.Bernoulli(), rng=np.random.default_rng(0)
    )
    rows, unit = vae.check_rows("x", mapped, vae.likelihood)
    assert unit == 255
    assert np.shares_memory(rows, mapped)
    as_float = np.load(tmp_path / "x.npy").astype(np.float32) / 255
    np.save(tmp_path / "float.npy", as_float)
    mapped_float = np.load(tmp_path / "float.npy", mmap_mode="r")
    assert np.shares_memory(vae.check_rows("x", mapped_float, vae.likelihood)[0], mapped_float)
    ends = []
    for data in (mapped, np.array(mapped)):
        copy, rng = vae.copy(), np.random.default_rng(1)
        choices = {"optimizer": npvae.Adam(), "rng": rng, "binarize": True}
        list(npvae.train(copy, data, epochs=2, batch_size=32, **choices))
        ends.append(copy.params.rows[0])
    assert np.array_equal(*ends)


def test_the_example_on_two_ranks(tmp_path):
    from test_example import SCRIPT, drawn_digits

    digits = drawn_digits(tmp_path / "digits")
    choices = ["--hidden", 8, "--latent", 2, "--batch-size", 33, "--data-dir", digits]
    out = tmp_path / "out"
    done = start(2, SCRIPT, "--mpi", "--epochs", 1, *choices, "--out", out)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("epoch   1  elbo") == done.stdout.count("test elbo") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["digits", "out"]
    assert npvae.VAE.load(out / "vae.npz").latent_dim == 2
    done = start(0, SCRIPT, "--resume", out, "--epochs", 2)
    assert done.returncode == 0, done.stderr
    assert len(npvae.past_epochs(out / "run.npz")) == 2
