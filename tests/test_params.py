"""The parameters are layers and rows at once, and stay so."""

import copy
import pickle

import numpy as np
import pytest

import npvae
from models import make_batch, make_vae

COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda vae: pickle.loads(pickle.dumps(vae)),
    "astype": lambda vae: vae.astype(vae.dtype),
}


def vae_that_learns_a_width():
    return make_vae(npvae.LearnedGaussian(), hidden=(3, 4))


def assert_layers_are_the_rows(params):
    """Each number stands in one array and in one row, and what changes there changes here."""
    arrays = params.arrays()
    weights, others = params.rows
    assert weights.shape == (1, sum(a.size for a in arrays.values() if a.ndim == 2))
    assert others.shape == (sum(a.size for a in arrays.values() if a.ndim == 1),)
    before = {name: a.copy() for name, a in arrays.items()}
    for row in params.rows:
        row *= 2
    for name, a in arrays.items():
        np.testing.assert_array_equal(a, 2 * before[name])
        a /= 2
    for row, ndim in zip(params.rows, (2, 1), strict=True):
        in_order = [a.reshape(-1) for a in before.values() if a.ndim == ndim]
        np.testing.assert_array_equal(row.reshape(-1), np.concatenate(in_order))


def test_layers_are_the_rows():
    params = vae_that_learns_a_width().params
    assert list(params.likelihood) == ["logvar"]
    assert_layers_are_the_rows(params)
    assert_layers_are_the_rows(params.astype(np.float32))
    grads = params.empty_like()
    grads.rows[0][...], grads.rows[1][...] = 2, 3
    assert_layers_are_the_rows(grads)


def test_shapes_are_those_of_the_matrices_in_the_first_row():
    params = vae_that_learns_a_width().params
    layers = (*params.encoder, *params.decoder)
    assert params.shapes == (tuple(layer.W.shape for layer in layers), None)


def test_params_hold_copies_of_what_they_are_made_from():
    given = vae_that_learns_a_width().params
    params = npvae.Params(list(given.encoder), given.decoder, {"logvar": np.ones(1)})
    assert_layers_are_the_rows(params)
    for a in (*given.arrays().values(), *given.rows):
        assert not any(np.shares_memory(a, b) for b in params.rows)
    np.testing.assert_array_equal(params.rows[0], given.rows[0])


@pytest.mark.parametrize("how", COPIES)
def test_a_copied_model_learns_by_itself(how):
    """Layers that had lost their rows would never change, without a word."""
    vae = vae_that_learns_a_width()
    x, noise = make_batch(vae, B=6)
    before = npvae.elbo(vae, x, noise).bound
    other = COPIES[how](vae)
    if how != "copy":  # which is another name of the same parameters
        assert_layers_are_the_rows(other.params)
        assert not any(map(np.shares_memory, vae.params.rows, other.params.rows))
    npvae.training.descend(other, npvae.SGD(0.1), x, noise, npvae.ClosedForm())
    assert npvae.elbo(other, x, noise).bound.mean() > before.mean()
    if how != "copy":
        np.testing.assert_array_equal(npvae.elbo(vae, x, noise).bound, before)


@pytest.mark.parametrize("how", ["deepcopy", "pickle"])
def test_a_model_and_its_optimizer_stay_a_pair(how):
    """The optimizer's moments belong to the rows: a copy that lost them could not go on."""
    x, noise = make_batch(vae_that_learns_a_width(), B=6)
    pair = vae_that_learns_a_width(), npvae.Adam(0.1)
    npvae.training.descend(*pair, x, noise, npvae.ClosedForm())
    copied = COPIES[how](pair)
    for vae, optimizer in (pair, copied):
        for _ in range(3):
            npvae.training.descend(vae, optimizer, x, noise, npvae.ClosedForm())
    for row, same in zip(pair[0].params.rows, copied[0].params.rows, strict=True):
        np.testing.assert_array_equal(row, same)
        assert not np.shares_memory(row, same)
    assert_layers_are_the_rows(copied[0].params)


def test_an_array_is_written_to_and_not_exchanged():
    params = vae_that_learns_a_width().params
    with pytest.raises(TypeError, match="does not support item assignment"):
        params.likelihood["logvar"] = np.zeros(1)


def test_gradients_are_written_where_they_are_asked_to():
    vae = vae_that_learns_a_width()
    x, noise = make_batch(vae, B=6)
    trace, dbound = npvae.elbo(vae, x, noise), np.ones(6)
    grads, out = npvae.elbo_backward(dbound, vae, x, noise, trace), vae.params.empty_like()
    for row in out.rows:
        row[...] = np.nan
    assert npvae.elbo_backward(dbound, vae, x, noise, trace, out=out) is out
    assert all(map(np.array_equal, grads.rows, out.rows))
