"""Turning a property: each formula against its definition, and all of them in a linear world where
the right answer is known."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npvae import uses


def world(N, *, confound=0.0, noise=0.3, seed=0):
    """N codes mu = t A + noise of two properties with Corr[t_1, t_2] = confound. -> mu, t, A"""
    rng = np.random.default_rng(seed)
    t = rng.standard_normal((N, 2)) @ np.linalg.cholesky([[1, confound], [confound, 1]]).T
    A = np.array([[1.0, 0.5, 0.0, -1.0, 0.0], [0.0, 1.0, 2.0, 0.0, 0.0]])
    scales = noise * np.array([1, 1, 1, 1, 5])
    return t @ A + scales * rng.standard_normal((N, 5)), 3 + t * [1, 10], A / [[1], [10]]


# The formulas.


@pytest.mark.equation("directions.1")
@given(st.integers(2, 20), st.integers(0, 100))
def test_of_a_label_the_mean_shift_is_the_difference_of_means(N, seed):
    rng = np.random.default_rng(seed)
    mu, label = rng.normal(size=(N, 3)), np.append([0, 1], rng.integers(0, 2, N - 2))
    expected = mu[label == 1].mean(axis=0) - mu[label == 0].mean(axis=0)
    np.testing.assert_allclose(uses.mean_shift(mu, label), expected, atol=1e-12)


@pytest.mark.equation("directions.1")
def test_a_mean_shift_leaves_the_least_squared_error():
    mu, t, _ = world(50, confound=0.5)
    alone = [np.polyfit(t[:, 0], code, 1)[0] for code in mu.T]
    np.testing.assert_allclose(uses.mean_shift(mu, t[:, 0]), alone, rtol=1e-10)
    joint = np.cov(np.hstack([mu, t]).T)
    together = np.linalg.inv(joint[5:, 5:]) @ joint[5:, :5]
    np.testing.assert_allclose(uses.mean_shift(mu, t), together, rtol=1e-9, atol=1e-12)


@pytest.mark.equation("directions.1")
def test_units_of_the_properties_do_not_matter():
    (mu, t, _), units = world(60), np.array([1e-4, 1e4])
    shift = uses.mean_shift(mu, t) / units[:, None]
    np.testing.assert_allclose(uses.mean_shift(mu, t * units), shift, rtol=1e-8)


@pytest.mark.equation("directions.2", "directions.3")
def test_properties_are_read_with_the_least_squared_error():
    mu, t, _ = world(60, confound=0.5)
    answer = uses.directions(mu, t)
    told = answer.read(mu)
    rng = np.random.default_rng(1)
    least = np.sum((told - t) ** 2, axis=0)
    np.testing.assert_allclose(answer.r2, 1 - least / np.sum((t - t.mean(axis=0)) ** 2, axis=0))
    for _ in range(20):
        W, b = answer.weights + 0.01 * rng.normal(size=(5, 2)), 0.01 * rng.normal(size=2)
        assert np.all(np.sum((mu @ W + answer.offset + b - t) ** 2, axis=0) > least)


@pytest.mark.equation("directions.3")
def test_steps_are_those_of_the_covariances():
    mu, t, _ = world(60, confound=0.5)
    joint = np.cov(np.hstack([mu, t]).T)
    Sigma, C = joint[:5, :5], joint[5:, :5]
    W = np.linalg.inv(Sigma) @ C.T
    answer = uses.directions(mu, t)
    np.testing.assert_allclose(answer.weights, W, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(answer.steps, np.linalg.inv(W.T @ Sigma @ W) @ W.T @ Sigma)
    np.testing.assert_allclose(answer.steps @ W, np.eye(2), atol=1e-12)


@pytest.mark.equation("directions.4")
def test_no_step_that_reads_the_same_is_more_likely():
    mu, t, _ = world(80, confound=0.5)
    answer = uses.directions(mu, t)
    precision = np.linalg.inv(np.cov(mu.T))
    unseen = np.linalg.svd(answer.weights.T)[2][2:]  # what changes no reading
    rng = np.random.default_rng(1)
    for p in range(2):
        cost = answer.steps[p] @ precision @ answer.steps[p]
        for size in (0.01, 1):
            for _ in range(20):
                other = answer.steps[p] + size * rng.normal(size=3) @ unseen
                np.testing.assert_allclose(other @ answer.weights, np.eye(2)[p], atol=1e-9)
                assert other @ precision @ other > cost


@pytest.mark.equation("directions.5")
def test_what_is_asked_is_read():
    mu, t, _ = world(60)
    answer, change = uses.directions(mu, t), np.random.default_rng(1).normal(size=(60, 2))
    np.testing.assert_allclose(answer.read(answer.turn(mu, change)), answer.read(mu) + change)
    one = answer.turn(mu, [0, 2.0])
    np.testing.assert_allclose(
        answer.read(one) - answer.read(mu), np.tile([0, 2], (60, 1)), atol=1e-12
    )


@pytest.mark.equation("directions.6")
def test_a_mean_shift_raises_what_goes_with_the_property_too():
    mu, t, _ = world(60, confound=0.7)
    answer, shift = uses.directions(mu, t), uses.mean_shift(mu, t[:, 0])
    told = answer.read(mu)
    expected = np.cov(told.T)[0] / np.var(t[:, 0], ddof=1)
    np.testing.assert_allclose(shift @ answer.weights, expected, rtol=1e-9)
    assert expected[0] == pytest.approx(answer.r2[0])


@pytest.mark.equation("directions.6", "directions.7")
def test_a_step_is_a_mean_shift_made_to_read_as_one():
    mu, t, _ = world(60, confound=0.7)
    answer, A = uses.directions(mu, t), uses.mean_shift(mu, t)
    np.testing.assert_allclose(
        A @ answer.weights, np.linalg.inv(np.cov(t.T)) @ np.cov(answer.read(mu).T), rtol=1e-9
    )
    np.testing.assert_allclose(answer.steps, np.linalg.inv(A @ answer.weights) @ A)
    one = uses.directions(mu, t[:, 0])
    np.testing.assert_allclose(one.steps[0], uses.mean_shift(mu, t[:, 0]) / one.r2[0])


# A world in which the right step is known: A, how codes follow the properties.


@pytest.mark.parametrize("confound", [0.0, 0.8])
@pytest.mark.parametrize("noise", [0.05, 1.0])
def test_a_mean_shift_of_both_is_right_however_the_rows_were_chosen(confound, noise):
    mu, t, A = world(100_000, confound=confound, noise=noise)
    error = (uses.mean_shift(mu, t) - A) * [[1], [10]]
    assert np.abs(error).max() < 4 * 5 * noise / np.sqrt(100_000 * (1 - confound**2))


def test_a_mean_shift_of_one_goes_astray_where_another_goes_with_it():
    """By the slope of the one on the other, times the other's shift."""
    mu, t, A = world(100_000, confound=0.8, noise=0.05)
    np.testing.assert_allclose(uses.mean_shift(mu, t[:, 0]), A[0] + 8 * A[1], atol=0.02)


