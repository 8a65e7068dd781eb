"""Both engines against definitions of their own, and the compiled one against the reference."""

import inspect
import math
import operator
import os
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import mpmath
import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba.core.errors import NumbaPerformanceWarning

from benchmarks.exhaustive import DEFINITIONS, LIMIT, over_arrays, ulps, worst, worst_of_all
from npvae.kernels import compiled, elementwise, products, reference, updates, vectors
from npvae.kernels.threads import CHUNK, over_chunks

both_engines = pytest.mark.parametrize(
    "engine", [reference, compiled], ids=lambda engine: engine.__name__.split(".")[-1]
)
both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])

SLOPE = 0.01
SMALLEST_KEY = 6099  # of Philox: one of its first 4096 random numbers is 0
# What each activation is, its backward as a function of dy and y, and how much larger than the
# result the terms are that the backward subtracts: 1 − y² is known to eps, not to eps·(1 − y²).
ACTIVATIONS = {
    "tanh": (mpmath.tanh, lambda dy, y: dy * (1 - y * y), lambda dy, y: abs(dy)),
    "sigmoid": (lambda a: 1 / (1 + mpmath.exp(-a)), lambda dy, y: dy * y * (1 - y), None),
    "relu": (lambda a: max(a, 0), lambda dy, y: dy if y > 0 else 0, None),
    "leaky_relu": (
        lambda a: a if a > 0 else SLOPE * a,
        lambda dy, y: dy if y > 0 else SLOPE * dy,
        None,
    ),
    "softplus": (lambda a: mpmath.log1p(mpmath.exp(a)), lambda dy, y: -dy * mpmath.expm1(-y), None),
}
FORWARDS = list(ACTIVATIONS)
BACKWARDS = [f"{name}_backward" for name in ACTIVATIONS]
DECAY = 0.3
UPDATES = {"sgd_update": 1, "adagrad_update": 1, "adam_update": 2}
SIZES = (0.0, 1e-30, 1e-15, 1e-7, 3e-4, 0.02, 0.3, 0.7, 1.0, 2.5, 9.0, 17.0, 40.0, 88.0, 104.0, 1e4)


def numbers(name, step=3):
    """The arguments of a kernel that are no arrays."""
    return {
        "leaky_relu": (SLOPE,),
        "leaky_relu_backward": (SLOPE,),
        "sgd_update": (0.1, 0.9, DECAY),
        "adagrad_update": (0.1, 1e-8, DECAY),
        "adam_update": (step, 0.1, 0.9, 0.999, 1e-8, DECAY),
    }.get(name, ())


def calls(rng, dtype, L=2, B=24, D=1000):
    """Arguments for every kernel, arrays large enough to go to several threads."""
    normal = lambda *shape: rng.standard_normal(shape).astype(dtype)  # noqa: E731
    x, logits = rng.random((B, D)).astype(dtype), normal(L, B, D)
    for name in FORWARDS:
        yield name, (normal(B, D), *numbers(name))
    for name in BACKWARDS:
        yield name, (normal(B, D), abs(normal(B, D)), *numbers(name))
    yield "matmul", (normal(B, D), normal(D, 150))
    yield "matmul", (normal(B, D), normal(150, D).T)
    yield "affine", (normal(B, D), normal(D, 150), normal(150))
    yield "affine_backward_params", (normal(B, 150), normal(B, D))
    yield "max_abs", (normal(B, D),)
    yield "bernoulli_log_prob", (x, logits)
    yield "bernoulli_log_prob_backward", (normal(L, B), x, logits)
    for name, states in UPDATES.items():
        yield name, (normal(B, D), normal(B, D), *abs(normal(states, B, D)), *numbers(name))


def run(engine, name, args):
    """The kernel's result; for an update, all that it changed. Arguments are left alone."""
    if name not in UPDATES:
        result = getattr(engine, name)(*args)
        return np.vstack(result) if isinstance(result, tuple) else result
    w, dw, *rest = args
    states, given = rest[: UPDATES[name]], rest[UPDATES[name] :]
    w, *states = (np.array(a, order="C") for a in (w, *states))
    assert getattr(engine, name)(w, dw, *states, *given) is None
    return np.stack([w, *states])


def assert_close(got, expected, error):
    """Equal where expected is not finite, and within the error where it is."""
    assert got.shape == expected.shape
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(got[~finite], expected[~finite])
    error = np.broadcast_to(error, got.shape)[finite]
    difference = abs(got[finite].astype(np.float64) - expected[finite].astype(np.float64))
    assert np.all(difference <= error), np.max(difference - error)


def rounding(dtype, exact):
    """Half a dozen roundings of a result: the error that a function of one number may have.

    Its last term is the step between numbers too small to be normal.
    """
    return 4 * np.finfo(dtype).eps * abs(exact) + np.finfo(dtype).smallest_subnormal


# ---------------------------------------------------------------- definitions, for both engines


def test_the_engines_have_the_same_names_and_arguments():
    functions = dict(inspect.getmembers(reference, inspect.isfunction))
    functions = {name: f for name, f in functions.items() if not name.startswith("_")}
    assert sorted(compiled.__all__) == sorted(functions)
    for name, function in functions.items():
        assert inspect.signature(getattr(compiled, name)) == inspect.signature(function)


