"""Likelihoods of tables: SciPy, mpmath, sums over what is hidden, and models with a known truth."""

import math
import re

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, stats

import npvae
from npvae import check_gradient
from npvae.likelihoods import (
    LIKELIHOODS,
    Bernoulli,
    Categorical,
    ColumnGaussian,
    ContinuousBernoulli,
    Gaussian,
    HeteroscedasticGaussian,
    Holes,
    LearnedGaussian,
    NegativeBinomial,
    Poisson,
    Product,
    Standardized,
    StudentT,
)
from npvae.posterior import Pixels, impute, restore
from npvae.relatives import Autoencoder, ConditionalVAE, SemiSupervisedVAE, conditional_elbo
from npvae.relatives.conditional.bound import conditional_elbo_backward

SHIFT, SCALE = (5.0, -300.0, 0.0, 0.02), (2.0, 100.0, 1e4, 0.001)
WIDTHS, STUDENT = ColumnGaussian(0.7, 0.1), StudentT(5, 0.8, 0.1)
CLUMPS, CLASSES = NegativeBinomial(2), Categorical(3, whole=True)
IN_UNITS = Standardized(STUDENT, SHIFT, SCALE)
MIXED = Product([([2, 0], WIDTHS), ([1], CLUMPS), ([3], CLASSES)])
EVERY = {  # D = 4
    "Bernoulli": Bernoulli(),
    "Gaussian": Gaussian(0.7),
    "HeteroscedasticGaussian": HeteroscedasticGaussian(0.1),
    "LearnedGaussian": LearnedGaussian(0.5),
    "ContinuousBernoulli": ContinuousBernoulli(),
    "Categorical": Categorical(5),
    "Categorical, whole": CLASSES,
    "ColumnGaussian": WIDTHS,
    "StudentT": STUDENT,
    "Poisson": Poisson(),
    "NegativeBinomial": CLUMPS,
    "Standardized": IN_UNITS,
    "Product": MIXED,
    "Product of two numbers a column": Product(
        [([3, 1], HeteroscedasticGaussian(0.1)), ([0, 2], LearnedGaussian())]
    ),
    "Holes": Holes(MIXED),
    "Holes, in units": Holes(IN_UNITS),
}
ALL = pytest.mark.parametrize("likelihood", EVERY.values(), ids=EVERY)
OF_TABLES = list(EVERY.values())[6:]
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
STANDARD_ERRORS = 4.5  # a false alarm once in 150,000 comparisons
N = 40_000


def case(likelihood, B=5, L=3, D=4, seed=0):
    """x (B, D) drawn from the likelihood, with holes if it knows them; output; what is learned."""
    rng = np.random.default_rng(seed)
    output = rng.standard_normal((L, B, likelihood.output_width(D)))
    start = likelihood.init_learned(np.float64, D)
    learned = {name: v + 0.5 * rng.standard_normal(v.shape) for name, v in start.items()}
    x = likelihood.draw(output[0], rng=rng, **learned)
    if likelihood.allows_holes:
        x[rng.random(x.shape) < 0.4] = np.nan
    return x, output, learned


def assert_gradient(likelihood, seed, names=("log_prob",), **sizes):
    """Central differences in the output and in what is learned."""
    x, output, learned = case(likelihood, seed=seed, **sizes)

    for name in names:

        def forward(output, *values, name=name):
            return getattr(likelihood, name)(x, output, **dict(zip(learned, values, strict=True)))

        def backward(dy, output, *values, name=name):
            own = dict(zip(learned, values, strict=True))
            found = [getattr(likelihood, f"{name}_backward")(dy, x, output, **own)]
            if own:
                slopes = getattr(likelihood, f"{name}_backward_learned")(dy, x, output, **own)
                found += [slopes[name] for name in own]
            return tuple(found)

        args = (output, *learned.values())
        check_gradient(forward, backward, args, rng=np.random.default_rng(1), tolerance=1e-8)


def assert_close_to(expected, draws):
    """The mean of draws (n, …) lies within a few of its own standard errors of expected."""
    standard_error = draws.std(axis=0, ddof=1) / math.sqrt(len(draws))
    assert np.all(np.abs(draws.mean(axis=0) - expected) < STANDARD_ERRORS * standard_error)


def assert_distribution(draws, distribution):
    """Kolmogorov and Smirnov: a false alarm once in 100,000."""
    assert stats.kstest(draws, distribution.cdf).pvalue > 1e-5


def width(a, likelihood):
    return np.sqrt(likelihood.min_sigma**2 + np.exp(a))


def one(value, dtype=np.float64):
    return np.array([[value]], dtype)


def best_by_search(cost, start):
    options = {"xatol": 1e-7, "fatol": 1e-11, "maxiter": 4000}
    return -optimize.minimize(cost, start, method="Nelder-Mead", options=options).fun


# A width for each column


@pytest.mark.equation("tables.1")
@DTYPES
@given(a=st.floats(-300, 300, width=32), min_sigma=st.floats(1e-3, 10))
def test_the_variance_is_a_limit_and_an_exponential(dtype, a, min_sigma):
    logvar = ColumnGaussian(20, min_sigma).logvar(np.array([a], dtype))
    expected = mpmath.log(mpmath.mpf(min_sigma) ** 2 + mpmath.exp(a))
    assert logvar.dtype == dtype
    np.testing.assert_allclose(logvar, float(expected), rtol=1e-6, atol=1e-5)


@pytest.mark.equation("tables.2")
@given(st.integers(0, 2**32))
def test_column_gaussian_is_scipys(seed):
    x, mean, learned = case(WIDTHS, seed=seed)
    expected = stats.norm.logpdf(x, mean, width(learned["a"], WIDTHS)).sum(axis=-1)
    np.testing.assert_allclose(WIDTHS.log_prob(x, mean, **learned), expected, rtol=1e-11)


@pytest.mark.equation("likelihoods.9", "tables.3")
@pytest.mark.parametrize("seed", range(5))
def test_column_gaussian_gradient(seed):
    assert_gradient(WIDTHS, seed)


@pytest.mark.equation("likelihoods.15", "likelihoods.10")
def test_column_gaussian_draws():
    a, mean = np.array([-5.0, 1.0]), np.array([3.0, -2.0])
    draws = WIDTHS.draw(np.tile(mean, (N, 1)), a, rng=np.random.default_rng(2))
    assert_close_to(WIDTHS.mean(mean), draws)
    for d in range(2):
        assert_distribution(draws[:, d], stats.norm(mean[d], width(a, WIDTHS)[d]))


@pytest.mark.equation("likelihoods.34", "likelihoods.7")
def test_column_gaussian_floor_is_the_best_by_search():
    x = np.random.default_rng(3).normal(2, [0.5, 3], (50, 2))
    x[:, 0] = 7  # the limit alone keeps it finite
    outputs = np.tile(WIDTHS.output_bias(x.mean(axis=0)), (1, 50, 1))
    np.testing.assert_allclose(outputs[0, 0], x.mean(axis=0))

    def cost(a):
        return -WIDTHS.log_prob(x, outputs, np.array([-60, a[0]])).mean()

    assert WIDTHS.floor(x) == pytest.approx(best_by_search(cost, [0.0]), rel=1e-8)


