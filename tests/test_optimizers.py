"""The optimizers against their papers' rules, written from the whole history of gradients."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

import npvae

SHAPES = [(3, 4), (4,), (5, 1), (1,)]


def sgd_step(history, learning_rate, momentum=0.0):
    """Every gradient still acts, weakened by momentum once a step."""
    ages = range(len(history))[::-1]
    return -learning_rate * sum(momentum**k * g for k, g in zip(ages, history, strict=True))


def adagrad_step(history, learning_rate, epsilon=1e-8):
    """Duchi, Hazan & Singer 2011, figure 1: δ + the 2-norm of all gradients so far."""
    return -learning_rate * history[-1] / (epsilon + np.linalg.norm(history, axis=0))


def adam_step(history, learning_rate, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """Kingma & Ba 2014, eq. (1), and the corrections of algorithm 1."""
    t, history = len(history), np.array(history)

    def corrected_mean(values, beta):
        weights = (1 - beta) * beta ** np.arange(t)[::-1]
        return np.tensordot(weights, values, axes=1) / (1 - beta**t)

    m_hat, v_hat = corrected_mean(history, beta1), corrected_mean(history**2, beta2)
    return -learning_rate * m_hat / (np.sqrt(v_hat) + epsilon)


CASES = [
    pytest.param(npvae.SGD, sgd_step, {"learning_rate": 0.1}, id="SGD"),
    pytest.param(npvae.SGD, sgd_step, {"learning_rate": 0.1, "momentum": 0.9}, id="momentum"),
    pytest.param(npvae.Adagrad, adagrad_step, {"learning_rate": 0.1}, id="Adagrad"),
    pytest.param(npvae.Adam, adam_step, {"learning_rate": 0.1}, id="Adam"),
    pytest.param(
        *(npvae.Adam, adam_step),
        {"learning_rate": 0.03, "beta1": 0.5, "beta2": 0.8, "epsilon": 0.1},
        id="Adam, other constants",
    ),
]
every_optimizer = pytest.mark.parametrize(("optimizer", "step", "options"), CASES)


def draws(rng, steps, shapes=SHAPES, dtype=np.float64):
    """Parameters, and `steps` gradients of each at scales from 0.01 to 100."""
    scales = 10.0 ** rng.uniform(-2, 2, steps)
    params = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    gradients = [[(s * rng.standard_normal(w.shape)).astype(dtype) for w in params] for s in scales]
    return params, gradients


def walk(params, gradients, step, weight_decay, options):
    """The parameters after each step, in float64, by the paper's rule."""
    params = [w.astype(np.float64) for w in params]
    histories = [[] for _ in params]
    for grads in gradients:
        for w, dw, history in zip(params, grads, histories, strict=True):
            decay = weight_decay if w.ndim == 2 else 0
            history.append(dw + decay * w)
            w += step(history, **options)
        yield [w.copy() for w in params]


def assert_follows(optimizer, params, gradients, expected, atol):
    for t, (grads, there) in enumerate(zip(gradients, expected, strict=True), start=1):
        optimizer.update(params, grads)
        for w, should in zip(params, there, strict=True):
            np.testing.assert_allclose(w, should, rtol=0, atol=atol, err_msg=f"step {t}")


@pytest.mark.equation("optimizers.2", "optimizers.4", "optimizers.5", "optimizers.6")
@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
@pytest.mark.parametrize(("dtype", "atol"), [(np.float64, 1e-12), (np.float32, 2e-5)])
def test_every_rule_step_by_step(weight_decay, dtype, atol):
    for case in CASES:
        optimizer, step, options = case.values
        params, gradients = draws(np.random.default_rng(0), 30, dtype=dtype)
        if dtype == np.float32 and optimizer is npvae.SGD:
            options = options | {"learning_rate": 1e-3}  # w stays near 1, where atol is 170 ulp
        expected = walk(params, gradients, step, weight_decay, options)
        assert_follows(
            optimizer(**options, weight_decay=weight_decay), params, gradients, expected, atol
        )


