"""The three lists that must agree: tags in the chapters, citations in docstrings, marks on tests."""

import ast
import functools
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
TAG = re.compile(r"\\tag\{([^}]*)\}")
CITATION = re.compile(r"\[([a-z_]+\.\d+)\]")


def chapters():
    """The chapters in reading order."""
    return sorted((ROOT / "derivations").glob("*.md"))


@functools.cache
def audit():
    """-> three dicts from a tag to the places it stands in: chapters, docstrings, tests."""
    return _tags(), _citations(), _marks()


def functions_citing(tag):
    """{(file, first line)} of the functions that cite tag; a class's docstring speaks for its
    methods."""
    return {(place.file, line) for place in audit()[1].get(tag, ()) for line in place.functions}


class Place(str):
    """A place to print, such as "npvae/kl.py:9 gaussian_kl"."""

    def __new__(cls, path, line, name="", functions=()):
        place = super().__new__(cls, f"{path.relative_to(ROOT)}:{line} {name}".rstrip())
        place.file = str(path)
        place.functions = functions
        return place


def _collect(pairs):
    places = {}
    for tag, place in pairs:
        places.setdefault(tag, []).append(place)
    return places


def _tags():
    return _collect(
        (tag, Place(chapter, line))
        for chapter in chapters()
        for line, text in enumerate(chapter.read_text(encoding="utf-8").splitlines(), start=1)
        for tag in TAG.findall(text)
    )


def _citations():
    return _collect(
        (tag, Place(path, node.lineno, node.name, _functions(node)))
        for path in sorted((ROOT / "npvae").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        for tag in CITATION.findall(ast.get_docstring(node) or "")
    )


def _functions(node):
    methods = [node] if isinstance(node, ast.FunctionDef) else node.body
    return [
        min([method.lineno, *(decorator.lineno for decorator in method.decorator_list)])
        for method in methods
        if isinstance(method, ast.FunctionDef)
    ]


def _marks():
    return _collect(
        (tag.value, Place(path, node.lineno, node.name))
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
        if ast.unparse(decorator).startswith("pytest.mark.equation(")
        for tag in decorator.args
    )
