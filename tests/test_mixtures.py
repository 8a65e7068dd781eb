"""Mixtures: densities against SciPy, each M step against a search, EM against its own promise."""

import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import logsumexp
from scipy.stats import bernoulli, chisquare, multivariate_normal

import npvae
from npvae import exact, kernels
from npvae.relatives import (
    Bernoullis,
    DiagonalGaussians,
    FullGaussians,
    Mixture,
    SphericalGaussians,
    best_start,
    em,
    from_decoder,
)
from npvae.relatives.mixtures import starts
from npvae.relatives.mixtures.families import BernoulliParams
from npvae.relatives.mixtures.gaussians import GaussianParams
from npvae.relatives.mixtures.posterior import posterior, without_dust

FAMILIES = {
    "Bernoulli": Bernoullis(1.0),
    "spherical": SphericalGaussians(0.1),
    "diagonal": DiagonalGaussians(0.1),
    "full": FullGaussians(0.1),
}
every_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
every_gaussian = pytest.mark.parametrize("name", ["spherical", "diagonal", "full"])
seeds = st.integers(0, 2**32 - 1)


def rng(seed=0):
    return np.random.default_rng(seed)


def draw_data(family, N, D, seed, dtype=np.float64):
    """Three heaps of rows."""
    r = rng(seed)
    heap = r.integers(3, size=N)
    if isinstance(family, Bernoullis):
        return (r.random((N, D)) < r.random((3, D))[heap]).astype(dtype)
    width = r.uniform(0.3, 2, (3, D))
    return (2 * r.standard_normal((3, D))[heap] + width[heap] * r.standard_normal((N, D))).astype(
        dtype
    )


def random_mixture(family, K, D, seed=0):
    r = rng(seed)
    log_weights = np.log(r.dirichlet(np.full(K, 3.0)))
    if isinstance(family, Bernoullis):
        return Mixture(family, log_weights, BernoulliParams(r.normal(0, 1.5, (K, D))), D)
    mean = r.normal(0, 1.5, (K, D))
    if isinstance(family, SphericalGaussians):
        variance = r.uniform(0.3, 2, K)
    elif isinstance(family, DiagonalGaussians):
        variance = r.uniform(0.3, 2, (K, D))
    else:
        A = r.normal(0, 0.7, (K, D, D))
        variance = A @ A.swapaxes(1, 2) + 0.2 * np.eye(D)
    return Mixture(family, log_weights, GaussianParams(mean, variance), D)


def covariances(mixture):
    """(K, D, D), whatever the shape."""
    v, eye = mixture.params.variance, np.eye(mixture.data_dim)
    if v.ndim == 1:
        return v[:, None, None] * eye
    return v[:, :, None] * eye if v.ndim == 2 else v


def plain_log_joint(mixture, x):
    """log π_k + log p(x|k) by SciPy, (N, K)."""
    columns = []
    for k, log_weight in enumerate(mixture.log_weights):
        if isinstance(mixture.family, Bernoullis):
            p = 1 / (1 + np.exp(-mixture.params.logits[k]))
            log_px_k = bernoulli.logpmf(x.astype(int), p).sum(axis=1)
        else:
            normal = multivariate_normal(mixture.params.mean[k], covariances(mixture)[k])
            log_px_k = normal.logpdf(x).reshape(len(x))
        columns.append(log_weight + log_px_k)
    return np.stack(columns, axis=1)


# The density


@pytest.mark.equation("mixtures.2", "mixtures.3", "mixtures.4", "mixtures.5", "mixtures.1")
@pytest.mark.parametrize("D", [1, 4])
def test_log_px_and_responsibilities_are_scipys(D):
    for seed, family in enumerate(FAMILIES.values()):
        mixture = random_mixture(family, 3, D, seed)
        x = draw_data(family, 50, D, seed)
        joint = plain_log_joint(mixture, x)
        log_px = logsumexp(joint, axis=1)
        np.testing.assert_allclose(mixture.log_px(x), log_px, rtol=1e-12, atol=1e-12)
        r = np.exp(joint - log_px[:, None])
        np.testing.assert_allclose(mixture.responsibilities(x), r, rtol=1e-9, atol=1e-14)


