"""The closed-form KL against integrals, samples, 50-digit arithmetic and differences."""

from decimal import Decimal, localcontext

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import stats
from scipy.integrate import quad

from npvae import check_gradient
from npvae.kl import gaussian_kl, gaussian_kl_backward, gaussian_kl_per_dim
from npvae.reparameterization import reparameterize

DTYPES = [np.float32, np.float64]
TINY = [s * m for m in (1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3) for s in (1, -1)]


def floats(largest):
    return st.floats(-largest, largest, width=32) | st.sampled_from([0.0, *TINY]).map(
        lambda value: float(np.float32(value))
    )


@st.composite
def encodings(draw, largest_mu=1e4, largest_logvar=60.0):
    """mu and logvar of one shape (B, Z) and one dtype."""
    dtype = draw(st.sampled_from(DTYPES))
    shape = draw(array_shapes(min_dims=2, max_dims=2, max_side=5))
    return (
        draw(arrays(dtype, shape, elements=floats(largest_mu))),
        draw(arrays(dtype, shape, elements=floats(largest_logvar))),
    )


def random_encoding(shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(0, 1.5, shape), rng.uniform(-2.5, 1.5, shape)


@pytest.mark.equation("kl.1")
@pytest.mark.parametrize("mu", [-3.0, 0.0, 0.4])
@pytest.mark.parametrize("logvar", [-6.0, -1.0, 0.0, 0.5, 2.0])
def test_kl_of_one_dimension_is_the_integral_of_q_log_q_over_p(mu, logvar):
    sigma = np.sqrt(np.exp(logvar))
    q, p = stats.norm(mu, sigma), stats.norm(0, 1)
    integral, _ = quad(
        lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)),
        *(mu - 12 * sigma, mu + 12 * sigma),
        epsabs=1e-12,
        epsrel=1e-12,
    )
    kl = gaussian_kl_per_dim(np.array([[mu]]), np.array([[logvar]]))
    np.testing.assert_allclose(kl, [[integral]], rtol=1e-10, atol=1e-12)


@pytest.mark.equation("kl.2")
@given(encodings())
def test_kl_is_never_negative(encoding):
    assert (gaussian_kl_per_dim(*encoding) >= 0).all()
    assert (gaussian_kl(*encoding) >= 0).all()


@pytest.mark.equation("kl.2")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sign", [1, -1])
def test_rounding_takes_no_kl_below_zero(dtype, sign):
    rng = np.random.default_rng(0)
    logvar = (sign * np.exp(rng.uniform(np.log(1e-18), np.log(60), (1_000_000, 1)))).astype(dtype)
    assert (gaussian_kl(np.zeros_like(logvar), logvar) >= 0).all()


@pytest.mark.equation("kl.2")
@pytest.mark.parametrize("dtype", DTYPES)
def test_kl_is_zero_at_the_prior_and_nowhere_else(dtype):
    zeros = np.zeros((3, 4), dtype)
    assert (gaussian_kl_per_dim(zeros, zeros) == 0).all()
    assert (gaussian_kl(zeros, zeros) == 0).all()
    for away in (1e-3, -1e-3, 1, -1, 60, -60):
        assert (gaussian_kl_per_dim(zeros + dtype(away), zeros) > 0).all()
        assert (gaussian_kl_per_dim(zeros, zeros + dtype(away)) > 0).all()


@pytest.mark.equation("kl.3")
@pytest.mark.parametrize("Z", [1, 2, 7])
def test_kl_is_the_divergence_of_multivariate_normals(Z):
    """½ (tr Σ + μᵀμ − Z − log det Σ), for any covariance Σ: here a diagonal one."""
    mu, logvar = random_encoding((6, Z))
    covariances = [np.diag(np.exp(row)) for row in logvar]
    expected = [
        (np.trace(S) + m @ m - Z - np.linalg.slogdet(S).logabsdet) / 2
        for m, S in zip(mu, covariances, strict=True)
    ]
    np.testing.assert_allclose(gaussian_kl(mu, logvar), expected, rtol=1e-12)


@pytest.mark.equation("kl.3")
def test_kl_is_the_mean_of_log_q_minus_log_p_under_the_models_own_draws():
    """The test that a sampler with σ = e^logvar fails: 4 standard errors are allowed."""
    mu, logvar = random_encoding((8, 3))
    noise = np.random.default_rng(1).standard_normal((40_000, 8, 3))
    z = reparameterize(mu, logvar, noise)
    log_qz_x = stats.norm.logpdf(z, mu, np.sqrt(np.exp(logvar))).sum(axis=-1)
    log_pz = stats.norm.logpdf(z).sum(axis=-1)
    log_ratio = log_qz_x - log_pz
    standard_error = log_ratio.std(axis=0) / np.sqrt(len(noise))
    assert (np.abs(log_ratio.mean(axis=0) - gaussian_kl(mu, logvar)) < 4 * standard_error).all()


@given(encodings(largest_mu=10.0, largest_logvar=10.0), st.data())
def test_kl_adds_over_dimensions(encoding, data):
    mu, logvar = encoding
    cut = data.draw(st.integers(0, mu.shape[1]))
    parts = gaussian_kl(mu[:, :cut], logvar[:, :cut]) + gaussian_kl(mu[:, cut:], logvar[:, cut:])
    whole = gaussian_kl(mu, logvar)
    np.testing.assert_allclose(parts, whole, rtol=8 * np.finfo(mu.dtype).eps)


@pytest.mark.parametrize("logvar", [*TINY, 1e-2, -1e-2, 0.5, -0.5, 10, -10, 60, -60])
@pytest.mark.parametrize("dtype", DTYPES)
def test_width_part_of_the_kl_is_right_to_two_units_in_the_last_place_of_logvar(logvar, dtype):
    logvar = np.full((1, 1), logvar, dtype)
    with localcontext() as context:
        context.prec = 50
        a = Decimal(float(logvar[0, 0]))
        exact = float((a.exp() - 1 - a) / 2)
    kl = float(gaussian_kl(np.zeros_like(logvar), logvar)[0])
    assert abs(kl - exact) <= 2 * np.finfo(dtype).eps * max(abs(float(logvar[0, 0])), exact)


@pytest.mark.equation("kl.4", "kl.5")
@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_backward_equals_central_differences(B, Z, seed):
    encoding = random_encoding((B, Z), seed)
    rng = np.random.default_rng(seed)
    errors = check_gradient(gaussian_kl, gaussian_kl_backward, encoding, rng=rng)
    assert len(errors) == 2


@pytest.mark.equation("kl.5")
@pytest.mark.parametrize("logvar", [*TINY, 0.5, -0.5, 60, -60])
def test_gradient_keeps_every_digit_near_the_prior_in_float32(logvar):
    logvar = np.full((1, 1), logvar, np.float32)
    _, dlogvar = gaussian_kl_backward(np.ones(1, np.float32), logvar, logvar)
    with localcontext() as context:
        context.prec = 50
        exact = float((Decimal(float(logvar[0, 0])).exp() - 1) / 2)
    np.testing.assert_allclose(dlogvar, [[exact]], rtol=4e-7)


@pytest.mark.parametrize("logvar", [60, -60])
@pytest.mark.parametrize("dtype", DTYPES)
def test_kl_and_its_gradient_are_finite_at_logvar_60(logvar, dtype):
    mu, logvar = np.full((2, 3), 100, dtype), np.full((2, 3), logvar, dtype)
    results = gaussian_kl(mu, logvar), *gaussian_kl_backward(np.ones(2, dtype), mu, logvar)
    assert all(np.isfinite(array).all() for array in results)


@given(encodings())
def test_dtype_in_is_dtype_out(encoding):
    mu, logvar = encoding
    dkl = np.ones(len(mu), mu.dtype)
    results = (
        gaussian_kl_per_dim(mu, logvar),
        gaussian_kl(mu, logvar),
        *gaussian_kl_backward(dkl, mu, logvar),
    )
    assert {array.dtype for array in results} == {mu.dtype}


def test_permuting_rows_permutes_results():
    mu, logvar = random_encoding((11, 5))
    dkl = np.random.default_rng(1).standard_normal(11)
    order = np.random.default_rng(2).permutation(11)
    permuted = gaussian_kl(mu[order], logvar[order])
    np.testing.assert_array_equal(permuted, gaussian_kl(mu, logvar)[order])
    before = gaussian_kl_backward(dkl, mu, logvar)
    after = gaussian_kl_backward(dkl[order], mu[order], logvar[order])
    np.testing.assert_array_equal(after, [gradient[order] for gradient in before])
