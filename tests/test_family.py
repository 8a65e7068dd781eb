"""The example that sets the VAE beside its relatives."""

import re
import subprocess
import sys

import pytest

from equations import ROOT

EXAMPLE = ROOT / "examples/family.py"
NUMBER = r"-?[\d.,]+"


def run(*options):
    return subprocess.run(
        [sys.executable, "-W", "error", EXAMPLE, *options], capture_output=True, text=True
    )


def test_every_model_has_a_line_and_a_row_of_pictures(tmp_path):
    small = "--images", "600", "--test-images", "40", "--steps", "3", "--epochs", "1"
    done = run("--data", "glyphs", *small, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    rows = re.findall(
        rf"^(.{{26}}) +({NUMBER}) ± {NUMBER} +({NUMBER}) +{NUMBER}", done.stdout, re.MULTILINE
    )
    values = {name.strip(): float(log_px) for name, log_px, _ in rows}
    numbers = [int(count.replace(",", "")) for *_, count in rows]
    assert len(values) == 7
    assert numbers[:5] == [784, 7849, 7849, 39_249, 401_919]
    assert values["one product of Bernoullis"] < values["mixture of 10 products"]
    assert all(-400 < value < 0 for value in values.values())
    assert all(len(line) <= 80 for line in done.stdout.splitlines()[:-1])
    assert (tmp_path / "family.png").stat().st_size > 10_000


@pytest.mark.parametrize("option", ["--images", "--test-images", "--steps", "--epochs"])
def test_a_bad_number_is_told_before_any_work(option):
    done = run(option, "0")
    assert done.returncode == 2
    assert f"{option} is 0; expected a number >= 1" in done.stderr


def test_too_few_images_for_512_components_are_told_before_any_work(tmp_path):
    done = run("--data", "glyphs", "--images", "511", "--out", tmp_path)
    assert done.returncode == 2
    assert "--images is 511; a mixture of 512 needs as many" in done.stderr
