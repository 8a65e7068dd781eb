"""The chapters: no equation without code, no code without its equation, none untested."""

import contextlib
import doctest
import inspect
import io
import re
import shutil
import subprocess
import sys
import warnings
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.image import imread, imsave

import npvae
from equations import ROOT, audit, chapters, uncited_functions
from npvae import kernels

once = pytest.mark.skipif(
    kernels.engine == "reference", reason="what it looks at is the same on both engines"
)
WORKSHOP = sorted((ROOT / "derivations" / "workshop").glob("*.md"))
PAGES = [ROOT / "README.md", *chapters(), *WORKSHOP]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DOCSTRING = re.compile(r'^ +""".*?"""\n', re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
# GitHub's renderer refuses these.
REFUSED = re.compile(
    r"\\(operatorname|newcommand|renewcommand|def|require|href|class|style|unicode)\b"
)


def name(page):
    return page.name


def prose(page):
    return FENCED.sub("", page.read_text(encoding="utf-8"))


def test_tags_citations_and_marks_agree():
    assert list(audit().complaints()) == []


def test_there_are_at_least_fifty_equations():
    assert len(audit().tags) >= 50


def test_every_public_function_of_the_maths_states_its_equation():
    assert uncited_functions() == []


def test_tags_of_a_topic_are_numbered_without_a_gap():
    topics = {}
    for tag in audit().tags:
        topic, number = tag.split(".")
        topics.setdefault(topic, []).append(int(number))
    for topic, numbers in topics.items():
        assert sorted(numbers) == list(range(1, len(numbers) + 1)), topic


@pytest.fixture
def copy(tmp_path):
    """A copy of what the audit reads, to be damaged."""
    for folder in ("derivations", "npvae", "tests"):
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "*.png")
        )
    return tmp_path


