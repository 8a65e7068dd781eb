"""The examples as a user runs them; to_pytorch.py has a file of its own."""

import csv
import functools
import importlib.util
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

import npvae
from equations import ROOT

SCRIPT = ROOT / "examples" / "mnist_mlp_vae.py"
PNG = b"\x89PNG\r\n\x1a\n"
PICTURES = {
    "kl_per_dimension.png",
    "prior_samples.png",
    "reconstructions.png",
    "training_curves.png",
    "traversals.png",
}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return drawn_digits(tmp_path_factory.mktemp("digits") / "mnist")


def drawn_digits(folder):
    """Five hundred of them in MNIST's own format."""
    folder.mkdir()
    glyphs = npvae.datasets.glyph_digits(500, rng=np.random.default_rng(0))
    pixels = (255 * glyphs.images).astype(np.uint8)
    for name, rows in (("train", slice(100, None)), ("t10k", slice(100))):
        n = len(pixels[rows])
        header = b"".join(size.to_bytes(4, "big") for size in (0x803, n, 28, 28))
        (folder / f"{name}-images-idx3-ubyte").write_bytes(header + pixels[rows].tobytes())
        header = b"".join(size.to_bytes(4, "big") for size in (0x801, n))
        labels = glyphs.labels[rows].astype(np.uint8)
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(header + labels.tobytes())
    return folder


