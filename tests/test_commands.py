"""The commands: files written by other means than ours come in, and what comes out is right."""

import csv
import gzip
import json
import os
import re
import shlex
import signal
import struct
import subprocess
import sys
import warnings

import numpy as np
import pytest

import npvae
from npvae import kernels
from npvae.__main__ import COMMANDS, main
from npvae.commands import record, train
from npvae.commands.impute import SAMPLES
from npvae.posterior import impute
from npvae.reading.data import read_data
from npvae.storage import model as storage

pytestmark = pytest.mark.skipif(
    kernels.engine == "reference", reason="what it looks at is the same on both engines"
)
NAMES = ["height", "weight, kg", "age", "sex"]
SMALL = ["--hidden", "4", "--latent", "2", "--epochs", "2"]


def people(n=60):
    """Numbers of four columns, and a word for each row."""
    rng = np.random.default_rng(0)
    x = np.column_stack(
        [rng.normal(170, 9, n), rng.normal(70, 12, n), rng.integers(18, 80, n), np.arange(n) % 2]
    )
    return x, np.array(["city", "village"])[np.arange(n) % 3 // 2]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_csv(path, rows, header=None, delimiter=",", encoding="utf-8"):
    with open(path, "w", newline="", encoding=encoding) as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerows(([header] if header else []) + [list(row) for row in rows])


@pytest.fixture
def table(folder):
    """people.csv, whose last column is a text."""
    x, words = people()
    rows = [[*map(repr, row.tolist()), word] for row, word in zip(x, words, strict=True)]
    write_csv(folder / "people.csv", rows, [*NAMES, "home"])
    return folder / "people.csv"


def run(capsys, *arguments):
    """-> status, what was printed, and what was told beside it"""
    capsys.readouterr()
    status = main(list(map(str, arguments)))
    said = capsys.readouterr()
    return status, said.out, said.err


def trained(capsys, data="people.csv", *options):
    """model.npz of data."""
    label = ["--label", "home"] if data == "people.csv" else []
    status, _, err = run(capsys, "train", data, *label, *SMALL, "--force", *options)
    assert status == 0, err
    return record.load_model("model.npz")


# What is read


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("header", [None, NAMES, ["0", "1", "2", "3"], ["1", "2", "3", "4"]])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_tables_of_text_are_read(folder, delimiter, header, encoding):
    x, _ = people()
    write_csv(folder / "x", x.tolist(), header, delimiter, encoding)
    data = read_data(folder / "x")
    np.testing.assert_array_equal(data.x, x)
    assert data.names == header
    assert (data.shape, data.labels) == (None, None)


def test_what_is_missing_is_a_hole(folder):
    (folder / "x").write_text(
        'a,b, c\n1,,3\n\n NA,?,"6"\n"7", -1e3 ,nan\n-,.,None\r\n', encoding="utf-8"
    )
    nan = np.nan
    expected = [[1, nan, 3], [nan, nan, 6], [7, -1000, nan], [nan, nan, nan]]
    np.testing.assert_array_equal(read_data(folder / "x").x, expected)


@pytest.mark.parametrize(
    ("text", "names", "x"),
    [
        ("1,5;2\n-3,25;4\n", None, [[1.5, 2], [-3.25, 4]]),
        ("2019;2020;town\n1;2;3\n4;5;6\n", ["2019", "2020", "town"], [[1, 2, 3], [4, 5, 6]]),
        (",0,1\n0,5,6\n1,7,8\n", ["column 0", "0", "1"], [[0, 5, 6], [1, 7, 8]]),
        ("a\n1\n2\n", ["a"], [[1], [2]]),
        ("1 \n2\n", None, [[1], [2]]),
        ("1,2,3\n", None, [[1, 2, 3]]),
        ("0,1,2\n3,4,5\n", None, [[0, 1, 2], [3, 4, 5]]),
        ('"a;b",c\n1,2\n', ["a;b", "c"], [[1, 2]]),
        ("5.1,3.5,1\n4.9,3.0,2\n", None, [[5.1, 3.5, 1], [4.9, 3.0, 2]]),
        ("a,b\n,1\n2,\n,\n  \n3,4", ["a", "b"], [[np.nan, 1], [2, np.nan], [np.nan] * 2, [3, 4]]),
    ],
)
def test_unusual_tables(folder, text, names, x):
    (folder / "x.csv").write_text(text)
    data = read_data(folder / "x.csv")
    np.testing.assert_array_equal(data.x, x)
    assert data.names == names


def test_columns_are_chosen_by_name_or_number(table):
    x, words = people()
    data = read_data(table, drop=["weight, kg", "2"], label="home")
    np.testing.assert_array_equal(data.x, x[:, [0, 3]])
    np.testing.assert_array_equal(data.labels, words)
    assert data.names == ["height", "sex"]
    data = read_data(table, keep=["sex", "height"], usual_label="home")
    np.testing.assert_array_equal(data.x, x[:, [3, 0]])
    np.testing.assert_array_equal(data.labels, words)
    data = read_data(table, keep=["sex"], usual_label="gone")
    assert data.labels is None
    np.save("x.npy", x)
    data = read_data(table.with_name("x.npy"), drop=["0"], label="3")
    np.testing.assert_array_equal(data.x, x[:, [1, 2]])
    np.testing.assert_array_equal(data.labels.astype(float), x[:, 3])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no line of text; expected a table"),
        ("\n\n", "holds no line of text"),
        ("a,b\n", "has the names a, b, and no row below them"),
        ("a,b\n1,2\n3\n", "line 3 has 1 entries; the first line has 2"),
        ("a,b\n1,2\n\n3,4,5\n", "line 4 has 3 entries"),
        ("1,2\n3,x\n", "line 2: column '1' holds the text 'x'; write numbers for it, such as 0, 1"),
        ("a,b c\n1,2\n3,1.234,5\n", "line 3 has 3 entries"),
        ("a;b\n1;1.234,5\n", "column 'b' holds the text '1.234,5'"),
        ("a,b c\n1,red\n", r"leave it out (--drop 'b c'), or keep it apart (--label 'b c')"),
        ("a,a\n1,2\n", None),
        ('a,b\n1,"2\n', None),
    ],
)
def test_damaged_tables_are_told(folder, text, message):
    (folder / "x.csv").write_text(text)
    if message is None:
        read_data(folder / "x.csv", drop=["1"])
        return
    with pytest.raises(ValueError, match=re.escape(message)) as told:
        read_data(folder / "x.csv")
    assert "x.csv" in str(told.value)


