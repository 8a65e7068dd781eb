"""GANs: the game's matrices, the gradients through both networks, the divergence, the ring."""

import copy
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

import npvae
from npvae.relatives import GAN, train_gan
from npvae.relatives.gan import (
    GENERATOR_LOSSES,
    game,
    losses,
    mode_shares,
    modes_found,
    network,
    optimum,
    ring,
    ring_centres,
)
from npvae.relatives.gan.steps import discriminator_gradient, generator_gradient

Z, D, B = 2, 3, 5
SLOW = {
    "identity": lambda a: a,
    "tanh": np.tanh,
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    "relu": lambda a: np.where(a.real > 0, a, 0),
    "leaky_relu": lambda a: np.where(a.real > 0, a, 0.01 * a),
    "softplus": lambda a: np.log(1 + np.exp(a)),
}


def make_gan(seed=0, **options):
    rng = np.random.default_rng(seed)
    choices = {"hidden": (4, 3), "discriminator_hidden": (4,), "latent_dim": Z}
    choices |= {"dtype": np.float64} | options
    gan = GAN.init(D, rng=rng, **choices)
    for stacks in (gan.generator, gan.discriminator):
        for array in stacks.arrays().values():
            array[...] = rng.normal(0, 0.8, array.shape)
    return gan


def make_batch(gan, seed=1):
    rng = np.random.default_rng(seed)
    low, high = {"identity": (-2, 2), "sigmoid": (0, 1), "tanh": (-1, 1)}[gan.output]
    x = rng.uniform(low, high, (B, gan.data_dim)).astype(gan.dtype)
    return x, rng.standard_normal((B, gan.latent_dim)).astype(gan.dtype)


def slow_stack(h, arrays, part, activation):
    """Dense layers by their definition; numbers may be complex."""
    depth = len(arrays) // 2
    for i in range(depth):
        h = h @ arrays[f"{part}/{i}/W"] + arrays[f"{part}/{i}/b"]
        h = SLOW[activation](h) if i < depth - 1 else h
    return h


def slow_generator(gan, theta, noise):
    return SLOW[gan.output](slow_stack(noise, theta, "generator", gan.activation))


def slow_discriminator(gan, phi, x):
    """D(x), a probability."""
    a = slow_stack(x, phi, "discriminator", gan.discriminator_activation)[:, 0]
    return 1 / (1 + np.exp(-a))


SLOW_LOSSES = {
    "minimax": lambda d: np.log(1 - d),
    "non-saturating": lambda d: -np.log(d),
}


def complex_step(f, arrays):
    """The gradient of the real f(arrays), Im f(v + ih)/h: no difference, so no digit is lost."""
    gradient = {}
    for name, array in arrays.items():
        gradient[name] = np.empty_like(array)
        for index in np.ndindex(array.shape):
            moved = {n: a.astype(complex) for n, a in arrays.items()}
            moved[name][index] += 1e-30j
            gradient[name][index] = f(moved).imag / 1e-30
    return gradient


# The game


@pytest.mark.equation("gan.1", "gan.2", "gan.3", "gan.4")
@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(0.01, 1.9))
def test_steps_are_the_matrices(x, y, learning_rate):
    for step, matrix in (
        (game.simultaneous_step, game.simultaneous_matrix),
        (game.alternating_step, game.alternating_matrix),
    ):
        expected = matrix(learning_rate) @ [x, y]
        np.testing.assert_allclose(step(x, y, learning_rate), expected, atol=1e-12)


@pytest.mark.equation("gan.1")
def test_simultaneous_steps_follow_the_slopes_of_xy():
    h, learning_rate = 1e-6, 0.1
    x, y = 0.7, -0.3
    slope_x = ((x + h) * y - (x - h) * y) / (2 * h)
    slope_y = (x * (y + h) - x * (y - h)) / (2 * h)
    stepped = game.simultaneous_step(x, y, learning_rate)
    expected = (x - learning_rate * slope_x, y + learning_rate * slope_y)
    assert stepped == pytest.approx(expected, abs=1e-9)


