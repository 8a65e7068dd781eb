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


def imported(code):
    """Run this code beside the benchmarks' modules."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=BENCHMARKS, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


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
    chosen = ["--configurations", "c-busy", "--peers", "npvae", "jax", "--data-dir", data_dir]
    options = ["--images", 200, "--rounds", 1, "--starts", 0, "--json", path]
    done = run("training.py", *chosen, *options, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "jax is missing: ModuleNotFoundError: not here" in done.stdout
    assert max(map(len, done.stdout.replace(str(path), "").splitlines())) <= 80
    report = json.loads(path.read_text())
    measured = report["configurations"]["c-busy"]
    assert report["images"] == 200
    assert measured["zeros"] == pytest.approx(23 / 28)
    npvae = measured["peers"]["npvae"]
    assert len(npvae["epochs"]) == 1
    assert 0 < npvae["best"] == npvae["seconds"]
    assert npvae["slow"] == 0
    (hop,) = (epoch["hop_ns"] for epoch in npvae["epochs"])
    if hop is not None:
        (place,) = measured["placed"].values()
        assert 1 < hop == max(place["hop_ns"])
        assert place["peers"] == {"npvae": {"seconds": npvae["seconds"], "epochs": 1}}
        assert place["speed"] is None
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
    imported("""
import numpy as np, configurations, training
bounds = lambda *all: {"peers": {name: {"test_bound": b} for name, b in zip("xy", all)}}
assert list(training.complaints("a", bounds(-105.2, -105.9))) == []
assert "x -105.20, y -106.90" in "".join(training.complaints("a", bounds(-105.2, -106.9)))
assert list(training.complaints("a", bounds(-105.2, np.nan))) != []
images = np.zeros((10, 784), np.uint8)
vae = configurations.new_model(configurations.A, images, 0)
products = 2 * 784 * 500 + 3 * (500 * 40 + 20 * 500 + 500 * 784)
assert configurations.operations(vae.params.arrays(), 100, 1) == 2 * 100 * products
""")


RACE = """
from summary import summarize
seconds = {"npvae": [1.0, 1.2, 1.4], "jax": [1.5, 2.4, 1.4], "torch": [2.0, 1.8, 2.8]}
hops = {"npvae": [215, 60, 55], "jax": [50, 190, 55], "torch": [62, 60, 57]}
results = {
    peer: {
        "starts": [9.0, 2.0, 1.0],
        "epochs": [
            {"seconds": s, "hop_ns": hop, "peak_mib": 200}
            for s, hop in zip(times, hops[peer], strict=True)
        ],
    }
    for peer, times in seconds.items()
} | {"torch.compile": {"missing": "no compiler"}}
placed = summarize(results, 600, limit=0.6)
"""


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
    assert (len(short), len(published)) == (4, 12)
    assert published == sorted(published)
    assert -600 < published[0] < short[0] < -50  # steps eight times as long, and more of them
    assert " ".join(f"{bound:.2f}" for bound in short) in done.stdout


def test_a_model_may_be_judged_by_draws_where_its_recipe_ends(data_dir, tmp_path):
    path = tmp_path / "quality.json"
    options = ["--configurations", "c", "--recipes", "short", "--peers", "npvae", "--images", "60"]
    imported(f"""
