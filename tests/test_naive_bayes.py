"""Naive Bayes: counts in plain loops, and Bayes' rule."""

import numpy as np
import pytest
from scipy.special import expit, logsumexp
from scipy.stats import norm

from npvae.relatives import Bernoullis, DiagonalGaussians, Mixture, naive_bayes


def rng(seed=0):
    return np.random.default_rng(seed)


def labelled(N=60, D=5, C=3, seed=0):
    r = rng(seed)
    k = r.integers(C, size=N)
    return (r.random((N, D)) < r.random((C, D))[k]).astype(np.float64), k


@pytest.mark.equation("bayes.1", "bayes.2")
def test_it_is_counting_and_bayes_rule_in_plain_loops():
    x, labels = labelled()
    model, fresh = naive_bayes(x, labels), labelled(20, seed=1)[0]
    joint = np.empty((20, 3))
    for c in range(3):
        rows = x[labels == c]
        for n, row in enumerate(fresh):
            joint[n, c] = np.log(len(rows) / len(x))
            for d, value in enumerate(row):
                p = (rows[:, d].sum() + 1) / (len(rows) + 2)
                joint[n, c] += np.log(p if value else 1 - p)
    log_px = logsumexp(joint, axis=1)
    np.testing.assert_allclose(model.log_px(fresh), log_px, rtol=1e-12)
    np.testing.assert_allclose(model.posterior(fresh), np.exp(joint - log_px[:, None]), rtol=1e-10)
    assert np.array_equal(model.predict(fresh), joint.argmax(axis=1))
    truth = rng(2).integers(3, size=20)
    assert model.accuracy(fresh, truth) == np.mean(joint.argmax(axis=1) == truth)


@pytest.mark.equation("bayes.1")
def test_more_rows_than_are_read_at_once_keep_their_labels():
    x, labels = labelled(N=9001)
    p = expit(naive_bayes(x, labels).mixture.params.logits)
    for c in range(3):
        rows = x[labels == c]
        np.testing.assert_allclose(p[c], (rows.sum(axis=0) + 1) / (len(rows) + 2), rtol=1e-12)


@pytest.mark.equation("bayes.1")
def test_gaussians_have_the_moments_of_their_class():
    r = rng(0)
    labels = r.integers(2, size=100)
    x = r.normal(labels[:, None] * [3.0, 0.0], [1.0, 2.0])
    model = naive_bayes(x, labels, family=DiagonalGaussians())
    joint = [
        np.log((labels == c).mean())
        + norm.logpdf(x, x[labels == c].mean(axis=0), x[labels == c].std(axis=0)).sum(axis=1)
        for c in (0, 1)
    ]
    np.testing.assert_allclose(model.log_px(x), np.logaddexp(*joint), rtol=1e-9)


@pytest.mark.equation("bayes.1")
def test_no_mixture_of_the_same_classes_fits_rows_and_labels_better():
    """log p(x, label) at the counts, against parameters beside them."""
    x, labels = labelled()
    model, smoothing = naive_bayes(x, labels), 1.0

    def log_joint(mixture):
        bound = mixture.bound(x, np.eye(3)[labels])  # with q = the label
        return bound.sum() + mixture.log_prior()

    best = log_joint(model.mixture)
    for seed in range(20):
        other = model.mixture.copy()
        other.params.logits[...] += rng(seed).normal(0, 0.05, other.params.logits.shape)
        shifted = other.log_weights + rng(seed).normal(0, 0.05, 3)
        other.log_weights = shifted - logsumexp(shifted)
        assert log_joint(other) < best
    assert smoothing == model.mixture.family.smoothing


def test_labels_may_be_words_truths_or_whole_floats():
    x, labels = labelled(C=2)
    words = np.array(["ham", "spam"])[labels]
    by_number = naive_bayes(x, labels)
    for other in (words, labels.astype(bool), labels.astype(float), list(words)):
        model = naive_bayes(x, other)
        assert np.array_equal(model.posterior(x), by_number.posterior(x))
        assert model.accuracy(x, other) == by_number.accuracy(x, labels)
    assert set(naive_bayes(x, words).predict(x)) <= {"ham", "spam"}
    assert np.array_equal(naive_bayes(x, 3 + 4 * labels).classes, [3, 7])


def test_uint8_rows_say_the_same():
    x, labels = labelled()
    expected = naive_bayes(x, labels).posterior(x)
    for levels in (x.astype(np.uint8), (255 * x).astype(np.uint8)):
        posterior = naive_bayes(levels, labels).posterior(levels)
        assert posterior.dtype == np.float32
        np.testing.assert_allclose(posterior, expected, rtol=1e-4)


def test_it_is_a_mixture_and_draws():
    x, labels = labelled()
    mixture = naive_bayes(x, labels).mixture
    assert isinstance(mixture, Mixture)
    assert set(np.unique(mixture.sample(50, rng=rng()))) == {0.0, 1.0}


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (np.zeros(59, int), ValueError, r"labels has shape \(59,\); expected \(N,\) = \(60,\)"),
        (np.eye(3)[np.zeros(60, int)], ValueError, "of one-hot rows the argmax"),
        (np.full(60, 0.5), TypeError, "labels holds float64 entries"),
        (np.full(60, np.nan), TypeError, "labels holds float64 entries"),
        (np.full(60, np.inf), TypeError, "labels holds float64 entries"),
        ([None] * 60, TypeError, "labels holds object entries"),
        (7, ValueError, r"labels has shape \(\)"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, error, message):
    x, right = labelled()
    with pytest.raises(error, match=message):
        naive_bayes(x, labels)
    with pytest.raises(error, match=message):
        naive_bayes(x, right).accuracy(x, labels)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.full((60, 5), 0.5), ValueError, "entries other than 0 and 1"),
        (np.full((60, 5), np.nan), ValueError, "expected finite"),
        (np.zeros((0, 5)), ValueError, "no rows"),
        (np.zeros(60), ValueError, "has shape"),
        ("abc", TypeError, "expected an array of real numbers"),
    ],
)
def test_rows_that_have_no_density_are_refused(x, error, message):
    with pytest.raises(error, match=message):
        naive_bayes(x, labelled()[1])
    with pytest.raises(TypeError, match="family is"):
        naive_bayes(*labelled(), family=Bernoullis)