@both_engines
@both_dtypes
@pytest.mark.parametrize("name", FORWARDS)
def test_activations_are_their_definitions(engine, dtype, name):
    a = np.array([*SIZES, *np.negative(SIZES), *np.linspace(-30, 30, 61)], dtype)
    with mpmath.workdps(60):
        exact = [ACTIVATIONS[name][0](mpmath.mpf(a_i)) for a_i in a.tolist()]
    exact = np.array([float(e) for e in exact])
    assert_close(run(engine, name, (a, *numbers(name))), exact, rounding(dtype, exact))


@both_engines
@pytest.mark.parametrize("name", ["tanh", "sigmoid", "softplus"])
def test_activations_hold_over_all_of_float32(engine, name):
    """NaN, inf and subnormal numbers among them: bits are drawn, not numbers."""
    rng = np.random.default_rng(1)
    a = rng.integers(2**32, size=50_000, dtype=np.uint32).view(np.float32)
    a = np.concatenate([a, rng.uniform(-110, 110, 50_000).astype(np.float32)])
    with np.errstate(all="ignore"):
        exact = {
            "tanh": np.tanh,
            "sigmoid": lambda a: np.exp(np.minimum(a, 0)) / (1 + np.exp(-abs(a))),
            "softplus": lambda a: np.logaddexp(0, a),
        }[name](a.astype(np.float64))
        got = run(engine, name, (a,))
    # A result beyond float32's largest number is inf in float32 too.
    exact = np.where(np.isinf(exact.astype(np.float32)), exact.astype(np.float32), exact)
    assert_close(got, exact, rounding(np.float32, exact))


def test_ulps_are_counted_where_numbers_are_large_small_and_none():
    inf, nan, least, largest = np.inf, np.nan, 2.0**-149, 2.0**128 - 2.0**104
    cases = [
        (1 + 2.0**-23, 1, 1),
        (1, 1 - 2.0**-25, 0.5),  # below 1 an ulp is half as large
        (1, 1 + 2.0**-24, 0.5),
        (-1, 1, 2.0**24),
        (3 * least, 2.5 * least, 0.5),
        (0, 7 * least, 7),
        (inf, 2.0**128, 0),
        (inf, 1e300, 0),
        (largest, 2.0**128 - 2.0**103, 0.5),
        (largest, inf, inf),
        (inf, 1, 2.0**151),
        (inf, -inf, inf),
        (inf, inf, 0),
        (nan, nan, 0),
        (nan, 1, inf),
        (1, nan, inf),
    ]
    got, exact, expected = np.transpose(cases)
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(ulps(got.astype(np.float32), exact), expected, rtol=1e-6)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_functions_of_float32_are_off_by_four_ulp_at_most(name):
    """Every 257th of all bit patterns; `benchmarks/exhaustive.py` tries each."""
    error, x = worst_of_all(name, step=257)
    assert error <= LIMIT, x


@pytest.mark.parametrize("name", DEFINITIONS)
def test_functions_of_float64_are_off_by_four_ulp_at_most(name):
    rng = np.random.default_rng(12)
    bits = rng.integers(2**64, size=200_000, dtype=np.uint64).view(np.float64)
    special = [0, -0.0, np.inf, -np.inf, np.nan]
    x = np.concatenate([bits, *(rng.uniform(-s, s, 200_000) for s in (1, 30, 760)), special])
    error, x = worst(name, over_arrays(name), x)
    assert error <= LIMIT, x


@both_engines
@both_dtypes
@pytest.mark.parametrize("name", FORWARDS)
def test_activation_backwards_are_their_formulas(engine, dtype, name):
    _, formula, terms = ACTIVATIONS[name]
    y = np.array([*SIZES, *np.linspace(0, 1, 30)], dtype)
    y = y[y <= 1] if name in ("tanh", "sigmoid") else y
    dy = np.random.default_rng(2).standard_normal(y.shape).astype(dtype)
    pairs = list(zip(dy.tolist(), y.tolist(), strict=True))
    exact = np.array([float(formula(mpmath.mpf(dy_i), mpmath.mpf(y_i))) for dy_i, y_i in pairs])
    size = exact if terms is None else np.array([terms(*pair) for pair in pairs])
    got = run(engine, f"{name}_backward", (dy, y, *numbers(f"{name}_backward")))
    assert_close(got, exact, rounding(dtype, size))


def product_error(a, b, bias=0):
    """k roundings of products and sums, each of eps of the sum of magnitudes (Higham 2002, 3.5)."""
    eps = np.finfo(a.dtype).eps
    a, b = abs(a.astype(np.float64)), abs(b.astype(np.float64))
    with np.errstate(invalid="ignore"):
        return (a.shape[1] + 2) * eps * (a @ b + abs(np.float64(bias)))


@both_engines
@both_dtypes
def test_products_are_the_triple_loop(engine, dtype):
    rng = np.random.default_rng(3)
    for m, k, n in ((1, 1, 1), (2, 7, 3), (13, 0, 4), (9, 150, 5), (3, 20, 67)):
        a, b, bias = (rng.standard_normal(s).astype(dtype) for s in ((m, k), (k, n), (n,)))
        exact = np.array(
            [
                [math.fsum(float(a[i, p]) * float(b[p, j]) for p in range(k)) for j in range(n)]
                for i in range(m)
            ]
        )
        assert_close(engine.matmul(a, b), exact, product_error(a, b))
        assert_close(engine.matmul(a, b.T.copy().T), exact, product_error(a, b))
        assert_close(engine.affine(a, b, bias), exact + bias, product_error(a, b, bias))
        dW, db = engine.affine_backward_params(b, a.T.copy())
        assert_close(dW, exact, product_error(a, b))
        sums = [math.fsum(column) for column in b.T.tolist()]
        assert_close(db, np.array(sums), product_error(np.ones((1, k), dtype), b)[0])


