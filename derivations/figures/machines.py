"""Measures the numbers of chapter 13b, keeps them in machines.json, and draws machines.png.

    python derivations/figures/machines.py           measures your machine: two minutes
    python derivations/figures/machines.py --draw    draws what machines.json says

Two processes are started by mpiexec, with mpi4py. The largest model takes 3 GB.
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

import npvae

HERE = Path(__file__).resolve()
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#888888"
MODELS = {  # hidden widths, latent numbers; batches that are measured; steps of an epoch
    "784-500-20": ((500,), 20, (50, 100, 200, 400, 800), 20),
    "784-2000-2000-50": ((2000, 2000), 50, (50, 100, 200, 400), 5),
    "784-8000-8000-100": ((8000, 8000), 100, (50, 100, 200), 2),
}
SMALL, MIDDLE, LARGE = MODELS
NETWORKS = {  # bytes a second, seconds until the first arrives: assumed
    "1 Gb/s": (1e9 / 8, 50e-6, ORANGE),
    "10 Gb/s": (10e9 / 8, 20e-6, GREEN),
    "100 Gb/s": (100e9 / 8, 5e-6, BLUE),
}
SIZES = [4**k for k in range(3, 14)]  # bytes that two processes add up
SHARED = 100, 800  # batches of which two processes make a step


def talk_seconds(n, size, bandwidth, latency):
    """2 (n − 1)/n · size/bandwidth + 5 (n − 1) · latency: two Allreduces and an Allgather."""
    return 2 * (n - 1) / n * size / bandwidth + 5 * (n - 1) * latency


def step_seconds(n, batch, model, bandwidth, latency):
    """fixed + row · batch/n + talk, of what was measured of a model."""
    own = 1e-3 * model["fixed, ms"] + 1e-6 * model["a row, µs"] * batch / n
    return own + talk_seconds(n, 4 * model["weights"], bandwidth, latency)


def speed_up(n, *given):
    return step_seconds(1, *given) / step_seconds(n, *given)


def train_seconds(name, batch, steps, ranks=None):
    """(seconds of a training step, weights): the mean over the fastest of four epochs."""
    hidden, latent_dim, *_ = MODELS[name]
    rng = np.random.default_rng(0)
    x = (rng.random((batch * steps, 784)) < 0.9).astype(np.float32)  # few zeros to leave out
    choices = {"likelihood": npvae.Bernoulli(), "activation": "tanh", "rng": rng}
    vae = npvae.VAE.init(784, hidden=hidden, latent_dim=latent_dim, **choices)
    choices = {"optimizer": npvae.Adam(1e-5), "rng": rng} | ({"ranks": ranks} if ranks else {})
    epochs = npvae.train(vae, x, epochs=4, batch_size=batch, **choices)
    return min(epoch.seconds for epoch in epochs) / steps, sum(row.size for row in vae.params.rows)


def measure_model(name):
    """The line through the times of steps on one thread, against their batch."""
    _, _, batches, steps = MODELS[name]
    times, weights = zip(*(train_seconds(name, batch, steps) for batch in batches), strict=True)
    # A time is wrong by a share of itself, so a long one counts less.
    row, fixed = np.polyfit(batches, times, 1, w=1 / np.array(times))
    return {
        "weights": weights[0],
        "steps, ms": dict(zip(batches, (round(1e3 * taken, 2) for taken in times), strict=True)),
        "fixed, ms": round(1e3 * fixed, 2),
        "a row, µs": round(1e6 * row, 1),
    }


def measure_pair():
    """What each of two processes does: it prints medians of sums, then steps made together."""
    from mpi4py import MPI

    from npvae.distributed import Ranks

    ranks, sums = Ranks(), {}
    for size in SIZES:
        numbers, times = np.ones(size // 4, np.float32), []
        for _ in range(max(20, min(1000, 2**26 // size))):
            MPI.COMM_WORLD.Barrier()
            start = time.perf_counter()
            MPI.COMM_WORLD.Allreduce(MPI.IN_PLACE, numbers)
            times.append(time.perf_counter() - start)
            numbers[...] = 1
        sums[size] = round(1e6 * np.median(times), 1)
    steps = {batch: milliseconds(batch, ranks) for batch in SHARED}
    if ranks.first:
        print(json.dumps([sums, steps]))


def milliseconds(batch, ranks=None):
    return round(1e3 * train_seconds(SMALL, batch, 20, ranks)[0], 2)


def measure():
    pair = subprocess.run(
        ["mpiexec", "-n", "2", sys.executable, str(HERE), "--pair"],
        env=os.environ | {"NUMBA_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    sums, together = json.loads(pair.stdout)
    numba.set_num_threads(2)
    two_threads = {batch: milliseconds(batch) for batch in SHARED}
    numba.set_num_threads(1)
    one_thread = {batch: milliseconds(batch) for batch in SHARED}
    return {
        "models, one thread": {name: measure_model(name) for name in MODELS},
        "Allreduce of so many bytes by two processes, µs": sums,
        f"a step of {SMALL}, ms": {
            "one process, one thread": one_thread,
            "one process, two threads": two_threads,
            "two processes": together,
        },
    }


def draw(models):
    figure = Figure(figsize=(8.8, 3.9), layout="constrained")
    strong, rows = figure.subplots(1, 2)
    n, own = np.geomspace(1, 64), np.geomspace(10, 20_000)
    strong.loglog(n, n, "--", color=GREY, linewidth=1.2)
    rows.axhline(100, linestyle="--", color=GREY, linewidth=1.2)
    for name, (*network, colour) in NETWORKS.items():
        strong.loglog(n, speed_up(n, 1000, models[MIDDLE], *network), color=colour)
        for model, style in ((SMALL, ":"), (MIDDLE, "-"), (LARGE, "--")):
            share = 100 * speed_up(16, 16 * own, models[model], *network) / 16
            rows.semilogx(own, share, style, color=colour)
        strong.text(
            66, speed_up(64, 1000, models[MIDDLE], *network), name, color=colour, va="center"
        )
    strong.set_xlabel("machines n")
    strong.set_title(f"{MIDDLE}, a batch of 1000", fontsize=11)
    strong.set_ylabel("speed-up")
    strong.set_xticks([1, 2, 4, 8, 16, 32, 64], ["1", "2", "4", "8", "16", "32", "64"])
    strong.set_yticks([0.25, 1, 4, 16, 64], ["¼", "1", "4", "16", "64"])
    rows.set_xlabel("rows of each machine B/n")
    rows.set_title("16 machines, three models", fontsize=11)
    rows.set_ylabel("speed-up, % of 16")
    rows.set_ylim(0, 105)
    rows.set_xticks([10, 100, 1000, 10_000], ["10", "100", "1000", "10 000"])
    for axes in (strong, rows):
        axes.minorticks_off()
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(HERE.with_suffix(".png"), dpi=120)


def main():
    if "--pair" in sys.argv:
        return measure_pair()
    file = HERE.with_suffix(".json")
    if "--draw" not in sys.argv:
        file.write_text(json.dumps(measure(), ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(file.read_text("utf-8"))
    draw(json.loads(file.read_text("utf-8"))["models, one thread"])


if __name__ == "__main__":
    main()