@pytest.mark.equation("mixtures.1")
def test_probabilities_of_every_image_sum_to_one():
    mixture = random_mixture(Bernoullis(), 5, 8)
    every = np.array([[i >> d & 1 for d in range(8)] for i in range(256)], np.uint8)
    assert np.exp(mixture.log_px(every).astype(np.float64)).sum() == pytest.approx(1, abs=1e-5)
    assert np.exp(mixture.log_px(every.astype(np.float64))).sum() == pytest.approx(1, abs=1e-13)


@every_gaussian
def test_densities_integrate_to_one(name):
    mixture = random_mixture(FAMILIES[name], 2, 2, 3)
    grid = np.arange(-25, 25, 0.08)
    points = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    assert np.exp(mixture.log_px(points)).sum() * 0.08**2 == pytest.approx(1, abs=1e-9)


@pytest.mark.equation("mixtures.1")
def test_the_posterior_neither_overflows_nor_underflows():
    for dtype in (np.float32, np.float64):
        log_joint = np.array([[-1e4, -1e4 + 1], [1e4, 0], [-5, -5]], dtype)
        log_px, r = posterior(log_joint)
        assert log_px.dtype == r.dtype == dtype
        np.testing.assert_allclose(log_px, logsumexp(log_joint.astype(float), axis=1), rtol=1e-6)
        np.testing.assert_allclose(r.sum(axis=1), 1, rtol=1e-6)


# EM


def check_steps(mixture, x, steps, slack):
    """The bound is tight after the E step, the M step raises it, and log p(x) is above it."""
    N = len(x)

    def raised(q):
        return mixture.bound(x, q).mean() + mixture.log_prior() / N

    before = mixture.log_px(x).mean() + mixture.log_prior() / N
    for _ in range(steps):
        q = mixture.responsibilities(x)
        np.testing.assert_allclose(mixture.bound(x, q), mixture.log_px(x), rtol=1e-9, atol=1e-9)
        step = next(em(mixture, x, steps=1))
        now = mixture.log_px(x).mean() + mixture.log_prior() / N
        assert step.log_px + step.log_prior == pytest.approx(now, abs=1e-9)
        assert step.rise == pytest.approx(now - before, abs=1e-9)
        if not step.empty:
            assert before - slack <= raised(q) <= now + slack
        before = now


@pytest.mark.equation("mixtures.6")
@every_family
@given(seed=seeds, N=st.integers(3, 60), D=st.integers(1, 5), K=st.integers(1, 6))
def test_the_bound_is_tight_after_each_e_step_and_never_falls(family, seed, N, D, K):
    x = draw_data(family, N, D, seed)
    mixture = Mixture.init(x, min(K, N), family=family, rng=rng(seed))
    check_steps(mixture, x, 5, 1e-9)


@pytest.mark.equation("mixtures.6")
@every_family
def test_any_other_q_is_below_by_its_divergence(family):
    mixture, r = random_mixture(family, 4, 3, 1), rng(1)
    x, q = draw_data(family, 20, 3, 1), r.dirichlet(np.ones(4), 20)
    p = mixture.responsibilities(x)
    divergence = np.sum(q * np.log(q / p), axis=1)
    np.testing.assert_allclose(mixture.bound(x, q), mixture.log_px(x) - divergence, rtol=1e-9)


@pytest.mark.equation("mixtures.6")
def test_bounds_of_many_rows_are_those_of_each():
    mixture, q = random_mixture(Bernoullis(), 3, 4), rng(1).dirichlet(np.ones(3), 9001)
    x = draw_data(Bernoullis(), 9001, 4, 0)
    last = mixture.bound(x[-11:], q[-11:])
    np.testing.assert_allclose(mixture.bound(x, q)[-11:], last, rtol=1e-12)


