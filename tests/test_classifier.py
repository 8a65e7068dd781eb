"""p(t|x) by maximum likelihood: against SciPy, closed forms and plain loops."""

import copy
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize
from scipy.special import expit, logsumexp
from scipy.stats import norm

import npvae
from models import slow_stack
from npvae.relatives import Predictor, train_predictor
from npvae.relatives.classifier.passes import log_softmax, read, read_backward

CLASSES, D = 3, 4


def make_predictor(likelihood=None, hidden=(5,), seed=0, dtype=np.float64, **options):
    rng = np.random.default_rng(seed)
    likelihood = npvae.Categorical(CLASSES) if likelihood is None else likelihood
    options |= {"likelihood": likelihood, "hidden": hidden, "dtype": dtype}
    predictor = Predictor.init(D, rng=rng, **options)
    for array in predictor.params.arrays().values():
        array[...] = rng.normal(0, 0.7, array.shape)
    return predictor


def make_rows(n=12, seed=1):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, D)), np.arange(n) % CLASSES


def slow_log_prob(predictor, x, t):
    """log p(t|x) of one row, by its definition."""
    a = slow_stack(list(x), predictor.layers, predictor.activation)
    match predictor.likelihood:
        case npvae.Categorical():
            return a[t] - logsumexp(a)
        case npvae.Bernoulli():
            return sum(math.log(expit(a_d if t_d else -a_d)) for a_d, t_d in zip(a, t, strict=True))
        case npvae.Gaussian(sigma):
            return sum(norm.logpdf(t, a, sigma))


TARGETS = {
    "labels": (npvae.Categorical(CLASSES), 1, lambda rng, n: np.arange(n) % CLASSES),
    "zeros and ones": (npvae.Bernoulli(), 2, lambda rng, n: rng.integers(2, size=(n, 2)) * 1.0),
    "numbers": (npvae.Gaussian(0.7), 2, lambda rng, n: rng.standard_normal((n, 2))),
}


@pytest.mark.equation("classifier.1")
@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("hidden", [(), (5,)], ids=["linear", "hidden"])
def test_log_prob_is_its_definition_row_by_row(kind, hidden):
    likelihood, target_dim, draw = TARGETS[kind]
    predictor = make_predictor(likelihood, hidden, target_dim=target_dim)
    x, _ = make_rows()
    t = draw(np.random.default_rng(2), len(x))
    expected = [slow_log_prob(predictor, *row) for row in zip(x, t, strict=True)]
    np.testing.assert_allclose(predictor.log_prob(x, t), expected, rtol=1e-12)


def test_log_prob_of_many_rows_is_that_of_each():
    predictor = make_predictor()
    x, labels = make_rows(2345)
    one_by_one = np.concatenate(
        [predictor.log_prob(x[i : i + 5], labels[i : i + 5]) for i in range(0, len(x), 5)]
    )
    np.testing.assert_allclose(predictor.log_prob(x, labels), one_by_one, rtol=1e-12)


