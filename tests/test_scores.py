"""How odd a row is: each score against its definition, the AUROC against all pairs, the coder
against a loop and against every image there is."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import npvae
from models import make_batch, make_vae
from npvae import exact, uses

# Scores of rows.


def small_vae():
    """A model whose q covers the posterior, and images that it makes."""
    vae = make_vae(D=6, Z=2)
    for array in vae.params.encoder[-1]:
        array *= 0.3
    return vae, vae.sample(10, rng=np.random.default_rng(1), draw=True)


@pytest.mark.equation("scores.1")
def test_the_four_scores_are_what_they_are_called():
    vae, x = small_vae()
    scores = uses.anomaly_scores(vae, x, samples=2000, rng=np.random.default_rng(2))
    mu, _ = vae.encode(x)
    for n in range(len(x)):
        assert scores.mu_distance[n] == pytest.approx(sum(m * m for m in mu[n]))
        mean = vae.decode(mu[n : n + 1])[0]
        assert scores.squared_error[n] == pytest.approx(sum((x[n] - mean) ** 2))
    log_px, bound = (
        exact.quadrature(vae, x, step=0.25).log_px,
        exact.expected_bound(vae, x, step=0.5),
    )
    again = npvae.log_likelihood(vae, x, samples=2000, rng=np.random.default_rng(3))
    assert np.all(np.abs(scores.log_px + log_px) < 4 * again.standard_error)
    # log p(x|z) of 6 pixels varies over q by less than 2 nats.
    assert scores.bound == pytest.approx(-bound, abs=4 * 2 / math.sqrt(2000))


@pytest.mark.equation("scores.1")
@pytest.mark.filterwarnings("ignore::npvae.UnreliableWarning")
@pytest.mark.parametrize("samples", [1, 3, 33])
def test_the_bound_is_a_mean_over_any_number_of_draws(samples):
    """Where p(x|z) is the same at every z, so is the bound of any draws."""
    vae, x = small_vae()
    vae.params.decoder[0].W[:] = 0
    scores = uses.anomaly_scores(vae, x, samples=samples, rng=np.random.default_rng(2))
    bound = npvae.elbo(vae, x, np.zeros((1, len(x), 2))).bound
    np.testing.assert_allclose(scores.bound, -bound, rtol=1e-12)


@pytest.mark.filterwarnings("ignore::npvae.UnreliableWarning")
def test_a_larger_score_is_an_odder_row():
    """For every score: a row far from all that the model makes."""
    vae = make_vae(npvae.Gaussian(0.7), "identity", hidden=(), decoder_hidden=())
    usual = vae.sample(20, rng=np.random.default_rng(1), draw=True)
    rows = np.vstack([usual, np.full((1, vae.data_dim), 40.0)])
    for score in uses.anomaly_scores(vae, rows, samples=20, rng=np.random.default_rng(2)):
        assert score.argmax() == 20
        assert uses.auroc(score, np.arange(21) == 20).value == 1


@pytest.mark.filterwarnings("ignore::npvae.UnreliableWarning")
def test_a_rows_score_is_its_own_and_rows_are_taken_as_they_are():
    """Neither the other rows nor the row's own largest entry change its scale."""
    vae = make_vae(npvae.Gaussian(0.7))
    x, _ = make_batch(vae, B=250)
    together = uses.anomaly_scores(vae, x, samples=3, rng=np.random.default_rng(0))
    alone = uses.anomaly_scores(vae, x[-7:], samples=3, rng=np.random.default_rng(0))
    np.testing.assert_allclose(together.squared_error[-7:], alone.squared_error)
    np.testing.assert_allclose(together.mu_distance[-7:], alone.mu_distance)
    faint = uses.anomaly_scores(vae, x / 3, samples=3, rng=np.random.default_rng(0))
    assert np.abs(faint.squared_error - together.squared_error).min() > 1e-3