@pytest.mark.equation("gan.3")
@pytest.mark.parametrize("learning_rate", [0.01, 0.1, 1.0])
def test_simultaneous_eigenvalues(learning_rate):
    values = np.linalg.eigvals(game.simultaneous_matrix(learning_rate))
    expected = [1 - 1j * learning_rate, 1 + 1j * learning_rate]
    np.testing.assert_allclose(sorted(values, key=np.imag), expected, rtol=1e-12)
    np.testing.assert_allclose(abs(values), math.sqrt(1 + learning_rate**2), rtol=1e-12)


@pytest.mark.equation("gan.4")
@pytest.mark.parametrize("learning_rate", [0.01, 0.1, 1.0, 1.9])
def test_alternating_eigenvalues_lie_on_the_unit_circle_and_the_orbit_on_an_ellipse(learning_rate):
    values = np.linalg.eigvals(game.alternating_matrix(learning_rate))
    np.testing.assert_allclose(abs(values), 1, rtol=1e-12)
    np.testing.assert_allclose(values.real, 1 - learning_rate**2 / 2, rtol=1e-9)
    x, y = 1.0, 0.5
    start = x * x - learning_rate * x * y + y * y
    for _ in range(1000):
        x, y = game.alternating_step(x, y, learning_rate)
    assert x * x - learning_rate * x * y + y * y == pytest.approx(start, rel=1e-9)


def test_alternating_steps_longer_than_two_fly_apart():
    assert abs(np.linalg.eigvals(game.alternating_matrix(2.01))).max() > 1.1


