"""What each command does: it prints, and returns the exit code."""

import random
import time
from itertools import groupby

from . import exhibits
from . import hints as steps
from .catalogue import WorkshopError, choose
from .folder import Folder, create
from .milestones import reached
from .parent import Children
from .verdicts import STATES, examine_many, sentences

LOOK = 0.3  # seconds between two looks at the files


def new(folder, derive, **_):
    made = create(folder, derive)
    files = {e.file for e in made.exercises}
    print(f"{folder}: {len(made.exercises)} functions to write, in {len(files)} files, and a")
    print(f"README.md that says how. Write one, and: python -m npvae.learn check {folder}")


def check(folder, words=(), whole=False, **_):
    """Mark the answers named, or those that changed or were not right; 1 if one is not right."""
    with Children() as children:
        children.prepare()
        return _check(folder, children, words, whole)


def _check(folder, children, words=(), whole=False, again=True):
    """As check; again marks what was not right as well, whether it changed or not."""
    place = Folder(folder)
    written = place.answers()
    if words:
        chosen = [e for e in choose(place.exercises, words) if e in written]
        if not chosen:
            print("Empty as yet.")
            return 1
    else:
        states = marks(place, written)
        settled = {"empty", "yours"} if again else {"empty", *STATES}
        chosen = [e for e in place.exercises if states[e] not in settled]
        if not chosen:
            print("Nothing has changed." if written else "Nothing is written yet.")
    right = True
    start = time.perf_counter()
    for exercise, found in examine_many(place, chosen, children, whole=whole):
        place.state["marks"][exercise.key] = {"digest": written[exercise], "verdict": found}
        place.save()
        show_verdict(exercise, found, folder, time.perf_counter() - start)
        start = time.perf_counter()
        right = right and found["state"] in ("yours", "digits")
    print(progress(place, written))
    return 0 if right and written else 1


def show_verdict(exercise, found, folder, seconds):
    sign, says = STATES[found["state"]]
    cases = f", {found['passed']} of {found['total']} cases" if found["state"] == "yours" else ""
    print(f"{sign} {exercise.title}: {says}{cases}  {seconds:.1f} s")
    for line in sentences(found):
        print(f"    {line}")
    if found["state"] in ("wrong", "digits"):
        print(f"    more: python -m npvae.learn hint {folder} {exercise.name}")


def marks(place, written):
    """{exercise: its state}, of all."""
    states = {}
    for exercise in place.exercises:
        found = place.verdict(exercise, written.get(exercise))
        states[exercise] = "empty" if exercise not in written else (found or {}).get("state", "new")
    return states


def progress(place, written):
    """How many equations are the learner's: those whose every function is."""
    states = marks(place, written)
    by_tag = {}
    for exercise, state in states.items():
        for tag in exercise.tags:
            by_tag.setdefault(tag, []).append(state)
    whole = sum(all(s in ("yours", "digits") for s in states) for states in by_tag.values())
    part = sum(any(s in ("yours", "digits") for s in states) for states in by_tag.values()) - whole
    more = f", and {part} in part" if part else ""
    return f"{whole} of {len(by_tag)} equations are yours{more}."


def watch(folder, **_):
    """Check again what changed, whenever a file of the folder is saved."""
    place, seen = Folder(folder), None
    print(f"Watching {folder}; Ctrl-C ends it.")
    with Children() as children:
        while True:
            children.prepare()
            now = {path: path.stat().st_mtime_ns for path in place.path.glob("*.py")}
            if now != seen:
                seen = now
                try:
                    _check(folder, children, again=False)
                except WorkshopError as error:
                    print(error)
            time.sleep(LOOK)


def show_list(folder, words=(), **_):
    place = Folder(folder)
    states = marks(place, place.answers())
    chosen = choose(place.exercises, words) if words else place.exercises
    for chapter, group in groupby(chosen, key=lambda e: e.chapter):
        print(chapter)
        for exercise in group:
            sign = "…" if states[exercise] == "new" else STATES[states[exercise]][0]
            print(f"  {sign} {exercise.name:36} {exercise.short_tags}")
    print("  ".join(f"{sign} {says}" for sign, says in STATES.values() if sign in "✓½✗·"))
    print(progress(place, place.answers()))


