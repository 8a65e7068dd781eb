"""Measures the tables of chapter 13, keeps them in kernels.json, and draws kernels.png.

    python derivations/figures/kernels.py           measures your machine: some minutes
    python derivations/figures/kernels.py --draw    draws what kernels.json says

Step 6 multiplies images of MNIST, which are downloaded if need be.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numba
import numpy as np
from matplotlib.figure import Figure
from numba import njit, prange, types

import npvae
from npvae import kernels
from npvae.kernels.functions import EXACT
from npvae.kernels.products import LISTED, TEN
from npvae.kernels.vectors import Tile, add_outer_product, start, store

HERE = Path(__file__).resolve()
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#888888"
B, D, H = 100, 784, 500
FLOPS = 2 * B * D * H
WEIGHTS = 425_000  # about those of 784-200-200-50
TILE = Tile(*TEN, types.float32)
WIDTH = TILE.columns * TILE.lanes
start_tile = start(*TEN)

SIDE_BY_SIDE = """
import sys
import numpy as np
import npvae
from npvae import kernels
from npvae.kernels import reference
if sys.argv[1] == "BLAS":
    for product in "affine", "affine_backward_params", "matmul":
        setattr(kernels, product, getattr(reference, product))
rng = np.random.default_rng(0)
x = rng.random((5000, 784), np.float32)
vae = npvae.VAE.init(784, hidden=(500,), latent_dim=20, likelihood=npvae.Bernoulli(),
                     activation="tanh", rng=rng)
