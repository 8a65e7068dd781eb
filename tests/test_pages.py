"""The page about one's own model: what it holds, and that its numbers are the library's."""

import contextlib
import json
import re

import numpy as np
import pytest

import npvae
from browser import chromium
from equations import ROOT, audit
from models import LIKELIHOODS, make_batch, make_vae
from npvae import kernels, pages
from npvae.__main__ import main
from npvae.pages import packing

pytestmark = pytest.mark.skipif(
    kernels.engine == "reference", reason="what it looks at is the same on both engines"
)
FOLDER = ROOT / "npvae" / "pages"
EXAMINE = """
const [rows, noise, zs] = Array.from(arguments).map((a) => a.map((r) => Array.isArray(r[0])
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


@pytest.fixture(scope="module")
def image_page(tmp_path_factory):
    """Of a model of 6 × 6 images, with a unit that is dead."""
    vae = make_vae(D=36, Z=4, hidden=(8,), dtype=np.float32)
    vae.params.encoder[-1].W[:, 2] = 0
    path = tmp_path_factory.mktemp("page") / "vae.html"
    x = np.random.default_rng(0).integers(0, 2, (60, 36)).astype(np.uint8) * 255
    pages.explore(vae, x, path, shape=(6, 6), source="<b>images</b>")
    return path


@pytest.fixture
def opened(browser, image_page):
    """A browser with that page, for tests that read no state of it."""
    if not browser.current_url.startswith(image_page.as_uri()):
        open_page(browser, image_page)
    return browser


def settled(driver):
    """The numbers of the page once all draws of z have come."""
    script = "return frame === 0 && waiting.size === 0 && npvae.numbers()"
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


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_pages_numbers_are_the_librarys(tmp_path, browser, likelihood):
    activation = sorted(npvae.ACTIVATIONS)[sorted(LIKELIHOODS).index(likelihood)]
    vae = small_model(likelihood, activation)
    x, noise = make_batch(vae, B=10, L=3)
    given = x, noise, noise[0]
    pages.explore(vae, x, tmp_path / "vae.html", precision=32)
    open_page(browser, tmp_path / "vae.html")
    for page, library in zip(examined(browser, *given), expected(vae, *given), strict=True):
        np.testing.assert_allclose(page, library, rtol=1e-5, atol=1e-5)
    script = """const r = npvae.random(3), z = Float64Array.of(0.3, -1, 0.5), n = 2000;
        const draws = Array.from({length: n}, () => Array.from(npvae.draw(z, r)));
        return [draws, Array.from(npvae.decode(z))];"""
    draws, mean = map(np.array, browser.execute_script(script))
    error = draws.std(axis=0) / np.sqrt(2000) + 1 / 2000  # the last for a pixel that is never 0
    assert (np.abs(draws.mean(axis=0) - mean) < 4 * error).all()
    vae.likelihood.check_support("draws", draws)


@pytest.mark.parametrize("precision", [8, 16])
@pytest.mark.parametrize("likelihood", ["bernoulli", "heteroscedastic"])
def test_with_few_bits_its_numbers_are_those_of_the_rounded_model(
    tmp_path, browser, likelihood, precision
):
    vae = small_model(likelihood)
    x, noise = (array.astype(np.float64) for array in make_batch(vae, B=10, L=3))
    given = x, noise, noise[0]
    said = pages.explore(vae, x, tmp_path / "vae.html", precision=precision)
    open_page(browser, tmp_path / "vae.html")
    same = packing.rounded(vae, packing.pack_layers(vae.params, precision))
    for page, library in zip(examined(browser, *given), expected(same, *given), strict=True):
        np.testing.assert_allclose(page, library, rtol=1e-11, atol=1e-11)
    # And how far that is from the model itself is what `explore` returned, at z = mu.
    still = np.zeros((1, 10, 3))
    shown = np.float32(x).astype(np.float64)
    off = npvae.elbo(same, shown, still).bound - npvae.elbo(vae.astype(float), shown, still).bound
    assert said == pytest.approx(np.abs(off).max(), rel=1e-9)
    assert 0 < said < {8: 0.3, 16: 0.01}[precision]


def test_8_bits_are_within_half_a_step_of_every_weight():
    W = np.random.default_rng(0).normal(0, [1e-3, 1, 50], (40, 3)).astype(np.float32)
    off = np.abs(packing.unpack(packing.pack(W, 8)) - W)
    assert (off <= np.abs(W).max(axis=0) / 127 / 2 * (1 + 1e-5)).all()
    assert (packing.unpack(packing.pack(np.zeros((4, 2)), 8)) == 0).all()


def test_a_number_too_large_for_16_bits_is_told():
    with pytest.raises(ValueError, match=r"a parameter of 1e\+05 leaves the range of float16"):
        packing.pack(np.full((2, 2), 1e5), 16)


def test_half_precision_is_read_as_numpy_reads_it(opened):
    bits = np.arange(2**16, dtype=np.uint16)
    bits = bits[np.isfinite(bits.view(np.float16))][::37]  # of every exponent and sign
    read = opened.execute_script("return arguments[0].map(half)", bits.tolist())
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


def test_chance_is_the_named_generator_and_normal(opened):
    # The first outputs from the state 1, 2, 3, 4, which the generator's authors' code gives.
    first = "const s = Uint32Array.of(1, 2, 3, 4); return [1, 2, 3, 4].map(() => xoshiro128(s))"
    assert opened.execute_script(first) == [11520, 0, 5927040, 70819200]
    for seed in (0, 12345):
        script = f"const r = npvae.random({seed}); return Array.from({{length: 50}}, r.uniform)"
        uniform = (np.array(list(xoshiro(seed, 50))) + 0.5) / 2**32
        np.testing.assert_array_equal(opened.execute_script(script), uniform)
    normal = np.array(opened.execute_script("return Array.from(npvae.random(1).noise(20000))"))
    u, v = ((np.array(list(xoshiro(1, 40000))) + 0.5) / 2**32).reshape(-1, 2).T
    np.testing.assert_allclose(normal, np.sqrt(-2 * np.log(u)) * np.cos(2 * np.pi * v), atol=1e-12)
    moments = [np.mean(normal**k) for k in (1, 2, 4)]
    errors = np.sqrt(np.array([1, 2, 96]) / len(normal))  # Var of x, x², x⁴
    assert (np.abs(np.array(moments) - [0, 1, 3]) < 4 * errors).all()


def test_log_px_is_the_log_of_the_mean_weight(opened):
    log_w = np.random.default_rng(0).normal(-90, 2, 200)
    script = "return npvae.estimate(arguments[0].reduce(npvae.addWeight, npvae.noWeights()))"
    said = opened.execute_script(script, log_w.tolist())
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
    script = "return Array.from(npvae.random(8 * 7).noise(300))"
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
    text = "".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("*.js"))
    cited = set(re.findall(r"[a-z]+\.\d+(?=\]|, [a-z]+\.\d)", text))
    assert len(cited) > 25
    assert cited <= audit().tags.keys()


# What a person does with the page


@contextlib.contextmanager
def window(driver, width, dark):
    """The browser with a window of that width, in that colour scheme."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    try:
        yield driver
    finally:
        if (width, dark) != (1280, False):
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size | {"width": 1280})
            driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def press(driver, css):
    from selenium.webdriver.common.by import By

    driver.find_element(By.CSS_SELECTOR, css).click()


