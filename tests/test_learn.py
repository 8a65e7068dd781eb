"""The workshop: what it empties, how it marks, and that it cannot be passed with nothing written.

tests/workshop.py proves of every function that its examiners refuse an empty and a wrong one.
"""

import ast
import csv
import functools
import json
import signal
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pytest

from equations import ROOT, audit
from museum import MUSEUM
from npvae import Bernoulli, kernels
from npvae.learn import catalogue, drawing, exhibits
from npvae.learn.__main__ import main
from npvae.learn.calls import Call, Observer, leaves, outcome
from npvae.learn.catalogue import WorkshopError, choose, exercises, is_empty
from npvae.learn.folder import Folder, create
from npvae.learn.parent import Children, ask
from npvae.learn.relations import relation
from npvae.learn.report import _junit
from npvae.learn.splice import functions, splice
from npvae.learn.verdicts import examine

once = pytest.mark.skipif(
    kernels.engine == "reference", reason="its children run on the reference engine anyway"
)
KL = {
    "gaussian_kl_per_dim": "return (mu * mu + (np.expm1(logvar) - logvar)) / 2",
    "gaussian_kl": "return gaussian_kl_per_dim(mu, logvar).sum(axis=-1)",
}


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workshop") / "mine"
    create(folder)
    return folder


@pytest.fixture
def folder(template, tmp_path):
    for path in template.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def write(folder, name, body, file="05-kl.py"):
    """Put a body in place of a function's blank."""
    source = (folder / file).read_text(encoding="utf-8")
    before, found, after = source.partition(f"def {name}(")
    (folder / file).write_text(
        before + found + after.replace("raise NotImplementedError", body, 1), encoding="utf-8"
    )


def exercise(name):
    (found,) = choose(exercises(), [name])
    return found


def command(*arguments):
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    said = end.value.code
    return said.replace("\n", " ") if isinstance(said, str) else said


# What there is to write


def test_every_equation_has_a_function_to_write_but_those_of_compiled_code():
    tags = {tag for e in exercises() for tag in e.tags}
    assert audit().tags.keys() - tags == {f"kernels.{i}" for i in range(1, 8)}
    assert all(e.tests for e in exercises())


def test_files_hold_every_function_once_and_empty(template):
    found = {}
    for path in template.glob("*.py"):
        for name, node in functions(ast.parse(path.read_text(encoding="utf-8"))).items():
            assert is_empty(node), (path.name, name)
            found.setdefault(path.name, []).append(name)
    assert sum(map(len, found.values())) == len(exercises())
    assert all(e.name in found[e.file] for e in exercises())


def test_an_emptied_function_keeps_signature_and_docstring(template):
    node = functions(ast.parse((template / "05-kl.py").read_text(encoding="utf-8")))["gaussian_kl"]
    assert ast.unparse(node.args) == "mu, logvar"
    assert ast.get_docstring(node).startswith("kl = ½ Σ_j")


