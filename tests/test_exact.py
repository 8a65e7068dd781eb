"""Exact answers: each closed form against its definition, quadrature against SciPy's, and then
everything that the library estimates or trains against both."""

import numpy as np
import pytest
from scipy.integrate import quad, simpson
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm

import npvae
from npvae import exact
from npvae.likelihoods import LearnedGaussian


def linear_vae(Z=2, D=4, likelihood=None, seed=0, dtype=np.float64):
    """x = z W + b + σ·noise with random parameters, and a linear encoder."""
    rng = np.random.default_rng(seed)
    vae = npvae.VAE.init(
        D,
        hidden=(),
        latent_dim=Z,
        likelihood=likelihood or npvae.Gaussian(0.7),
        dtype=dtype,
        rng=rng,
    )
    for array in (*vae.params.encoder[0], *vae.params.decoder[0]):
        array[...] = rng.normal(0, 0.6, array.shape)
    return vae


def folded_vae(likelihood, Z):
    """A decoder that cannot tell z_j from −z_j, so that posteriors have 2^Z modes, and q the prior.

    Its hidden units come in pairs, tanh(2z_j − 2) and tanh(2z_j + 2), and it reads differences.
    """
    rng = np.random.default_rng(5)
    vae = npvae.VAE.init(
        4,
        hidden=(),
        decoder_hidden=(2 * Z,),
        latent_dim=Z,
        likelihood=likelihood,
        dtype=np.float64,
        rng=rng,
    )
    (encoder,), (first, last), _ = vae.params
    encoder.W[:] = 0
    first.W[:] = np.repeat(2 * np.eye(Z), 2, axis=1)
    first.b[:] = np.tile([-2, 2], Z)
    weights = rng.normal(0, 1, (Z, last.b.size))
    last.W[:] = np.repeat(weights, 2, axis=0) * np.tile([1, -1], Z)[:, None]
    last.b[:] = weights.sum(axis=0)
    return vae


FOLDED = {
    f"{type(likelihood).__name__}, Z = {Z}": folded_vae(likelihood, Z)
    for Z in (1, 2)
    for likelihood in (npvae.Bernoulli(), npvae.Gaussian(0.5), LearnedGaussian(0.4))
}
every_folded = pytest.mark.parametrize("vae", FOLDED.values(), ids=FOLDED)


def draws_of_x(vae, n, seed=1):
    return vae.sample(n, rng=np.random.default_rng(seed), draw=True)


def log_joint(vae, x, z):
    """log p(x, z) of one x (D,) at every z (P, Z), in SciPy's densities."""
    mean = vae.decode(z)
    if isinstance(vae.likelihood, npvae.Bernoulli):
        log_px_z = np.log(np.where(x == 1, mean, 1 - mean))
    else:
        log_px_z = norm.logpdf(x, mean, vae.likelihood.sigma)
    return log_px_z.sum(axis=1) + norm.logpdf(z).sum(axis=1)


def set_encoder(vae, layer):
    for array, value in zip(vae.params.encoder[0], layer, strict=True):
        array[...] = value


# Linear models.


@pytest.mark.equation("exact.2")
@pytest.mark.parametrize("likelihood", [npvae.Gaussian(0.7), LearnedGaussian(0.05)])
@pytest.mark.parametrize(("Z", "D"), [(1, 1), (2, 4), (3, 3), (5, 2)])
def test_linear_log_likelihood_is_a_gaussian_with_a_full_covariance(Z, D, likelihood):
    vae = linear_vae(Z, D, likelihood)
    (W, b), sigma = vae.params.decoder[0], likelihood.sigma
    x = 3 * draws_of_x(vae, 7)
    expected = multivariate_normal(b, W.T @ W + sigma**2 * np.eye(D)).logpdf(x)
    np.testing.assert_allclose(exact.linear_log_likelihood(vae, x), expected, rtol=1e-10)


def test_a_float32_model_is_computed_in_float64():
    vae = linear_vae(2, 4, dtype=np.float32)
    x = draws_of_x(vae, 5)
    log_px = exact.linear_log_likelihood(vae, x)
    wide = vae.astype(np.float64)
    np.testing.assert_array_equal(log_px, exact.linear_log_likelihood(wide, x))
    np.testing.assert_array_equal(
        exact.quadrature(vae, x, step=0.2).log_px, exact.quadrature(wide, x, step=0.2).log_px
    )