def text_of(driver, css):
    return driver.execute_script(f"return document.querySelector('{css}').textContent")


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (360, True)])
def test_it_is_usable(image_page, browser, width, dark):
    from selenium.webdriver.common.keys import Keys

    with window(browser, width, dark) as driver:
        open_page(driver, image_page)
        before = settled(driver)
        page = driver.find_element("tag name", "html")
        assert int(page.get_property("scrollWidth")) <= width
        kl = np.array(content(image_page)["kl"])
        shown = [
            int(unit.get_attribute("aria-label")[2])
            for unit in driver.find_elements("css selector", "#units input")
        ]
        assert shown == np.argsort(-kl).tolist()
        # Another row, by the keyboard.
        driver.execute_script("document.querySelector('#rows input').focus()")
        driver.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
        assert settled(driver)["bound"] != before["bound"]
        assert text_of(driver, ".x-name") == "row 1"
        # A unit, the most important of them, by its slider.
        slider = driver.find_element("css selector", "#units input")
        unit = slider.get_attribute("aria-label")
        slider.send_keys(Keys.HOME)
        settled(driver)
        assert text_of(driver, ".z-name") == "at the sliders’ z"
        assert text_of(driver, "#units .value") == "−4.00"
        assert text_of(driver, "#units .dead span") == "dead z[2]"
        # The plane, by its keys: its horizontal unit is that one.
        plane = driver.find_element("id", "plane")
        plane.send_keys(Keys.SHIFT, Keys.ARROW_RIGHT)
        settled(driver)
        assert f"{unit} = −3.50" in plane.get_attribute("aria-label")
        for button in ("[data-z=q]", "[data-z=prior]", "[data-z=zero]", "#take", "#again"):
            press(driver, button)
        press(driver, "[data-z=mu]")
        settled(driver)
        assert text_of(driver, ".z-name") == "at z = mu"
        assert "<b>images</b>" in text_of(driver, "#rows-title")
        assert nameless(driver) == []


