"""The equations that can be written: which functions state them, and which tests examine them.

Both are read from the checkout that npvae stands in, by tests/equations.py, as the suite does.
"""

import ast
import functools
import importlib
import json
import re
import sys
from pathlib import Path
from typing import NamedTuple

from .splice import PACKAGE, functions

ROOT = PACKAGE.parent
CITATION = re.compile(r"\[([a-z_]+\.\d+)\]")
ENGINE_ROOM = "npvae/kernels/"  # compiled code, which the reference engine does not run
NOT_EXAMINED = {  # preparations, a constant, and what applies another's equation
    "npvae.posterior.annealing:hmc_steps",
    "npvae.posterior.joint:decoder_likelihood",
    "npvae.posterior.observed:observed",
    "npvae.posterior.separable:_Separable.transpose",
    "npvae.relatives.conditional.judge:evaluate_conditional",
    "npvae.relatives.conditional.train:descend",
    "npvae.relatives.conditional.train:train_conditional",
    "npvae.relatives.hmm:HMM.init",
    "npvae.relatives.mixtures.families:Bernoullis.log_prior",
    "npvae.relatives.mixtures.gaussians:Gaussians.log_prior",
    "npvae.relatives.mixtures.mixture:Mixture.prepare",
}


class WorkshopError(Exception):
    """What a command line says in one line, and ends."""


class Exercise(NamedTuple):
    """A function to be written."""

    module: str  # "npvae.kl"
    name: str  # "gaussian_kl", or "Bernoulli.log_prob"
    tags: tuple[str, ...]  # in the chapter's order
    chapter: str  # the page's file name, where its first tag stands
    line: int  # … of that page
    tests: tuple[str, ...]  # node ids of its examiners

    @property
    def key(self):
        return f"{self.module}:{self.name}"

    @property
    def file(self):
        """The name of the learner's file: the chapter's number, and the module."""
        number = self.chapter.split("-")[0] if self.chapter[0].isdigit() else "00"
        return f"{number}-{self.module.removeprefix('npvae.').replace('.', '-')}.py"

    @property
    def short_tags(self):
        """The tags, a topic's name once: kl.4, .5."""
        topics = [tag.split(".")[0] for tag in self.tags]
        return ", ".join(
            tag.removeprefix(topic if topic in topics[:i] else "")
            for i, (topic, tag) in enumerate(zip(topics, self.tags, strict=True))
        )

    @property
    def title(self):
        return f"{self.name} [{self.short_tags}]"


def tests_module(name):
    """tests/equations.py or tests/museum.py of the checkout.

    Raises WorkshopError where npvae is installed without its tests.
    """
    folder = ROOT / "tests"
    if not (folder / f"{name}.py").exists():
        raise WorkshopError(
            f"the workshop's examiners are npvae's tests, and {ROOT} has none. It needs a "
            "checkout of the repository: install it from there with pip install -e '.[test]'"
        )
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    return importlib.import_module(name)


@functools.cache
def exercises():
    """Every exercise, in the order of the chapters."""
    audit = tests_module("equations").audit()
    tags = [tag for tag in audit.tags if not tag.startswith("kernels.")]
    order = {tag: i for i, tag in enumerate(tags)}
    found = [
        _exercise(path, name, sorted(tags, key=order.__getitem__), audit)
        for path in sorted((ROOT / "npvae").rglob("*.py"))
        if not str(path.relative_to(ROOT)).replace("\\", "/").startswith(ENGINE_ROOM)
        for name, tags in _citing(path, order).items()
    ]
    found = [exercise for exercise in found if exercise.key not in NOT_EXAMINED]
    return sorted(found, key=lambda e: (order[e.tags[0]], e.module, e.line, e.name))


def _exercise(path, name, tags, audit):
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    page = audit.tags[tags[0]][0]
    marks = [place for tag in tags for place in audit.marks.get(tag, ())]
    tests = dict.fromkeys(f"{place.file}::{place.name}" for place in marks)
    return Exercise(
        module.removesuffix(".__init__"),
        name,
        tuple(tags),
        Path(page.file).name,
        page.line,
        tuple(tests),
    )


def _citing(path, known):
    """{name: tags} of the functions in a file that have a body and whose docstring cites tags.

    What a class's docstring cites, its citing methods state as well.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    of_class = {n.name: _cited(n, known) for n in tree.body if isinstance(n, ast.ClassDef)}
    return {
        name: {**tags, **of_class.get(name.rpartition(".")[0], {})}
        for name, node in functions(tree).items()
        if (tags := _cited(node, known)) and not is_empty(node)
    }


def _cited(node, known):
    """The tags in a docstring, in order."""
    found = CITATION.findall(ast.get_docstring(node) or "")
    return dict.fromkeys(tag for tag in found if tag in known)


def is_empty(node):
    """Whether a function has nothing in it but a docstring, `...`, `pass` or the blank."""
    return all(
        isinstance(statement, ast.Pass)
        or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        or ast.unparse(statement).startswith("raise NotImplementedError")
        for statement in node.body
    )


def remembered(folder):
    """`exercises()`, read from a note in the folder if the checkout has not changed since."""
    note = folder / ".catalogue.json"
    stamp = _stamp()
    try:
        kept = json.loads(note.read_text(encoding="utf-8"))
        if kept["stamp"] == stamp:
            return [
                Exercise(**{k: tuple(v) if isinstance(v, list) else v for k, v in e.items()})
                for e in kept["exercises"]
            ]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    found = exercises()
    kept = {"stamp": stamp, "exercises": [e._asdict() for e in found]}
    note.write_text(json.dumps(kept), encoding="utf-8")
    return found


def _stamp():
    """A number for the state of the checkout: how many sources, and when the last changed."""
    sources = [
        path.stat().st_mtime
        for part, ending in (("npvae", "*.py"), ("tests", "*.py"), ("derivations", "*.md"))
        for path in (ROOT / part).rglob(ending)
    ]
    return [str(ROOT), len(sources), max(sources)]


def choose(found, words):
    """The exercises that a word names: a tag, a function's name, a chapter's number.

    Raises WorkshopError if a word names none.
    """
    chosen = []
    for word in words:
        word = word.zfill(2) if word.isdigit() else word
        named = [e for e in found if word in (*e.tags, e.name, e.key, e.chapter.split("-")[0])]
        named = named or [e for e in found if e.tags[0].split(".")[0] == word or e.file == word]
        if not named:
            raise WorkshopError(
                f"no equation is called {word}; write a tag such as kl.3, a function's name, "
                "or a chapter's number such as 05. `list DIR` shows them all"
            )
        chosen += named
    return list(dict.fromkeys(chosen))