def hint(folder, words, more=False, **_):
    """The next step of each equation's hints."""
    place = Folder(folder)
    written = place.answers()
    for exercise in choose(place.exercises, words):
        given = place.state["hints"].get(exercise.key, 0)
        print(f"{exercise.file}  {exercise.title}")
        last = steps.count(exercise in written)
        for step in range(last) if more else [min(given, last - 1)]:
            for line in steps.hint(place, exercise, step, exercise in written):
                print(f"    {line}")
        given = last if more else given + 1
        place.state["hints"][exercise.key] = given
        if given < last:
            print("    (the same command again says more)")
    place.save()


def reset(folder, words, **_):
    place = Folder(folder)
    written = place.answers()
    for exercise in choose(place.exercises, words):
        if exercise in written:
            kept = place.reset(exercise)
            print(f"{exercise.file}  {exercise.name} is empty again; the file as it was: {kept}")
        else:
            print(f"{exercise.file}  {exercise.name} was empty already")


def milestones(folder, **_):
    place = Folder(folder)
    written = place.answers()
    states = marks(place, written)
    mine = [e for e, state in states.items() if state in ("yours", "digits")]
    return reached(place, mine)


def exhibit(name=None, **_):
    """One mistake of the museum: its lines, what they do to a model, and the test that tells."""
    if name is None:
        print("\n".join(mistake.name for mistake in exhibits.tests_module("museum").MUSEUM))
        return 0
    mistake = exhibits.named(name)
    for file, right, wrong in mistake.edits:
        print(f"# {file}")
        for mark, lines in (("-", wrong), ("+", right)):
            print("\n".join(f"{mark} {line.strip()}" for line in lines.strip().splitlines()))
    if mistake.seen_in:
        print(f"seen in {', '.join(mistake.seen_in)}")
    if not any("relatives" in file for file, _, _ in mistake.edits):
        print("\n".join(exhibits.shown(exhibits.trained(mistake), exhibits.trained())))
    fails, _ = exhibits.killer_fails(mistake)
    print(f"{mistake.killed_by.split('::')[1]} {'fails' if fails else 'passes'}.")
    return 0


def blind(seed=None, kill=None, name=None, answers=(), **_):
    """A hidden mistake to be found; or, with kill, a test of one's own to be judged."""
    if kill and seed is None and name is None:
        raise WorkshopError("--kill needs --seed N or --name NAME: the mistake to be killed")
    seed = random.randrange(1000) if seed is None else seed
    if kill:
        mistake = exhibits.named(name) if name else exhibits.puzzle(seed)[0]
        return _judge(mistake, kill)
    mistake, lines, line, names, right = exhibits.puzzle(seed)
    print(f"A program with one mistake, --seed {seed}.\n")
    print("\n".join(exhibits.shown(exhibits.trained(mistake), exhibits.trained())))
    print("\nOne of these lines is wrong:")
    for number, (file, text) in enumerate(lines, start=1):
        print(f"  {number}  {file}\n         {text}")
    print("Which mistake is it?")
    for number, text in enumerate(names, start=1):
        print(f"  {number}  {text}")
    given = list(answers) or [_ask("the line's number: "), _ask("the mistake's number: ")]
    well = [answer == place + 1 for answer, place in zip(given, (line, right), strict=True)]
    print(f"\nThe line is {line + 1}: {'yes' if well[0] else f'not {given[0]}'}.")
    print(f"The mistake is “{mistake.name}”: {'yes' if well[1] else f'not {given[1]}'}.")
    print(f"derivations/16-museum.md tells of it; {mistake.killed_by.split('::')[1]} kills it.")
    return 0 if all(well) else 1


def _ask(question):
    try:
        return int(input(question))
    except EOFError:
        raise WorkshopError("no answer; write --answer LINE MISTAKE") from None
    except ValueError:
        return 0


def _judge(mistake, test):
    killed, alive, words = exhibits.judge(mistake, test)
    print(f"with “{mistake.name}” the test {'fails: killed' if killed else 'passes: it lives'}")
    print(f"with the library as it is it {'passes' if alive else 'fails'}")
    if not (killed and alive):
        print(words)
    return 0 if killed and alive else 1
