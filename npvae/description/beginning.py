"""What to begin with: a likelihood for data of these kinds, and the code that builds it."""

from __future__ import annotations

import dataclasses
import textwrap
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..likelihoods import (
    Bernoulli,
    Categorical,
    ColumnGaussian,
    Holes,
    LearnedGaussian,
    Likelihood,
    NegativeBinomial,
    Poisson,
    Product,
    Standardized,
    StudentT,
)
from .columns import Columns, Grey
from .kinds import CODES, CONSTANT, COUNTS, YES_NO, clumped, heavy

BLACK_AND_WHITE = 0.8  # of the pixels near one of them: a Bernoulli will do
LONGEST_CODE = 20  # lines
LINE = 76
SCALED = {ColumnGaussian: ("numbers", "gaussian"), StudentT: ("far_out", "student")}
SAID = {
    Bernoulli: "yes or no",
    Poisson: "Poisson",
    NegativeBinomial: "negative binomial",
    ColumnGaussian: "Gaussian",
    StudentT: "Student's t",
}


class Beginning(NamedTuple):
    """A likelihood, and how to get to it."""

    likelihood: Likelihood
    code: str  # that makes it of x
    why: str
    divide: float = 1.0  # by this x is divided first
    binarize: bool = False  # `train`'s choice


def begin_with_pixels(grey: Grey, holes: bool, dtype: np.dtype) -> Beginning:
    """For the grey levels of pictures, one likelihood for all pixels."""
    share = f"{100 * grey.black_or_white:.0f} % of the numbers near 0 or {grey.white:g}"
    likelihood: Likelihood
    binarize = grey.black_or_white >= BLACK_AND_WHITE and not holes
    if binarize:
        likelihood, why = Bernoulli(), f"{share}, each read as the chance of a 1"
    else:
        likelihood = ColumnGaussian() if holes else LearnedGaussian(optimal=True)
        why = f"grey levels, {share}"
    divide = 1.0 if binarize and dtype == np.uint8 and grey.white == 255 else grey.white
    likelihood = Holes(likelihood) if holes else likelihood
    lines = [] if divide == 1 else [f"x = np.asarray(x, np.float32) / {divide:g}"]
    visit = "  # and npvae.train(…, binarize=True)" if binarize else ""
    lines.append(f"likelihood = {code_of(likelihood)}{visit}")
    return Beginning(likelihood, "\n".join(lines), why, divide, binarize)


def begin_with_table(
    x: np.ndarray, columns: Columns, kinds: np.ndarray, *, table: bool
) -> Beginning:
    """For columns of several kinds, a likelihood for each group; `table` if x has .iloc.

    Raises ValueError where Standardized.of does.
    """
    groups = _groups(columns, kinds)
    parts = [
        (tuple(d), Standardized.of(x[:, d], form) if type(form) in SCALED else form)
        for form, d in groups.items()
    ]
    holes = columns.missing.any()
    likelihood = parts[0][1] if len(parts) == 1 else Product(tuple(parts))
    code = _code(groups, "x.iloc" if table else "x", holes)
    if code.count("\n") >= LONGEST_CODE:
        code = "likelihood = npvae.describe(x).likelihood"
    if x.dtype == np.uint8 and likelihood == Bernoulli():  # which would take 255 for 1
        code = f"x = np.asarray(x, np.float32)\n{code}"
    why = ", ".join(_told(form, len(d)) for form, d in groups.items())
    return Beginning(Holes(likelihood) if holes else likelihood, code, why)


def _groups(columns: Columns, kinds: np.ndarray) -> dict[Likelihood, list[int]]:
    """{likelihood: its columns}, in the order of their first columns."""
    tails, clumps = heavy(columns), clumped(columns)
    groups: dict[Likelihood, list[int]] = {}
    for d, kind in enumerate(kinds):
        form: Likelihood
        if kind == YES_NO or (kind == CONSTANT and columns.low[d] in (0, 1)):
            form = Bernoulli()
        elif kind == CODES:
            form = Categorical(levels=int(columns.high[d]) + 1, whole=True)
        elif kind == COUNTS:
            form = NegativeBinomial() if clumps[d] else Poisson()
        else:
            form = StudentT() if tails[d] else ColumnGaussian()
        groups.setdefault(form, []).append(d)
    return groups


def _told(form, n):
    if isinstance(form, Categorical):
        return f"{n} Categorical of {form.levels}"
    return f"{n} {SAID[type(form)]}"


def _code(groups, rows, holes):
    """Lines that build the likelihood: what is scaled first, then the whole."""
    lines, pairs = [], []
    for form, d in groups.items():
        code = code_of(form)
        if type(form) in SCALED and len(groups) == 1:
            code = f"npvae.Standardized.of(x, {code})"
        elif type(form) in SCALED:
            which, name = SCALED[type(form)]
            lines.append(f"{which} = {_list(d)}")
            lines.append(f"{name} = npvae.Standardized.of({rows}[:, {which}], {code})")
            pairs.append(f"    ({which}, {name}),")
            continue
        pairs.append(f"    ({_list(d)}, {code}),")
    whole = code if len(groups) == 1 else "\n".join(["npvae.Product([", *pairs, "])"])
    whole = f"likelihood = npvae.Holes({whole})" if holes else f"likelihood = {whole}"
    style = {"width": LINE, "subsequent_indent": "        ", "break_on_hyphens": False}
    return "\n".join(textwrap.fill(line, **style) for line in [*lines, *whole.splitlines()])


def code_of(likelihood: Likelihood) -> str:
    """The code that makes a likelihood without data in it, defaults left out."""
    inner = getattr(likelihood, "likelihood", None)
    if inner is not None:
        return f"npvae.{type(likelihood).__name__}({code_of(inner)})"
    fields = dataclasses.fields(likelihood)  # type: ignore[arg-type]
    chosen = [
        f"{field.name}={value!r}"
        for field in fields
        if (value := getattr(likelihood, field.name)) != field.default
    ]
    return f"npvae.{type(likelihood).__name__}({', '.join(chosen)})"


def _list(d):
    """Code of these columns: [0, 3], range(0, 11), or [*range(0, 4), 7]."""
    starts = [0, *(i for i, (a, b) in enumerate(pairwise(d), 1) if b != a + 1), len(d)]
    runs = [d[i:j] for i, j in pairwise(starts)]
    if len(runs) == 1 and len(d) > 2:
        return f"range({d[0]}, {d[-1] + 1})"
    said = ([f"*range({run[0]}, {run[-1] + 1})"] if len(run) > 2 else map(str, run) for run in runs)
    return f"[{', '.join(text for run in said for text in run)}]"
