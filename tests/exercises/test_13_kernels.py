"""The answers to the exercises of derivations/13-kernels.md."""

import math
import runpy

import numpy as np
import pytest

from equations import ROOT
from npvae.kernels import compiled, vectors


def test_1_a_better_tile():
    def best(registers):
        tiles = {
            (r, c): r * c / (r + c)
            for r in range(1, registers)
            for c in range(1, registers)
            if r * c + c + 1 <= registers
        }
        tile = max(tiles, key=tiles.get)
        return tile, tiles[tile]

    assert best(32) == ((5, 5), 2.5)
    assert best(16) == ((4, 3), pytest.approx(1.71, abs=0.005))
    for r, c, loading in ((5, 5, 7.5), (10, 1, 6)):
        assert c + r / 2 == loading < r * c


def test_2_a_bit_that_changes():
    zero = np.float32(0)
    assert np.signbit(np.float32(-0.0) + zero) != np.signbit(np.float32(-0.0))
    assert not np.signbit(np.float32(1) - np.float32(1))
    for number in np.float32([0, 1e-45, -1e-45, 1, -1, np.inf, -np.inf]):
        assert (number + zero).tobytes() == number.tobytes()
    small = np.float32(1e-30)
    assert np.signbit(-small * small)
    assert not np.signbit(zero + (-small * small))


@pytest.mark.skipif(not {"+fma", "+neon"} & {*vectors._features()}, reason="nothing is fused")
def test_2_a_fused_sum_that_falls_to_minus_zero():
    small = np.full((1, 1), 1e-30, np.float32)
    assert np.signbit(compiled.matmul(-small, small))


def test_3_terms_of_the_exponential():
    def remainder(terms):
        return (math.log(2) / 2) ** terms / math.factorial(terms)

    assert remainder(7) > 2.0**-24 > remainder(8)
    assert remainder(13) > 2.0**-53 > remainder(14)
    assert remainder(8) == pytest.approx(5.2e-9, rel=0.01)
    assert remainder(14) == pytest.approx(4e-18, rel=0.1)


def test_4_roundings_on_the_way():
    def roundings(terms, lanes):
        return terms / lanes + math.log2(lanes)

    assert roundings(784, 1) == 784
    assert roundings(784, 16) == 53
    depth = np.zeros(16)
    for _ in range(784 // 16):
        depth += 1
    while depth.size > 1:
        depth = np.maximum(depth[::2], depth[1::2]) + 1
    assert depth[0] == 53


def test_5_loops_that_change_places():
    path = ROOT / "derivations" / "figures" / "kernels.py"
    along_the_rows = runpy.run_path(str(path), run_name="kernels")["along_the_rows"].py_func

    def terms_outside(x, W, y):
        y[:] = 0
        for k in range(W.shape[0]):
            for i in range(x.shape[0]):
                x_ik, W_k, y_i = x[i, k], W[k], y[i]
                for j in range(W.shape[1]):
                    y_i[j] += x_ik * W_k[j]

    rng = np.random.default_rng(0)
    x, W = rng.standard_normal((6, 40), np.float32), rng.standard_normal((40, 7), np.float32)
    y, swapped = np.empty((2, 6, 7), np.float32)
    along_the_rows(x, W, y)
    terms_outside(x, W, swapped)
    assert swapped.tobytes() == y.tobytes()
