"""The answers to the exercises of derivations/19-gan.md, and figures that its text states."""

import importlib.util
import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from scipy.stats import norm

from equations import ROOT
from npvae.relatives.gan import game, losses, optimum


def test_1_the_orbit_of_alternating_steps_is_an_ellipse():
    for learning_rate in (0.1, 1.0):
        form = np.array([[1, -learning_rate / 2], [-learning_rate / 2, 1]])
        step = game.alternating_matrix(learning_rate)
        np.testing.assert_allclose(step.T @ form @ step, form, atol=1e-12)
    values = np.linalg.eigvalsh(form)
    np.testing.assert_allclose(values, [0.5, 1.5])
    assert math.sqrt(1.5 / 0.5) == pytest.approx(1.73, abs=5e-3)
    x, y, radii = 1.0, 0.0, []
    for _ in range(1000):  # at η = 1 itself the orbit is six points
        x, y = game.alternating_step(x, y, 0.99)
        radii.append(math.hypot(x, y))
    assert max(radii) / min(radii) == pytest.approx(math.sqrt(1.495 / 0.505), rel=1e-4)


def test_2_negative_momentum_arrives():
    growth = game.momentum_growth(0.1, -0.5)
    assert growth - 1 == pytest.approx(-0.0033, abs=2e-4)
    state = np.array([1.0, 0.0, 0.0, 0.0])
    for _ in range(5000):
        state = game.momentum_step(state, 0.1, -0.5)
    assert np.linalg.norm(state) < 1e-6


def test_3_the_divergence_of_boxes_is_flat_beyond_their_width():
    x = (np.arange(6000) + 0.5) / 2000

    def js(shift):
        p, g = (x < 1) * 1.0, ((x > shift) & (x < 1 + shift)) * 1.0
        with np.errstate(divide="ignore"):
            nodes = np.log(p), np.log(g)
        return optimum.jensen_shannon(*nodes, np.full(len(x), 1 / 2000))

    for shift in (0.2, 0.7):
        assert js(shift) == pytest.approx(shift * math.log(2))
    assert js(1.3) == pytest.approx(js(1.9)) == pytest.approx(math.log(2))


def smoothed_best(x, alpha, beta):
    """argmax_D of p [α log D + (1 − α) log(1 − D)] + g [β log D + (1 − β) log(1 − D)]."""
    p, g = norm.pdf(x), norm.pdf(x, 4)

    def loss(a):
        log_d, log_not = -losses.softplus(np.array([-a]))[0], -losses.softplus(np.array([a]))[0]
        real = p * (alpha * log_d + (1 - alpha) * log_not)
        return -(real + g * (beta * log_d + (1 - beta) * log_not))

    a = minimize_scalar(loss, bounds=(-30, 30), method="bounded", options={"xatol": 1e-10}).x
    return 1 / (1 + math.exp(-a))


def test_4_smoothing_on_the_wrong_side_tells_a_wrong_sample_to_stay():
    for x in (1.0, 2.5, 4.0):
        p, g = norm.pdf(x), norm.pdf(x, 4)
        for alpha, beta in ((0.9, 0.0), (0.9, 0.1)):
            expected = (alpha * p + beta * g) / (p + g)
            assert smoothed_best(x, alpha, beta) == pytest.approx(expected, rel=1e-4)
    assert smoothed_best(4.0, 0.9, 0.1) == pytest.approx(0.1003, abs=5e-5)
    assert smoothed_best(4.0, 0.9, 0.0) == pytest.approx(3.0e-4, abs=5e-6)

    def slope(beta, h=1e-4):
        def log_d(x):
            p, g = norm.pdf(x), norm.pdf(x, 4)
            return math.log((0.9 * p + beta * g) / (p + g))

        return (log_d(4 + h) - log_d(4 - h)) / (2 * h)

    assert slope(0.0) == pytest.approx(-4 / (1 + math.exp(-8)), rel=1e-6)
    assert slope(0.1) == pytest.approx(-4 * 0.0027, rel=0.02)