# Student's t


@pytest.mark.equation("tables.4")
@given(st.integers(0, 2**32), st.floats(2.1, 200))
def test_student_is_scipys(seed, dof):
    likelihood = StudentT(dof, 0.8, 0.1)
    x, mean, learned = case(likelihood, seed=seed)
    expected = stats.t.logpdf(x, dof, mean, width(learned["a"], likelihood)).sum(axis=-1)
    np.testing.assert_allclose(likelihood.log_prob(x, mean, **learned), expected, rtol=1e-10)


@pytest.mark.equation("tables.4")
@pytest.mark.parametrize("error", [0.0, 1.5, 30.0])
def test_student_is_a_gaussian_whose_precision_is_a_gamma_variable(error):
    a, dof = np.array([0.3]), 5
    sigma = width(a, STUDENT).item()
    gamma = stats.gamma(dof / 2, scale=2 / dof)
    density = integrate.quad(
        lambda w: gamma.pdf(w) * stats.norm.pdf(error, 0, sigma / math.sqrt(w)),
        0,
        np.inf,
        epsabs=0,
    )[0]
    got = STUDENT.log_prob(one(error), np.zeros((1, 1, 1)), a).item()
    assert got == pytest.approx(math.log(density), rel=1e-8)


@DTYPES
@pytest.mark.parametrize("error", [1e-6, 1.0, 1e6, 1e15])
@pytest.mark.parametrize("a", [-80.0, 0.0, 20.0])
def test_a_far_outlier_costs_a_logarithm_and_pulls_little(dtype, error, a):
    x, mean, a = one(error, dtype), np.zeros((1, 1, 1), dtype), np.array([a], dtype)
    e, nu = mpmath.mpf(float(x.item())), mpmath.mpf(5)
    variance = mpmath.mpf(0.1) ** 2 + mpmath.exp(float(a.item()))
    log_p = (
        mpmath.loggamma((nu + 1) / 2)
        - mpmath.loggamma(nu / 2)
        - mpmath.log(mpmath.pi * nu * variance) / 2
        - (nu + 1) / 2 * mpmath.log(1 + e**2 / (nu * variance))
    )
    w = (nu + 1) / (nu + e**2 / variance)
    g = np.ones((1, 1), dtype)
    rounding = 200 * float(np.finfo(dtype).eps)
    got = STUDENT.log_prob(x, mean, a).item()
    assert got == pytest.approx(float(log_p), rel=rounding, abs=rounding)
    got = STUDENT.log_prob_backward(g, x, mean, a).item()
    assert got == pytest.approx(float(w * e / variance), rel=rounding)
    da = (w * e**2 / variance - 1) / 2 * mpmath.exp(float(a.item())) / variance
    got = STUDENT.log_prob_backward_learned(g, x, mean, a)["a"].item()
    assert got == pytest.approx(float(da), rel=rounding, abs=rounding)


@pytest.mark.equation("tables.5", "tables.6")
@pytest.mark.parametrize("seed", range(5))
def test_student_gradient(seed):
    assert_gradient(STUDENT, seed)


@pytest.mark.equation("tables.7")
def test_student_draws():
    likelihood, a, mean = StudentT(9, 0.8, 0.1), np.array([-3.0, 1.0]), np.array([3.0, -2.0])
    draws = likelihood.draw(np.tile(mean, (N, 1)), a, rng=np.random.default_rng(2))
    sigma = width(a, likelihood)
    for d in range(2):
        assert_distribution(draws[:, d], stats.t(9, mean[d], sigma[d]))
    assert_close_to(sigma**2 * 9 / 7, np.square(draws - mean))


@pytest.mark.equation("tables.8")
@pytest.mark.parametrize("dof", [2.1, 4, 50])
def test_student_floor_is_the_best_by_search(dof):
    likelihood = StudentT(dof, 0.8, 0.1)
    x = stats.t(3, [1, -50], [1, 20]).rvs((60, 2), random_state=np.random.default_rng(4))

    def best(column):
        def cost(v):
            return -stats.t.logpdf(column, dof, v[0], math.exp(v[1])).mean()

        return best_by_search(cost, [np.median(column), math.log(column.std())])

    assert likelihood.floor(x) == pytest.approx(sum(best(c) for c in x.T), rel=1e-7)


@pytest.mark.equation("tables.8")
def test_student_floor_of_a_column_that_hardly_varies_stops_at_the_limit():
    x = np.repeat([2.0, 2.0, 2.01], 20)[:, None]
    best = max(stats.t.logpdf(x, 5, m, 0.1).mean() for m in np.linspace(2, 2.01, 1001))
    assert STUDENT.floor(x) == pytest.approx(best, rel=1e-7)


# Counts


@pytest.mark.equation("tables.9")
@pytest.mark.parametrize("likelihood", [Poisson(), CLUMPS], ids=["poisson", "clumps"])
def test_counts_have_the_mean_they_say_and_their_draws_its_spread(likelihood):
    a = np.array([-2.0, 0.0, 1.5])
    learned = {"log_r": np.log([0.5, 2.0, 30.0])} if likelihood is CLUMPS else {}
    k = np.repeat(np.arange(600.0)[:, None], 3, axis=1)
    p = np.stack(
        [
            np.exp(
                likelihood.log_prob(
                    k[:, [d]], np.full((1, 600, 1), a[d]), **{n: v[[d]] for n, v in learned.items()}
                )[0]
            )
            for d in range(3)
        ],
        axis=1,
    )
    mean = (p * k).sum(axis=0)
    np.testing.assert_allclose(p.sum(axis=0), 1, rtol=1e-12)
    np.testing.assert_allclose(likelihood.mean(a), mean, rtol=1e-12)
    draws = likelihood.draw(np.tile(a, (N, 1)), rng=np.random.default_rng(5), **learned)
    assert_close_to(mean, draws)
    m, extra = np.exp(a), np.exp(2 * a - learned["log_r"]) if learned else 0
    np.testing.assert_allclose((p * (k - mean) ** 2).sum(axis=0), m + extra, rtol=1e-9)
    assert_close_to(m + extra, (draws - mean) ** 2)
    shares = np.stack([(draws == j).mean(axis=0) for j in range(3)])
    error = np.sqrt(p[:3] * (1 - p[:3]) / N)
    assert np.all(np.abs(shares - p[:3]) < STANDARD_ERRORS * error)
    np.testing.assert_allclose(likelihood.output_bias(mean), a, rtol=1e-9, atol=1e-12)


@pytest.mark.equation("tables.10")
@given(st.integers(0, 2**32))
def test_poisson_is_scipys(seed):
    x, a, _ = case(Poisson(), seed=seed)
    expected = stats.poisson.logpmf(x, np.exp(a)).sum(axis=-1)
    np.testing.assert_allclose(Poisson().log_prob(x, a), expected, rtol=1e-10)