@pytest.mark.equation("exact.1")
def test_the_posterior_obeys_bayes_at_every_z():
    vae = linear_vae(3, 5)
    x, z = draws_of_x(vae, 4), np.random.default_rng(2).normal(0, 2, (6, 3))
    log_px = exact.linear_log_likelihood(vae, x)
    m, covariance = exact.linear_posterior(vae, x)
    for n in range(len(x)):
        log_pz_x = multivariate_normal(m[n], covariance).logpdf(z)
        np.testing.assert_allclose(log_joint(vae, x[n], z) - log_pz_x, log_px[n], rtol=1e-10)


@pytest.mark.equation("exact.3")
def test_no_encoder_is_better_than_the_best():
    vae = linear_vae(3, 5)
    x = draws_of_x(vae, 8)
    best = exact.best_encoder(vae)
    set_encoder(vae, best)
    bound = exact.expected_bound(vae, x, step=0.75).mean()
    rng = np.random.default_rng(0)
    for size in (1e-3, 1e-1):
        for _ in range(20):
            set_encoder(vae, [v + size * rng.standard_normal(v.shape) for v in best])
            assert exact.expected_bound(vae, x, step=0.75).mean() < bound


@pytest.mark.equation("exact.4")
def test_the_gap_is_one_number_for_every_x():
    vae = linear_vae(3, 5)
    x = 4 * draws_of_x(vae, 10)
    set_encoder(vae, exact.best_encoder(vae))
    gap = exact.linear_log_likelihood(vae, x) - exact.expected_bound(vae, x, step=0.75)
    np.testing.assert_allclose(gap, exact.linear_gap(vae), rtol=1e-9)
    assert exact.linear_gap(vae) > 0.1
    W = vae.params.decoder[0].W
    W[:] = np.diag([3.0, 2.0, 1.0]) @ np.linalg.qr(W.T)[0].T
    assert exact.linear_gap(vae) == pytest.approx(0, abs=1e-13)


# Probabilistic PCA, with known answers.


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1000, 3)) @ rng.standard_normal((3, 10))
    return x + 0.6 * rng.standard_normal((1000, 10))


def mean_log_px(W, b, variance, x):
    return multivariate_normal(b, W.T @ W + variance * np.eye(len(b))).logpdf(x).mean()


@pytest.mark.equation("exact.5")
@pytest.mark.parametrize("N", [4, 50])
def test_the_spectrum_is_that_of_the_covariance(N):
    x = np.random.default_rng(0).normal(3, 2, (N, 6)) @ np.diag(np.arange(6))
    mean, eigenvalues, axes = exact.spectrum(x)
    np.testing.assert_allclose(mean, x.mean(axis=0))
    np.testing.assert_allclose(axes.T * eigenvalues @ axes, np.cov(x.T, bias=True), atol=1e-12)
    np.testing.assert_allclose(axes @ axes.T, np.eye(6), atol=1e-12)
    assert np.all(np.diff(eigenvalues) <= 0)
    assert np.all(eigenvalues >= 0)


@pytest.mark.equation("exact.6", "exact.7")
def test_probabilistic_pca_is_the_most_likely_model(data):
    W, b, variance, log_px = exact.probabilistic_pca(data, 3)
    assert variance == pytest.approx(0.3599953528, abs=1e-10)
    assert log_px == pytest.approx(-14.1586426620, abs=1e-10)
    assert mean_log_px(W, b, variance, data) == pytest.approx(log_px, abs=1e-10)
    rng = np.random.default_rng(0)
    for size in (1e-3, 1e-1):
        for _ in range(10):
            dW, db = rng.normal(0, size, W.shape), rng.normal(0, size, b.shape)
            factor = np.exp(rng.normal(0, size))
            assert mean_log_px(W + dW, b + db, variance * factor, data) < log_px