@both_dtypes
@pytest.mark.parametrize(("m", "k", "n"), [(23, 300, 200), (100, 784, 130), (44, 60, 500)])
def test_products_leave_out_zeros_and_change_no_bit(monkeypatch, dtype, m, k, n):
    rng = np.random.default_rng(5)
    a, b = rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype)
    a[rng.random((m, k)) > 0.1] = 0
    a[0, 1], a[m - 1, 2], a[m // 2, k - 1] = -0.0, np.nan, np.inf
    looked = []
    find = products.nonzero_terms
    monkeypatch.setattr(
        products, "nonzero_terms", lambda *args: looked.append(find(*args)) or looked[-1]
    )
    for left in (a, np.asfortranarray(a)):
        sparse = products.matmul(left, b)
        with monkeypatch.context() as patch:
            patch.setattr(products, "ZEROS_PAY", n + 1)
            np.testing.assert_array_equal(sparse, products.matmul(left, b))
    assert len(looked) == 2
    assert all(np.any(counts < k) for _, counts in looked)


@both_engines
@both_dtypes
def test_bernoulli_is_its_definition(engine, dtype):
    """Σ_d [x log p + (1 − x) log(1 − p)] for p = 1 / (1 + e^−a), and its slope x − p."""
    rng = np.random.default_rng(4)
    a = np.array([[*SIZES, *np.negative(SIZES)], rng.uniform(-20, 20, 2 * len(SIZES))])
    a, x = a.astype(dtype), rng.random((2, 2 * len(SIZES))).astype(dtype)
    with mpmath.workdps(60):
        log_p = np.vectorize(lambda a: float(-mpmath.log1p(mpmath.exp(-mpmath.mpf(a)))))
        terms = x * log_p(a.astype(object)), (1 - x.astype(float)) * log_p(-a.astype(object))
    terms, eps = np.stack(terms), np.finfo(dtype).eps
    # Each pixel's two large terms are rounded once, and the sum once a pixel.
    error = 2 * eps * np.sum(2 * abs(x * a) + 2 * abs(a), -1) + 40 * eps * abs(terms).sum((0, -1))
    assert_close(engine.bernoulli_log_prob(x, a[None])[0], terms.sum((0, -1)), error)

    dlog_px_z = rng.standard_normal((1, 2)).astype(dtype)
    p = np.exp(log_p(a.astype(object)))
    slope = dlog_px_z[..., None] * (x - p)
    got = engine.bernoulli_log_prob_backward(dlog_px_z, x, a[None])
    assert_close(got, slope, rounding(dtype, dlog_px_z[..., None]))


def textbook_adam(w, dw, m, v, t, alpha, beta1, beta2, epsilon, decay):
    """Algorithm 1 of Kingma & Ba 2014, on floats."""
    g = dw + decay * w
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    return w - alpha * m_hat / (math.sqrt(v_hat) + epsilon), m, v


def textbook_adagrad(w, dw, s, t, alpha, epsilon, decay):
    g = dw + decay * w
    s = s + g**2
    return w - alpha * g / (math.sqrt(s) + epsilon), s


def textbook_sgd(w, dw, velocity, t, alpha, momentum, decay):
    velocity = momentum * velocity + dw + decay * w
    return w - alpha * velocity, velocity


@both_engines
@both_dtypes
@pytest.mark.parametrize("name", UPDATES)
def test_updates_are_the_textbooks(engine, dtype, name):
    """Ten steps on gradients of one sign, so that no sum of states cancels, nor one of steps."""
    rng = np.random.default_rng(5)
    uniform = lambda low: rng.uniform(low, low + 1, 8).astype(dtype)  # noqa: E731
    w, states = uniform(1), np.zeros((UPDATES[name], 8), dtype)
    start = w.astype(np.float64)
    floats = [[w_i, *[0.0] * UPDATES[name]] for w_i in start.tolist()]
    textbook = {"sgd": textbook_sgd, "adagrad": textbook_adagrad, "adam": textbook_adam}
    one = textbook[name.removesuffix("_update")]
    for t in range(1, 11):
        dw, given = uniform(0.5), numbers(name, step=t)
        getattr(engine, name)(w, dw, *states, *given)
        rest = given if name == "adam_update" else (t, *given)
        floats = [
            one(w_i, dw_i, *state, *rest)
            for (w_i, *state), dw_i in zip(floats, dw.tolist(), strict=True)
        ]
    expected = np.transpose(floats)
    sizes = abs(expected)
    sizes[0] = start + abs(expected[0] - start)  # w, which may end near 0
    assert w.dtype == dtype
    assert_close(np.stack([w, *states]), expected, 10 * np.finfo(dtype).eps * sizes)


MATRICES = (300, 70), (1, 5), (70, 301)  # which begin and end within chunks


@pytest.mark.parametrize("name", UPDATES)
def test_the_order_of_chunks_changes_no_bit(name):
    ends = []
    for shapes in (None, MATRICES):
        rng = np.random.default_rng(0)
        size = sum(rows * columns for rows, columns in MATRICES)
        arrays = rng.random((2 + UPDATES[name], size), np.float32)
        getattr(compiled, name)(*arrays, *numbers(name, step=3), shapes)
        ends.append((arrays, compiled.max_abs(arrays[0], shapes)))
    assert np.array_equal(ends[0][0], ends[1][0])
    assert ends[0][1] == ends[1][1] == abs(ends[0][0][0]).max()


def test_matrices_that_do_not_fill_a_row_are_refused():
    a = np.ones(20, np.float32)
    with pytest.raises(ValueError, match=r"\(\(4, 4\),\) do not fill an array of 20 numbers"):
        compiled.sgd_update(a, a, a.copy(), 0.1, 0.9, 0.0, ((4, 4),))
    with pytest.raises(ValueError, match="do not fill"):
        compiled.max_abs(a, ((3, 7),))


@given(st.lists(st.tuples(st.integers(1, 400), st.integers(1, 300)), min_size=1, max_size=6))
def test_half_of_the_chunks_begin_in_upper_halves(shapes):
    sizes = [rows * columns for rows, columns in shapes]
    order = updates._at_home(tuple(shapes), sum(sizes))
    assert sorted(order) == list(range(-(-sum(sizes) // CHUNK)))
    starts, places = np.cumsum([0, *sizes]), []
    for chunk in order:
        matrix = np.searchsorted(starts, chunk * CHUNK, side="right") - 1
        places.append((chunk * CHUNK - starts[matrix]) / sizes[matrix])
    assert places == sorted(places)


@both_engines
@both_dtypes
def test_max_abs(engine, dtype):
    rng = np.random.default_rng(6)
    a = rng.standard_normal((90, 300)).astype(dtype)
    largest = engine.max_abs(a)
    assert isinstance(largest, float)
    assert largest == max(abs(float(a_i)) for a_i in a.flat)
    for i in (0, 4096, 12345, -1):
        was, a.flat[i] = a.flat[i], -99
        assert engine.max_abs(a) == engine.max_abs(a.T) == engine.max_abs(a[::-1]) == 99
        a.flat[i] = -np.inf
        assert engine.max_abs(a) == np.inf
        a.flat[i] = -np.nan
        assert math.isnan(engine.max_abs(a))
        a.flat[i] = was
    assert engine.max_abs(a[:0]) == 0
    assert engine.max_abs(a[0, 0]) == abs(a[0, 0])


def philox(key, shape):
    """NumPy's own random numbers."""
    return np.random.Generator(np.random.Philox(key=key)).random(shape, np.float32)


@both_engines
@both_dtypes
def test_gather_is_its_definition(engine, dtype):
    x = np.arange(256, dtype=np.uint8).reshape(64, 4)
    rows = np.array([63, 0, 5, 5])
    got = engine.gather(x, rows, 255, dtype)
    assert got.dtype == dtype
    assert got.tolist() == [[float(dtype(int(v)) / dtype(255)) for v in x[n]] for n in rows]
    np.testing.assert_array_equal(engine.gather(x, rows, 1, dtype), x[rows])
    floats = np.random.default_rng(0).standard_normal((9, 3)).astype(dtype)
    np.testing.assert_array_equal(engine.gather(floats, rows % 9, 1, dtype), floats[rows % 9])


# Widths that are multiples of a block of random numbers, and widths that are none.
@both_engines
@pytest.mark.parametrize("D", [1, 3, 8, 13, 256, 785])
@pytest.mark.parametrize("key", [0, 1, 2**63 + 7, 2**64 - 1])
def test_gather_binary_is_philoxs(engine, D, key):
    x = np.random.default_rng(D).integers(0, 256, (50, D)).astype(np.uint8)
    rows = np.random.default_rng(1).permutation(50)[:40]
    expected = philox(key, (40, D)) < x[rows] / np.float32(255)
    got = engine.gather_binary(x, rows, 255, np.float32, key)
    np.testing.assert_array_equal(got, expected)
    assert got.dtype == np.float32


@both_engines
@pytest.mark.parametrize("D", [1, 7, 784])
@pytest.mark.parametrize("before", [1, 13, 39])
def test_a_part_of_a_batch_has_the_targets_of_the_whole(engine, D, before):
    x = np.random.default_rng(D).random((50, D))
    rows = np.random.default_rng(1).permutation(50)[:40]
    whole = engine.gather_binary(x, rows, 1, np.float64, 2**63)
    part = engine.gather_binary(x, rows[before:], 1, np.float64, 2**63, before)
    np.testing.assert_array_equal(part, whole[before:])


@both_engines
def test_draws_of_binary_numbers_are_as_frequent_as_they_should_be(engine):
    rows = np.zeros(40_000, np.int64)
    x = np.array([[0, 1, 64, 128, 254, 255]], np.uint8)
    draws = engine.gather_binary(x, rows, 255, np.float32, 12)
    chances = x[0] / 255
    errors = np.sqrt(chances * (1 - chances) / len(rows))
    assert np.all(abs(draws.mean(axis=0, dtype=np.float64) - chances) <= 4.5 * errors)


@both_engines
def test_the_smallest_random_number_whitens_no_black_pixel(engine):
    at = np.flatnonzero(philox(SMALLEST_KEY, 4096) == 0)
    assert at.size == 1
    row = np.zeros(1, np.int64)
    for level, expected in ((0, 0), (2**-24, 1)):
        x = np.full((1, 4096), level, np.float32)
        assert engine.gather_binary(x, row, 1, np.float32, SMALLEST_KEY)[0, at] == expected


# ------------------------------------------------------------------------------------ the twins

LAYOUTS = {
    "contiguous": lambda a: a,
    "transposed": lambda a: np.ascontiguousarray(a.T).T,
    "a slice of columns": lambda a: np.concatenate([a, a], axis=-1)[..., a.shape[-1] :],
    "every other number": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "backwards": lambda a: a[..., ::-1].copy()[..., ::-1],
    "upside down": lambda a: a[::-1].copy()[::-1],
    "read-only": lambda a: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape),
    "unaligned": lambda a: np.frombuffer(
        bytearray(b"?" + a.tobytes()), a.dtype, offset=1, count=a.size
    ).reshape(a.shape),
}

dtypes = st.sampled_from([np.float32, np.float64])
sides = st.one_of(st.integers(1, 20), st.integers(1, 300))


@st.composite
def arrays(draw, dtype, *shape, special=True):
    """Normal numbers in some layout, with inf and NaN here and there if special."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    a = (rng.standard_normal(shape) * draw(st.sampled_from([1, 30]))).astype(dtype)
    if special and draw(st.booleans()):
        places = rng.random(shape) < 0.01
        a[places] = rng.choice([np.inf, -np.inf, np.nan, 0, 1e4, -1e4], shape)[places]
    return LAYOUTS[draw(st.sampled_from(sorted(LAYOUTS)))](a)


def assert_twins(name, args, error):
    """The compiled kernel returns the reference's numbers, in new memory and the same dtype."""
    before = [np.array(a) for a in args]
    with np.errstate(all="ignore"):
        expected = run(reference, name, args)
    got = run(compiled, name, args)
    assert got.dtype == expected.dtype == before[0].dtype
    assert got.flags.c_contiguous
    assert got.flags.writeable
    assert_close(got, expected, error)
    for a, a_before in zip(args, before, strict=True):
        np.testing.assert_array_equal(a, a_before)
        assert not np.shares_memory(a, got)


@given(st.data(), dtypes, sides, sides, sides)
def test_products_are_twins(data, dtype, m, k, n):
    a, b = data.draw(arrays(dtype, m, k)), data.draw(arrays(dtype, k, n))
    bias = data.draw(arrays(dtype, n))
    # Both engines err, and each by at most the bound.
    assert_twins("matmul", (a, b), 2 * product_error(a, b))
    assert_twins("affine", (a, b, bias), 2 * product_error(a, b, bias))
    with_ones = np.vstack([a, np.ones((1, k), dtype)])
    assert_twins("affine_backward_params", (b, a.T), 2 * product_error(with_ones, b))


@given(st.data(), dtypes, sides, sides)
@pytest.mark.parametrize("name", FORWARDS)
def test_activations_are_twins(name, data, dtype, m, n):
    a = data.draw(arrays(dtype, m, n))
    with np.errstate(all="ignore"):
        y = run(reference, name, (a, *numbers(name)))
    assert_twins(name, (a, *numbers(name)), 2 * rounding(dtype, y))


@given(st.data(), dtypes, sides, sides)
@pytest.mark.parametrize("name", BACKWARDS)
def test_activation_backwards_are_twins(name, data, dtype, m, n):
    dy, y = data.draw(arrays(dtype, m, n)), data.draw(arrays(dtype, m, n))
    with np.errstate(all="ignore"):
        terms = {
            "tanh_backward": dy * (1 + y * y),
            "sigmoid_backward": dy * y * (1 + abs(y)),
            "softplus_backward": dy * np.expm1(-y),
        }.get(name, dy)
        error = np.nan_to_num(2 * rounding(dtype, terms), nan=0, posinf=0)
    assert_twins(name, (dy, y, *numbers(name)), error)


@given(st.data(), dtypes, st.integers(1, 4), st.integers(1, 40), sides)
def test_bernoulli_is_a_twin(data, dtype, L, B, D):
    x = LAYOUTS["transposed"](np.random.default_rng(L + B + D).random((B, D)).astype(dtype))
    logits = data.draw(arrays(dtype, L, B, D))
    dlog_px_z = data.draw(arrays(dtype, L, B))
    eps = np.finfo(dtype).eps
    with np.errstate(all="ignore"):
        size = np.sum(x * abs(logits) + abs(logits) + 1, axis=-1, dtype=np.float64)
        error = 2 * (D + 4) * eps * size
    assert_twins("bernoulli_log_prob", (x, logits), error)
    slope_error = 2 * rounding(dtype, 2 * np.nan_to_num(dlog_px_z[..., None], posinf=0, neginf=0))
    assert_twins("bernoulli_log_prob_backward", (dlog_px_z, x, logits), slope_error)


@given(st.data(), dtypes, st.booleans(), st.integers(1, 30), sides)
def test_gathers_are_twins(data, dtype, grey, N, D):
    rng = np.random.default_rng(N * D)
    x = rng.integers(0, 256, (N, D)).astype(np.uint8) if grey else rng.random((N, D)).astype(dtype)
    unit = 255 if grey else 1
    x = LAYOUTS[data.draw(st.sampled_from(sorted(LAYOUTS)))](x)
    rows = LAYOUTS[data.draw(st.sampled_from(sorted(LAYOUTS)))](rng.integers(0, N, (1, 20)))[0]
    key = data.draw(st.integers(0, 2**64 - 1))
    for name, args in (("gather", ()), ("gather_binary", (key,))):
        args = x, rows, unit, dtype, *args
        got = getattr(compiled, name)(*args)
        assert got.dtype == dtype
        assert got.tobytes() == getattr(reference, name)(*args).tobytes()


@np.errstate(all="ignore")
def update_sizes(name, w, dw, state, v=None):
    """What is rounded on the way to w and to each state, coordinate by coordinate.

    dw and decay·w may cancel in g, and their roundings do not: G is g without its signs.
    """
    *given, decay = numbers(name)
    g, G = dw + decay * w, abs(dw) + decay * abs(w)
    if name == "sgd_update":
        rate, momentum = given
        velocity = momentum * abs(state) + G
        return np.stack([abs(w) + rate * velocity, velocity])
    if name == "adagrad_update":
        rate, epsilon = given
        step = rate * G / (np.sqrt(state + g * g) + epsilon)
        return np.stack([abs(w) + step, state + G * G])
    t, rate, beta1, beta2, epsilon = given
    M, V = beta1 * abs(state) + (1 - beta1) * G, beta2 * v + (1 - beta2) * G * G
    v = beta2 * v + (1 - beta2) * g * g
    step = rate * M / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + epsilon)
    return np.stack([abs(w) + step * V / v, M, V])


@given(st.data(), dtypes, sides, sides)
@pytest.mark.parametrize("name", UPDATES)
def test_updates_are_twins(name, data, dtype, m, n):
    w = data.draw(arrays(dtype, m, n, special=False))
    dw = data.draw(arrays(dtype, m, n))
    states = [abs(data.draw(arrays(dtype, m, n, special=False))) for _ in range(UPDATES[name])]
    doubles = (a.astype(np.float64) for a in (w, dw, *states))
    error = 8 * np.finfo(dtype).eps * update_sizes(name, *doubles)
    assert_twins(name, (w, dw, *states, *numbers(name)), error)


@both_dtypes
def test_empty_and_tiny_arrays(dtype):
    for shape in ((), (0,), (0, 3), (3, 0), (1,), (1, 1, 1)):
        a = np.full(shape, 0.5, dtype)
        for name in (*FORWARDS, *BACKWARDS):
            args = (a,) * (1 + name.endswith("_backward")) + numbers(name)
            assert_twins(name, args, 4 * np.finfo(dtype).eps)
        for name, states in UPDATES.items():
            args = (a,) * (2 + states) + numbers(name)
            assert_twins(name, args, 10 * np.finfo(dtype).eps)
    for m, k, n in ((0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 0), (1, 200, 0), (0, 200, 1)):
        a, b, bias = (np.ones(shape, dtype) for shape in ((m, k), (k, n), (n,)))
        assert_twins("matmul", (a, b), 0)
        assert_twins("matmul", (b.T, a.T), 0)
        assert_twins("affine", (a, b, bias), 0)
        assert_twins("affine_backward_params", (b, a.T), 0)
    for L, B, D in ((0, 2, 3), (2, 0, 3), (2, 3, 0), (1, 1, 1)):
        x, logits = np.ones((B, D), dtype), np.ones((L, B, D), dtype)
        error = 4 * np.finfo(dtype).eps
        assert_twins("bernoulli_log_prob", (x, logits), error)
        assert_twins("bernoulli_log_prob_backward", (np.ones((L, B), dtype), x, logits), error)


# ------------------------------------------------------------------------- the compiled machine


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="numba has one thread here")
@both_dtypes
def test_any_number_of_threads_gives_the_same_bits(dtype):
    rng = np.random.default_rng(7)
    threads = numba.get_num_threads()
    try:
        for name, args in calls(rng, dtype):
            numba.set_num_threads(1)
            one = run(compiled, name, args)
            numba.set_num_threads(2)
            assert np.asarray(one).tobytes() == np.asarray(run(compiled, name, args)).tobytes()
    finally:
        numba.set_num_threads(threads)


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="numba has one thread here")
@pytest.mark.parametrize("D", [784, 785, 100_003])
def test_gathers_are_the_same_for_any_number_of_threads(D):
    rng = np.random.default_rng(11)
    x, rows = rng.integers(0, 256, (30, D)).astype(np.uint8), rng.permutation(30)
    for name, args in (("gather", ()), ("gather_binary", (2**64 - 1,))):
        args = x, rows, 255, np.float32, *args
        bits = [getattr(reference, name)(*args).tobytes()]
        threads = numba.get_num_threads()
        try:
            for count in (1, 2):
                numba.set_num_threads(count)
                bits.append(getattr(compiled, name)(*args).tobytes())
        finally:
            numba.set_num_threads(threads)
        assert bits == [bits[0]] * 3