@pytest.mark.equation("tables.11")
@pytest.mark.parametrize("seed", range(5))
def test_poisson_gradient(seed):
    assert_gradient(Poisson(), seed)


@pytest.mark.equation("tables.12")
@pytest.mark.parametrize("likelihood", [Poisson(), CLUMPS], ids=["poisson", "clumps"])
def test_floors_of_counts_are_the_best_by_search(likelihood):
    x = stats.nbinom(1.5, 0.2).rvs((80, 2), random_state=np.random.default_rng(6)).astype(float)
    x[:, 1] = np.arange(80) % 3 * 4

    def best(column):
        def cost(v):
            if likelihood is CLUMPS:
                r, m = np.exp(v)
                return -stats.nbinom.logpmf(column, r, r / (r + m)).mean()
            return -stats.poisson.logpmf(column, np.exp(v[1])).mean()

        return best_by_search(cost, [0.0, 1.0])

    assert likelihood.floor(x) == pytest.approx(sum(best(c) for c in x.T), rel=1e-7)


def test_floors_of_counts_that_never_vary():
    none = np.zeros((5, 1))
    assert Poisson().floor(none) == 0
    assert CLUMPS.floor(none) == pytest.approx(0, abs=1e-6)
    always = np.full((5, 1), 4.0)  # no variance: as r goes to infinity, a Poisson
    assert CLUMPS.floor(always) == pytest.approx(Poisson().floor(always), rel=1e-6)


@pytest.mark.equation("tables.13")
@given(st.integers(0, 2**32))
def test_negative_binomial_is_scipys(seed):
    x, a, learned = case(CLUMPS, seed=seed)
    r, m = np.exp(learned["log_r"]), np.exp(a)
    expected = stats.nbinom.logpmf(x, r, r / (r + m)).sum(axis=-1)
    np.testing.assert_allclose(CLUMPS.log_prob(x, a, **learned), expected, rtol=1e-9)


@pytest.mark.equation("tables.13")
@pytest.mark.parametrize("x", [0, 1, 40])
def test_negative_binomial_is_a_poisson_whose_rate_is_a_gamma_variable(x):
    m, r = 6.0, 1.7
    gamma = stats.gamma(r, scale=m / r)
    p = integrate.quad(lambda rate: gamma.pdf(rate) * stats.poisson.pmf(x, rate), 0, 300)[0]
    got = CLUMPS.log_prob(one(float(x)), np.log(m) * np.ones((1, 1, 1)), np.log([r])).item()
    assert got == pytest.approx(math.log(p), rel=1e-7)


@DTYPES
@pytest.mark.parametrize("log_r", [-12.0, 0.0, 9.0, 16.0, 34.0, 60.0])
@pytest.mark.parametrize("x", [0, 1, 3, 700, 2**24])
@pytest.mark.parametrize("log_m", [-6.0, 1.25, 16.5])
def test_counts_keep_their_digits(dtype, x, log_m, log_r):
    """Against mpmath: log Γs of one size, and ψs, cancel, at large counts and at large r."""
    count, a, log_r = (
        one(x, dtype),
        np.full((1, 1, 1), log_m, dtype),
        np.array([log_r], dtype),
    )
    g = np.ones((1, 1), dtype)
    with mpmath.workdps(80):
        m, r = mpmath.exp(float(a.item())), mpmath.exp(float(log_r.item()))
        log_p = (
            mpmath.loggamma(x + r)
            - mpmath.loggamma(r)
            - mpmath.loggamma(x + 1)
            + x * mpmath.log(m / (r + m))
            + r * mpmath.log(r / (r + m))
        )
        da = r * (x - m) / (r + m)
        dlog_r = r * (
            mpmath.digamma(x + r) - mpmath.digamma(r) + mpmath.log(r / (r + m)) + (m - x) / (r + m)
        )
        poisson = x * mpmath.log(m) - m - mpmath.loggamma(x + 1)
        size = float(x * r / (r + m) + r * m / (r + m))
        of_gammas = mpmath.loggamma(x + min(r, 1e6 * max(x, 1)) + 2)
    eps, lost = float(np.finfo(dtype).eps), 1e-12 + 1e-15 * float(of_gammas)
    got = CLUMPS.log_prob(count, a, log_r)
    assert got.dtype == dtype
    assert got.item() == pytest.approx(float(log_p), rel=4 * eps, abs=lost)
    got = CLUMPS.log_prob_backward(g, count, a, log_r)
    assert got.item() == pytest.approx(float(da), abs=20 * eps * (size + 1))
    got = CLUMPS.log_prob_backward_learned(g, count, a, log_r)["log_r"]
    assert got.item() == pytest.approx(float(dlog_r), rel=4 * eps, abs=1e-13 + 4e-14 * size)
    got = Poisson().log_prob(count, a).item()
    assert got == pytest.approx(float(poisson), rel=4 * eps, abs=lost)


@pytest.mark.equation("tables.14", "tables.15")
@pytest.mark.parametrize("seed", range(5))
def test_negative_binomial_gradient(seed):
    assert_gradient(CLUMPS, seed)


@pytest.mark.equation("observations.13")
@pytest.mark.parametrize("likelihood", OF_TABLES, ids=list(EVERY)[6:])
def test_the_slope_of_each_mean(likelihood):
    _, output, _ = case(likelihood, B=1, L=1)
    rng = np.random.default_rng(0)
    check_gradient(likelihood.mean, likelihood.mean_backward, (output[0],), rng=rng)


@pytest.mark.equation("likelihoods.7")
@pytest.mark.parametrize("likelihood", OF_TABLES, ids=list(EVERY)[6:])
def test_each_output_starts_at_the_mean_it_was_told(likelihood):
    _, output, _ = case(likelihood, B=1, L=1)
    mean = likelihood.mean(output[0, 0])
    bias = likelihood.output_bias(mean)
    np.testing.assert_allclose(likelihood.mean(bias), mean, rtol=1e-9, atol=1e-12)


# Terms


@ALL
@pytest.mark.equation("tables.16")
def test_terms_add_up_to_log_prob_and_each_is_its_own_columns(likelihood):
    x, output, learned = case(likelihood)
    terms = likelihood.terms(x, output, **learned)
    assert terms.shape == (3, 5, 4)
    total = likelihood.log_prob(x, output, **learned)
    np.testing.assert_allclose(terms.sum(axis=-1), total, rtol=1e-11)
    for d in range(4):
        moved = x.copy()
        moved[:, d] = x[[1, 2, 3, 4, 0], d]  # other rows' entries of the column
        changed = likelihood.terms(moved, output, **learned)
        others = np.arange(4) != d
        np.testing.assert_array_equal(changed[..., others], terms[..., others])


@ALL
@pytest.mark.equation("tables.17")
def test_terms_gradient(likelihood):
    assert_gradient(likelihood, 7, names=("terms", "log_prob"))


