"""Annealing: unbiased weights there and back, and the two sides of answers that are known."""

import numpy as np
import pytest
from scipy.special import expit, logsumexp

import npvae
from models import make_batch, make_vae
from npvae import exact
from npvae.posterior import (
    annealed_log_likelihood,
    annealed_upper_bound,
    annealing_schedule,
    simulate,
)
from npvae.posterior.annealing import anneal, annealed, hmc_steps, rehearse
from npvae.posterior.joint import decoder_likelihood, posterior_density
from test_hmc import two_humps

STANDARD_ERRORS = 4
few_chains = pytest.mark.filterwarnings("ignore::npvae.UnreliableWarning")


def rng(seed=0):
    return np.random.default_rng(seed)


def linear(Z=2, D=4, sigma=0.5):
    return make_vae(npvae.Gaussian(sigma), hidden=(), decoder_hidden=(), D=D, Z=Z)


@pytest.mark.equation("annealing.1")
def test_temperatures_rise_from_zero_to_one():
    for schedule in ("linear", "sigmoidal"):
        for T in (1, 2, 7, 1000):
            t = annealing_schedule(T, schedule)
            assert (len(t), t[0], t[-1]) == (T + 1, 0, 1)
            assert (np.diff(t) > 0).all()
            np.testing.assert_allclose(t, 1 - t[::-1], atol=1e-12)
    np.testing.assert_allclose(np.diff(annealing_schedule(50, "linear")), 0.02)
    t = annealing_schedule(10)
    expected = (expit(-2.4) - expit(-4)) / (expit(4) - expit(-4))
    assert t[2] == pytest.approx(expected)
    assert 5 * np.diff(t)[0] < np.diff(t)[5]


@pytest.mark.equation("annealing.2")
@pytest.mark.parametrize("t", [0.0, 0.3, 1.0])
def test_the_annealed_density_lies_between_the_prior_and_the_posterior(t):
    vae = make_vae()
    x, z = make_batch(vae)
    likelihood = decoder_likelihood(vae, x)

    def density(z):
        return annealed(t, z, *likelihood(z))[1:3]

    log_joint, gradient = posterior_density(vae, x)(z)
    log_px_z, _ = likelihood(z)
    np.testing.assert_allclose(density(z)[0], log_joint - (1 - t) * log_px_z)
    npvae.check_gradient(
        lambda z: density(z)[0], lambda dy, z: dy[..., None] * density(z)[1], [z], rng=rng()
    )
    if t == 1:
        np.testing.assert_allclose(density(z)[1], gradient)


@pytest.mark.equation("annealing.3")
def test_chains_that_stand_still_have_the_weight_of_the_likelihood():
    vae = make_vae()
    x, z = make_batch(vae)
    likelihood = decoder_likelihood(vae, x)
    still = np.full((9, len(x)), 1e-12)
    log_w, acceptance = anneal(likelihood, z, annealing_schedule(10), still, 3, rng=rng())
    np.testing.assert_allclose(log_w, likelihood(z)[0], rtol=1e-9)
    np.testing.assert_allclose(acceptance, 1)


@pytest.mark.equation("annealing.4", "annealing.3")
@pytest.mark.parametrize("T", [1, 4])
def test_weights_are_unbiased_there_and_back(T):
    """Also with few temperatures and long steps; σ is large, lest 1/p(x|z) have no variance."""
    vae, C = linear(sigma=2.0), 20_000
    _, x = simulate(vae, 4, rng=rng())
    log_px = exact.linear_log_likelihood(vae, x)
    m, covariance = exact.linear_posterior(vae, x)
    z = rng(1).standard_normal((C, 4, 2))
    there = m + z @ np.linalg.cholesky(covariance).T
    likelihood, t = decoder_likelihood(vae, x), annealing_schedule(T)
    steps = np.full((T - 1, 4), 1.2)
    for start, temperatures, sign in ((z, t, 1), (there, t[::-1], -1)):
        log_w, _ = anneal(likelihood, start, temperatures, steps, 2, rng=rng(2))
        w = np.exp(log_w - sign * log_px)
        error = w.std(axis=0) / np.sqrt(C)
        assert (np.abs(w.mean(axis=0) - 1) < STANDARD_ERRORS * error).all()
        assert error.max() < 0.02


