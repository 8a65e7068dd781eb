"""evaluate: a record of the true bound, never of the bound at z = mu."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import npvae
from models import make_vae
from npvae.evaluation import summarize


def make(seed=0, dtype=np.float64, **choices):
    choices = {"hidden": (6,), "latent_dim": 3, "likelihood": npvae.Bernoulli()} | choices
    vae = npvae.VAE.init(8, dtype=dtype, rng=np.random.default_rng(seed), **choices)
    for array in vae.params.arrays().values():
        array += np.random.default_rng(seed + 1).normal(0, 0.5, array.shape).astype(dtype)
    return vae


def binary(rows, seed=0):
    return np.random.default_rng(seed).integers(0, 2, (rows, 8)).astype(float)


@given(
    rows=st.integers(1, 30),
    samples=st.integers(1, 3),
    batch_size=st.integers(1, 40),
    seed=st.integers(0, 99),
)
def test_it_is_the_mean_over_rows_of_the_bound_row_by_row(rows, samples, batch_size, seed):
    vae, x = make(seed), binary(rows, seed)
    got = npvae.evaluate(
        vae, x, samples=samples, batch_size=batch_size, rng=np.random.default_rng(seed)
    )
    rng, bounds, kls = np.random.default_rng(seed), [], []
    for start in range(0, rows, batch_size):
        part = x[start : start + batch_size]
        noise = rng.standard_normal((samples, len(part), 3))
        for row in range(len(part)):
            trace = npvae.elbo(vae, part[row : row + 1], noise[:, row : row + 1])
            bounds.append(trace.bound[0])
            kls.append(trace.kl[0])
    assert got.elbo == pytest.approx(np.mean(bounds), rel=1e-12)
    assert got.kl == pytest.approx(np.mean(kls), rel=1e-12)
    assert got.reconstruction - got.kl == pytest.approx(got.elbo, rel=1e-12)
    assert got.kl_per_dim.sum() == pytest.approx(got.kl, rel=1e-12)
    assert got.standard_error == pytest.approx(np.std(bounds) / np.sqrt(rows), abs=1e-12)
    np.testing.assert_allclose(got.mu_variance, vae.encode(x)[0].var(axis=0), atol=1e-12)


def test_the_standard_error_is_the_spread_of_repeated_evaluations():
    """Fresh rows and fresh noise each time: their means must scatter by what one predicts."""
    vae = make()
    results = [npvae.evaluate(vae, binary(200, s), rng=np.random.default_rng(s)) for s in range(99)]
    spread = np.std([result.elbo for result in results], ddof=1)
    predicted = np.mean([result.standard_error for result in results])
    # The std of 99 numbers is known to 1/√(2·98) = 7 %; three of them.
    assert spread == pytest.approx(predicted, rel=0.21)


def test_more_samples_of_z_do_not_move_the_bound():
    vae, x = make(), binary(2000)
    one = npvae.evaluate(vae, x, samples=1, rng=np.random.default_rng(1))
    many = npvae.evaluate(vae, x, samples=20, rng=np.random.default_rng(2))
    assert abs(one.elbo - many.elbo) < 4 * np.hypot(one.standard_error, many.standard_error)


def test_the_bound_at_z_equal_mu_is_another_number():
    """With no noise the reconstruction is better than any draw's: it is not the ELBO."""
    vae = make(likelihood=npvae.Gaussian(0.1))
    x = binary(5000)
    honest = npvae.evaluate(vae, x, rng=np.random.default_rng(0))
    at_mean = npvae.elbo(vae, x, np.zeros((1, 5000, 3))).bound.mean()
    assert at_mean - honest.elbo > 5 * honest.standard_error