def test_gathers_refuse_what_would_be_read_out_of_bounds():
    x, rows = np.zeros((3, 5), np.uint8), np.arange(3)
    for bad in (rows + 1, rows - 1):
        with pytest.raises(IndexError, match=r"rows span \[.*\]; expected 0 to 2"):
            compiled.gather(x, bad, 255, np.float32)
    for bad_x, bad_rows in ((x[0], rows), (x, rows[:, None])):
        with pytest.raises(ValueError, match=r"expected \(N, D\), \(B,\)"):
            compiled.gather(bad_x, bad_rows, 255, np.float32)
    for bad_x, dtype in ((x.astype(np.int64), np.float32), (x, np.float16)):
        with pytest.raises(TypeError, match="expected uint8, float32 or float64"):
            compiled.gather(bad_x, rows, 255, dtype)
    for shape, n in (((3, 0), 2), ((3, 5), 0), ((0, 5), 0)):
        empty = np.zeros(shape, np.uint8), np.zeros(n, np.int64), 255, np.float32
        assert compiled.gather(*empty).shape == (n, shape[1])
        assert compiled.gather_binary(*empty, 0).shape == (n, shape[1])


@both_dtypes
def test_every_layout_runs_the_one_compilation(dtype):
    a = np.random.default_rng(8).standard_normal((30, 40)).astype(dtype)
    for change in LAYOUTS.values():
        compiled.leaky_relu(change(a), 0)
        compiled.leaky_relu(change(a), np.float64(0.5))
    signatures = over_chunks(elementwise._leaky_relu).signatures
    assert [s[2][0].dtype.name for s in signatures].count(np.dtype(dtype).name) == 1


