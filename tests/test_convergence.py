"""R̂ and effective samples against their definitions in plain loops, and where they are known."""

import numpy as np
import pytest

from npvae.posterior.convergence import autocovariance, effective_samples, split_r_hat


def autoregression(phi, draws, chains, seed=0, series=1):
    """z_i = φ z_i−1 + noise, each begun in its stationary law."""
    rng = np.random.default_rng(seed)
    z = np.empty((draws, chains, series))
    z[0] = rng.standard_normal((chains, series)) / np.sqrt(1 - phi**2)
    for i in range(1, draws):
        z[i] = phi * z[i - 1] + rng.standard_normal((chains, series))
    return z


def slow_variances(chains):
    n, m = len(chains[0]), len(chains)
    means = [sum(chain) / n for chain in chains]
    within = sum(
        sum((v - mean) ** 2 for v in chain) / (n - 1)
        for chain, mean in zip(chains, means, strict=True)
    )
    grand = sum(means) / m
    between = sum((mean - grand) ** 2 for mean in means) / (m - 1)
    return within / m, (n - 1) / n * within / m + between


def slow_autocovariance(chain, lag):
    n, mean = len(chain), sum(chain) / len(chain)
    return sum((chain[i] - mean) * (chain[i + lag] - mean) for i in range(n - lag)) / n


def slow_effective_samples(chains):
    n = len(chains[0])
    within, total = slow_variances(chains)
    tau, t, least = -1.0, 0, np.inf
    while 2 * t + 1 < n:
        pair = 0.0
        for lag in (2 * t, 2 * t + 1):
            mean = sum(slow_autocovariance(chain, lag) for chain in chains) / len(chains)
            pair += 1.0 if lag == 0 else 1 - (within - mean) / total
        if pair <= 0:
            break
        least = min(least, pair)
        tau += 2 * least
        t += 1
    return n * len(chains) / tau


@pytest.mark.equation("convergence.1")
@pytest.mark.parametrize("draws", [4, 31, 60])
def test_r_hat_is_its_definition(draws):
    z = autoregression(0.9, draws, 3, series=2)
    n = draws // 2
    for j in range(2):
        halves = [half for chain in z[..., j].T for half in (chain[:n], chain[draws - n :])]
        within, total = slow_variances([list(half) for half in halves])
        assert split_r_hat(z)[j] == pytest.approx(np.sqrt(total / within))


@pytest.mark.equation("convergence.4")
def test_the_autocovariance_is_its_definition():
    z = autoregression(0.7, 23, 2)
    found = autocovariance(z)
    for lag in range(23):
        for c in range(2):
            expected = slow_autocovariance(z[:, c, 0], lag)
            assert found[lag, c, 0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.equation("convergence.2", "convergence.3")
@pytest.mark.parametrize("phi", [0.0, 0.6, 0.95])
def test_effective_samples_are_their_definition(phi):
    z = autoregression(phi, 50, 3, series=4)
    for j, found in enumerate(effective_samples(z)):
        assert found == pytest.approx(slow_effective_samples([list(c) for c in z[..., j].T]))


@pytest.mark.equation("convergence.2")
@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9, -0.4])
def test_an_autoregression_has_as_many_effective_samples_as_is_known(phi):
    z = autoregression(phi, 4000, 4, series=20)
    known = 16_000 * (1 - phi) / (1 + phi)
    assert effective_samples(z).mean() == pytest.approx(known, rel=0.05)


@pytest.mark.equation("convergence.2")
def test_the_mean_of_chains_scatters_as_its_effective_samples_say():
    z = autoregression(0.8, 400, 4, series=500)
    predicted = np.mean(z.var(axis=(0, 1)) / effective_samples(z))
    assert z.mean(axis=(0, 1)).var() == pytest.approx(predicted, rel=4 * np.sqrt(2 / 500))


@pytest.mark.equation("convergence.2")
def test_chains_that_go_to_and_fro_are_not_worth_any_number_of_draws():
    """At most C·draws·log₁₀(C·draws)."""
    z = autoregression(-0.999, 100, 4)
    assert effective_samples(z) == pytest.approx([400 * np.log10(400)])


@pytest.mark.equation("convergence.1")
def test_r_hat_sees_chains_apart_and_a_chain_that_drifts():
    z = autoregression(0.5, 1000, 4)
    assert split_r_hat(z) == pytest.approx(1, abs=0.01)
    apart = z + np.array([0, 0, 0, 2.0])[:, None]
    drifting = z + np.linspace(0, 3, 1000)[:, None, None]
    assert split_r_hat(apart) > 1.2
    assert split_r_hat(drifting) > 1.2


def test_what_cannot_be_told_is_nan():
    for f in (split_r_hat, effective_samples):
        assert np.isnan(f(np.ones((100, 4, 2)))).all()
        assert np.isnan(f(np.zeros((3, 4, 2)))).all()
    assert np.isfinite(effective_samples(autoregression(0.5, 100, 1))).all()