def test_columns_that_are_not_there_are_told(folder):
    (folder / "x.csv").write_text("a,a,b\n1,2,3\n")
    for choice, message in (
        ({"drop": ["c"]}, "has no column 'c'; it has a, a.1, b"),
        ({"drop": ["3"]}, "has no column '3'"),
        ({"label": "-1"}, "has no column '-1'"),
        ({"drop": ["0", "1", "2"]}, "has no column left"),
        ({"keep": ["b", "x"]}, "has no column 'x'"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            read_data(folder / "x.csv", **choice)
    (folder / "latin.csv").write_bytes("Größe\n1\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"latin.csv is no UTF-8 text"):
        read_data(folder / "latin.csv")
    late = "a,b\n" + "1,2\n" * 5000
    (folder / "late.csv").write_bytes(late.encode() + b"\xe4,1\n")
    with pytest.raises(ValueError, match=r"late.csv, line \d+: .*utf-8"):
        read_data(folder / "late.csv")


def picture(path, array, mode=None):
    image = pytest.importorskip("PIL.Image").fromarray(array)
    (image.convert(mode) if mode else image).save(path)


def test_a_folder_of_pictures_is_read(folder):
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (3, 5, 7), dtype=np.uint8)
    (folder / "grey").mkdir()
    for name, pixels in zip(("b.png", "a.PNG", "c.bmp"), grey, strict=True):
        picture(folder / "grey" / name, pixels)
    (folder / "grey" / "notes.txt").write_text("no picture")
    data = read_data(folder / "grey")
    np.testing.assert_array_equal(data.x, grey[[1, 0, 2]].reshape(3, 35))
    assert (data.shape, data.x.dtype) == ((5, 7), np.uint8)
    colour = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    picture(folder / "grey" / "d.png", colour)
    picture(folder / "grey" / "e.png", colour, "RGBA")  # opaque
    data = read_data(folder / "grey")
    assert data.shape == (5, 7, 3)
    np.testing.assert_array_equal(data.x[3:].reshape(2, 5, 7, 3), [colour, colour])
    np.testing.assert_array_equal(data.x[0].reshape(5, 7, 3)[..., 2], grey[1])


def test_pictures_that_cannot_be_learned_from_are_named(folder):
    pixels = np.zeros((4, 4), np.uint8)
    for name, message in {
        "empty": "holds no picture; expected some of .png",
        "size": "b.png has 4 × 5 pixels; a.png has 4 × 4, and all must have as many",
        "broken": "b.png is no picture to learn from",
        "clear": "b.png is no picture to learn from: it is transparent in places",
        "deep": "b.png is no picture to learn from: it has more than 8 bits a colour",
    }.items():
        (folder / name).mkdir()
        b = folder / name / "b.png"
        if name != "empty":
            picture(folder / name / "a.png", pixels)
        if name == "size":
            picture(b, np.zeros((4, 5), np.uint8))
        elif name == "broken":
            b.write_bytes((folder / name / "a.png").read_bytes()[:40])
        elif name == "clear":
            picture(b, np.zeros((4, 4, 4), np.uint8))
        elif name == "deep":
            picture(b, np.zeros((4, 4), np.uint16))
        with pytest.raises(ValueError, match=re.escape(message)):
            read_data(folder / name)


# What is made of it


def test_describe_prints_the_data_and_the_way_on(table, capsys):
    status, out, err = run(capsys, "describe", table, "--label", "home")
    assert (status, err) == (0, "")
    assert out.startswith("60 rows × 4 columns, float64, from 0 to ")
    x, _ = people()
    names = {"x": x, "npvae": npvae}
    code = re.search(r"(    numbers = .*?)\n\nFrom the shell", out, re.DOTALL)[1]
    exec(re.sub(r"^    ", "", code, flags=re.MULTILINE), names)
    assert names["likelihood"] == npvae.describe(x).likelihood
    assert f"python -m npvae train {table} --label home" in out
    np.save("x.npy", np.column_stack([x, np.ones(60)]))
    assert "train x.npy --drop 4\n" in run(capsys, "describe", "x.npy")[1]
    out = run(capsys, "describe", "x.npy", "--drop", "0", "2")[1]
    assert "train x.npy --drop 0 2 4\n" in out  # numbers are those of the file


def test_what_describe_would_drop_is_what_train_drops(folder, capsys):
    x, _ = people()
    rows = np.column_stack([np.ones(60), x, np.zeros(60)]).tolist()
    write_csv("x.csv", rows, ["column 2", "b", "salary", "d", "e", "-f"])
    out = run(capsys, "describe", "x.csv")[1]
    line = re.search(r"python -m npvae train (.*)", out)[1]
    assert line == "x.csv --drop 'column 2' 5"
    assert run(capsys, "train", *shlex.split(line), *SMALL)[0] == 0
    assert record.load_model("model.npz")[1].names == ["b", "salary", "d", "e"]
    np.save("one.npy", x[:1])
    assert "python -m npvae train" not in run(capsys, "describe", "one.npy")[1]


def test_columns_of_one_name_are_told_apart_by_all_commands(folder, capsys):
    x, _ = people()
    write_csv("x.csv", x.tolist(), ["a", "a", "a.1", ""])
    assert trained(capsys, "x.csv")[1].names == ["a", "a.1", "a.1.1", "column 3"]
    assert run(capsys, "evaluate", "model.npz", "x.csv", "--draws", "0")[0] == 0


def test_a_model_is_trained_and_judged(table, capsys):
    status, out, err = run(capsys, "train", table, "--label", "home", *SMALL)
    assert status == 0, err
    assert "54 rows to learn from; 6 held out" in out
    assert len(re.findall(r"^epoch   \d  elbo", out, re.MULTILINE)) == 2
    assert len(re.findall(r"^validation  ", out, re.MULTILINE)) == 2
    assert re.search(r"^kept epoch \d of 2, the best on the rows held out$", out, re.MULTILINE)
    vae, (x, words) = npvae.VAE.load("model.npz"), people()
    assert vae.likelihood == npvae.describe(x).likelihood

    status, out, _ = run(capsys, "evaluate", "model.npz", table, "--draws", "50", "--seed", "3")
    assert status == 0
    bound_rng, draws_rng = np.random.default_rng(3).spawn(2)
    assert str(npvae.evaluate(vae, x, rng=bound_rng)) in out
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", npvae.UnreliableWarning)
        assert str(npvae.log_likelihood(vae, x, samples=50, rng=draws_rng)) in out
    for word in ("city", "village"):
        own = npvae.evaluate(vae, x[words == word], rng=np.random.default_rng(3))
        told = (
            rf"label {word} +elbo +{own.elbo:.2f} ± {own.standard_error:.2f} +{sum(words == word)}"
        )
        assert re.search(told, out)
    assert "log p(x)" not in run(capsys, "evaluate", "model.npz", table, "--draws", "0")[1]

    status, out, _ = run(capsys, "diagnose", "model.npz", table, "--validation", table)
    assert status == 0
    assert out == f"{npvae.diagnose(vae, x, x)}\n"


def test_the_seed_decides_and_choices_are_heard(table, capsys, monkeypatch):
    heard = {}

    def listening(vae, x, **choices):
        heard.update(choices, vae=vae, x=x)
        return npvae.train(vae, x, **choices)

    monkeypatch.setattr(train, "train", listening)
    first, _ = trained(capsys)
    again, _ = trained(capsys)
    other, _ = trained(capsys, "people.csv", "--seed", "1")
    weights = [vae.params.rows[0] for vae in (first, again, other)]
    np.testing.assert_array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])
    rest = heard["x"].tolist() + heard["x_val"].tolist()
    assert sorted(rest) == sorted(people()[0].tolist())
    options = (
        "--hidden 7 3 --latent 1 --epochs 3 --batch-size 9 --lr 0.01 --beta 0.5 --validation 4"
    )
    vae, _ = trained(capsys, "people.csv", *options.split())
    assert repr(vae).startswith("VAE(4-7-3-1, tanh, Product")
    assert (heard["epochs"], heard["batch_size"], len(heard["x_val"])) == (3, 9, 4)
    assert (heard["optimizer"].learning_rate, heard["objective"].beta) == (0.01, 0.5)
    assert heard["keep_best"]
    assert isinstance(heard["stop_when"], npvae.Patience)
    vae, _ = trained(capsys, "people.csv", "--hidden", "--validation", "0")
    assert repr(vae).startswith("VAE(4-2, ")
    assert (heard["x_val"], heard["stop_when"], heard["keep_best"]) == (None, None, False)


