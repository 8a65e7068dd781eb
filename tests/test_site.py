"""The two-column book: built once, looked at as files and in a browser."""

import re
import subprocess
import sys
import time
from html import unescape
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from browser import chromium
from equations import ROOT, audit, chapters
from npvae import kernels

for package in ("markdown_it", "pygments", "latex2mathml"):
    pytest.importorskip(package)

pytestmark = pytest.mark.skipif(
    kernels.engine == "reference", reason="the book is the same on both engines"
)
BUILD = ROOT / "derivations" / "site" / "build.py"
WORKSHOP = "starters.html", "lab-plan.html"
PAGES = ["index.html", *(f"{path.stem}.html" for path in chapters()), *WORKSHOP]
EQUATION = re.compile(
    r'<div class="equation" id="([^"]+)" data-shows="([^"]+)">(.*?)</div></details>'
)
ARITY = {"mfrac": 2, "msub": 2, "msup": 2, "munder": 2, "mover": 2, "msubsup": 3, "munderover": 3}
RESULTS = """<testsuites><testsuite>
<testcase classname="tests.test_kl" name="test_kl_is_never_negative"/>
<testcase classname="tests.test_kl" name="test_kl_is_zero_at_the_prior_and_nowhere_else[float32]"/>
<testcase classname="tests.test_kl" name="test_kl_is_zero_at_the_prior_and_nowhere_else[float64]">
<failure message="no"/></testcase>
</testsuite></testsuites>"""


def build(*arguments):
    command = [sys.executable, BUILD, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site, built with a few results."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "results.xml").write_text(RESULTS)
    done = build("--out", folder / "out", "--results", folder / "results.xml")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"\d+ pages in \d+\.\d s: open .*index\.html\n", done.stdout)
    return folder / "out"


@pytest.fixture(scope="module")
def text(site):
    """{name: HTML} of all pages."""
    return {p.relative_to(site).as_posix(): p.read_text("utf-8") for p in site.rglob("*.html")}


@pytest.fixture(scope="module")
def formulas(text):
    """Every <math> of the chapters, parsed: (page, element)."""
    return [
        (page, ElementTree.fromstring(math))
        for page in PAGES
        for math in re.findall(r"<math.*?</math>", text[page], re.DOTALL)
    ]


def prose(page):
    return re.sub(r"<(pre|code)\b.*?</\1>", "", page, flags=re.DOTALL)


# As files.


def test_every_chapter_has_a_page(text):
    assert set(PAGES) <= text.keys()


def test_every_link_and_anchor_is_alive(site, text):
    anchors = {page: re.findall(r'\bid="([^"]+)"', html) for page, html in text.items()}
    for page, ids in anchors.items():
        assert len(ids) == len(set(ids)), page
    for page, html in text.items():
        for link in re.findall(r'\b(?:href|src)="([^"]+)"', html):
            if link.startswith(("https://", "http://", "data:")):
                continue
            file, _, anchor = unquote(unescape(link)).partition("#")
            target = (site / page).parent / file if file else site / page
            assert target.exists(), (page, link)
            known = anchors.get(target.resolve().relative_to(site).as_posix(), ())
            assert not anchor or anchor in known, (page, link)


def test_nothing_is_loaded_from_anywhere(site, text):
    loaded = r"<(?:script|link|img|iframe)[^>]*(?:src|href)=\"https?:|url\(|@import"
    for name, content in [*text.items(), ("style.css", (site / "style.css").read_text())]:
        assert not re.search(loaded, content if name == "style.css" else prose(content)), name


@pytest.mark.parametrize("page", PAGES)
def test_no_tex_is_left(text, page):
    assert not re.search(r"\\[a-zA-Z]+|\$", prose(text[page]))


def test_fractions_and_scripts_have_their_parts(formulas):
    assert len(formulas) > 700
    for page, math in formulas:
        for element in math.iter():
            assert len(element) == ARITY.get(element.tag, len(element)), (page, element.tag)
            assert element.tag != "merror"