@pytest.mark.equation("gan.5", "gan.6")
@pytest.mark.parametrize("beta", [0.0, 0.3, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("learning_rate", [0.003, 0.1])
def test_momentum_grows_as_its_characteristic_polynomial_says(learning_rate, beta):
    """(λ − 1)² (λ − β)² + η² (1 − β)² λ³ = 0."""
    p = np.polynomial.Polynomial
    polynomial = p([-1, 1]) ** 2 * p([-beta, 1]) ** 2
    polynomial += p([0, 0, 0, (learning_rate * (1 - beta)) ** 2])
    expected = abs(polynomial.roots()).max()
    assert game.momentum_growth(learning_rate, beta) == pytest.approx(expected, abs=1e-8)


@pytest.mark.equation("gan.6")
@pytest.mark.parametrize(("beta", "lag"), [(0.0, 0), (0.5, 1), (0.9, 9)])
def test_growth_is_the_square_of_the_step_times_the_lag(beta, lag):
    learning_rate = 0.003
    growth = game.momentum_growth(learning_rate, beta) - 1
    assert growth == pytest.approx(learning_rate**2 * lag, rel=0.01, abs=1e-12)


@pytest.mark.equation("gan.2", "gan.5")
def test_momentum_steps_by_hand():
    x, y, m, n = game.momentum_step((1.0, 2.0, 0.5, -0.5), 0.1, 0.5)
    assert (m, x) == pytest.approx((1.25, 0.875))
    assert (n, y) == pytest.approx((0.1875, 2.01875))
    without = game.momentum_step((1.0, 2.0, 9.0, 9.0), 0.1, 0.0)
    assert tuple(without[:2]) == pytest.approx(game.alternating_step(1.0, 2.0, 0.1))


# The losses


@pytest.mark.equation("gan.7", "gan.9", "gan.11")
@given(st.floats(-15, 15), st.floats(-15, 15))
def test_losses_are_the_logs_that_define_them(a, b):
    real, fake = 1 / (1 + math.exp(-a)), 1 / (1 + math.exp(-b))
    other = 1 / (1 + math.exp(b))  # 1 − fake, with all its digits
    a, b = np.array([a]), np.array([b])
    expected = -math.log(real) - math.log(other)
    assert losses.discriminator_loss(a, b)[0] == pytest.approx(expected, rel=1e-12)
    assert losses.minimax_loss(b)[0] == pytest.approx(math.log(other), rel=1e-12)
    assert losses.non_saturating_loss(b)[0] == pytest.approx(-math.log(fake), rel=1e-12)


@pytest.mark.equation("gan.8", "gan.10", "gan.12")
def test_gradients_of_the_losses():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 3, (2, 6))
    check = npvae.check_gradient
    check(losses.discriminator_loss, losses.discriminator_loss_backward, (a, b), rng=rng)
    check(losses.minimax_loss, losses.minimax_loss_backward, (b,), rng=rng)
    check(losses.non_saturating_loss, losses.non_saturating_loss_backward, (b,), rng=rng)


@pytest.mark.equation("gan.10", "gan.12")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_where_the_discriminator_is_sure_one_loss_is_silent_and_the_other_is_not(dtype):
    sure, one = np.array([-1e4, -20, 1e4], dtype), np.ones(3, dtype)
    minimax = losses.minimax_loss_backward(one, sure)
    non_saturating = losses.non_saturating_loss_backward(one, sure)
    np.testing.assert_allclose(minimax, [0, -math.exp(-20), -1], rtol=1e-5)
    np.testing.assert_allclose(non_saturating, [-1, -1, 0], atol=1e-7)
    for loss in (losses.minimax_loss(sure), losses.non_saturating_loss(sure)):
        assert np.isfinite(loss).all()
        assert loss.dtype == dtype


# The networks


CHOICES = [
    {"output": "identity", "activation": "tanh", "discriminator_activation": "softplus"},
    {"output": "sigmoid", "activation": "relu", "discriminator_activation": "leaky_relu"},
    {"output": "tanh", "hidden": (), "discriminator_hidden": ()},
    {"output": "sigmoid", "discriminator_hidden": (4, 3), "discriminator_activation": "tanh"},
]


@pytest.mark.equation("gan.18", "gan.20")
@pytest.mark.parametrize("choices", CHOICES)
def test_both_networks_are_their_definitions(choices):
    gan = make_gan(**choices)
    x, noise = make_batch(gan)
    sample = network.generate(gan, noise).x
    expected = slow_generator(gan, gan.generator.arrays(), noise)
    np.testing.assert_allclose(sample, expected, rtol=1e-12)
    probability = 1 / (1 + np.exp(-network.discriminate(gan, x).logits))
    expected = slow_discriminator(gan, gan.discriminator.arrays(), x)
    np.testing.assert_allclose(probability, expected, rtol=1e-12)
    np.testing.assert_allclose(1 / (1 + np.exp(-gan.logits(x))), expected, rtol=1e-12)


def replaced(gan, part, arrays):
    gan = copy.deepcopy(gan)
    own = getattr(gan, part).arrays()
    for name, array in zip(own, arrays, strict=True):
        own[name][...] = array
    return gan


@pytest.mark.equation("gan.19")
@pytest.mark.parametrize("choices", CHOICES)
def test_gradient_of_the_generator(choices):
    gan = make_gan(**choices)
    _, noise = make_batch(gan)

    def f(*arrays):
        return network.generate(replaced(gan, "generator", arrays), noise).x

    def f_backward(dx, *arrays):
        moved = replaced(gan, "generator", arrays)
        sample = network.generate(moved, noise)
        return tuple(network.generate_backward(dx, moved, noise, sample).arrays().values())

    arrays = tuple(gan.generator.arrays().values())
    npvae.check_gradient(f, f_backward, arrays, rng=np.random.default_rng(2), tolerance=1e-7)


@pytest.mark.equation("gan.21", "gan.22")
@pytest.mark.parametrize("choices", CHOICES)
def test_gradients_of_the_discriminator_in_its_input_and_its_parameters(choices):
    gan = make_gan(**choices)
    x, _ = make_batch(gan)

    def f(x, *arrays):
        return network.discriminate(replaced(gan, "discriminator", arrays), x).logits

    def f_backward(dlogits, x, *arrays):
        moved = replaced(gan, "discriminator", arrays)
        verdict = network.discriminate(moved, x)
        dx = network.discriminate_backward_input(dlogits, moved, verdict)
        grads = network.discriminate_backward_params(dlogits, moved, x, verdict)
        return (dx, *grads.arrays().values())

    arrays = (x, *gan.discriminator.arrays().values())
    npvae.check_gradient(f, f_backward, arrays, rng=np.random.default_rng(2), tolerance=1e-7)


def assert_same(gradient, expected):
    """To 1e-10 of the whole gradient's norm."""
    assert gradient.keys() == expected.keys()
    gap = math.sqrt(sum(np.sum((gradient[n] - expected[n]) ** 2) for n in expected))
    assert gap <= 1e-10 * math.sqrt(sum(np.sum(a * a) for a in expected.values()))
    for name, array in expected.items():
        np.testing.assert_allclose(gradient[name], array, rtol=1e-10, atol=1e-14)


@pytest.mark.equation("gan.27")
@pytest.mark.parametrize("choices", CHOICES)
def test_the_discriminators_gradient_is_that_of_its_loss_alone(choices):
    gan = make_gan(**choices)
    x, noise = make_batch(gan)
    fake = slow_generator(gan, gan.generator.arrays(), noise)

    def loss(phi):
        real_term = np.log(slow_discriminator(gan, phi, x))
        fake_term = np.log(1 - slow_discriminator(gan, phi, fake))
        return -np.mean(real_term + fake_term)

    real_logits, fake_logits, grads = discriminator_gradient(gan, x, noise)
    assert_same(grads.arrays(), complex_step(loss, gan.discriminator.arrays()))
    value = losses.discriminator_loss(real_logits, fake_logits).mean()
    assert value == pytest.approx(loss(gan.discriminator.arrays()), rel=1e-12)


@pytest.mark.equation("gan.28")
@pytest.mark.parametrize("loss", GENERATOR_LOSSES)
@pytest.mark.parametrize("choices", CHOICES)
def test_the_generators_gradient_goes_through_the_discriminator(choices, loss):
    gan = make_gan(**choices)
    _, noise = make_batch(gan)
    phi = gan.discriminator.arrays()

    def slow_loss(theta):
        verdict = slow_discriminator(gan, phi, slow_generator(gan, theta, noise))
        return np.mean(SLOW_LOSSES[loss](verdict))

    logits, grads = generator_gradient(gan, noise, GENERATOR_LOSSES[loss])
    assert_same(grads.arrays(), complex_step(slow_loss, gan.generator.arrays()))
    value = GENERATOR_LOSSES[loss].forward(logits).mean()
    assert value == pytest.approx(slow_loss(gan.generator.arrays()), rel=1e-12)


def test_a_step_of_one_network_leaves_the_other_alone():
    gan = make_gan()
    x, noise = make_batch(gan)
    before = gan.copy()
    discriminator_gradient(gan, x, noise)
    generator_gradient(gan, noise, GENERATOR_LOSSES["minimax"])
    for now, then in ((gan.generator, before.generator), (gan.discriminator, before.discriminator)):
        for a, b in zip(now.rows, then.rows, strict=True):
            np.testing.assert_array_equal(a, b)


# What the game is worth


def on_a_grid(p, g, low=-20, high=20, n=20_001):
    x = np.linspace(low, high, n)
    return x, p.logpdf(x), g.logpdf(x), np.full(n, x[1] - x[0])


PAIRS = [(norm(0, 1), norm(1, 1)), (norm(0, 1), norm(0.5, 2)), (norm(-2, 0.5), norm(2, 0.7))]


@pytest.mark.equation("gan.15", "gan.16")
@pytest.mark.parametrize(("p", "g"), PAIRS)
def test_divergences_are_the_integrals_that_define_them(p, g):
    _, *nodes = on_a_grid(p, g)

    def kl(a, b):
        return quad(
            lambda x: a.pdf(x) * (a.logpdf(x) - b(x)), -20, 20, limit=200, points=(-2, 0, 2)
        )[0]

    def log_m(x):
        return math.log((p.pdf(x) + g.pdf(x)) / 2)

    assert optimum.kullback_leibler(*nodes) == pytest.approx(kl(p, g.logpdf), rel=1e-7)
    expected = (kl(p, log_m) + kl(g, log_m)) / 2
    assert optimum.jensen_shannon(*nodes) == pytest.approx(expected, rel=1e-7)


@pytest.mark.equation("gan.16")
def test_overlapping_boxes_have_the_divergence_that_one_can_read_off():
    """p uniform on [0, 1], g on [s, 1 + s]: they share 1 − s, and JS = s log 2."""
    x = (np.arange(4000) + 0.5) / 2000
    for shift in (0.0, 0.25, 1.0):
        p, g = (x < 1) * 1.0, ((x > shift) & (x < 1 + shift)) * 1.0
        with np.errstate(divide="ignore"):
            nodes = np.log(p), np.log(g)
        weight = np.full(4000, 1 / 2000)
        found = optimum.jensen_shannon(*nodes, weight)
        assert found == pytest.approx(shift * math.log(2), abs=1e-12)
        best = optimum.game_value(optimum.optimal_logits(*nodes), *nodes, weight)
        assert best == pytest.approx((2 * shift - 2) * math.log(2), abs=1e-12)
        assert optimum.kullback_leibler(*nodes, weight) == (math.inf if shift else 0)


@pytest.mark.equation("gan.13", "gan.14")
@pytest.mark.parametrize(("p", "g"), PAIRS)
def test_no_other_discriminator_is_worth_more(p, g):
    x, *nodes = on_a_grid(p, g)
    best = optimum.optimal_logits(*nodes[:2])
    near = (p.pdf(x) > 1e-100) & (g.pdf(x) > 1e-100)
    share = p.pdf(x[near]) / (p.pdf(x[near]) + g.pdf(x[near]))
    np.testing.assert_allclose(1 / (1 + np.exp(-best[near])), share, rtol=1e-9)
    value = optimum.game_value(best, *nodes)
    for other in (best + 0.1, best * 0.9, best + 0.1 * np.sin(x), 0 * best):
        assert optimum.game_value(other, *nodes) < value
    assert optimum.game_value(0 * best, *nodes) == pytest.approx(-math.log(4), abs=1e-9)


@pytest.mark.equation("gan.14", "gan.17")
@pytest.mark.parametrize(("p", "g"), PAIRS)
def test_the_best_discriminator_makes_the_game_a_jensen_shannon_divergence(p, g):
    _, *nodes = on_a_grid(p, g)
    value = optimum.game_value(optimum.optimal_logits(*nodes[:2]), *nodes)
    expected = 2 * optimum.jensen_shannon(*nodes) - math.log(4)
    assert value == pytest.approx(expected, abs=1e-12)


@pytest.mark.equation("gan.14", "gan.27")
def test_a_discriminator_that_was_trained_arrives_at_the_best_one():
    """p = N(1, 1) against g = N(0, 1): the best logit is x − ½, a line."""
    rng = np.random.default_rng(0)
    gan = GAN.init(
        1,
        hidden=(),
        discriminator_hidden=(),
        latent_dim=1,
        output="identity",
        dtype=np.float64,
        rng=rng,
    )
    gan.generator.arrays()["generator/0/W"][:] = 1
    optimizer = npvae.Adam(0.02)
    quantiles = norm.ppf((np.arange(2000) + 0.5) / 2000)[:, None]
    for _ in range(600):
        _, _, grads = discriminator_gradient(gan, 1 + quantiles, quantiles)
        optimizer.update(gan.discriminator.rows, grads.rows)
    W, b = gan.discriminator.stacks["discriminator"][0]
    slope, offset = np.polyfit([0, 1], optimum.optimal_logits(*norm([[1], [0]]).logpdf([0, 1])), 1)
    assert (slope, offset) == pytest.approx((1, -0.5))
    assert (W.item(), b.item()) == pytest.approx((slope, offset), abs=0.01)


@pytest.mark.equation("gan.9", "gan.11", "gan.29")
@pytest.mark.parametrize("mean", [0.3, 1.0, 2.5])
def test_which_divergence_each_loss_of_the_generator_lowers(mean):
    """G(z) = mean + z against p = N(0, 1), D the best one at this mean and then held."""
    z = np.linspace(-10, 10, 20_001)
    weight = norm.pdf(z) * (z[1] - z[0])

    def logits(x):  # of D*, for the mean above
        return norm.logpdf(x) - norm.logpdf(x, mean)

    def slope(f, h=1e-5):
        return (f(mean + h) - f(mean - h)) / (2 * h)

    def divergence(mean):
        _, *nodes = on_a_grid(norm(0, 1), norm(mean, 1))
        swapped = nodes[1], nodes[0], nodes[2]
        return optimum.jensen_shannon(*nodes), optimum.kullback_leibler(*swapped)

    js, reverse_kl = (slope(lambda m, i=i: divergence(m)[i]) for i in range(2))
    minimax = slope(lambda m: weight @ losses.minimax_loss(logits(m + z)))
    non_saturating = slope(lambda m: weight @ losses.non_saturating_loss(logits(m + z)))
    assert minimax == pytest.approx(2 * js, rel=1e-5)
    assert non_saturating == pytest.approx(reverse_kl - 2 * js, rel=1e-5)


# The ring


@pytest.mark.equation("gan.23", "gan.24", "gan.25", "gan.26")
def test_draws_from_the_ring_are_found_in_all_its_modes():
    centres = ring_centres()
    np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 2)
    np.testing.assert_allclose(centres[2], [0, 2], atol=1e-15)
    x = ring(40_000, centres=centres, std=0.1, rng=np.random.default_rng(0))
    shares = mode_shares(x, centres=centres, std=0.1)
    inside = 1 - math.exp(-(3**2) / 2)
    np.testing.assert_allclose(shares, inside / 8, atol=4 * math.sqrt(1 / 8 / 40_000))
    assert shares.sum() == pytest.approx(inside, abs=4 * math.sqrt(inside * (1 - inside) / 40_000))
    assert modes_found(x, centres=centres, std=0.1) == 8
    nearest = np.linalg.norm(x[:, None] - centres, axis=2).argmin(axis=1)
    np.testing.assert_allclose((x - centres[nearest]).std(axis=0), 0.1, rtol=0.02)


