"""examples/mnist_mlp_vae.py as a user runs it."""

import os
import subprocess
import sys

import pytest

import npvae
from equations import ROOT

PNG = b"\x89PNG\r\n\x1a\n"


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, ROOT / "examples" / "mnist_mlp_vae.py", *map(str, arguments)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_it_trains_judges_draws_and_saves(tmp_path):
    out = tmp_path / "new" / "out"
    sizes = ["--train-size", 300, "--hidden", 16, 12, "--latent", 2, "--epochs", 2]
    done = run("--data", "glyphs", *sizes, "--warmup", 2, "--out", out)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "glyph digits: 300 training images, 50 test images" in done.stdout
    assert "VAE 784-16-12-2, tanh, bernoulli; targets: dynamic" in done.stdout
    assert "\nepoch   2  elbo" in done.stdout
    assert "\ntest elbo" in done.stdout
    assert max(len(line.removesuffix(f"{out}/")) for line in done.stdout.splitlines()) <= 80
    pictures = {path.name for path in out.glob("*.png")}
    assert pictures == {
        "training_curves.png",
        "reconstructions.png",
        "prior_samples.png",
        "traversals.png",
        "kl_per_dimension.png",
        "latent_scatter.png",
        "manifold.png",
    }
    assert all((out / name).read_bytes().startswith(PNG) for name in pictures)
    assert npvae.VAE.load(out / "vae.npz").latent_dim == 2


def test_every_choice_reaches_the_model(tmp_path):
    sizes = ["--train-size", 100, "--hidden", 8, "--latent", 1, "--epochs", 1, "--batch-size", 30]
    choices = ["--likelihood", "gaussian", "--sigma", 0.25, "--activation", "softplus"]
    rule = ["--optimizer", "adagrad", "--learning-rate", 0.02, "--samples", 2, "--beta", 0.5]
    done = run("--data", "glyphs", *sizes, *choices, *rule, "--seed", 3, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "targets: none" in done.stdout
    vae = npvae.VAE.load(tmp_path / "vae.npz")
    assert vae.likelihood == npvae.Gaussian(0.25)
    assert vae.activation == "softplus"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "--epochs: '0' is not an integer >= 1"),
        (["--batch-size", "x"], "--batch-size: 'x' is not an integer >= 1"),
        (["--beta", "nan"], "--beta: 'nan' is not a number >= 0"),
        (["--data", "mnist", "--data-dir", "absent"], "absent"),
    ],
)
def test_bad_arguments_end_in_one_line(tmp_path, arguments, message):
    done = run(*arguments, "--out", tmp_path)
    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr
