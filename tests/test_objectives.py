"""Objectives: values against plain loops, gradients against differences and exact expectations."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.polynomial.hermite_e import hermegauss
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm

import npvae
from models import (
    LIKELIHOODS,
    make_batch,
    make_vae,
    slow_bound,
    slow_kl_per_dim,
    slow_log_weights,
    slow_posterior,
)
from npvae.objectives import log_weights

every_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS)
SIZES = st.fixed_dictionaries({size: st.integers(1, 4) for size in "DZBL"})


def gradients(vae, x, noise, objective, dbound=None):
    dbound = np.ones(len(x)) if dbound is None else dbound
    trace = npvae.elbo(vae, x, noise, objective)
    return npvae.elbo_backward(dbound, vae, x, noise, trace).arrays()


def expected_gradients(vae, row, objective):
    """E[gradient] over the noise of one row, K draws of z of one dimension, by Gauss–Hermite."""
    nodes, weights = hermegauss(24)
    weights = weights / weights.sum()
    K = objective.samples
    noise = np.array(list(itertools.product(nodes, repeat=K))).T[:, :, None]
    chances = np.prod(list(itertools.product(weights, repeat=K)), axis=1)
    x = np.repeat(row[None], noise.shape[1], axis=0)
    return gradients(vae, x, noise, objective, chances)


def assert_same(grads, expected, rtol):
    for name, dv in expected.items():
        scale = max(np.linalg.norm(dv), 1e-6)
        assert np.linalg.norm(grads[name] - dv) <= rtol * scale, name


# Values


@pytest.mark.equation("objectives.4", "objectives.10")
@every_likelihood
@given(SIZES, st.sampled_from([0.0, 1.0, 4.0]), st.integers(0, 99))
def test_sampled_bound_in_plain_loops(likelihood, sizes, beta, seed):
    vae = make_vae(likelihood, D=sizes["D"], Z=sizes["Z"], seed=seed)
    x, noise = make_batch(vae, B=sizes["B"], L=sizes["L"])
    trace = npvae.elbo(vae, x, noise, npvae.Sampled(beta))
    log_px_z, ratio = slow_log_weights(vae, x, noise)
    np.testing.assert_allclose(trace.bound, (log_px_z - beta * ratio).mean(axis=0), rtol=1e-10)
    np.testing.assert_allclose(log_weights(trace, noise), log_px_z - ratio, rtol=1e-10, atol=1e-10)


def test_both_estimators_have_one_mean():
    """Sigma points integrate a quadratic exactly, and a linear Gaussian model's terms are some."""
    vae = make_vae(npvae.Gaussian(0.7), hidden=(), decoder_hidden=())
    x, _ = make_batch(vae)
    points = np.sqrt(2) * np.concatenate([np.eye(2), -np.eye(2)])
    noise = np.repeat(points[:, None], len(x), axis=1)
    closed, sampled = (npvae.elbo(vae, x, noise, o(2.0)) for o in (npvae.ClosedForm, npvae.Sampled))
    np.testing.assert_allclose(closed.bound, sampled.bound, rtol=1e-12)


@pytest.mark.equation("objectives.6")
@every_likelihood
@given(SIZES, st.integers(0, 99))
def test_importance_weighted_bound_in_plain_loops(likelihood, sizes, seed):
    vae = make_vae(likelihood, D=sizes["D"], Z=sizes["Z"], seed=seed)
    x, noise = make_batch(vae, B=sizes["B"], L=sizes["L"])
    bound = npvae.elbo(vae, x, noise, npvae.ImportanceWeighted(sizes["L"])).bound
    log_px_z, ratio = slow_log_weights(vae, x, noise)
    expected = logsumexp(log_px_z - ratio, axis=0) - np.log(len(noise))
    np.testing.assert_allclose(bound, expected, rtol=1e-10, atol=1e-12)


def test_one_importance_weight_is_the_sampled_bound():
    vae = make_vae()
    x, noise = make_batch(vae, L=1)
    one, sampled = npvae.ImportanceWeighted(1), npvae.Sampled()
    bounds = [npvae.elbo(vae, x, noise, objective).bound for objective in (one, sampled)]
    np.testing.assert_allclose(*bounds, rtol=1e-13)
    assert_same(gradients(vae, x, noise, one), gradients(vae, x, noise, sampled), 1e-12)


@given(K=st.integers(2, 6), seed=st.integers(0, 99))
def test_more_draws_never_lower_the_bound_on_average(K, seed):
    """Over the K ways to leave one draw out, for any draws whatever: Burda et al.'s theorem 1."""
    vae = make_vae(seed=seed)
    x, noise = make_batch(vae, L=K, seed=seed + 1)
    bound = npvae.elbo(vae, x, noise, npvae.ImportanceWeighted(K)).bound
    fewer = [
        npvae.elbo(vae, x, np.delete(noise, k, axis=0), npvae.ImportanceWeighted(K - 1)).bound
        for k in range(K)
    ]
    assert np.all(np.mean(fewer, axis=0) <= bound + 1e-12)


def test_the_mean_weight_is_the_evidence():
    """A linear Gaussian model, z of one dimension, a q that is not the posterior."""
    vae = make_vae(npvae.Gaussian(0.8), Z=1, hidden=(), decoder_hidden=())
    nodes, weights = hermegauss(60)
    (W, b), _ = vae.params.decoder[0], 0
    evidence = multivariate_normal(b, W.T @ W + 0.64 * np.eye(4))
    vae.params.encoder[0].W[:, 1] = 0
    x, _ = make_batch(vae)
    noise = np.repeat(nodes[:, None, None], len(x), axis=1)
    trace = npvae.elbo(vae, x, noise)
    mean_weight = (weights / weights.sum()) @ np.exp(log_weights(trace, noise))
    np.testing.assert_allclose(np.log(mean_weight), evidence.logpdf(x), rtol=1e-6)


@pytest.mark.equation("objectives.2")
@given(SIZES, st.floats(0, 3), st.integers(0, 99))
def test_free_bits_in_plain_loops(sizes, free_bits, seed):
    vae = make_vae(D=sizes["D"], Z=sizes["Z"], seed=seed)
    x, noise = make_batch(vae, B=sizes["B"], L=sizes["L"])
    bound = npvae.elbo(vae, x, noise, npvae.FreeBits(free_bits)).bound
    kl = np.mean([slow_kl_per_dim(*slow_posterior(vae, row)) for row in x], axis=0)
    price = sum(max(free_bits, kl_j) for kl_j in kl)
    expected = np.array(slow_bound(vae, x, noise, 0)) - price
    np.testing.assert_allclose(bound, expected, rtol=1e-10, atol=1e-12)
    closed = npvae.elbo(vae, x, noise).bound
    assert bound.mean() <= closed.mean() + 1e-12
    if free_bits == 0:
        assert bound.mean() == pytest.approx(closed.mean(), rel=1e-12)


# Gradients


def assert_whole_gradient(likelihood, objective):
    vae = make_vae(likelihood, D=3)
    x, noise = make_batch(vae, B=2, L=3)
    rng = np.random.default_rng(2)
    errors = npvae.check_model_gradient(vae, x, noise, objective=objective, rng=rng)
    assert errors.keys() == vae.params.arrays().keys()
    assert max(errors.values()) < 1e-7


@pytest.mark.equation("objectives.1")
@every_likelihood
def test_gradient_of_the_closed_form(likelihood):
    assert_whole_gradient(likelihood, npvae.ClosedForm(0.5))


@pytest.mark.equation("objectives.3")
@every_likelihood
def test_gradient_of_free_bits(likelihood):
    assert_whole_gradient(likelihood, npvae.FreeBits(0.2))


@pytest.mark.equation("objectives.5")
@pytest.mark.parametrize("beta", [0, 1, 4])
@every_likelihood
def test_gradient_of_the_sampled_bound(likelihood, beta):
    assert_whole_gradient(likelihood, npvae.Sampled(beta))


@pytest.mark.equation("objectives.7")
@every_likelihood
def test_gradient_of_the_importance_weighted_bound(likelihood):
    assert_whole_gradient(likelihood, npvae.ImportanceWeighted(3))


def test_free_bits_closes_the_road_of_cheap_dimensions_only():
    vae = make_vae(D=3, Z=2)
    vae.params.encoder[-1].W[:, ::2] *= 1e-3  # z₁ says next to nothing
    vae.params.encoder[-1].b[::2] *= 1e-3
    x, noise = make_batch(vae)
    kl = np.mean([slow_kl_per_dim(*slow_posterior(vae, row)) for row in x], axis=0)
    assert kl[0] < 0.1 < kl[1]
    free = gradients(vae, x, noise, npvae.FreeBits(0.1))
    for beta, dimension in ((0.0, 0), (1.0, 1)):
        priced = gradients(vae, x, noise, npvae.ClosedForm(beta))
        for name in ("encoder/1/W", "encoder/1/b"):
            np.testing.assert_allclose(
                free[name][..., dimension::2], priced[name][..., dimension::2], rtol=1e-10
            )


@pytest.mark.equation("objectives.8", "objectives.9")
@pytest.mark.parametrize(
    ("objective", "unbiased"),
    [
        (npvae.ImportanceWeighted(1, "stl"), True),
        (npvae.ImportanceWeighted(1, "dreg"), True),
        (npvae.ImportanceWeighted(2, "dreg"), True),
        (npvae.ImportanceWeighted(2, "stl"), False),
    ],
    ids=str,
)
def test_means_of_the_other_gradients(objective, unbiased):
    """By quadrature over the noise: the same mean as the total gradient, and for stl at K = 2
    another in the encoder."""
    vae = make_vae(npvae.Gaussian(0.9), D=2, Z=1, decoder_hidden=(3,))
    x, _ = make_batch(vae, B=1)
    total = expected_gradients(vae, x[0], npvae.ImportanceWeighted(objective.samples))
    other = expected_gradients(vae, x[0], objective)
    decoder = {name: dv for name, dv in total.items() if name.startswith("decoder")}
    assert_same(other, decoder, 1e-12)
    if unbiased:
        assert_same(other, total, 1e-6)
    else:
        difference = np.abs(other["encoder/1/b"] - total["encoder/1/b"]).max()
        assert difference > 1e-2 * np.abs(total["encoder/1/b"]).max()


@pytest.mark.equation("objectives.8", "objectives.9")
@pytest.mark.parametrize(("gradient", "power"), [("stl", 1), ("dreg", 2)])
def test_the_path_is_weighed_by_the_share_or_its_square(gradient, power):
    """∂log w/∂z by differences, mu and σ held fixed, then to the encoder's biases."""
    K, h = 3, 1e-5
    vae = make_vae(npvae.Gaussian(0.9), D=2, Z=2, hidden=(), decoder_hidden=(3,))
    x, noise = make_batch(vae, B=4, L=K)
    trace = npvae.elbo(vae, x, noise, npvae.ImportanceWeighted(K, gradient))
    mu, sigma = trace.mu, np.exp(trace.logvar / 2)

    def log_w(z):
        mean = vae.decode(z.reshape(-1, 2)).reshape(K, 4, 2)
        log_ratio = norm.logpdf(z, mu, sigma) - norm.logpdf(z)
        return (norm.logpdf(x, mean, 0.9) - log_ratio).sum(axis=-1)

    z = mu + sigma * noise
    share = np.exp(log_w(z) - logsumexp(log_w(z), axis=0))[..., None]
    slopes = [(log_w(z + h * e) - log_w(z - h * e)) / (2 * h) for e in np.eye(2)]
    dz = share**power * np.stack(slopes, axis=-1)
    expected = np.hstack([dz.sum(axis=0), (dz * noise * sigma / 2).sum(axis=0)]).sum(axis=0)
    grads = npvae.elbo_backward(np.ones(4), vae, x, noise, trace)
    np.testing.assert_allclose(grads.encoder[-1].b, expected, atol=1e-8)


@pytest.mark.parametrize("gradient", ["total", "stl", "dreg"])
def test_at_the_posterior_the_path_carries_no_noise(gradient):
    """x = 0.8 z + 0.6 noise and q the posterior: w is p(x) at any z."""
    vae = make_vae(npvae.Gaussian(0.6), D=1, Z=1, hidden=(), decoder_hidden=())
    (encoder,), (decoder,), _ = vae.params
    decoder.W[:], decoder.b[:] = 0.8, 0
    encoder.W[:], encoder.b[:] = [0.8, 0], [0, np.log(0.36)]
    x, noise = make_batch(vae, B=5, L=4)
    objective = npvae.ImportanceWeighted(4, gradient)
    bound = npvae.elbo(vae, x, noise, objective).bound
    np.testing.assert_allclose(bound, norm.logpdf(x[:, 0]), rtol=1e-12)
    largest = np.abs(gradients(vae, x, noise, objective)["encoder/0/b"]).max()
    assert largest < 1e-12 if gradient != "total" else largest > 0.1


# Numbers that a float can hold, and bad input


@pytest.mark.parametrize("gradient", ["total", "stl", "dreg"])
def test_weights_that_no_float32_holds(gradient):
    vae = make_vae(dtype=np.float32)
    x, noise = make_batch(vae, L=3)
    for bias in (-1e4, 1e4):  # log w near ∓4e4
        vae.params.decoder[-1].b[:] = bias
        objective = npvae.ImportanceWeighted(3, gradient)
        trace = npvae.elbo(vae, x, noise, objective)
        dbound = np.ones(len(x), np.float32)
        grads = npvae.elbo_backward(dbound, vae, x, noise, trace).arrays()
        assert trace.bound.dtype == np.float32
        assert np.isfinite(trace.bound).all()
        assert {dv.dtype for dv in grads.values()} == {np.dtype(np.float32)}
        assert all(np.isfinite(dv).all() for dv in grads.values())


@pytest.mark.parametrize(
    "objective",
    [
        npvae.FreeBits(np.float64(0.1)),
        npvae.Sampled(np.float64(0.5)),
        npvae.ImportanceWeighted(2, "dreg"),
    ],
    ids=str,
)
def test_dtype_in_dtype_out(objective):
    vae = make_vae(dtype=np.float32)
    x, noise = make_batch(vae, L=2)
    trace = npvae.elbo(vae, x, noise, objective)
    grads = npvae.elbo_backward(np.ones(len(x), np.float32), vae, x, noise, trace)
    arrays = (trace.bound, *grads.arrays().values())
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: npvae.ClosedForm(-1), ValueError, "beta is -1; expected a finite number >= 0"),
        (lambda: npvae.ClosedForm(np.inf), ValueError, "beta is inf"),
        (lambda: npvae.Sampled("1"), TypeError, "beta is '1'"),
        (lambda: npvae.Sampled(samples=0), ValueError, "samples is 0; expected an integer >= 1"),
        (lambda: npvae.ClosedForm(samples=1.5), TypeError, "samples is 1.5"),
        (lambda: npvae.FreeBits(-0.1), ValueError, "free_bits is -0.1"),
        (lambda: npvae.ImportanceWeighted(0), ValueError, "samples is 0"),
        (lambda: npvae.ImportanceWeighted(5, "path"), ValueError, "gradient is 'path'; expected"),
        (lambda: npvae.ImportanceWeighted(5, beta=True), TypeError, "beta is True"),
        (lambda: npvae.ImportanceWeighted(5, beta="a"), TypeError, "beta is 'a'"),
        (lambda: npvae.ClosedForm(10**400), ValueError, "expected a finite number >= 0"),
        (lambda: npvae.ImportanceWeighted(5, beta=2), ValueError, "beta is 2; an importance-weig"),
    ],
)
def test_bad_choices_are_refused(make, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make()


def test_the_contract_itself_is_no_objective():
    vae = make_vae()
    with pytest.raises(TypeError, match=r"expected one such as npvae.ClosedForm\(\)"):
        npvae.elbo(vae, *make_batch(vae), npvae.objectives.Objective())


def test_the_backward_wants_the_noise_of_its_trace():
    vae = make_vae()
    x, noise = make_batch(vae, L=2)
    trace = npvae.elbo(vae, x, noise)
    with pytest.raises(ValueError, match=r"noise has shape \(1, 6, 2\); the trace was made with"):
        npvae.elbo_backward(np.ones(6), vae, x, noise[:1], trace)


def test_a_bound_of_k_draws_wants_k_draws():
    vae = make_vae()
    x, noise = make_batch(vae, L=2)
    message = "noise holds 2 draws of z a row; ImportanceWeighted(samples=5, gradient='total') is"
    with pytest.raises(ValueError, match=re.escape(message)):
        npvae.elbo(vae, x, noise, npvae.ImportanceWeighted(5))


@pytest.mark.parametrize("gradient", ["stl", "dreg"])
def test_a_gradient_right_on_average_is_not_held_to_one_draw(gradient):
    vae = make_vae()
    x, noise = make_batch(vae, L=2)
    objective = npvae.ImportanceWeighted(2, gradient)
    with pytest.raises(ValueError, match=r'estimate of the gradient .* check gradient="total"'):
        npvae.check_model_gradient(vae, x, noise, objective=objective, rng=np.random.default_rng(0))