@pytest.mark.equation("classifier.2")
@given(arrays(np.float64, (3, 5), elements=st.floats(-1e4, 1e4)))
def test_log_softmax_is_normalised_at_any_logits(a):
    expected = a - logsumexp(a, axis=1, keepdims=True)
    np.testing.assert_allclose(log_softmax(a), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(logsumexp(log_softmax(a), axis=1), 0, atol=1e-12)


@pytest.mark.equation("classifier.2")
def test_log_probabilities_hold_each_labels_log_prob():
    predictor = make_predictor()
    x, labels = make_rows()
    of_all = predictor.log_probabilities(x)
    assert of_all.shape == (len(x), CLASSES)
    of_each = of_all[np.arange(len(x)), labels]
    np.testing.assert_allclose(of_each, predictor.log_prob(x, labels), rtol=1e-12)


@pytest.mark.equation("classifier.3", "classifier.4")
def test_the_most_probable_label_is_predicted_and_counted():
    predictor = make_predictor()
    x, labels = make_rows(50)
    candidates = [[slow_log_prob(predictor, row, k) for k in range(CLASSES)] for row in x]
    expected = np.argmax(candidates, axis=1)
    np.testing.assert_array_equal(predictor.predict(x), expected)
    assert predictor.accuracy(x, labels) == np.mean(expected == labels)
    assert predictor.accuracy(x, expected) == 1


def test_numbers_are_predicted_by_their_mean():
    predictor = make_predictor(npvae.Gaussian(0.5), target_dim=2)
    x, _ = make_rows()
    expected = [slow_stack(list(row), predictor.layers, "tanh") for row in x]
    np.testing.assert_allclose(predictor.predict(x), expected, rtol=1e-12)


@pytest.mark.equation("classifier.5")
@pytest.mark.parametrize("kind", TARGETS)
def test_gradient(kind):
    likelihood, target_dim, draw = TARGETS[kind]
    predictor = make_predictor(likelihood, target_dim=target_dim)
    x, _ = make_rows(4)
    t = predictor.check_targets("t", draw(np.random.default_rng(2), len(x)), len(x))
    names = list(predictor.params.arrays())

    def with_arrays(arrays):
        moved = copy.deepcopy(predictor)
        for name, array in zip(names, arrays, strict=True):
            moved.params.arrays()[name][...] = array
        return moved

    def f(*arrays):
        return read(with_arrays(arrays), x, t).log_pt_x

    def f_backward(dlog_pt_x, *arrays):
        moved = with_arrays(arrays)
        grads = read_backward(dlog_pt_x, moved, x, t, read(moved, x, t))
        return tuple(grads.arrays().values())

    arrays = tuple(predictor.params.arrays().values())
    npvae.check_gradient(f, f_backward, arrays, rng=np.random.default_rng(3), tolerance=1e-7)


def settle(predictor, x, t, optimizer, epochs, seed=0):
    """Steps on all rows at once, shorter and shorter: the optimum, to many digits."""
    start = optimizer.learning_rate
    for record in train_predictor(
        predictor,
        x,
        t,
        epochs=epochs,
        optimizer=optimizer,
        batch_size=len(x),
        rng=np.random.default_rng(seed),
    ):
        optimizer.learning_rate = start * (1 - record.epoch / (epochs + 1))
    return predictor


@pytest.mark.equation("classifier.6")
@pytest.mark.parametrize("decay", [0.0, 0.1], ids=["maximum likelihood", "MAP"])
def test_least_squares_and_ridge_regression_come_out(decay):
    rng = np.random.default_rng(4)
    X, N, sigma = rng.standard_normal((30, D)), 30, 0.8
    t = X @ rng.standard_normal((D, 2)) + sigma * rng.standard_normal((N, 2))
    X, t = X - X.mean(axis=0), t - t.mean(axis=0)  # so that the biases, undecayed, are 0
    predictor = make_predictor(npvae.Gaussian(sigma), (), target_dim=2)
    settle(predictor, X, t, npvae.SGD(0.3, weight_decay=decay), epochs=400)
    penalty = decay * N * sigma**2 * np.eye(D)
    expected = np.linalg.solve(X.T @ X + penalty, X.T @ t)
    np.testing.assert_allclose(predictor.layers[0].W, expected, atol=1e-6)
    np.testing.assert_allclose(predictor.layers[0].b, 0, atol=1e-6)


@pytest.mark.equation("classifier.6")
def test_softmax_regression_reaches_the_optimum_that_scipy_finds():
    rng = np.random.default_rng(5)
    N, decay = 60, 0.02
    labels = np.arange(N) % CLASSES
    x = rng.standard_normal((N, D)) + 0.8 * rng.standard_normal((CLASSES, D))[labels]

    def loss(flat):
        W, b = flat[: D * CLASSES].reshape(D, CLASSES), flat[D * CLASSES :]
        a = x @ W + b
        log_p = a[np.arange(N), labels] - logsumexp(a, axis=1)
        return -log_p.mean() + decay / 2 * np.sum(W * W)

    best = minimize(loss, np.zeros(D * CLASSES + CLASSES), options={"gtol": 1e-8})
    predictor = make_predictor(hidden=())
    settle(predictor, x, labels, npvae.SGD(1.0, momentum=0.9, weight_decay=decay), epochs=600)
    W, b = predictor.layers[0]
    assert loss(np.concatenate([W.ravel(), b])) == pytest.approx(best.fun, abs=1e-8)
    np.testing.assert_allclose(W.ravel(), best.x[: W.size], atol=1e-4)
    log_p = predictor.log_prob(x, labels).mean()
    assert -log_p + decay / 2 * np.sum(W * W) == pytest.approx(best.fun, abs=1e-8)


@pytest.mark.equation("classifier.6")
def test_a_batch_that_is_not_full_is_a_mean_over_its_own_rows():
    x, labels = make_rows(7)
    learned = []
    for batch_size in (7, 100):
        predictor, optimizer = make_predictor(), npvae.SGD(0.1)
        settings = {"epochs": 3, "batch_size": batch_size, "rng": np.random.default_rng(2)}
        list(train_predictor(predictor, x, labels, optimizer=optimizer, **settings))
        learned.append(predictor.params.rows[0])
    np.testing.assert_array_equal(*learned)


def test_a_hidden_layer_learns_what_a_line_cannot():
    rng = np.random.default_rng(6)
    x = rng.uniform(-1, 1, (400, 2)).astype(np.float32)
    labels = (x[:, 0] * x[:, 1] > 0).astype(int)
    accuracy = {}
    for hidden in ((), (16,)):
        likelihood = npvae.Categorical(2)
        predictor = Predictor.init(2, likelihood=likelihood, hidden=hidden, rng=rng)
        *_, last = train_predictor(
            predictor, x, labels, epochs=60, optimizer=npvae.Adam(0.02), batch_size=50, rng=rng
        )
        accuracy[hidden] = last.accuracy
    assert accuracy[()] < 0.7
    assert accuracy[(16,)] > 0.93


def test_records_say_what_was_seen_and_validated():
    predictor = make_predictor(dtype=np.float32)
    x, labels = make_rows(25)
    before = predictor.log_prob(x, labels)
    optimizer = npvae.SGD(1e-6)
    (record,) = train_predictor(
        predictor,
        x,
        labels,
        epochs=1,
        optimizer=optimizer,
        batch_size=10,
        x_val=x[:5],
        t_val=labels[:5],
        rng=np.random.default_rng(0),
    )
    assert record.log_prob == pytest.approx(before.mean(), abs=1e-4)
    assert record.accuracy == pytest.approx(predictor.accuracy(x, labels))
    assert record.validation == pytest.approx(predictor.log_prob(x[:5], labels[:5]).mean())
    assert record.validation_accuracy == predictor.accuracy(x[:5], labels[:5])
    assert all(len(line) <= 80 for line in str(record).splitlines())
    assert predictor.log_prob(x, labels).dtype == np.float32


def test_watching_changes_nothing_and_a_seed_repeats_all():
    x, labels = make_rows(25)
    results = []
    for watched in ({}, {"x_val": x, "t_val": labels}, {}):
        predictor = make_predictor()
        rng = np.random.default_rng(3)
        optimizer = npvae.Adam(0.01)
        list(
            train_predictor(
                predictor,
                x,
                labels,
                epochs=2,
                optimizer=optimizer,
                batch_size=7,
                rng=rng,
                **watched,
            )
        )
        results.append(predictor.params.rows[0].copy())
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_grey_levels_are_read_as_such():
    predictor = make_predictor()
    levels = np.random.default_rng(0).integers(0, 256, (10, D), dtype=np.uint8)
    levels[0, 0] = 255
    expected = predictor.log_probabilities(levels / 255)
    np.testing.assert_allclose(predictor.log_probabilities(levels), expected, rtol=1e-12)


BAD_LABELS = {
    "negative": (np.array([0, 1, -1, 2]), ValueError, r"t\[2\] is -1; expected 0 … 2"),
    "too large": (np.array([0, 3, 1, 2]), ValueError, r"t\[1\] is 3; expected 0 … 2"),
    "a gap": (np.array([0, 2, 0, 2]), ValueError, "never holds the label 1"),
    "floats": (np.array([0.0, 1, 1, 2]), TypeError, "holds float64 entries; expected integers"),
    "NaN": (np.array([0, np.nan, 1, 2]), TypeError, "holds float64 entries"),
    "booleans": (np.array([True, False, True, False]), TypeError, "holds bool entries"),
    "too few": (np.array([0, 1, 2]), ValueError, r"shape \(3,\); expected \(N,\) with N = 4"),
    "one-hot": (np.eye(3, dtype=int)[[0, 1, 2, 0]], ValueError, r"shape \(4, 3\)"),
    "words": (np.array(["a", "b", "c", "a"]), TypeError, "expected real numbers"),
    "None": (None, TypeError, "expected an array of real numbers"),
}


@pytest.mark.parametrize("case", BAD_LABELS)
def test_labels_that_do_not_fit_are_refused_at_once(case):
    labels, error, message = BAD_LABELS[case]
    predictor = make_predictor()
    x, _ = make_rows(4)
    settings = {"epochs": 1, "optimizer": npvae.Adam(), "rng": np.random.default_rng(0)}
    with pytest.raises(error, match=message):
        train_predictor(predictor, x, labels, **settings)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"x": np.zeros((4, 3))}, ValueError, r"expected \(N, D\) with D = 4"),
        ({"x": np.full((4, D), np.nan)}, ValueError, r"x\[0, 0\] is nan"),
        ({"x_val": np.zeros((2, D))}, ValueError, "belong together"),
        ({"x_val": np.zeros((2, D)), "t_val": [0, 5]}, ValueError, r"t_val\[1\] is 5"),
        ({"optimizer": "adam"}, TypeError, "optimizer"),
        ({"epochs": 0}, ValueError, "epochs"),
        ({"rng": 0}, TypeError, "rng"),
    ],
)
def test_bad_input_is_refused_at_once(changes, error, message):
    x, labels = make_rows(4)
    settings = {"x": x, "t": labels, "epochs": 1, "optimizer": npvae.Adam()}
    settings |= {"rng": np.random.default_rng(0)} | changes
    with pytest.raises(error, match=message):
        train_predictor(make_predictor(), **settings)