@pytest.mark.equation("mixtures.6")
@every_family
def test_no_parameters_near_by_are_better_than_the_m_steps(family):
    """The M step against a search that starts beside it."""
    x = draw_data(family, 40, 2, 5)
    mixture = Mixture.init(x, 2, family=family, rng=rng(5))
    q = mixture.responsibilities(x)
    next(em(mixture, x, steps=1))

    def loss(vector):
        other = mixture.copy()
        at = 0
        for array in other.params:
            array[...] = vector[at : at + array.size].reshape(array.shape)
            at += array.size
        if isinstance(family, FullGaussians):
            for C in other.params.variance:
                C[1, 0] = C[0, 1]
                if np.linalg.eigvalsh(C)[0] < family.min_sigma**2:
                    return np.inf
        elif not isinstance(family, Bernoullis) and other.params.variance.min() < 0.01:
            return np.inf
        return -(other.bound(x, q).mean() + other.log_prior() / len(x))

    here = np.concatenate([array.ravel() for array in mixture.params])
    found = minimize(loss, here + 0.01, method="Nelder-Mead", options={"maxiter": 2000})
    assert loss(here) <= found.fun + 1e-12
    assert loss(here) < loss(here + 0.01)


@every_family
def test_em_finds_the_heaps(family):
    x = draw_data(family, 600, 12, 2)
    truth = random_mixture(family, 3, 12)
    x, held_out = truth.sample(2000, rng=rng(1)), truth.sample(2000, rng=rng(2))
    mixture = best_start(x, 3, starts=4, family=family, rng=rng(3))
    *_, last = em(mixture, x, steps=200, tol=1e-6)
    assert last.converged
    assert mixture.log_px(held_out).mean() == pytest.approx(truth.log_px(held_out).mean(), abs=0.1)
    order = np.argsort(mixture.log_weights)
    np.testing.assert_allclose(mixture.weights[order], np.sort(truth.weights), atol=0.06)


@pytest.mark.equation("mixtures.7")
def test_one_product_of_bernoullis_is_the_smoothed_mean():
    x = draw_data(Bernoullis(), 30, 5, 0)
    mixture = Mixture.init(x, 1, family=Bernoullis(2.0), rng=rng())
    next(em(mixture, x, steps=1))
    np.testing.assert_allclose(mixture.means[0], (x.sum(axis=0) + 2) / 34, rtol=1e-12)


@pytest.mark.equation("mixtures.8")
def test_one_gaussian_has_the_moments_of_the_data_and_a_floor():
    x = draw_data(FullGaussians(), 200, 3, 0) @ np.diag([1, 2, 0.001])
    S, floor = np.cov(x.T, bias=True), 0.1**2
    for name, expected in [
        ("spherical", [np.trace(S) / 3]),
        ("diagonal", np.maximum(np.diag(S), floor)),
    ]:
        mixture = Mixture.init(x, 1, family=FAMILIES[name], rng=rng())
        next(em(mixture, x, steps=1))
        np.testing.assert_allclose(mixture.means[0], x.mean(axis=0), rtol=1e-9)
        np.testing.assert_allclose(mixture.params.variance.ravel(), expected, rtol=1e-9)
    mixture = Mixture.init(x, 1, family=FAMILIES["full"], rng=rng())
    next(em(mixture, x, steps=1))
    eigenvalues = np.linalg.eigvalsh(S)
    np.testing.assert_allclose(
        np.linalg.eigvalsh(mixture.params.variance[0]), np.maximum(eigenvalues, floor), rtol=1e-9
    )


# Where it begins


@pytest.mark.equation("mixtures.9")
@every_family
def test_a_start_of_one_row_is_as_wide_as_the_others(family):
    x = draw_data(family, 40, 3, 0)
    features = family.features(x)
    counts, sums = np.array([39.0, 1.0]), np.stack([features[:39].sum(axis=0), features[39]])
    params = family.start(counts, sums)
    if isinstance(family, Bernoullis):
        own, common = (x[39] + 1) / 3, (x.sum(axis=0) + 1) / 42
        np.testing.assert_allclose(family.mean(params)[1], (own + common) / 2, rtol=1e-12)
    else:
        first, second = family.fit(counts, sums).variance
        np.testing.assert_allclose(params.mean[1], x[39], rtol=1e-12)
        for variance in params.variance:
            np.testing.assert_allclose(variance, (39 * first + second) / 40, rtol=1e-12)


