"""A label summed over: against enumeration, plain loops, SciPy and differences."""

import copy
import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit, logsumexp, softmax
from scipy.stats import entropy

import npvae
from models import slow_draw, slow_kl_per_dim, slow_stack
from npvae.relatives.semi_supervised import SemiSupervisedVAE, train_semi_supervised
from npvae.relatives.classifier.passes import log_softmax
from npvae.relatives.semi_supervised.bounds import (
    Weights,
    bounds,
    bounds_backward,
    completions,
    loss,
    loss_backward,
    marginal_bound,
    marginal_bound_backward,
)

C, D, Z = 3, 4, 2


def make_model(seed=0, dtype=np.float64, **options):
    rng = np.random.default_rng(seed)
    options = {"hidden": (5,), "latent_dim": Z, "likelihood": npvae.Bernoulli()} | options
    model = SemiSupervisedVAE.init(D, classes=C, dtype=dtype, rng=rng, **options)
    for array in model.params.arrays().values():
        array[...] = rng.normal(0, 0.7, array.shape)
    return model


def make_batch(M=2, B=3, L=2, seed=1):
    """x, labels of the first M rows, noise."""
    rng = np.random.default_rng(seed)
    x, noise = rng.random((M + B, D)), rng.standard_normal((L, M + B, Z))
    return x, np.arange(M) % C, noise


def slow_joint(model, x, k, noise):
    """L of one row and one class: (L, Z) noise -> a float."""
    stacks, activation = model.vae.params.stacks, model.vae.activation
    one_hot = [float(j == k) for j in range(C)]
    heads = slow_stack([*x, *one_hot], stacks["encoder"], activation)
    mu, logvar = heads[:Z], heads[Z:]
    log_px_z = []
    for draw in noise:
        z = slow_draw(mu, logvar, draw)
        p = [expit(a) for a in slow_stack([*z, *one_hot], stacks["decoder"], activation)]
        pairs = zip(x, p, strict=True)
        log_px_z.append(sum(t * math.log(m) + (1 - t) * math.log(1 - m) for t, m in pairs))
    return np.mean(log_px_z) - sum(slow_kl_per_dim(mu, logvar)) - math.log(C)


def slow_log_q(model, x):
    a = slow_stack(list(x), model.classifier.layers, model.classifier.activation)
    return a - logsumexp(a)


@pytest.mark.equation("semi_supervised.1", "semi_supervised.2")
def test_bounds_are_their_definitions_row_by_row_and_class_by_class():
    model, (x, labels, noise) = make_model(), make_batch()
    passed, M = bounds(model, x, labels, noise), len(labels)
    joint = [[slow_joint(model, x[b], k, noise[:, b]) for k in range(C)] for b in range(len(x))]
    log_q = np.array([slow_log_q(model, row) for row in x])
    np.testing.assert_allclose(passed.log_q, log_q, rtol=1e-12)
    np.testing.assert_allclose(passed.with_label, [joint[b][labels[b]] for b in range(M)])
    np.testing.assert_allclose(passed.log_q_y, [log_q[b][labels[b]] for b in range(M)])
    np.testing.assert_allclose(passed.with_class.T, joint[M:], rtol=1e-12)
    expected = [np.exp(log_q[b]) @ joint[b] + entropy(np.exp(log_q[b])) for b in range(M, len(x))]
    np.testing.assert_allclose(passed.unlabelled, expected, rtol=1e-12)


@pytest.mark.equation("semi_supervised.2")
def test_every_way_to_complete_the_labels_comes_once():
    rows, labels = completions(np.array([2, 0]), 4, C)
    pairs = [(0, 2), (1, 0), *((b, k) for k in range(C) for b in (2, 3))]
    assert list(zip(rows.tolist(), labels.tolist(), strict=True)) == pairs


@pytest.mark.equation("semi_supervised.2")
def test_with_linear_models_and_a_perfect_encoder_the_bound_is_log_px():
    """One latent number, x = w_y z + m_y + noise: every class has its posterior and evidence."""
    rng = np.random.default_rng(0)
    x, slopes, means, sigma = 0.7, rng.standard_normal(C), rng.standard_normal(C), 0.5
    evidence = -0.5 * (x - means) ** 2 / (slopes**2 + sigma**2)
    evidence -= 0.5 * np.log(2 * np.pi * (slopes**2 + sigma**2))
    L = (evidence - np.log(C))[:, None]
    exact = logsumexp(L)
    at_posterior = marginal_bound(L, log_softmax(L.T))
    assert at_posterior == pytest.approx(exact, rel=1e-12)
    elsewhere = marginal_bound(np.repeat(L, 200, axis=1), log_softmax(rng.normal(0, 2, (200, C))))
    assert (elsewhere < exact).all()


