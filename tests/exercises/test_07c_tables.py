"""The answers to the exercises of derivations/07c-tables.md."""

import math

import numpy as np
import pytest
from scipy import stats

import npvae


@pytest.mark.parametrize("dof", [3.0, 4.0, 10.0])
def test_1_the_hardest_pull(dof):
    errors = np.linspace(0, 10, 100_001)
    likelihood = npvae.StudentT(dof)
    learned = likelihood.init_learned(np.float64, 1)
    shape = 1, len(errors)
    pull = likelihood.log_prob_backward(
        np.ones(shape), errors[:, None], np.zeros((*shape, 1)), **learned
    )[0, :, 0]
    assert errors[pull.argmax()] == pytest.approx(math.sqrt(dof), abs=1e-4)
    assert pull.max() == pytest.approx((dof + 1) / (2 * math.sqrt(dof)), rel=1e-8)
    if dof == 4:
        assert pull.max() == pytest.approx(1.25, rel=1e-8)


def test_2_metres_and_centimetres():
    metres = np.random.default_rng(0).normal(1.7, 0.1, (200, 1))
    floors = [
        npvae.Standardized.of(x, npvae.ColumnGaussian()).floor(x) for x in (metres, 100 * metres)
    ]
    assert floors[0] - floors[1] == pytest.approx(math.log(100), rel=1e-12)
    assert -1.2 + floors[0] - floors[1] == pytest.approx(3.41, abs=0.005)


def test_3_a_mean_of_4_and_a_variance_of_20():
    none, a = np.zeros((1, 1)), np.full((1, 1, 1), math.log(4))
    clumps = npvae.NegativeBinomial().log_prob(none, a, log_r=np.zeros(1)).item()
    assert clumps == pytest.approx(-1.61, abs=0.005)
    assert npvae.Poisson().log_prob(none, a).item() == pytest.approx(-4, rel=1e-12)
    draws = npvae.NegativeBinomial().draw(
        np.full((200_000, 1), math.log(4)), np.zeros(1), rng=np.random.default_rng(0)
    )
    assert draws.var() == pytest.approx(20, rel=0.03)


def test_4_incomes_that_are_not_told():
    assert -stats.norm.pdf(1) / stats.norm.cdf(1) == pytest.approx(-0.288, abs=5e-4)
    rng = np.random.default_rng(0)
    incomes = rng.standard_normal((200_000, 1))
    told = np.where(incomes > 1, np.nan, incomes)
    answered = np.where(rng.random(incomes.shape) < 1 / 3, np.nan, incomes)
    for x, mean in ((told, -0.288), (answered, 0)):
        learned = npvae.Standardized.of(x, npvae.ColumnGaussian()).shift[0]
        assert learned == pytest.approx(mean, abs=0.01)


def test_5_four_weights():
    w, means = np.array([1.0, 1, 2, 4]), np.array([0.0, 0, 1, 2])
    assert np.average(means, weights=w) == pytest.approx(1.25)
    assert w.sum() ** 2 / (w @ w) == pytest.approx(2.9, abs=0.05)
    assert means.mean() == pytest.approx(0.75)