@pytest.mark.equation("exact.8")
@pytest.mark.parametrize(
    ("variance", "beta", "kl", "squared_error", "active"),
    [(0.36, 2.0, 4.0378379785, 4.6799674694, 3), (2.0, 4.0, 0.6476853523, 23.654095234, 2)],
)
def test_water_filling_of_the_known_data(data, variance, beta, kl, squared_error, active):
    answer = exact.water_filling(exact.spectrum(data).eigenvalues, variance, beta, 3)
    assert answer.kl_per_dim.sum() == pytest.approx(kl, abs=1e-10)
    assert answer.squared_error == pytest.approx(squared_error, abs=1e-9)
    assert answer.active_units == active == np.sum(answer.kl_per_dim > 0)


@pytest.mark.equation("exact.8")
def test_water_filling_at_the_most_likely_variance_is_probabilistic_pca(data):
    """There the bound, −½ (error/σ² + D log 2πσ²) − KL, is log p*; and no level is better."""
    eigenvalues = exact.spectrum(data).eigenvalues
    _, _, variance, log_px = exact.probabilistic_pca(data, 3)

    def bound(variance):
        kl, squared_error, _ = exact.water_filling(eigenvalues, variance, 1, 3)
        return -(squared_error / variance + 10 * np.log(2 * np.pi * variance)) / 2 - kl.sum()

    assert bound(variance) == pytest.approx(log_px, abs=1e-10)
    assert max(bound(0.99 * variance), bound(1.01 * variance)) < log_px


# Training finds what the closed forms say. Batch, draws, epochs, learning rates from and to.
STAGES = (
    (100, 1, 100, 0.1, 0.1),
    (200, 8, 150, 0.1, 0.001),
    (1000, 16, 30, 0.001, 0.0003),
)


def fit(x, Z, likelihood, beta=1.0, stages=STAGES):
    rng = np.random.default_rng(0)
    vae = npvae.VAE.init(
        x.shape[1],
        hidden=(),
        latent_dim=Z,
        likelihood=likelihood,
        activation="identity",
        x_mean=x.mean(axis=0),
        dtype=np.float64,
        rng=rng,
    )
    optimizer = npvae.Adam()
    for batch_size, samples, epochs, start, end in stages:
        optimizer.learning_rate = start
        for epoch in npvae.train(
            vae,
            x,
            epochs=epochs,
            batch_size=batch_size,
            optimizer=optimizer,
            objective=npvae.ClosedForm(beta, samples),
            rng=rng,
        ):
            optimizer.learning_rate = start * (end / start) ** (epoch.epoch / epochs)
    return vae


steep = pytest.mark.filterwarnings("ignore::npvae.DiagnosisWarning")  # the first steps are long


@steep
@pytest.mark.parametrize("optimal", [False, True])
def test_a_trained_linear_vae_reaches_the_highest_likelihood(data, optimal):
    best = exact.probabilistic_pca(data, 3)
    vae = fit(data, 3, LearnedGaussian(optimal=optimal))
    log_px = exact.linear_log_likelihood(vae, data).mean()
    assert best.log_px - 1e-3 < log_px <= best.log_px
    variance = np.exp(vae.params.likelihood["logvar"].item())
    assert variance == pytest.approx(best.variance, abs=2e-3)
    gap = exact.linear_log_likelihood(vae, data[:50]) - exact.expected_bound(
        vae, data[:50], step=0.75
    )
    assert np.all(gap > 0)
    assert gap.mean() < 5e-3  # the rotation is found last


@steep
@pytest.mark.parametrize(("sigma", "beta"), [(0.6, 2.0), (np.sqrt(2), 4.0)])
def test_a_trained_linear_vae_fills_the_water(data, sigma, beta):
    best = exact.water_filling(exact.spectrum(data).eigenvalues, sigma**2, beta, 3)
    vae = fit(data, 3, npvae.Gaussian(sigma), beta)
    (W, b), (mu, logvar) = vae.params.decoder[0], vae.encode(data)
    kl = (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1) / 2
    error = np.sum((data - mu @ W - b) ** 2, axis=1) + np.exp(logvar) @ np.sum(W**2, axis=1)
    assert kl.mean() == pytest.approx(best.kl_per_dim.sum(), abs=1e-2)
    assert error.mean() == pytest.approx(best.squared_error, rel=2e-3)
    evaluation = npvae.evaluate(vae, data, rng=np.random.default_rng(1))
    assert evaluation.active_units == best.active_units