epochs = npvae.train(vae, x, epochs=4, optimizer=npvae.Adam(1e-4), binarize=True, rng=rng)
print(min(epoch.seconds for epoch in epochs) / 50)
"""


@njit(**EXACT)
def row_times_column(x, W, y):
    for i in range(x.shape[0]):
        for j in range(W.shape[1]):
            total = np.float32(0)
            for k in range(W.shape[0]):
                total += x[i, k] * W[k, j]
            y[i, j] = total


@njit(**EXACT)
def along_the_rows(x, W, y):
    y[:] = 0
    for i in range(x.shape[0]):
        y_i = y[i]
        for k in range(W.shape[0]):
            x_ik, W_k = x[i, k], W[k]
            for j in range(W.shape[1]):
                y_i[j] += x_ik * W_k[j]


@njit(**EXACT)
def two_rows_four_terms(x, W, y):
    y[:] = 0
    for i in range(0, x.shape[0], 2):
        y_0, y_1 = y[i], y[i + 1]
        for k in range(0, W.shape[0], 4):
            W_0, W_1, W_2, W_3 = W[k], W[k + 1], W[k + 2], W[k + 3]
            u_0, u_1, u_2, u_3 = x[i, k], x[i, k + 1], x[i, k + 2], x[i, k + 3]
            v_0, v_1, v_2, v_3 = x[i + 1, k], x[i + 1, k + 1], x[i + 1, k + 2], x[i + 1, k + 3]
            for j in range(W.shape[1]):
                w_0, w_1, w_2, w_3 = W_0[j], W_1[j], W_2[j], W_3[j]
                y_0[j] = y_0[j] + u_0 * w_0 + u_1 * w_1 + u_2 * w_2 + u_3 * w_3
                y_1[j] = y_1[j] + v_0 * w_0 + v_1 * w_1 + v_2 * w_2 + v_3 * w_3


@njit(**EXACT)
def registers_only(steps, a, b, y):
    """The same numbers at every step: LLVM loads them once, and only multiply-adds remain."""
    tile = start_tile(b, 0, None)
    for _ in range(steps):
        tile = add_outer_product(tile, a, 0, 1, None, b, 0, None)
    store(tile, y, 0, b.size, None, None)


@njit(parallel=True, **EXACT)
def registers_of_every_core(steps, a, b, y):
    for core in prange(len(y)):
        registers_only(steps, a, b, y[core])


@njit(error_model="numpy", fastmath={"contract", "reassoc"})
def sum_often(times, a):
    total = np.float32(0)
    for _ in range(times):
        once = np.float32(0)
        for i in range(a.size):
            once += a[i]
        total = once - total
    return total


@njit(error_model="numpy", fastmath={"contract", "reassoc"})
def bernoulli_by_the_c_library(x, logits, log_px_z):
    for row in range(x.shape[0]):
        total = np.float32(0)
        for d in range(x.shape[1]):
            a = logits[row, d]
            total += (x[row, d] * a - max(a, np.float32(0))) - np.log1p(np.exp(-abs(a)))
        log_px_z[row] = total


@njit(parallel=True, **EXACT)
def write_own_half(a):
    half = a.size // 2
    for thread in prange(2):
        own = a[thread * half : thread * half + half]
        for i in range(own.size):
            own[i] += np.float32(1)


@njit(parallel=True, error_model="numpy", fastmath={"contract", "reassoc"})
def read_the_others_half(a, sums):
    half = a.size // 2
    for thread in prange(2):
        other = a[(1 - thread) * half : (1 - thread) * half + half]
        total = np.float32(0)
        for i in range(other.size):
            total += other[i]
        sums[thread] = total


def reciprocals(a, y):
    for i in range(a.size):
        y[i] = np.float32(1) / (np.float32(1) + a[i])


def seconds(function, *args, threads=1, runs=60):
    """The time that the best quarter of the calls stays below."""
    numba.set_num_threads(threads)
    times = [clocked(function, *args) for _ in range(3 + runs)]
    return np.percentile(times[3:], 25)


def peak(threads):
    """Operations a second of multiply-adds that wait for no load."""
    steps = 100_000
    a, b = np.full(TILE.rows, 1e-3, np.float32), np.full(WIDTH, 1e-3, np.float32)
    y = np.empty((threads, TILE.rows * WIDTH), np.float32)
    time_taken = seconds(registers_of_every_core, steps, a, b, y, threads=threads)
    return threads * 2 * TILE.rows * WIDTH * steps / time_taken


def bandwidth(size):
    """Bytes a second that one core loads from an array of that many bytes."""
    times = max(1, 2**24 // size)
    a = np.ones(size // 4 + 16, np.float32)
    a = a[-a.ctypes.data % 64 // 4 :][: size // 4]  # a load across two cache lines counts twice
    return times * size / seconds(sum_often, times, a, runs=20)


def step_seconds(products, blas_threads):
    """A training step in a process of its own, the products by "numba" or by "BLAS"."""
    done = subprocess.run(
        [sys.executable, "-c", SIDE_BY_SIDE, products],
        env=os.environ | {"OPENBLAS_NUM_THREADS": str(blas_threads)},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def measure_products():
    """(step, operations a byte, threads, seconds) for each step of the chapter."""
    rng = np.random.default_rng(0)
    digits = npvae.datasets.load_mnist().train[:B]
    binary = npvae.binarize(digits, rng=rng)
    x, W = rng.random((B, D), np.float32), rng.standard_normal((D, H), np.float32)
    y, b = np.empty((B, H), np.float32), np.zeros(H, np.float32)
    for number, loop, intensity in (
        (1, row_times_column, 2 / 8),
        (2, along_the_rows, 2 / 12),
        (3, two_rows_four_terms, 16 / 32),
    ):
        yield number, intensity, 1, seconds(loop, x, W, y, runs=20)
        np.testing.assert_allclose(y, x @ W, rtol=1e-3, atol=1e-3)
    yield 4, intensity_of(TEN), 1, seconds(kernels.affine, x, W, b, runs=200)
    yield 5, intensity_of(TEN), 2, seconds(kernels.affine, x, W, b, threads=2, runs=400)
    yield 6, intensity_of(LISTED), 2, seconds(kernels.affine, binary, W, b, threads=2, runs=400)


def intensity_of(tile):
    """Operations for each byte that it loads, in float32: the intensity of (kernels.2)."""
    rows, numbers = tile[0], tile[1] * TILE.lanes
    return 2 * rows * numbers / (4 * (rows + numbers))


def measure_loops():
    """What two loops over a batch's pixels take, plain and as npvae has them."""
    rng = np.random.default_rng(0)
    x, a = rng.random((B, D), np.float32), rng.standard_normal((B, D), np.float32)
    sums, y = np.empty(B, np.float32), np.empty(B * D, np.float32)
    yield "Bernoulli, exp of the C library", seconds(bernoulli_by_the_c_library, x, a, sums)
    yield "Bernoulli, polynomials", seconds(kernels.bernoulli_log_prob, x, a[None])
    for error_model in ("python", "numpy"):
        loop = njit(error_model=error_model)(reciprocals)
        yield f"1/(1 + x), error_model={error_model!r}", seconds(loop, x.reshape(-1), y)