def test_to_derive_hides_the_formula_and_keeps_the_shapes(tmp_path):
    create(tmp_path / "mine", derive=True)
    source = (tmp_path / "mine" / "05-kl.py").read_text(encoding="utf-8")
    assert "½" not in source
    assert "expm1" not in source
    assert "mu, logvar (B, Z) -> kl (B,)" in source
    for path in (tmp_path / "mine").glob("*.py"):
        ast.parse(path.read_text(encoding="utf-8"))


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "essay.txt").touch()
    assert "not empty" in command(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["essay.txt"]


def test_the_catalogue_is_read_anew_when_the_checkout_changes(folder, monkeypatch):
    note = folder / ".catalogue.json"
    kept = json.loads(note.read_text(encoding="utf-8"))
    assert catalogue.remembered(folder) == exercises()
    kept["exercises"] = kept["exercises"][:1]
    note.write_text(json.dumps(kept), encoding="utf-8")
    assert len(catalogue.remembered(folder)) == 1
    monkeypatch.setattr(catalogue, "_stamp", lambda: ["another"])
    assert catalogue.remembered(folder) == exercises()


def test_without_the_tests_it_says_that_it_needs_a_checkout(monkeypatch, tmp_path):
    monkeypatch.setattr(catalogue, "ROOT", tmp_path)
    with pytest.raises(WorkshopError, match="needs a checkout"):
        catalogue.tests_module("equations")


def test_importing_npvae_leaves_it_unread():
    code = "import npvae, sys; assert 'npvae.learn' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# Commands


@pytest.mark.skipif(sys.platform == "win32", reason="asks a shell")
def test_a_list_that_is_cut_short_says_nothing_of_it(template):
    shell = f'"{sys.executable}" -m npvae.learn list "{template}" | head -n 1'
    done = subprocess.run(shell, shell=True, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "starters.md\n"
    assert done.stderr == ""


@pytest.mark.parametrize("name", ["check", "list", "milestones", "watch"])
def test_a_folder_of_another_kind_is_refused(name, tmp_path):
    assert "was not made by the workshop" in command(name, tmp_path)
    assert "is no folder" in command(name, tmp_path / "nowhere")


@once
@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
@pytest.mark.usefixtures("ctrl_c_is_heard")
def test_what_is_saved_is_marked_until_ctrl_c(folder):
    words = [sys.executable, "-m", "npvae.learn", "watch", str(folder)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8") as watching:
        try:
            first = [watching.stdout.readline() for _ in range(3)]
            assert first[1] == "Nothing is written yet.\n"
            write(folder, "gaussian_kl", KL["gaussian_kl"])
            assert watching.stdout.readline().startswith("✓ gaussian_kl [kl.3]: right")
            assert watching.stdout.readline().startswith("1 of ")
        finally:
            watching.send_signal(signal.SIGINT)
        assert watching.communicate(timeout=60) == ("", None)
    assert watching.returncode == 130


@once
def test_a_child_that_waits_is_given_a_task_or_ended(folder):
    write(folder, "gaussian_kl", KL["gaussian_kl"])
    with Children() as children:
        children.prepare(2)
        first, second = children.waiting
        assert examine(Folder(folder), exercise("gaussian_kl"), children)["state"] == "yours"
        assert first.returncode == 0
    assert second.returncode not in (0, None)


def test_nothing_written_passes_nothing(folder, capsys):
    assert command("check", folder) == 1
    out = capsys.readouterr().out
    assert "Nothing is written yet." in out
    assert "\n0 of " in out
    assert command("check", folder, "kl.1") == 1
    assert command("report", folder, "--csv", folder / "marks.csv") is None
    with open(folder / "marks.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(exercises())
    assert {(row["state"], row["mark"]) for row in rows} == {("empty", "0")}


@pytest.mark.parametrize("words", ["kl.9", "nothing", "99"])
def test_an_equation_that_is_not_there_is_told(folder, words):
    assert f"no equation is called {words}" in command("hint", folder, words)


@pytest.mark.parametrize("words", ["kl", "05", "5", "05-kl.py"])
def test_equations_are_named_by_topic_chapter_or_file(words):
    assert {e.name for e in choose(exercises(), [words])} >= {*KL, "gaussian_kl_backward"}


def test_a_file_that_is_no_python_is_told_with_its_line(folder):
    write(folder, "gaussian_kl", "return (")
    assert "05-kl.py, line" in command("check", folder)


def test_reset_empties_a_function_and_keeps_a_copy(folder, capsys):
    before = (folder / "05-kl.py").read_text(encoding="utf-8")
    write(folder, "gaussian_kl", "return 1")
    written = (folder / "05-kl.py").read_text(encoding="utf-8")
    assert command("reset", folder, "kl.3") is None
    assert (folder / "05-kl.py").read_text(encoding="utf-8") == before
    assert (folder / "05-kl.py.1").read_text(encoding="utf-8") == written
    assert command("reset", folder, "kl.3") is None
    assert "empty already" in capsys.readouterr().out


def test_hints_come_one_at_a_time(folder, capsys):
    assert command("hint", folder, "kl.3") is None
    first = capsys.readouterr().out
    assert "derivations/05-kl.md, line" in first
    assert "½" not in first
    assert command("hint", folder, "kl.3") is None
    assert "kl = ½ Σ_j" in capsys.readouterr().out


# Marks


@once
def test_answers_are_marked_one_by_one(folder, capsys):
    write(folder, "gaussian_kl_per_dim", "return mu * mu + np.exp(logvar) - 1 - logvar")
    write(folder, "gaussian_kl", KL["gaussian_kl"])
    assert command("check", folder) == 1
    out = capsys.readouterr().out
    assert "✗ gaussian_kl_per_dim [kl.1, .2]: not yet" in out
    assert "twice the right one, everywhere" in out
    assert "✓ gaussian_kl [kl.3]: right" in out  # with the library's own gaussian_kl_per_dim
    assert "1 of " in out
    hint = "hint", folder, "kl.1", "--more"
    assert command(*hint) is None
    assert "The museum knows this mistake: “½ of the KL lost”." in capsys.readouterr().out


def test_marks_as_junit_count_failures_and_blanks():
    failure = {"test": "tests/test_kl.py::test_it[1]", "says": "", "error": "E & <f>", "line": ""}
    states = {"state": "yours"}, {"state": "wrong", "failure": failure}, {"state": "empty"}
    rows = [("mine", e, found) for e, found in zip(exercises(), states, strict=False)]
    (suite,) = ElementTree.fromstring(_junit(rows))
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    assert "E & <f>" in suite.find("testcase/failure").text


@once
def test_mathematics_and_floating_point_are_marked_apart(folder):
    write(folder, "gaussian_kl_per_dim", "return (mu**2 + np.exp(logvar) - 1 - logvar) / 2")
    found = examine(Folder(folder), exercise("gaussian_kl_per_dim"))
    assert found["state"] == "digits"
    assert "is right" in found["digits"]


@once
def test_a_test_that_never_called_the_answer_is_no_pass(folder):
    write(folder, "gaussian_kl", KL["gaussian_kl"])
    other = exercise("gaussian_kl")._replace(tests=exercise("reparameterize").tests)
    found = examine(Folder(folder), other)
    assert (found["state"], found["passed"]) == ("silent", 0)


@once
def test_an_answer_that_breaks_the_library_is_told(folder):
    write(folder, "gaussian_kl", KL["gaussian_kl"])
    with open(folder / "05-kl.py", "a", encoding="utf-8") as file:
        file.write("\nHALF = 1 / 0\n")
    found = examine(Folder(folder), exercise("gaussian_kl"))
    assert found["state"] == "broken"
    assert "ZeroDivisionError" in found["output"]


# The parts


def test_an_answer_takes_the_functions_place_with_its_helpers(tmp_path):
    module = "import math\n\nclass C:\n    def f(self, x):\n        return x\n\nuse = C().f(4)\n"
    path = tmp_path / "answer.py"
    path.write_text(
        "from operator import neg\n\n"
        "def root(x):\n    return neg(math.sqrt(x))\n\n"
        "class C:\n    def f(self, x):\n        return root(x)\n",
        encoding="utf-8",
    )
    names = {"__npvae_watch__": lambda name: lambda function: function, "__name__": "m"}
    exec(splice(module, "module.py", {"C.f": str(path)}), names)
    assert names["use"] == -2
    code = names["C"].f.__code__
    assert (code.co_filename, code.co_firstlineno) == (str(path), 7)
    assert names["root"].__code__.co_filename == str(path)


def test_a_call_is_kept_as_it_was_before_the_call():
    def draw(self, a, rng):
        a += rng.standard_normal()
        return a

    observer = Observer()
    arguments = Bernoulli(), np.zeros(2, np.float32), np.random.default_rng(0)
    observer.watch("draw")(draw)(*arguments)
    (call,) = observer.calls("draw")
    (_, a, rng), _ = call.arguments(double=True)
    assert a.dtype == np.float64
    np.testing.assert_array_equal(a, 0)
    assert rng.standard_normal() == np.random.default_rng(0).standard_normal()
    assert observer.count["draw"] == 1


def test_what_returns_nothing_is_judged_by_what_it_changed():
    def double(a):
        a *= 2

    (changed,), error = outcome(double, Call((np.ones(3),), {}).arguments())
    assert error is None
    np.testing.assert_array_equal(changed, 2)
    assert len(leaves({"a": [1, (2.0, np.ones(2))], "b": "text", "c": None})) == 3


ONE = [np.arange(1.0, 7).reshape(2, 3) ** 1.3, np.arange(2.0, 10).reshape(2, 4)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: -a, "its sign changed, everywhere"),
        (lambda a: a / 2, "half the right one, everywhere"),
        (lambda a: a * 3, "3 times the right one, everywhere"),
        (lambda a: a + 0.5, "the right one + 0.5, everywhere"),
        (lambda a: a / a.shape[1], "divided by the length of an axis"),
        (lambda a: a.T, "the right one transposed"),
        (lambda a: a[0], "of shape"),
        (lambda a: a**2, "the right one squared"),
        (lambda a: 0 * a, "zero everywhere"),
        (lambda a: np.sin(a), ""),
    ],
)
def test_relations_are_put_into_words(change, words):
    told = relation([([change(a)], [a]) for a in ONE])
    assert words in told
    assert bool(words) == bool(told)


def test_relations_of_several_results():
    swapped = relation([([b, a], [a, b]) for a, b in [(ONE[0], ONE[1])]])
    assert "wrong order" in swapped
    told = relation([([a, -b], [a, b]) for a, b in [(ONE[0], ONE[1])]])
    assert told.startswith("result 1 is right; result 2 is the right one with its sign changed")
    assert "exception" in relation([(None, [ONE[0]])])


# The museum


def test_the_mistakes_to_be_found_are_the_museums():
    assert {*exhibits.VISIBLE} <= {mistake.name for mistake in MUSEUM}
    assert "the museum has no 'typo'" in command("exhibit", "typo")


@pytest.mark.parametrize("seed", range(20))
def test_a_puzzle_shows_the_wrong_line_among_right_ones(seed):
    mistake, lines, place, names, right = exhibits.puzzle(seed)
    assert len({*lines}) == len({*names}) == 5
    assert names[right] == mistake.name
    for i, (file, line) in enumerate(lines):
        assert (line in source(file)) == (i != place), (file, line)


@functools.cache
def source(file):
    return (ROOT / file).read_text(encoding="utf-8")


@once
def test_a_test_of_ones_own_must_kill_the_mistake_and_spare_the_library(tmp_path):
    mistake = next(m for m in MUSEUM if m.name == "½ of the KL lost")
    good, blunt = tmp_path / "test_good.py", tmp_path / "test_blunt.py"
    good.write_text(
        "import numpy as np\nfrom npvae.kl import gaussian_kl\n\n"
        "def test_it():\n    assert gaussian_kl(np.ones((1, 1)), np.zeros((1, 1)))[0] == 0.5\n",
        encoding="utf-8",
    )
    blunt.write_text("def test_it():\n    assert False\n", encoding="utf-8")
    assert exhibits.judge(mistake, good)[:2] == (True, True)
    assert exhibits.judge(mistake, blunt)[:2] == (True, False)
    with pytest.raises(WorkshopError, match="is no file"):
        exhibits.judge(mistake, tmp_path / "nothing.py")


@once
def test_a_mistake_is_in_the_library_that_trains():
    mistake = next(m for m in MUSEUM if m.name == "½ of the KL lost")
    found = ask("training", edits=mistake.edits, epochs=1)
    elbo, reconstruction, kl = found["curve"][0]
    assert elbo == pytest.approx(reconstruction - kl)
    assert len(found["samples"]) == 4


def test_curves_and_digits_fit_a_terminal():
    lines = drawing.curves([-200, -150, -120], [-200, -140, float("inf")])
    assert lines[0].lstrip().startswith("-120")
    assert lines[-1].lstrip().startswith("-200")
    assert lines[-1].endswith("#")
    image = np.zeros((28, 28))
    image[10:18, 10:18] = 1
    assert any("@@@" in line for line in drawing.digits([image.tolist()] * 3))
    assert all(len(line) <= 80 for line in lines + drawing.digits([np.ones((28, 28))] * 3))
