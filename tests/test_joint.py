"""log p(x, z) and its gradient in z, against plain loops, densities of SciPy and differences."""

import importlib

import numpy as np
import pytest
from scipy.stats import norm

import npvae
from models import LIKELIHOODS, make_batch, make_vae, slow_reconstruction
from npvae.elbo import decode
from npvae.posterior.joint import (
    decoder_likelihood,
    log_joint,
    log_joint_backward,
    log_prior,
    posterior_density,
)

every_likelihood = pytest.mark.parametrize("name", LIKELIHOODS)


def model(name="bernoulli", activation="tanh", dtype=np.float64):
    """A model, x (B, D) and z (L, B, Z)."""
    vae = make_vae(LIKELIHOODS[name], activation, dtype=dtype)
    return vae, *make_batch(vae, B=4, L=3)


def gradient(vae, x, z, dlog_joint):
    hidden, output, _ = decode(vae, x, z)
    return log_joint_backward(dlog_joint, vae, x, z, hidden, output)


@pytest.mark.equation("joint.1")
def test_the_prior_is_a_standard_normal():
    z = np.random.default_rng(0).normal(0, 3, (4, 5, 3))
    np.testing.assert_allclose(log_prior(z), norm.logpdf(z).sum(axis=-1))


@every_likelihood
@pytest.mark.equation("joint.2")
def test_the_joint_is_decoder_times_prior(name):
    vae, x, z = model(name)
    found = log_joint(vae, x, z)
    for row, draws in zip(found, z, strict=True):
        for b in range(len(x)):
            expected = slow_reconstruction(vae, x[b], draws[b]) + norm.logpdf(draws[b]).sum()
            assert row[b] == pytest.approx(expected, rel=1e-9)


@pytest.mark.equation("joint.2")
def test_all_rows_may_share_z():
    vae, x, z = model()
    shared = log_joint(vae, x, z[:, :1])
    np.testing.assert_allclose(shared, log_joint(vae, x, z[:, :1].repeat(len(x), axis=1)))


@every_likelihood
@pytest.mark.equation("joint.3", "dense.9")
def test_the_gradient_in_z_is_that_of_differences(name):
    vae, x, z = model(name)
    npvae.check_gradient(
        lambda z: log_joint(vae, x, z),
        lambda dlog_joint, z: gradient(vae, x, z, dlog_joint),
        [z],
        rng=np.random.default_rng(0),
    )


@every_likelihood
@pytest.mark.equation("joint.3")
@pytest.mark.parametrize("activation", npvae.ACTIVATIONS)
def test_the_gradient_in_z_is_that_of_automatic_differentiation(name, activation):
    torch = pytest.importorskip("torch")
    peer = importlib.import_module("parity.torch_peer")
    vae, x, z = model(name, activation)
    params = {name: torch.tensor(array) for name, array in vae.params.arrays().items()}
    leaf = torch.tensor(z, requires_grad=True)
    output = peer.stack(leaf, params, "decoder", activation)
    log_px_z = peer.distribution(vae.likelihood, output, params).log_prob(torch.tensor(x)).sum(-1)
    (expected,) = torch.autograd.grad(torch.sum(log_px_z - torch.sum(leaf**2, -1) / 2), leaf)
    found = gradient(vae, x, z, np.ones(z.shape[:2]))
    error = np.linalg.norm(found - expected.numpy()) / np.linalg.norm(found)
    assert error < 1e-10


@pytest.mark.equation("joint.3", "joint.4")
@pytest.mark.parametrize("activation", npvae.ACTIVATIONS)
def test_the_density_carries_the_gradient_of_each_chain_and_image(activation):
    vae, x, z = model(activation=activation)
    log_p, found = posterior_density(vae, x)(z)
    np.testing.assert_array_equal(log_p, log_joint(vae, x, z))
    np.testing.assert_array_equal(found, gradient(vae, x, z, np.ones(z.shape[:2])))


@pytest.mark.equation("joint.3")
def test_the_likelihood_and_the_prior_are_the_two_parts():
    vae, x, z = model()
    log_px_z, slope = decoder_likelihood(vae, x)(z)
    log_p, found = posterior_density(vae, x)(z)
    np.testing.assert_allclose(log_p, log_px_z + norm.logpdf(z).sum(axis=-1))
    np.testing.assert_allclose(found, slope - z)


@every_likelihood
def test_float32_stays_float32(name):
    vae, x, z = model(name, dtype=np.float32)
    assert all(array.dtype == np.float32 for array in posterior_density(vae, x)(z))
    assert all(array.dtype == np.float32 for array in decoder_likelihood(vae, x)(z))
