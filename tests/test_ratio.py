"""log q(z|x) − log p(z), along z = mu + σ·noise and beside it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.polynomial.hermite_e import hermegauss
from scipy.stats import norm

import npvae
from npvae.ratio import log_ratio, log_ratio_backward, log_ratio_backward_path
from npvae.reparameterization import reparameterize, reparameterize_backward

SIZES = st.fixed_dictionaries({size: st.integers(1, 4) for size in "BZL"})


@pytest.mark.equation("ratio.1")
@given(SIZES, st.integers(0, 99))
def test_log_ratio_is_the_difference_of_two_normal_densities(sizes, seed):
    rng = np.random.default_rng(seed)
    mu, logvar = rng.normal(0, 2, (2, sizes["B"], sizes["Z"]))
    noise = rng.standard_normal((sizes["L"], *mu.shape))
    z = reparameterize(mu, logvar, noise)
    expected = (norm.logpdf(z, mu, np.exp(logvar / 2)) - norm.logpdf(z)).sum(axis=-1)
    np.testing.assert_allclose(log_ratio(z, logvar, noise), expected, rtol=1e-9, atol=1e-9)


def test_log_ratio_keeps_its_digits_where_z_minus_mu_has_none():
    mu, logvar = np.full((1, 1), 3e4, np.float32), np.full((1, 1), -30.0, np.float32)
    noise = np.array([[[1.5]], [[-0.5]]], np.float32)
    ratio = log_ratio(reparameterize(mu, logvar, noise), logvar, noise)
    np.testing.assert_allclose(ratio[1] - ratio[0], 1.0, atol=64)  # an ulp of ½·9e8
    small = log_ratio(reparameterize(0 * mu, logvar, noise), logvar, noise)
    np.testing.assert_allclose(small[1] - small[0], 1.0, rtol=1e-5)


@pytest.mark.equation("ratio.2")
def test_log_ratio_backward_is_its_derivative_along_the_draw():
    rng = np.random.default_rng(0)
    mu, logvar, noise = rng.normal(size=(5, 3)), rng.normal(size=(5, 3)), rng.normal(size=(2, 5, 3))

    def forward(mu, logvar):
        return log_ratio(reparameterize(mu, logvar, noise), logvar, noise)

    def backward(dratio, mu, logvar):
        dz, dlogvar = log_ratio_backward(dratio, reparameterize(mu, logvar, noise))
        dmu, dlogvar_z = reparameterize_backward(dz, logvar, noise)
        return dmu, dlogvar_z + dlogvar

    assert max(npvae.check_gradient(forward, backward, (mu, logvar), rng=rng)) < 1e-8


@pytest.mark.equation("ratio.3")
def test_the_path_is_the_derivative_in_z_alone():
    rng = np.random.default_rng(0)
    mu, logvar, noise = rng.normal(size=(5, 3)), rng.normal(size=(5, 3)), rng.normal(size=(2, 5, 3))
    sigma = np.exp(logvar / 2)

    def forward(z):
        return (norm.logpdf(z, mu, sigma) - norm.logpdf(z)).sum(axis=-1)

    def backward(dratio, z):
        return log_ratio_backward_path(dratio, z, logvar, noise)

    z = reparameterize(mu, logvar, noise)
    assert max(npvae.check_gradient(forward, backward, (z,), rng=rng)) < 1e-8


@pytest.mark.equation("ratio.4")
def test_what_the_path_leaves_out_has_mean_zero():
    nodes, weights = hermegauss(30)
    noise, dratio = nodes[:, None, None], (weights / weights.sum())[:, None]
    mu, logvar = np.array([[0.7]]), np.array([[-1.3]])
    z = reparameterize(mu, logvar, noise)
    dz, dlogvar = log_ratio_backward(dratio, z)
    dmu, dlogvar_z = reparameterize_backward(dz, logvar, noise)
    path = log_ratio_backward_path(dratio, z, logvar, noise)
    means = reparameterize_backward(path, logvar, noise)
    np.testing.assert_allclose(means, [dmu, dlogvar_z + dlogvar], rtol=1e-12)
