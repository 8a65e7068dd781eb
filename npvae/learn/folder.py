"""The learner's folder: its files, what is written in them, and what was found of it."""

import ast
import hashlib
import json
import shutil
from itertools import count, groupby
from pathlib import Path

from .blanks import empty, module_path, new_file
from .catalogue import WorkshopError, is_empty, remembered
from .splice import functions

README = """\
# npvae, to be written by you

Each file here holds functions of npvae without their bodies, in the order of the book. Open a
chapter in `derivations/`, and write the functions that it derives. Any order will do: what you
have not written stays the library's own.

    python -m npvae.learn check {folder}            marks what has changed
    python -m npvae.learn watch {folder}            does so whenever you save a file
    python -m npvae.learn list {folder}             all equations, and which are yours
    python -m npvae.learn hint {folder} kl.3        one hint more, each time
    python -m npvae.learn reset {folder} kl.3       empties it again, and keeps a copy
    python -m npvae.learn milestones {folder}       what your own library can do

On Windows write `py` for `python`. Begin with `00-learn-starters.py`, or with `05-kl.py`.
Shapes are in letters: B rows, D numbers of data, Z latent ones, L draws of z.
"""


class Folder:
    """A learner's folder, made by `create`."""

    def __init__(self, path):
        self.path = Path(path)
        if not self.path.is_dir():
            raise WorkshopError(f"{path} is no folder; python -m npvae.learn {path} makes it")
        try:
            self.state = json.loads(self._note.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise WorkshopError(
                f"{path} was not made by the workshop; python -m npvae.learn NEW_FOLDER makes one"
            ) from None
        except ValueError:
            raise WorkshopError(f"{self._note} is damaged; delete it to forget all marks") from None
        self.exercises = remembered(self.path)

    @property
    def _note(self):
        return self.path / ".progress.json"

    def save(self):
        """Keep marks and hints for the next command."""
        self._note.write_text(json.dumps(self.state, indent=1), encoding="utf-8")

    def answers(self):
        """{exercise: digest of its answer} of all that is written.

        Raises WorkshopError, with file and line, if a file is no Python.
        """
        written = {}
        for file, group in self._by_file():
            if not (self.path / file).exists():
                continue
            tree = self.parse(file)
            found, group = functions(tree), list(group)
            blanks = {e.name for e in group}
            others = [n for n in tree.body if getattr(n, "name", None) not in _owners(blanks)]
            helpers = "".join(map(ast.dump, others))
            for exercise in group:
                node = found.get(exercise.name)
                if node and not is_empty(node):
                    text = ast.dump(node) + helpers
                    written[exercise] = hashlib.sha256(text.encode()).hexdigest()[:16]
        return written

    def parse(self, file):
        """The syntax tree of a file of the folder."""
        try:
            return ast.parse((self.path / file).read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            raise WorkshopError(f"{self.path / file} is not in UTF-8") from None
        except SyntaxError as error:
            where = f"{self.path / file}, line {error.lineno}"
            raise WorkshopError(f"{where}: {error.msg}") from None

    def verdict(self, exercise, digest):
        """What was found of this answer, or None if it has changed since or was never looked at."""
        mark = self.state["marks"].get(exercise.key)
        return mark["verdict"] if mark and mark["digest"] == digest else None

    def reset(self, exercise):
        """Put the blank back. -> the path of a copy of the file as it was"""
        path = self.path / exercise.file
        node = functions(self.parse(exercise.file)).get(exercise.name)
        if node is None:
            raise WorkshopError(f"{path} has no function {exercise.name} that could be emptied")
        kept = next(p for i in count(1) if not (p := path.with_suffix(f".py.{i}")).exists())
        shutil.copy(path, kept)
        source = module_path(exercise.module).read_text(encoding="utf-8")
        blank = empty(source, functions(ast.parse(source))[exercise.name], self.state["derive"])
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        lines[first - 1 : node.end_lineno] = [blank]
        path.write_text("".join(lines), encoding="utf-8")
        return kept

    def _by_file(self):
        return groupby(sorted(self.exercises, key=lambda e: e.file), key=lambda e: e.file)


def _owners(names):
    """The names at a file's top that these functions stand in."""
    return {name.split(".")[0] for name in names}


def create(path, derive=False):
    """A new folder with every function emptied. Raises WorkshopError if there is something."""
    path = Path(path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise WorkshopError(f"{path} is there already, and not empty; give a new folder's name")
    try:
        path.mkdir(parents=True, exist_ok=True)
        found = remembered(path)
    except OSError as error:
        raise WorkshopError(f"{path} cannot be written: {error.strerror}") from None
    (path / ".progress.json").write_text(
        json.dumps({"derive": derive, "marks": {}, "hints": {}}), encoding="utf-8"
    )
    (path / "README.md").write_text(README.format(folder=path), encoding="utf-8")
    for file, group in groupby(sorted(found, key=lambda e: e.file), key=lambda e: e.file):
        (path / file).write_text(new_file(list(group), derive), encoding="utf-8")
    return Folder(path)