def measure_sharing():
    """Seconds to write half an array, alone and after the other thread has read it, ten times.

    After a second of sleep a virtual machine's threads may wake on other cores than before.
    """
    numba.set_num_threads(2)
    a, sums = np.zeros(WEIGHTS, np.float32), np.zeros(2, np.float32)
    for _ in range(10):
        time.sleep(1)
        times = {"alone": [], "read": []}
        for _ in range(40):
            write_own_half(a)
            times["alone"].append(clocked(write_own_half, a))
            read_the_others_half(a, sums)
            times["read"].append(clocked(write_own_half, a))
        yield [np.percentile(taken[5:], 25) for taken in times.values()]


def clocked(function, *args):
    start = time.perf_counter()
    function(*args)
    return time.perf_counter() - start


def draw(steps, peaks, rates):
    figure = Figure(figsize=(5.6, 4.4), layout="constrained")
    axes = figure.subplots()
    intensity = np.geomspace(0.08, 8, 200)
    for threads, style in (("1", "-"), ("2", "--")):
        roof = np.minimum(peaks[threads], int(threads) * rates["first cache"] * intensity)
        axes.loglog(intensity, roof, style, color=GREY, linewidth=1.2)
        axes.text(
            0.75, peaks[threads] * 1.06, f"peak of {threads} core{'s' * (threads > '1')}",
            color=GREY, ha="left", va="bottom",
        )  # fmt: skip
    words = {
        1: "1  row · column",
        2: "2  along the rows",
        3: "3  two rows, four terms",
        4: "4  tile",
        5: "5  two threads",
        6: "6  zeros left out",
    }
    for step, x, speed in ((each["step"], each["intensity"], each["GFLOP/s"]) for each in steps):
        colour = BLUE if step < 5 else ORANGE if step == 5 else GREEN
        axes.loglog(x, speed, "o", color=colour)
        axes.annotate(
            words[step], (x, speed), (8, -4), textcoords="offset points",
            va="center" if step in (1, 6) else "top", color=colour, fontsize=11,
        )  # fmt: skip
    axes.text(
        0.088, 0.098 * rates["first cache"], "loads from the first cache", color=GREY, fontsize=9,
        rotation=29, rotation_mode="anchor",
    )  # fmt: skip
    axes.set_xlabel("intensity: operations for each byte loaded or stored", fontsize=11)
    axes.set_ylabel("GFLOP/s", fontsize=11)
    axes.set(xlim=(0.08, 10), ylim=(1, 1000))
    axes.set_xticks([0.1, 0.25, 0.5, 1, 2, 4, 8], ["0.1", "0.25", "0.5", "1", "2", "4", "8"])
    axes.set_yticks([1, 10, 100, 1000], ["1", "10", "100", "1000"])
    axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(HERE.with_suffix(".png"), dpi=120)


def measure():
    """All of the chapter's tables, rounded as the chapter prints them."""
    peaks = {threads: peak(threads) for threads in (1, 2)}
    sizes = {"first cache": 2**14, "second cache": 2**18, "memory": 2**28}
    steps = [
        {
            "step": number,
            "intensity": round(intensity, 2),
            "µs": round(taken * 1e6),
            "GFLOP/s": round(FLOPS / taken / 1e9, 1),
            "of the peak": round(FLOPS / taken / peaks[threads], 2),
        }
        for number, intensity, threads, taken in measure_products()
    ]
    return {
        "steps": steps,
        "peaks, GFLOP/s": {threads: round(rate / 1e9) for threads, rate in peaks.items()},
        "loads, GB/s": {place: round(bandwidth(size) / 1e9) for place, size in sizes.items()},
        "loops over 78 400 pixels, µs": {
            words: round(taken * 1e6) for words, taken in measure_loops()
        },
        "a step of training, ms": {
            f"{products}, {threads} BLAS threads": round(1e3 * step_seconds(products, threads), 1)
            for products, threads in (("numba", 1), ("BLAS", 1), ("BLAS", 2))
        },
        "half an array alone, and after the other has read it, µs": sorted(
            [round(1e6 * alone), round(1e6 * read)] for alone, read in measure_sharing()
        ),
    }


def main():
    file = HERE.with_suffix(".json")
    if "--draw" not in sys.argv:
        file.write_text(json.dumps(measure(), ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(file.read_text("utf-8"))
    measured = json.loads(file.read_text("utf-8"))
    draw(measured["steps"], measured["peaks, GFLOP/s"], measured["loads, GB/s"])


if __name__ == "__main__":
    main()