def test_a_formula_says_what_its_tex_says(text):
    math = {tag: rest for tag, _, rest in EQUATION.findall(text["05-kl.html"])}
    said = re.sub(r"<[^>]*>", "", math["kl.1"].rpartition("</math>")[0])
    assert said == "KL(N(μ,σ2)‖N(0,1))=12(μ2+σ2−1−logσ2)"
    assert '<mi data-symbol="kl">KL</mi>' in math["kl.1"]
    cases = re.search(r'id="activations.8".*?</div>', text["08-activations.html"])[0]
    assert re.findall(r"<mtr>", cases) == ["<mtr>"] * 2
    assert 'class="cases"' in cases
    aligned = re.search(r'id="reparameterization.2".*?</div>', text["06-reparameterization.html"])
    assert 'class="aligned"' in aligned[0]


def test_every_tag_has_an_anchor_functions_and_tests(text):
    seen = {}
    for page in PAGES:
        for tag, shows, rest in EQUATION.findall(text[page]):
            seen[tag] = page
            links = {
                unquote(link).partition("#")[2] for link in re.findall(r'href="([^"]+)"', rest)
            }
            cited = {place.name for place in audit().citations[tag]}
            marked = {place.name for place in audit().marks[tag]}
            assert cited == {shown.rpartition(".")[2] for shown in shows.split()}, tag
            assert set(shows.split()) <= links, tag
            assert marked == {name.rpartition(".")[2] for name in links if "tests." in name}, tag
            assert all(f'id="{shown}"' in text[page] for shown in shows.split()), tag
    assert seen.keys() == audit().tags.keys()


def test_results_stand_beside_the_tests(text):
    menu = re.search(r'id="kl.2".*?</details>', text["05-kl.html"], re.DOTALL)[0]
    menu = menu.replace("<wbr>", "")
    results = dict(re.findall(r"<code>(test_\w+)</code></a> <span class=\"\w+\">([^<]*)<", menu))
    assert results == {
        "test_kl_is_never_negative": "passed",
        "test_rounding_takes_no_kl_below_zero": "not run",
        "test_kl_is_zero_at_the_prior_and_nowhere_else": "1 of 2 failed",
    }
    assert '<summary class="failed">(kl.2)' in menu


def test_docstrings_and_marks_lead_back_to_the_equation(text):
    assert '[<a href="#kl.3">kl.3</a>]' in text["05-kl.html"]
    assert '[<a href="../05-kl.html#kl.3">kl.3</a>]' in text["code/npvae.kl.html"]
    assert '<a href="../05-kl.html#kl.3">kl.3</a>' in text["code/tests.test_kl.html"]


def test_each_answer_has_the_test_that_checks_it_folded_away(text):
    for path in chapters():
        page = text[f"{path.stem}.html"]
        exercises = page.partition('<h2 id="exercises">')[2]
        answers = exercises.count("<summary>Answer</summary>")
        assert exercises.count('<details class="check">') >= answers, path.name
        checked = re.findall(r"Checked by <code>(.*?)</code>", exercises)
        assert not any("." in name for name in checked), path.name  # a function inside a test
    page = text["05-kl.html"].replace("<wbr>", "")
    exercises = page.partition("<strong>1. One nat.</strong>")[2]
    answer = exercises.partition("<strong>2.")[0]
    assert re.search(
        r"<summary>Answer<.*Checked by <code>test_1_two_widths_cost_one_nat</code>.*brentq",
        answer,
        re.S,
    )


def test_a_wrong_file_of_results_is_told(tmp_path):
    (tmp_path / "bad.xml").write_text("nonsense")
    for name, complaint in (("bad.xml", "not XML"), ("none.xml", "No such file")):
        done = build("--out", tmp_path / "out", "--results", tmp_path / name)
        assert done.returncode == 1
        assert f"{name}: {complaint}" in done.stderr
        assert "Traceback" not in done.stderr


# In a browser.


def wait(driver, script, *arguments):
    """Until the script returns something true; what it was."""
    end = time.monotonic() + 20  # a busy machine is not a failure
    while time.monotonic() < end:
        value = driver.execute_script(script, *arguments)
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(script)


@pytest.fixture(scope="module")
def wide(site):
    with chromium(1280, 900) as driver:
        yield driver