@pytest.mark.equation("hmc.6")
def test_the_rehearsal_shortens_the_step_as_the_density_narrows():
    vae = linear()
    vae.params.decoder[0].W[:] *= 5
    _, x = simulate(vae, 3, rng=rng())
    t, likelihood = annealing_schedule(1000), decoder_likelihood(vae, x)
    steps = rehearse(likelihood, rng(1).standard_normal((16, 3, 2)), t, 4, rng=rng(2))
    assert steps.shape == (999, 3)
    assert (steps[50] > 3 * steps[-1]).all()
    _, acceptance = anneal(likelihood, rng(3).standard_normal((16, 3, 2)), t, steps, 4, rng=rng(4))
    np.testing.assert_allclose(acceptance, 0.8, atol=0.07)
    assert hmc_steps(t) == 999 + 100


@few_chains
@pytest.mark.equation("annealing.5")
def test_one_temperature_is_importance_sampling_from_the_prior():
    vae = linear()
    _, x = simulate(vae, 3, rng=rng())
    result = annealed_log_likelihood(vae, x, temperatures=1, chains=50, rng=rng(1))
    generator = rng(1)
    generator.standard_normal((50, 3, 2))  # the rehearsal's
    z = generator.standard_normal((50, 3, 2))
    log_px_z, _ = decoder_likelihood(vae, x)(z)
    np.testing.assert_allclose(result.log_px, logsumexp(log_px_z, axis=0) - np.log(50))


@pytest.mark.equation("annealing.7")
def test_simulated_x_have_the_models_moments_and_z_is_behind_them():
    vae, n = linear(), 50_000
    z, x = simulate(vae, n, rng=rng())
    W, b = vae.params.decoder[0]
    both = np.hstack([z, x - b])
    covariance = np.block([[np.eye(2), W], [W.T, W.T @ W + 0.25 * np.eye(4)]])
    d = np.diag(covariance)
    error = np.sqrt((np.outer(d, d) + covariance**2) / n)
    assert np.abs((both.T @ both / n - covariance) / error).max() < STANDARD_ERRORS


@pytest.mark.equation("annealing.5", "annealing.6")
def test_a_linear_models_log_likelihood_lies_between():
    vae = linear(Z=3, D=6)
    z, x = simulate(vae, 12, rng=rng())
    log_px = exact.linear_log_likelihood(vae, x)
    options = {"temperatures": 400, "leaps": 3}
    below = annealed_log_likelihood(vae, x, rng=rng(1), **options)
    above = annealed_upper_bound(vae, x, z, rng=rng(2), **options)
    for side in (below, above):
        assert side.standard_error.max() < 0.12
        assert np.abs((side.log_px - log_px) / side.standard_error).max() < STANDARD_ERRORS
    assert (below.log_px - log_px).mean() < above.log_px.mean() - log_px.mean() + 0.05


@few_chains
@pytest.mark.equation("annealing.5", "annealing.6")
def test_too_few_temperatures_err_to_the_sides():
    vae = linear(Z=3, D=6)
    z, x = simulate(vae, 60, rng=rng())
    log_px = exact.linear_log_likelihood(vae, x)
    options = {"temperatures": 3, "chains": 2, "leaps": 2}
    below = annealed_log_likelihood(vae, x, rng=rng(1), **options).log_px - log_px
    above = annealed_upper_bound(vae, x, z, rng=rng(2), **options).log_px - log_px
    for side in (-below, above):
        assert side.mean() > STANDARD_ERRORS * side.std() / np.sqrt(60)


@pytest.mark.equation("annealing.5", "annealing.6")
@pytest.mark.parametrize("likelihood", [npvae.Bernoulli(), npvae.LearnedGaussian(0.4)])
def test_quadrature_lies_between(likelihood):
    vae = make_vae(likelihood, D=6)
    z, x = simulate(vae, 5, rng=rng())
    log_px = exact.quadrature(vae, x, step=0.15).log_px
    options = {"temperatures": 200, "leaps": 2}
    below = annealed_log_likelihood(vae, x, rng=rng(1), **options)
    above = annealed_upper_bound(vae, x, z, rng=rng(2), schedule="linear", **options)
    for side in (below, above):
        assert np.abs((side.log_px - log_px) / side.standard_error).max() < STANDARD_ERRORS
        assert side.standard_error.max() < 0.1


@pytest.mark.equation("annealing.5")
def test_it_sees_what_the_lying_estimate_of_chapter_15_does_not():
    vae, x = two_humps()
    log_px = exact.quadrature(vae, x, step=0.01).log_px[0]
    lying = npvae.log_likelihood(vae, x, samples=2000, rng=rng())
    assert lying.log_px[0] == pytest.approx(log_px - np.log(2), abs=0.05)
    assert lying.standard_error[0] < 0.05
    found = annealed_log_likelihood(vae, x, temperatures=200, chains=500, leaps=5, rng=rng())
    assert found.log_px[0] == pytest.approx(log_px, abs=STANDARD_ERRORS * found.standard_error[0])
    assert found.standard_error[0] < 0.03