CONTROLS = "button", "slider", "combobox", "checkbox", "radio", "spinbutton", "application", "img"


def nameless(driver):
    """The controls and pictures that a screen reader has no name for."""
    tree = driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    seen = [node for node in tree if not node["ignored"] and node["role"]["value"] in CONTROLS]
    assert len(seen) > 60
    return [node for node in seen if not node.get("name", {}).get("value")]


def test_one_draws_and_a_link_gives_the_same_page(image_page, browser):
    from selenium.webdriver.common.action_chains import ActionChains

    open_page(browser, image_page)
    press(browser, "#blank")
    pad = browser.find_element("id", "x")
    stroke = ActionChains(browser).move_to_element_with_offset(pad, -40, -40).click_and_hold()
    stroke.move_by_offset(60, 70).release().perform()
    press(browser, "#fit")
    press(browser, "[data-z=q]")
    settled(browser)
    assert text_of(browser, ".x-name") == "drawn"
    assert 0 < browser.execute_script("return Math.max(...npvae.state.drawn)") <= 255
    browser.execute_script("clearTimeout(keeping); history.replaceState(0, '', '#' + address())")
    link, here = browser.current_url, browser.execute_script(WHOLE)
    browser.get("about:blank")
    browser.get(link)
    settled(browser)
    assert browser.execute_script(WHOLE) == here


WHOLE = """return [JSON.stringify(npvae.state), JSON.stringify(npvae.numbers()),
  document.querySelector('#mean').toDataURL(), document.querySelector('#x').toDataURL()]"""


def test_a_damaged_link_opens_the_page_as_it_is(image_page, browser):
    open_page(browser, image_page, "#row=1e9&z=1 2&seed=-1&draws=7&plane=0 9&morph=a b c")
    before = settled(browser)
    for fragment in ("drawn=~~~&samples=x y", "%%%", "z=NaN", "morph=0 60 0.5&z="):
        browser.execute_script(f"location.hash = '{fragment}'")
        assert settled(browser) == before
        assert text_of(browser, ".x-name") == "row 0"
        assert text_of(browser, ".z-name") == "at z = mu"


def test_a_drawing_is_fitted_to_the_box_and_its_mass_to_the_middle(opened):
    image = np.zeros((28, 28), np.uint8)
    image[2:6, 3:10] = 200  # 4 rows and 7 columns of ink
    image[2:4, 3:6] = 100
    script = "return Array.from(fit({rows: 28, columns: 28}, Uint8Array.from(arguments[0])))"
    fitted = np.reshape(opened.execute_script(script, image.ravel().tolist()), (28, 28))
    rows, columns = np.nonzero(fitted > 90)
    assert np.ptp(columns) + 1 == pytest.approx(20, abs=1)
    assert np.ptp(rows) + 1 == pytest.approx(20 * 4 / 7, abs=1)
    for axis in (0, 1):
        mass = fitted.sum(axis=1 - axis)
        assert mass @ np.arange(28) / mass.sum() == pytest.approx(13.5, abs=0.1)


def test_a_table_has_its_names_and_numbers(tmp_path, browser):
    vae = make_vae(LIKELIHOODS["learned gaussian"], D=4, dtype=np.float32)
    x = np.random.default_rng(0).normal(3, 2, (20, 4)).astype(np.float32)
    names = ["age", "<script>alert(1)</script>", "height & width", "Größe"]
    pages.explore(vae, x, tmp_path / "vae.html", names=names)
    open_page(browser, tmp_path / "vae.html", "#row=19")
    settled(browser)
    cells = (
        "return Array.from(document.querySelectorAll('tbody tr'), r => r.innerText.split('\\t'))"
    )
    said = browser.execute_script(cells)
    assert [row[0] for row in said] == names
    shown = [float(row[1].replace("−", "-")) for row in said]
    np.testing.assert_allclose(shown, x[19], rtol=1e-3)
    shown = [float(row[2].replace("−", "-")) for row in said]
    np.testing.assert_allclose(shown, vae.reconstruct(x[19:])[0], rtol=0.05, atol=0.05)


