"""The answers to the exercises of derivations/22-conditions.md."""

import math

import numpy as np
import pytest
from scipy.stats import norm

import npvae
from npvae.dense import Layer
from npvae.relatives import ConditionalVAE, conditional_elbo, one_hot
from npvae.relatives.conditional.model import ConditionalParams
from npvae.relatives.conditional.prior import gaussians_kl


def test_1_a_linear_prior_of_width_one_is_a_bias_of_each_class():
    rng = np.random.default_rng(0)
    choices = {"hidden": (), "latent_dim": 2, "likelihood": npvae.Bernoulli()}
    choices |= {"decoder_hidden": (4,), "dtype": np.float64, "rng": rng}
    model = ConditionalVAE.init(5, condition_dim=3, prior_hidden=(), **choices)
    for array in model.params.arrays().values():
        array[...] = rng.normal(0, 0.6, array.shape)
    (prior,) = model.params.prior
    prior.W[:, 2:], prior.b[2:] = 0, 0  # log s² = 0
    M = (prior.W + prior.b)[:, :2]
    encoder, (first, *rest) = model.params.encoder, model.params.decoder
    heads = encoder[0].W.copy()
    heads[5:, :2] -= M
    below = first.W.copy()
    below[2:] += M @ first.W[:2]
    params = ConditionalParams([Layer(heads, encoder[0].b)], [Layer(below, first.b), *rest], (), {})
    twin = ConditionalVAE(params, model.likelihood, model.activation)
    x, c = rng.integers(2, size=(6, 5)) * 1.0, one_hot(np.arange(6) % 3, 3, np.float64)
    noise = rng.standard_normal((4, 6, 2))
    bounds = [conditional_elbo(one, x, c, noise).bound for one in (model, twin)]
    np.testing.assert_allclose(*bounds, rtol=1e-12)


def kl(mu, variance, m, s2):
    numbers = mu, math.log(variance), m, math.log(s2)
    return gaussians_kl(*(np.array([[number]]) for number in numbers)).item()


def test_2_it_is_not_symmetric():
    assert kl(1, 1, 0, 4) == pytest.approx(0.443, abs=5e-4)
    assert kl(0, 4, 1, 1) == pytest.approx(1.307, abs=5e-4)


def test_3_a_rare_label_is_worth_more():
    p = np.array([0.9, 0.1])
    np.testing.assert_allclose(-np.log(p), [0.105, 2.303], atol=5e-4)
    assert -p @ np.log(p) == pytest.approx(0.325, abs=5e-4)


def test_4_two_pixels_that_agree():
    assert -2 * math.log(2) == pytest.approx(-1.386, abs=5e-4)
    answers = [(a, b) for a in (0, 1) for b in (0, 1)]
    assert np.mean([a != b for a, b in answers]) == 0.5


def test_5_the_prior_that_is_learned_has_the_moments_of_the_class():
    rng = np.random.default_rng(1)
    z = rng.choice([-1, 1], 100_000) + math.sqrt(0.5) * rng.standard_normal(100_000)
    m, s = norm.fit(z)
    assert (m, s**2) == (pytest.approx(0, abs=0.02), pytest.approx(1.5, abs=0.03))
    best = kl(1, 0.5, 0, 1.5)
    assert best == kl(-1, 0.5, 0, 1.5) == pytest.approx(0.549, abs=5e-4)
    assert kl(1, 0.5, 0, 1) == pytest.approx(0.597, abs=5e-4)
    others = [(m, s2) for m in (-0.1, 0, 0.1) for s2 in (1.3, 1.5, 1.7) if (m, s2) != (0, 1.5)]
    assert all(kl(1, 0.5, *one) + kl(-1, 0.5, *one) > 2 * best for one in others)
