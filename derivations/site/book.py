"""What belongs together: tag, function, test and the test's last result; and what links to what."""

import re
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import sources

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests"))

from equations import audit, chapters  # noqa: E402  (it lives with the tests, which use it first)

WORKSHOP = [ROOT / "derivations" / "workshop" / f"{name}.md" for name in ("starters", "lab-plan")]
PAGES = [ROOT / "README.md", *chapters(ROOT), *WORKSHOP]
PYTHON = ("npvae", "examples", "tests", "derivations/figures")


class Ends(NamedTuple):
    """The three ends of an equation's promise: its page, its functions, its tests."""

    page: str
    functions: tuple[tuple[sources.Source, str], ...]
    tests: tuple[tuple[sources.Source, str], ...]


class Book:
    """Tags, sources and results, read once."""

    def __init__(self, results: Path | None = None):
        self.results = read_results(results) if results else {}
        paths = [p for folder in PYTHON for p in sorted((ROOT / folder).rglob("*.py"))]
        names = [path.relative_to(ROOT).as_posix() for path in paths]
        self.sources = {name: sources.read(ROOT, name) for name in names}
        lists = audit(ROOT)
        self.tags = {
            tag: Ends(
                page_of(ROOT / places[0].file),
                self._definitions(lists.citations[tag]),
                self._definitions(lists.marks[tag]),
            )
            for tag, places in lists.tags.items()
        }

    def _definitions(self, places):
        """Citations and marks as (source, qualified name), in the order of the lists."""
        found = []
        for place in places:
            source = self.sources[Path(place.file).as_posix()]
            names = {function.line: function.name for function in source.functions}
            found.append((source, names[place.line]))
        return tuple(dict.fromkeys(found))

    def tag_link(self, tag: str, page: str) -> str | None:
        """The address of an equation as page, a file of the site, says it; None if unknown."""
        if tag not in self.tags:
            return None
        home = self.tags[tag].page
        return f"#{tag}" if home == page else f"{up(page)}{home}#{tag}"

    def result(self, source: sources.Source, test: str) -> tuple[str, str]:
        """A test's last result: a word for style.css, and a phrase to read."""
        counts = self.results.get((source.module, test), Counter())
        for outcome in ("failed", "passed", "skipped"):
            if counts[outcome]:
                total = sum(counts.values())
                return outcome, outcome if total == 1 else f"{counts[outcome]} of {total} {outcome}"
        return "unknown", "not run"

    def exercise_tests(self, page: Path, number: str) -> list[tuple[sources.Source, str]]:
        """The tests that check the answer to one exercise of a chapter."""
        stem = page.stem.replace("-", "_")
        source = self.sources.get(f"tests/exercises/test_{stem}.py")
        names = [f.name for f in source.functions if "." not in f.name] if source else []
        return [(source, name) for name in names if name.startswith(f"test_{number}_")]


def read_results(path: Path) -> dict[tuple[str, str], Counter]:
    """{(module, test): how many of its cases passed, failed, were skipped} of a JUnit XML file."""
    results: dict[tuple[str, str], Counter] = {}
    for case in ElementTree.parse(path).iter("testcase"):
        kinds = {child.tag for child in case}
        outcome = "failed" if kinds & {"failure", "error"} else "passed"
        outcome = "skipped" if "skipped" in kinds else outcome
        name = re.sub(r"\[.*", "", case.get("name", ""), flags=re.DOTALL)
        results.setdefault((case.get("classname", ""), name), Counter())[outcome] += 1
    return results


def page_of(path: Path) -> str:
    """The file of the site that shows a Markdown file."""
    return "index.html" if path.name == "README.md" else f"{path.stem}.html"


def up(page: str) -> str:
    """The way from a page to the folder of the site."""
    return "../" * page.count("/")
