"""The sampler against loops, moments and integrals; its backward against differences too."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from npvae import check_gradient
from npvae.reparameterization import reparameterize, reparameterize_backward

DTYPES = [np.float32, np.float64]


def random_arguments(shape, dtype=np.float64, seed=0):
    """mu (B, Z), logvar (B, Z), noise (L, B, Z) for shape = (L, B, Z)."""
    rng = np.random.default_rng(seed)
    mu, logvar = rng.normal(0, 2, shape[1:]), rng.uniform(-3, 2, shape[1:])
    return tuple(array.astype(dtype) for array in (mu, logvar, rng.standard_normal(shape)))


def backward(dz, mu, logvar, noise):
    """In the form that check_gradient takes: noise is given, not learned."""
    return *reparameterize_backward(dz, logvar, noise), None


shapes = st.tuples(*[st.integers(1, 4)] * 3)


@pytest.mark.equation("reparameterization.1")
@given(shapes, st.integers(0, 2**32 - 1))
def test_z_is_mu_plus_the_root_of_the_variance_times_noise(shape, seed):
    mu, logvar, noise = random_arguments(shape, seed=seed)
    z = reparameterize(mu, logvar, noise)
    assert z.shape == shape
    for index in np.ndindex(shape):
        row = index[1:]
        expected = mu[row] + math.sqrt(math.exp(logvar[row])) * noise[index]
        assert z[index] == pytest.approx(expected, rel=1e-14, abs=1e-14)


@pytest.mark.equation("reparameterization.2")
def test_draws_have_mean_mu_and_variance_e_to_the_logvar():
    """4 standard errors: σ/√L for a mean, σ² √(2/(L − 1)) for a variance."""
    L = 50_000
    mu, logvar, noise = random_arguments((L, 4, 3))
    z = reparameterize(mu, logvar, noise)
    variance = np.exp(logvar)
    assert (np.abs(z.mean(axis=0) - mu) < 4 * np.sqrt(variance / L)).all()
    error = np.abs(z.var(axis=0, ddof=1) - variance)
    assert (error < 4 * variance * np.sqrt(2 / (L - 1))).all()


@pytest.mark.equation("reparameterization.3", "reparameterization.4")
@given(shapes, st.integers(0, 2**32 - 1))
def test_backward_equals_central_differences(shape, seed):
    arguments = random_arguments(shape, seed=seed)
    rng = np.random.default_rng(seed)
    errors = check_gradient(reparameterize, backward, arguments, rng=rng)
    assert len(errors) == 2


@pytest.mark.equation("reparameterization.3", "reparameterization.4")
def test_samples_of_one_row_add_their_gradients():
    _, logvar, noise = random_arguments((5, 3, 2))
    dz = np.random.default_rng(1).standard_normal(noise.shape)
    each = [reparameterize_backward(dz[[i]], logvar, noise[[i]]) for i in range(5)]
    together = reparameterize_backward(dz, logvar, noise)
    np.testing.assert_allclose(together, np.sum(each, axis=0), rtol=1e-13)


@pytest.mark.equation("reparameterization.5")
@pytest.mark.parametrize("mu", [-1.0, 0.3])
@pytest.mark.parametrize("logvar", [-1.5, 0.4])
def test_backward_is_on_average_the_gradient_of_an_expectation(mu, logvar):
    """E[cos z] = e^(−σ²/2) cos μ has its derivatives on paper; 4 standard errors allowed."""
    n = 200_000
    mus, logvars = np.full((n, 1), mu), np.full((n, 1), logvar)
    noise = np.random.default_rng(0).standard_normal((1, n, 1))
    z = reparameterize(mus, logvars, noise)
    dmu, dlogvar = reparameterize_backward(-np.sin(z), logvars, noise)
    variance = math.exp(logvar)
    shrink = math.exp(-variance / 2)
    for draws, exact in (
        (dmu, -shrink * math.sin(mu)),
        (dlogvar, -variance / 2 * shrink * math.cos(mu)),
    ):
        assert abs(draws.mean() - exact) < 4 * draws.std() / math.sqrt(n)


@pytest.mark.parametrize("logvar", [60, -60])
def test_finite_at_logvar_60_in_float32(logvar):
    _, logvars, noise = random_arguments((3, 4, 2), np.float32)
    logvars[:] = logvar
    z = reparameterize(np.ones_like(logvars), logvars, noise)
    results = z, *reparameterize_backward(np.ones_like(z), logvars, noise)
    assert all(np.isfinite(array).all() for array in results)


def test_gradient_survives_where_noise_is_rounded_away_from_z():
    mu, logvar = np.full((1, 1), 4, np.float32), np.full((1, 1), -40, np.float32)
    noise = np.ones((1, 1, 1), np.float32)
    z = reparameterize(mu, logvar, noise)
    _, dlogvar = reparameterize_backward(np.ones_like(z), logvar, noise)
    assert z == mu
    np.testing.assert_allclose(dlogvar, math.exp(-20) / 2, rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtype_in_is_dtype_out(dtype):
    mu, logvar, noise = random_arguments((3, 4, 2), dtype)
    z = reparameterize(mu, logvar, noise)
    results = z, *reparameterize_backward(z, logvar, noise)
    assert {array.dtype for array in results} == {np.dtype(dtype)}


def test_permuting_rows_permutes_results():
    mu, logvar, noise = random_arguments((3, 11, 5))
    dz = np.random.default_rng(1).standard_normal(noise.shape)
    order = np.random.default_rng(2).permutation(11)
    z = reparameterize(mu, logvar, noise)
    permuted = reparameterize(mu[order], logvar[order], noise[:, order])
    np.testing.assert_array_equal(permuted, z[:, order])
    before = reparameterize_backward(dz, logvar, noise)
    after = reparameterize_backward(dz[:, order], logvar[order], noise[:, order])
    np.testing.assert_array_equal(after, [gradient[order] for gradient in before])