@given(
    seed=st.integers(0, 2**32 - 1),
    shapes=st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=2).map(tuple), max_size=3),
    steps=st.integers(1, 8),
    weight_decay=st.sampled_from([0, 0.01, 1.0]),
)
@every_optimizer
def test_any_shapes(optimizer, step, options, seed, shapes, steps, weight_decay):
    params, gradients = draws(np.random.default_rng(seed), steps, shapes)
    expected = list(walk(params, gradients, step, weight_decay, options))
    largest = max((np.abs(w).max() for there in expected for w in there), default=1)
    optimizer = optimizer(**options, weight_decay=weight_decay)
    assert_follows(optimizer, params, gradients, expected, 1e-13 * max(1, largest))


@pytest.mark.equation("optimizers.1")
def test_a_short_step_lowers_the_loss_by_the_squared_gradient():
    """The drop over η is ‖dw‖² up to a rest that halves with η."""
    rng = np.random.default_rng(1)
    W, A = rng.standard_normal((3, 2)), rng.standard_normal((4, 3))

    def loss(W):
        return np.sum(np.cos(A @ W))

    dW = -A.T @ np.sin(A @ W)
    rests = []
    for eta in (1e-3, 5e-4, 2.5e-4):
        after = W.copy()
        npvae.SGD(eta).update([after], [dW])
        rests.append((loss(W) - loss(after)) / eta - np.sum(dW**2))
    np.testing.assert_allclose(np.divide(rests[:-1], rests[1:]), 2, rtol=0.01)
    assert abs(rests[-1]) < 0.01 * np.sum(dW**2)


@pytest.mark.equation("optimizers.3")
@pytest.mark.parametrize("momentum", [0, 0.5, 0.9])
def test_momentum_multiplies_a_steady_gradient_by_its_geometric_sum(momentum):
    w, g = np.zeros((1, 2)), np.array([[1.0, -3.0]])
    optimizer = npvae.SGD(0.1, momentum=momentum)
    for t in range(1, 250):
        before = w.copy()
        optimizer.update([w], [g])
        geometric = sum(momentum**k for k in range(t))
        np.testing.assert_allclose(before - w, 0.1 * g * geometric, rtol=1e-11)
    np.testing.assert_allclose(before - w, 0.1 * g / (1 - momentum), rtol=1e-11)


@pytest.mark.equation("optimizers.4")
def test_adagrad_takes_a_steady_gradient_in_steps_of_one_over_root_t():
    w = np.zeros(3)
    optimizer = npvae.Adagrad(0.1)
    for t in range(1, 50):
        before = w.copy()
        optimizer.update([w], [np.array([1e-2, -1, 1e6])])
        np.testing.assert_allclose(before - w, 0.1 * np.array([1, -1, 1]) / t**0.5, rtol=2e-6)


@pytest.mark.equation("optimizers.6")
def test_adam_takes_a_steady_gradient_in_equal_steps_from_the_first_on():
    """m̂ = g and v̂ = g² at every t; were t to count anything else, the steps would differ."""
    w, g = np.zeros(3), np.array([1e-2, -1, 1e6])
    optimizer = npvae.Adam(0.1)
    for _ in range(50):
        before = w.copy()
        optimizer.update([w], [g])
        np.testing.assert_allclose(before - w, 0.1 * g / (np.abs(g) + 1e-8), rtol=1e-9)


@pytest.mark.equation("optimizers.6")
def test_adam_counts_minibatches_not_epochs():
    rng = np.random.default_rng(0)
    vae = npvae.VAE.init(4, hidden=(3,), latent_dim=2, likelihood=npvae.Gaussian(1.0), rng=rng)
    optimizer = npvae.Adam()
    x = rng.standard_normal((10, 4))
    assert len(list(npvae.train(vae, x, epochs=2, batch_size=4, optimizer=optimizer, rng=rng))) == 2
    assert optimizer.steps == 6


def farthest(beta1, beta2):
    return (1 - beta1) / np.sqrt((1 - beta2) * (1 - beta1**2 / beta2))