@steep
def test_a_wider_linear_vae_comes_within_a_tenth_of_a_nat():
    rng = np.random.default_rng(0)
    scales = 2 * np.arange(1, 121) ** -0.7
    x = rng.standard_normal((1000, 120)) * scales @ np.linalg.qr(rng.normal(size=(120, 120)))[0]
    best = exact.probabilistic_pca(x, 5)
    stages = (100, 1, 100, 0.02, 0.02), (200, 2, 100, 0.02, 0.0001)
    vae = fit(x, 5, LearnedGaussian(0.3), stages=stages)
    log_px = exact.linear_log_likelihood(vae, x).mean()
    assert best.log_px - 0.1 < log_px <= best.log_px


# Sums over a grid.


@pytest.mark.equation("exact.9", "exact.10")
@pytest.mark.parametrize("Z", [1, 2])
def test_quadrature_is_a_linear_models_closed_form(Z):
    vae = linear_vae(Z)
    x = draws_of_x(vae, 10)
    log_px, error, mean, covariance = exact.quadrature(vae, x, step=0.1)
    m, expected = exact.linear_posterior(vae, x)
    np.testing.assert_allclose(log_px, exact.linear_log_likelihood(vae, x), atol=1e-12)
    np.testing.assert_allclose(mean, m, atol=1e-12)
    np.testing.assert_allclose(covariance, np.tile(expected, (10, 1, 1)), atol=1e-12)
    assert error.max() < 1e-6


@pytest.mark.equation("exact.9", "exact.10")
@every_folded
def test_quadrature_is_scipys(vae):
    x, Z = draws_of_x(vae, 3), vae.latent_dim
    answer = exact.quadrature(vae, x)
    for n in range(len(x)):

        def density(*z, n=n):
            """p(x, z) over p(x) as the grid found it."""
            flat = np.reshape(np.stack(z, axis=-1), (-1, Z))
            return np.exp(log_joint(vae, x[n], flat) - answer.log_px[n]).reshape(np.shape(z[0]))

        for f, expected in (
            (lambda z: 1, 1),
            (lambda z: z, answer.mean[n, 0]),
            (lambda z: z**2, answer.covariance[n, 0, 0] + answer.mean[n, 0] ** 2),
        ):
            assert integral(f, density, Z) == pytest.approx(expected, abs=1e-7)


def integral(f, density, Z):
    """∫ f(z_1) density(z) dz by SciPy, adaptively for Z = 1, by Simpson's rule for Z = 2."""
    if Z == 1:
        pieces = [(-8, -2), (-2, 0), (0, 2), (2, 8)]
        return sum(quad(lambda z: f(z) * density(z), *piece, epsabs=1e-10)[0] for piece in pieces)
    points = np.linspace(-7, 7, 561)
    grid = np.meshgrid(points, points, indexing="ij")
    return simpson(simpson(f(grid[0]) * density(*grid), x=points), x=points)


def test_a_folded_posterior_has_two_humps_and_both_are_counted():
    vae = FOLDED["Gaussian, Z = 1"]
    x = vae.decode(np.array([[1.0]]))
    answer = exact.quadrature(vae, x)
    assert answer.mean == pytest.approx(0, abs=1e-12)
    assert answer.covariance > 0.5
    half = np.linspace(0, 8, 4001)[1:, None]
    log_half = logsumexp(log_joint(vae, x[0], half)) + np.log(half[0])
    assert answer.log_px == pytest.approx(log_half + np.log(2), abs=1e-3)


@pytest.mark.equation("exact.11")
def test_the_error_is_never_told_too_small():
    vae = linear_vae(2)
    x = draws_of_x(vae, 20)
    log_px = exact.linear_log_likelihood(vae, x)
    for step in (0.9, 0.7, 0.5, 0.3):
        coarse = exact.quadrature(vae, x, step=step)
        assert np.all(np.abs(coarse.log_px - log_px) <= coarse.error + 1e-12)
    assert coarse.error.max() < 0.01
    narrow = linear_vae(2, likelihood=npvae.Gaussian(1e-3))
    assert exact.quadrature(narrow, draws_of_x(narrow, 20)).error.min() > 1