def test_float32_rows_and_uint8_rows_are_scored():
    vae = make_vae(D=4, dtype=np.float32)
    x = np.eye(4, dtype=np.uint8) * 255
    few = {"samples": 2, "rng": np.random.default_rng(0)}
    scores = uses.anomaly_scores(vae, x, **few)
    assert [score.shape for score in scores] == [(4,)] * 4
    assert scores.squared_error.dtype == scores.mu_distance.dtype == np.float32
    np.testing.assert_array_equal(
        scores.mu_distance, uses.anomaly_scores(vae, np.eye(4), **few).mu_distance
    )


# How well a score tells.

few_values = st.lists(st.integers(-3, 3), min_size=1, max_size=12)


@pytest.mark.equation("scores.2", "scores.4")
@given(odd=few_values, usual=few_values)
def test_auroc_is_the_share_of_pairs_in_the_right_order(odd, usual):
    pairs = [(a > b) + (a == b) / 2 for a in odd for b in usual]
    answer = uses.auroc([*odd, *usual], [True] * len(odd) + [False] * len(usual))
    assert answer.value == pytest.approx(np.mean(pairs), abs=1e-12)


@pytest.mark.equation("scores.3")
def test_the_standard_error_is_the_spread_of_many_samples():
    """The odd scores N(1, 3²), the usual ones N(0, 1), so that Var[v] is far from Var[u]."""
    rng, is_odd = np.random.default_rng(0), np.arange(70) < 20
    spread = np.where(is_odd, 3, 1)
    answers = [uses.auroc(spread * rng.normal(size=70) + is_odd, is_odd) for _ in range(500)]
    values, errors = np.transpose(answers)
    exact_value = 0.5 * math.erfc(-1 / math.sqrt(20))  # P(N(1, 10) > 0)
    assert np.abs(values.mean() - exact_value) < 4 * values.std() / np.sqrt(500)
    # A standard deviation from 500 draws is known to 3.2 %.
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(values.std(), rel=4 * 0.032)


def test_a_flipped_sign_is_one_minus_the_auroc_and_a_monotone_change_is_nothing():
    rng, is_odd = np.random.default_rng(0), np.arange(30) < 10
    score = rng.normal(size=30) + is_odd
    value = uses.auroc(score, is_odd).value
    assert value > 0.5
    assert uses.auroc(-score, is_odd).value == pytest.approx(1 - value, abs=1e-12)
    assert uses.auroc(np.exp(score), is_odd).value == value
    assert uses.auroc(np.append(score, np.inf), np.append(is_odd, True)).value > value


def test_of_one_odd_row_no_error_is_known():
    answer = uses.auroc([1.0, 2.0, 3.0], [0, 0, 1])
    assert answer.value == 1
    assert np.isnan(answer.standard_error)
    assert str(uses.auroc([1, 3, 2, 4], [0, 0, 1, 1])) == "0.750 ± 0.354"


@pytest.mark.parametrize(
    ("score", "odd", "message"),
    [
        ([1.0, np.nan], [0, 1], r"score\[1\] is nan"),
        ([1.0, 2.0], [1, 1], "all 2 rows are odd; expected some odd, some usual"),
        ([1.0, 2.0], [False, False], "all 2 rows are usual"),
        ([1.0, 2.0, 3.0], [0, 1], "odd has 2 rows; score has 3"),
        ([1.0, 2.0], [0, 2], r"odd\[1\] is 2; expected True or False, or 1 or 0"),
        ([[1.0, 2.0]], [0, 1], r"score has shape \(1, 2\); expected \(N,\)"),
        ([], [], r"score has shape \(0,\)"),
    ],
)
def test_auroc_refuses_what_has_no_answer(score, odd, message):
    with pytest.raises(ValueError, match=message):
        uses.auroc(score, odd)


# A coder that has seen no image.


def every_image(rows, columns):
    pixels = itertools.product((0, 1), repeat=rows * columns)
    return np.array(list(pixels), np.float64)


