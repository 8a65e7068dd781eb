"""The museum's mistakes, one at a time: seen, guessed, and killed by a test of one's own."""

import io
import os
import random
import subprocess
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from . import drawing
from .catalogue import ROOT, WorkshopError, tests_module
from .parent import Broken, ask

VISIBLE = (  # those that show in the numbers or samples of `training`
    "reconstruction averaged over pixels",
    "KL averaged over dimensions",
    "sign of the KL",
    "½ of the KL lost",
    "σ = exp(logvar)",
    "noise drawn anew in the backward pass",
    "the KL's road to mu left out",
    "the KL's road to logvar left out",
    "sign of x − σ(a)",
    "z = mu in the evaluation",
    "logits shown as pixels",
)
CHOICES = 5


def named(name):
    """The museum's mistake of that name. Raises WorkshopError with the names there are."""
    mistakes = {mistake.name: mistake for mistake in tests_module("museum").MUSEUM}
    if name not in mistakes:
        listed = "; ".join(mistakes)
        raise WorkshopError(f"the museum has no {name!r}; it has: {listed}")
    return mistakes[name]


def trained(mistake=None, seed=0):
    """What `training` finds, with a mistake or without."""
    try:
        return ask("training", edits=mistake.edits if mistake else (), seed=seed)
    except Broken as error:
        raise WorkshopError(f"the training ended with: {str(error).strip()[-300:]}") from None
    except subprocess.TimeoutExpired:
        raise WorkshopError("the training took more than a minute and was stopped") from None


def shown(found, sound):
    """Lines: the curve beside the sound one, the last epoch, and samples."""
    yield "elbo by epoch: * this program, · the library as it is, # both"
    yield from drawing.curves(*([epoch[0] for epoch in run["curve"]] for run in (found, sound)))
    for words, run in (("this program", found), ("the library", sound)):
        if run["curve"]:
            elbo, reconstruction, kl = run["curve"][-1]
            numbers = f"elbo {elbo:.2f} = {reconstruction:.2f} − kl {kl:.2f}"
            held_out = "" if run["held_out"] is None else f", held out {run['held_out']:.2f}"
            yield f"{words + ':':14} {numbers}{held_out}"
    if found == sound:
        yield "nothing shows here: it is a mistake that only a test sees, or other settings"
    if found["stopped"]:
        yield f"stopped: {found['stopped']}"
    if found["warnings"]:
        yield f"warned: {', '.join(found['warnings'])}"
    if found["samples"]:
        yield "samples from the prior:"
        yield from drawing.digits(found["samples"][:3])


def puzzle(seed):
    """(the mistake, five lines of which one is wrong, its place, five names, its place)."""
    rng = random.Random(seed)
    mistake, *others = rng.sample([named(name) for name in VISIBLE], len(VISIBLE))
    lines = [_one_line(mistake, 2), *dict.fromkeys(_one_line(other, 1) for other in others)]
    lines = [lines[0], *[line for line in lines[1:] if line[0] != lines[0][0]][: CHOICES - 1]]
    names = [mistake.name, *[other.name for other in others][: CHOICES - 1]]
    wrong_line, right_name = lines[0], names[0]
    rng.shuffle(lines)
    rng.shuffle(names)
    return mistake, lines, lines.index(wrong_line), names, names.index(right_name)


def _one_line(mistake, side):
    """(file, the first line of its first edit), as it is or, with side 2, as it could be written.

    The whole line, not the part of it that the edit names.
    """
    file, right, wrong = mistake.edits[0]
    source = (ROOT / file).read_text(encoding="utf-8")
    if side == 2:
        source = source.replace(right, wrong)
    text = (right, wrong)[side - 1].strip().splitlines()[0]
    line = next(line.strip() for line in source.splitlines() if text in line)
    return file, line


def killer_fails(mistake):
    """Whether the museum's test fails with the mistake in the library, and its last words."""
    found = ask("exhibits", edits=mistake.edits, tests=[mistake.killed_by], where=str(ROOT))
    return found["code"] == 1, found["said"]


def judge(mistake, test):
    """(killed, alive, words): whether a test fails with the mistake, and passes without it."""
    path = Path(test).resolve()
    if not path.is_file():
        raise WorkshopError(f"{test} is no file; it should hold a test of pytest's")
    where, tests = str(path.parent), [str(path)]
    alive = ask("exhibits", edits=(), tests=tests, where=where)
    killed = ask("exhibits", edits=mistake.edits, tests=tests, where=where)
    return killed["code"] == 1, alive["code"] == 0, alive["said"] or killed["said"]


def run(task, observer):
    """In a child, with or without the mistake: pytest's exit code for tests, and what failed."""
    os.environ |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "HYPOTHESIS_PROFILE": "unshrunk"}
    import pytest

    os.chdir(task["where"])
    options = ["-qx", "-p", "no:cacheprovider", "--no-header", "--tb=line", *task["tests"]]
    if task["where"] != str(ROOT):
        options = ["-c", os.devnull, "--rootdir", task["where"], "--noconftest", *options]
    output = io.StringIO()
    with redirect_stdout(output), redirect_stderr(output):
        code = pytest.main(options)
    lines = output.getvalue().strip().splitlines()
    said = [line for line in lines if line.startswith(("FAILED", "ERROR", "E "))]
    return {"code": int(code), "said": (said or lines[-1:])[0] if code else ""}