import sys, quality
quality.RECIPES["c"]["short"] = quality.RECIPES["c"]["short"]._replace(epochs=3, rise=1)
quality.DRAWS["c"], quality.TARGETS["c"] = 10, -800.0
sys.argv[1:] = {[*options, "--data-dir", str(data_dir), "--json", str(path)]}
quality.main()
""")
    ((results,),) = (c["rounds"] for c in json.loads(path.read_text())["configurations"].values())
    epochs = results["short, npvae"]["epochs"]
    assert ["bound" in epoch for epoch in epochs] == [False, False, True]
    assert -800 < epochs[-1]["bound"] < 0


def test_a_step_is_accounted_for(data_dir, tmp_path):
    path = tmp_path / "account.json"
    options = ["--data-dir", data_dir, "--images", 90, "--rounds", 2, "--threads", 1]
    done = run("account.py", *options, "--configurations", "c", "--json", path)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.replace(str(path), "").splitlines())) <= 80
    account = json.loads(path.read_text())["configurations"]["c"]
    calls = {(row["kernel"], row["size"]): float(row["calls"]) for row in account["kernels"]}
    assert calls["x W + b", "20×784×200"] == calls["dy Wᵀ", "20×200×784"] == 1
    assert calls["tanh", "20×200"] == calls["tanh_backward", "20×200"] == 4
    assert calls["gather_binary", "20×784"] == 1
    assert sum(n for (kernel, _), n in calls.items() if kernel == "xᵀ dy, Σ dy") == 6
    timed = 1e-6 * sum(float(row["µs a step"]) for row in account["kernels"])
    assert timed == pytest.approx(account["in kernels"], rel=0.01)
    assert account["in kernels"] < account["step"]


def test_no_image_may_be_left_to_train_on(data_dir, tmp_path):
    options = ["--data-dir", data_dir, "--held-out", 60000, "--json", tmp_path / "quality.json"]
    done = run("quality.py", *options)
    assert done.returncode != 0
    assert "training images" in done.stderr.splitlines()[-1]


def test_what_misses_the_target_counts_as_endless():
    imported("""
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
""")


def test_ratios_are_taken_within_rounds_and_epochs_told_apart():
    imported(
        RACE
        + """
npvae, jax = results["npvae"], results["jax"]
assert (npvae["seconds"], npvae["best"], npvae["slow"]) == (1.2, 1.0, 1)
assert (jax["slow"], results["torch"]["slow"]) == (1, 1)
assert npvae["speed"] == 1.5  # of 1.5 / 1, 1.8 / 1.2, 1.4 / 1.4
assert jax["speed"] == 1  # of 1, 1.8 / 2.4, 1
assert (npvae["cold_start"], npvae["warm_start"], npvae["of_limit"]) == (9, 1.5, 0.5)
near, apart = placed["near"], placed["apart"]
assert (near["hop_ns"], apart["hop_ns"]) == ([50, 62], [190, 215])
ours, theirs = (1.2 + 1.4) / 2, (1.4 + 1.5) / 2
assert near["peers"]["npvae"] == {"epochs": 2, "seconds": ours}
assert near["peers"]["jax"] == {"epochs": 2, "seconds": theirs}
assert near["speed"] == theirs / ours
assert apart["peers"] == {p: {"epochs": 1, "seconds": s} for p, s in (("npvae", 1), ("jax", 2.4))}
assert apart["speed"] is None  # torch was never apart
results["jax"]["epochs"][0]["hop_ns"] = None
assert summarize(results, 600, limit=0.6) == {}
"""
    )


def test_readmes_table_is_what_the_benchmark_writes():
    imported(
        RACE
        + """
import speed_table
from configurations import TABLE, CONFIGURATIONS
machine = {"cpus": 2, "cpu": "A CPU", "python": "3.12.1", "versions": {"numba": "0.65.0"}}
report = {"machine": machine, "data": "MNIST", "images": 600, "rounds": 3}
report["configurations"] = {
    name: {"peers": results, "placed": placed, "description": chosen.description}
    | {"busy": chosen.busy}
    for name, chosen in CONFIGURATIONS.items()
    if name in TABLE
}
text = speed_table.README.read_text(encoding="utf-8")
new = speed_table.rewritten(text, report)
assert speed_table.rewritten(new, report) == new
assert "(600 images, Adam) on 2 CPUs (A CPU): the best of 3 epochs" in new
head = "| model | npvae | JAX | PyTorch | torch.compile | speed |"
assert head in text and head in new
first = "| 784-500-20 tanh, batch 100, L = 1, binary digits "
assert first in text
assert first + "| 1.00, 1.20 | 1.40, 1.50 | 1.80, 2.00 | – | 1.50 |" in new
near = "| 1.30 in 2 | 1.45 in 2 | 2.00 in 3 | – | 1.12 |"
assert f"| – epochs with the CPUs near {near}" in new
assert "| – epochs with the CPUs apart | 1.00 in 1 | 2.40 in 1 | – | – | – |" in new
assert "| slow epochs, no core busy | 6 of 18 | 6 of 18 | 6 of 18 | – | – |" in new
assert "grey digits, one thread |" in new and "binary digits, one core busy |" in new
outside = lambda page: [page.split(speed_table.BEGIN)[0], page.split(speed_table.END)[1]]
assert outside(new) == outside(text)
"""
    )


def test_a_spinner_holds_the_last_cpu_and_one_cpu_has_no_hop():
    imported("""