def three_tags():
    tags = sorted(audit().tags)
    return [tags[0], tags[len(tags) // 2], tags[-1]]


def remove(root, places, pattern, replacement=""):
    """Take the pattern out of every file in places."""
    for file in {place.file for place in places}:
        text = (root / file).read_text(encoding="utf-8")
        changed = re.sub(pattern, replacement, text)
        assert changed != text
        (root / file).write_text(changed, encoding="utf-8")


@once
@pytest.mark.parametrize("tag", three_tags())
def test_a_tag_removed_is_missed(copy, tag):
    places = audit().tags[tag]
    remove(copy, places, rf"\\tag\{{{re.escape(tag)}\}}")
    citation, mark = audit().citations[tag][0], audit().marks[tag][0]
    assert list(audit(copy).complaints()) == [
        f"[{tag}], cited by {citation}: no chapter has that tag",
        f"[{tag}], marked on {mark}: no chapter has that tag",
    ]


@once
@pytest.mark.parametrize("tag", three_tags())
def test_a_citation_removed_is_missed(copy, tag):
    remove(copy, audit().citations[tag], rf"\[{re.escape(tag)}\]")
    assert list(audit(copy).complaints()) == [
        f"[{tag}] of {audit().tags[tag][0]}: no docstring cites it"
    ]


@once
@pytest.mark.parametrize("tag", three_tags())
def test_a_mark_removed_is_missed(copy, tag):
    remove(copy, audit().marks[tag], rf'"{re.escape(tag)}"(, )?')
    assert list(audit(copy).complaints()) == [
        f"[{tag}] of {audit().tags[tag][0]}: no test is marked with it"
    ]


@once
def test_a_tag_given_twice_is_told(copy):
    tag = three_tags()[0]
    (place,) = audit().tags[tag]
    with open(copy / place.file, "a", encoding="utf-8") as file:
        file.write(f"\n$$\nx \\tag{{{tag}}}\n$$\n")
    (complaint,) = audit(copy).complaints()
    assert complaint.startswith(f"[{tag}] is tagged twice: {place}, {place.file}:")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    for link in LINK.findall(prose(page)):
        if link.startswith(("https://", "http://")):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            headings = HEADING.findall(prose(target))
            anchors = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
            assert anchor in anchors, link


OPTIONAL = "07b-other-likelihoods.md", "07c-tables.md"  # their neighbours lead past them


def test_each_chapter_leads_to_its_neighbours_and_to_the_map():
    book = [page.name for page in chapters() if page.name not in ("notation.md", *OPTIONAL)]
    feet = {
        page: (before, "notation.md#the-map", after)
        for before, page, after in zip(
            ["../README.md", *book], book, [*book[1:], None], strict=False
        )
    }
    before, map_, after = feet["07-likelihoods.md"]
    others, tables = OPTIONAL
    feet["07-likelihoods.md"] = before, map_, others, after
    feet[others] = "07-likelihoods.md", map_, tables, after
    feet[tables] = others, map_, after
    for page, links in feet.items():
        text = (ROOT / "derivations" / page).read_text(encoding="utf-8")
        foot = LINK.findall(text.rstrip().rpartition("\n\n")[2])
        assert foot == [link for link in links if link], page


def test_the_map_and_the_readme_list_every_chapter():
    for page, folder in ((ROOT / "derivations" / "notation.md", ""), (PAGES[0], "derivations/")):
        links = LINK.findall(prose(page))
        for chapter in chapters():
            if chapter.name != page.name:
                assert folder + chapter.name in links, (page.name, chapter.name)


def test_the_data_flow_is_drawn_once_and_copied():
    """In the appendix, in the README and in the package's docstring."""
    notation = (ROOT / "derivations" / "notation.md").read_text(encoding="utf-8")
    flow = next(block for _, block in FENCED.findall(notation) if "encoder" in block)
    assert flow in PAGES[0].read_text(encoding="utf-8")
    assert flow.strip() in inspect.cleandoc(npvae.__doc__)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_the_mathematics_is_what_github_renders(page):
    text = prose(page)
    assert not REFUSED.search(text)
    assert text.count("$$") % 2 == 0
    for display in re.findall(r"\$\$(.*?)\$\$", text, re.DOTALL):
        assert display.startswith("\n"), display
        assert display.endswith("\n"), display
        assert display.count("{") == display.count("}"), display


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_word_stands_twice(page):
    text = re.sub(r"\$[^$]*\$", "", prose(page).replace("$$", "$"))
    lines = re.sub(HEADING, "", text)
    assert not re.search(r"\b([A-Za-z]{2,})\s+\1\b", lines)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_line_of_a_paragraph_becomes_a_list(page):
    lines = re.sub(r"\$\$.*?\$\$", "", prose(page), flags=re.DOTALL).splitlines()
    begun = re.compile(r"(1\.|[-*+]) ")  # what may interrupt a paragraph
    within = re.compile(r"\s|(\d+\.|[-*+]) |$")  # a list's item, or an empty line
    pairs = pairwise(lines)
    assert [now for before, now in pairs if begun.match(now) and not within.match(before)] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_examples_print_what_they_say(page):
    """Every >>> block of a page, in one namespace."""
    text = page.read_text(encoding="utf-8")
    examples = [
        example
        for block in FENCED.finditer(text)
        if block[1] in ("python", "pycon") and ">>>" in block[2]
        for example in _parsed(block, text)
    ]
    if not examples:
        pytest.skip("no examples on this page")
    test = doctest.DocTest(examples, {}, page.name, str(page), 0, text)
    printed = []
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    doctest.DocTestRunner(optionflags=flags).run(test, out=printed.append)
    assert not printed, "".join(printed)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_quoted_code_is_the_codes(page):
    """A block of Python that begins with a file's name stands there, docstrings left out."""
    for language, block in FENCED.findall(page.read_text(encoding="utf-8")):
        first, _, quoted = block.partition("\n")
        if language == "python" and first.startswith(("# npvae/", "# derivations/")):
            source = DOCSTRING.sub("", (ROOT / first[2:]).read_text(encoding="utf-8"))
            assert without_space(quoted) in without_space(source), first


def without_space(code):
    return "".join(code.split()).replace(",)", ")")


def test_readmes_code_runs_as_it_would_if_pasted(tmp_path, monkeypatch):
    """Every block of Python in one namespace; what they print is the text after "They print"."""
    monkeypatch.chdir(tmp_path)
    text = PAGES[0].read_text(encoding="utf-8")
    names, printed = {}, io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(printed):
        for block in FENCED.finditer(text):
            if block[1] == "python":
                exec(block[2], names)
    want = FENCED.search(text, text.index("They print"))[2]
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    matches = doctest.OutputChecker().check_output(want, printed.getvalue(), flags)
    assert matches, printed.getvalue()
    np.testing.assert_allclose(names["mean"], names["vae"].decode(names["z"]), atol=1e-5)


def _parsed(block, text):
    examples = doctest.DocTestParser().get_examples(block[2])
    for example in examples:
        example.lineno += text.count("\n", 0, block.start(2))
    return examples


# The pictures.

FIGURES = ROOT / "derivations" / "figures"


@once
def test_every_picture_is_shown_and_drawn_by_a_script():
    shown = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    scripts = [*FIGURES.glob("*.py"), *(ROOT / "examples").rglob("*.py")]
    code = {path.stem: path.read_text(encoding="utf-8") for path in scripts}
    for picture in FIGURES.glob("*.png"):
        assert f"figures/{picture.name}" in shown, picture.name
        sheet = picture.stem.partition("_")[0]
        drawn = picture.stem in code or any(picture.name in text for text in code.values())
        assert drawn or sheet in code, picture.name


@once
def test_one_command_draws_pictures_anew_and_says_what_changed(tmp_path):
    shutil.copytree(FIGURES, tmp_path / "derivations" / "figures")
    folder = tmp_path / "derivations" / "figures"
    right = (folder / "shifted_digit.png").read_bytes()
    pixels = imread(folder / "shifted_digit.png")
    pixels[: len(pixels) // 2] = 0
    imsave(folder / "shifted_digit.png", pixels)
    (folder / "broken.py").write_text("raise ValueError('no ink')")

    def run(*names):
        command = [sys.executable, folder / "all.py", *names]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    done = run("shifted_digit", "manifold", "broken")
    changed, left_out, failed = done.stdout.splitlines()
    assert re.search(r"shifted_digit.png differs in \d+\.\d% of its pixels, by 255 of 255", changed)
    assert left_out.endswith("left out: it needs MNIST, --data-dir FOLDER")
    assert failed.endswith("s: ValueError: no ink")
    assert (done.returncode, done.stderr) == (1, "1 failed\n")
    assert (folder / "shifted_digit.png").read_bytes() == right
    assert "no script draws nothing; there are" in run("nothing").stderr