small = arrays(np.float64, (4, C), elements=st.floats(-30, 30))


@pytest.mark.equation("semi_supervised.3")
@given(small, small)
def test_what_the_bound_loses_is_the_divergence_from_bayes_rule(L, a):
    expected = logsumexp(L, axis=1) - entropy(softmax(a, axis=1), softmax(L, axis=1), axis=1)
    np.testing.assert_allclose(marginal_bound(L.T, log_softmax(a)), expected, atol=1e-9)


@pytest.mark.equation("semi_supervised.4", "semi_supervised.5")
def test_gradient_of_the_sum_over_classes():
    rng = np.random.default_rng(2)
    L, a = rng.normal(-80, 3, (C, 5)), rng.normal(0, 2, (5, C))

    def f(L, a):
        return marginal_bound(L, log_softmax(a))

    def f_backward(dbound, L, a):
        return marginal_bound_backward(dbound, L, log_softmax(a))

    npvae.check_gradient(f, f_backward, (L, a), rng=rng, tolerance=1e-7)


@pytest.mark.equation("semi_supervised.5")
def test_the_classifier_rests_where_it_is_bayes_rule():
    L = np.random.default_rng(3).normal(-80, 3, (C, 5))
    _, da = marginal_bound_backward(np.ones(5), L, log_softmax(L.T))
    np.testing.assert_allclose(da, 0, atol=1e-12)


@pytest.mark.equation("semi_supervised.6", "semi_supervised.8")
@pytest.mark.parametrize("likelihood", [npvae.Bernoulli(), npvae.LearnedGaussian(0.7)])
def test_gradient_of_the_loss_in_every_parameter(likelihood):
    model, (x, labels, noise) = make_model(likelihood=likelihood), make_batch()
    weights = Weights(0.3, 0.7, 1.7)
    names = list(model.params.arrays())

    def with_arrays(values):
        moved = copy.deepcopy(model)
        for name, value in zip(names, values, strict=True):
            moved.params.arrays()[name][...] = value
        return moved

    def f(*values):
        return np.array([loss(bounds(with_arrays(values), x, labels, noise), weights)])

    def f_backward(dloss, *values):
        moved = with_arrays(values)
        passed = bounds(moved, x, labels, noise)
        dpassed = [dloss * d for d in loss_backward(passed, weights)]
        grads = bounds_backward(*dpassed, moved, x, labels, passed)
        return tuple(grads.arrays().values())

    values = tuple(model.params.arrays().values())
    npvae.check_gradient(f, f_backward, values, rng=np.random.default_rng(4), tolerance=1e-7)


@pytest.mark.equation("semi_supervised.7", "semi_supervised.9")
def test_the_loss_of_minibatches_is_on_average_that_of_all_rows():
    """Every pair of minibatches, of 2 of 3 rows with a label and 2 of 4 without."""
    model, (x, labels, noise) = make_model(), make_batch(3, 4)
    weights = Weights(3 / 7, 4 / 7, 0.8)
    joint = [[slow_joint(model, x[n], k, noise[:, n]) for k in range(C)] for n in range(7)]
    log_q = np.array([slow_log_q(model, row) for row in x])
    total = sum(joint[n][labels[n]] for n in range(3))
    total += sum(np.exp(log_q[n]) @ joint[n] + entropy(np.exp(log_q[n])) for n in range(3, 7))
    expected = -total / 7 - 0.8 * np.mean([log_q[n][labels[n]] for n in range(3)])
    pairs = itertools.product(
        itertools.combinations(range(3), 2), itertools.combinations(range(3, 7), 2)
    )
    estimates = []
    for known, unknown in pairs:
        rows = [*known, *unknown]
        passed = bounds(model, x[rows], labels[list(known)], noise[:, rows])
        estimates.append(loss(passed, weights))
    assert np.mean(estimates) == pytest.approx(expected, rel=1e-12)
