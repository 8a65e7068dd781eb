"""examples/to_pytorch.py: its functions on every kind of model, the script as users run it."""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

import npvae
from equations import ROOT
from npvae.likelihoods import LIKELIHOODS
from npvae.storage import exchange

SCRIPT = ROOT / "examples" / "to_pytorch.py"
COLUMNS = npvae.ColumnGaussian()
OPTIONS = {
    "Gaussian": {"sigma": 0.3},
    "Categorical": {"levels": 4},
    "Standardized": {"likelihood": COLUMNS, "shift": (0, 1, 2, 3), "scale": (1, 2, 3, 4)},
    "Product": {"parts": [([2, 0], COLUMNS), ([3, 1], npvae.Poisson())]},
    "Holes": {"likelihood": npvae.Poisson()},
}


def make_vae(likelihood="LearnedGaussian", activation="tanh", dtype=np.float32, latent_dim=3):
    """A small model whose every parameter is drawn."""
    rng = np.random.default_rng(0)
    vae = npvae.VAE.init(
        4,
        hidden=(6, 5),
        decoder_hidden=(),
        latent_dim=latent_dim,
        likelihood=LIKELIHOODS[likelihood](**OPTIONS.get(likelihood, {})),
        activation=activation,
        dtype=dtype,
        rng=rng,
    )
    for array in vae.params.arrays().values():
        array[...] = rng.normal(0, 0.7, array.shape)
    return vae


def assert_same(ours, theirs):
    assert (ours.likelihood, ours.activation) == (theirs.likelihood, theirs.activation)
    ours, theirs = ours.params.arrays(), theirs.params.arrays()
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        assert array.dtype == theirs[name].dtype, name
        np.testing.assert_array_equal(array, theirs[name], err_msg=name, strict=True)


def run(*arguments, **environment):
    command = [sys.executable, "-W", "error", SCRIPT, *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, env=os.environ | environment
    )


@pytest.fixture(scope="module")
def script():
    pytest.importorskip("torch")
    spec = importlib.util.spec_from_file_location("to_pytorch", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "vae.npz"
    make_vae().save(path)
    return path


PAIRS = [(name, "tanh") for name in LIKELIHOODS]
PAIRS += [("LearnedGaussian", name) for name in npvae.ACTIVATIONS if name != "tanh"]
MODELS = [(*pair, dtype) for pair in PAIRS for dtype in (np.float32, np.float64)]


@pytest.mark.parametrize(("likelihood", "activation", "dtype"), MODELS)
def test_weights_go_over_and_come_back(script, likelihood, activation, dtype, capsys):
    vae = make_vae(likelihood, activation, dtype)
    module = script.VAE(vae)
    script.compare(vae, module, np.random.default_rng(1))
    choices = {"likelihood": vae.likelihood, "activation": activation}
    assert_same(vae, exchange.from_state_dict(module.state_dict(), **choices))
    numbers = sum(array.size for array in vae.params.arrays().values())
    assert sum(parameter.numel() for parameter in module.parameters()) == numbers


@pytest.mark.parametrize("activation", npvae.ACTIVATIONS)
def test_activations_agree_far_from_zero(script, activation):
    a = np.linspace(-50, 50, 1001)
    theirs = script.ACTIVATIONS[activation]()(script.torch.tensor(a)).numpy()
    np.testing.assert_allclose(npvae.ACTIVATIONS[activation].forward(a), theirs, rtol=1e-14)


def test_another_weight_is_noticed(script, capsys):
    vae = make_vae()
    module = script.VAE(vae)
    for wrong in (1e-2, np.nan):
        with script.torch.no_grad():
            module.decoder[0].bias[0] += wrong
        with pytest.raises(ValueError, match="decoder_output of the module differs"):
            script.compare(vae, module, np.random.default_rng(1))


def test_training_the_module_leaves_both_models_alone(script):
    vae, kept = make_vae(), make_vae()
    module = script.VAE(vae)
    choices = {"likelihood": vae.likelihood, "activation": vae.activation}
    back = exchange.from_state_dict(module.state_dict(), **choices)
    with script.torch.no_grad():
        for parameter in module.parameters():
            parameter += 1
    assert_same(vae, kept)
    assert_same(back, kept)


def test_the_script_goes_over_and_brings_trained_weights_back(script, saved):
    torch, folder = script.torch, saved.parent
    done = run(saved)
    assert done.returncode == 0, done.stderr
    assert "in float32, which rounds to a relative 1.2e-07" in done.stdout
    assert done.stdout.count("largest difference") == 3
    assert done.stdout.endswith(f"wrote {folder / 'vae.pt'}\n")

    trained = torch.load(folder / "vae.pt", weights_only=True)
    trained["encoder.0.weight"][1, 2] = 0.5  # from input 2 to unit 1
    trained["likelihood.logvar"][0] = -3
    torch.save(trained, folder / "trained.pt")
    done = run(saved, "--back", folder / "trained.pt", folder / "trained.npz")
    assert done.returncode == 0, done.stderr
    expected = make_vae()
    expected.params.encoder[0].W[2, 1] = 0.5
    expected.params.likelihood["logvar"][0] = -3
    assert_same(npvae.VAE.load(folder / "trained.npz"), expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.npz"], "error: there is no file absent.npz"),
        (["damaged.pt"], "error: damaged.pt is truncated or not an npz file"),
        (["vae.npz", "--out", "absent/vae.pt"], "cannot save to absent/vae.pt: there is no folder"),
        (["vae.npz", "--out", "vae.npz"], "vae.npz ends in '.npz'; expected one of .pt, .pth"),
        (["counts.npz"], "the encoder of Poisson() reads other numbers than x"),
        (["vae.npz", "--back", "absent.pt", "new.npz"], "there is no file absent.pt"),
        (["vae.npz", "--back", "damaged.pt", "new.npz"], "damaged.pt holds no state dict ("),
        (["vae.npz", "--back", "other.pt", "new.npz"], "other.pt holds the weights of VAE(4-6-5-2"),
    ],
)
def test_bad_arguments_end_in_one_line(script, saved, monkeypatch, arguments, message):
    monkeypatch.chdir(saved.parent)
    saved.with_name("damaged.pt").write_bytes(saved.read_bytes()[:100])
    make_vae("Poisson").save("counts.npz")
    other = script.VAE(make_vae(latent_dim=2))
    script.torch.save(other.state_dict(), "other.pt")
    done = run(*arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert "wrote" not in done.stdout
    assert not saved.with_name("new.npz").exists()


def test_without_pytorch_one_line_says_so(saved):
    saved.with_name("torch.py").write_text("raise ModuleNotFoundError('No module named torch')")
    done = run(saved, PYTHONPATH=os.pathsep.join([str(saved.parent), str(ROOT)]))
    assert done.returncode == 1
    assert done.stderr == (
        "error: this example needs PyTorch, pip install torch (No module named torch)\n"
    )