NAMED = {
    "bernoulli": npvae.Bernoulli(),
    "continuous-bernoulli": npvae.ContinuousBernoulli(),
    "gaussian": npvae.LearnedGaussian(optimal=True),
    "categorical": npvae.Categorical(256),
}


def write_idx(path, images, opened=open):
    with opened(path, "wb") as file:
        file.write(struct.pack(">HBB3I", 0, 8, 3, *images.shape) + images.tobytes())


@pytest.mark.parametrize("name", NAMED)
def test_grey_levels_are_scaled_as_the_likelihood_needs(folder, capsys, monkeypatch, name):
    heard = {}

    def listening(*given, **choices):
        heard.update(choices)
        return npvae.train(*given, **choices)

    monkeypatch.setattr(train, "train", listening)
    images = np.random.default_rng(0).integers(0, 256, (60, 4, 5), dtype=np.uint8)
    images[0, 0, 0] = 255
    write_idx("images.gz", images, gzip.open)
    vae, kept = trained(capsys, "images.gz", "--likelihood", name)
    assert vae.likelihood == NAMED[name]
    assert (kept.divide, kept.binarize, kept.shape) == (255, name == "bernoulli", [4, 5])
    assert heard["binarize"] == kept.binarize
    x = np.float32(images.reshape(60, 20)) / 255
    if kept.binarize:
        x = npvae.binarize(x, rng=np.random.default_rng([0, record.TARGETS]))
    out = run(capsys, "evaluate", "model.npz", "images.gz", "--draws", "0")[1]
    assert str(npvae.evaluate(vae, x, rng=np.random.default_rng(0).spawn(2)[0])) in out
    assert run(capsys, "sample", "model.npz", "--n", "6", "--out", "x.PNG")[0] == 0
    assert run(capsys, "sample", "model.npz", "--n", "6", "--out", "x.npy")[0] == 0
    x = np.load("x.npy")
    assert x.shape == (6, 20)
    assert 2 < x.max() < 2000  # in levels, not shares
    assert run(capsys, "explore", "model.npz", "--data", "images.gz")[0] == 0


