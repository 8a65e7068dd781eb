"""Both engines against definitions of their own, and the compiled one against the reference."""

import inspect
import math
import os
import subprocess
import sys

import mpmath
import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npvae.kernels import compiled, elementwise, reference
from npvae.kernels.threads import over_chunks

both_engines = pytest.mark.parametrize(
    "engine", [reference, compiled], ids=lambda engine: engine.__name__.split(".")[-1]
)
both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])

SLOPE = 0.01
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
UPDATES = {"sgd_update": 1, "adagrad_update": 1, "adam_update": 2}
SIZES = (0.0, 1e-30, 1e-15, 1e-7, 3e-4, 0.02, 0.3, 0.7, 1.0, 2.5, 9.0, 17.0, 40.0, 88.0, 104.0, 1e4)


def numbers(name, step=3):
    """The arguments of a kernel that are no arrays."""
    return {
        "leaky_relu": (SLOPE,),
        "leaky_relu_backward": (SLOPE,),
        "sgd_update": (0.1, 0.9, 0.01),
        "adagrad_update": (0.1, 1e-8, 0.01),
        "adam_update": (step, 0.1, 0.9, 0.999, 1e-8, 0.01),
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
    yield "max_abs", (normal(B, D),)
    yield "bernoulli_log_prob", (x, logits)
    yield "bernoulli_log_prob_backward", (normal(L, B), x, logits)
    for name, states in UPDATES.items():
        yield name, (normal(B, D), normal(B, D), *abs(normal(states, B, D)), *numbers(name))


def run(engine, name, args):
    """The kernel's result; for an update, the arrays it changed. Arguments are left alone."""
    if name not in UPDATES:
        return getattr(engine, name)(*args)
    w, dw, *rest = args
    changed = [np.array(a, order="C") for a in (w, *rest[: UPDATES[name]])]
    assert getattr(engine, name)(changed[0], dw, *changed[1:], *rest[UPDATES[name] :]) is None
    return np.stack(changed)


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
    arrays = [rng.uniform(1, 2, 7).astype(dtype), *np.zeros((UPDATES[name], 7), dtype)]
    start = arrays[0].astype(np.float64)
    floats = [[float(a[i]) for a in arrays] for i in range(7)]
    textbook = {"sgd": textbook_sgd, "adagrad": textbook_adagrad, "adam": textbook_adam}
    for t in range(1, 11):
        dw = rng.uniform(0.5, 1.5, 7).astype(dtype)
        given = numbers(name, step=t)
        getattr(engine, name)(arrays[0], dw, *arrays[1:], *given)
        rest = given if name == "adam_update" else (t, *given)
        one = textbook[name.removesuffix("_update")]
        floats = [one(s[0], float(g), *s[1:], *rest) for s, g in zip(floats, dw, strict=True)]
    expected = np.transpose(floats)
    sizes = abs(expected)
    sizes[0] = start + abs(expected[0] - start)  # w, which may end near 0
    for got, exact, size in zip(arrays, expected, sizes, strict=True):
        assert got.dtype == dtype
        assert_close(got, exact, 10 * np.finfo(dtype).eps * size)


@both_engines
@both_dtypes
def test_max_abs(engine, dtype):
    a = np.random.default_rng(6).standard_normal((90, 300)).astype(dtype)
    largest = engine.max_abs(a)
    assert isinstance(largest, float)
    assert largest == max(abs(float(a_i)) for a_i in a.flat)
    a[70, 3] = -np.inf
    assert engine.max_abs(a) == np.inf
    a[3, 70] = -np.nan
    assert math.isnan(engine.max_abs(a))
    assert engine.max_abs(a[:0]) == 0


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
    w, dw = data.draw(arrays(dtype, m, n, special=False)), data.draw(arrays(dtype, m, n))
    state = [abs(data.draw(arrays(dtype, m, n, special=False))) for _ in range(UPDATES[name])]
    sizes = update_sizes(name, *(a.astype(np.float64) for a in (w, dw, *state)))
    assert_twins(name, (w, dw, *state, *numbers(name)), 8 * np.finfo(dtype).eps * sizes)


@both_dtypes
def test_empty_and_tiny_arrays(dtype):
    for shape in ((), (0,), (0, 3), (3, 0), (1,), (1, 1, 1)):
        a = np.full(shape, 0.5, dtype)
        for name in (*FORWARDS, *BACKWARDS):
            args = (a,) * (1 + name.endswith("_backward")) + numbers(name)
            assert_twins(name, args, 4 * np.finfo(dtype).eps)
        for name, states in UPDATES.items():
            args = (a, a, *[a] * states, *numbers(name))
            assert_twins(name, args, 10 * np.finfo(dtype).eps)
    for m, k, n in ((0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 0), (1, 200, 0), (0, 200, 1)):
        a, b, bias = (np.ones(shape, dtype) for shape in ((m, k), (k, n), (n,)))
        assert_twins("matmul", (a, b), 0)
        assert_twins("matmul", (b.T, a.T), 0)
        assert_twins("affine", (a, b, bias), 0)
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


@both_dtypes
def test_every_layout_runs_the_one_compilation(dtype):
    a = np.random.default_rng(8).standard_normal((30, 40)).astype(dtype)
    for change in LAYOUTS.values():
        compiled.leaky_relu(change(a), 0)
        compiled.leaky_relu(change(a), np.float64(0.5))
    signatures = over_chunks(elementwise._leaky_relu).signatures
    assert [s[2][0].dtype.name for s in signatures].count(np.dtype(dtype).name) == 1


def test_mixed_and_other_dtypes_are_refused():
    rng = np.random.default_rng(9)
    for name, args in calls(rng, np.float32, B=3, D=4):
        arrays = [i for i, a in enumerate(args) if isinstance(a, np.ndarray)]
        for i in arrays[1:]:
            mixed = [a.astype(np.float64) if i == j else a for j, a in enumerate(args)]
            with pytest.raises(TypeError, match="float32 and float64; expected all float32 or all"):
                getattr(compiled, name)(*mixed)
        whole = [a.astype(np.int64) if j in arrays else a for j, a in enumerate(args)]
        with pytest.raises(TypeError, match="arrays are int64; expected"):
            getattr(compiled, name)(*whole)


def test_shapes_that_do_not_fit_are_refused():
    """A loop that trusted them would read, or write, another array's memory."""
    rng = np.random.default_rng(10)
    for name, args in calls(rng, np.float32, B=3, D=4):
        arrays = [i for i, a in enumerate(args) if isinstance(a, np.ndarray)]
        for i in arrays if len(arrays) > 1 else []:
            # A product's second factor may have any number of columns.
            second = name in ("matmul", "affine") and i == 1
            short = args[i][:-1] if second else args[i][..., :-1]
            with pytest.raises(ValueError, match="expected"):
                run(compiled, name, [*args[:i], short, *args[i + 1 :]])


@pytest.mark.parametrize("name", UPDATES)
def test_updates_refuse_what_they_cannot_change_in_place(name):
    states = UPDATES[name]
    for change in ("transposed", "a slice of columns", "read-only"):
        for i in (0, *range(2, 2 + states)):
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
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_second_process_compiles_nothing(tmp_path):
    code = (
        "import numpy as np\n"
        "from npvae.kernels import elementwise, threads\n"
        "elementwise.relu(np.ones(3, np.float32))\n"
        "print(sum(threads.over_chunks(elementwise._relu).stats.cache_misses.values()))"
    )
    misses = [in_new_process(code, NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(2)]
    assert misses == ["1\n", "0\n"]


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
        "for m, k, n in ((1, 1, 1), (7, 131, 5), (13, 20, 67), (6, 150, 64), (5, 128, 300)):\n"
        "    a, b = np.ones((m, k), np.float32), np.ones((k, n), np.float32)\n"
        "    for left in (guarded(a), guarded(a.T).T):\n"
        "        for right in (guarded(b), guarded(b.T).T):\n"
        "            assert np.all(products.matmul(left, right) == k)\n"
        "    assert np.all(products.affine(guarded(a), guarded(b), guarded(b[0])) == k + 1)\n"
    )
    in_new_process(code)


def test_products_on_a_cpu_without_wide_registers():
    code = (
        "import numpy as np\n"
        "from npvae.kernels import products, vectors\n"
        "assert vectors.simd() == (16, 16)\n"
        "a = np.arange(17 * 150, dtype=np.float32).reshape(17, 150) % 7\n"
        "for b in (a.T, a.T.copy()):\n"
        "    assert np.array_equal(products.matmul(a, b), a @ b)\n"
    )
    environment = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_NUM_THREADS": "1"}
    in_new_process(code, **environment)
