"""Three lists that must agree: tags in the chapters, citations in docstrings, marks on tests."""

import ast
import functools
import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
TAG = re.compile(r"\\tag\{([^}]*)\}")
CITATION = re.compile(r"\[([a-z_]+\.\d+)\]")
COVERED = (
    "activations",
    "dense",
    "reparameterization",
    "kl",
    "likelihoods",
    "ratio",
    "objectives",
    "elbo",
    "importance",
    "exact",
    "posterior/observations",
    "posterior/observed",
    "posterior/restoring",
    "posterior/separable",
    "learn/starters",
    "learn/exercises",
    "relatives/chains",
    "relatives/hmm",
    "relatives/mixtures",
    "relatives/naive_bayes",
    "optimizers",
    "schedules",
    "relatives/pca",
    "relatives/logistic_pca",
    "relatives/corruption",
    "relatives/jacobian",
    "relatives/autoencoder",
    "relatives/classifier/passes",
    "relatives/conditional/bound",
    "relatives/conditional/judge",
    "relatives/conditional/prior",
    "relatives/gan/game",
    "relatives/gan/losses",
    "relatives/gan/network",
    "relatives/gan/optimum",
    "relatives/gan/ring",
    "relatives/gan/steps",
    "posterior/imputing",
    "posterior/joint",
    "posterior/hmc",
    "posterior/convergence",
    "posterior/annealing",
    "relatives/semi_supervised/bounds",
    "uses",
)  # modules of which every public function states an equation
EXEMPT = {  # choices and bookkeeping, which no equation stands behind
    "arrays",
    "init_learned",
    "output_width",
    "input_width",
    "reads_x",
    "fixed_dim",
    "at",
    "of",
    "summed_to",
    "seen_and_filled",
    "filled_by_column",
    "fill",
    "interval",
    "follow",
    "support",
    "check_support",
    "check_mean",
    "check_objective",
    "check_samples",
    "check_corruption",
    "init",
    "data_dim",
    "latent_dim",
    "dtype",
    "rows",
    "columns",
    "check",
    "check_seen",
    "check_sigma",
    "hidden",
    "batches",
    "check_rows",
    "check_spread",
    "check_family",
    "check_labels",
    "check_sequences",
    "require_finite",
    "batch_size",
    "moments",
    "origin",
    "place",
    "some_rows",
    "components",
    "states",
    "parameters",
    "copy",
    "check_run",
    "memory",
    "recall",
    "density",
    "likelihood",
}


class Place(NamedTuple):
    """Where a tag, a citation or a mark stands."""

    file: str  # relative to the root
    line: int
    name: str = ""
    functions: tuple[int, ...] = ()  # first lines of the functions that a citation speaks for

    def __str__(self):
        return f"{self.file}:{self.line} {self.name}".rstrip()


class Audit(NamedTuple):
    """Each a dict from a tag to the places it stands in."""

    tags: dict
    citations: dict
    marks: dict

    def __str__(self):
        tagged = self.tags.keys()
        return (
            f"equations: {len(tagged)} tagged, {len(tagged & self.citations.keys())} with code, "
            f"{len(tagged & self.marks.keys())} with a test"
        )

    def complaints(self):
        """One line for each disagreement: what is missing where."""
        tagged, cited, marked = self.tags.keys(), self.citations.keys(), self.marks.keys()
        for tag, places in self.tags.items():
            if len(places) > 1:
                yield f"[{tag}] is tagged twice: {', '.join(map(str, places))}"
        for tag in sorted(tagged - cited):
            yield f"[{tag}] of {self.tags[tag][0]}: no docstring cites it"
        for tag in sorted(tagged - marked):
            yield f"[{tag}] of {self.tags[tag][0]}: no test is marked with it"
        for tag in sorted(cited - tagged):
            yield f"[{tag}], cited by {self.citations[tag][0]}: no chapter has that tag"
        for tag in sorted(marked - tagged):
            yield f"[{tag}], marked on {self.marks[tag][0]}: no chapter has that tag"


@functools.cache
def audit(root=ROOT):
    """Read the three lists."""
    return Audit(_tags(root), _citations(root), _marks(root))


def functions_citing(tag):
    """{(file, first line)} of the functions that cite tag; a class's docstring speaks for its
    methods."""
    places = audit().citations.get(tag, ())
    return {(str(ROOT / place.file), line) for place in places for line in place.functions}


def uncited_functions(root=ROOT):
    """Public functions of the covered modules whose docstring cites no equation."""
    return [
        f"{module}.{node.name}"
        for module in COVERED
        for path in _sources(root / "npvae" / module)
        for node in _definitions(path)
        if isinstance(node, ast.FunctionDef)
        and not node.name.startswith("_")
        and node.name not in EXEMPT
        and not CITATION.search(ast.get_docstring(node) or "")
    ]


def chapters(root=ROOT):
    """The chapters in reading order, then the appendices: numbers come before letters."""
    return sorted((root / "derivations").glob("*.md"))


def pages(root=ROOT):
    """Every page that may hold tags: what the workshop begins with, and the chapters."""
    return [root / "derivations" / "workshop" / "starters.md", *chapters(root)]


def _tags(root):
    return _collect(
        (tag, Place(str(path.relative_to(root)), line))
        for path in pages(root)
        for line, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        for tag in TAG.findall(text)
    )


def _citations(root):
    return _collect(
        (tag, Place(str(path.relative_to(root)), node.lineno, node.name, _first_lines(node)))
        for path in sorted((root / "npvae").rglob("*.py"))
        for node in _definitions(path)
        for tag in CITATION.findall(ast.get_docstring(node) or "")
    )


def _marks(root):
    return _collect(
        (tag.value, Place(str(path.relative_to(root)), node.lineno, node.name))
        for path in sorted((root / "tests").rglob("test_*.py"))
        for node in _definitions(path)
        for decorator in node.decorator_list
        if ast.unparse(decorator).startswith("pytest.mark.equation(")
        for tag in decorator.args
    )


def _sources(module):
    """A module's one file, or the public files of a package."""
    return sorted(module.glob("[!_]*.py")) or [module.with_suffix(".py")]


def _definitions(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = ast.FunctionDef, ast.ClassDef
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def _first_lines(node):
    methods = [node] if isinstance(node, ast.FunctionDef) else node.body
    return tuple(
        min([method.lineno, *(decorator.lineno for decorator in method.decorator_list)])
        for method in methods
        if isinstance(method, ast.FunctionDef)
    )


def _collect(pairs):
    places = {}
    for tag, place in pairs:
        places.setdefault(tag, []).append(place)
    return places
