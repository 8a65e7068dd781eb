"""Hamiltonian Monte Carlo: the map by its invariants, the chain by moments that are known."""

import numpy as np
import pytest
from scipy.stats import norm

import npvae
from models import make_batch, make_vae
from npvae import exact
from npvae.posterior import ChainWarning, effective_samples, sample, sample_posterior
from npvae.posterior.hmc import adapt_step, draw_step, hmc_step, kinetic, leapfrog
from npvae.posterior.joint import posterior_density

STANDARD_ERRORS = 4
STATED = {"rng": "a Generator"}


def rng(seed=0):
    return np.random.default_rng(seed)


def gaussian(mean, covariance):
    """The density N(mean, covariance), the same for every image."""
    precision = np.linalg.inv(covariance)

    def density(z):
        slope = (mean - z) @ precision
        return np.sum((z - mean) * slope, axis=-1) / 2, slope

    return density


def a_model(dtype=np.float64):
    """A small model with Z = 2, a density, and a state and momenta for 3 chains and 4 images."""
    vae = make_vae(dtype=dtype)
    x, z = make_batch(vae, B=4, L=3)
    return posterior_density(vae, x), z, rng(2).standard_normal(z.shape).astype(dtype)


def far(density, z, momentum, step, leaps):
    """leapfrog with one step for all images -> z, momentum"""
    sizes = np.full(z.shape[1], step, z.dtype)
    momentum, state = leapfrog(density, z, momentum, density(z)[1], sizes, leaps)
    return state[0], momentum


@pytest.mark.equation("hmc.1")
def test_the_kinetic_energy_is_that_of_a_normal_momentum():
    momentum = rng().normal(0, 2, (2, 3, 4))
    expected = -norm.logpdf(momentum).sum(axis=-1) - 2 * np.log(2 * np.pi)
    np.testing.assert_allclose(kinetic(momentum), expected)


@pytest.mark.equation("hmc.2")
def test_a_leapfrog_is_three_lines_repeated():
    density, z, momentum = a_model()
    found = far(density, z, momentum, 0.3, 5)
    for _ in range(5):
        momentum = momentum + 0.15 * density(z)[1]
        z = z + 0.3 * momentum
        momentum = momentum + 0.15 * density(z)[1]
    np.testing.assert_allclose(found[0], z, rtol=1e-12)
    np.testing.assert_allclose(found[1], -momentum, rtol=1e-12)