@pytest.mark.equation("mixtures.11")
def test_seeds_are_spread_by_the_square_of_the_distance():
    x = np.array([[0.0], [1.0], [3.0]])
    pairs = [tuple(starts.spread_seeds(x, 2, rng=rng(seed))[:, 0]) for seed in range(3000)]
    expected = {  # first 1/3, then the squared distances
        (0.0, 1.0): 1 / 30,
        (0.0, 3.0): 9 / 30,
        (1.0, 0.0): 1 / 15,
        (1.0, 3.0): 4 / 15,
        (3.0, 0.0): 9 / 39,
        (3.0, 1.0): 4 / 39,
    }
    observed = [pairs.count(pair) for pair in expected]
    assert sum(observed) == 3000
    assert chisquare(observed, [3000 * p for p in expected.values()]).pvalue > 0.001


@pytest.mark.equation("mixtures.11")
def test_each_row_goes_to_its_nearest_seed():
    x, some = rng(0).normal(size=(50, 3)), rng(1).normal(size=(4, 3))
    distance = np.linalg.norm(x[:, None] - some, axis=2)
    assert np.array_equal(starts.nearest(x, some).argmax(axis=1), distance.argmin(axis=1))
    assert np.array_equal(starts.nearest(x, some).sum(axis=1), np.ones(50))
    taken = starts.random_seeds(x, 7, rng=rng(2))
    assert len({tuple(row) for row in taken} & {tuple(row) for row in x}) == 7


@pytest.mark.equation("mixtures.11")
def test_the_best_of_several_starts_is_the_best():
    x = draw_data(DiagonalGaussians(), 100, 2, 4)
    options = {"family": DiagonalGaussians(0.1), "start": "random"}
    best = best_start(x, 5, starts=6, steps=3, rng=rng(0), **options)
    r, reached = rng(0), []
    for _ in range(6):
        mixture = Mixture.init(x, 5, rng=r, **options)
        *_, last = em(mixture, x, steps=3)
        reached.append(last.log_px)
    assert best.log_px(x).mean() == pytest.approx(max(reached), abs=1e-12)
    assert max(reached) > min(reached) + 0.01


# Draws, and what is counted


@pytest.mark.equation("mixtures.10")
def test_draws_of_bernoullis_have_the_frequencies_that_log_px_says():
    mixture = random_mixture(Bernoullis(), 3, 4)
    every = np.array([[i >> d & 1 for d in range(4)] for i in range(16)], float)
    draws = mixture.sample(20_000, rng=rng(1)) @ 2 ** np.arange(4)
    observed = np.bincount(draws.astype(int), minlength=16)
    assert chisquare(observed, 20_000 * np.exp(mixture.log_px(every))).pvalue > 0.001


@pytest.mark.equation("mixtures.1", "mixtures.10")
@every_gaussian
def test_draws_of_gaussians_have_the_moments_of_the_mixture(name):
    mixture = random_mixture(FAMILIES[name], 3, 3, 1)
    draws = mixture.sample(100_000, rng=rng(2))
    mean = mixture.weights @ mixture.means
    second = np.einsum("k,ki,kj->ij", mixture.weights, mixture.means, mixture.means)
    second += np.einsum("k,kij->ij", mixture.weights, covariances(mixture))
    error = draws.std(axis=0) / np.sqrt(len(draws))
    assert np.all(np.abs(draws.mean(axis=0) - mean) < 4 * error)
    products = np.einsum("ni,nj->nij", draws, draws)
    error = products.std(axis=0) / np.sqrt(len(draws))
    assert np.all(np.abs(products.mean(axis=0) - second) < 4 * error)