@pytest.mark.equation("gan.26")
def test_a_mode_counts_from_a_quarter_of_its_share_on():
    centres = ring_centres(4)
    rows = np.repeat([0, 1, 2, 3], [10, 50, 20, 80])  # of 160, of which 10 are a quarter of 40
    assert modes_found(centres[rows], centres=centres, std=0.1) == 4
    assert modes_found(centres[rows[1:]], centres=centres, std=0.1) == 3
    assert modes_found(np.zeros((5, 2)), centres=centres, std=0.1) == 0


def play(seed=0, epochs=3, **options):
    rng = np.random.default_rng(seed)
    x = ring(500, centres=ring_centres(), std=0.1, rng=rng)
    gan = GAN.init(2, hidden=(16,), latent_dim=2, output="identity", rng=rng)
    settings = {"batch_size": 64, "rng": rng, "epochs": epochs}
    settings |= {
        "generator_optimizer": npvae.Adam(1e-3, beta1=0.5),
        "discriminator_optimizer": npvae.Adam(1e-3, beta1=0.5),
    }
    return gan, x, list(train_gan(gan, x, **settings | options))


def test_a_gan_finds_the_ring():
    """The setting of derivations/figures/gan_ring.py, which prints ten seeds; 40 epochs of its 60.

    A game is chaotic, and rounding differs between machines: so two seeds, and room for one mode.
    """
    centres, found = ring_centres(), []
    for seed in range(2):
        rng = np.random.default_rng(seed)
        x = ring(5000, centres=centres, std=0.1, rng=rng)
        gan = GAN.init(2, hidden=(64, 64), latent_dim=8, output="identity", rng=rng)
        optimizers = {
            f"{name}_optimizer": npvae.Adam(0.01, beta1=0.5)
            for name in ("generator", "discriminator")
        }
        list(train_gan(gan, x, epochs=40, batch_size=250, rng=rng, **optimizers))
        sample = gan.sample(4000, rng=rng)
        found.append(modes_found(sample, centres=centres, std=0.1))
        assert mode_shares(sample, centres=centres, std=0.1).sum() > 0.6
    assert min(found) >= 6
    assert max(found) >= 7