def with_argument(args, i, change):
    """args, but the i-th is change of it."""
    return [change(a) if place == i else a for place, a in enumerate(args)]


def test_mixed_and_other_dtypes_are_refused():
    rng = np.random.default_rng(9)
    for name, args in calls(rng, np.float32, B=3, D=4):
        arrays = [i for i, a in enumerate(args) if isinstance(a, np.ndarray)]
        for i in arrays[1:]:
            mixed = with_argument(args, i, lambda a: a.astype(np.float64))
            with pytest.raises(TypeError, match="float32 and float64; expected all float32 or all"):
                getattr(compiled, name)(*mixed)
        for i in arrays:
            args = with_argument(args, i, lambda a: a.astype(np.int64))
        with pytest.raises(TypeError, match="arrays are int64; expected"):
            getattr(compiled, name)(*args)


def test_shapes_that_do_not_fit_are_refused():
    """A loop that trusted them would read, or write, another array's memory."""
    rng = np.random.default_rng(10)
    for name, args in calls(rng, np.float32, B=3, D=4):
        arrays = [i for i, a in enumerate(args) if isinstance(a, np.ndarray)]
        for i in arrays if len(arrays) > 1 else []:
            # The second factor of a product, and what shares its rows, may have any columns.
            rows = name == "affine_backward_params" or (name in ("matmul", "affine") and i == 1)
            short = with_argument(args, i, lambda a: a[:-1] if rows else a[..., :-1])  # noqa: B023
            with pytest.raises(ValueError, match="expected"):
                getattr(compiled, name)(*short)