def run(*arguments, script=SCRIPT):
    command = [sys.executable, script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_it_trains_judges_draws_and_saves(data_dir, tmp_path):
    out = tmp_path / "new" / "out"
    choices = ["--hidden", 16, 12, "--latent", 2, "--epochs", 2, "--batch-size", 30]
    done = run("--data-dir", data_dir, *choices, "--out", out)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == [
        "reading MNIST, or downloading it …",
        "compiling the kernels, once for each kind of model …",
        "judging the model by the test images …",
        "drawing the pictures …",
    ]
    assert "MNIST: 400 training images, 100 test images" in done.stdout
    assert "VAE 784-16-12-2, tanh, bernoulli; binarize: dynamic" in done.stdout
    assert "\nepoch   2  elbo" in done.stdout
    assert max(len(line.removesuffix(f"{out}/")) for line in done.stdout.splitlines()) <= 80
    pictures = {path.name for path in out.glob("*.png")}
    assert pictures == PICTURES | {"latent_scatter.png", "manifold.png"}
    assert all((out / name).read_bytes().startswith(PNG) for name in pictures)
    assert npvae.VAE.load(out / "vae.npz").latent_dim == 2


def test_its_metrics_are_those_it_prints(data_dir, tmp_path):
    choices = ["--hidden", 8, "--latent", 3, "--epochs", 2, "--seed", 4]
    done = run("--data-dir", data_dir, *choices, "--out", tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics.keys() == {"config", "epochs", "test"}
    assert metrics["config"]["hidden"] == [8]
    assert metrics["config"]["seed"] == 4
    assert [epoch["epoch"] for epoch in metrics["epochs"]] == [1, 2]
    assert f"elbo {metrics['epochs'][1]['elbo']:8.2f} =" in done.stdout
    test = metrics["test"]
    assert f"test elbo {test['elbo']:.2f} ± {test['elbo_standard_error']:.2f} =" in done.stdout
    assert test["elbo"] == pytest.approx(test["reconstruction"] - test["kl"])
    assert sum(test["kl_per_dimension"]) == pytest.approx(test["kl"])
    assert 0 <= test["active_units"] <= 3
    assert "no manifold" not in done.stdout
    assert {path.name for path in tmp_path.glob("*.png")} == PICTURES


def test_every_choice_reaches_the_model(data_dir, tmp_path):
    sizes = ["--hidden", 8, "--latent", 1, "--epochs", 1, "--batch-size", 30]
    choices = ["--likelihood", "gaussian", "--sigma", 0.25, "--activation", "softplus"]
    rule = ["--optimizer", "adagrad", "--lr", 0.02, "--weight-decay", 0.01]
    weights = ["--samples", 2, "--beta", 0.5]
    done = run("--data-dir", data_dir, *sizes, *choices, *rule, *weights, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "gaussian; binarize: none" in done.stdout
    assert "objective: ClosedForm(beta=0.5, samples=2)" in done.stdout
    vae = npvae.VAE.load(tmp_path / "vae.npz")
    assert vae.likelihood == npvae.Gaussian(0.25)
    assert vae.activation == "softplus"


@pytest.mark.parametrize(
    ("choices", "likelihood", "objective"),
    [
        (
            "--objective importance-weighted --samples 3 --likelihood learned-gaussian",
            npvae.LearnedGaussian(0.1),
            "ImportanceWeighted(samples=3, gradient='total')",
        ),
        (
            "--objective free-bits --free-bits 0.2 --likelihood continuous-bernoulli",
            npvae.ContinuousBernoulli(),
            "FreeBits(free_bits=0.2, samples=1)",
        ),
        (
            "--objective sampled --warm-up 2 --likelihood categorical --levels 16",
            npvae.Categorical(16),
            "Sampled(beta=0.125, samples=1), then more beta, up to 1",
        ),
    ],
)
def test_objectives_and_likelihoods(data_dir, tmp_path, choices, likelihood, objective):
    sizes = ["--hidden", 8, "--latent", 3, "--epochs", 2]
    done = run("--data-dir", data_dir, *sizes, *choices.split(), "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"\nobjective: {objective}\n" in done.stdout
    assert npvae.VAE.load(tmp_path / "vae.npz").likelihood == likelihood


def test_grey_targets_come_with_their_entropy(data_dir, tmp_path):
    choices = ["--hidden", 8, "--latent", 2, "--epochs", 1, "--binarize", "none"]
    done = run("--data-dir", data_dir, *choices, "--out", tmp_path)
    images = npvae.datasets.load_mnist(data_dir).train
    entropy = npvae.Bernoulli().entropy(images).mean()
    assert f"grey targets: no elbo can exceed −{entropy:.1f}" in done.stdout


@pytest.mark.usefixtures("ctrl_c_is_heard")
def test_ctrl_c_keeps_what_was_learned(data_dir, tmp_path):
    command = [sys.executable, SCRIPT, "--data-dir", data_dir, "--hidden", "8", "--epochs", "99999"]
    with subprocess.Popen(
        [*command, "--out", tmp_path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        lines = iter(process.stdout.readline, "")
        assert any(line.startswith("epoch   3") for line in lines)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert "keeping what was learned" in output
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    ended = len(metrics["epochs"])
    assert ended >= 3
    assert metrics["test"]["elbo"] < 0
    assert npvae.VAE.load(tmp_path / "vae.npz").data_dim == 784

    done = run("--resume", tmp_path, "--epochs", ended + 2)
    assert done.returncode == 0, done.stderr
    assert f"going on after epoch {ended}" in done.stdout
    with open(tmp_path / "epochs.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == list(range(1, ended + 3))
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert [float(row["elbo"]) for row in rows] == [e["elbo"] for e in metrics["epochs"]]


def test_a_run_that_goes_on_ends_as_one_that_was_never_cut(data_dir, tmp_path):
    choices = ["--data-dir", data_dir, "--hidden", 8, "--warm-up", 3, "--validation", 50]
    choices += ["--lr-warm-up", 0.5]
    run(*choices, "--epochs", 3, "--out", tmp_path / "whole")
    run(*choices, "--epochs", 1, "--out", tmp_path / "cut")
    done = run("--resume", tmp_path / "cut", "--epochs=3")
    assert done.returncode == 0, done.stderr
    whole, cut = (tmp_path / name / "vae.npz" for name in ("whole", "cut"))
    assert whole.read_bytes() == cut.read_bytes()
    whole, cut = (json.loads((tmp_path / n / "metrics.json").read_text()) for n in ("whole", "cut"))
    assert whole["test"] == cut["test"]
    assert [e["validation"] for e in whole["epochs"]] == [e["validation"] for e in cut["epochs"]]


def test_what_cannot_go_on_is_refused(data_dir, tmp_path):
    run("--data-dir", data_dir, "--hidden", 8, "--epochs", 1, "--out", tmp_path)
    assert "--lr: a run that goes on keeps its own" in run("--resume", tmp_path, "--lr", 1).stderr
    for text in ("[]", "{}", "{", '{"epochs": 1, "data_dir": 3}'):
        (tmp_path / "arguments.json").write_text(text)
        done = run("--resume", tmp_path)
        assert done.returncode == 2
        assert "that could go on" in done.stderr
        assert "Traceback" not in done.stderr
    assert "there is no run in" in run("--resume", tmp_path / "none").stderr


def test_a_run_that_explodes_keeps_its_last_finite_step(data_dir, tmp_path):
    done = run("--data-dir", data_dir, "--lr", "1e30", "--hidden", 8, "--out", tmp_path)
    assert "is not finite at epoch 1" in " ".join(done.stdout.split())
    vae = npvae.VAE.load(tmp_path / "vae.npz")  # which refuses NaN and inf
    assert vae.data_dim == 784


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "error: epochs is 0; expected an integer >= 1"),
        (["--batch-size", "x"], "--batch-size: invalid int value: 'x'"),
        (["--hidden", "5", "-3"], "error: hidden[1] is -3"),
        (["--lr", "nan"], "error: learning_rate is nan"),
        (["--likelihood", "gaussian", "--sigma", "0"], "error: sigma is 0.0"),
        (["--data", "mnist", "--data-dir", "absent"], "absent"),
        (["--objective", "free-bits", "--beta", "2"], "free-bits has no KL for --beta or --warm"),
        (["--objective", "importance-weighted", "--samples", "0"], "error: samples is 0"),
        (["--likelihood", "categorical", "--levels", "1"], "error: levels is 1; expected"),
        (["--free-bits", "0.2"], "--free-bits is for --objective free-bits"),
        (["--warm-up", "-3"], "--warm-up is -3; expected a number >= 0"),
        (["--lr-warm-up", "inf"], "--lr-warm-up is inf; expected a number >= 0"),
        (["--output-scale", "-1"], "--output-scale is -1.0; expected a number >= 0"),
        (
            ["--schedule", "linear", "--epochs", "2", "--lr-warm-up", "2"],
            "warm_up is 2; expected fewer than steps, 2",
        ),
        (["--data", "glyphs", "--data-dir", "absent"], "--data glyphs reads no files"),
        (["--out", str(SCRIPT)], "error: "),
        (["--latent", "0"], "latent_dim is 0; expected an integer >= 1"),
        (["--beta", "-1"], "beta is -1.0; expected a finite number >= 0"),
        (["--hidden", "500,200"], "'500,200' is no whole number; write two layers as --hidden 500"),
        (["--seed", "-1"], "--seed is -1; expected a number >= 0"),
        (["--validation", "-1"], "--validation is -1; expected a number >= 0"),
        (["--validation", "400"], "--validation is 400; there are 400 training images"),
    ],
)
def test_bad_arguments_end_in_one_line(data_dir, tmp_path, arguments, message):
    done = run("--data-dir", data_dir, "--out", tmp_path, *arguments)
    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert "epoch" not in done.stdout


@pytest.mark.parametrize(
    "bad", ["--latent 0", "--beta -1", "--lr 0", "--epochs 0", "--batch-size 0", "--sigma 0"]
)
def test_a_bad_value_is_told_before_any_data_are_read(bad, tmp_path):
    likelihood = ["--likelihood", "gaussian"] if "sigma" in bad else []
    done = run(*bad.split(), *likelihood, "--data-dir", tmp_path / "absent", "--out", tmp_path)
    assert done.returncode == 2
    assert "absent" not in done.stderr


@pytest.mark.parametrize("flags", [[], ["-OO"]])
def test_help_fits_a_terminal_breaks_no_word_and_tells_a_default_once(flags):
    environment = os.environ | {"COLUMNS": "80"}
    command = [sys.executable, *flags, SCRIPT, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    for word in ("continuous-bernoulli", "importance-weighted", "leaky_relu", "--latent 2"):
        assert word in done.stdout
    options = re.split(r"^  (?=-)", done.stdout, flags=re.MULTILINE)
    assert max(option.count("(default:") for option in options) == 1
    assert "None" not in done.stdout
    assert "[500]" not in done.stdout


def test_an_earlier_run_is_kept(data_dir, tmp_path):
    choices = ["--data-dir", data_dir, "--hidden", 8, "--epochs", 1, "--out", tmp_path / "out"]
    first, second, third = (run(*choices) for _ in range(3))
    assert "holds an earlier run" not in first.stdout
    for done, name in ((second, "out-2"), (third, "out-3")):
        assert f"out/ holds an earlier run; this one goes to {tmp_path / name}/" in done.stdout
        assert (tmp_path / name / "metrics.json").is_file()


def test_images_held_out_are_judged_after_each_epoch(data_dir, tmp_path):
    choices = ["--hidden", 8, "--epochs", 2, "--validation", 100]
    done = run("--data-dir", data_dir, *choices, "--out", tmp_path)
    assert "MNIST: 300 training images, 100 test images" in done.stdout
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    for epoch in metrics["epochs"]:
        assert f"\nvalidation     {epoch['validation']['elbo']:8.2f} =" in done.stdout


def test_a_model_that_cannot_be_judged_is_saved_and_said(data_dir, tmp_path, monkeypatch, capsys):
    example = imported()

    def explode(*args, **choices):
        raise FloatingPointError("log p(x|z) of row 3 is not finite")

    monkeypatch.setattr(npvae, "evaluate", explode)
    command = ["example", "--data-dir", str(data_dir), "--hidden", "8", "--epochs", "1"]
    monkeypatch.setattr(sys, "argv", [*command, "--out", str(tmp_path)])
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    with warnings.catch_warnings():
        example.main()
    told = capsys.readouterr().out
    assert "the model cannot be judged: log p(x|z) of row 3 is not finite" in told
    assert json.loads((tmp_path / "metrics.json").read_text())["test"] is None
    assert npvae.VAE.load(tmp_path / "vae.npz").data_dim == 784
    assert {path.name for path in tmp_path.glob("*.png")} == {"training_curves.png"}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no file stands for a full disk here")
@pytest.mark.parametrize("name", ["metrics.json", "training_curves.png"])
def test_a_full_disk_is_told_with_the_file(data_dir, tmp_path, name):
    (tmp_path / name).symlink_to("/dev/full")
    if name == "metrics.json":  # which would pass for an earlier run
        with (
            pytest.raises(OSError, match=r"metrics\.json"),
            imported().named(tmp_path / name) as path,
        ):
            path.write_text("{}")
        return
    done = run("--data-dir", data_dir, "--hidden", 8, "--epochs", 1, "--out", tmp_path)
    assert name in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "vae.npz").is_file()


def test_without_a_network_two_lines_say_what_happens(monkeypatch, capsys):
    def fail(folder):
        raise ConnectionError("gaierror " * 40)

    example = imported()
    monkeypatch.setattr(npvae.datasets, "load_mnist", fail)
    drawn = npvae.datasets.glyph_digits
    monkeypatch.setattr(npvae.datasets, "glyph_digits", lambda n, *, rng: drawn(5, rng=rng))
    args = SimpleNamespace(data="auto", data_dir=None)
    assert example.load_grey(args, np.random.default_rng(0))[3] == "glyph digits"
    told = capsys.readouterr()
    assert "MNIST could not be downloaded" in told.out
    assert "gaierror" not in told.out + told.err
    assert max(map(len, told.out.splitlines())) <= 80


def test_the_rate_is_what_was_asked_for():
    args = SimpleNamespace(lr=2.0, batch_size=10, epochs=4, schedule="linear", lr_warm_up=0.5)
    linear = npvae.schedules.Linear(2.0, steps=20, warm_up=2)  # 41 rows make 5 steps an epoch
    assert imported().learning_rate(args, 41) == linear
    args.schedule = "cosine"
    assert imported().learning_rate(args, 41) == npvae.schedules.Cosine(2.0, 20, 2)
    args.schedule = "constant"
    assert imported().learning_rate(args, 41) == npvae.schedules.WarmUp(2.0, 2)
    args.lr_warm_up = 0.0
    assert imported().learning_rate(args, 41) is None


def test_only_the_last_weights_are_scaled():
    example, x = imported(), np.full((2, 784), 0.5, np.float32)
    args = SimpleNamespace(hidden=[3], latent=2, likelihood="bernoulli", activation="tanh")
    plain, scaled = (
        example.make_vae(
            SimpleNamespace(**vars(args), output_scale=scale), x, np.random.default_rng(0)
        ).params.arrays()
        for scale in (1.0, 0.25)
    )
    for name, w in plain.items():
        factor = 0.25 if name == "decoder/1/W" else 1.0
        np.testing.assert_array_equal(scaled[name], factor * w)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_where_one_waits_a_clock_ticks(monkeypatch):
    example, screen = imported(), Terminal()
    monkeypatch.setattr(example, "TICK", 0.01)
    monkeypatch.setattr(example, "tqdm", functools.partial(example.tqdm, file=screen, ncols=79))
    with example.waiting("drawing"):
        time.sleep(0.3)
    lines = screen.getvalue().split("\r")
    assert sum("drawing … 00:00" in line for line in lines) > 3
    assert not lines[-1].strip()  # gone at the end


def imported():
    """The example as a module of its own."""
    spec = importlib.util.spec_from_file_location("example", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


NLL = SCRIPT.with_name("log_likelihood.py")


@pytest.mark.parametrize("samples", [1, 3])
def test_the_experiment_of_burda_et_al(data_dir, tmp_path, samples):
    few = ["--data-dir", data_dir, "--test-images", 20, "--draws", 300, "--out", tmp_path]
    done = run(*few, "--stages", 2, "--samples", samples, script=NLL)
    assert done.returncode == 0, done.stderr
    header, first, second = done.stdout.splitlines()
    assert header.split()[:2] == ["stage", "epochs"]
    assert [line.split()[:2] for line in (first, second)] == [["0", "1"], ["1", "4"]]
    assert float(second.split()[5]) < float(first.split()[5])  # the NLL falls
    assert max(map(len, done.stdout.splitlines())) <= 80
    model = tmp_path / f"samples-{samples}-stage-1.npz"
    judged = run(*few, "--judge", model, script=NLL).stdout.splitlines()[1]
    assert abs(float(judged.split()[0]) - float(second.split()[5])) < 3


@pytest.mark.parametrize("samples", [1, 3])
def test_the_experiment_in_one_go(data_dir, tmp_path, samples):
    few = ["--data-dir", data_dir, "--test-images", 20, "--draws", 300, "--out", tmp_path]
    nlls = []
    for epochs in (1, 5):
        done = run(*few, "--epochs", epochs, "--samples", samples, script=NLL)
        assert done.returncode == 0, done.stderr
        _, line = done.stdout.splitlines()
        assert line.split()[:2] == ["only", str(epochs)]
        assert len(line) <= 80
        nlls.append(float(line.split()[5]))
    assert nlls[1] < nlls[0]
    assert npvae.VAE.load(tmp_path / f"samples-{samples}-stage-only.npz").latent_dim == 50


def test_the_experiment_needs_draws(data_dir, tmp_path):
    done = run("--data-dir", data_dir, "--samples", 0, "--out", tmp_path, script=NLL)
    assert done.stderr.endswith("error: samples is 0; expected an integer >= 1\n")
    assert "Traceback" not in done.stderr
    done = run("--draws", 0, script=NLL)
    assert "--draws is 0; expected a number >= 1" in done.stderr
    assert "--epochs is 0; expected a number >= 1" in run("--epochs", 0, script=NLL).stderr
    done = run("--data-dir", data_dir, "--judge", tmp_path / "none.npz", script=NLL)
    assert done.stderr.startswith("error: there is no file")
    assert done.stdout == ""


def test_the_estimators_are_drawn(tmp_path):
    out = tmp_path / "new" / "estimators.png"
    script = SCRIPT.with_name("estimators.py")
    done = run("--repetitions", 2, "--out", out, script=script)
    assert done.returncode == 0, done.stderr
    assert out.read_bytes().startswith(PNG)
    assert done.stdout.count("encoder  noise") == 6
    assert done.stdout.count("decoder  noise") == 5  # the score function has none
    done = run("--out", tmp_path, script=script)
    assert "expected a file that ends in .png, .pdf or .svg" in done.stderr
    done = run("--repetitions", 1, script=script)
    assert "--repetitions is 1; a spread needs at least 2" in done.stderr