# Training


def test_records_are_means_over_the_rows_and_fit_a_line():
    _, _, records = play(epochs=2)
    assert [record.epoch for record in records] == [1, 2]
    for record in records:
        assert 0 < record.real < 1
        assert 0 < record.fake < 1
        assert record.discriminator_loss == pytest.approx(math.log(4), abs=0.5)
        assert len(str(record)) <= 80


def test_records_are_computed_from_the_rows_as_visited():
    """Steps too short to matter, so that the networks are the same throughout."""
    rng = np.random.default_rng(0)
    gan = make_gan(output="identity")
    x, _ = make_batch(gan)
    streams = copy.deepcopy(rng).spawn(3)
    for_d, for_g = (
        [
            slow_generator(gan, gan.generator.arrays(), rng.standard_normal((n, Z)))
            for n in (2, 2, 1)
        ]
        for rng in streams[1:]
    )
    optimizers = {f"{name}_optimizer": npvae.SGD(1e-14) for name in ("generator", "discriminator")}
    (record,) = train_gan(gan, x, epochs=1, batch_size=2, rng=rng, **optimizers)
    real, fake = (
        slow_discriminator(gan, gan.discriminator.arrays(), rows)
        for rows in (x, np.concatenate(for_d))
    )
    assert record.real == pytest.approx(real.mean())
    assert record.fake == pytest.approx(fake.mean())
    assert record.discriminator_loss == pytest.approx(-np.mean(np.log(real) + np.log(1 - fake)))
    by_step = [
        -np.log(slow_discriminator(gan, gan.discriminator.arrays(), rows)).mean() for rows in for_g
    ]
    assert record.generator_loss == pytest.approx(np.mean(by_step))