def test_colours_are_painted(tmp_path, browser):
    vae = make_vae(LIKELIHOODS["gaussian"], D=12, dtype=np.float32)
    x = np.random.default_rng(0).random((3, 12), np.float32)
    pages.explore(vae, x, tmp_path / "vae.html", shape=(2, 2, 3))
    open_page(browser, tmp_path / "vae.html", "#row=2")
    settled(browser)
    script = """const c = document.querySelector('#x').getContext('2d');
        return Array.from(c.getImageData(0, 0, 2, 2).data)"""
    pixels = np.reshape(browser.execute_script(script), (4, 4))
    np.testing.assert_array_equal(pixels[:, :3], np.rint(255 * x[2]).reshape(4, 3))
    assert (pixels[:, 3] == 255).all()


# Files, sizes, errors


def test_the_usual_model_of_mnist_fits_in_a_megabyte_and_a_half(tmp_path):
    rng = np.random.default_rng(0)
    vae = npvae.VAE.init(784, hidden=(500,), likelihood=npvae.Bernoulli(), rng=rng)
    pages.explore(vae, rng.random((60, 784), np.float32), tmp_path / "vae.html")
    assert (tmp_path / "vae.html").stat().st_size < 1.5e6


def test_nothing_is_loaded_from_anywhere(image_page):
    text = image_page.read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert not re.search(r"https?:|src=|<link|@import|url\(", text)


@pytest.fixture
def model(tmp_path):
    vae = make_vae(D=16, dtype=np.float32)
    vae.save(tmp_path / "vae.npz")
    np.save(tmp_path / "x.npy", np.eye(16))
    return tmp_path / "vae.npz"


def test_the_command_writes_beside_the_model(model, capsys):
    assert main(["explore", str(model)]) == 0
    said = capsys.readouterr().out
    assert "vae.html, 0.0" in said
    assert "8 bits a weight change the bound of a row by up to 0." in said
    said = content(model.with_suffix(".html"))
    assert said["shape"] == [4, 4]
    assert said["source"] == "draws of x from the model itself"


def test_a_tables_names_come_along(tmp_path, capsys):
    vae = make_vae(LIKELIHOODS["learned gaussian"], D=3, dtype=np.float32)
    vae.save(tmp_path / "vae.npz")
    (tmp_path / "x.csv").write_text("kind,age,height,weight\na,1,2,3\nb,4,5.5,6\n")
    line = ["explore", str(tmp_path / "vae.npz"), "--data", str(tmp_path / "x.csv")]
    assert main(line) == 2
    assert "column 'kind' holds the text 'a'" in capsys.readouterr().err
    assert main([*line, "--drop", "kind"]) == 0
    assert content(tmp_path / "vae.html")["names"] == ["age", "height", "weight"]


def test_a_likelihood_of_tables_is_refused():
    vae = make_vae(npvae.Standardized(npvae.ColumnGaussian(), (0, 0), (1, 1)), D=2)
    with pytest.raises(ValueError, match=r"a page knows Bernoulli, .* that the encoder reads as"):
        pages.explore(vae, np.eye(2), "vae.html")


@pytest.mark.parametrize("kind", ["npy", "npz", "idx", "images"])
def test_it_reads_data_of_every_form(model, kind):
    x = np.eye(16, dtype=np.uint8) * 255
    data = model.parent / "data"
    with open(data, "wb") as file:
        if kind == "npz":
            np.savez(file, x=x, labels=np.arange(16))
        elif kind == "idx":
            file.write(bytes([0, 0, 8, 2, 0, 0, 0, 16, 0, 0, 0, 16]) + x.tobytes())
        else:
            np.save(file, x if kind == "npy" else x.reshape(16, 2, 8))
    assert main(["explore", str(model), "--data", str(data)]) == 0
    said = content(model.with_suffix(".html"))
    assert (said["source"], said["unit"]) == ("data", 255)
    assert said["shape"] == ([2, 8] if kind == "images" else [4, 4])