def test_active_units_are_those_whose_mean_moves_with_the_data():
    mu = np.zeros((1000, 4))
    mu[:, 1] = np.random.default_rng(0).normal(0, 0.12, 1000)  # variance 0.0144
    mu[:, 2] = np.random.default_rng(1).normal(5, 0.08, 1000)  # variance 0.0064
    mu[:, 3] = 100  # far from the prior, but the same for all
    result = summarize(np.zeros(1000), mu, np.zeros((1000, 4)))
    assert result.active.tolist() == [False, True, False, False]
    assert result.active_units == 1


def test_more_rows_than_are_summed_at_once():
    rng = np.random.default_rng(0)
    log_px_z, mu = rng.normal(size=2345), rng.normal(1, 2, (2345, 3))
    logvar = rng.normal(size=(2345, 3))
    kl = (mu**2 + np.exp(logvar) - 1 - logvar) / 2
    result = summarize(log_px_z, mu, logvar)
    assert result.elbo == pytest.approx(np.mean(log_px_z - kl.sum(axis=1)), rel=1e-12)
    np.testing.assert_allclose(result.kl_per_dim, kl.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(result.mu_variance, mu.var(axis=0), rtol=1e-12)


def test_means_of_float32_rows_do_not_lose_digits():
    """A million equal float32 values summed in float32 would drift by 1 %."""
    n = 1_000_000
    result = summarize(
        np.full(n, -100.1, np.float32), np.zeros((n, 1), np.float32), np.zeros((n, 1), np.float32)
    )
    assert result.elbo == pytest.approx(float(np.float32(-100.1)), rel=1e-9)


def test_sums_of_float32_rows_are_float64():
    n = 1_000_000
    log_px_z, mu = np.full(n, -100.1, np.float32), np.full((n, 1), 100.1, np.float32)
    result = summarize(log_px_z, mu, np.zeros((n, 1), np.float32))
    assert result.reconstruction == pytest.approx(float(log_px_z[0]), rel=1e-9)
    assert result.kl_per_dim == pytest.approx([mu[0, 0] * mu[0, 0] / np.float32(2)], rel=1e-9)
    assert result.mu_variance == pytest.approx([0], abs=1e-6)  # or the unit would seem active


def test_beta_does_not_enter():
    vae, x = make(), binary(50)
    result = npvae.evaluate(vae, x, rng=np.random.default_rng(0))
    noise = np.random.default_rng(0).standard_normal((1, 50, 3))
    assert result.elbo == pytest.approx(npvae.elbo(vae, x, noise).bound.mean())


def test_it_says_what_it_found():
    text = str(npvae.evaluate(make(), binary(50), rng=np.random.default_rng(0)))
    assert "elbo -" in text
    assert "of 3 units active" in text


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"samples": 0}, ValueError, "samples is 0; expected an integer >= 1"),
        ({"samples": 1.5}, TypeError, "samples is 1.5"),
        ({"batch_size": -1}, ValueError, "batch_size is -1"),
        ({"rng": 3}, TypeError, "rng is 3"),
        ({"x": np.zeros((2, 9))}, ValueError, "with D = 8"),
        ({"x": np.full((2, 8), 1.5)}, ValueError, r"\[0, 1\]"),
    ],
)
def test_bad_input_is_refused(arguments, error, message):
    arguments = {"x": binary(4), "rng": np.random.default_rng(0)} | arguments
    with pytest.raises(error, match=message):
        npvae.evaluate(make(), arguments.pop("x"), **arguments)


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("quantity", ["kl", r"log p\(x\|z\)"])
def test_a_row_beyond_the_range_is_named(quantity, samples):
    vae = make_vae(npvae.Gaussian(0.5), hidden=(), dtype=np.float32)
    x = np.zeros((30, 4))
    if quantity == "kl":
        x[23] = 1e30
    else:
        vae.params.encoder[0].W[:] = 0  # q does not hear x, log p(x|z) does
        x[23] = 1e25
    with pytest.raises(FloatingPointError, match=f"^{quantity} of row 23 is not finite"):
        npvae.evaluate(vae, x, samples=samples, batch_size=10, rng=np.random.default_rng(0))