def test_both_networks_step_once_a_batch_the_discriminator_first():
    rng = np.random.default_rng(0)
    gan = make_gan(output="identity")
    x, _ = make_batch(gan)
    expected, streams = gan.copy(), copy.deepcopy(rng).spawn(3)
    order = streams[0].permutation(B)
    noise = [stream.standard_normal((B, Z)) for stream in streams[1:]]
    _, _, grads = discriminator_gradient(expected, x[order], noise[0])
    npvae.SGD(0.1).update(expected.discriminator.rows, grads.rows)
    _, grads = generator_gradient(expected, noise[1], GENERATOR_LOSSES["non-saturating"])
    npvae.SGD(0.2).update(expected.generator.rows, grads.rows)
    list(
        train_gan(
            gan,
            x,
            epochs=1,
            batch_size=B,
            discriminator_optimizer=npvae.SGD(0.1),
            generator_optimizer=npvae.SGD(0.2),
            rng=rng,
        )
    )
    for part in ("discriminator", "generator"):
        for name, array in getattr(expected, part).arrays().items():
            np.testing.assert_allclose(getattr(gan, part).arrays()[name], array, rtol=1e-12)


class Counting(npvae.SGD):
    def __init__(self):
        super().__init__(1e-3)
        self.updates = 0

    def update(self, params, grads):
        self.updates += 1
        super().update(params, grads)


