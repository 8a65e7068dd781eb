"""The page about one's own model: what it holds, and that its numbers are the library's."""

import json
import re

import numpy as np
import pytest

import npvae
from browser import chromium
from equations import CITATION, ROOT, audit
from models import LIKELIHOODS, make_batch, make_vae
from npvae import pages
from npvae.__main__ import main
from npvae.pages import packing

FOLDER = ROOT / "npvae" / "pages"
EXAMINE = """
const [rows, noise, zs] = arguments.map((a) => a.map((r) => Array.isArray(r[0])
  ? r.map((e) => Float64Array.from(e)) : Float64Array.from(r)));
return {
  posteriors: rows.map((x) => { const q = npvae.encode(x);
    return [Array.from(q.mu), Array.from(q.logvar)]; }),
  means: zs.map((z) => Array.from(npvae.decode(z))),
  bounds: rows.map((x, b) => { const r = npvae.bound(x, noise[b]);
    return [r.reconstruction, r.kl, r.bound]; }),
  logWeights: rows.map((x, b) => npvae.logWeight(x, noise[b][0])),
};
"""


def content(path):
    """The JSON that a page holds."""
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'<script id="content"[^>]*>(.*?)</script>', text, re.DOTALL)[1])


def small_model(likelihood, activation="tanh", D=12):
    return make_vae(LIKELIHOODS[likelihood], activation, D=D, Z=3, hidden=(8,), dtype=np.float32)


@pytest.fixture(scope="module")
def browser():
    with chromium() as driver:
        yield driver


def open_page(driver, path, fragment=""):
    driver.get("about:blank")  # the same file with another fragment would not be read again
    driver.get(path.as_uri() + fragment)


def settled(driver):
    """The numbers of the page once all draws of z have come."""
    script = "const n = npvae.numbers(); return n.K >= npvae.state.most ? n : null;"
    from selenium.webdriver.support.wait import WebDriverWait

    return WebDriverWait(driver, 20).until(lambda d: d.execute_script(script))


def examined(driver, x, noise, z):
    """What the page's functions say: x (B, D), noise (L, B, Z), z (B, Z)."""
    said = driver.execute_script(EXAMINE, x.tolist(), noise.swapaxes(0, 1).tolist(), z.tolist())
    mu, logvar = np.swapaxes(said["posteriors"], 0, 1)
    reconstruction, kl, bound = np.transpose(said["bounds"])
    return mu, logvar, np.array(said["means"]), reconstruction, kl, bound, said["logWeights"]


def expected(vae, x, noise, z):
    """The same, by the library."""
    trace = npvae.elbo(vae, x, noise)
    ratio = npvae.ratio.log_ratio(trace.z, trace.logvar, noise)
    log_w = (trace.log_px_z - ratio)[0]
    means = vae.likelihood.mean(vae._decoder_output(z))
    return trace.mu, trace.logvar, means, trace.log_px_z.mean(axis=0), trace.kl, trace.bound, log_w


@pytest.mark.parametrize("precision", [8, 16, 32])
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_pages_numbers_are_the_librarys(tmp_path, browser, likelihood, precision):
    activation = sorted(npvae.ACTIVATIONS)[sorted(LIKELIHOODS).index(likelihood)]
    vae = small_model(likelihood, activation)
    x, noise = make_batch(vae, B=10, L=3)
    z = noise[0]
    pages.explore(vae, x, tmp_path / "vae.html", precision=precision)
    open_page(browser, tmp_path / "vae.html")
    same = packing.rounded(vae, packing.pack_layers(vae.params, precision))
    wide = (x.astype(np.float64), noise.astype(np.float64), z.astype(np.float64))
    for page, library in zip(examined(browser, *wide), expected(same, *wide), strict=True):
        np.testing.assert_allclose(page, library, rtol=1e-11, atol=1e-11)
    if precision == 32:  # nothing is lost: it is the model itself
        for page, library in zip(
            examined(browser, *wide), expected(vae, x, noise, z), strict=True
        ):
            np.testing.assert_allclose(page, library, rtol=1e-5, atol=1e-5)


def test_8_bits_are_within_half_a_step_of_every_weight():
    W = np.random.default_rng(0).normal(0, [1e-3, 1, 50], (40, 3)).astype(np.float32)
    off = np.abs(packing.unpack(packing.pack(W, 8)) - W)
    assert (off <= np.abs(W).max(axis=0) / 127 / 2 * (1 + 1e-5)).all()
    assert (packing.unpack(packing.pack(np.zeros((4, 2)), 8)) == 0).all()


def test_a_number_too_large_for_16_bits_is_told():
    with pytest.raises(ValueError, match="a parameter of 1e.05 leaves the range of float16"):
        packing.pack(np.full((2, 2), 1e5), 16)


def test_half_precision_is_read_as_numpy_reads_it(tmp_path, browser):
    pages.explore(small_model("bernoulli"), np.eye(12), tmp_path / "vae.html")
    open_page(browser, tmp_path / "vae.html")
    bits = np.arange(2**16, dtype=np.uint16)
    bits = bits[np.isfinite(bits.view(np.float16))]
    read = browser.execute_script("return arguments[0].map(half)", bits.tolist())
    np.testing.assert_array_equal(read, bits.view(np.float16))