def test_every_likelihood_is_tried():
    assert {type(likelihood) for likelihood in EVERY.values()} == set(LIKELIHOODS.values())


@pytest.mark.parametrize("likelihood", OF_TABLES, ids=list(EVERY)[6:])
def test_each_agrees_with_itself(likelihood):
    x, _, _ = case(likelihood, B=2)
    if likelihood.allows_holes:  # its integral over what is hidden is no number
        x = likelihood.likelihood.draw(
            np.zeros((2, likelihood.output_width(4))),
            rng=np.random.default_rng(1),
            **likelihood.init_learned(np.float64, 4),
        )
    npvae.check_likelihood(likelihood, x, rng=np.random.default_rng(8), draws=4000)


# Standardised


@pytest.mark.equation("tables.18", "tables.22")
@given(st.integers(0, 2**32))
def test_standardised_is_the_same_distribution_in_other_units(seed):
    x, mean, learned = case(IN_UNITS, seed=seed)
    location = np.array(SHIFT) + np.array(SCALE) * mean
    sigma = np.array(SCALE) * width(learned["a"], STUDENT)
    terms = stats.t.logpdf(x, 5, location, sigma)
    np.testing.assert_allclose(IN_UNITS.terms(x, mean, **learned), terms, rtol=1e-7)
    got = IN_UNITS.log_prob(x, mean, **learned)
    np.testing.assert_allclose(got, terms.sum(axis=-1), rtol=1e-7)
    np.testing.assert_allclose(IN_UNITS.mean(mean), location, rtol=1e-12)
    u = IN_UNITS.encoder_input(x)
    np.testing.assert_allclose(u * SCALE + SHIFT, x, rtol=1e-9, atol=1e-9)
    bias = IN_UNITS.output_bias(x[0])
    np.testing.assert_allclose(IN_UNITS.mean(bias), x[0], rtol=1e-9, atol=1e-9)


@pytest.mark.equation("tables.18")
def test_a_standardised_density_integrates_to_one():
    likelihood = Standardized(WIDTHS, (300.0,), (50.0,))
    x = np.linspace(-1200, 1800, 3001)[:, None]
    p = np.exp(likelihood.log_prob(x, np.full((1, 3001, 1), 0.4), a=np.array([0.2]))[0])
    assert p.sum() == pytest.approx(1, rel=1e-12)  # steps of 1
    assert p @ x[:, 0] == pytest.approx(likelihood.mean(np.array([0.4])).item(), rel=1e-12)


@pytest.mark.equation("tables.18")
def test_standardised_draws_gradient_and_floor():
    a, mean = np.array([-3.0, 1.0, 0.0, 0.5]), np.array([3.0, -2.0, 0.0, 1.0])
    draws = IN_UNITS.draw(np.tile(mean, (N, 1)), rng=np.random.default_rng(2), a=a)
    for d in range(4):
        place, sigma = SHIFT[d] + SCALE[d] * mean[d], SCALE[d] * width(a, STUDENT)[d]
        assert_distribution(draws[:, d], stats.t(5, place, sigma))
    assert_gradient(IN_UNITS, 0, names=("log_prob", "terms"))
    some = draws[:100]
    u = (some - SHIFT) / SCALE
    expected = STUDENT.floor(u) - np.log(SCALE).sum()
    assert IN_UNITS.floor(some) == pytest.approx(expected, rel=1e-12)


def test_shift_and_scale_are_the_columns_own():
    rng = np.random.default_rng(9)
    x = rng.normal(SHIFT, SCALE, (50, 4))
    x[rng.random(x.shape) < 0.3] = np.nan
    x[:, 3] = 7
    likelihood = Standardized.of(x, WIDTHS)
    np.testing.assert_allclose(likelihood.shift, np.nanmean(x, axis=0), rtol=1e-12)
    scale = np.append(np.nanstd(x, axis=0)[:3], 1)
    np.testing.assert_allclose(likelihood.scale, scale, rtol=1e-12)
    counts = np.array([[1, 250], [2, 5]], np.uint8)
    assert Standardized.of(counts, WIDTHS).shift == (1.5, 127.5)


def make(likelihood, D=4, seed=0, dtype=np.float64, **options):
    options = {"hidden": (6,), "latent_dim": 2} | options
    rng = np.random.default_rng(seed)
    vae = npvae.VAE.init(D, likelihood=likelihood, dtype=dtype, rng=rng, **options)
    for array in vae.params.arrays().values():
        array[...] += rng.normal(0, 0.3, array.shape)
    return vae


@pytest.mark.equation("tables.18")
def test_a_bound_in_grams_compares_models_as_one_in_kilograms():
    kilograms = np.random.default_rng(10).normal([3.0, 70.0], [1.0, 15.0], (40, 2))
    noise = np.random.default_rng(11).standard_normal((3, 40, 2))
    bounds = np.array(
        [
            [
                npvae.elbo(make(Standardized.of(x, STUDENT), 2, seed=seed), x, noise).bound.mean()
                for seed in range(2)
            ]
            for x in (kilograms, 1000 * kilograms)
        ]
    )
    np.testing.assert_allclose(bounds[0] - bounds[1], 2 * math.log(1000), rtol=1e-9)
    assert abs(bounds[0, 0] - bounds[0, 1]) > 0.01


# Products and holes


@st.composite
def tables(draw):
    """A product over columns in any order and groups, and rows with any holes."""
    D, rng = draw(st.integers(1, 6)), np.random.default_rng(draw(st.integers(0, 2**32)))
    order = draw(st.permutations(range(D)))
    kinds = [draw(st.sampled_from([WIDTHS, STUDENT, Poisson(), CLUMPS, CLASSES])) for _ in order]
    parts, start = [], 0
    while start < D:
        stop = draw(st.integers(start + 1, D))
        parts.append((order[start:stop], kinds[start]))
        start = stop
    likelihood = Product(parts)
    B, L = draw(st.integers(1, 4)), draw(st.sampled_from([1, 3]))
    x, output, learned = case(likelihood, B=B, L=L, D=D, seed=int(rng.integers(2**32)))
    holes = rng.random(x.shape) < draw(st.sampled_from([0, 0.3, 1]))
    return likelihood, x, output, learned, holes


def columns_by_scipy(likelihood, x, output, learned):
    """log p(x_d|z), (L, B, D)."""
    terms, start = np.empty((len(output), *x.shape)), 0
    for i, (columns, part) in enumerate(likelihood.parts):
        for j, d in enumerate(columns):
            at = start + j
            a = output[..., at]
            if part is WIDTHS:
                sigma = width(learned[f"{i}/a"][j], part)
                terms[..., d] = stats.norm.logpdf(x[:, d], a, sigma)
            elif part is STUDENT:
                terms[..., d] = stats.t.logpdf(x[:, d], 5, a, width(learned[f"{i}/a"][j], part))
            elif part is CLUMPS:
                r = np.exp(learned[f"{i}/log_r"][j])
                terms[..., d] = stats.nbinom.logpmf(x[:, d], r, r / (r + np.exp(a)))
            elif part is CLASSES:
                logits = output[..., start + 3 * j : start + 3 * j + 3]
                p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
                k = x[:, d].astype(int)
                terms[..., d] = np.log(p[:, np.arange(len(x)), k])
            else:
                terms[..., d] = stats.poisson.logpmf(x[:, d], np.exp(a))
        start += len(columns) * (3 if part is CLASSES else 1)
    return terms