@pytest.mark.equation("mixtures.12")
def test_aic_and_bic_count_parameters():
    counted = {"Bernoulli": 3 * 4 + 2, "spherical": 3 * 5 + 2, "diagonal": 3 * 8 + 2}
    counted["full"] = 3 * (4 + 10) + 2
    for name, count in counted.items():
        mixture = random_mixture(FAMILIES[name], 3, 4)
        x = draw_data(FAMILIES[name], 25, 4, 0)
        total = logsumexp(plain_log_joint(mixture, x), axis=1).sum()
        assert mixture.parameters == count
        assert mixture.aic(x) == pytest.approx(-2 * total + 2 * count)
        assert mixture.bic(x) == pytest.approx(-2 * total + count * np.log(25))


# From discrete to continuous


def curve(likelihood):
    """A decoder of one z with a bend, of D = 3."""
    vae = npvae.VAE.init(
        3,
        hidden=(4,),
        latent_dim=1,
        likelihood=likelihood,
        dtype=np.float64,
        rng=rng(0),
    )
    for layer in vae.params.decoder:
        layer.W[:] = rng(1).normal(0, 1.5, layer.W.shape)
    return vae


@pytest.mark.equation("mixtures.13")
@pytest.mark.parametrize(
    "likelihood",
    [npvae.Bernoulli(), npvae.Gaussian(0.4), npvae.LearnedGaussian(0.5)],
    ids=lambda likelihood: type(likelihood).__name__,
)
def test_a_mixture_along_the_curve_tends_to_the_vae(likelihood):
    vae = curve(likelihood)
    x = vae.sample(20, rng=rng(2), draw=True)
    log_px = exact.quadrature(vae, x, step=0.01).log_px
    errors = [np.abs(from_decoder(vae, K).log_px(x) - log_px).max() for K in (4, 64, 1024)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.01


@pytest.mark.equation("mixtures.13")
def test_points_of_the_curve_lie_at_the_medians_of_equal_masses():
    vae = curve(npvae.Gaussian(0.4))
    mixture = from_decoder(vae, 2)
    np.testing.assert_allclose(mixture.means, vae.decode([[-0.67448975], [0.67448975]]), rtol=1e-7)
    np.testing.assert_allclose(mixture.weights, 0.5)


# What EM is spared, and what it survives


@pytest.mark.equation("mixtures.1")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dust_left_out_is_less_than_rounding_takes(dtype):
    r = rng(0).dirichlet(np.full(500, 0.02), 200).astype(dtype)
    swept = without_dust(r.copy())
    assert np.mean(swept == 0) > 0.3
    assert np.all((r - swept).sum(axis=1) < np.finfo(dtype).eps)
    assert np.array_equal(swept[swept > 0], r[swept > 0])


@every_family
def test_float32_says_what_float64_says(family):
    x = draw_data(family, 300, 6, 1)
    reached = []
    for dtype in (np.float32, np.float64):
        mixture = Mixture.init(x, 3, family=family, rng=rng(1))
        *_, last = em(mixture, x.astype(dtype), steps=5)
        log_px = mixture.log_px(x.astype(dtype))
        assert log_px.dtype == (np.float64 if isinstance(family, FullGaussians) else dtype)
        reached.append((last.log_px, log_px))
    assert reached[0][0] == pytest.approx(reached[1][0], abs=1e-3)
    np.testing.assert_allclose(*[log_px for _, log_px in reached], atol=1e-3)


def test_a_family_that_computes_in_float64_takes_what_float32_is_too_coarse_for():
    x = draw_data(FullGaussians(), 300, 3, 1).astype(np.float32)
    with pytest.raises(ValueError, match=r"in float32 of .* or float64$"):
        Mixture.init(x, 2, family=SphericalGaussians(1e-4), rng=rng())
    single, double = (
        Mixture.init(rows, 2, family=FullGaussians(1e-4), rng=rng())
        for rows in (x, x.astype(np.float64))
    )
    np.testing.assert_allclose(single.log_px(x), double.log_px(x.astype(np.float64)), rtol=1e-6)
    with pytest.raises(ValueError, match=r"in float64 of .* in other units$"):
        Mixture.init(x, 2, family=FullGaussians(1e-9), rng=rng())


def test_uint8_rows_are_zeros_and_ones_or_255s():
    x = draw_data(Bernoullis(), 100, 6, 0)
    expected = Mixture.init(x, 3, rng=rng(0))
    for levels in (x.astype(np.uint8), (255 * x).astype(np.uint8), x.astype(bool), x.astype(int)):
        mixture = Mixture.init(levels, 3, rng=rng(0))
        np.testing.assert_allclose(mixture.params.logits, expected.params.logits, rtol=1e-4)
        list(em(mixture, levels, steps=2))
        np.testing.assert_allclose(mixture.log_px(levels), mixture.log_px(x), rtol=1e-5)


@every_gaussian
def test_columns_far_from_zero_keep_their_digits(name):
    """float32 holds 1000 ± 1 well, and its square badly."""
    x = draw_data(FAMILIES[name], 400, 3, 2)
    moved = np.array([0, 1000, -30_000])
    far = (x + moved).astype(np.float32)
    near = far.astype(np.float64) - moved
    mixtures = [Mixture.init(rows, 3, family=FAMILIES[name], rng=rng(1)) for rows in (far, near)]
    for mixture, rows in zip(mixtures, (far, near), strict=True):
        list(em(mixture, rows, steps=5))
    np.testing.assert_allclose(mixtures[0].log_px(far), mixtures[1].log_px(near), atol=0.02)
    np.testing.assert_allclose(mixtures[0].means, mixtures[1].means + moved, rtol=1e-4, atol=1e-3)
    drawn = mixtures[0].sample(2000, rng=rng(3)).mean(axis=0)
    np.testing.assert_allclose(drawn, far.mean(axis=0, dtype=float), atol=0.5)


def test_a_component_that_no_row_belongs_to_begins_anew():
    x = np.concatenate([rng(0).normal(-5, 1, (50, 2)), rng(1).normal(5, 1, (50, 2))])
    family = DiagonalGaussians(0.1)
    far_away = GaussianParams(np.array([[-5.0, -5], [1e3, 1e3]]), np.ones((2, 2)))
    mixture = Mixture(family, np.log([0.5, 0.5]), far_away, 2)
    records = list(em(mixture, x, steps=30))
    assert [record.empty for record in records[:2]] == [1, 0]
    assert "1 empty" in str(records[0])
    np.testing.assert_allclose(np.sort(mixture.weights), 0.5, atol=1e-6)
    np.testing.assert_allclose(np.sort(mixture.means[:, 0]), [-5, 5], atol=0.5)


class Dying:
    """A model of which a component dies at each step, whatever is done."""

    def __init__(self):
        self.revived = 0

    def check_rows(self, name, x):
        return Mixture.init(x, 1, rng=rng()).check_rows(name, x)

    def batch_size(self):
        return 5

    def prepare(self, dtype):
        return None

    def expect(self, x, prepared):
        return -x @ np.arange(12.0), np.zeros(len(x), int), (x.sum(axis=0),)

    def maximize(self, sums, worst):
        if worst is not None:
            assert np.array_equal(worst(2), np.eye(12)[10:])
            self.revived += 1
        return 1

    def log_prior(self):
        return 0.0


def test_one_that_dies_again_and_again_is_left_and_em_converges():
    model = Dying()
    records = list(em(model, np.eye(12), steps=100, tol=1e-6))
    assert model.revived == 10
    assert [record.empty for record in records] == [1] * 11
    assert records[-1].converged


def test_a_component_left_empty_leaves_the_others_as_they_are():
    for family in FAMILIES.values():
        x = draw_data(family, 30, 3, 0)
        counts, sums = Mixture.init(x, 2, family=family, rng=rng()).sum_features(
            Mixture.init(x, 1, family=family, rng=rng()).check_rows("x", x),
            lambda rows, x: np.stack([np.ones(len(x)), np.zeros(len(x))], axis=1),
        )
        mixture = Mixture.init(x, 2, family=family, rng=rng())
        alone = Mixture.init(x, 1, family=family, rng=rng())
        assert mixture.maximize((counts, sums)) == 1
        alone.maximize((counts[:1], sums[:1]))
        np.testing.assert_allclose(mixture.log_px(x), alone.log_px(x), rtol=1e-12)


@pytest.mark.parametrize("name", ["Bernoulli", "spherical", "diagonal", "full"])
def test_more_components_than_distinct_rows_are_no_catastrophe(name):
    x = np.repeat(np.eye(3), 10, axis=0)
    mixture = Mixture.init(x, 12, family=FAMILIES[name], rng=rng(0))
    records = list(em(mixture, x, steps=20))
    assert np.isfinite([record.log_px for record in records]).all()


def test_records_are_short_and_belong_to_the_parameters():
    x = draw_data(Bernoullis(), 200, 10, 0)
    mixture = Mixture.init(x, 3, rng=rng(0))
    for record in em(mixture, x, steps=100, tol=1e-3):
        assert max(map(len, str(record).splitlines())) <= 80
        assert record.log_px == pytest.approx(mixture.log_px(x).mean(), abs=1e-12)
        before = mixture.copy()
    assert record.converged
    assert record.rise < 1e-3
    list(em(mixture, x, steps=1))
    assert np.any(before.params.logits != mixture.params.logits)
    assert repr(mixture) == "Mixture(3 × Bernoullis(smoothing=0.1), D = 10)"


def test_em_that_was_never_iterated_warns():
    x = draw_data(Bernoullis(), 20, 4, 0)
    mixture = Mixture.init(x, 2, rng=rng(0))
    with pytest.warns(UserWarning, match="em\\(…\\) was never iterated"):
        em(mixture, x, steps=5)


def test_rows_are_walked_over_in_batches_of_any_size(monkeypatch):
    x = draw_data(DiagonalGaussians(), 200, 4, 0)
    reached = []
    for size in (200, 7, 1):
        monkeypatch.setattr(Mixture, "batch_size", lambda self, size=size: size)
        mixture = Mixture.init(x, 3, family=DiagonalGaussians(0.1), rng=rng(0))
        *_, last = em(mixture, x, steps=5)
        reached.append(last.log_px)
    np.testing.assert_allclose(reached, reached[0], rtol=1e-12)


def test_memory_does_not_grow_with_rows_times_components():
    family, K, peaks = DiagonalGaussians(0.1), 200, []
    for N in (4000, 16_000):
        x = rng(0).standard_normal((N, 20)).astype(np.float32)
        mixture = Mixture.init(x, K, family=family, rng=rng(0))
        tracemalloc.start()
        list(em(mixture, x, steps=1))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    grown = peaks[1] - peaks[0]
    assert grown < 12_000 * K * 4 / 10  # a tenth of what responsibilities alone would take


SAME_BITS = """
import os
import subprocess
import sys
import tracemalloc

import numpy as np
from npvae.relatives import DiagonalGaussians, Mixture, em
x = np.random.default_rng(0).standard_normal((3000, 70)).astype(np.float32)
mixture = Mixture.init(x, 150, family=DiagonalGaussians(0.1), rng=np.random.default_rng(1))
*_, last = em(mixture, x, steps=2)
print(last.log_px.hex(), mixture.params.mean.tobytes().hex()[:4000])
"""


@pytest.mark.skipif(kernels.engine == "reference", reason="NumPy's products depend on threads")
def test_any_number_of_threads_gives_the_same_bits():
    printed = set()
    for threads in ("1", "2"):
        variables = {"NUMBA_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        command = [sys.executable, "-c", SAME_BITS]
        done = subprocess.run(
            command, env=os.environ | variables, capture_output=True, text=True, check=True
        )
        printed.add(done.stdout)
    assert len(printed) == 1


# What a user can get wrong

BINARY = np.eye(6)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"x": BINARY / 2}, ValueError, r"other than 0 and 1; .* npvae\.binarize"),
        ({"x": (100 * BINARY).astype(np.uint8)}, ValueError, "other than 0 and 255"),
        ({"x": np.full((6, 6), np.nan)}, ValueError, r"x\[0, 0\] is nan; expected finite"),
        ({"x": np.zeros(6)}, ValueError, r"x has shape \(6,\)"),
        ({"x": np.zeros((0, 6))}, ValueError, "x has no rows"),
        ({"x": np.zeros((6, 0))}, ValueError, "expected \\(N, D\\) with D >= 1"),
        ({"x": "abc"}, TypeError, "expected an array of real numbers"),
        ({"components": 7}, ValueError, "components is 7 and x has 6 rows; expected K <= N"),
        ({"components": 0}, ValueError, "components is 0"),
        ({"components": 2.0}, TypeError, "components is 2"),
        ({"family": Bernoullis}, TypeError, "expected one such as Bernoullis"),
        ({"family": npvae.Bernoulli()}, TypeError, "expected one such as Bernoullis"),
        ({"start": "k-means"}, ValueError, "'k-means\\+\\+', 'random'"),
        ({"rng": 0}, TypeError, "rng is 0"),
        ({"family": DiagonalGaussians(), "x": np.ones((6, 2))}, ValueError, "smaller min_sigma"),
        (
            {"family": DiagonalGaussians(1e-4), "x": np.eye(6, dtype=np.float32)},
            ValueError,
            "Expected min_sigma >= .*, x in other units, or float64",
        ),
    ],
)
def test_a_mixture_is_refused_before_it_begins(change, error, message):
    options = {"x": BINARY, "components": 2, "family": None, "start": "random", "rng": rng()}
    options |= change
    with pytest.raises(error, match=message):
        Mixture.init(options.pop("x"), options.pop("components"), **options)