@pytest.mark.parametrize(
    ("page", "tag", "function"),
    [
        ("05-kl.html", "kl.5", "npvae.kl.gaussian_kl_backward"),
        ("05-kl.html", "kl.1", "npvae.kl.gaussian_kl_per_dim"),
        ("19-gan.html", "gan.26", None),
    ],
)
def test_the_column_follows_the_equation_in_view(site, wide, page, tag, function):
    wide.get((site / page).as_uri())
    equation = f"document.getElementById('{tag}')"
    shows = wide.execute_script(f"return {equation}.dataset.shows").split()
    assert function in (*shows, None)
    wide.execute_script(f"{equation}.scrollIntoView(); scrollBy(0, -60)")
    wait(wide, f"return {equation}.classList.contains('lit')")
    assert wide.execute_script(
        "return [...document.querySelectorAll('.def.lit')].map(e => e.id)"
    ) == sorted(shows, key=shows.index)
    in_view = """
        const column = document.getElementById("code").getBoundingClientRect();
        const top = document.getElementById(arguments[0]).getBoundingClientRect().top;
        return column.top <= top && top < column.bottom;"""
    wait(wide, in_view, shows[0])


def test_a_symbol_is_lit_in_both_columns(site, wide):
    wide.get((site / "05-kl.html").as_uri())
    wide.execute_script(
        "document.querySelector('#kl\\\\.1 [data-symbol=logvar]').dispatchEvent("
        "new MouseEvent('click', {bubbles: true}))"
    )
    lit = "return [...document.querySelectorAll('{} .lit[data-symbol]')].map(e => e.textContent)"
    assert {"σ", "logvar"} <= set(wide.execute_script(lit.format("main")))
    assert {"σ", "logvar"} == set(wide.execute_script(lit.format("#code")))
    assert "lit in" in wide.execute_script("return document.getElementById('said').textContent")
    wide.execute_script("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape'}))")
    assert not wide.execute_script(lit.format("body"))


def test_the_search_finds(site, wide):
    wide.get((site / "05-kl.html").as_uri())
    field = wide.find_element("css selector", "input[type=search]")
    field.send_keys("second jensen")
    wait(wide, "return document.querySelector('#found a[href*=\"04-elbo.html#the-second-proof\"]')")
    field.clear()
    field.send_keys("gaussian_kl_backward")
    wait(wide, "return document.querySelector('#found a')?.href.includes('gaussian_kl_backward')")


def test_the_scheme_is_kept_from_page_to_page(site, wide):
    wide.get((site / "05-kl.html").as_uri())
    paper = "return getComputedStyle(document.body).backgroundColor"
    light = wide.execute_script(paper)
    wide.find_element("id", "scheme").click()
    assert wide.execute_script(paper) != light
    wide.get((site / "06-reparameterization.html").as_uri())
    assert wide.execute_script(paper) != light
    wide.find_element("id", "scheme").click()
    assert wide.execute_script(paper) == light


def test_without_script_columns_and_anchors_work(site, wide):
    wide.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        wide.get((site / "05-kl.html").as_uri() + "#npvae.kl.gaussian_kl_backward")
        function = wide.find_element("id", "npvae.kl.gaussian_kl_backward")
        assert 48 <= function.location["y"] < 900
        assert wide.find_element("css selector", "h1").location["y"] > 0
    finally:
        wide.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_no_page_is_wider_than_a_telephone(site):
    cut_off = """
        document.querySelectorAll("main details").forEach((folded) => { folded.open = true; });
        const right = (element) => element.getBoundingClientRect().right;
        const cells = [...document.querySelectorAll("mtd")];
        return cells.filter((cell) => [...cell.children].some((e) => right(e) > right(cell) + 1))
            .map((cell) => cell.textContent);"""
    with chromium(360, 740) as driver:
        for page in [*PAGES, "code/npvae.kl.html", "code/index.html"]:
            driver.get((site / page).as_uri())
            assert driver.execute_script(cut_off) == [], page
            assert driver.execute_script("return document.documentElement.scrollWidth") <= 360, page


@pytest.mark.parametrize("page", ["05-kl.html", "15-exact.html"])
def test_formulas_break_where_they_are_wider_than_their_column(site, wide, page):
    count = """
        const boxes = [...document.querySelectorAll("main .formula")];
        return boxes.filter((box) => box.scrollWidth > box.clientWidth + 1).length;"""
    wide.get((site / page).as_uri())
    assert wide.execute_script(count) == 0