@pytest.mark.equation("tables.19", "tables.20")
@given(tables())
def test_a_product_is_the_sum_of_its_columns_and_holes_leave_theirs_out(table):
    likelihood, x, output, learned, holes = table
    terms = columns_by_scipy(likelihood, x, output, learned)
    close = {"rtol": 1e-8, "atol": 1e-9}
    np.testing.assert_allclose(likelihood.terms(x, output, **learned), terms, **close)
    got = likelihood.log_prob(x, output, **learned)
    np.testing.assert_allclose(got, terms.sum(axis=-1), **close)
    x[holes], terms[:, holes] = np.nan, 0
    of_seen = Holes(likelihood)
    np.testing.assert_allclose(of_seen.terms(x, output, **learned), terms, **close)
    got = of_seen.log_prob(x, output, **learned)
    np.testing.assert_allclose(got, terms.sum(axis=-1), **close)
    means = likelihood.mean(output)
    np.testing.assert_array_equal(of_seen.mean(output), means)
    assert means.shape == (len(output), *x.shape)


@pytest.mark.equation("tables.19", "tables.20")
@settings(max_examples=10)
@given(tables())
def test_gradients_of_products_and_holes(table):
    likelihood, x, output, learned, holes = table
    x[holes] = np.nan
    for of, rows in ((likelihood, np.where(holes, 0, x)), (Holes(likelihood), x)):

        def forward(output, *values, of=of, rows=rows):
            return of.log_prob(rows, output, **dict(zip(learned, values, strict=True)))

        def backward(dy, output, *values, of=of, rows=rows):
            own = dict(zip(learned, values, strict=True))
            slopes = of.log_prob_backward_learned(dy, rows, output, **own)
            return of.log_prob_backward(dy, rows, output, **own), *(slopes[n] for n in own)

        args = (output, *learned.values())
        check_gradient(forward, backward, args, rng=np.random.default_rng(1), tolerance=1e-8)


@pytest.mark.equation("tables.19")
@pytest.mark.parametrize("likelihood", [MIXED, Holes(MIXED)], ids=["product", "holes"])
def test_a_product_puts_means_draws_and_floors_where_their_columns_are(likelihood):
    output = np.array([0.5, -1.0, 0.7, 0.1, 0.9, -0.3])  # columns 2, 0, 1, and 3's three
    p = np.exp(output[3:]) / np.exp(output[3:]).sum()
    mean = [-1.0, math.exp(0.7), 0.5, p @ [0, 1, 2]]
    np.testing.assert_allclose(likelihood.mean(output), mean, rtol=1e-12)
    learned = {"0/a": np.array([-1.0, 0.5]), "1/log_r": np.array([1.2])}
    draws = likelihood.draw(np.tile(output, (N, 1)), rng=np.random.default_rng(3), **learned)
    assert_close_to(mean, draws)
    assert_distribution(draws[:, 0], stats.norm(-1, width(0.5, WIDTHS)))
    assert_distribution(draws[:, 2], stats.norm(0.5, width(-1.0, WIDTHS)))
    bias = likelihood.output_bias(np.array(mean))
    np.testing.assert_allclose(likelihood.mean(bias), mean, rtol=1e-9)
    some = draws[:60]
    floors = WIDTHS.floor(some[:, [0]]) + WIDTHS.floor(some[:, [2]]) + CLUMPS.floor(some[:, [1]])
    assert likelihood.floor(some) == pytest.approx(floors + CLASSES.floor(some[:, [3]]), rel=1e-9)


@pytest.mark.equation("tables.20")
def test_what_is_hidden_is_integrated_out():
    """Over a real number by quadrature, over a count and a category by adding up."""
    likelihood = Product([([0], STUDENT), ([1], CLUMPS), ([2], CLASSES), ([3], WIDTHS)])
    _, output, learned = case(likelihood, B=1, L=1)
    u = np.linspace(-9, 9, 721)
    real, step = np.sinh(u), np.cosh(u) * (u[1] - u[0])
    values = {0: real, 1: np.arange(2000.0), 2: np.arange(3.0), 3: real}
    x = np.array([0.3, 2.0, 1.0, -0.4])
    for hidden in ([0], [1], [2], [3], [0, 2], [1, 2], [0, 3]):
        grids = np.meshgrid(*(values[d] for d in hidden), indexing="ij")
        weights = [step if d in (0, 3) else np.ones(len(values[d])) for d in hidden]
        rows = np.tile(x, (grids[0].size, 1))
        rows[:, hidden] = np.stack([grid.ravel() for grid in grids], axis=1)
        weight = np.prod(np.meshgrid(*weights, indexing="ij"), axis=0).ravel()
        outputs = np.tile(output, (1, len(rows), 1))
        mass = np.exp(likelihood.log_prob(rows, outputs, **learned)[0]) @ weight
        seen = x.copy()
        seen[hidden] = np.nan
        got = Holes(likelihood).log_prob(seen[None], output, **learned).item()
        assert got == pytest.approx(math.log(mass), abs=1e-6), hidden


@pytest.mark.equation("tables.20")
def test_a_floor_with_holes_counts_each_column_over_the_rows_that_show_it():
    x, _, _ = case(Holes(MIXED), B=60)
    x[:, 1] = np.nan  # a column that nobody saw
    shown = ~np.isnan(x)
    kinds = {0: WIDTHS, 2: WIDTHS, 3: CLASSES}
    total = sum(shown[:, d].mean() * kinds[d].floor(x[shown[:, d], d][:, None]) for d in kinds)
    assert Holes(MIXED).floor(x) == pytest.approx(total, rel=1e-12)


@pytest.mark.equation("tables.21")
def test_a_bound_over_what_was_seen_falls_short_by_the_divergence_from_the_posterior():
    """One z, so that both sides are integrals over a line."""
    vae = make(Holes(MIXED), latent_dim=1)
    x, _, _ = case(Holes(MIXED), B=4, seed=3)
    mu, logvar = vae.encode(x)
    z, step = np.linspace(-28, 28, 11_201, retstep=True)
    _, output = npvae.dense.stack(z[:, None], vae.params.decoder, npvae.ACTIVATIONS["tanh"])
    learned = vae.params.likelihood
    for b, row in enumerate(x):
        log_joint = stats.norm.logpdf(z) + columns_by_scipy(
            MIXED, np.nan_to_num(row)[None], output[:, None], learned
        )[:, 0, ~np.isnan(row)].sum(axis=-1)
        log_px = math.log(np.exp(log_joint).sum() * step)
        q = stats.norm(mu[b, 0], math.exp(logvar[b, 0] / 2))
        gap = np.sum(q.pdf(z) * (q.logpdf(z) - (log_joint - log_px))) * step
        noise = np.linspace(-9, 9, 1801)
        trace = npvae.elbo(vae, row[None], noise[:, None, None])
        bound = trace.log_px_z[:, 0] @ stats.norm.pdf(noise) * 0.01 - trace.kl[0]
        assert gap > 0
        assert bound == pytest.approx(log_px - gap, rel=1e-6)


