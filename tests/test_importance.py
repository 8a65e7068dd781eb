"""log_likelihood: exact where the truth is known, honest about its error, small in memory."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

import npvae
from models import make_batch, make_vae
from npvae import importance
from npvae.importance import add_weights, estimate, no_weights
from npvae.pareto import pareto_k, tail_size

heavy_tails_are_not_the_matter = pytest.mark.filterwarnings("ignore::npvae.UnreliableWarning")


def rng(seed=0):
    return np.random.default_rng(seed)


def linear_model(**options):
    return make_vae(npvae.Gaussian(0.8), hidden=(), decoder_hidden=(), **options)


def evidence(vae, x):
    """log p(x) for p(x) = N(b, WᵀW + σ²I)."""
    (W, b), sigma = vae.params.decoder[0], vae.likelihood.sigma
    return multivariate_normal(b, W.T @ W + sigma**2 * np.eye(len(b))).logpdf(x)


@heavy_tails_are_not_the_matter
@pytest.mark.equation("importance.1", "objectives.10")
def test_it_is_the_evidence_within_its_standard_error():
    vae = linear_model()
    x, _ = make_batch(vae, B=200)
    result = npvae.log_likelihood(vae, x, samples=2000, rng=rng())
    errors = (result.log_px - evidence(vae, x)) / result.standard_error
    assert np.abs(errors).max() < 4  # of 200 normal numbers, one is beyond 4 in 80 runs
    assert abs(errors.mean()) < 4 / np.sqrt(200)
    assert errors.std() == pytest.approx(1, abs=4 / np.sqrt(400))
    assert result.standard_error.max() < 0.2


@heavy_tails_are_not_the_matter
def test_the_standard_error_is_the_spread_of_repetitions():
    vae = linear_model()
    x, _ = make_batch(vae, B=1)
    results = [npvae.log_likelihood(vae, x, samples=2000, rng=rng(seed)) for seed in range(200)]
    spread = np.std([result.log_px[0] for result in results], ddof=1)
    predicted = np.mean([result.standard_error[0] for result in results])
    assert predicted == pytest.approx(spread, rel=4 / np.sqrt(2 * 199))


@pytest.mark.equation("importance.2", "importance.3", "importance.4")
@pytest.mark.parametrize(("N", "samples"), [(1, 1), (45, 1), (3, 200), (23, 501)])
def test_the_stream_says_what_all_weights_together_say(monkeypatch, N, samples):
    drawn, right = {}, importance.draw_log_weights

    def recorded(vae, x, mu, logvar, draws, *, rng):
        log_w = right(vae, x, mu, logvar, draws, rng=rng)
        drawn.setdefault(x.tobytes(), []).append(log_w)
        return log_w

    monkeypatch.setattr(importance, "draw_log_weights", recorded)
    vae = make_vae()
    x, _ = make_batch(vae, B=N)
    result = npvae.log_likelihood(vae, x, samples=samples, rng=rng())
    log_w = np.concatenate([np.concatenate(chunks) for chunks in drawn.values()], axis=1)
    assert log_w.shape == (samples, N)
    np.testing.assert_allclose(result.log_px, logsumexp(log_w, axis=0) - np.log(samples))
    w = np.exp(log_w - log_w.max(axis=0))
    np.testing.assert_allclose(result.effective_samples, w.sum(axis=0) ** 2 / (w**2).sum(axis=0))
    if samples == 1:
        assert np.isnan(result.standard_error).all()
    else:
        error = w.std(axis=0, ddof=1) / np.sqrt(samples) / w.mean(axis=0)
        error[result.effective_samples < 10] = np.nan
        np.testing.assert_allclose(result.standard_error, error, rtol=1e-9)
        M = tail_size(samples)
        tails = np.sort(log_w, axis=0)[-M - 1 :].astype(float)
        np.testing.assert_allclose(result.pareto_k, [pareto_k(tail) for tail in tails.T])


@pytest.mark.equation("importance.2", "importance.3")
@given(
    log_w=arrays(np.float64, (7, 2), elements=st.floats(-1e5, 1e5)),
    cuts=st.lists(st.integers(1, 6), max_size=3, unique=True).map(sorted),
)
def test_any_cut_of_the_stream_gives_the_same_sums(log_w, cuts):
    sums = no_weights(2)
    for part in np.split(log_w, cuts):
        sums = add_weights(sums, part)
    log_px, _, effective = estimate(sums, 7)
    np.testing.assert_allclose(log_px, logsumexp(log_w, axis=0) - np.log(7), rtol=1e-12, atol=1e-12)
    assert np.all((effective >= 1 - 1e-12) & (effective <= 7 + 1e-12))


def test_many_equal_weights_are_all_effective():
    vae = linear_model(D=1, Z=1)  # x = 0.6 z + 0.8 noise, and q its posterior
    (encoder,), (decoder,), _ = vae.params
    decoder.W[:], decoder.b[:] = 0.6, 0
    encoder.W[:], encoder.b[:] = [0.6, 0], [0, np.log(0.64)]
    x = rng().normal(size=(5, 1))
    result = npvae.log_likelihood(vae, x, samples=1000, rng=rng())
    np.testing.assert_allclose(result.log_px, evidence(vae, x), rtol=1e-12)
    np.testing.assert_allclose(result.effective_samples, 1000, rtol=1e-9)
    assert result.standard_error.max() < 1e-6


@heavy_tails_are_not_the_matter
def test_more_draws_come_closer_from_below_and_the_bound_is_lower_still():
    vae = make_vae(seed=3)
    x = npvae.binarize(make_batch(vae, B=400)[0], rng=rng(1))
    runs = [
        npvae.log_likelihood(vae, x, samples=K, rng=rng(2)).log_px.mean() for K in (1, 10, 2000)
    ]
    bound = npvae.evaluate(vae, x, samples=100, rng=rng(3)).elbo
    one, ten, many = runs
    assert one < ten < many
    assert bound < ten
    assert abs(one - bound) < 0.3


@heavy_tails_are_not_the_matter
def test_memory_does_not_grow_with_the_samples():
    vae = make_vae(D=50, hidden=(20,), decoder_hidden=(20,), dtype=np.float32)
    x, _ = make_batch(vae, B=40)
    peaks = []
    for samples in (1000, 1000, 10_000):  # the first one fills caches
        tracemalloc.start()
        npvae.log_likelihood(vae, x, samples=samples, rng=rng())
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 1.2 * peaks[1]


def test_a_bar_is_drawn_where_it_is_asked_for(capsys):
    vae = make_vae()
    x, _ = make_batch(vae, B=25)
    npvae.log_likelihood(vae, x, samples=2, rng=rng())
    assert capsys.readouterr() == ("", "")
    npvae.log_likelihood(vae, x, samples=2, rng=rng(), progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "25/25" in shown.err


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_beyond_the_range_name_their_row(dtype):
    vae = make_vae(npvae.Gaussian(0.5), dtype=dtype)
    x = np.zeros((30, 4))
    x[23] = 1e30 if dtype == np.float32 else 1e200
    with pytest.raises(FloatingPointError, match="log w of row 23 is not finite"):
        npvae.log_likelihood(vae, x, samples=3, rng=rng())


def test_it_says_what_it_found():
    vae = make_vae()
    result = npvae.log_likelihood(vae, make_batch(vae)[0], samples=50, rng=rng())
    assert max(map(len, str(result).splitlines())) <= 80
    text = " ".join(str(result).split())
    assert f"log p(x) {result.log_px.mean():.2f} nats a row" in text
    assert "by the draws; effective samples" in text
    one = npvae.log_likelihood(vae, make_batch(vae)[0][:1], samples=1, rng=rng())
    assert "±" not in str(one)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"samples": 0}, ValueError, "samples is 0; expected an integer >= 1"),
        ({"samples": -5}, ValueError, "samples is -5"),
        ({"samples": 5.0}, TypeError, "samples is 5.0"),
        ({"rng": 3}, TypeError, "rng is 3"),
        ({"progress": "yes"}, TypeError, "progress is 'yes'; expected True or False"),
        ({"x": np.zeros((2, 9))}, ValueError, "x has shape .*; expected .* with D = 4"),
        ({"x": np.full((2, 4), 1.5)}, ValueError, r"\[0, 1\]"),
        ({"x": np.zeros((0, 4))}, ValueError, "x has no rows"),
    ],
)
def test_bad_input_is_refused(arguments, error, message):
    arguments = {"x": np.zeros((2, 4)), "rng": rng()} | arguments
    with pytest.raises(error, match=message):
        npvae.log_likelihood(make_vae(), arguments.pop("x"), **arguments)


@pytest.mark.equation("importance.4")
def test_few_effective_samples_get_no_error_bar_and_a_warning():
    """q is eight of its widths beside a posterior that is known."""
    vae = linear_model(D=1, Z=1)
    (encoder,), (decoder,), _ = vae.params
    decoder.W[:], decoder.b[:] = 0.6, 0
    encoder.W[:], encoder.b[:] = [0.6, 0], [4, np.log(0.25)]
    x = rng().normal(size=(5, 1))
    with pytest.warns(npvae.UnreliableWarning, match="5 of 5 rows rests on a few draws") as told:
        result = npvae.log_likelihood(vae, x, samples=500, rng=rng())
    assert told[0].filename == __file__
    assert np.all(np.abs(result.log_px - evidence(vae, x)) > 1)
    few = result.effective_samples < 10
    assert few.any()
    np.testing.assert_array_equal(np.isnan(result.standard_error), few)
    assert "±" not in str(result)
    assert f"{few.sum()} of 5 rows have too few effective samples" in " ".join(str(result).split())
    assert max(map(len, str(result).splitlines())) <= 80


def test_a_proposal_wider_than_the_posterior_is_reliable():
    vae = linear_model(D=1, Z=1)
    (encoder,), (decoder,), _ = vae.params
    decoder.W[:], decoder.b[:] = 0.6, 0
    encoder.W[:], encoder.b[:] = [0.6, 0], [0, np.log(1.5 * 0.64)]
    result = npvae.log_likelihood(vae, rng().normal(size=(50, 1)), samples=2000, rng=rng())
    assert result.pareto_k.max() < 0.5  # a warning would be an error


def test_a_narrow_proposal_has_the_tail_that_is_known():
    """w ∝ exp(z² (1/s² − 1)/2), z ~ N(0, s² posterior): a Pareto tail of index k = 1 − s²."""
    vae = linear_model(D=1, Z=1)
    (encoder,), (decoder,), _ = vae.params
    decoder.W[:], decoder.b[:] = 0.6, 0
    for s2 in (0.7, 0.45):
        encoder.W[:], encoder.b[:] = [0.6, 0], [0, np.log(s2 * 0.64)]
        result = npvae.log_likelihood(vae, rng().normal(size=(20, 1)), samples=20_000, rng=rng())
        assert result.pareto_k.mean() == pytest.approx(1 - s2, abs=0.1)