@pytest.mark.parametrize("levels", [2, 255, 3])
def test_bytes_are_read_as_what_they_are(folder, capsys, levels):
    """Black and white pictures of 8 bits; a table of 0 and 1; one of codes."""
    x = np.random.default_rng(0).integers(0, 2 if levels == 255 else levels, (60, 20), np.uint8)
    if levels == 255:
        x *= 255
        x[0, 0] = 200
    np.save("x.npy", x)
    vae, kept = trained(capsys, "x.npy")
    kind = npvae.Categorical if levels == 3 else npvae.Bernoulli
    assert isinstance(vae.likelihood, kind)
    assert kept.divide == (255 if levels == 255 else 1)
    for command in ("evaluate", "diagnose", "verify"):
        assert run(capsys, command, "model.npz", "x.npy")[0] == 0


@pytest.mark.parametrize(
    ("name", "likelihood"),
    [
        ("poisson", npvae.Poisson()),
        ("negative-binomial", npvae.NegativeBinomial()),
        ("categorical", npvae.Categorical(levels=9, whole=True)),
        ("column-gaussian", npvae.ColumnGaussian()),
        ("student-t", npvae.StudentT()),
    ],
)
@pytest.mark.parametrize("holes", [False, True])
def test_a_table_can_be_read_otherwise(folder, capsys, name, likelihood, holes):
    x = np.random.default_rng(0).integers(0, 9, (60, 3)).astype(np.float64)
    x[0] = 8
    if holes:
        x[1, 1] = np.nan
    np.savez("x.npz", x=x, other=np.zeros(2))
    vae, _ = trained(capsys, "x.npz", "--likelihood", name)
    found = vae.likelihood
    assert isinstance(found, npvae.Holes) == holes
    found = found.likelihood if holes else found
    assert getattr(found, "likelihood", found) == likelihood
    assert run(capsys, "verify", "model.npz", "x.npz")[0] == 0
    assert run(capsys, "sample", "model.npz", "--out", "s.csv")[0] == 0
    drawn = np.loadtxt("s.csv", delimiter=",")
    assert drawn.shape == (100, 3)
    if isinstance(likelihood, npvae.Poisson | npvae.NegativeBinomial | npvae.Categorical):
        assert "." not in (folder / "s.csv").read_text()