def test_5_a_line_is_the_best_discriminator_of_two_gaussians_alike():
    x = np.linspace(-12, 13, 20_001)
    nodes = norm.logpdf(x, 1), norm.logpdf(x), np.full(len(x), x[1] - x[0])
    logits = optimum.optimal_logits(*nodes[:2])
    np.testing.assert_allclose(logits, x - 0.5, atol=1e-12)
    assert optimum.jensen_shannon(*nodes) == pytest.approx(0.111, abs=5e-4)
    assert optimum.game_value(logits, *nodes) == pytest.approx(-1.163, abs=1e-3)


def test_distances_that_the_first_figure_states():
    for step, distance in (
        (lambda s: game.simultaneous_step(*s, 0.1), 2.57),
        (lambda s: game.alternating_step(*s, 0.1), 1.01),
    ):
        state = (1.0, 0.0)
        for _ in range(190):
            state = step(state)
        assert math.hypot(*state) == pytest.approx(distance, abs=5e-3)
    for beta, distance in ((0.5, 5.6), (0.9, 180)):
        state = np.array([1.0, 0.0, 0.0, 0.0])
        for _ in range(190):
            state = game.momentum_step(state, 0.1, beta)
        assert math.hypot(*state[:2]) == pytest.approx(distance, rel=0.005)


def test_where_a_sigmoid_has_no_log_the_loss_has_its_value_and_slope():
    sure, one = np.array([-104], np.float32), np.ones(1, np.float32)
    with np.errstate(over="ignore", divide="ignore"):
        assert np.log(1 / (1 + np.exp(-sure))) == -np.inf
    assert losses.non_saturating_loss(sure) == 104
    assert losses.non_saturating_loss_backward(one, sure) == -1
    assert np.float32(1) - losses.sigmoid(np.array([17], np.float32)) == 0
    dreal, _ = losses.discriminator_loss_backward(one, np.array([17], np.float32), sure)
    assert dreal == pytest.approx(-math.exp(-17), rel=1e-5)


def test_a_turn_of_simultaneous_steps_widens_the_orbit_by_e_to_the_pi_times_the_step():
    for learning_rate in (0.1, 0.01):
        per_step = abs(np.linalg.eigvals(game.simultaneous_matrix(learning_rate))).max()
        assert per_step ** (2 * math.pi / learning_rate) == pytest.approx(
            math.exp(math.pi * learning_rate), rel=learning_rate**2
        )


@pytest.fixture(scope="module")
def script():
    """derivations/figures/vae_gan.py, whose measures the comparison of the chapter rests on."""
    file = ROOT / "derivations" / "figures" / "vae_gan.py"
    spec = importlib.util.spec_from_file_location("vae_gan", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_scripts_share_of_grey_and_of_fine_structure(script):
    x = np.repeat([0.05, 0.5, 0.95], [780, 1, 3])[None]
    assert script.grey(x) == pytest.approx(1 / 4)
    column = np.arange(28)
    for cycles, share in ((3, 0), (10, 1)):  # in 28 pixels, of which a quarter are 7
        wave = np.tile(0.5 + 0.4 * np.cos(2 * np.pi * cycles * column / 28), (28, 1))
        assert script.fine(wave.reshape(1, -1)) == pytest.approx(share, abs=1e-12)


def test_the_scripts_distances_and_parzen_windows(script):
    rng = np.random.default_rng(0)
    x, centres = rng.random((20, 784)), rng.random((7, 784))
    distances = np.linalg.norm(x[:, None] - centres, axis=2)
    np.testing.assert_allclose(script.nearest(x, centres), distances.min(axis=1), rtol=1e-9)
    log_p = [logsumexp(norm.logpdf(row, centres, 0.3).sum(axis=1)) - math.log(7) for row in x]
    assert script.parzen(centres, x, 0.3) == pytest.approx(np.mean(log_p), rel=1e-9)


def test_the_scripts_k_means_finds_what_is_apart(script):
    rng = np.random.default_rng(0)
    truth = 10 * np.eye(3, 5)
    x = np.repeat(truth, 50, axis=0) + 0.1 * rng.standard_normal((150, 5))
    # From two starts in one cluster it may end elsewhere: any of ten seeds must do.
    gaps = [
        np.abs(np.sort(script.k_means(x, 3, np.random.default_rng(seed)), axis=0)[-1] - 10)[
            :3
        ].max()
        for seed in range(10)
    ]
    assert min(gaps) < 0.1