@pytest.mark.equation("tables.22")
def test_what_the_encoder_reads():
    x = np.array([[1.5, 3.0, np.nan, 2.0], [np.nan, np.nan, -0.5, np.nan], [0.0, 0.0, 0.0, 0.0]])
    read = Holes(MIXED).encoder_input(x)
    expected = [
        [0, 1.5, math.log(4), 0, 0, 1, 1, 1, 0, 1],
        [-0.5, 0, 0, 0, 0, 0, 0, 0, 1, 0],
        [0, 0, 0, 1, 0, 0, 1, 1, 1, 1],
    ]
    np.testing.assert_allclose(read, expected, rtol=1e-15)
    assert Holes(MIXED).input_width(4) == 10
    in_units = Holes(IN_UNITS).encoder_input(x[:1])
    expected = [(1.5 - 5) / 2, 3.03, 0, (2 - 0.02) / 0.001, 1, 1, 0, 1]
    np.testing.assert_allclose(in_units, [expected], rtol=1e-9)
    for likelihood in EVERY.values():
        x, _, _ = case(likelihood)
        assert likelihood.encoder_input(x).shape == (5, likelihood.input_width(4))
        assert likelihood.data_dim(likelihood.input_width(4)) == 4
        assert likelihood.encoder_input(x.astype(np.float32)).dtype == np.float32


@pytest.mark.equation("tables.22")
def test_what_the_encoder_reads_of_each_kind():
    x = np.array([[0.0, 2.0]])
    np.testing.assert_array_equal(WIDTHS.encoder_input(x), x)
    np.testing.assert_allclose(CLASSES.encoder_input(x), [[1, 0, 0, 0, 0, 1]])
    np.testing.assert_array_equal(Categorical(3).encoder_input(x / 2), x / 2)
    np.testing.assert_allclose(Poisson().encoder_input(x), [[0, math.log(3)]])
    product = Product([([1], Poisson()), ([0], CLASSES)])
    np.testing.assert_allclose(product.encoder_input(x), [[math.log(3), 1, 0, 0]])


# Whole models


@pytest.mark.parametrize("likelihood", [Holes(MIXED), Holes(IN_UNITS), CLUMPS, CLASSES], ids=repr)
def test_a_whole_models_gradient(likelihood):
    vae = make(likelihood)
    x, _, _ = case(likelihood)
    noise = np.random.default_rng(1).standard_normal((2, 5, 2))
    npvae.check_model_gradient(vae, x, noise, rng=np.random.default_rng(2))


