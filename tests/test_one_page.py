"""The whole on one page computes what the library computes."""

import importlib.util
import re

import numpy as np
import pytest

import npvae
from equations import ROOT
from npvae.dense import Layer


@pytest.fixture(scope="module")
def page():
    spec = importlib.util.spec_from_file_location("one_page", ROOT / "examples/one_page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def setting(page):
    """Its parameters, moved off their start, the library's model of them, data and noise."""
    rng = np.random.default_rng(1)
    params = [w + 0.1 * rng.standard_normal(w.shape) for w in page.new_params(rng)]
    layers = [Layer(W, b) for W, b in zip(params[::2], params[1::2], strict=True)]
    vae = npvae.VAE(npvae.Params(layers[:2], layers[2:], {}), npvae.Bernoulli(), "tanh")
    return params, vae, page.draw_discs(7, rng), rng.standard_normal((7, page.Z))


def test_its_bound_is_the_librarys(page, setting):
    params, vae, x, noise = setting
    bound, _ = page.forward(params, x, noise)
    np.testing.assert_allclose(bound, npvae.elbo(vae, x, noise[None]).bound, rtol=1e-12)


def test_its_gradients_are_the_librarys(page, setting):
    params, vae, x, noise = setting
    _, trace = page.forward(params, x, noise)
    grads = page.backward(params, x, noise, trace)
    dbound = np.full(len(x), -1 / len(x))
    right = npvae.elbo_backward(dbound, vae, x, noise[None], npvae.elbo(vae, x, noise[None]))
    for (name, dw), mine in zip(right.arrays().items(), grads, strict=True):
        np.testing.assert_allclose(mine, dw, rtol=1e-12, atol=1e-12 * abs(dw).max(), err_msg=name)


def test_its_adam_is_the_librarys(page, setting):
    params, vae, x, noise = setting
    optimizer = npvae.Adam(2e-3)
    m, v = ([np.zeros_like(w) for w in params] for _ in range(2))
    for step in range(1, 4):
        _, trace = page.forward(params, x, noise)
        page.adam(params, page.backward(params, x, noise, trace), m, v, step)
        npvae.training.descend(vae, optimizer, x, noise[None], npvae.ClosedForm())
    for (name, w), mine in zip(vae.params.arrays().items(), params, strict=True):
        np.testing.assert_allclose(mine, w, rtol=0, atol=1e-8, err_msg=name)


def test_it_learns_and_shows_what_it_learned(page, capsys):
    rng = np.random.default_rng(0)
    params = page.train(page.draw_discs(2000, rng), rng, epochs=4)
    page.show(page.decode(params, rng.standard_normal((4, page.Z))))
    bounds = [float(number) for number in re.findall(r"bound *(\S+) nats", capsys.readouterr().out)]
    assert len(bounds) == 4
    assert bounds == sorted(bounds)
    assert bounds[-1] > bounds[0] + 30


def test_it_fits_a_page():
    text = (ROOT / "examples/one_page.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    assert "import npvae" not in text
