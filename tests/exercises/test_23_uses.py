"""Chapter 23: the answers to its exercises, and figures that its text states."""

import importlib.util
import math

import numpy as np
import pytest

import npvae
from equations import ROOT
from npvae import uses


def test_1_the_plainest_of_all():
    for q, black, mean, draw in ((0.1, 82.60, 254.87, 1e-36), (0.01, 7.88, 43.91, 4e-4)):
        log_px = 784 * math.log(1 - q)
        entropy = -784 * (q * math.log(q) + (1 - q) * math.log(1 - q))
        assert (-log_px, entropy) == pytest.approx((black, mean), abs=0.01)
        assert math.exp(log_px) == pytest.approx(draw, rel=0.5)


def test_2_by_hand():
    score, odd = [3, 5, 1, 3, 4], [1, 1, 0, 0, 0]
    answer = uses.auroc(score, odd)
    assert answer.value == pytest.approx(0.75)
    v, u = [0.5, 1], [1, 0.75, 0.5]
    assert np.mean(v) == np.mean(u) == answer.value
    error = math.sqrt(np.var(v, ddof=1) / 2 + np.var(u, ddof=1) / 3)
    assert answer.standard_error == pytest.approx(error)
    assert uses.auroc(np.negative(score), odd).value == pytest.approx(0.25)


def test_3_what_a_coder_learns():
    black, stripes = uses.code_length([[0, 0, 0, 0], [0, 1, 0, 1]], (1, 4))
    assert math.exp(-black) == pytest.approx(1 / 2 * 3 / 4 * 5 / 6 * 7 / 8)
    assert math.exp(-stripes) == pytest.approx(1 / 32)
    assert (black, stripes) == pytest.approx((1.30, 3.47), abs=0.005)


def test_4_smiles():
    smile, woman = np.repeat([[1, 1], [1, 0], [0, 1], [0, 0]], [40, 10, 10, 40], axis=0).T
    a, b = np.array([1.0, 0.0, 3.0]), np.array([0.0, 2.0, 1.0])
    mu = np.outer(smile, a) + np.outer(woman, b)
    np.testing.assert_allclose(uses.mean_shift(mu, smile), a + 0.6 * b)
    both = uses.mean_shift(mu, np.column_stack([smile, woman]))
    np.testing.assert_allclose(both, [a, b], atol=1e-12)


@pytest.mark.parametrize(
    ("noise", "r2", "leaning", "error"),
    [(0.5, (0.90, 0.95), -0.28, 0.05), (2.0, (0.48, 0.56), -4.5, 0.1)],
)
def test_5_codes_that_hold_a_property_loosely(noise, r2, leaning, error):
    rng = np.random.default_rng(0)
    rng.integers(0, 2, (28, 28)), rng.random((1000, 784))  # as in "Try it"
    t = rng.standard_normal((5000, 2)) @ [[1, 0.8], [0, 0.6]]
    A = np.array([[1.0, 0, 1], [0, 2, 0]])
    mu = t @ A + noise * rng.standard_normal((5000, 3))
    answer = uses.directions(mu, t)
    np.testing.assert_allclose(uses.mean_shift(mu, t), A, atol=error)
    np.testing.assert_allclose(answer.r2, r2, atol=0.005)
    np.testing.assert_allclose(answer.steps @ answer.weights, np.eye(2), atol=1e-9)
    assert answer.steps[0, 1] == pytest.approx(leaning, abs=0.05)


def test_black_and_noise_have_the_lengths_that_the_text_states():
    noise = np.random.default_rng(0).integers(0, 2, (50, 784))
    lengths = uses.code_length(np.vstack([np.zeros((1, 784)), noise]), (28, 28))
    assert lengths[0] == pytest.approx(3.9, abs=0.05)
    assert lengths[1:].mean() - 784 * math.log(2) == pytest.approx(30, abs=3)


# The scripts, whose measures the tables rest on.


def script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / "uses" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.filterwarnings("ignore::npvae.DiagnosisWarning")
def test_the_house_has_doors_on_both_sides_and_every_agent_walks_in_it():
    exploration = script("exploration")
    rng = np.random.default_rng(0)
    house = exploration.House(3, True, rng)
    doors = [set(house.neighbours(room)) for room in range(9)]
    assert doors[0] == {1, 3}
    assert doors[4] == {1, 3, 5, 7}
    assert all((a in doors[b]) == (b in doors[a]) for a in range(9) for b in range(9))
    assert not np.array_equal(house.look(house.noise), house.look(house.noise))
    still = (house.noise + 1) % 9
    np.testing.assert_array_equal(house.look(still), house.look(still))
    for agent in exploration.AGENTS:
        limit = 40 if agent == "counts visits" else 4
        seen = exploration.walk(agent, house, limit, np.random.default_rng(1))
        assert seen[:2] == [1, 2]
        assert len(seen) == limit or seen[-1] == 9
    assert exploration.walk("counts visits", house, 100, rng)[-1] == 9


@pytest.mark.filterwarnings("ignore::npvae.DiagnosisWarning")
def test_what_was_learned_is_less_surprising():
    exploration = script("exploration")
    rng = np.random.default_rng(0)
    mind, (seen, other) = exploration.Mind(rng), exploration.House(2, False, rng).pictures[:2, None]
    before = mind.surprise(seen, False), mind.surprise(other, False)
    for _ in range(5):
        mind.learn(seen)
    after = mind.surprise(seen, False), mind.surprise(other, False)
    assert after[0] - before[0] < after[1] - before[1] - 50


def test_the_unfair_sample_is_unfair_and_the_balanced_one_is_not():
    samples = script("property").samples
    t = np.random.default_rng(0).random((5000, 3))
    fair, unfair, balanced = samples(t, 1000, np.random.default_rng(1)).values()
    correlation = [np.corrcoef(t[rows, 0], t[rows, 1])[0, 1] for rows in (fair, unfair, balanced)]
    assert abs(correlation[0]) < 0.13  # four standard errors
    assert correlation[1] > 0.5
    assert abs(correlation[2]) < 4 / np.sqrt(len(balanced))


def test_a_change_that_is_as_asked_is_judged_perfect(capsys):
    """A model whose three codes are slant, thickness and scale, read without error."""

    class Perfect:
        encode, reconstruct, decode = (staticmethod(f) for f in (lambda x: (x, None), *[abs] * 2))

    x = np.random.default_rng(0).random((50, 3)) + 5
    script("property").judge("exact", np.eye(3), Perfect, abs, x, x, np.random.default_rng(1))
    for line in capsys.readouterr().out.splitlines():
        assert line.split()[2:5] == ["1.00", "1.00", "1.00"]
        assert line.count("kept 1.00") == 2


def test_rescaled_images_are_the_same_however_faint():
    rescaled = script("odd_ones_out").rescaled
    x = npvae.datasets.glyph_digits(3, rng=np.random.default_rng(0)).images
    np.testing.assert_allclose(rescaled(0.3 * x), rescaled(x), rtol=1e-6)
    assert rescaled(x).max() == 1