@pytest.mark.equation("optimizers.7")
@given(
    gradients=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=40),
    beta1=st.floats(0, 0.95),
    beta2=st.floats(0.91, 0.9999),
)
def test_no_history_makes_adam_step_farther_than_its_bound(gradients, beta1, beta2):
    w = np.zeros(1)
    optimizer = npvae.Adam(1.0, beta1=beta1, beta2=beta2, epsilon=1e-30)
    for g in gradients:
        before = w.copy()
        optimizer.update([w], [np.array([g])])
        assert abs(before - w)[0] <= farthest(beta1, beta2) * (1 + 1e-6) + 1e-12


@pytest.mark.equation("optimizers.7")
@pytest.mark.parametrize(("beta1", "beta2", "steps"), [(0.5, 0.9, 150), (0, 0.9, 150)])
def test_a_growing_gradient_reaches_adams_bound(beta1, beta2, steps):
    w = np.zeros(1)
    optimizer = npvae.Adam(1.0, beta1=beta1, beta2=beta2, epsilon=1e-30)
    for age in reversed(range(steps)):
        before = w.copy()
        optimizer.update([w], [np.array([(beta1 / beta2) ** age])])
    np.testing.assert_allclose(before - w, farthest(beta1, beta2), rtol=1e-6)


@pytest.mark.equation("optimizers.7")
def test_adams_longest_step_is_seven_learning_rates():
    """Zeros leave m and v at zero, so a long silence before the growing gradient is a clock set."""
    w = np.zeros(1)
    optimizer = npvae.Adam(1.0, epsilon=1e-30)
    optimizer.steps = 20_000
    for age in reversed(range(200)):
        before = w.copy()
        optimizer.update([w], [np.array([(0.9 / 0.999) ** age])])
    np.testing.assert_allclose(before - w, 7.27, rtol=1e-4)
    np.testing.assert_allclose(farthest(0.9, 0.999), 7.27, rtol=1e-4)


@pytest.mark.equation("optimizers.8")
@pytest.mark.parametrize("optimizer", [npvae.Adagrad, npvae.Adam])
@pytest.mark.parametrize("scale", [1e-12, 1e-8, 1e-4, 1, 1e6, 1e15])
def test_the_first_step_has_the_learning_rate_for_size(optimizer, scale):
    g = scale * np.array([1.0, -2.0, 0.0])
    w = np.zeros(3)
    optimizer(0.01).update([w], [g])
    np.testing.assert_allclose(w, -0.01 * g / (np.abs(g) + 1e-8), rtol=1e-9)
    if scale >= 1e-4:
        np.testing.assert_allclose(w, [-0.01, 0.01, 0], rtol=2e-4)


@pytest.mark.equation("optimizers.9")
@every_optimizer
def test_weight_decay_adds_the_gradient_of_half_a_square(optimizer, step, options):
    """An optimizer with decay moves as one without does along the gradient of loss + ½ λ ‖W‖²."""
    rng = np.random.default_rng(0)
    A, W = rng.standard_normal((4, 3)), rng.standard_normal((3, 2))

    def penalized(W):
        return np.sum(np.cos(A @ W)) + 0.7 / 2 * np.sum(W**2)

    def dW(W):
        return -A.T @ np.sin(A @ W)

    decayed, plain = W.copy(), W.copy()
    with_decay, without = optimizer(**options, weight_decay=0.7), optimizer(**options)
    for _ in range(5):
        full = dW(plain) + 0.7 * plain
        npvae.check_gradient(penalized, lambda dy, _, g=full: dy * g, (plain,), rng=rng)
        with_decay.update([decayed], [dW(decayed)])
        without.update([plain], [full])
        np.testing.assert_allclose(decayed, plain, rtol=1e-12)


@pytest.mark.equation("optimizers.10")
@pytest.mark.parametrize(("weight_decay", "N"), [(1e-3, 1000), (0.5, 7)])
def test_weight_decay_is_the_gradient_of_a_gaussian_priors_negative_log_density(weight_decay, N):
    sigma = 1 / np.sqrt(weight_decay * N)

    def minus_log_prior_a_row(W):
        return -norm.logpdf(W, scale=sigma).sum() / N

    def decay(dy, W):
        after = W.copy()
        npvae.SGD(1.0, weight_decay=weight_decay).update([after], [np.zeros_like(W)])
        return dy * (W - after)

    W = sigma * np.random.default_rng(0).standard_normal((4, 3))
    (error,) = npvae.check_gradient(
        minus_log_prior_a_row, decay, (W,), rng=np.random.default_rng(0), tolerance=1e-8
    )
    assert error < 1e-8