def test_steps_are_right_where_codes_follow_closely():
    mu, t, A = world(100_000, confound=0.8, noise=0.05)
    np.testing.assert_allclose(
        uses.directions(mu, t).steps * [[1], [10]], A * [[1], [10]], atol=0.03
    )


def test_steps_learned_from_rows_that_are_no_fair_sample_lean_the_other_way():
    """Codes that hold a property loosely: then it is guessed from the other, and must not be."""
    mu, t, _ = world(100_000, confound=0.8, noise=1.0)
    right = uses.directions(*world(100_000, noise=1.0)[:2]).weights
    told = uses.directions(mu, t).steps @ right
    assert told[0, 1] / 10 < -0.1
    assert told[1, 0] * 10 < -0.1
    assert np.abs((uses.mean_shift(mu, t) @ right)[0, 1] / 10) < 0.05


def test_noise_in_the_labels_shrinks_a_mean_shift_and_not_a_step():
    mu, t, A = world(100_000, noise=0.05)
    noisy = t[:, 0] + np.random.default_rng(1).normal(0, 1, len(t))  # half of its variance
    np.testing.assert_allclose(uses.mean_shift(mu, noisy), A[0] / 2, atol=0.02)
    np.testing.assert_allclose(uses.directions(mu, noisy).steps[0], A[0], atol=0.03)