def test_ctrl_c_keeps_what_was_learned(table, capsys, monkeypatch, ctrl_c_is_heard):
    def cut(*given, **choices):
        for epoch in npvae.train(*given, **choices):
            yield epoch
            if epoch.epoch == 3:
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(train, "train", cut)
    status, out, _ = run(capsys, "train", table, "--label", "home", "--hidden", "4")
    assert status == 0
    assert "stopped in epoch 4; keeping what was learned" in out
    assert out.count("\nepoch ") == 3
    assert run(capsys, "verify", "model.npz", table)[0] == 0

    def at_once(*given, **choices):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(train, "read_data", lambda *_, **__: next(at_once()))
    status, out, err = run(capsys, "train", table, "--out", "b.npz")
    assert (status, out, err) == (130, "", "python -m npvae train: stopped\n")


def shell(*arguments, environment=None, **options):
    """The command in a process of its own."""
    command = [sys.executable, "-m", "npvae", *arguments]
    return subprocess.Popen(command, env={**os.environ, **(environment or {})}, **options)


def test_who_reads_no_more_loses_nothing(table):
    """As `| head -2` and `q` in a pager do."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = ["train", str(table), "--label", "home", "--hidden", "4", "--epochs", "40"]
    with shell(*command, **options) as process:
        process.stdout.readline()
        process.stdout.close()
        assert (process.wait(100), process.stderr.read()) == (0, "")
    assert len(npvae.VAE.load("model.npz").params.encoder) == 2


def test_sigterm_keeps_what_was_learned(table):
    command = ["train", str(table), "--label", "home", "--hidden", "4", "--epochs", "1000000"]
    command += ["--validation", "0"]
    with shell(*command, stdout=subprocess.PIPE, text=True) as process:
        while not process.stdout.readline().startswith("epoch   2"):
            pass
        process.send_signal(signal.SIGTERM)
        said = process.stdout.read()
        assert process.wait(100) == 128 + signal.SIGTERM
    assert "keeping what was learned" in said
    assert npvae.VAE.load("model.npz").data_dim == 4


def test_a_console_that_lacks_letters_loses_nothing(table):
    options = {"environment": {"PYTHONIOENCODING": "cp1252"}, "stdout": subprocess.PIPE}
    with shell("train", str(table), "--label", "home", *SMALL, **options) as process:
        said = process.stdout.read().decode("cp1252")
        assert process.wait(100) == 0
    assert re.search(r"epoch   2  elbo .* \? kl ", said)
    assert npvae.VAE.load("model.npz").data_dim == 4


def test_ctrl_c_after_the_training_loses_nothing(table, capsys, monkeypatch):
    def cut(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(record, "checks_of", cut)
    assert run(capsys, "train", table, "--label", "home", *SMALL)[0] == 130
    assert npvae.VAE.load("model.npz").data_dim == 4


def test_a_number_that_leaves_its_range_is_told(table, capsys):
    status, _, err = run(capsys, "train", table, "--label", "home", *SMALL, "--lr", "1e30")
    assert status == 1
    assert "stopped in epoch 1: " in err
    assert "nothing was learned, and nothing is written" in err
    assert not table.with_name("model.npz").exists()


def test_a_model_is_kept_whose_numbers_cannot_be_checked(table, capsys, monkeypatch):
    def beyond(*_):
        raise FloatingPointError("log w of row 3 is not finite")

    monkeypatch.setattr(record, "checks_of", beyond)
    status, _, err = run(capsys, "train", table, "--label", "home", *SMALL)
    assert status == 0
    assert "note: verify will have nothing to compare: log w of row 3 is not finite" in err
    assert npvae.VAE.load("model.npz").data_dim == 4
    assert run(capsys, "verify", "model.npz")[0] == 2


# Whether it holds


def test_verify_says_whether_it_holds(table, capsys):
    vae, kept = trained(capsys)
    status, out, _ = run(capsys, "verify", "model.npz")
    assert status == 0
    assert (out.count("holds"), out.count("not checked"), out.count("FAILS")) == (2, 3, 0)
    status, out, _ = run(capsys, "verify", "model.npz", table)
    assert (status, out.count("holds"), out.count("FAILS")) == (0, 5, 0)
    assert out.startswith("model.npz, by python -m npvae train people.csv --label home")
    # Its numbers are those of the library.
    x, _ = people()
    bound = npvae.evaluate(vae, x, rng=np.random.default_rng([0, record.BOUND])).elbo
    assert kept.checks["bound of the data"] == [bound]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", npvae.UnreliableWarning)
        rng = np.random.default_rng([0, record.DATA])
        first = npvae.log_likelihood(vae, x[:8], samples=record.DRAWS, rng=rng)
    assert kept.checks["log p(x) of the data's first rows"] == first.log_px.tolist()

    text = table.read_text()
    for changed, fails in (
        (text.replace("\n", "\n", 1), 0),
        (text.rstrip("\n").rsplit("\n", 1)[0] + "\n", 2),  # a row less: the bound is another
        (re.sub(r"^\d+\.", "200.", text, count=1, flags=re.MULTILINE), 3),
    ):
        (table.with_name("other.csv")).write_text(changed)
        status, out, _ = run(capsys, "verify", "model.npz", "other.csv")
        assert (status, out.count("FAILS")) == (1 if fails else 0, fails), out

    vae.params.decoder[0].W[0, 0] += 1e-6
    storage.save("model.npz", vae.params, vae.likelihood, "tanh", record=kept._asdict())
    status, out, _ = run(capsys, "verify", "model.npz", table)
    assert (status, out.count("FAILS")) == (1, 1), out
    vae.params.decoder[0].W[0] += 1
    storage.save("model.npz", vae.params, vae.likelihood, "tanh", record=kept._asdict())
    status, out, _ = run(capsys, "verify", "model.npz", table)
    assert (status, out.count("FAILS")) == (1, 4), out


def test_a_model_without_a_record_is_judged_all_the_same(table, capsys):
    vae, _ = trained(capsys)
    vae.save("plain.npz")
    status, _, err = run(capsys, "verify", "plain.npz")
    assert (status, err.count("\n")) == (2, 1)
    assert "plain.npz holds no numbers to compare; train writes them" in err
    assert run(capsys, "evaluate", "plain.npz", table, "--label", "home")[0] == 0
    assert run(capsys, "sample", "plain.npz", "--out", "x.csv")[0] == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("checks", [1]),
        ("checks", {"parameters": 3}),
        ("names", [1, 2, 3, 4]),
        ("names", 5),
        ("names", ["a"]),
        ("divide", -1),
        ("divide", True),
        ("seed", None),
        ("shape", [2, 3]),
        ("drop", "home"),
        ("label", 3),
    ],
)
def test_a_field_that_train_cannot_have_written_is_told(table, capsys, field, value):
    vae, kept = trained(capsys)
    record = kept._asdict() | {field: value}
    storage.save("model.npz", vae.params, vae.likelihood, "tanh", record=record)
    for line in ("verify model.npz", "sample model.npz --out x.csv", "explore model.npz"):
        status, _, err = run(capsys, *line.split())
        assert (status, err.count("\n")) == (2, 1)
        assert f"model.npz has a damaged record: its {field} is " in err


@pytest.mark.parametrize("wrong", ["text", [1], {"rows": 3}, {}])
def test_a_damaged_record_is_told(table, capsys, wrong):
    vae, kept = trained(capsys)
    bad = kept._asdict() | wrong if isinstance(wrong, dict) and wrong else wrong
    if isinstance(bad, dict) and bad:
        del bad["seed"]
    storage.save("model.npz", vae.params, vae.likelihood, "tanh", record=bad)
    assert npvae.VAE.load("model.npz").data_dim == 4
    status, _, err = run(capsys, "verify", "model.npz")
    assert (status, err.count("\n")) == (2, 1)
    assert "model.npz has a damaged" in err


def test_the_same_columns_are_found_in_another_file(table, capsys):
    _, kept = trained(capsys)
    x, words = people()
    rows = [[word, *row[::-1]] for row, word in zip(x.tolist(), words, strict=True)]
    write_csv("turned.csv", rows, ["town", *NAMES[::-1]], ";")
    assert run(capsys, "verify", "model.npz", "turned.csv")[0] == 0
    np.save("x.npy", x)
    status, _, err = run(capsys, "evaluate", "model.npz", "x.npy")
    assert status == 0, err
    assert kept.names == NAMES
    write_csv("less.csv", x[:, :3].tolist(), NAMES[:3])
    status, _, err = run(capsys, "evaluate", "model.npz", "less.csv")
    assert status == 2
    assert "less.csv has no column 'sex'" in err


# What comes out


def test_samples_have_names_and_units(table, capsys):
    vae, _ = trained(capsys)
    status, out, _ = run(capsys, "sample", "model.npz", "--n", "7", "--out", "s.csv", "--means")
    assert (status, out) == (0, "s.csv: 7 rows\n")
    with open("s.csv", newline="") as file:
        names, *rows = csv.reader(file)
    assert names == NAMES
    means = vae.sample(7, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(np.array(rows, np.float32), means)
    run(capsys, "sample", "model.npz", "--n", "7", "--out", "s.npy", "--seed", "5")
    drawn = vae.sample(7, rng=np.random.default_rng(5), draw=True)
    np.testing.assert_array_equal(np.load("s.npy"), drawn)


def holed(folder):
    """holes.csv: people's numbers, a fifth of which is missing.  -> the numbers, NaN there"""
    x, _ = people()
    x = np.where(np.random.default_rng(1).random(x.shape) < 0.2, np.nan, x)
    rows = [["" if np.isnan(v) else repr(v) for v in row] for row in x.tolist()]
    write_csv(folder / "holes.csv", rows, NAMES)
    return x