def wrong(folder):
    """Arguments of the command, and what it should say."""
    save = {
        "narrow": np.eye(15),
        "grey": np.eye(16) * 2,
        "nan": np.full((3, 16), np.nan),
        "one": np.eye(16)[:1],
        "text": np.array([["a"] * 16] * 3),
        "pickle": np.array([{}]),
    }
    for name, array in save.items():
        np.save(folder / f"{name}.npy", array)
    np.savez(folder / "two.npz", a=np.eye(2), b=np.eye(2))
    (folder / "no.npz").write_bytes(b"PK nothing")
    (folder / "names.txt").write_text("a\nb\n", encoding="utf-8")
    (folder / "latin.txt").write_bytes(b"\xe4\n" * 16)
    gaussian = make_vae(LIKELIHOODS["gaussian"], D=16)
    gaussian.save(folder / "gaussian.npz")
    np.save(folder / "bytes.npy", np.eye(16, dtype=np.uint8))
    yield "missing.npz", "there is no file"
    yield "x.npy", "not an npz file"
    yield "two.npz", "no npvae header"
    yield "vae.npz --data missing.npy", "No such file or directory"
    yield "vae.npz --data no.npz", "no.npz holds no array to read"
    yield "vae.npz --data two.npz", "it has the arrays a, b; expected one, or one named x"
    yield "vae.npz --data vae.npz", "it is a model, as VAE.save writes it; expected data"
    yield "vae.npz --data pickle.npy", "pickle.npy holds no array to read"
    yield "vae.npz --data names.txt", "names.txt, line 2: column 'a' holds the text 'b'"
    yield "vae.npz --data latin.txt", "latin.txt is no UTF-8 text"
    yield "vae.npz --data narrow.npy", "shape (15, 15); expected (N, D) with D = 16"
    yield "vae.npz --data grey.npy", "x spans [0, 2]; the likelihood expects values in [0, 1]"
    yield "vae.npz --data nan.npy", "nan.npy has holes, such as in column 0"
    yield "vae.npz --data one.npy", "x has shape (1, 16); the page needs (N, D) with N >= 2"
    yield "vae.npz --data text.npy", "text.npy holds <U1 entries; expected real numbers"
    yield "vae.npz --label 3", "--drop, --label and --divide say how --data is read; there is none"
    yield "vae.npz --shape 4 5", "shape is (4, 5), which has 20 numbers; the model has D = 16"
    yield "vae.npz --shape 2 2 4", "expected (rows, columns) of an image, (rows, columns, 3)"
    yield "vae.npz --shape -4 -4", "a side of shape is -4; expected an integer >= 1"
    yield "vae.npz --names names.txt", "names has 2 names; expected D = 16"
    yield "vae.npz --names latin.txt", "latin.txt is no UTF-8 text"
    yield "vae.npz --out vae.npz", "expected a name that ends in .html"
    yield "vae.npz --out nowhere/x.html", "there is no folder"
    yield "gaussian.npz --data bytes.npy", "expected --divide 255 if the model learned from x / 255"


def test_what_is_wrong_is_said_in_a_line(model, capsys, monkeypatch):
    monkeypatch.chdir(model.parent)
    for line, message in wrong(model.parent):
        assert main(["explore", *line.split()]) == 2, line
        said = capsys.readouterr()
        assert message in said.err, line
        assert said.err.count("\n") == 1, line
        assert said.out == ""
    assert not list(model.parent.glob("*.html"))


def test_a_model_too_large_is_told_its_size(tmp_path):
    rng = np.random.default_rng(0)
    vae = npvae.VAE.init(3000, hidden=(3000,), likelihood=npvae.Bernoulli(), rng=rng)
    message = "would have 97 MB; expected at most 64 MB: take precision=8, or a smaller model"
    with pytest.raises(ValueError, match=message):
        pages.explore(vae, np.zeros((2, 3000)), tmp_path / "vae.html", precision=32)


def test_a_likelihood_of_ones_own_is_refused(tmp_path):
    class Mine(npvae.Bernoulli):
        pass

    with pytest.raises(ValueError, match=r"likelihood is .*Mine.*; a page knows Bernoulli, "):
        pages.explore(make_vae(Mine(), D=12), np.eye(12), tmp_path / "vae.html")


@pytest.mark.parametrize(
    "likelihood",
    [
        npvae.ColumnGaussian(),
        npvae.Poisson(),
        npvae.Categorical(3, whole=True),
        npvae.Standardized(npvae.StudentT(), (0,) * 4, (1,) * 4),
        npvae.Holes(npvae.Product([(range(4), npvae.NegativeBinomial())])),
    ],
    ids=lambda likelihood: type(likelihood).__name__,
)
def test_likelihoods_of_tables_are_refused(tmp_path, likelihood):
    vae, x = make_vae(likelihood, dtype=np.float32), np.ones((3, 4))
    with pytest.raises(ValueError, match=r"a page knows Bernoulli, .*reads as they are"):
        pages.explore(vae, x, tmp_path / "vae.html")
    assert not (tmp_path / "vae.html").exists()


def test_an_unknown_command_is_told_what_there_is(capsys):
    assert main(["explor"]) == 2
    assert "there is no command 'explor'" in capsys.readouterr().err
    assert main([]) == 2
    assert main(["--help"]) == 0
    assert re.search("explore +write one HTML page", capsys.readouterr().out)
