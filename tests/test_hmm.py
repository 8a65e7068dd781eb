"""Hidden Markov models, against the sum over every path."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logsumexp
from scipy.stats import chisquare

import npvae
from npvae.relatives import HMM, Bernoullis, Mixture, em
from npvae.relatives.mixtures.families import BernoulliParams

seeds = st.integers(0, 2**32 - 1)


def rng(seed=0):
    return np.random.default_rng(seed)


def random_hmm(K, T, W, seed=0, concentration=1.0):
    r = rng(seed)
    return HMM(
        length=T,
        start=r.dirichlet(np.full(K, concentration)) * (1 - 1e-9 * K) + 1e-9,
        transition=r.dirichlet(np.full(K, concentration), K) * (1 - 1e-9 * K) + 1e-9,
        family=Bernoullis(),
        params=BernoulliParams(r.normal(0, 2, (K, W))),
        width=W,
    )


def binary(N, D, seed=0):
    return rng(seed).integers(0, 2, (N, D)).astype(np.float64)


def every_path(model, x):
    """{path: log p(x, path) (N,)}, in plain loops."""
    p, K = expit(model.params.logits), model.states
    steps = x.reshape(len(x), model.length, model.width)
    emission = np.empty((len(x), model.length, K))
    for t, k in itertools.product(range(model.length), range(K)):
        emission[:, t, k] = np.log(np.where(steps[:, t] == 1, p[k], 1 - p[k])).sum(axis=1)
    paths = {}
    for path in itertools.product(range(K), repeat=model.length):
        total = np.log(model.start[path[0]]) + emission[:, 0, path[0]]
        for t in range(1, model.length):
            total = total + np.log(model.transition[path[t - 1], path[t]]) + emission[:, t, path[t]]
        paths[path] = total
    return paths


@pytest.mark.equation("hmm.1", "hmm.2", "hmm.3", "hmm.5")
@given(seed=seeds, K=st.integers(1, 4), T=st.integers(1, 5), W=st.integers(1, 3))
def test_all_answers_are_those_of_every_path(seed, K, T, W):
    model, x = random_hmm(K, T, W, seed), binary(6, T * W, seed)
    paths = every_path(model, x)
    table = np.stack(list(paths.values()))
    log_px = logsumexp(table, axis=0)
    np.testing.assert_allclose(model.log_px(x), log_px, rtol=0, atol=1e-10)
    visits = np.zeros((6, T, K))
    for path, log_joint in paths.items():
        for t, k in enumerate(path):
            visits[:, t, k] += np.exp(log_joint - log_px)
    np.testing.assert_allclose(model.state_posterior(x), visits, rtol=0, atol=1e-10)
    best = model.viterbi(x)
    np.testing.assert_allclose(best.log_prob, table.max(axis=0), rtol=0, atol=1e-10)
    reached = [paths[tuple(path)][n] for n, path in enumerate(best.states)]
    np.testing.assert_allclose(reached, table.max(axis=0), rtol=0, atol=1e-10)


@pytest.mark.equation("hmm.4")
@given(seed=seeds, K=st.integers(1, 3), T=st.integers(1, 5))
def test_expected_counts_are_those_of_every_path(seed, K, T):
    model, x = random_hmm(K, T, 2, seed), binary(5, T * 2, seed)
    paths = every_path(model, x)
    log_px = logsumexp(np.stack(list(paths.values())), axis=0)
    starts, transitions, counts = np.zeros(K), np.zeros((K, K)), np.zeros(K)
    pixels = np.zeros((K, 2))
    for path, log_joint in paths.items():
        p = np.exp(log_joint - log_px)
        starts[path[0]] += p.sum()
        for t, k in enumerate(path):
            counts[k] += p.sum()
            pixels[k] += p @ x.reshape(5, T, 2)[:, t]
            if t:
                transitions[path[t - 1], k] += p.sum()
    found_log_px, _, found = model.expect(x, model.prepare(x.dtype))
    np.testing.assert_allclose(found_log_px, log_px, atol=1e-10)
    for array, expected in zip(found, (starts, transitions, counts, pixels), strict=True):
        np.testing.assert_allclose(array, expected, rtol=0, atol=1e-10)


def test_probabilities_of_every_sequence_sum_to_one():
    model = random_hmm(3, 4, 2)
    every = np.array([[i >> d & 1 for d in range(8)] for i in range(256)], float)
    assert np.exp(model.log_px(every)).sum() == pytest.approx(1, abs=1e-12)


@given(seed=seeds, N=st.integers(2, 30), K=st.integers(1, 5), T=st.integers(1, 6))
def test_em_never_falls(seed, N, K, T):
    x = binary(N, 3 * T, seed)
    model = HMM.init(x, min(K, N), length=T, rng=rng(seed))
    for step in em(model, x, steps=6):
        assert step.rise > -1e-10
        assert step.log_px == pytest.approx(model.log_px(x).mean(), abs=1e-10)
        assert step.log_prior == pytest.approx(model.log_prior() / N)


@pytest.mark.equation("hmm.4")
def test_no_parameters_near_by_are_better_than_the_m_steps():
    """E_q[log p(x, path)] + log p(θ), with q of before, in plain loops over paths."""
    model, x = random_hmm(2, 3, 2, 1), binary(20, 6, 1)
    before = every_path(model, x)
    q = {path: np.exp(v - logsumexp(list(before.values()), axis=0)) for path, v in before.items()}

    def raised(model):
        paths = every_path(model, x)
        return sum((q[path] * paths[path]).sum() for path in q) + model.log_prior()

    model.maximize(model.expect(x, model.prepare(x.dtype))[-1])
    best = raised(model)
    for seed in range(20):
        r = rng(seed)
        nudged = [a * np.exp(r.normal(0, 0.03, a.shape)) for a in (model.start, model.transition)]
        start, transition = (a / a.sum(axis=-1, keepdims=True) for a in nudged)
        logits = model.params.logits + r.normal(0, 0.03, (2, 2))
        other = HMM(3, start, transition, model.family, BernoulliParams(logits), 2)
        assert raised(other) < best


def test_one_step_is_a_mixture():
    model = random_hmm(3, 1, 5)
    mixture = Mixture(model.family, np.log(model.start), model.params, 5)
    x = binary(20, 5)
    np.testing.assert_allclose(model.log_px(x), mixture.log_px(x), rtol=1e-12)


@pytest.mark.equation("hmm.6")
def test_draws_have_the_frequencies_that_log_px_says():
    model = random_hmm(3, 2, 2, concentration=0.5)
    every = np.array([[i >> d & 1 for d in range(4)] for i in range(16)], float)
    draws = model.sample(20_000, rng=rng(1)) @ 2 ** np.arange(4)
    observed = np.bincount(draws.astype(int), minlength=16)
    assert chisquare(observed, 20_000 * np.exp(model.log_px(every))).pvalue > 0.001


@pytest.mark.equation("hmm.6")
def test_paths_have_the_probabilities_of_the_chain():
    """With states that can be read off what they emit."""
    model = random_hmm(3, 2, 3, 4)
    model.params.logits[...] = 60 * np.eye(3) - 30
    states = model.sample(50_000, rng=rng(2)).reshape(-1, 2, 3).argmax(axis=2)
    observed = np.bincount(states @ [3, 1], minlength=9)
    expected = 50_000 * (model.start[:, None] * model.transition).ravel()
    assert chisquare(observed, expected).pvalue > 0.001


@pytest.mark.equation("hmm.4")
def test_the_prior_counts_starts_transitions_and_pixels():
    model = random_hmm(2, 3, 2)
    p = expit(model.params.logits)
    numbers = [model.start, model.transition, p, 1 - p]
    expected = 0.1 * sum(np.log(a).sum() for a in numbers)
    assert model.log_prior() == pytest.approx(expected, rel=1e-12)


def test_em_finds_a_chain_again():
    truth = random_hmm(3, 10, 8, 2, concentration=0.5)
    x, held_out = truth.sample(1000, rng=rng(1)), truth.sample(1000, rng=rng(2))
    model = HMM.init(x, 3, length=10, rng=rng(3))
    *_, last = em(model, x, steps=100, tol=1e-5)
    assert last.converged
    assert model.log_px(held_out).mean() == pytest.approx(truth.log_px(held_out).mean(), abs=0.1)


def test_long_sequences_and_pixels_far_off_stay_finite():
    model = random_hmm(4, 2000, 3)
    model.params.logits[...] *= 40
    x = binary(2, 6000)
    assert np.isfinite(model.log_px(x)).all()
    np.testing.assert_allclose(model.state_posterior(x).sum(axis=2), 1, rtol=1e-9)
    assert np.all(model.viterbi(x).log_prob <= model.log_px(x))


def test_shapes_and_dtypes_that_say_the_same():
    model, x = random_hmm(3, 4, 2), binary(7, 8)
    expected = model.log_px(x)
    for same in (x.reshape(7, 4, 2), x.astype(np.float32), x.astype(np.uint8), x.astype(int)):
        np.testing.assert_allclose(model.log_px(same), expected, rtol=1e-5)


def test_what_makes_no_sequences_is_refused():
    x, options = binary(5, 8), {"length": 4, "rng": rng()}
    for wrong, message in [
        (np.full((5, 8), 0.5), "entries other than 0 and 1"),
        (np.full((5, 8), np.nan), "expected finite"),
        (binary(5, 9), "expected \\(N, D\\) with D = T·W, T = 4"),
        (binary(5, 8).reshape(5, 2, 4), "expected \\(N, T, W\\) with T = 4"),
        ([np.zeros((3, 2)), np.zeros((4, 2))], "sequences of 3 to 4 steps; expected one length, 4"),
    ]:
        with pytest.raises(ValueError, match=message):
            HMM.init(wrong, 2, **options)
    with pytest.raises(ValueError, match="states is 21 and x has 20 steps"):
        HMM.init(x, 21, **options)
    with pytest.raises(TypeError, match=r"states is 2\.0"):
        HMM.init(x, 2.0, **options)
    with pytest.raises(TypeError, match="expected Bernoullis"):
        HMM.init(x, 2, family=npvae.Bernoulli(), **options)
    with pytest.raises(TypeError, match="rng is 0"):
        HMM.init(x, 2, length=4, rng=0)
    model = HMM.init(x, 2, **options)
    with pytest.raises(ValueError, match="expected \\(N, D\\) with D = 8"):
        model.log_px(binary(5, 12))
    with pytest.raises(ValueError, match="nothing below 1e-30, which stands for never"):
        HMM(4, np.array([1.0, 0.0]), np.eye(2), model.family, model.params, 2)


def test_states_may_be_more_than_sequences():
    assert HMM.init(binary(2, 12), 5, length=6, rng=rng()).states == 5


def test_parameters_are_counted():
    assert random_hmm(K=3, T=2, W=4).parameters == 2 + 3 * 2 + 3 * 4
