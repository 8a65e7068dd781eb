"""The tests, tested: famous mistakes, put in one at a time, must each fail an equation's test.

Each case runs the marked tests of one file on a mutated copy of the tree, on the reference
kernels, which need no compilation.
"""

import os
import shutil
import subprocess
import sys

import pytest

from equations import ROOT

MUTATIONS = {
    "the ½ dropped from the KL, and from its gradient": (
        "tests/test_kl.py",
        [
            ("npvae/kl.py", "(np.expm1(logvar) - logvar)) / 2", "(np.expm1(logvar) - logvar))"),
            (
                "npvae/kl.py",
                "return dkl * mu, dkl * np.expm1(logvar) / 2",
                "return 2 * dkl * mu, dkl * np.expm1(logvar)",
            ),
        ],
    ),
    "σ = exp(logvar), forward and backward alike": (
        "tests/test_reparameterization.py",
        [
            ("npvae/reparameterization.py", "mu + np.exp(logvar / 2)", "mu + np.exp(logvar)"),
            ("npvae/reparameterization.py", "np.exp(logvar / 2) / 2", "np.exp(logvar)"),
        ],
    ),
    "the second road into logvar left out": (
        "tests/test_elbo.py",
        [("npvae/elbo.py", "dlogvar + roads.dlogvar", "dlogvar")],
    ),
    "x − σ(a) with its sign turned": (
        "tests/test_likelihoods.py",
        [("npvae/kernels/reference.py", "(x - sigmoid(logits))", "(sigmoid(logits) - x)")],
    ),
    "Adam's bias correction counted in epochs, all of the first being step 1": (
        "tests/test_optimizers.py",
        [("npvae/optimizers.py", "self.steps += 1", "self.steps = 1")],
    ),
    "the log of the mean over L in place of the mean of the logs": (
        "tests/test_elbo.py",
        [
            (
                "npvae/objectives.py",
                "return trace.log_px_z.sum(axis=0) / len(noise) - self.beta * trace.kl",
                "return np.logaddexp.reduce(trace.log_px_z) - np.log(len(noise)) - trace.kl",
            )
        ],
    ),
}


def run_marked_tests(root, file):
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-qx", "-m", "equation", "-p", "no:cacheprovider", file],
        cwd=root,
        env=os.environ | {"NPVAE_KERNELS": "reference"},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("mistake", MUTATIONS)
def test_a_famous_mistake_fails_an_equations_test(tmp_path, mistake):
    file, edits = MUTATIONS[mistake]
    for name in ("npvae", "tests", "derivations", "pyproject.toml"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    for path, right, wrong in edits:
        source = (tmp_path / path).read_text(encoding="utf-8")
        assert source.count(right) == 1, f"{right} stands {source.count(right)} times in {path}"
        (tmp_path / path).write_text(source.replace(right, wrong), encoding="utf-8")
    done = run_marked_tests(tmp_path, file)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "\n1 failed" in done.stdout