def numbers(path):
    with open(path, newline="") as file:
        names, *rows = csv.reader(file)
    assert names == NAMES
    return np.array(rows, float)


def test_holes_are_filled_and_the_rest_is_as_it_was(folder, capsys):
    x = holed(folder)
    vae, _ = trained(capsys, "holes.csv")
    status, out, err = run(capsys, "impute", "model.npz", "holes.csv", "--out", "f.csv")
    assert status == 0, err
    assert out.splitlines()[0] == "f.csv: 60 rows"
    filled, hole = numbers("f.csv"), np.isnan(x)
    assert f"{hole.sum()} holes filled" in out
    assert np.isfinite(filled).all()
    np.testing.assert_array_equal(filled[~hole], x[~hole])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", npvae.UnreliableWarning)
        want = impute(vae, x, draws=3, samples=SAMPLES, rng=np.random.default_rng(4))
        mean = impute(vae, x, draws=1, samples=SAMPLES, rng=np.random.default_rng(4)).x
    run(capsys, "impute", "model.npz", "holes.csv", "--out", "f.csv", "--draws", "3", "--seed", "4")
    for k in range(3):
        found = numbers(f"f-{k + 1}.csv")
        np.testing.assert_array_equal(np.float32(found[hole]), want.draws[k][hole])
    run(capsys, "impute", "model.npz", "holes.csv", "--out", "m.npy", "--means", "--seed", "4")
    np.testing.assert_array_equal(np.float32(np.load("m.npy")[hole]), mean[hole])