def test_what_cannot_be_fitted_or_asked_is_refused():
    mixture = Mixture.init(BINARY, 2, rng=rng())
    for call in (mixture.log_px, mixture.responsibilities, mixture.aic, mixture.bic):
        with pytest.raises(ValueError, match=r"expected \(N, D\) with D = 6"):
            call(np.zeros((3, 5)))
    for options, error, message in [
        ({"steps": 0}, ValueError, "steps is 0"),
        ({"steps": 3, "tol": -1}, ValueError, "tol is -1"),
    ]:
        with pytest.raises(error, match=message):
            em(mixture, BINARY, **options)
    with pytest.raises(ValueError, match=r"x has shape \(6, 5\)"):
        em(mixture, BINARY[:, :5], steps=1)
    with pytest.raises(ValueError, match=r"q has shape \(6, 3\); expected \(N, K\) = \(6, 2\)"):
        mixture.bound(BINARY, np.ones((6, 3)))
    with pytest.raises(ValueError, match="n is 0"):
        mixture.sample(0, rng=rng())
    with pytest.raises(TypeError, match="rng is None"):
        mixture.sample(1, rng=None)
    with pytest.raises(ValueError, match="starts is 0"):
        best_start(BINARY, 2, starts=0, rng=rng())
    for wrong in (0, -1, np.inf, np.nan):
        with pytest.raises(ValueError, match="smoothing is"):
            Bernoullis(wrong)
        with pytest.raises(ValueError, match="min_sigma is"):
            FullGaussians(wrong)
    mixture.params.logits[0, 0] = np.nan
    with pytest.raises(FloatingPointError, match="row 0 is not finite"):
        mixture.log_px(BINARY)


def test_only_curves_become_mixtures():
    surface = npvae.VAE.init(3, latent_dim=2, likelihood=npvae.Bernoulli(), rng=rng())
    with pytest.raises(ValueError, match="Z = 2; expected Z = 1, a curve"):
        from_decoder(surface, 5)
    likelihood = npvae.HeteroscedasticGaussian()
    other = npvae.VAE.init(3, latent_dim=1, likelihood=likelihood, rng=rng())
    with pytest.raises(ValueError, match="HeteroscedasticGaussian likelihood; expected Bernoulli"):
        from_decoder(other, 5)
    with pytest.raises(ValueError, match="components is 0"):
        from_decoder(other, 0)