@pytest.mark.parametrize("likelihood", OF_TABLES, ids=list(EVERY)[6:])
def test_a_file_gives_it_back(likelihood, tmp_path):
    vae = make(likelihood, dtype=np.float32)
    x = case(likelihood)[0].astype(np.float32)
    vae.save(tmp_path / "vae.npz")
    loaded = npvae.VAE.load(tmp_path / "vae.npz")
    assert loaded.likelihood == likelihood
    assert repr(loaded) == repr(vae)
    for ours, theirs in zip(vae.encode(x), loaded.encode(x), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("likelihood", OF_TABLES, ids=list(EVERY)[6:])
def test_float32_stays_float32(likelihood):
    x, output, _ = case(likelihood)
    x, output = x.astype(np.float32), output.astype(np.float32)
    learned = likelihood.init_learned(np.float32, 4)
    g, dterms = np.ones((3, 5), np.float32), np.ones((3, 5, 4), np.float32)
    results = [
        likelihood.log_prob(x, output, **learned),
        likelihood.log_prob_backward(g, x, output, **learned),
        likelihood.terms(x, output, **learned),
        likelihood.terms_backward(dterms, x, output, **learned),
        likelihood.mean(output),
        likelihood.draw(output, rng=np.random.default_rng(0), **learned),
    ]
    if learned:
        results += likelihood.log_prob_backward_learned(g, x, output, **learned).values()
        results += likelihood.terms_backward_learned(dterms, x, output, **learned).values()
    assert {result.dtype for result in results} == {np.dtype(np.float32)}


def linear_model():
    """x = W z + b + noise, of which E[x|x_seen] is known; an encoder that is no posterior's."""
    vae = make(Holes(ColumnGaussian(0.6, 0.1)), 3, hidden=(), latent_dim=2)
    for array in vae.params.encoder[0]:
        array *= 0.3
    W, b = vae.params.decoder[0]
    covariance = W.T @ W + np.diag(
        width(vae.params.likelihood["a"], vae.likelihood.likelihood) ** 2
    )
    return vae, b, covariance


@pytest.mark.equation("tables.23", "tables.24")
def test_imputing_in_a_linear_model_is_regression():
    """Errors in standard errors of the effective samples and of the draws."""
    vae, b, C = linear_model()
    for hidden in ([0], [2], [0, 1]):
        seen = np.setdiff1d(np.arange(3), hidden)
        x = np.array([[1.2, -0.9, 0.5]])
        slope = C[np.ix_(hidden, seen)] @ np.linalg.inv(C[np.ix_(seen, seen)])
        expected = b[hidden] + slope @ (x[0, seen] - b[seen])
        variance = C[np.ix_(hidden, hidden)] - slope @ C[np.ix_(seen, hidden)]
        given_x = x.copy()
        given_x[0, hidden] = np.nan
        filled = impute(vae, given_x, draws=N, samples=N, rng=np.random.default_rng(4))
        effective = filled.effective_samples[0]
        assert N / 20 < effective < N
        np.testing.assert_array_equal(filled.x[0, seen], x[0, seen])
        np.testing.assert_array_equal(filled.draws[:, 0, seen], np.tile(x[0, seen], (N, 1)))
        error = np.sqrt(np.diag(variance) * (1 / effective + 1 / N))
        assert np.all(np.abs(filled.x[0, hidden] - expected) < STANDARD_ERRORS * error)
        draws = filled.draws[:, 0, hidden]
        assert np.all(np.abs(draws.mean(axis=0) - expected) < STANDARD_ERRORS * error)
        spread = np.cov(draws.T).reshape(variance.shape)
        of_spread = np.sqrt(2 * np.outer(np.diag(variance), np.diag(variance)))
        error = of_spread * math.sqrt(1 / effective + 1 / N)
        assert np.all(np.abs(spread - variance) < STANDARD_ERRORS * error)
        low, high = filled.interval(0.5)
        quartile = stats.norm.ppf(0.75) * np.sqrt(np.diag(variance))
        half = (high - low)[0, hidden] / 2
        np.testing.assert_allclose(half, quartile, rtol=12 / math.sqrt(effective))


def test_imputed_says_what_it_is_and_warns_of_few():
    vae, _, _ = linear_model()
    x = np.array([[1.0, np.nan, 0.5], [np.nan, np.nan, np.nan]])
    filled = impute(vae, x, draws=3, samples=500, rng=np.random.default_rng(0))
    assert str(filled).startswith("2 rows of 3 columns, each hole filled in 3 ways; effective")
    again = impute(vae, x, draws=3, samples=500, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(filled.draws, again.draws)
    W, b = vae.params.decoder[0]
    W *= 100  # a posterior that few draws of q hit
    with pytest.warns(npvae.UnreliableWarning, match="1 of 2 rows rest on fewer than 10"):
        impute(vae, x, draws=3, samples=100, rng=np.random.default_rng(0))
    b[0] = np.nan
    with pytest.raises(FloatingPointError, match="a weight is not finite"):
        impute(vae, x, rng=np.random.default_rng(0))


def test_few_samples_that_were_asked_for_are_not_told():
    """q is the posterior where z says nothing: each draw counts."""
    vae, _, _ = linear_model()
    for array in (*vae.params.encoder[0], vae.params.decoder[0].W):
        array[:] = 0
    filled = impute(vae, [[0.1, np.nan, 0.2]], draws=2, samples=4, rng=np.random.default_rng(0))
    assert filled.effective_samples == pytest.approx([4])


@pytest.mark.filterwarnings("ignore:no latent unit is active")  # there is nothing for z to say
def test_the_dispersion_of_a_table_of_counts_is_recovered():
    """r of each column, within five standard errors of its logarithm."""
    rng, r, m = np.random.default_rng(12), np.array([0.5, 4.0]), np.array([3.0, 20.0])
    x = rng.poisson(rng.gamma(r, m / r, (4000, 2))).astype(np.float32)
    vae = npvae.VAE.init(
        2, hidden=(), latent_dim=1, likelihood=NegativeBinomial(), x_mean=x.mean(axis=0), rng=rng
    )
    for _ in npvae.train(vae, x, epochs=12, batch_size=200, optimizer=npvae.Adam(0.02), rng=rng):
        pass
    log_r = vae.params.likelihood["log_r"].astype(float)
    for d in range(2):
        k = np.arange(2000)
        p = stats.nbinom.pmf(k, r[d], r[d] / (r[d] + m[d]))
        h = 1e-4
        up, down = (stats.nbinom.logpmf(k, s, s / (s + m[d])) for s in r[d] * np.exp([h, -h]))
        information = 4000 * np.sum(p * ((up - down) / (2 * h)) ** 2)
        assert abs(log_r[d] - math.log(r[d])) < 5 / math.sqrt(information)
    np.testing.assert_allclose(vae.sample(2000, rng=rng).mean(axis=0), m, rtol=0.1)


def test_a_model_of_a_table_with_holes_learns_evaluates_and_is_diagnosed():
    rng = np.random.default_rng(13)
    t = rng.standard_normal(300)
    x = np.stack([t, rng.poisson(np.exp(t)), -t + 0.1 * rng.standard_normal(300), t > 0], axis=1)
    x[rng.random(x.shape) < 0.2] = np.nan
    kinds = Product([([0, 2], ColumnGaussian()), ([1], Poisson()), ([3], Bernoulli())])
    likelihood = Holes(kinds)
    vae = make(likelihood, dtype=np.float32, hidden=(16,))
    for _ in npvae.train(vae, x, epochs=80, batch_size=50, optimizer=npvae.Adam(0.01), rng=rng):
        pass
    found = npvae.evaluate(vae, x, rng=rng)
    assert found.elbo > likelihood.floor(x) + 0.5
    assert "floor" in str(npvae.diagnose(vae, x.astype(np.float32)))
    held = np.array([[1.0, np.nan, np.nan, np.nan], [-1.0, np.nan, np.nan, np.nan]])
    filled = impute(vae, held, samples=400, rng=rng).x
    assert filled[0, 2] < -0.3 < 0.3 < filled[1, 2]
    assert filled[0, 1] > filled[1, 1]
    assert vae.reconstruct(x).shape == x.shape
    assert not np.isnan(vae.sample(3, rng=rng, draw=True)).any()
    mask = np.array([True, False, True, True])
    restored = restore(vae, np.nan_to_num(x[:2]), Pixels(mask), rng=rng)
    np.testing.assert_allclose(restored.mean[:, mask], np.nan_to_num(x[:2])[:, mask], rtol=1e-6)


def test_a_conditional_vae_may_standardise():
    """In units of its own it is the model of u, less Σ log scale."""
    rng = np.random.default_rng(14)
    choices = {"condition_dim": 3, "latent_dim": 2, "hidden": (5,), "dtype": np.float64}
    model = ConditionalVAE.init(4, likelihood=IN_UNITS, rng=rng, **choices)
    plain = ConditionalVAE.init(4, likelihood=STUDENT, rng=np.random.default_rng(14), **choices)
    x, _, _ = case(IN_UNITS)
    condition, noise = rng.standard_normal((5, 3)), rng.standard_normal((2, 5, 2))
    u = IN_UNITS.standardize(x)
    ours, theirs = (
        conditional_elbo(model, x, condition, noise),
        conditional_elbo(plain, u, condition, noise),
    )
    np.testing.assert_allclose(ours.bound, theirs.bound - np.log(SCALE).sum(), rtol=1e-12)
    gradients = (
        conditional_elbo_backward(np.ones(5), of, rows, condition, noise, trace).arrays()
        for of, rows, trace in ((model, x, ours), (plain, u, theirs))
    )
    for mine, other in zip(*(g.values() for g in gradients), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-12)
    one_condition = model.given(condition[0])
    np.testing.assert_allclose(
        model.encode(x, np.tile(condition[0], (5, 1)))[0].shape, one_condition.encode(x)[0].shape
    )


# What is refused


W = ColumnGaussian()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ColumnGaussian(0.01, 0.01), "sigma is 0.01; expected a finite number > 0.01"),
        (lambda: ColumnGaussian(1, 0), "min_sigma is 0; expected a finite number > 1e-15"),
        (lambda: StudentT(2), "dof is 2; expected a finite number > 2 and < 1e+06"),
        (lambda: StudentT("4"), "dof is '4' (str); expected a number"),
        (lambda: NegativeBinomial(0), "r is 0; expected a finite number > 1e-06"),
        (lambda: Categorical(3, whole=1), "whole is 1; expected True or False"),
        (lambda: Standardized(W, (0, 0), (1, 0)), "scale[1] is 0; expected scale > 0"),
        (lambda: Standardized(W, (0, 0), (1,)), "shift has 2 entries and scale 1; expected as"),
        (lambda: Standardized(W, (0, np.nan), (1, 1)), "shift[1] is nan; expected a finite"),
        (lambda: Standardized(W, 0, 1), "shift has shape (); expected (D,), D >= 1"),
        (lambda: Standardized(W, "a", (1,)), "shift is 'a' (str); expected an array of real"),
        (lambda: Standardized(Poisson(), (0,), (1,)), "only one of real numbers without an end"),
        (lambda: Standardized(Bernoulli(), (0,), (1,)), "only one of real numbers without an end"),
        (lambda: Standardized(Holes(W), (0,), (1,)), "only one of real numbers without an end"),
        (lambda: Standardized.of([1, 2], W), "x has shape (2,); expected (N, D), neither of"),
        (lambda: Standardized.of([["a"]], W), "x holds <U1 entries; expected real numbers"),
        (lambda: Standardized.of([[1, np.nan]], W), "x[:, 1] holds no number; drop the column"),
        (lambda: Standardized.of([[1, np.inf], [2, 0]], W), "x[:, 1] spans [0, inf]; expected"),
        (lambda: Standardized.of([[1e300], [0]], W), "x[:, 0] spans [0, 1e+300]; expected"),
        (lambda: Standardized.of([[1e9], [1e9 + 1]], W), "subtract 1e+09 from it first"),
        (lambda: Product([]), "the parts have the columns none; expected 0 … D − 1"),
        (lambda: Product(3), "parts is 3; expected pairs (columns, likelihood)"),
        (lambda: Product("ab"), "parts[0] is 'a'; expected a pair (columns, likelihood)"),
        (lambda: Product([([0], W, 1)]), "expected a pair (columns, likelihood)"),
        (lambda: Product([([0, 1], W), ([1, 2], W)]), "the parts have the columns 0–1, 1–2;"),
        (lambda: Product([([0], W), ([2], W)]), "the parts have the columns 0, 2; expected"),
        (lambda: Product([([0.0], W)]), "parts[0] has the column 0.0; expected an integer >= 0"),
        (lambda: Product([("0", W)]), "parts[0] has the columns '0'; expected integers"),
        (lambda: Product([(0, W)]), "parts[0] has the columns 0; expected integers"),
        (lambda: Product([([], W), ([0], W)]), "parts[0] has no columns, and ColumnGaussian"),
        (lambda: Product([([0], "x")]), "likelihood is 'x'; expected an instance of"),
        (lambda: Product([([0], Holes(W))]), "; expected Holes(Product(…))"),
        (lambda: Product([([0], IN_UNITS)]), "parts[0] has 1 columns, and Standardized("),
        (lambda: Holes(LearnedGaussian()), "take ColumnGaussian() in its place"),
        (
            lambda: Holes(Product([([0], W), ([1], LearnedGaussian())])),
            "take ColumnGaussian() in its place",
        ),
        (lambda: Holes(Holes(W)), "which has them already"),
        (lambda: Holes(Bernoulli), "expected an instance of a npvae.Likelihood"),
        (lambda: make(MIXED, 5), "data_dim is 5; the likelihood Product("),
        (lambda: make(IN_UNITS, 3), "data_dim is 3; the likelihood Standardized("),
        (lambda: autoencoder(Autoencoder), "whose encoder reads other numbers than x"),
        (lambda: autoencoder(SemiSupervisedVAE, classes=2), "whose encoder reads other numbers"),
    ],
)
def test_what_cannot_be_is_refused(build, message):
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        build()


