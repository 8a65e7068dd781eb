"""The benchmarks run, tell what they measured, and fail where they must."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from equations import ROOT

BENCHMARKS = ROOT / "tests" / "benchmarks"


def run(script, *arguments, **environment):
    command = [sys.executable, BENCHMARKS / script, *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, env=os.environ | environment
    )


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Bars of five rows in MNIST's own format."""
    folder = tmp_path_factory.mktemp("bars")
    for name, n in (("train", 300), ("t10k", 100)):
        images = np.zeros((n, 28, 28), np.uint8)
        for i, image in enumerate(images):
            image[i % 24 : i % 24 + 5] = 255
        header = b"".join(size.to_bytes(4, "big") for size in (0x803, n, 28, 28))
        (folder / f"{name}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        header = b"".join(size.to_bytes(4, "big") for size in (0x801, n))
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(header + bytes(n))
    return folder


def test_training_is_timed_judged_and_written_without_a_missing_peer(data_dir, tmp_path):
    (tmp_path / "jax.py").write_text("raise ModuleNotFoundError('not here')")
    path = tmp_path / "new" / "training.json"
    chosen = ["--configurations", "c", "--peers", "npvae", "jax", "--data-dir", data_dir]
    options = ["--images", 200, "--rounds", 1, "--starts", 0, "--json", path]
    done = run("training.py", *chosen, *options, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "jax is missing: ModuleNotFoundError: not here" in done.stdout
    assert max(map(len, done.stdout.replace(str(path), "").splitlines())) <= 80
    report = json.loads(path.read_text())
    measured = report["configurations"]["c"]
    assert report["images"] == 200
    assert measured["zeros"] == pytest.approx(23 / 28)
    npvae = measured["peers"]["npvae"]
    assert len(npvae["epochs"]) == 1
    low, high = npvae["spread"]
    assert 0 < low <= npvae["seconds"] <= high
    assert npvae["images_per_second"] == pytest.approx(200 / npvae["seconds"])
    # Rates are measured beside the epochs, so on a busy machine an epoch may beat the limit.
    rates = measured["rates"]
    first, others = 784 * 200, 200 * 200 + 200 * 100 + 50 * 200 + 200 * 200 + 200 * 784
    arithmetic = 2 * 200 * (2 * first + 3 * others) / rates["operations"]
    memory = 10 * 28 * (first + others + 4 * 200 + 100 + 784) / rates["bytes"]
    assert npvae["of_limit"] == pytest.approx((arithmetic + memory) / npvae["seconds"])
    assert 20 < npvae["peak_mib"] < 2000
    assert -600 < npvae["test_bound"] < -50
    assert f"{npvae['test_bound']:.2f}" in done.stdout


def test_bounds_that_differ_fail_and_arithmetic_is_counted():
    code = """
import numpy as np, configurations, training
bounds = lambda *all: {"peers": {name: {"test_bound": b} for name, b in zip("xy", all)}}
assert list(training.complaints("a", bounds(-105.2, -105.9))) == []
assert "x -105.20, y -106.90" in "".join(training.complaints("a", bounds(-105.2, -106.9)))
assert list(training.complaints("a", bounds(-105.2, np.nan))) != []
images = np.zeros((10, 784), np.uint8)
vae = configurations.new_model(configurations.A, images, 0)
products = 2 * 784 * 500 + 3 * (500 * 40 + 20 * 500 + 500 * 784)
assert configurations.operations(vae.params.arrays(), 100, 1) == 2 * 100 * products
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=BENCHMARKS, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_seconds_to_a_bound_are_counted_and_written(data_dir, tmp_path):
    path = tmp_path / "quality.json"
    chosen = ["--configurations", "b", "--peers", "npvae", "--data-dir", data_dir]
    options = ["--images", 250, "--held-out", 50, "--threads", 1, "--json", path]
    done = run("quality.py", *chosen, *options)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.replace(str(path), "").splitlines())) <= 80
    (results,) = json.loads(path.read_text())["configurations"]["b"]["rounds"]
    short, published = (
        [epoch["bound"] for epoch in results[f"{name}, npvae"]["epochs"]]
        for name in ("short", "published")
    )
    assert (len(short), len(published)) == (3, 12)
    assert published == sorted(published)
    assert -600 < published[0] < short[0] < -50  # steps eight times as long, and more of them
    assert " ".join(f"{bound:.2f}" for bound in short) in done.stdout


def test_what_misses_the_target_counts_as_endless():
    code = """
import math, quality
from recipes import Recipe
epochs = {"epochs": [{"seconds": 1.0, "bound": -106.0}, {"seconds": 2.0, "bound": -105.0}]}
assert quality.seconds_to(-105.6, epochs) == quality.seconds_to(None, epochs) == 3.0
assert quality.seconds_to(-104.9, epochs) == quality.seconds_to(None, {"missing": ""}) == math.inf
slow = {"epochs": [{"seconds": 9.0, "bound": -105.0}]}
rounds = [{("short", "npvae"): epochs, ("short", "jax"): r} for r in (slow, slow, {"missing": ""})]
row = quality.row(("short", "jax"), rounds, -105.6)
assert row == ("short, jax", "1", "9.00", "9.00–inf", "9.00", "3.00", "-105.00")
assert quality.row(("short", "jax"), rounds[2:], -105.6)[1] == "missed"
given = Recipe(4, 0.5, warm_up=0.2, rise=2).schedules(10)
assert given["rates"][:3] == (0.25, 0.5, 0.5) and 0 < given["rates"][39] < 0.02
assert given["betas"][18:] == (0.95, *[1.0] * 21)
assert set(Recipe(1, fall=None).schedules(5)["rates"]) == {1e-3}
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=BENCHMARKS, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_kernels_are_timed_and_written(tmp_path):
    path = tmp_path / "kernels.json"
    options = ["--configurations", "c", "--threads", 1, "--rounds", 1, "--milliseconds", 1]
    options += ["--without-torch"]
    done = run("kernels.py", *options, "--json", path)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.replace(str(path), "").splitlines())) <= 80
    measured = json.loads(path.read_text())["threads"]["1"]
    assert measured["seconds"]["npvae"].keys() == measured["seconds"]["NumPy"].keys()
    assert all(once > 0 for (once,) in measured["seconds"]["npvae"].values())
    assert 0 < measured["products"]["least"] <= measured["products"]["geometric_mean"]