@pytest.mark.equation("exact.11")
def test_a_grid_that_ends_too_soon_is_told():
    vae = linear_vae(1, 1, npvae.Gaussian(0.5))
    vae.params.decoder[0].W[:], vae.params.decoder[0].b[:] = 0.8, 0
    x = np.array([[3.0]])
    log_px, (mean, _) = exact.linear_log_likelihood(vae, x), exact.linear_posterior(vae, x)
    for reach in (mean.item() - 0.5, mean.item() + 0.5):  # two widths of the posterior apart
        short = exact.quadrature(vae, x, step=0.01, reach=reach)
        assert 0.1 < log_px - short.log_px < short.error
    assert exact.quadrature(vae, x).error < 1e-9


@pytest.mark.equation("exact.12")
@pytest.mark.parametrize("name", FOLDED)
def test_the_expected_bound_is_the_mean_of_many_draws(name):
    vae = FOLDED[name]
    x, L = draws_of_x(vae, 20), 20_000
    noise = np.random.default_rng(3).standard_normal((L, 20, vae.latent_dim))
    trace = npvae.elbo(vae, x, noise)
    error = trace.log_px_z.std(axis=0) / np.sqrt(L)
    distance = (trace.bound - exact.expected_bound(vae, x)) / error
    assert np.abs(distance).max() < 4
    assert error.max() < 0.2


@pytest.mark.equation("exact.13")
@every_folded
def test_log_px_is_bound_plus_divergence_from_the_posterior(vae):
    x = draws_of_x(vae, 3)
    log_px = exact.quadrature(vae, x).log_px
    mu, logvar = vae.encode(x)
    points = np.linspace(-7, 7, 141)
    z = np.stack(np.meshgrid(*[points] * vae.latent_dim), -1).reshape(-1, vae.latent_dim)
    for n in range(len(x)):
        log_q = norm.logpdf(z, mu[n], np.exp(logvar[n] / 2)).sum(axis=1)
        log_posterior = log_joint(vae, x[n], z) - log_px[n]
        divergence = np.sum(np.exp(log_q) * (log_q - log_posterior)) * 0.1**vae.latent_dim
        bound = exact.expected_bound(vae, x[n : n + 1], step=0.125)[0]
        assert log_px[n] - bound == pytest.approx(divergence, rel=1e-6)


# What the library estimates.


def reached(vae, x, log_px, samples=2000):
    """How many standard errors each estimate by importance sampling lies above log p(x)."""
    rng = np.random.default_rng(7)
    estimate = npvae.log_likelihood(vae, x, samples=samples, rng=rng)
    return (estimate.log_px - log_px) / estimate.standard_error


@every_folded
def test_importance_sampling_agrees_within_its_standard_errors(vae):
    x = draws_of_x(vae, 100)
    distance = reached(vae, x, exact.quadrature(vae, x, step=0.1).log_px)
    assert np.sum(np.abs(distance) < 4) >= 99
    assert 0.7 < distance.std() < 1.4  # errors of the stated size, neither larger nor smaller


@pytest.mark.filterwarnings("ignore::npvae.UnreliableWarning")  # q is narrower than the posterior
def test_importance_sampling_agrees_with_a_linear_model():
    vae = linear_vae(3, 6)
    x = draws_of_x(vae, 100)
    set_encoder(vae, exact.best_encoder(vae))
    distance = reached(vae, x, exact.linear_log_likelihood(vae, x), samples=20_000)
    assert np.sum(np.abs(distance) < 4) >= 99
    assert 0.7 < distance.std() < 1.4


@every_folded
def test_bounds_rise_with_k_toward_log_px_and_not_beyond(vae):
    x = draws_of_x(vae, 30)
    log_px = exact.quadrature(vae, x, step=0.1).log_px.mean()
    rng, means, errors = np.random.default_rng(8), [], []
    for K in (1, 5, 50):
        objective = npvae.ImportanceWeighted(K)
        noise = rng.standard_normal((400, K, len(x), vae.latent_dim))
        draws = [npvae.elbo(vae, x, one, objective).bound.mean() for one in noise]
        means.append(np.mean(draws))
        errors.append(np.std(draws) / 20)
    bound = exact.expected_bound(vae, x).mean()
    assert abs(means[0] - bound) < 4 * errors[0]
    assert bound < log_px
    assert means[0] + 4 * errors[0] < means[1] < means[2] < log_px + 4 * errors[2]