def test_the_generator_may_wait_for_several_steps_of_the_discriminator():
    generator, discriminator = Counting(), Counting()
    optimizers = {"generator_optimizer": generator, "discriminator_optimizer": discriminator}
    play(epochs=2, discriminator_steps=3, **optimizers)
    assert discriminator.updates == 2 * 8  # ⌈500/64⌉
    assert generator.updates == 2 * 3  # after batches 3, 6 and 8


def test_a_seed_repeats_all_and_sampling_in_between_changes_nothing():
    first, _, _ = play()
    second, x, _ = play(seed=0, epochs=1)
    again, _, _ = play()
    np.testing.assert_array_equal(first.generator.rows[0], again.generator.rows[0])
    assert not np.array_equal(first.generator.rows[0], second.generator.rows[0])
    rng = np.random.default_rng(0)
    x = ring(500, centres=ring_centres(), std=0.1, rng=rng)
    gan = GAN.init(2, hidden=(16,), latent_dim=2, output="identity", rng=rng)
    for _ in train_gan(
        gan,
        x,
        epochs=3,
        batch_size=64,
        generator_optimizer=npvae.Adam(1e-3, beta1=0.5),
        discriminator_optimizer=npvae.Adam(1e-3, beta1=0.5),
        rng=rng,
    ):
        gan.sample(10, rng=rng)
    np.testing.assert_array_equal(first.generator.rows[0], gan.generator.rows[0])


def test_no_two_weight_arrays_of_the_two_networks_start_alike():
    gan = GAN.init(3, hidden=(3, 3), latent_dim=3, rng=np.random.default_rng(0))
    weights = [
        array
        for stacks in (gan.generator, gan.discriminator)
        for name, array in stacks.arrays().items()
        if name.endswith("W")
    ]
    for i, a in enumerate(weights):
        for b in weights[:i]:
            n = min(a.size, b.size)
            assert not np.isclose(a.ravel()[:n], b.ravel()[:n]).any()


def test_logits_of_many_rows_are_those_of_each():
    gan, x = make_gan(), np.random.default_rng(1).random((2345, D))
    np.testing.assert_allclose(gan.logits(x)[-5:], gan.logits(x[-5:]), rtol=1e-12)


def test_grey_levels_are_read_as_such():
    gan = make_gan()
    levels = np.random.default_rng(0).integers(0, 256, (10, D), dtype=np.uint8)
    levels[0, 0] = 255
    np.testing.assert_allclose(gan.logits(levels), gan.logits(levels / 255), rtol=1e-12)