@every_optimizer
def test_weight_decay_leaves_biases_alone(optimizer, step, options):
    W, b = np.ones((2, 2)), np.ones(2)
    optimizer(**options, weight_decay=0.5).update([W, b], [np.zeros((2, 2)), np.zeros(2)])
    assert (W < 1).all()
    assert (b == 1).all()


@pytest.mark.parametrize(
    ("optimizer", "options", "learning_rate"),
    [
        pytest.param(npvae.SGD, {}, 0.3, id="SGD"),
        pytest.param(npvae.SGD, {"momentum": 0.8}, 0.1, id="momentum"),
        pytest.param(npvae.Adagrad, {}, 1.0, id="Adagrad"),
        pytest.param(npvae.Adam, {}, 0.1, id="Adam"),
    ],
)
@pytest.mark.parametrize("weight_decay", [0, 0.2])
def test_every_optimizer_finds_the_maximum_a_posteriori(
    optimizer, options, learning_rate, weight_decay
):
    """Linear regression with a Gaussian prior on W, none on b: ridge regression has the answer."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((50, 3)) * [1, 2, 0.5]
    y = x @ rng.standard_normal((3, 2)) + 4 + 0.3 * rng.standard_normal((50, 2))
    W, b = np.zeros((3, 2)), np.zeros(2)
    optimizer = optimizer(learning_rate, weight_decay=weight_decay, **options)
    for _ in range(800):
        error = (x @ W + b - y) / len(x)
        optimizer.update([W, b], [x.T @ error, error.sum(axis=0)])

    design = np.column_stack([x, np.ones(50)])
    prior = np.diag([weight_decay] * 3 + [0]) * len(x)
    expected = np.linalg.solve(design.T @ design + prior, design.T @ y)
    np.testing.assert_allclose(np.vstack([W, b]), expected, rtol=0, atol=1e-6)


@every_optimizer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_change_in_place_and_keep_their_dtype(optimizer, step, options, dtype):
    params, gradients = draws(np.random.default_rng(0), 3, dtype=dtype)
    before = [w.copy() for w in params]
    kept = [[dw.copy() for dw in grads] for grads in gradients]
    optimizer = optimizer(**options, weight_decay=0.1)
    for grads in gradients:
        assert optimizer.update(params, grads) is None
    for w, was in zip(params, before, strict=True):
        assert w.dtype == dtype
        assert not np.array_equal(w, was)
    for grads, were in zip(gradients, kept, strict=True):
        assert all(map(np.array_equal, grads, were))


@every_optimizer
def test_no_gradient_no_step(optimizer, step, options):
    w = np.array([1.0, -2.0, 0.0])
    optimizer(**options).update([w], [np.zeros(3)])
    assert w.tolist() == [1, -2, 0]


@every_optimizer
def test_a_nan_is_passed_on_where_it_stands(optimizer, step, options):
    w = np.ones(3)
    optimizer(**options).update([w], [np.array([0, np.nan, 0])])
    assert np.isnan(w).tolist() == [False, True, False]


@every_optimizer
def test_another_models_parameters_are_refused_and_left_alone(optimizer, step, options):
    optimizer = optimizer(**options)
    mine, another = [np.ones((2, 2)), np.ones(2)], [np.ones((2, 2)), np.ones(2)]
    optimizer.update(mine, mine)
    for params in (another, mine[:1], [*mine, np.ones(2)], mine[::-1], []):
        before = [w.copy() for w in params]
        with pytest.raises(ValueError, match="another model's parameters"):
            optimizer.update(params, before)
        assert all(map(np.array_equal, params, before))
    assert getattr(optimizer, "steps", 1) == 1


@every_optimizer
def test_gradients_of_other_shapes_are_refused_before_anything_changes(optimizer, step, options):
    optimizer, params = optimizer(**options), [np.ones((2, 3)), np.ones(2)]
    for grads in ([np.ones((2, 3))], [np.ones((2, 3)), np.ones(3)], [np.ones((3, 2)), np.ones(2)]):
        with pytest.raises(ValueError, match=r"params have the shapes .*, grads .*; expected the"):
            optimizer.update(params, grads)
    mixed = [np.ones((2, 3)), np.ones(2, np.float32)]
    with pytest.raises(
        ValueError, match=r"params have the dtypes .*, grads .*float32; expected the"
    ):
        optimizer.update(params, mixed)
    assert all(np.all(w == 1) for w in params)
    assert getattr(optimizer, "steps", 0) == 0
    optimizer.update(params, params)


@every_optimizer
def test_what_is_recalled_is_copied(optimizer, step, options):
    params, grads = [np.ones((2, 3))], [np.ones((2, 3))]
    first, second = optimizer(**options), optimizer(**options)
    first.update(params, grads)
    memory = first.memory(params)
    kept = {name: array.copy() for name, array in memory.items()}
    second.recall(params, memory)
    second.update(params, grads)
    for name, array in kept.items():
        np.testing.assert_array_equal(memory[name], array)


@every_optimizer
def test_a_memory_of_another_dtype_is_refused(optimizer, step, options):
    params = [np.ones((2, 3), np.float32)]
    memory = optimizer(**options).memory(params)
    memory = {name: array.astype(np.float64) for name, array in memory.items()}
    with pytest.raises(ValueError, match="the optimizer's memory has an array float64"):
        optimizer(**options).recall(params, memory)


@pytest.mark.parametrize(
    ("optimizer", "name", "bad"),
    [
        (optimizer, name, bad)
        for optimizer, names in {
            npvae.SGD: ["learning_rate", "momentum", "weight_decay"],
            npvae.Adagrad: ["learning_rate", "epsilon", "weight_decay"],
            npvae.Adam: ["learning_rate", "beta1", "beta2", "epsilon", "weight_decay"],
        }.items()
        for name in names
        for bad in [-0.1, np.nan, np.inf, "0.1", None, True]
        + ([0] if name in ("learning_rate", "epsilon") else [])
        + ([1] if name in ("momentum", "beta1", "beta2") else [])
    ],
)
def test_bad_hyperparameters_are_named(optimizer, name, bad):
    with pytest.raises((ValueError, TypeError), match=rf"^{name} is .*; expected"):
        optimizer(**{"learning_rate": 0.1} | {name: bad})
    late = optimizer(learning_rate=0.1)
    before = getattr(late, name)
    with pytest.raises((ValueError, TypeError), match=rf"^{name} is .*; expected"):
        setattr(late, name, bad)
    assert getattr(late, name) == before


def test_a_learning_rate_may_follow_a_schedule():
    w, optimizer = np.zeros(1), npvae.SGD(1.0)
    for optimizer.learning_rate in (np.float32(0.5), 0.25, 1):
        optimizer.update([w], [np.ones(1)])
    assert w == -1.75


def test_float32_loses_what_is_small_beside_a_weight():
    """The numbers of the chapter: a decay of learning_rate·λ = 1.7e-8 a step, below half an ulp."""
    single, double = np.ones((1, 1), np.float32), np.ones((1, 1))
    for w in (single, double):
        optimizer = npvae.SGD(1e-3, weight_decay=1 / 60000)
        for _ in range(1000):
            optimizer.update([w], [np.zeros_like(w)])
    assert single == 1
    np.testing.assert_allclose(double, np.exp(-1000 * 1e-3 / 60000), rtol=1e-12)


@pytest.mark.parametrize(
    ("optimizer", "largest"), [(npvae.Adagrad(0.1), 1.84e19), (npvae.Adam(0.1, beta2=0.9), 5.83e19)]
)
@pytest.mark.filterwarnings("ignore:overflow")
def test_float32_never_steps_again_after_one_square_too_large(optimizer, largest):
    w = np.zeros(2, np.float32)
    optimizer.update([w], [np.array([0.9, 1.1], np.float32) * np.float32(largest)])
    for _ in range(30):
        before = w.copy()
        optimizer.update([w], [np.full(2, -1e18, np.float32)])
    assert (w > before).tolist() == [True, False]
    assert w[1] == 0


def test_float32_would_spoil_one_minus_beta2():
    """The rest 1 − β₂, taken in float32, is off by 1.3e-5; here it reaches w to rounding."""
    assert abs((1 - np.float32(0.999)) / 0.001 - 1) > 1.2e-5
    w, g = np.zeros(1, np.float32), np.ones(1, np.float32)
    optimizer = npvae.Adam(1.0, beta1=0.0)
    optimizer.update([w], [g])
    np.testing.assert_allclose(w, -1, rtol=2e-7)


@pytest.mark.parametrize("make", [npvae.Adam, npvae.Adagrad])
@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"epsilon": 1e-46}, "epsilon is 1e-46; expected a finite number >= 1e-30"),
        ({"weight_decay": 1e6}, "weight_decay is 1000000.0; expected a finite number >= 0 and < "),
        ({"weight_decay": 1e39}, "weight_decay is 1e.39; expected a finite number >= 0 and < 1e"),
    ],
)
def test_what_float32_cannot_hold_is_refused(make, choices, message):
    """An ε rounded to 0 makes 0/0 where a gradient is zero; a huge decay overflows."""
    with pytest.raises(ValueError, match=message):
        make(**choices)


# Gradients that are too long


@pytest.mark.equation("optimizers.11")
@given(st.integers(0, 2**32), st.floats(-3, 3), st.floats(-2, 2))
def test_a_gradient_keeps_its_direction_and_is_no_longer_than_allowed(seed, scale, log_norm):
    rng, max_norm = np.random.default_rng(seed), 10**log_norm
    grads = [10**scale * rng.standard_normal(shape) for shape in SHAPES]
    before = np.concatenate([dw.ravel() for dw in grads])
    after = np.concatenate([dw.ravel() for dw in npvae.optimizers.clip_by_norm(grads, max_norm)])
    length = min(np.linalg.norm(before), max_norm)
    assert np.linalg.norm(after) == pytest.approx(length, rel=1e-12)
    assert after @ before == pytest.approx(length * np.linalg.norm(before), rel=1e-12)
    np.testing.assert_array_equal(np.concatenate([dw.ravel() for dw in grads]), before)


@every_optimizer
def test_max_norm_shortens_the_gradient_and_not_the_decay(optimizer, step, options):
    params, gradients = draws(np.random.default_rng(0), 5)
    clipped = [w.copy() for w in params]
    short, plain = (optimizer(**options, weight_decay=0.1, max_norm=m) for m in (1.0, None))
    for grads in gradients:
        norm = np.sqrt(sum(np.sum(dw**2) for dw in grads))
        plain.update(params, [dw * min(1, 1 / norm) for dw in grads])
        short.update(clipped, grads)
    for w, v in zip(params, clipped, strict=True):
        np.testing.assert_allclose(w, v, rtol=1e-12)


def test_a_gradient_that_is_not_finite_is_left_to_be_told_of():
    grads = [np.array([1.0, np.inf]), np.array([3.0])]
    assert npvae.optimizers.clip_by_norm(grads, 1.0) == grads
    assert npvae.optimizers.clip_by_norm([np.array([np.nan])], 1.0)[0] != 0


def test_float32_gradients_stay_float32_and_their_squares_do_not_overflow():
    (dw,) = npvae.optimizers.clip_by_norm([np.full(4, 1e30, np.float32)], 1.0)
    assert dw.dtype == np.float32
    np.testing.assert_allclose(dw, 0.5, rtol=1e-6)


@pytest.mark.parametrize(
    ("value", "error"), [(0, ValueError), (np.nan, ValueError), ([], TypeError)]
)
@pytest.mark.parametrize("make", [npvae.Adam, npvae.Adagrad, lambda **c: npvae.SGD(0.1, **c)])
def test_a_bad_max_norm_is_refused(make, value, error):
    with pytest.raises(error, match="max_norm is "):
        make(max_norm=value)
    optimizer = make()
    with pytest.raises(error, match="max_norm is "):
        optimizer.max_norm = value
    optimizer.max_norm = None
