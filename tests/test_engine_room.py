"""What derivations/13-kernels.md says of the compiled kernels: the order of a sum, to the bit."""

import json
import re
from itertools import chain

import mpmath
import numpy as np
import pytest
from numba import from_dtype, njit, types

from equations import ROOT
from npvae.kernels import compiled, functions, products, vectors
from npvae.kernels.vectors import add_outer_product, lanes, load_transposed, start, store

both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])
U = 2.0**-24  # half a unit in the last place of a float32


def short_numbers(dtype, *shape):
    """Numbers with so few bits that a product of two is exact: fused or not, one rounding."""
    limit = 2 ** ((np.finfo(dtype).nmant + 1) // 2)
    rng = np.random.default_rng(sum(shape))
    return (rng.integers(1 - limit, limit, shape) / limit).astype(dtype)


def in_order(a, b, bias, order):
    """bias + Σ_k a[:, k] b[k], for k in that order."""
    y = np.tile(bias, (len(a), 1))
    for k in order:
        y += a[:, k, None] * b[k]
    return y


@pytest.mark.equation("kernels.1")
@both_dtypes
@pytest.mark.parametrize(("m", "k", "n"), [(1, 3, 1), (7, 131, 67), (20, 300, 200)])
def test_a_product_is_a_sum_of_outer_products_in_order(dtype, m, k, n):
    a, b, bias = (short_numbers(dtype, *shape) for shape in ((m, k), (k, n), (n,)))
    expected = in_order(a, b, bias, range(k)).tobytes()
    assert compiled.affine(a, b, bias).tobytes() == expected
    assert compiled.affine(np.asfortranarray(a), b, bias).tobytes() == expected
    assert compiled.affine(a, np.asfortranarray(b), bias).tobytes() == expected
    assert k < 100 or in_order(a, b, bias, reversed(range(k))).tobytes() != expected


@both_dtypes
@pytest.mark.parametrize(("rows", "k", "n"), [(3, 1, 1), (131, 45, 67), (100, 300, 200)])
def test_the_gradient_of_a_bias_is_a_sum_in_order(dtype, rows, k, n):
    rng = np.random.default_rng(rows)
    dy, x = (rng.standard_normal((rows, columns)).astype(dtype) for columns in (n, k))
    expected = in_order(np.ones((1, rows), dtype), dy, np.zeros(n, dtype), range(rows))
    for layout in np.ascontiguousarray, np.asfortranarray:
        for left in x, np.where(np.arange(k) % 9 == 0, x, 0):
            db = compiled.affine_backward_params(layout(dy), layout(left))[1]
            assert db.tobytes() == expected.tobytes()
    backwards = in_order(np.ones((1, rows), dtype), dy, np.zeros(n, dtype), reversed(range(rows)))
    assert rows < 100 or backwards.tobytes() != expected.tobytes()


@pytest.mark.equation("kernels.7")
@both_dtypes
@pytest.mark.parametrize(
    ("m", "k", "n", "halved"),
    [(1, 255, 257, 0), (7, 131, 501, 1), (20, 330, 200, 1), (64, 128, 512, 1), (65, 128, 512, 0)],
)
def test_few_rows_are_two_half_sums(dtype, m, k, n, halved):
    a, b, bias = (short_numbers(dtype, *shape) for shape in ((m, k), (k, n), (n,)))
    a[:, ::3] = 0
    halves = range(k // 2), range(k // 2, k)
    first, second = in_order(a, b, bias, halves[0]), in_order(a, b, 0 * bias, halves[1])
    whole = in_order(a, b, bias, range(k))
    expected = (first + second if halved else whole).tobytes()
    assert compiled.affine(a, b, bias).tobytes() == expected
    sparse = a * (np.arange(k) % 5 == 0)
    without = in_order(sparse, b, bias, halves[0]) + in_order(sparse, b, 0 * bias, halves[1])
    if halved:
        assert compiled.affine(sparse, b, bias).tobytes() == without.tobytes()


@pytest.mark.equation("kernels.2")
@pytest.mark.parametrize(
    ("tile", "registers"),
    [
        (products.TWENTY, 32),
        (products.TEN, 16),
        (products.EIGHT, 16),
        (products.LISTED, vectors.register_count()),
    ],
)
def test_a_tile_loads_its_edges_and_multiplies_its_area(tile, registers):
    """Counted in what LLVM made of one step. The fewest registers of a CPU of today are 16."""
    r, c = tile
    start_tile = start(r, c)

    @njit
    def one_step(tile_row, a, a_step, b, y):
        tile = start_tile(tile_row, 0, None)
        tile = add_outer_product(tile, a, 0, a_step, None, b, 0, None)
        store(tile, y, 0, tile_row.size, None, None)

    w = lanes(types.float32)
    assert r * c + c + 1 <= registers
    b = np.ones(c * w, np.float32)
    one_step(b, np.ones(r, np.float32), 1, b, np.empty((r, c * w), np.float32))
    (code,) = one_step.inspect_llvm().values()
    body = code[: code.index("\n}\n")]
    assert len(re.findall(r"call .*@llvm\.fmuladd\.", body)) == r * c
    assert len(re.findall(rf"load <{w} x float>", body)) == 2 * c  # of them c by start_tile
    assert len(re.findall(r"load float,", body)) == r


@pytest.mark.equation("kernels.3")
@both_dtypes
def test_rotating_the_bits_of_its_place_takes_a_number_across_the_diagonal(dtype):
    w = lanes(from_dtype(np.dtype(dtype)))
    place = np.arange(w * w)
    for _ in range(w.bit_length() - 1):
        place = 2 * place % w**2 + 2 * place // w**2
    assert np.array_equal(place.reshape(w, w), np.arange(w * w).reshape(w, w).T)

    @njit
    def transpose(square, b, column, rows):
        tile = load_transposed(b, column, b.shape[1], rows)
        store(tile, square, 0, square.shape[1], None, None)

    square, b = np.empty((w, w), dtype), np.arange(3.0 * w * w, dtype=dtype).reshape(w, 3 * w)
    for rows in (1, w - 1, w):
        transpose(square, b, 5, rows)
        assert np.array_equal(square[:, :rows], b[:rows, 5 : 5 + w].T)


@pytest.mark.equation("kernels.4")
@both_dtypes
@pytest.mark.parametrize("transposed", [False, True])
def test_a_zero_left_out_changes_no_bit(dtype, transposed):
    rng = np.random.default_rng(4)
    a = rng.standard_normal((203, 190)).astype(dtype)
    a[rng.random(a.shape) < 0.6] = 0
    a[:, rng.random(190) < 0.7] = 0
    a[:17] = 0
    a = np.asfortranarray(a) if transposed else a
    b = rng.standard_normal((190, 200)).astype(dtype)
    skipping = compiled.matmul(a, b)
    # So few columns of b are not worth a look for zeros, and every term is added.
    halves = [compiled.matmul(a, np.ascontiguousarray(half)) for half in np.hsplit(b, 2)]
    assert skipping.tobytes() == np.hstack(halves).tobytes()


def test_a_zero_left_out_never_meets_inf():
    a, b = np.zeros((40, 50), np.float32), np.ones((50, 256), np.float32)
    a[:, 7], b[3] = 1, np.inf
    assert np.all(compiled.matmul(a, b) == 1)
    assert np.all(np.isnan(compiled.matmul(a, np.ascontiguousarray(b[:, :100]))))
    a[0, 3] = np.nan
    assert np.all(np.isnan(compiled.matmul(a, b)[0]))


@pytest.mark.equation("kernels.5")
def test_exp_is_a_power_of_two_and_a_short_series():
    with mpmath.workdps(40):
        for x in np.linspace(-87, 88, 1500, dtype=np.float32):
            n, p = functions._split(x)
            r = mpmath.mpf(float(x)) - int(n) * mpmath.log(2)
            assert abs(r) <= mpmath.log(2) * (0.5 + 2e-5)
            remainder = abs(r) ** 8 / mpmath.factorial(8) / (1 - abs(r) / 9)
            exact = mpmath.expm1(r)
            rounding = U * (2 * abs(exact) + abs(int(n)) * 2.0**-12)
            assert abs(float(p) - exact) <= remainder + rounding
    for n in range(-126, 128):
        assert functions._power_of_two(np.int32(n)) == 2.0**n


@pytest.mark.equation("kernels.6")
def test_log1p_is_a_short_series_of_artanh():
    """In float64, where only the coefficients are rounded to float32."""
    with mpmath.workdps(40):
        for x in np.linspace(0, 1, 500):
            s = mpmath.mpf(x) / (2 + mpmath.mpf(x))
            exact = mpmath.log1p(x)
            remainder = 2 * s**17 / 17 / (1 - s * s)
            coefficients = U * (exact - 2 * s)
            allowed = remainder + coefficients + 4e-16
            assert abs(float(functions._log1p32(x)) - exact) <= allowed


def test_the_page_prints_what_was_measured():
    page = (ROOT / "derivations" / "13-kernels.md").read_text(encoding="utf-8")
    figures = ROOT / "derivations" / "figures"
    measured = json.loads((figures / "kernels.json").read_text(encoding="utf-8"))
    for step in measured.pop("steps"):
        us = f"{step['µs']:,}".replace(",", " ")
        share = f"{step['of the peak']:.0%}".replace("%", " %")
        cells = f"{step['intensity']:.2f}", us, f"{step['GFLOP/s']}", share
        assert re.search(
            rf"^\| {step['step']} \|.* \| {re.escape(' | '.join(cells))} \|$", page, re.M
        )
    for key, numbers in measured.items():
        rows = numbers.values() if isinstance(numbers, dict) else chain(*numbers)
        for number in rows:
            assert re.search(rf"\b{number}\b", page), (key, number)
