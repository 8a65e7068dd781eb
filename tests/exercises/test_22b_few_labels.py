"""The answers to the exercises of derivations/22b-few-labels.md."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit

import npvae
from npvae.relatives import SemiSupervisedVAE
from npvae.relatives.classifier.passes import log_softmax
from npvae.relatives.semi_supervised.bounds import (
    Weights,
    bounds,
    loss_backward,
    marginal_bound,
    marginal_bound_backward,
)


def test_1_two_classes():
    L = np.array([[-90.0], [-93.0]])

    def U(q):
        return marginal_bound(L, np.log([[q, 1 - q]])).item()

    best = minimize_scalar(lambda q: -U(q), bounds=(0.01, 0.99), method="bounded")
    assert best.x == pytest.approx(0.953, abs=5e-4)
    assert -best.fun == pytest.approx(-89.951, abs=5e-4)
    assert U(0.5) == pytest.approx(-90.807, abs=5e-4)
    assert U(0.5) - L.mean() == pytest.approx(0.693, abs=5e-4)


def test_2_a_label_that_explains_nothing_costs_nothing():
    """At first the weights that multiply the label are zero, so the model is in that state."""
    rng = np.random.default_rng(0)
    choices = {"hidden": (6,), "latent_dim": 2, "likelihood": npvae.Bernoulli()}
    model = SemiSupervisedVAE.init(5, classes=4, dtype=np.float64, rng=rng, **choices)
    model.classifier.layers[-1].W[...] = 0
    x, noise = rng.random((8, 5)), rng.standard_normal((1, 8, 2))
    passed = bounds(model, x, np.array([0]), noise)
    vae = model.vae.given(np.eye(4)[2])
    ordinary = npvae.elbo(vae, x, noise).bound
    np.testing.assert_allclose(passed.unlabelled, ordinary[1:], rtol=1e-12)
    np.testing.assert_allclose(passed.with_label, ordinary[:1] - math.log(4), rtol=1e-12)


def test_3_sure_and_wrong():
    wrong, right = np.log1p(-1e-6), math.log(1e-6)
    L = np.array([[-100.0], [-90.0]])
    log_q = np.array([[wrong, right]])
    _, da = marginal_bound_backward(np.ones(1), L, log_q)
    assert da[0, 1] == pytest.approx(2.4e-5, rel=0.02)
    of_label = 1 - np.exp(log_softmax(log_q))[0, 1]
    assert of_label / da[0, 1] == pytest.approx(42_000, rel=0.02)


def test_4_one_alpha_under_other_names():
    N, labelled, M = 50_000, 3000, 100
    rng = np.random.default_rng(0)
    choices = {"hidden": (), "latent_dim": 1, "likelihood": npvae.Bernoulli()}
    model = SemiSupervisedVAE.init(2, classes=2, dtype=np.float64, rng=rng, **choices)
    x, noise = rng.random((M + 1, 2)), np.zeros((1, M + 1, 1))
    passed = bounds(model, x, np.arange(M) % 2, noise)

    def of_a_row(alpha):
        return -loss_backward(passed, Weights(labelled / N, 1 - labelled / N, alpha))[1][0]

    # Every labelled row is seen N/labelled · M/N times as often in a step as in a sum over rows.
    theirs = 46 * (labelled / N) / M
    assert of_a_row(2.76) == pytest.approx(theirs, rel=1e-12)
    assert of_a_row(10) == pytest.approx(0.1, rel=1e-12)


def test_5_the_priors_constant_moves_nothing_but_the_number():
    """Bayes' rule of L with log p(y) and without differs if p(y) is not uniform, else not."""
    log_px_y = np.array([[-3.0], [-4.0]])
    for p in ([0.5, 0.5], [0.2, 0.8]):
        L = log_px_y + np.log(p)[:, None]
        share = expit(L[0] - L[1]).item()
        best = minimize_scalar(
            lambda q, L=L: -marginal_bound(L, np.log([[q, 1 - q]])).item(),
            bounds=(0.01, 0.99),
            method="bounded",
        )
        assert best.x == pytest.approx(share, abs=1e-4)
        assert (abs(share - expit(1.0)) < 1e-12) == (p[0] == 0.5)
