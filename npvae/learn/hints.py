"""Hints, one at a time: where it is derived, what the equation is, and what the answer does."""

import ast
import re
import textwrap

from .blanks import module_path
from .catalogue import ROOT, tests_module
from .splice import functions
from .verdicts import examine

DISPLAY = re.compile(r"\$\$\n(.*?)\$\$", re.DOTALL)


def count(is_written):
    """How many steps there are: the last one looks at an answer, if there is one."""
    return 3 if is_written else 2


def hint(place, exercise, step, is_written):
    """The lines of a step. What is written is looked at first, if an examiner refused it."""
    if step == 2 and is_written:
        return _of_the_answer(examine(place, exercise, hints=True))
    return (_place, _equation)[step](exercise)


def _place(exercise):
    page = ROOT / "derivations" / exercise.chapter
    if not page.exists():
        page = ROOT / "derivations" / "workshop" / exercise.chapter
    yield f"{page.relative_to(ROOT)}, line {exercise.line}"
    heading = ""
    for line in page.read_text(encoding="utf-8").splitlines()[: exercise.line]:
        heading = line.lstrip("# ") if line.startswith("#") else heading
    yield f"in the section “{heading}”"
    for test in exercise.tests[:4]:
        yield f"examined by {test}"


def _equation(exercise):
    node = functions(ast.parse(module_path(exercise.module).read_text(encoding="utf-8")))
    yield from ast.get_docstring(node[exercise.name]).splitlines()
    pages = {place.file for tag in exercise.tags for place in tests_module("equations").audit().tags[tag]}
    for page in sorted(pages):
        for display in DISPLAY.findall((ROOT / page).read_text(encoding="utf-8")):
            if any(f"\\tag{{{tag}}}" in display for tag in exercise.tags):
                yield ""
                yield from display.strip().replace("\\thinspace ", "").splitlines()


def _of_the_answer(found):
    if found["state"] == "yours":
        yield "Yours is right."
        return
    if found.get("mathematics"):
        yield "The mathematics is right."
        yield f"In floating point it is not yet: {found['digits']}" if found.get("digits") else ""
        yield "The chapter's section on floating point says which form keeps the digits."
        return
    if found.get("relation"):
        yield from textwrap.wrap(f"On the examiners' arguments, {found['relation']}.", 76)
    for name in found.get("mistakes", ()):
        yield f"The museum knows this mistake: “{name}”."
        mistake = next(m for m in tests_module("museum").MUSEUM if m.name == name)
        if mistake.seen_in:
            yield from textwrap.wrap(f"It was made before, in {', '.join(mistake.seen_in)}.", 76)
        yield "derivations/16-museum.md shows what a model with it looks like."
    if not found.get("relation") and not found.get("mistakes"):
        failure = found.get("failure") or {}
        words = failure.get("error", "No test could look at it.")
        yield from textwrap.wrap(words.splitlines()[0], 76)
