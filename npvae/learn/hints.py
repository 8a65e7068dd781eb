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
    """The lines of a step."""
    if step == 2 and is_written:
        lines = _of_the_answer(examine(place, exercise, hints=True))
        return [part for line in lines for part in textwrap.wrap(line, 76)]
    return (_place, _equation)[step](exercise)


def _place(exercise):
    page = next((ROOT / "derivations").rglob(exercise.chapter))
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
    tags = tests_module("equations").audit().tags
    for page in sorted({place.file for tag in exercise.tags for place in tags[tag]}):
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
        if found.get("digits"):
            yield f"In floating point it is not yet: {found['digits']}."
        yield "The chapter's section on floating point says which form keeps the digits."
        return
    if found.get("relation"):
        yield f"On the examiners' arguments, {found['relation']}."
    mistakes = _likeliest(found.get("mistakes", ()))
    for mistake in mistakes:
        yield f"The museum knows this mistake: “{mistake.name}”."
        if mistake.seen_in:
            yield f"It was made before, in {', '.join(mistake.seen_in)}."
        yield "derivations/16-museum.md shows what a model with it looks like."
    if not found.get("relation") and not mistakes:
        failure = found.get("failure") or {}
        yield failure.get("error", "No test could look at it.").splitlines()[0]


def _likeliest(mistakes):
    """Those made in the module itself, if there are any: [(name, whether it was made there)]."""
    known = {mistake.name: mistake for mistake in tests_module("museum").MUSEUM}
    near = [name for name, is_near in mistakes if is_near]
    return [known[name] for name in near or [name for name, _ in mistakes]]