@pytest.mark.equation("hmc.2")
def test_a_leapfrog_returns_what_the_density_says_at_its_end():
    density, z, momentum = a_model()
    _, (end, *there) = leapfrog(density, z, momentum, density(z)[1], np.full(4, 0.2), 3)
    for found, expected in zip(there, density(end), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.equation("hmc.3")
def test_the_path_leads_back_when_it_is_taken_twice():
    density, z, momentum = a_model()
    end = far(density, z, momentum, 0.3, 20)
    assert np.abs(end[0] - z).min() > 1e-3
    back = far(density, *end, 0.3, 20)
    np.testing.assert_allclose(back[0], z, atol=1e-12)
    np.testing.assert_allclose(back[1], momentum, atol=1e-12)


@pytest.mark.equation("hmc.3")
def test_the_path_keeps_volumes():
    density, z, momentum = a_model()
    start = np.concatenate([z, momentum], axis=-1)[:1, :, None]  # (1, N, 1, 2Z)
    step = 1e-5 * np.concatenate([np.eye(4), -np.eye(4)])
    moved = (start + step)[0].swapaxes(0, 1)  # (8, N, 2Z): the moved starts are chains
    end = np.concatenate(far(density, moved[..., :2], moved[..., 2:], 0.3, 10), axis=-1)
    jacobian = (end[:4] - end[4:]).swapaxes(0, 1) / 2e-5
    np.testing.assert_allclose(np.abs(np.linalg.det(jacobian)), 1, atol=1e-8)
    assert np.abs(np.linalg.svd(jacobian)[1] - 1).max() > 0.1  # it does stretch


@pytest.mark.equation("hmc.2")
def test_the_energy_error_is_of_the_order_of_the_step_squared():
    density, z, momentum = a_model()
    steps = 0.4 / 2 ** np.arange(5)
    energy = kinetic(momentum) - density(z)[0]
    errors = []
    for step in steps:
        end, there = far(density, z, momentum, step, round(2 / step))
        errors.append(np.abs(kinetic(there) - density(end)[0] - energy).mean())
    slope = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert slope == pytest.approx(2, abs=0.15)


@pytest.mark.equation("hmc.4")
def test_a_proposal_is_accepted_by_the_change_of_the_whole_energy():
    density, z, momentum = a_model()
    step, uniform = np.full(4, 1.4), rng(3).random((3, 4))
    state, probability = hmc_step(density, (z, *density(z)), momentum, uniform, step, 3)
    end, there = far(density, z, momentum, 1.4, 3)
    change = density(end)[0] - density(z)[0] - (there**2 - momentum**2).sum(axis=-1) / 2
    np.testing.assert_allclose(probability, np.minimum(1, np.exp(change)))
    accepted = uniform < np.minimum(1, np.exp(change))
    assert 2 < accepted.sum() < 11
    np.testing.assert_array_equal(state[0], np.where(accepted[..., None], end, z))
    for found, expected in zip(state[1:], density(state[0]), strict=True):
        np.testing.assert_allclose(found, expected)


@pytest.mark.equation("hmc.4")
def test_a_path_into_nowhere_is_rejected():
    def cliff(z):
        with np.errstate(all="ignore"):
            return -np.sum(z**6, axis=-1), -6 * z**5

    z = np.full((1, 3, 2), 2.0)
    state, probability = draw_step(cliff, (z, *cliff(z)), np.full(3, 9.0), 20, rng=rng())
    assert (probability == 0).all()
    np.testing.assert_array_equal(state[0], z)


@pytest.mark.equation("hmc.4")
def test_a_path_that_ends_in_nan_is_never_accepted():
    def nowhere(z):
        return np.full(z.shape[:2], np.nan), np.full_like(z, np.nan)

    z = np.zeros((1, 3, 2))
    state, uniform = (z, np.zeros((1, 3)), z), np.zeros((1, 3))
    found, probability = hmc_step(nowhere, state, np.ones_like(z), uniform, np.ones(3), 2)
    assert (probability == 0).all()
    np.testing.assert_array_equal(found[0], z)


@pytest.mark.equation("hmc.5")
@pytest.mark.parametrize("step_size", [0.3, 1.2, 1.7])
def test_one_step_leaves_the_density_as_it_is(step_size):
    """Exact draws stay exact, also where a third of the proposals is rejected."""
    density, n = gaussian(np.zeros(1), np.eye(1)), 200_000
    z = rng().standard_normal((n, 1, 1))
    sizes = np.full(1, step_size)
    (z, *_), probability = draw_step(density, (z, *density(z)), sizes, 3, rng=rng(1))
    for power, mean, variance in ((1, 0, 1), (2, 1, 2), (4, 3, 96)):
        error = (np.mean(z**power) - mean) / np.sqrt(variance / n)
        assert abs(error) < STANDARD_ERRORS
    assert probability.mean() < (0.999 if step_size == 0.3 else 0.95)


@pytest.mark.equation("hmc.5")
def test_a_chain_has_a_gaussians_moments():
    mean, covariance = np.array([1.0, -2.0]), np.array([[1.0, 0.6], [0.6, 0.5]])
    start = rng().normal(0, 3, (4, 2, 2))
    chains = sample(gaussian(mean, covariance), start, draws=800, warm_up=200, leaps=5, rng=rng(1))
    assert_moments(chains.z, np.tile(mean, (2, 1)), np.tile(covariance, (2, 1, 1)))


@pytest.mark.filterwarnings("ignore:R̂")
@pytest.mark.equation("hmc.5", "joint.4")
def test_a_chain_has_the_moments_of_the_grid():
    vae = make_vae(npvae.Gaussian(0.3))
    x = vae.sample(6, rng=rng(), draw=True)
    answer = exact.quadrature(vae, x, step=0.15)
    found = sample_posterior(vae, x, draws=600, warm_up=200, leaps=5, rng=rng(1))
    assert_moments(found.z, answer.mean, answer.covariance)


def assert_moments(z, mean, covariance):
    """All means, and covariances about the true mean, within four standard errors."""
    distance = np.concatenate([distances(z, mean), distances(products(z, mean), flat(covariance))])
    assert np.abs(distance).max() < STANDARD_ERRORS
    assert distance.std() > 0.3


def products(z, mean):
    """(z_j − mean_j)(z_k − mean_k), (draws, C, N, Z²)."""
    centred = z - mean
    return flat(centred[..., :, None] * centred[..., None, :])


def flat(array):
    return array.reshape(*array.shape[:-2], -1)


def distances(draws, expected):
    """How many standard errors the means of draws (draws, C, N, ·) lie from what is expected."""
    error = draws.std(axis=(0, 1)) / np.sqrt(effective_samples(draws))
    return ((draws.mean(axis=(0, 1)) - expected) / error).ravel()


@pytest.mark.equation("hmc.6")
def test_a_step_is_adapted_to_the_acceptance_that_was_asked_for():
    log_step = adapt_step(np.zeros(2), np.array([[0.5, 1.0], [0.7, 1.0]]), 0.8, 0.5)
    np.testing.assert_allclose(log_step, [-0.1, 0.1])
    widths = np.array([0.01, 1.0, 10.0])[:, None]

    def density(z):
        return -np.sum((z / widths) ** 2, axis=-1) / 2, -z / widths**2

    start = widths * rng().standard_normal((8, 3, 4))
    for wanted in (0.6, 0.9):
        chains = sample(
            density, start, draws=400, warm_up=600, leaps=5, acceptance=wanted, rng=rng(1)
        )
        np.testing.assert_allclose(chains.acceptance, wanted, atol=0.06)
    np.testing.assert_allclose(chains.step_size / chains.step_size[1], widths[:, 0], rtol=0.2)


def test_the_step_is_fixed_after_the_warm_up():
    """The same chain, written here with the steps that were reported."""
    density, z, _ = a_model()
    chains = sample(density, z, draws=20, warm_up=10, leaps=3, rng=rng(1))
    generator, state = rng(1), (z, *density(z))
    log_step = np.zeros(4)
    for n in range(1, 11):
        state, probability = draw_step(density, state, np.exp(log_step), 3, rng=generator)
        log_step = adapt_step(log_step, probability, 0.8, n**-0.6)
    np.testing.assert_allclose(chains.step_size, np.exp(log_step))
    for z in chains.z:
        state, _ = draw_step(density, state, np.exp(log_step), 3, rng=generator)
        np.testing.assert_allclose(z, state[0])


def test_chains_of_float32_stay_float32():
    density, z, _ = a_model(np.float32)
    assert sample(density, z, draws=2, warm_up=2, rng=rng()).z.dtype == np.float32


# What sample_posterior says of its chains.


def two_humps():
    """Chapter 15's model: z and −z look alike, and q sits on one of them."""
    vae = npvae.VAE.init(
        1,
        hidden=(),
        decoder_hidden=(2,),
        latent_dim=1,
        likelihood=npvae.Gaussian(0.15),
        dtype=np.float64,
        rng=rng(),
    )
    (encoder,), (first, last), _ = vae.params
    first.W[:], first.b[:], last.W[:], last.b[:] = 2, (-2, 2), [[1], [-1]], 2
    encoder.W[:], encoder.b[:] = 0, (1.2, 2 * np.log(0.12))
    return vae, vae.decode([[1.2]])


def test_chains_from_the_prior_tell_of_the_hump_that_the_encoder_does_not_know():
    vae, x = two_humps()
    lying = sample_posterior(vae, x, draws=1000, warm_up=100, chains=8, leaps=5, rng=rng())
    assert lying.z.min() > 0
    assert lying.r_hat.item() < 1.01
    with pytest.warns(ChainWarning, match="R̂ is above 1.02 in 1 of 1"):
        told = sample_posterior(
            vae, x, draws=400, warm_up=100, chains=8, leaps=5, start="prior", rng=rng()
        )
    assert told.r_hat.item() > 2
    assert "8 chains, 1 rows" in str(told)


@pytest.mark.filterwarnings("ignore:R̂")
def test_rows_do_not_depend_on_how_they_are_cut(monkeypatch):
    vae = make_vae()
    x = np.rint(make_batch(vae, B=7)[0])
    options = {"draws": 250, "warm_up": 100, "leaps": 4}
    whole = sample_posterior(vae, x, rng=rng(), **options)
    monkeypatch.setattr("npvae.posterior.sampling.NUMBERS", 4 * 5 * 3)
    cut = sample_posterior(vae, x, rng=rng(), **options)
    assert cut.z.shape == whole.z.shape == (250, 4, 7, 2)
    error = whole.z.std(axis=(0, 1)) * np.sqrt(1 / whole.effective_samples)
    distance = (cut.z.mean(axis=(0, 1)) - whole.z.mean(axis=(0, 1))) / error
    assert np.abs(distance).max() < STANDARD_ERRORS * np.sqrt(2)


def test_chains_that_never_move_are_told_with_their_step():
    vae = make_vae(npvae.Gaussian(1e-9), hidden=(), decoder_hidden=())
    x = np.zeros((2, 4))
    with pytest.warns(ChainWarning, match=r"8 of 8 chains never moved, with a step size down to 0"):
        found = sample_posterior(vae, x, draws=10, warm_up=2, rng=rng())
    assert found.r_hat.min() > 1000


def test_of_a_few_draws_it_is_not_known_whether_chains_agree_or_move():
    vae, x = make_vae(), np.zeros((2, 4))
    for draws in (1, 3):
        with pytest.warns(ChainWarning, match="effective samples") as told:
            found = sample_posterior(vae, x, draws=draws, warm_up=100, rng=rng())
        assert "never moved" not in str(told[0].message)
        assert "effective samples unknown" in str(found).replace("\n  ", " ")
        assert "at most nan" in str(found).replace("\n  ", " ")


@pytest.mark.filterwarnings("ignore:R̂")
def test_few_effective_samples_are_told():
    vae, x = make_vae(), np.zeros((1, 4))
    with pytest.warns(ChainWarning, match=r"of 2 of the rows' dimensions have fewer than 10"):
        sample_posterior(vae, x, draws=4, warm_up=1, chains=1, leaps=1, rng=rng())


def test_a_bar_is_drawn_where_it_is_asked_for(capsys):
    vae = make_vae()
    sample_posterior(vae, np.zeros((2, 4)), draws=300, warm_up=5, rng=rng())
    assert capsys.readouterr() == ("", "")
    sample_posterior(vae, np.zeros((2, 4)), draws=300, warm_up=5, rng=rng(), progress=True)
    assert "305/305" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"draws": 0}, "draws is 0; expected an integer >= 1"),
        ({"warm_up": 0}, "warm_up is 0"),
        ({"chains": 1.5}, "chains is 1.5"),
        ({"leaps": 0}, "leaps is 0"),
        ({"acceptance": 1}, "acceptance is 1; expected a finite number > 0 and < 1"),
        ({"start": "q"}, "start is 'q'; expected one of 'encoder', 'prior'"),
        ({"rng": 0}, "rng is 0"),
        ({"progress": 1}, "progress is 1"),
        ({"x": np.zeros((2, 3))}, r"x has shape \(2, 3\); expected \(N, D\) with D = 4"),
    ],
)
def test_a_wrong_argument_is_told(options, message):
    arguments = {"x": np.zeros((2, 4)), "rng": rng()} | options
    with pytest.raises((TypeError, ValueError), match=message):
        sample_posterior(make_vae(), **arguments)


@pytest.mark.parametrize(
    ("z", "density", "message"),
    [
        (np.zeros((2, 3)), None, r"z has shape \(2, 3\); expected \(C, N, Z\)"),
        ([[[0.0]]], None, "z is no array"),
        (np.zeros((2, 3, 1)), lambda z: (z, z), r"density returned shapes \(2, 3, 1\) and"),
        (np.zeros((2, 3, 1)), lambda z: (z[..., 0] / 0, z), "is not finite at some z"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_density_that_is_none_is_told(z, density, message):
    with pytest.raises((TypeError, ValueError), match=message):
        sample(density, z, draws=1, warm_up=1, rng=rng())