def test_a_product_is_written_where_it_is_asked_to():
    rng = np.random.default_rng(11)
    a, b = rng.standard_normal((7, 5)), rng.standard_normal((5, 3))
    for engine in (compiled, reference):
        out = np.full((7, 3), np.nan)
        assert engine.matmul(a, b, out=out) is out
        np.testing.assert_array_equal(out, engine.matmul(a, b))
        given = np.full((7, 3), np.nan), np.full(3, np.nan)
        assert all(map(operator.is_, engine.affine_backward_params(b, a.T, *given), given))
        np.testing.assert_array_equal(given[1], b.sum(axis=0))
    out.flags.writeable = False
    for wrong in (
        out,
        np.ones((7, 3), np.float32),
        np.ones((3, 7)),
        np.ones((3, 7)).T,
        np.ones(21),
    ):
        before = wrong.copy()
        with pytest.raises(ValueError, match=r"^out is .*; expected float64 \(7, 3\), C-cont"):
            compiled.matmul(a, b, out=wrong)
        with pytest.raises(ValueError, match=r"^dW is .*; expected float64 \(7, 3\), C-cont"):
            compiled.affine_backward_params(b, a.T, wrong)
        with pytest.raises(ValueError, match=r"^db is .*; expected float64 \(3,\), C-cont"):
            compiled.affine_backward_params(b, a.T, None, wrong)
        np.testing.assert_array_equal(wrong, before)