@pytest.mark.parametrize(
    ("script", "options", "message"),
    [
        ("training.py", ["--peers", "theano"], "invalid choice: 'theano'"),
        ("training.py", ["--rounds", "0"], "--rounds: 0; expected an integer >= 1"),
        ("training.py", ["--threads", "9999"], "--threads: 9999; expected an integer from 1 to"),
        ("training.py", ["--data-dir", "absent"], "error: data_dir is 'absent'"),
        ("quality.py", ["--held-out", "60000"], "there are 60000 training images"),
        ("quality.py", ["--recipes", "low"], "--configurations b has no recipe low"),
        ("kernels.py", ["--threads", "x"], "--threads: invalid integer value: 'x'"),
    ],
)
def test_bad_options_end_in_one_line(tmp_path, script, options, message):
    done = run(script, *options, "--json", tmp_path / "report.json")
    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_damaged_files_are_refused_at_once_and_in_little_memory():
    done = run("fuzz.py", "--files", 1200, "--seed", 7)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {line.split()[0]: line.split()[1:4] for line in done.stdout.splitlines()[1:]}
    for kind in ("npz", "run", "idx", "safetensors", "names"):
        read, refused, other = map(int, rows[kind])
        assert (read + refused, other) == (1200, 0)
        assert min(read, refused) > 10


def test_a_busy_core_is_measured_beside(tmp_path):
    path = tmp_path / "busy.json"
    options = ["--configurations", "c", "--rounds", 1, "--images", 200, "--json", path]
    done = run("busy.py", *options)
    assert done.returncode == 0, done.stderr
    report = json.loads(path.read_text())
    for kind in ("busy", "quiet"):
        assert {mode: len(times) for mode, times in report[kind]["c"].items()} == {
            "chosen": 1,
            "one": 1,
            "all": 1,
        }
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_thirty_numbers_are_printed_for_each_model(data_dir):
    small = "--epochs", 1, "--steps", 3, "--rows", 200
    done = run("thirty_numbers.py", "--data-dir", data_dir, *small, NUMBA_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()[1:]]
    assert [line[0] for line in lines] == ["pca", "linear", "linear-sigmoid", "logistic", "deep"]
    errors = {name: float(test) for name, _, test, _ in lines}
    assert errors["pca"] < 1e-6  # 24 kinds of bars have 23 axes
    assert np.isfinite(list(errors.values())).all()
    assert errors["linear"] > errors["pca"]


def test_the_deep_autoencoder_is_timed_without_its_peer(data_dir, tmp_path):
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('not here')")
    path = tmp_path / "deep.json"
    options = ["--data-dir", data_dir, "--images", 100, "--rounds", 2, "--threads", 1]
    done = run("deep.py", *options, "--json", path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "PyTorch is missing: ModuleNotFoundError: not here" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    found = json.loads(path.read_text())["measured"]["npvae"]
    first, second = found["cross_entropy"]
    assert 0 < second < first < 784
    assert found["ratio"] == 1


def test_runs_cut_anywhere_end_the_same():
    done = run("cuts.py", "--cuts", 4, NPVAE_KERNELS="reference")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "OTHER" not in done.stdout
    assert all(way in done.stdout for way in ("exception", "SIGINT", "SIGTERM", "SIGKILL"))


def test_a_checkpoints_cost_is_told_beside_its_size():
    done = run("checkpoint.py", "--rounds", 1, "--images", 300)
    assert done.returncode == 0, done.stderr
    assert "ratio within rounds: median" in done.stdout
    assert "a file of 9.8 MB" in done.stdout


def test_a_fit_of_the_estimator_is_timed_without_its_peer(tmp_path):
    pytest.importorskip("sklearn")
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('not here')")
    path = tmp_path / "fit.json"
    options = ["--epochs", 1, "--rounds", 2, "--threads", 1, "--json", path]
    done = run("sklearn_fit.py", *options, PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
    assert done.returncode == 0, done.stderr
    assert "PyTorch is missing: ModuleNotFoundError: not here" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    found = json.loads(path.read_text())["measured"]["npvae"]
    first, second = found["elbo"]
    assert first != second  # each round has a seed of its own
    assert found["ratio"] == 1


def test_the_estimators_table_holds_every_column():
    pytest.importorskip("sklearn")
    small = "--tables", "iris", "--components", 1, "--epochs", 5
    done = run("sklearn_tables.py", *small, NUMBA_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    heading, row = done.stdout.splitlines()
    assert max(len(heading), len(row)) <= 80
    raw, pca, vae, pca_nats, vae_nats, seconds = map(
        float, row.removeprefix("iris, 150 × 4").split()
    )
    assert 90 < raw <= 100
    assert 80 < pca <= 100
    assert 40 < vae <= 100
    assert max(pca_nats, vae_nats) < 0 <= seconds < 60