def test_float32_stays_float32():
    gan, x, _ = play(epochs=1)
    assert gan.sample(3, rng=np.random.default_rng(0)).dtype == np.float32
    assert gan.logits(x).dtype == np.float32
    wide = gan.astype(np.float64)
    assert wide.discriminator.rows[0].dtype == wide.generator.rows[0].dtype == np.float64
    assert wide.logits(x).dtype == np.float64


@pytest.mark.parametrize(
    ("output", "inside", "outside"),
    [("sigmoid", (0, 1), 1.01), ("tanh", (-1, 1), -1.01), ("identity", (-50, 50), None)],
)
def test_each_output_has_its_range(output, inside, outside):
    gan = make_gan(output=output)
    for x in inside:
        assert np.isfinite(gan.logits(np.full((2, D), x))).all()
    if outside is not None:
        with pytest.raises(ValueError, match="spans"):
            gan.logits(np.full((2, D), outside))


ADAM = npvae.Adam()
BAD = [
    ({"x": np.zeros((4, 2))}, ValueError, r"expected \(N, D\) with D = 3"),
    ({"x": np.full((4, D), np.nan)}, ValueError, r"x\[0, 0\] is nan"),
    ({"x": np.full((4, D), 1.5)}, ValueError, r"spans \[1.5, 1.5\]; the generator's output"),
    ({"x": np.full((4, D), -0.1)}, ValueError, "spans"),
    ({"x": np.full((4, D), 3, np.uint8)}, ValueError, "uint8"),
    ({"x": "images"}, TypeError, "real numbers"),
    ({"epochs": 1.5}, TypeError, "epochs"),
    ({"batch_size": 0}, ValueError, "batch_size"),
    ({"generator_optimizer": npvae.Adam}, TypeError, "optimizer"),
    ({"discriminator_optimizer": None}, TypeError, "optimizer"),
    ({"generator_optimizer": ADAM, "discriminator_optimizer": ADAM}, ValueError, "got one"),
    ({"generator_loss": "wasserstein"}, ValueError, "'minimax', 'non-saturating'"),
    ({"discriminator_steps": 0}, ValueError, "discriminator_steps"),
    ({"rng": 1}, TypeError, "rng"),
    ({"progress": 1}, TypeError, "progress"),
]


@pytest.mark.parametrize(("changes", "error", "message"), BAD)
def test_bad_input_is_refused_at_once(changes, error, message):
    settings = {"x": np.zeros((4, D)), "epochs": 1, "rng": np.random.default_rng(0)}
    settings |= {"generator_optimizer": npvae.Adam(), "discriminator_optimizer": npvae.Adam()}
    with pytest.raises(error, match=message):
        train_gan(make_gan(), **settings | changes)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"data_dim": 0}, ValueError, "data_dim"),
        ({"latent_dim": 2.0}, TypeError, "latent_dim"),
        ({"hidden": 5}, TypeError, "hidden"),
        ({"discriminator_hidden": (0,)}, ValueError, r"discriminator_hidden\[0\]"),
        ({"output": "relu"}, ValueError, "output"),
        ({"activation": "gelu"}, ValueError, "activation"),
        ({"discriminator_activation": 1}, ValueError, "discriminator_activation"),
        ({"weight_init": "xavier"}, ValueError, "weight_init"),
        ({"dtype": np.int64}, ValueError, "dtype"),
        ({"rng": None}, TypeError, "rng"),
    ],
)
def test_bad_choices_are_refused(changes, error, message):
    choices = {"data_dim": 3, "rng": np.random.default_rng(0)} | changes
    with pytest.raises(error, match=message):
        GAN.init(**choices)


def test_training_that_diverges_stops_with_a_name():
    with pytest.raises(npvae.NonFiniteError, match="is not finite at epoch"):
        play(
            epochs=200,
            generator_optimizer=npvae.SGD(1e12),
            discriminator_optimizer=npvae.SGD(1e12),
        )


def test_a_game_never_played_is_told():
    gan = make_gan()
    with pytest.warns(UserWarning, match=r"relatives\.train_gan\(…\) was never iterated"):
        train_gan(
            gan,
            np.zeros((4, D)),
            epochs=1,
            generator_optimizer=npvae.Adam(),
            discriminator_optimizer=npvae.Adam(),
            rng=np.random.default_rng(0),
        )