@pytest.mark.parametrize("name", UPDATES)
def test_updates_refuse_what_they_cannot_change_in_place(name):
    states = UPDATES[name]
    for i in (0, *range(2, 2 + states)):
        for change in ("every other number", "backwards", "read-only"):
            arrays = [np.ones((4, 5), np.float32) for _ in range(2 + states)]
            arrays[i] = LAYOUTS[change](arrays[i])
            with pytest.raises(ValueError, match="cannot be updated in place; expected C-contig"):
                getattr(compiled, name)(*arrays, *numbers(name))
            assert all(np.all(a == 1) for a in arrays)


def in_new_process(code, **environment):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_second_process_compiles_nothing(tmp_path):
    code = (
        "import numpy as np\n"
        "from npvae.kernels import elementwise, products, threads, updates\n"
        "a = np.ones(3, np.float32)\n"
        "elementwise.relu(a)\n"
        "updates.sgd_update(a, a, np.zeros(3, np.float32), 0.1, 0.9, 0)\n"
        "for b in np.ones((10, 200), np.float32), np.zeros((8, 200), np.float32):\n"
        "    products.matmul(b, b.T), products.matmul(b.T, b)\n"
        "loops = elementwise._relu, updates._sgd, *products.LOOPS.values()\n"
        "print([sum(threads.over_chunks(loop).stats.cache_misses.values()) for loop in loops])"
    )
    first, second = (in_new_process(code, NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(2))
    tall = int(vectors.register_count() == 32)
    assert first == f"[1, 1, {tall}, 1, 1, 1]\n"
    assert second == "[0, 0, 0, 0, 0, 0]\n"


# What numba is told of the CPU, and how to see that it listened.
CPUS = {
    "with AVX2 and no AVX-512": (
        {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma"},
        "(vectors.register_bytes(), vectors.register_count()) == (32, 16)",
    ),
    "with SSE2 alone": (
        {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""},
        "(vectors.register_bytes(), vectors.register_count()) == (16, 16)",
    ),
    "with one thread": ({"NUMBA_NUM_THREADS": "1"}, "numba.config.NUMBA_NUM_THREADS == 1"),
}


def definitions(environment, condition, cache):
    """Compiled anew: a warning that an older compilation gave, and nobody saw, fails here."""
    code = (
        "import numba, pytest, sys\n"
        "from npvae.kernels import vectors\n"
        f"assert {condition}\n"
        "options = ['-q', '-p', 'no:cacheprovider', '-k', 'compiled and (float32 or products)']\n"
        f"sys.exit(pytest.main([*options, {__file__!r}]))"
    )
    if "NUMBA_CPU_NAME" in environment:
        environment = environment | {"NUMBA_CACHE_DIR": str(cache)}
    return in_new_process(code, **environment)


@pytest.fixture(scope="module")
def on_cpus(tmp_path_factory):
    """What came of each, by name: two at a time, for a compiler keeps one core busy."""
    with ThreadPoolExecutor(2) as pool:
        made = {cpu: tmp_path_factory.mktemp("cache") for cpu in CPUS}
        yield {cpu: pool.submit(definitions, *CPUS[cpu], made[cpu]) for cpu in CPUS}
        pool.shutdown(cancel_futures=True)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names x86's CPUs")
@pytest.mark.parametrize("cpu", CPUS)
def test_every_kernel_is_its_definition_on_a_cpu(cpu, on_cpus):
    assert " passed" in on_cpus[cpu].result()


# prange cannot be left early: numba makes it a range, and warns.
SERIAL = """
import numba, numpy
@numba.njit(parallel=True)
def first_above(a, limit):
    for i in numba.prange(a.size):
        if a[i] > limit:
            return i
first_above(numpy.ones(3), 0)
"""


def test_a_loop_that_silently_runs_serially_fails_the_tests():
    with pytest.raises(NumbaPerformanceWarning, match="will not be executed in parallel"):
        exec(SERIAL, {})
    with pytest.raises(AssertionError, match="NumbaPerformanceWarning"):
        in_new_process(SERIAL)


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for a page that may not be read")
def test_products_read_nothing_past_their_arguments():
    """Each argument ends where a forbidden page begins."""
    code = (
        "import ctypes, mmap, numpy as np\n"
        "from npvae.kernels import products\n"
        "mprotect = ctypes.CDLL(None, use_errno=True).mprotect\n"
        "def guarded(a):\n"
        "    size = -(-a.nbytes // mmap.PAGESIZE) * mmap.PAGESIZE\n"
        "    memory = mmap.mmap(-1, size + mmap.PAGESIZE)\n"
        "    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))\n"
        "    page = ctypes.c_void_p(start + size)\n"
        "    assert mprotect(page, ctypes.c_size_t(mmap.PAGESIZE), 0) == 0\n"
        "    b = np.frombuffer(memory, a.dtype, a.size, size - a.nbytes).reshape(a.shape)\n"
        "    b[...] = a\n"
        "    return b\n"
        "zero = np.zeros((13, 150), np.float32)\n"
        "for left in (guarded(zero), guarded(zero.T).T):\n"
        "    assert not products.matmul(left, guarded(np.ones((150, 140), np.float32))).any()\n"
        "for m, k, n in ((1, 1, 1), (7, 131, 5), (13, 20, 67), (6, 150, 64), (5, 128, 300)):\n"
        "    a, b = np.ones((m, k), np.float32), np.ones((k, n), np.float32)\n"
        "    for left in (guarded(a), guarded(a.T).T):\n"
        "        for right in (guarded(b), guarded(b.T).T):\n"
        "            assert np.all(products.matmul(left, right) == k)\n"
        "    assert np.all(products.affine(guarded(a), guarded(b), guarded(b[0])) == k + 1)\n"
        "    out = guarded(np.ones((m, n), np.float32)), guarded(np.ones(n, np.float32))\n"
        "    dW, db = products.affine_backward_params(guarded(b), guarded(a.T), *out)\n"
        "    assert np.all(dW == k) and np.all(db == k)\n"
    )
    in_new_process(code)


def test_products_on_a_cpu_without_wide_registers():
    code = (
        "import numpy as np\n"
        "from npvae.kernels import products, vectors\n"
        "assert vectors.register_bytes() == 16\n"
        "for dtype in (np.float32, np.float64):\n"
        "    a = np.arange(17 * 150, dtype=dtype).reshape(17, 150) % 7\n"
        "    for b in (a.T, a.T.copy()):\n"
        "        assert np.array_equal(products.matmul(a, b), a @ b)\n"
    )
    environment = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_NUM_THREADS": "1"}
    in_new_process(code, **environment)