# What a user can get wrong.


def test_what_has_no_exact_answer_is_refused(data):
    deep = npvae.VAE.init(
        4, hidden=(3,), latent_dim=3, likelihood=npvae.Bernoulli(), rng=np.random.default_rng(0)
    )
    x = np.zeros((1, 4))
    for function in (exact.linear_log_likelihood, exact.linear_posterior):
        with pytest.raises(ValueError, match="1 hidden layers in its decoder and a Bernoulli"):
            function(deep, x)
    with pytest.raises(ValueError, match="Z = 3; a grid serves Z = 1 or 2"):
        exact.quadrature(deep, x)
    with pytest.raises(ValueError, match=r"the grid has 65\^3 points; expected at most 100,000"):
        exact.expected_bound(deep, x)
    with pytest.raises(ValueError, match=r"x has shape \(2, 3\); expected \(N, D\) with D = 4"):
        exact.linear_log_likelihood(linear_vae(), np.zeros((2, 3)))
    for options, message in [({"step": 1}, "step is 1"), ({"reach": 1}, "reach is 1")]:
        with pytest.raises(ValueError, match=message):
            exact.quadrature(linear_vae(), x, **options)
        with pytest.raises(ValueError, match=message):
            exact.expected_bound(linear_vae(), x, **options)
    with pytest.raises(ValueError, match="k is 10; expected k < D = 10"):
        exact.probabilistic_pca(data, 10)
    with pytest.raises(ValueError, match="x varies in 3 dimensions or fewer"):
        exact.probabilistic_pca(data[:, :3] @ np.ones((3, 10)), 3)
    for wrong in ("abc", np.zeros(3), [[np.nan]]):
        with pytest.raises((TypeError, ValueError), match="x"):
            exact.spectrum(wrong)
    with pytest.raises(ValueError, match="beta is 0"):
        exact.water_filling([1.0], 1.0, 0, 1)


def test_equal_eigenvalues_have_a_best_model():
    x = np.vstack([0.3 * np.eye(4), -0.3 * np.eye(4)])
    best = exact.probabilistic_pca(x, 1)
    np.testing.assert_allclose(best.W, 0, atol=1e-8)
    assert np.isfinite(best.log_px)


def test_a_width_that_leaves_no_digit_is_refused():
    rng = np.random.default_rng(0)
    options = {"hidden": (), "latent_dim": 5, "likelihood": npvae.Gaussian(1e-9)}
    vae = npvae.VAE.init(2, dtype=np.float64, rng=rng, **options)
    with pytest.raises(ValueError, match="too small beside W Wᵀ"):
        exact.linear_log_likelihood(vae, np.zeros((1, 2)))


@pytest.mark.parametrize(
    ("eigenvalues", "k", "message"),
    [
        ([1, np.nan], 1, "finite numbers >= 0"),
        ([1, -2], 1, "finite numbers >= 0"),
        (np.eye(2), 1, "finite numbers >= 0"),
        (3.0, 1, "finite numbers >= 0"),
        ([1, 2], 5, "k is 5; expected k <= D = 2"),
    ],
)
def test_water_needs_eigenvalues(eigenvalues, k, message):
    with pytest.raises(ValueError, match=message):
        exact.water_filling(eigenvalues, 1.0, 1.0, k)


@pytest.mark.parametrize("x", [np.zeros((3, 0)), [[1e200, 2], [-1e200, 1]]])
def test_a_spectrum_needs_numbers_that_can_be_squared(x):
    with pytest.raises(ValueError, match="numbers too large, or none"):
        exact.spectrum(x)


def test_a_grid_without_end_is_refused():
    vae = npvae.VAE.init(
        2, hidden=(), latent_dim=2, likelihood=npvae.Gaussian(1.0), rng=np.random.default_rng(0)
    )
    for sizes in ({"step": 1e-5}, {"step": 1e-300, "reach": 1e5}):
        with pytest.raises(ValueError, match="points; expected at most 10,000,000"):
            exact.quadrature(vae, np.zeros((1, 2)), **sizes)