def test_the_encoder_is_not_asked():
    vae = linear()
    _, x = simulate(vae, 2, rng=rng())
    results = []
    for mu in (0, 1e6):
        vae.params.encoder[0].b[:] = mu
        results.append(annealed_log_likelihood(vae, x, temperatures=20, leaps=2, rng=rng(1)))
    np.testing.assert_array_equal(results[0].log_px, results[1].log_px)


@few_chains
def test_rows_are_cut_and_put_together(monkeypatch):
    vae = linear()
    z, x = simulate(vae, 7, rng=rng())
    monkeypatch.setattr("npvae.posterior.sampling.NUMBERS", 16 * 4 * 3)
    log_px = exact.linear_log_likelihood(vae, x)
    options = {"temperatures": 150, "leaps": 2}
    for result in (
        annealed_log_likelihood(vae, x, rng=rng(1), **options),
        annealed_upper_bound(vae, x, z, rng=rng(2), **options),
    ):
        assert np.abs(result.log_px - log_px).max() < 0.7
        assert all(field.shape == (7,) for field in result)


def test_float32_models_have_float64_weights():
    vae = linear().astype(np.float32)
    z, x = simulate(vae, 3, rng=rng())
    assert (z.dtype, x.dtype) == (np.float32, np.float32)
    result = annealed_log_likelihood(vae, x, temperatures=100, leaps=2, rng=rng(1))
    assert result.log_px.dtype == np.float64
    np.testing.assert_allclose(result.log_px, exact.linear_log_likelihood(vae, x), atol=0.7)


def test_few_effective_samples_are_told():
    vae = linear()
    _, x = simulate(vae, 5, rng=rng())
    with pytest.warns(npvae.UnreliableWarning, match="of 5 rows rests on fewer than 10 effective"):
        result = annealed_log_likelihood(vae, x, temperatures=2, leaps=1, rng=rng(1))
    assert "5 of 5 rows have too few effective samples" in " ".join(str(result).split())


def test_a_weight_that_is_not_finite_is_told_with_its_row():
    vae = linear()
    x = np.zeros((3, 4))
    x[1] = 1e200
    with (
        pytest.raises(FloatingPointError, match="log w of row 1 is not finite"),
        np.errstate(all="ignore"),
    ):
        annealed_log_likelihood(vae, x, temperatures=2, leaps=1, rng=rng())


def test_a_bar_is_drawn_where_it_is_asked_for(capsys):
    vae = linear()
    _, x = simulate(vae, 2, rng=rng())
    options = {"temperatures": 200, "leaps": 1}
    annealed_log_likelihood(vae, x, rng=rng(), **options)
    assert capsys.readouterr() == ("", "")
    annealed_log_likelihood(vae, x, rng=rng(), progress=True, **options)
    assert "/299" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperatures": 0}, "temperatures is 0; expected an integer >= 1"),
        ({"chains": 0}, "chains is 0"),
        ({"leaps": True}, "leaps is True"),
        ({"schedule": "cosine"}, "schedule is 'cosine'; expected one of 'sigmoidal', 'linear'"),
        ({"rng": None}, "rng is None"),
        ({"progress": None}, "progress is None"),
        ({"x": np.zeros(4)}, r"x has shape \(4,\); expected \(N, D\)"),
    ],
)
def test_a_wrong_argument_is_told(options, message):
    arguments = {"x": np.zeros((2, 4)), "rng": rng()} | options
    with pytest.raises((TypeError, ValueError), match=message):
        annealed_log_likelihood(linear(), **arguments)
    with pytest.raises((TypeError, ValueError), match=message):
        annealed_upper_bound(linear(), z=np.zeros((2, 2)), **arguments)


def test_the_way_back_needs_a_z_for_each_x():
    for z, message in (
        (np.zeros((2, 3)), r"z has shape \(2, 3\); expected \(N, Z\) with Z = 2"),
        (np.zeros((3, 2)), "z has 3 rows; expected one for each of the 2 rows of x"),
    ):
        with pytest.raises(ValueError, match=message):
            annealed_upper_bound(linear(), np.zeros((2, 4)), z, rng=rng())
    with pytest.raises(ValueError, match="n is 0"):
        simulate(linear(), 0, rng=rng())
