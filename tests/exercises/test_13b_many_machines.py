"""The answers to the exercises of derivations/13b-many-machines.md, and figures its text states."""

import json
import runpy

import numpy as np
import pytest

import npvae
from equations import ROOT

PAGE = ROOT / "derivations" / "13b-many-machines.md"
FIGURE = ROOT / "derivations" / "figures" / "machines.py"


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(FIGURE))


@pytest.fixture(scope="module")
def measured():
    return json.loads(FIGURE.with_suffix(".json").read_text(encoding="utf-8"))


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.fixture(scope="module")
def rows():
    """{first cell: the others} of the page's tables; signs between thousands are left out."""
    lines = PAGE.read_text(encoding="utf-8").replace(" ", "").splitlines()
    return {first: rest for first, *rest in map(cells, lines) if rest}


def test_1_a_star_and_a_ring():
    n, size, bandwidth, latency = 64, 4 * 815_824, 10e9 / 8, 20e-6
    star = 2 * ((n - 1) * size / bandwidth + latency)
    ring = 2 * (n - 1) * (size / n / bandwidth + latency)
    assert 1e3 * star == pytest.approx(329, abs=0.5)
    assert 1e3 * ring == pytest.approx(7.7, abs=0.05)


def test_2_a_mean_of_means():
    rng = np.random.default_rng(0)
    slopes = rng.standard_normal(7)
    parts = np.split(slopes, [2, 4])
    equal = np.mean([part.mean() for part in parts])
    assert equal == pytest.approx(slopes @ np.repeat([1 / 6, 1 / 6, 1 / 9], [2, 2, 3]))
    assert sum(len(part) / 7 * part.mean() for part in parts) == pytest.approx(slopes.mean())


def test_3_a_batch_that_breaks_even(script):
    """Without latency, and nothing fixed."""
    for weights in (1e5, 1e8):
        for speed, bandwidth, rows in ((100e9, 10e9 / 8, 107), (50e12, 100e9 / 8, 5333)):
            n = 10_000
            model = {"weights": weights, "fixed, ms": 0, "a row, µs": 1e6 * 6 * weights / speed}
            assert 4 / 3 * speed / bandwidth == pytest.approx(rows, abs=0.5)
            given = model, bandwidth, 0.0
            assert script["speed_up"](n, rows, *given) == pytest.approx(1, rel=0.01)
            assert script["speed_up"](n, n * rows, *given) == pytest.approx(n / 2, rel=0.01)


def test_4_the_same_noise_in_every_part():
    """The spread of a gradient of rows that are all alike, so that all of it is the noise's."""
    rng = np.random.default_rng(0)
    B, n, repeats = 32, 4, 4000
    vae = npvae.VAE.init(
        3, hidden=(), latent_dim=1, likelihood=npvae.Bernoulli(), rng=rng, dtype=np.float64
    )
    x = np.tile(rng.random(3), (B, 1))

    def gradients(noise):
        trace = npvae.elbo(vae, x, noise)
        return npvae.elbo_backward(np.full(B, 1 / B), vae, x, noise, trace).rows[0]

    own = [gradients(rng.standard_normal((1, B, 1))) for _ in range(repeats)]
    one = [rng.standard_normal((1, B // n, 1)) for _ in range(repeats)]
    shared = [gradients(np.tile(noise, (1, n, 1))) for noise in one]
    wide = np.var(own, axis=0) > 1e-12
    ratio = np.var(shared, axis=0)[wide] / np.var(own, axis=0)[wide]
    # A variance of 4000 draws has an error of 2.2 %, a ratio of two 3.2 %: five of them.
    assert wide.any()
    assert ratio == pytest.approx(n, rel=0.16)
    errors = np.std(own, axis=0) * np.sqrt((1 + n) / repeats)
    assert (abs(np.mean(own, axis=0) - np.mean(shared, axis=0)) < 5 * errors + 1e-12).all()


def test_5_one_long_step_for_n_short_ones():
    def distances(slope, n):
        w = [np.ones(1), np.ones(1)]
        for _ in range(n):
            w[0] -= slope * w[0]
        w[1] -= n * slope * w[1]
        return [each.item() for each in w]

    assert distances(0.01, 8) == pytest.approx([0.923, 0.92], abs=5e-4)
    assert distances(0.3, 8) == pytest.approx([0.058, -1.4], abs=5e-4)


def test_6_the_other_cut():
    rng = np.random.default_rng(0)
    B, K, N, n = 5, 12, 7, 4
    x, W, dy = (rng.standard_normal(shape) for shape in ((B, K), (K, N), (B, N)))
    cut = [slice(r * K // n, (r + 1) * K // n) for r in range(n)]
    np.testing.assert_allclose(sum(x[:, own] @ W[own] for own in cut), x @ W)
    np.testing.assert_allclose(np.concatenate([x[:, own].T @ dy for own in cut]), x.T @ dy)
    np.testing.assert_allclose(np.hstack([dy @ W[own].T for own in cut]), dy @ W.T)
    B, K, N, n = 100, 8000, 8000, 16
    activations = (2 * B * N + B * K) * (n - 1) / n
    gradients = 2 * K * N * (n - 1) / n
    assert (activations, gradients) == (2.25e6, 120e6)
    assert gradients / activations == pytest.approx(53, abs=0.5)


def test_the_pages_tables_are_what_was_measured(rows, measured):
    for name, model in measured["models, one thread"].items():
        speed = 6 * model["weights"] / model["a row, µs"] / 1e3
        numbers = model["weights"], model["fixed, ms"], model["a row, µs"], round(speed)
        assert rows[name] == [str(number) for number in numbers]
    sums = measured["Allreduce of so many bytes by two processes, µs"]
    for size in ("64", "16384", "1048576", "4194304", "16777216", "67108864"):
        assert rows[size] == [str(sums[size]), f"{int(size) / sums[size] / 1e3:.2g}"]
    for name, steps in measured["a step of 784-500-20, ms"].items():
        assert rows[name.replace(" ", "")] == [str(taken) for taken in steps.values()]


def test_the_page_counts_as_the_script_does(script, measured):
    """The page's table of speed-ups, from its own few lines, is what the picture shows."""
    page = PAGE.read_text(encoding="utf-8")
    for name, model in measured["models, one thread"].items():
        for network, (*path, _) in script["NETWORKS"].items():
            ups = [script["speed_up"](n, 1000, model, *path) for n in (2, 4, 8, 16, 32, 64)]
            line = f"{name:18}{network:>9}" + "".join(f"{up:7.2f}" for up in ups)
            assert line in page