def coded(image):
    """The price of one image (rows, columns), pixel by pixel, as a coder would pay it."""
    counts, total = {}, 0.0
    for i, j in np.ndindex(image.shape):
        around = (i, j - 1), (i - 1, j - 1), (i - 1, j), (i - 1, j + 1)
        context = tuple(
            int(image[a, b]) if a >= 0 and 0 <= b < image.shape[1] else 0 for a, b in around
        )
        n = counts.setdefault(context, [0.5, 0.5])
        total -= math.log(n[image[i, j]] / sum(n))
        n[image[i, j]] += 1
    return total


@pytest.mark.equation("scores.5")
@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (3, 3), (3, 4)])
def test_the_coders_probabilities_of_every_image_sum_to_one(shape):
    assert np.exp(-uses.code_length(every_image(*shape), shape)).sum() == pytest.approx(1)


@pytest.mark.equation("scores.5")
def test_a_coder_pays_pixel_by_pixel():
    images = (np.random.default_rng(0).random((20, 7, 5)) < 0.3).astype(np.float32)
    lengths = uses.code_length(images.reshape(20, 35), (7, 5))
    np.testing.assert_allclose(lengths, [coded(image.astype(int)) for image in images], rtol=1e-12)


@pytest.mark.equation("scores.5")
def test_plain_images_are_short_and_noise_is_a_bit_a_pixel():
    noise = np.random.default_rng(0).integers(0, 2, (20, 784))
    plain = uses.code_length(np.zeros((1, 784)), (28, 28))
    assert plain == pytest.approx(0.5 * math.log(784 * math.pi), abs=0.01)
    # 16 numbers of ½ log n nats are learned on the way.
    lengths = uses.code_length(noise, (28, 28))
    assert 0 < lengths.mean() - 784 * math.log(2) < 16 * math.log(784) / 2


@pytest.mark.equation("scores.6")
def test_the_corrected_score_is_a_ratio_of_two_probabilities():
    """Its mean over the model's own images is −KL(p ‖ coder), so it is below 0."""
    vae, _ = small_vae()
    x = every_image(2, 3)
    log_px = exact.quadrature(vae, x, step=0.2).log_px
    p_coder = np.exp([-coded(image.reshape(2, 3).astype(int)) for image in x])
    score = uses.complexity_corrected(-log_px, x, (2, 3))
    np.testing.assert_allclose(np.exp(score), p_coder / np.exp(log_px), rtol=1e-9)
    assert np.exp(log_px) @ score < 0


@pytest.mark.parametrize(
    ("x", "shape", "message"),
    [
        (np.full((1, 4), 0.5), (2, 2), r"x\[0, 0\] is 0.5; expected 0 or 1"),
        (np.zeros((1, 4)), (2, 3), r"x has shape \(1, 4\); expected \(N, D\) with D = 6"),
        (np.zeros((1, 4)), (4,), r"shape is \(4,\); expected \(rows, columns\)"),
        (np.zeros((1, 4)), (0, 4), "shape is 0; expected an integer >= 1"),
    ],
)
def test_a_coder_refuses_what_it_cannot_code(x, shape, message):
    with pytest.raises(ValueError, match=message):
        uses.code_length(x, shape)


def test_a_correction_needs_a_score_for_each_image():
    with pytest.raises(ValueError, match="log_px_score has 3 rows; x has 2"):
        uses.complexity_corrected(np.zeros(3), np.zeros((2, 4)), (2, 2))


def test_bad_rows_are_refused_before_any_work():
    vae, x = small_vae()
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"x has shape \(10, 5\); expected \(N, D\) with D = 6"):
        uses.anomaly_scores(vae, x[:, :5], rng=rng)
    with pytest.raises(ValueError, match="samples is 0"):
        uses.anomaly_scores(vae, x, samples=0, rng=rng)
    with pytest.raises(TypeError, match="rng is 0"):
        uses.anomaly_scores(vae, x, rng=0)