# What a user hands over.


def test_one_property_is_one_column_and_dtypes_are_kept():
    mu, t, _ = world(60)
    one, column = uses.directions(mu, t[:, 0]), uses.directions(mu, t[:, :1])
    for a, b in zip(one, column, strict=True):
        np.testing.assert_array_equal(a, b)
    small = uses.directions(mu.astype(np.float32), t)
    assert {array.dtype for array in small} == {np.dtype(np.float32)}
    assert small.turn(mu.astype(np.float32), [1.0, 0.0]).dtype == np.float32
    np.testing.assert_allclose(small.steps, uses.directions(mu, t).steps, rtol=1e-4, atol=1e-5)
    assert uses.mean_shift(mu.astype(np.float32), t[:, 0]).dtype == np.float32


def test_a_dead_unit_is_left_where_it_is():
    """A unit whose mu never varies, or hardly, says nothing and is not moved."""
    mu, t, _ = world(200)
    flat = np.hstack([mu, np.full((200, 1), 0.3)])
    np.testing.assert_allclose(uses.directions(flat, t).steps[:, 5], 0, atol=1e-12)
    hardly = np.hstack([mu, 1e-4 * np.random.default_rng(1).normal(size=(200, 1))])
    assert np.abs(uses.directions(hardly, t).steps[:, 5]).max() < 1e-4


@pytest.mark.parametrize(
    ("mu", "t", "message"),
    [
        (np.eye(5), np.arange(4), "t has 4 rows; mu has 5"),
        (np.eye(5), np.ones(5), "property 0 of t is 1 in all rows; expected it to vary"),
        (np.eye(5), np.arange(5), r"mu has 5 rows; expected more than Z \+ 1 = 6, or a mean_shift"),
        (np.eye(6)[:, :5], np.arange(6), r"mu has 6 rows; expected more than Z \+ 1 = 6"),
        (np.eye(5), [0, 1, np.nan, 0, 1], r"t\[2, 0\] is nan"),
        (np.full((5, 2), np.inf), np.arange(5), r"mu\[0, 0\] is inf"),
        (np.arange(5.0), np.arange(5), r"mu has shape \(5,\); expected \(N, Z\)"),
    ],
)
def test_bad_labels_are_refused(mu, t, message):
    with pytest.raises(ValueError, match=message):
        uses.directions(mu, t)


def test_properties_that_say_the_same_are_refused():
    mu, t, _ = world(60)
    same = np.column_stack([t, t.sum(axis=1)])
    for function in (uses.directions, uses.mean_shift):
        with pytest.raises(ValueError, match="the 3 properties, are not independent"):
            function(mu, same)
    with pytest.raises(ValueError, match="property 0 of t is 3 in all rows"):
        uses.mean_shift(mu, np.full(60, 3))
    other = np.random.default_rng(0).normal(size=(60, 2))
    with pytest.raises(ValueError, match="the 2 properties, as read from the codes, are not indep"):
        uses.directions(other[:, :1], other)


def test_a_property_that_the_codes_do_not_hold_is_told():
    mu, t, _ = world(400)
    t[:, 1] = np.random.default_rng(1).normal(size=400)
    with pytest.warns(uses.UnreadableWarning, match=r"explain \d\.\d% of property 1"):
        uses.directions(mu, t)


def test_chance_is_told_in_99_of_100():
    """Of properties that have nothing to do with the codes."""
    rng = np.random.default_rng(0)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", uses.UnreadableWarning)
        for _ in range(1000):
            uses.directions(rng.normal(size=(4, 2)), rng.normal(size=4))
    assert abs(len(told) / 1000 - 0.99) < 4 * math.sqrt(0.99 * 0.01 / 1000)