def test_what_the_model_does_not_know_stays_in_the_table(folder, capsys):
    x = holed(folder)
    rows = [
        [f"p{n}", *("" if np.isnan(v) else f"{v}" for v in row), "é"] for n, row in enumerate(x)
    ]
    write_csv("visits.csv", rows, ["patient", *NAMES, "note"], ";")
    options = ["--label", "patient", "--drop", "note", *SMALL]
    assert run(capsys, "train", "visits.csv", *options)[0] == 0
    status, _, err = run(capsys, "impute", "model.npz", "visits.csv", "--out", "f.csv")
    assert status == 0, err
    with open("f.csv", newline="", encoding="utf-8") as file:
        names, *filled = csv.reader(file)
    assert names == ["patient", *NAMES, "note"]
    assert [[row[0], row[-1]] for row in filled] == [[f"p{n}", "é"] for n in range(len(x))]
    found = np.array([row[1:-1] for row in filled], float)
    np.testing.assert_array_equal(found[~np.isnan(x)], x[~np.isnan(x)])
    status, _, err = run(capsys, "impute", "model.npz", "visits.csv", "--out", "f.csv")
    assert "f.csv is there already" in err
    run(capsys, "impute", "model.npz", "visits.csv", "--out", "f.npy")
    assert np.load("f.npy").shape == x.shape


def test_pictures_stay_pictures(folder, capsys):
    levels = np.random.default_rng(0).random((60, 3, 4))
    levels[levels < 0.05] = np.nan
    np.save("x.npy", np.asfortranarray(levels))
    assert run(capsys, "train", "x.npy", *SMALL)[0] == 0
    assert run(capsys, "impute", "model.npz", "x.npy", "--out", "f.npy")[0] == 0
    filled = np.load("f.npy")
    assert filled.shape == levels.shape
    np.testing.assert_array_equal(filled[~np.isnan(levels)], levels[~np.isnan(levels)])
    np.save("x.npy", np.nan_to_num(levels))
    assert run(capsys, "train", "x.npy", *SMALL, "--force", "--likelihood", "bernoulli")[0] == 0
    assert run(capsys, "explore", "model.npz")[0] == 0
    page = (folder / "model.html").read_text(encoding="utf-8")
    assert re.search(r'"shape": ?\[3, ?4\]', page)


def test_a_model_of_whole_rows_fills_no_holes(table, capsys):
    trained(capsys)
    status, _, err = run(capsys, "impute", "model.npz", "people.csv", "--out", "f.csv")
    assert status == 2
    assert "model.npz learned from rows without holes; train it on rows with some" in err
    run_twice = ["impute", "model.npz", "people.csv", "--out", "f.csv", "--means", "--draws", "2"]
    assert "expected one of the two" in run(capsys, *run_twice)[2]


# Errors, in a line