def xoshiro(seed, n):
    """xoshiro128** over a state filled by splitmix32, in Python's integers."""
    mask = 2**32 - 1

    def word(i):
        w = (seed + i * 0x9E3779B9) & mask
        w = ((w ^ w >> 16) * 0x21F0AAAD) & mask
        w = ((w ^ w >> 15) * 0x735A2D97) & mask
        return w ^ w >> 15

    def rotate(w, k):
        return (w << k | w >> 32 - k) & mask

    a, b, c, d = map(word, (1, 2, 3, 4))
    for _ in range(n):
        yield rotate(b * 5 & mask, 7) * 9 & mask
        a, b, c, d = a ^ d ^ b, b ^ c ^ a, c ^ a ^ (b << 9 & mask), rotate(d ^ b, 11)


def test_chance_is_the_named_generator_and_normal(tmp_path, browser):
    pages.explore(small_model("bernoulli"), np.eye(12), tmp_path / "vae.html")
    open_page(browser, tmp_path / "vae.html")
    # The first outputs from the state 1, 2, 3, 4, which the generator's authors' code gives.
    first = "const s = Uint32Array.of(1, 2, 3, 4); return [1, 2, 3, 4].map(() => xoshiro128(s))"
    assert browser.execute_script(first) == [11520, 0, 5927040, 70819200]
    for seed in (0, 12345):
        script = f"const r = npvae.random({seed}); return Array.from({{length: 50}}, r.uniform)"
        uniform = (np.array(list(xoshiro(seed, 50))) + 0.5) / 2**32
        np.testing.assert_array_equal(browser.execute_script(script), uniform)
    normal = np.array(browser.execute_script("return Array.from(npvae.random(1).noise(20000))"))
    u, v = ((np.array(list(xoshiro(1, 40000))) + 0.5) / 2**32).reshape(-1, 2).T
    np.testing.assert_allclose(normal, np.sqrt(-2 * np.log(u)) * np.cos(2 * np.pi * v), atol=1e-12)
    moments = [np.mean(normal**k) for k in (1, 2, 4)]
    errors = np.sqrt(np.array([1, 2, 96]) / len(normal))  # Var of x, x², x⁴
    assert (np.abs(np.array(moments) - [0, 1, 3]) < 4 * errors).all()


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_draws_of_x_have_the_mean_of_the_decoder(tmp_path, browser, likelihood):
    vae = small_model(likelihood)
    x, _ = make_batch(vae)
    pages.explore(vae, x, tmp_path / "vae.html")
    open_page(browser, tmp_path / "vae.html")
    script = """const r = npvae.random(3), z = Float64Array.of(0.3, -1, 0.5), n = 4000;
        const draws = Array.from({length: n}, () => Array.from(npvae.draw(z, r)));
        return [draws, Array.from(npvae.decode(z))];"""
    draws, mean = map(np.array, browser.execute_script(script))
    assert (np.abs(draws.mean(axis=0) - mean) < 4.5 * draws.std(axis=0) / np.sqrt(4000)).all()
    vae.likelihood.check_support("draws", draws)


def test_log_px_is_the_log_of_the_mean_weight(tmp_path, browser):
    pages.explore(small_model("bernoulli"), np.eye(12), tmp_path / "vae.html")
    open_page(browser, tmp_path / "vae.html")
    log_w = np.random.default_rng(0).normal(-90, 2, 200)
    script = "return npvae.estimate(arguments[0].reduce(npvae.addWeight, npvae.noWeights()))"
    said = browser.execute_script(script, log_w.tolist())
    w = np.exp(log_w)
    assert said["logPx"] == pytest.approx(np.log(w.mean()), rel=1e-12)
    assert said["effective"] == pytest.approx(w.sum() ** 2 / (w**2).sum(), rel=1e-12)
    # The relative standard error of the mean weight.
    error = w.std(ddof=1) / w.mean() / np.sqrt(200)
    assert said["error"] == pytest.approx(error, rel=1e-9)


def test_what_the_page_shows_after_all_draws_is_the_bound_of_those(tmp_path, browser):
    vae = small_model("bernoulli")
    x = np.eye(12, dtype=np.float32)
    pages.explore(vae, x, tmp_path / "vae.html", precision=32)
    open_page(browser, tmp_path / "vae.html", "#row=5&seed=7&draws=100")
    said = settled(browser)
    script = "const r = npvae.random(8 * 7); return [1, 2, 3].length && Array.from(r.noise(300))"
    noise = np.array(browser.execute_script(script)).reshape(100, 1, 3)
    trace = npvae.elbo(vae.astype(np.float64), x[5:6].astype(np.float64), noise)
    assert said["K"] == 100
    assert said["bound"] == pytest.approx(trace.bound[0], rel=1e-5)
    log_w = trace.log_px_z - npvae.ratio.log_ratio(trace.z, trace.logvar, noise)
    assert said["logPx"] == pytest.approx(np.log(np.mean(np.exp(log_w))), rel=1e-5)
    error = trace.log_px_z.std(ddof=1) / 10
    assert said["error"] == pytest.approx(error, rel=1e-4)
    text = browser.find_element("id", "bound").text
    assert f"{said['bound']:.2f}".replace("-", "−") in text


def test_the_page_cites_only_tags_that_chapters_have():
    cited = re.findall(r"[a-z]+\.\d+(?=[],])", (FOLDER / "model.js").read_text(encoding="utf-8"))
    assert len(set(cited)) > 25
    assert set(cited) <= audit().tags.keys()
    assert CITATION.pattern  # of the same form as in docstrings
