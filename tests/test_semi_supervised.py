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
from npvae.relatives import (
    Masking,
    Predictor,
    SemiSupervisedVAE,
    train_predictor,
    train_semi_supervised,
)
from npvae.relatives.classifier.passes import log_softmax
from npvae.relatives.semi_supervised.bounds import (
    Weights,
    bounds,
    bounds_backward,
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
def test_what_the_classifier_reads_changes_its_guess_and_not_the_bounds_of_each_class():
    model, (x, labels, noise) = make_model(), make_batch()
    holes = x * (np.arange(D) % 2)
    plain, passed = bounds(model, x, labels, noise), bounds(model, x, labels, noise, seen=holes)
    log_q = np.array([slow_log_q(model, row) for row in holes])
    np.testing.assert_allclose(passed.log_q, log_q, rtol=1e-12)
    np.testing.assert_array_equal(passed.with_class, plain.with_class)
    np.testing.assert_array_equal(passed.with_label, plain.with_label)
    M = len(labels)
    q, joint = np.exp(log_q[M:]), passed.with_class.T
    expected = np.sum(q * joint, axis=1) + [entropy(row) for row in q]
    np.testing.assert_allclose(passed.unlabelled, expected, rtol=1e-12)


@pytest.mark.equation("semi_supervised.2")
def test_a_class_left_out_leaves_a_bound_over_the_others():
    model, (x, labels, noise) = make_model(), make_batch(2, 6)
    passed = bounds(model, x, labels, noise, negligible=0.25)
    kept = [[k for k in range(C) if slow_log_q(model, row)[k] >= np.log(0.25)] for row in x]
    assert sum(map(len, kept[2:])) == len(passed.x) - 2 < 6 * C
    for b in range(2, 8):
        log_q = slow_log_q(model, x[b])[kept[b]]
        log_q -= logsumexp(log_q)
        L = [slow_joint(model, x[b], k, noise[:, b]) for k in kept[b]]
        expected = np.exp(log_q) @ L + entropy(np.exp(log_q))
        assert passed.unlabelled[b - 2] == pytest.approx(expected, rel=1e-12)
    every = bounds(model, x, labels, noise)
    np.testing.assert_array_equal(passed.log_q[:2], every.log_q[:2])
    np.testing.assert_allclose(passed.with_label, every.with_label, rtol=1e-12)


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
@pytest.mark.parametrize(
    ("likelihood", "negligible", "holes"),
    [(npvae.LearnedGaussian(0.7), 0.0, False), (npvae.Bernoulli(), 0.25, True)],
)
def test_gradient_of_the_loss_in_every_parameter(likelihood, negligible, holes):
    model, (x, labels, noise) = make_model(likelihood=likelihood), make_batch()
    seen = x * (np.arange(D) % 2) if holes else None
    weights = Weights(0.3, 0.7, 1.7)
    names = list(model.params.arrays())

    def with_arrays(values):
        moved = copy.deepcopy(model)
        for name, value in zip(names, values, strict=True):
            moved.params.arrays()[name][...] = value
        return moved

    def pass_on(moved):
        return bounds(moved, x, labels, noise, negligible, seen)

    def f(*values):
        return np.array([loss(pass_on(with_arrays(values)), weights)])

    def f_backward(dloss, *values):
        moved = with_arrays(values)
        passed = pass_on(moved)
        dpassed = [dloss * d for d in loss_backward(passed, weights)]
        grads = bounds_backward(*dpassed, moved, labels, passed)
        return tuple(grads.arrays().values())

    values = tuple(model.params.arrays().values())
    npvae.check_gradient(f, f_backward, values, rng=np.random.default_rng(4), tolerance=1e-7)


@pytest.mark.equation("semi_supervised.7")
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


class Still:
    """An optimizer that notes gradients and changes nothing."""

    learning_rate = 1.0

    def __init__(self):
        self.seen = []

    def update(self, params, grads):
        self.seen.append(np.concatenate([dv.ravel() for dv in grads]))


def deaf_model():
    """A model whose q(z|x, y) does not hear x, and p(x|z, y) not z: draws of z do not matter."""
    model = make_model()
    for part in ("encoder", "decoder"):
        model.vae.params.stacks[part][0].W[: Z if part == "decoder" else D] = 0
    return model


@pytest.mark.equation("semi_supervised.7", "semi_supervised.9")
def test_steps_of_an_epoch_are_on_average_that_of_all_rows_at_once():
    """Four rows with a label and four without, in any two halves."""
    model = deaf_model()
    x, _, noise = make_batch(4, 4)
    labels = np.array([0, 1, 2, 0, -1, -1, -1, -1])
    joint = [[slow_joint(model, x[n], k, noise[:, n]) for k in range(C)] for n in range(8)]
    log_q = np.array([slow_log_q(model, row) for row in x])
    total = sum(joint[n][labels[n]] for n in range(4))
    total += sum(np.exp(log_q[n]) @ joint[n] + entropy(np.exp(log_q[n])) for n in range(4, 8))
    expected = -total / 8 - 0.8 * np.mean([log_q[n][labels[n]] for n in range(4)])
    means = {}
    for batch_size in (2, 4):
        optimizer = Still()
        choices = {"alpha": 0.8, "epochs": 2, "batch_size": batch_size, "optimizer": optimizer}
        for epoch in train_semi_supervised(
            model, x, labels, rng=np.random.default_rng(batch_size), **choices
        ):
            assert epoch.loss == pytest.approx(expected, rel=1e-12)
        means[batch_size] = np.mean(optimizer.seen, axis=0)
    network = slice(sum(row.size for row in model.classifier.params.rows))  # noise is in the rest
    np.testing.assert_allclose(means[2][network], means[4][network], rtol=1e-9, atol=1e-12)


def test_the_loss_of_a_batch_taken_twice_is_that_of_the_batch():
    model, (x, labels, noise) = make_model(), make_batch()
    twice = np.array([0, 1, 0, 1, 2, 3, 4, 2, 3, 4])
    weights = Weights(0.3, 0.7, 1.7)
    once = loss(bounds(model, x, labels, noise), weights)
    again = bounds(model, x[twice], np.tile(labels, 2), noise[:, twice])
    assert loss(again, weights) == pytest.approx(once, rel=1e-12)


def patterns(n, rng):
    """Three prototypes of 30 pixels, a quarter of the pixels turned over."""
    prototypes = np.random.default_rng(5).integers(2, size=(C, 30))
    labels = rng.integers(C, size=n)
    return (prototypes[labels] ^ (rng.random((n, 30)) < 0.25)).astype(np.float32), labels


def test_rows_without_a_label_teach_what_two_labels_a_class_cannot():
    rng = np.random.default_rng(0)
    x, truth = patterns(600, rng)
    labels = np.full(600, -1)
    for k in range(C):
        labels[np.flatnonzero(truth == k)[:2]] = k
    test, test_labels = patterns(1000, rng)
    choices = {"hidden": (16,), "rng": rng}
    predictor = Predictor.init(30, likelihood=npvae.Categorical(C), **choices)
    known, optimizer = labels >= 0, npvae.Adam(0.01)
    list(
        train_predictor(
            predictor, x[known], labels[known], epochs=200, optimizer=optimizer, rng=rng
        )
    )
    model = SemiSupervisedVAE.init(
        30, classes=C, latent_dim=1, likelihood=npvae.Bernoulli(), **choices
    )
    *_, last = train_semi_supervised(
        model,
        x,
        labels,
        epochs=30,
        optimizer=npvae.Adam(0.01),
        batch_size=50,
        rng=rng,
        x_val=test,
        labels_val=test_labels,
    )
    assert predictor.accuracy(test, test_labels) < 0.8
    assert last.validation_accuracy > 0.9
    assert last.validation_accuracy == model.classifier.accuracy(test, test_labels)
    assert all(len(line) <= 80 for line in str(last).splitlines())


def short_run(model=None, x=None, labels=None, **changes):
    rng = np.random.default_rng(0)
    x = np.random.default_rng(1).random((9, D)) if x is None else x
    labels = np.array([0, 1, 2, -1, -1, 2, -1, -1, -1]) if labels is None else labels
    choices = {"epochs": 1, "optimizer": npvae.Adam(0.01), "batch_size": 2, "rng": rng} | changes
    return train_semi_supervised(model or make_model(), x, labels, **choices)


def test_watching_changes_nothing_and_a_seed_repeats_all():
    x_val, labels_val = np.full((3, D), 0.5), np.arange(3)
    learned = []
    for watched in ({}, {"x_val": x_val, "labels_val": labels_val}, {}):
        model = make_model(dtype=np.float32)
        list(short_run(model, epochs=2, **watched))
        learned.append(np.concatenate([row.ravel() for row in model.params.rows]))
    assert learned[0].dtype == np.float32
    np.testing.assert_array_equal(learned[0], learned[1])
    np.testing.assert_array_equal(learned[0], learned[2])


def test_a_corruption_is_of_what_the_classifier_reads_alone(monkeypatch):
    seen = []

    def looked_at(model, x, labels, noise, negligible, corrupted):
        seen.append((x, corrupted))
        return bounds(model, x, labels, noise, negligible, corrupted)

    monkeypatch.setattr("npvae.relatives.semi_supervised.train.bounds", looked_at)
    list(short_run(corruption=Masking(0.5), epochs=2))
    x, corrupted = (np.concatenate(arrays) for arrays in zip(*seen, strict=True))
    assert np.all((corrupted == x) | (corrupted == 0))
    assert 0.3 < np.mean(corrupted == 0) < 0.7
    assert x.all()
    seen.clear()
    list(short_run())
    assert all(corrupted is None for _, corrupted in seen)


def test_grey_levels_are_read_as_such():
    levels = np.random.default_rng(0).integers(0, 256, (9, D), dtype=np.uint8)
    levels[0, 0] = 255
    records = [list(short_run(x=x)) for x in (levels, levels / 255)]
    assert records[0][0].loss == pytest.approx(records[1][0].loss, rel=1e-12)


def test_uint8_validation_is_grey_levels():
    grey, told = np.random.default_rng(3).integers(0, 256, (40, D), dtype=np.uint8), []
    for x_val in (grey, grey / 255):
        model = make_model()
        b = model.classifier.layers[0].b
        b += np.linspace(-1, 1, b.size)
        (epoch,) = short_run(model, x_val=x_val, labels_val=np.arange(40) % C)
        told.append(epoch.validation_accuracy)
    assert told[0] == told[1]


def test_rows_with_and_without_a_label_are_binarised(monkeypatch):
    seen = []

    def looked_at(model, x, labels, *others):
        seen.extend((x[: len(labels)], x[len(labels) :]))
        return bounds(model, x, labels, *others)

    monkeypatch.setattr("npvae.relatives.semi_supervised.train.bounds", looked_at)
    list(short_run(binarize=True))
    for rows in (seen[::2], seen[1::2]):
        assert set(np.unique(np.concatenate(rows))) == {0, 1}


def test_an_epochs_means_are_over_rows_and_not_over_batches():
    found = []
    for batch_size in (3, 5):
        (epoch,) = short_run(deaf_model(), optimizer=Still(), batch_size=batch_size)
        found.append(epoch.unlabelled)
    assert found[0] == pytest.approx(found[1], rel=1e-12)


KNOWN = [0, 1, 2, -1, -1, 2, -1, -1]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"labels": np.array([*KNOWN, 3])}, ValueError, r"labels\[8\] is 3; expected 0 … 2"),
        ({"labels": np.array([*KNOWN, -2])}, ValueError, r"labels\[8\] is -2; expected 0 … 2"),
        ({"labels": np.array(KNOWN)}, ValueError, r"shape \(8,\); expected \(N,\) with N = 9"),
        ({"labels": np.full(9, -1)}, ValueError, "holds −1 alone"),
        ({"labels": np.arange(9) % C}, ValueError, "every label is known"),
        ({"labels": np.array([0, 1, 1, *[-1] * 6])}, ValueError, "never holds the label 2"),
        ({"labels": np.array([0, 1, 2, *[np.nan] * 6])}, TypeError, "float64 entries"),
        ({"x": np.zeros((9, D + 1))}, ValueError, r"expected \(N, D\) with D = 4"),
        ({"x": np.full((9, D), 2.0)}, ValueError, "expects values in"),
        ({"alpha": -1}, ValueError, "alpha is -1"),
        ({"corruption": 0.5}, TypeError, "corruption is 0.5"),
        ({"binarize": 1}, TypeError, "binarize"),
        ({"x_val": np.zeros((2, D))}, ValueError, "belong together"),
        ({"x_val": np.zeros((2, D)), "labels_val": [0, -1]}, ValueError, r"labels_val\[1\] is -1"),
        ({"optimizer": "adam"}, TypeError, "optimizer"),
    ],
)
def test_bad_input_is_refused_at_once(changes, error, message):
    with pytest.raises(error, match=message):
        short_run(**changes)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"classes": 1}, ValueError, "classes is 1; expected at least 2"),
        ({"classes": 2.0}, TypeError, "classes"),
        ({"likelihood": npvae.LearnedGaussian(optimal=True)}, ValueError, "that a gradient moves"),
        ({"hidden": 5}, TypeError, "hidden"),
    ],
)
def test_bad_choices_are_refused(changes, error, message):
    choices = {"classes": C, "likelihood": npvae.Bernoulli(), "rng": np.random.default_rng(0)}
    with pytest.raises(error, match=message):
        SemiSupervisedVAE.init(D, **choices | changes)


def test_training_that_diverges_stops_with_a_name_and_finite_parameters():
    model = make_model(likelihood=npvae.Gaussian(1.0))
    with pytest.raises(npvae.NonFiniteError, match="is not finite at epoch"):
        list(short_run(model, epochs=200, optimizer=npvae.SGD(1e6)))
    assert all(np.isfinite(row).all() for row in model.params.rows)


def test_a_training_never_iterated_is_told():
    with pytest.warns(UserWarning, match=r"relatives\.train_semi_supervised\(…\) was never"):
        short_run()