def wrong(folder):
    """Arguments of the commands, and what they should say."""
    x, _ = people()
    np.save("x.npy", x)
    np.save("flat.npy", x[0])
    np.save("inf.npy", np.where(x == x[0, 0], np.inf, x))
    np.save("narrow.npy", x[:, :3])
    np.save("text.npy", np.array([["a"]]))
    np.save("bytes.npy", np.uint8(np.arange(64).reshape(4, 16) * 4))
    np.save("wide.npy", np.random.default_rng(0).normal(size=(3, 9000)))
    gaussian = npvae.VAE.init(
        16, hidden=(3,), likelihood=npvae.Gaussian(0.1), rng=np.random.default_rng(0)
    )
    gaussian.save("gaussian.npz")
    (folder / "junk").write_bytes(b"\0\0\2 junk")
    yield "describe gone.csv", "No such file or directory"
    yield "describe flat.npy", "flat.npy has shape (4,); expected (N, D), or N images"
    yield "describe text.npy", "text.npy holds <U1 entries; expected real numbers"
    yield "describe junk", "junk is not a valid IDX file"
    (folder / "parquet").write_bytes(b"PAR1\0\1\2 junk")
    yield "describe parquet", "parquet holds neither text nor .npy, .npz or IDX"
    (folder / "excel.txt").write_bytes("a\tb\n1\t2\n".encode("utf-16"))
    yield "describe excel.txt", "excel.txt is UTF-16 text; save it as UTF-8"
    os.mkfifo("fifo.csv")
    yield "describe fifo.csv", "fifo.csv is no file but a pipe, which can be read only once"
    np.save("holes.npy", np.where(x == x[0, 0], np.nan, x))
    yield "evaluate model.npz holes.npy", "holes.npy has holes, such as in column 0"
    yield "describe model.npz", "it is a model, as VAE.save writes it; expected data"
    yield "describe people.csv", "column 'home' holds the text 'city'"
    yield "describe people.csv --drop home --label homes", "no column 'homes'"
    yield "train people.csv --out b.npz", "(--drop home), or keep it apart (--label home)"
    yield "train x.npy", "model.npz is there already; choose another --out, or add --force"
    yield "train x.npy --force --out x.npy", "--out x.npy is what is read; choose another"
    yield "train x.npy --out gone/b.npz", "there is no folder"
    yield "train inf.npy --out b.npz", "no model can learn from this: column 0: 1 × inf; make it"
    yield "train x.npy --out b.npz --validation 60", "--validation is 60; there are 60 rows"
    yield (
        "train x.npy --out b.npz --likelihood bernoulli",
        "the likelihood expects values in [0, 1]",
    )
    yield "train x.npy --out b.npz --likelihood poisson", "the likelihood expects counts"
    yield "train x.npy --out b.npz --divide 2", "--divide is for pictures, or goes with"
    yield "train wide.npy --out b.npz", "leave out columns (--drop)"
    yield "evaluate gone.npz x.npy", "there is no file gone.npz"
    yield "evaluate x.npy x.npy", "not an npz file"
    yield "evaluate model.npz narrow.npy", "shape (60, 3); expected (N, D) with D = 4"
    yield "evaluate model.npz text.npy", "text.npy holds <U1 entries; expected real numbers"
    yield "evaluate gaussian.npz bytes.npy", "expected --divide 255 if the model learned from"
    yield "sample model.npz --out x.txt", "--out is x.txt; expected a name in .csv, .npy, .png"
    yield "sample model.npz --out gone/x.csv", "there is no folder"
    yield "sample model.npz --out x.npy", "x.npy is there already; choose another --out, or add"
    yield "impute model.npz x.npy --out x.npy --force", "--out x.npy is what is read"
    yield "impute model.npz x.npy --out gone/x.npy", "there is no folder"
    yield "sample model.npz --out x.csv --shape 2 2", "--shape is for a .png; --out is x.csv"
    yield "sample model.npz --out x.png --shape 2 3", "expected rows × columns = D = 4"
    yield "verify gaussian.npz", "gaussian.npz holds no numbers to compare"


def test_what_is_wrong_is_said_in_a_line(table, capsys):
    trained(capsys)
    files = {path.name for path in table.parent.iterdir()}
    for line, message in wrong(table.parent):
        status, out, err = run(capsys, *line.split())
        assert status == 2, line
        assert message in err, (line, err)
        assert err.splitlines()[-1].startswith(f"python -m npvae {line.split()[0]}: "), line
        assert len([text for text in err.splitlines() if not text.startswith(("note", " "))]) == 1
        assert out == "", line
    made = {"x.npy", "flat.npy", "inf.npy", "narrow.npy", "text.npy", "bytes.npy", "wide.npy"}
    made |= {"gaussian.npz", "junk", "parquet", "excel.txt", "fifo.csv", "holes.npy"}
    assert {path.name for path in table.parent.iterdir()} == files | made


@pytest.mark.parametrize(
    "line",
    [
        "train x --epochs 0",
        "train x --lr 0",
        "train x --lr nan",
        "train x --beta -1",
        "train x --hidden 1.5",
        "train x --seed -1",
        "train x --likelihood normal",
        "evaluate x",
        "evaluate x y --draws -1",
        "sample x",
        "sample x --out y.csv --n 0",
        "verify",
    ],
)
def test_arguments_out_of_range_are_refused_before_anything_is_read(capsys, line):
    with pytest.raises(SystemExit) as told:
        main(line.split())
    assert told.value.code == 2
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_help_fits_80_columns(monkeypatch, capsys, command):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as told:
        main([command, "--help"])
    assert told.value.code == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_a_record_takes_no_ones_place(table, capsys):
    """An older reader of models finds the model where a run's stands."""
    vae, kept = trained(capsys)
    with np.load("model.npz") as file:
        header = json.loads(str(file["header"]))
    assert header["model"]["data_dim"] == 4
    assert record.Record(**header["record"]) == kept
    back = npvae.VAE.load("model.npz")
    np.testing.assert_array_equal(back.params.rows[0], vae.params.rows[0])
    with pytest.raises(ValueError, match="holds no run that could go on"):
        npvae.past_epochs("model.npz")
