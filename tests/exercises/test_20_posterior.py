"""The answers to the exercises of derivations/20-posterior.md."""

import numpy as np
import pytest

import npvae
from npvae import exact
from npvae.posterior import annealed_upper_bound, hmc, sample, simulate, split_r_hat


def normal(sigma=1.0):
    return lambda z: (-np.sum((z / sigma) ** 2, axis=-1) / 2, -z / sigma**2)


def leap(z, p, step, sigma=1.0, leaps=1):
    """One chain of one image in one dimension -> z, p before it is turned round"""
    density, (z, p) = normal(sigma), (np.full((1, 1, 1), v) for v in (z, p))
    momentum, state = hmc.leapfrog(density, z, p, density(z)[1], np.full(1, step), leaps)
    return state[0].item(), -momentum.item()


def test_1_one_leap():
    z, p = leap(1.0, 0.0, 0.5)
    assert (z, p) == (0.875, -0.46875)
    change = (z**2 + p**2) / 2 - 0.5
    assert change == pytest.approx(-0.0073, abs=5e-5)


def test_2_how_long_is_too_long():
    sigma = 0.7
    for step in (0.3, 1.0):
        a = (step / sigma) ** 2
        by_hand = [[1 - a / 2, step], [-(step / sigma**2) * (1 - a / 4), 1 - a / 2]]
        columns = np.transpose([leap(1.0, 0.0, step, sigma), leap(0.0, 1.0, step, sigma)])
        np.testing.assert_allclose(columns, by_hand)
        assert np.linalg.det(columns) == pytest.approx(1)
        assert np.trace(columns) == pytest.approx(2 - a)
    assert abs(leap(1.0, 0.0, 1.95 * sigma, sigma, leaps=1000)[0]) < 1.01
    assert abs(leap(1.0, 0.0, 2.05 * sigma, sigma, leaps=100)[0]) > 1e6


def test_3_a_mistake_that_is_none(monkeypatch):
    def draws():
        start = np.random.default_rng(0).standard_normal((3, 2, 2))
        run = {"draws": 20, "warm_up": 10, "leaps": 3, "rng": np.random.default_rng(1)}
        return sample(normal(), start, **run).z

    right, leapfrog = draws(), hmc.leapfrog

    def unturned(*args):
        momentum, state = leapfrog(*args)
        return -momentum, state

    monkeypatch.setattr(hmc, "leapfrog", unturned)
    np.testing.assert_array_equal(draws(), right)


def test_4_two_humps():
    rng = np.random.default_rng(0)
    hump = np.repeat([1.2, -1.2], 4)
    z = (hump + 0.12 * rng.standard_normal((4000, 8)))[..., None]
    assert split_r_hat(z) == pytest.approx(10.4, rel=0.02)
    hump[4:7] = 1.2
    z = (hump + 0.12 * rng.standard_normal((4000, 8)))[..., None]
    assert z.mean() == pytest.approx(0.9, abs=0.01)
    assert split_r_hat(z) > 5


def test_5_one_temperature():
    """The integral of p(z)/p(x|z) over a growing range, for w on either side of σ."""
    x, sigma = 0.5, 1.0
    for w, finite in ((0.9, True), (1.1, False)):
        totals = []
        for reach in (20.0, 40.0):
            z = np.linspace(-reach, reach, 100_001)
            totals.append(np.sum(np.exp(-(z**2) / 2 + (x - w * z) ** 2 / (2 * sigma**2))) * reach)
        assert (totals[1] == pytest.approx(totals[0], rel=1e-3)) == finite


def model():
    """The model of "See it run", 5 rows drawn from it, and their z."""
    rng = np.random.default_rng(0)
    options = {"hidden": (), "latent_dim": 2, "likelihood": npvae.Gaussian(0.5)}
    vae = npvae.VAE.init(6, dtype=np.float64, rng=rng, **options)
    return vae, *simulate(vae, 5, rng=rng)


@pytest.mark.filterwarnings("ignore::npvae.UnreliableWarning")
def test_5_all_weights_of_the_harmonic_mean_are_equal():
    vae, z, x = model()
    found = annealed_upper_bound(vae, x, z, temperatures=1, rng=np.random.default_rng(1))
    np.testing.assert_allclose(found.effective_samples, 16)
    assert np.abs(found.log_px - exact.linear_log_likelihood(vae, x)).max() > 0.5


@pytest.mark.filterwarnings("ignore::npvae.UnreliableWarning")
def test_6_change_a_line():
    vae, z, x = model()
    log_px = exact.linear_log_likelihood(vae, x)
    errors = {}
    for T in (3, 300):
        found = annealed_upper_bound(
            vae, x, z + 1, temperatures=T, leaps=3, rng=np.random.default_rng(1)
        )
        errors[T] = (found.log_px - log_px).mean()
    assert errors[3] < -0.5
    assert abs(errors[300]) < 0.3