import harness, ping
with harness.spinning() as process:
    assert process.poll() is None
    if hasattr(harness.os, "sched_getaffinity"):
        assert harness.os.sched_getaffinity(process.pid) == {harness.cpus()[-1]}
assert process.poll() is not None
assert ping.hop_ns(harness.cpus()[:1]) is None
""")


def test_kernels_are_timed_and_written_and_slow_products_fail(tmp_path):
    path = tmp_path / "kernels.json"
    options = ["--configurations", "c", "--threads", 1, "--rounds", 1, "--milliseconds", 1]
    options += ["--without-torch"]
    done = run("kernels.py", *options, "--json", path)
    assert max(map(len, done.stdout.replace(str(path), "").splitlines())) <= 80
    measured = json.loads(path.read_text())["threads"]["1"]
    assert measured["hops_ns"] == [None] * 4  # one CPU is no distance from itself
    slow = []
    for memory in ("warm", "cold"):
        ours, numpys = (measured["seconds"][memory][library] for library in ("npvae", "NumPy"))
        assert ours.keys() == numpys.keys()
        assert all(once > 0 for (once,) in ours.values())
        assert "c digits, xᵀ dy 20×784×200" in ours
        products = measured["products"][memory]
        assert 0 < products["least"] <= products["geometric_mean"]
        assert (products["least"] < 0.9) == bool(products["too_slow"])
        for name in products["too_slow"]:
            assert numpys[name][0] / ours[name][0] < 0.9
            slow.append(f"  {name}, {memory}, threads: 1")
    told = done.stderr.splitlines()
    assert (done.returncode, told) == (
        (1, ["slower than 0.9 times BLAS:", *slow]) if slow else (0, [])
    )


def test_bad_options_end_in_one_line(tmp_path):
    imported("""
import contextlib, io, sys, kernels, quality, training
bad = {
    "--peers theano": (training, "invalid choice: 'theano'"),
    "--rounds 0": (training, "--rounds: 0; expected an integer >= 1"),
    "--threads 9999": (training, "--threads: 9999; expected an integer from 1 to"),
    "--readme --peers jax": (training, "--peers leaves npvae out"),
    "--recipes low": (quality, "--configurations b has no recipe low"),
    "--threads x": (kernels, "--threads: invalid integer value: 'x'"),
}
for options, (script, message) in bad.items():
    sys.argv[1:] = options.split()
    with contextlib.redirect_stderr(io.StringIO()) as told, contextlib.suppress(SystemExit):
        script.parse_args()
    assert message in told.getvalue().splitlines()[-1], told.getvalue()
""")
    done = run("training.py", "--data-dir", "absent", "--json", tmp_path / "report.json")
    assert done.returncode != 0
    assert "error: data_dir is 'absent'" in done.stderr
    assert "Traceback" not in done.stderr


def test_damaged_files_are_refused_at_once_and_in_little_memory():
    done = run("fuzz.py", "--files", 1200, "--seed", 7)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {line.split()[0]: line.split()[1:4] for line in done.stdout.splitlines()[1:]}
    for kind in ("npz", "run", "idx", "safetensors", "names"):
        read, refused, other = map(int, rows[kind])
        assert (read + refused, other) == (1200, 0)
        assert min(read, refused) > 10


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