def test_targets_that_are_numbers_are_checked_too():
    predictor = make_predictor(npvae.Gaussian(1.0), target_dim=2)
    x, _ = make_rows(4)
    with pytest.raises(ValueError, match=r"t has 3 rows; x has 4"):
        predictor.log_prob(x, np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"expected \(N, T\) with T = 2"):
        predictor.log_prob(x, np.zeros((4, 3)))
    with pytest.raises(ValueError, match="nan"):
        predictor.log_prob(x, np.full((4, 2), np.nan))
    with pytest.raises(TypeError, match=r"classes need an npvae\.Categorical"):
        predictor.accuracy(x, np.zeros(4, int))
    coin = make_predictor(npvae.Bernoulli())
    with pytest.raises(ValueError, match="expects values in"):
        coin.log_prob(x, np.full((4, 1), 2.0))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"likelihood": npvae.Bernoulli}, TypeError, "likelihood"),
        ({"likelihood": npvae.LearnedGaussian()}, ValueError, "learns nothing"),
        ({"target_dim": 2}, ValueError, "one label a row"),
        ({"hidden": 5}, TypeError, "hidden"),
        ({"activation": "gelu"}, ValueError, "activation"),
        ({"rng": None}, TypeError, "rng"),
    ],
)
def test_bad_choices_are_refused(changes, error, message):
    choices = {"likelihood": npvae.Categorical(3), "rng": np.random.default_rng(0)} | changes
    with pytest.raises(error, match=message):
        Predictor.init(D, **choices)


def test_training_that_diverges_stops_with_a_name_and_finite_parameters():
    predictor = make_predictor(npvae.Gaussian(1.0), hidden=())
    x, _ = make_rows()
    records = train_predictor(
        predictor,
        x,
        x[:, :1] * 3,
        epochs=2000,
        optimizer=npvae.SGD(1e3),
        rng=np.random.default_rng(0),
    )
    with pytest.raises(npvae.NonFiniteError, match="is not finite at epoch"):
        list(records)
    assert np.isfinite(predictor.params.rows[0]).all()


def test_a_training_never_iterated_is_told():
    x, labels = make_rows()
    with pytest.warns(UserWarning, match=r"relatives\.train_predictor\(…\) was never iterated"):
        train_predictor(
            make_predictor(),
            x,
            labels,
            epochs=1,
            optimizer=npvae.Adam(),
            rng=np.random.default_rng(0),
        )
