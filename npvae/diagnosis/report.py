"""`diagnose`: everything that is likely wrong with a finished model, to be printed."""

from __future__ import annotations

import textwrap
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .. import kernels
from ..elbo import elbo
from ..evaluation import Evaluation, per_row, summarize
from ..vae import VAE
from .findings import DiagnosisWarning, findings, generalization
from .measures import Vitals, measure, sobol_noise, take_vitals

DIAGNOSE_NUMBERS = 4_000_000  # that the decoder may emit at once


class Diagnosis(NamedTuple):
    """What a model is worth, and what is likely wrong with it."""

    vitals: Vitals
    findings: list[DiagnosisWarning]
    validation: Evaluation | None = None  # of x_val

    def __str__(self) -> str:
        units = "  ".join(f"{kl:.2f}" for kl in -np.sort(-self.vitals.evaluation.kl_per_dim))
        lines = [
            str(self.vitals.evaluation),
            *([] if self.validation is None else [f"validation {self.validation}"]),
            self._floor(),
            f"KL by unit {units} nats",
            *(f"- {finding}" for finding in self.findings),
        ]
        if not self.findings:
            lines.append("Nothing suspicious was found.")
        return "\n".join(textwrap.fill(line, 80, subsequent_indent="  ") for line in lines)

    def _floor(self):
        floor = self.vitals.yardsticks.floor
        if not np.isfinite(floor):
            return "no floor: the variance of x has left the range of float64"
        return f"floor {floor:.2f} nats, of a model that ignores z"


def diagnose(vae: VAE, x: ArrayLike, x_val: ArrayLike | None = None) -> Diagnosis:
    """The bound, its floor, the units, and every finding about a model on data; `print` it.

    x (N, D), x_val (M, D) or None -> Diagnosis. z is drawn at the points of a Sobol sequence, no
    generator needed: the same model and data, in the same order, always get the same answer.
    With the data that were learned from as x, and others as x_val, it finds overfitting.
    The floor is fitted to x itself, and more is forgiven where x has few rows.   [diagnosis.1]
    Raises TypeError or ValueError if x or x_val is no finite (N, D) array in the likelihood's
    support.
    """
    x, unit = vae.check_rows("x", x, vae.likelihood)
    if x_val is not None:
        x_val, unit_val = vae.check_rows("x_val", x_val, vae.likelihood)
    with np.errstate(over="ignore", invalid="ignore"):  # a finding, with its likely cause
        vitals = take_vitals(vae, measure(vae, x, unit), *_visit(vae, x, unit))
        found = list(findings(vitals))
        if x_val is None:
            return Diagnosis(vitals, found)
        validation = summarize(*_visit(vae, x_val, unit_val))
    return Diagnosis(vitals, found + list(generalization(vitals, validation)), validation)


def _visit(vae, x, unit):
    """log p(x|z), mu and logvar of all rows, a batch of them at a time."""
    draw = sobol_noise(vae.latent_dim)
    size = max(
        1, DIAGNOSE_NUMBERS // max(vae.likelihood.output_width(vae.data_dim), vae.latent_dim)
    )
    visited = []
    with kernels.pace("diagnose", vae.params.rows[0].size, size) as lap:
        for batch in vae.batches(x, unit, size):
            noise = draw(len(batch))[None].astype(vae.dtype)
            visited.append(per_row(elbo(vae, batch, noise)))
            lap()
    return map(np.concatenate, zip(*visited, strict=True))
