"""The marks of a class: every answer of every folder examined anew, as CSV and as JUnit's XML."""

import csv as comma_separated
from itertools import groupby
from xml.etree import ElementTree

from .catalogue import WorkshopError, choose
from .folder import Folder
from .parent import Children
from .verdicts import STATES, examine_many, sentences


def report(folders, csv=None, junit=None, chapters=None, **_):
    """Examine every answer anew, and write the marks of all folders."""
    rows = []
    for folder in folders:
        place = Folder(folder)
        written = place.answers()
        chosen = choose(place.exercises, chapters) if chapters else place.exercises
        with Children() as children:
            answers = [e for e in chosen if e in written]
            found = dict(examine_many(place, answers, children, whole=True))
        rows += [(folder, e, found.get(e, {"state": "empty"})) for e in chosen]
        states = [found.get(e, {"state": "empty"})["state"] for e in chosen]
        counts = {state: states.count(state) for state in STATES if state in states}
        print(f"{folder}: " + ", ".join(f"{n} {STATES[state][1]}" for state, n in counts.items()))
    if csv:
        _write(csv, lambda file: _write_csv(file, rows))
    if junit:
        _write(junit, lambda file: file.write(_junit(rows)))


def _write(path, write):
    try:
        with open(path, "w", encoding="utf-8", newline="") as file:
            write(file)
    except OSError as error:
        raise WorkshopError(f"{path} cannot be written: {error.strerror}") from None


def _write_csv(file, rows):
    writer = comma_separated.writer(file)
    writer.writerow(["folder", "chapter", "function", "tags", "state", "mark", "failed"])
    for folder, exercise, found in rows:
        mark = {"yours": 1, "digits": 0.5}.get(found["state"], 0)
        failed = (found.get("failure") or {}).get("test", "")
        chapter = exercise.chapter.removesuffix(".md")
        tags = " ".join(exercise.tags)
        writer.writerow([folder, chapter, exercise.key, tags, found["state"], mark, failed])


def _junit(rows):
    """One suite for each folder, one case for each function; an empty one is skipped."""
    suites = ElementTree.Element("testsuites")
    for folder, group in groupby(rows, key=lambda row: row[0]):
        suite = ElementTree.SubElement(suites, "testsuite", name=str(folder))
        for _, exercise, found in group:
            names = {"classname": exercise.module, "name": exercise.title}
            case = ElementTree.SubElement(suite, "testcase", names)
            if found["state"] == "empty":
                ElementTree.SubElement(case, "skipped")
            elif found["state"] != "yours":
                says = STATES[found["state"]][1]
                failure = ElementTree.SubElement(case, "failure", message=says)
                failure.text = "\n".join(sentences(found))
        cases = suite.findall("testcase")
        suite.set("tests", str(len(cases)))
        for kind in ("failure", "skipped"):
            number = sum(case.find(kind) is not None for case in cases)
            suite.set({"failure": "failures"}.get(kind, kind), str(number))
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True)