def autoencoder(kind, **options):
    rng = np.random.default_rng(0)
    return kind.init(4, hidden=(3,), latent_dim=2, likelihood=MIXED, rng=rng, **options)


GOOD = [[0.1, 2, 0.3, 1], [0.2, 0, 0.3, 2]]


@pytest.mark.parametrize(
    ("column", "bad", "message"),
    [
        (1, np.inf, "x[1, 1] is inf; expected finite float64 numbers"),
        (1, -1, "x[:, [1]][1, 0] is -1.0; the likelihood expects counts: whole numbers in 0 …"),
        (1, 2.5, "x[:, [1]][1, 0] is 2.5; the likelihood expects counts"),
        (1, 2**25, "is 33554432.0; the likelihood expects counts: whole numbers in 0 … 16777216"),
        (3, 3, "x[:, [3]] spans [1, 3]; Categorical(levels=3, whole=True) expects whole numbers"),
        (3, -1, "spans [-1, 1]; Categorical(levels=3, whole=True) expects whole numbers in 0 … 2"),
        (3, 1.5, "x[:, [3]] holds 1.5; a Categorical likelihood with 3 levels expects k with"),
    ],
)
@pytest.mark.parametrize("likelihood", [MIXED, Holes(MIXED)], ids=["whole", "holes"])
def test_rows_that_cannot_be_are_refused(likelihood, column, bad, message):
    x = np.array(GOOD, np.float64)
    x[1, column] = bad
    with pytest.raises(ValueError, match=re.escape(message)):
        make(likelihood).encode(x)


def test_holes_are_refused_where_they_are_not_expected():
    x = np.array(GOOD)
    x[1, 0] = np.nan
    with pytest.raises(ValueError, match=re.escape("x[1, 0] is nan; expected finite float64")):
        make(MIXED).encode(x)
    with pytest.raises(TypeError, match=r"expected Holes\(…\), with which the model learned"):
        impute(make(MIXED), np.array(GOOD), rng=np.random.default_rng(0))
    vae, rng = make(Holes(MIXED)), np.random.default_rng(0)
    for options in ({"draws": 0}, {"samples": 0}):
        with pytest.raises(ValueError, match="is 0; expected an integer >= 1"):
            impute(vae, x, rng=rng, **options)
    with pytest.raises(TypeError, match="rng is 0"):
        impute(vae, x, rng=0)
    filled = impute(linear_model()[0], np.array([[np.nan, 0.0, 0.5]]), rng=rng)
    with pytest.raises(ValueError, match="level is 1; expected"):
        filled.interval(1)


def test_an_empty_row_and_an_empty_column_are_no_error():
    x = np.array(GOOD)
    x[0], x[:, 1] = np.nan, np.nan
    vae = make(Holes(MIXED))
    assert np.isfinite(vae.encode(x)).all()
    trace = npvae.elbo(vae, x, np.zeros((1, 2, 2)))
    assert trace.log_px_z[0, 0] == 0
    assert np.isfinite(trace.bound).all()


def test_a_mean_of_counts_may_not_be_negative():
    rng = np.random.default_rng(0)
    options = {"latent_dim": 1, "likelihood": Poisson(), "rng": rng}
    with pytest.raises(ValueError, match="x_mean holds -1; a mean of counts is >= 0"):
        npvae.VAE.init(2, x_mean=[0.5, -1], **options)
    vae = npvae.VAE.init(2, x_mean=[0.5, 0], **options)
    np.testing.assert_allclose(vae.params.decoder[-1].b, np.log([0.5, 0.001]), rtol=1e-6)


def test_a_mean_that_a_part_cannot_have_is_refused():
    kinds = Product([([0], W), ([1], Poisson())])
    with pytest.raises(ValueError, match=re.escape("x_mean[:, [1]] holds -1")):
        kinds.check_mean("x_mean", np.array([[-1.0, -1.0]]))
