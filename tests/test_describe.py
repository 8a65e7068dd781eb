"""A look at data: what is measured, what it is called, and code that runs as it is printed."""

import re
import tracemalloc

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

import npvae
from equations import ROOT
from npvae import _checks
from npvae.description.columns import measure_columns, measure_grey, same_columns, same_rows
from npvae.description.kinds import HEAVY, LARGEST_CODE

RNG = np.random.default_rng(0)
N = 400
COLUMNS = {  # name: (numbers, their kind, the likelihood they should get)
    "switch": (RNG.integers(0, 2, N), "yes or no", npvae.Bernoulli()),
    "class": (RNG.integers(0, 3, N), "codes", npvae.Categorical(3, whole=True)),
    "month": (RNG.integers(1, 13, N), "codes", npvae.Categorical(13, whole=True)),
    "calls": (RNG.poisson(15, N) * (np.arange(N) > 0), "counts", npvae.Poisson()),
    "visits": (RNG.negative_binomial(1, 0.05, N), "counts", npvae.NegativeBinomial()),
    "share": (RNG.random(N), "numbers in [0, 1]", npvae.ColumnGaussian()),
    "height": (RNG.normal(170, 8, N), "numbers", npvae.ColumnGaussian()),
    "year": (RNG.integers(1950, 2020, N), "numbers", npvae.ColumnGaussian()),
    "change": (RNG.integers(-30, 30, N), "numbers", npvae.ColumnGaussian()),
    "income": (np.exp(RNG.normal(8, 2, N)), "numbers", npvae.StudentT()),
}
TABLE = np.column_stack([numbers for numbers, *_ in COLUMNS.values()]).astype(np.float64)


def table(x=TABLE, names=tuple(COLUMNS)):
    return pytest.importorskip("pandas").DataFrame(x, columns=list(names))


def run(code, x):
    """What code makes of x."""
    names = {"x": x, "np": np, "npvae": npvae}
    exec(code, names)
    return names


def leaf(likelihood, d):
    """The likelihood of column d without its scale."""
    if isinstance(likelihood, npvae.Holes):
        likelihood = likelihood.likelihood
    if isinstance(likelihood, npvae.Product):
        likelihood = next(part for columns, part in likelihood.parts if d in columns)
    return getattr(likelihood, "likelihood", likelihood)


# What is measured


@pytest.mark.parametrize("piece", [1, 50, 10**6])
def test_moments_are_scipys_whatever_the_pieces(monkeypatch, piece):
    monkeypatch.setattr(_checks, "PIECE", piece)
    x = np.random.default_rng(1).standard_t(3, (60, 5)) * [1, 10, 1e-3, 1e6, 1]
    x[::7, 2], x[3, 4] = np.nan, np.inf
    x[:, 1] = np.rint(x[:, 1])
    found = measure_columns(x)
    held = np.where(np.isinf(x), np.nan, x)
    np.testing.assert_array_equal(found.missing, [0, 0, 9, 0, 0])
    np.testing.assert_array_equal(found.infinite, [0, 0, 0, 0, 1])
    np.testing.assert_array_equal(found.low, np.nanmin(held, axis=0))
    np.testing.assert_array_equal(found.high, np.nanmax(held, axis=0))
    np.testing.assert_array_equal(found.zeros, (held == 0).sum(axis=0))
    np.testing.assert_array_equal(found.ones, (held == 1).sum(axis=0))
    np.testing.assert_array_equal(found.whole, [False, True, False, False, False])
    np.testing.assert_allclose(found.mean, np.nanmean(held, axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.deviation, np.nanstd(held, axis=0), rtol=1e-12)
    kurtosis = stats.kurtosis(held, fisher=False, nan_policy="omit")
    np.testing.assert_allclose(found.kurtosis, kurtosis, rtol=1e-10)


@pytest.mark.parametrize("piece", [1, 6, 10**6])
def test_the_order_of_rows_is_seen_across_pieces(monkeypatch, piece):
    monkeypatch.setattr(_checks, "PIECE", piece)
    x = np.array([[0, 5, 3], [1, 5, 4], [2, 6, 5], [3, 7, 6], [4, 7, 6]], np.uint8)
    found = measure_columns(x)
    np.testing.assert_array_equal(found.ordered, [True, True, True])
    np.testing.assert_array_equal(found.counted, [True, False, False])
    np.testing.assert_array_equal(measure_columns(x[::-1].copy()).ordered, [False] * 3)


@hypothesis.given(
    x=arrays(
        np.float64,
        st.tuples(st.integers(1, 12), st.integers(1, 5)),
        elements=st.sampled_from([0.0, -0.0, 1.0, 2.5, np.nan]),
    )
)
def test_repeated_rows_and_columns_are_those_of_a_plain_loop(x):
    rows = {tuple(map(str, row + 0.0)) for row in x}
    assert same_rows(x) == len(x) - len(rows)
    columns = [tuple(map(str, column + 0.0)) for column in x.T]
    first = [columns.index(column) for column in columns]
    assert same_columns(x) == {d: a for d, a in enumerate(first) if a != d}


def test_grey_levels_are_counted():
    x = np.array([[0, 10, 25.5], [128, 255, np.nan]])
    assert measure_grey(np.rint(x), 255.0)[1:] == (5, pytest.approx(3 / 5))  # 25.5 is a tenth
    assert measure_grey(np.float32(np.rint(x) / 255), 1.0).levels == 5
    assert measure_grey(np.array([[0.0, 0.3, 1.0]]), 1.0).levels == 0


# What it is called, and what to begin with


def test_columns_are_called_what_they_are():
    description = npvae.describe(TABLE)
    assert list(description.kinds) == [kind for _, kind, _ in COLUMNS.values()]
    for d, (_, _, likelihood) in enumerate(COLUMNS.values()):
        assert leaf(description.likelihood, d) == likelihood, description.names[d]


def test_the_thresholds_are_where_they_are_said_to_be():
    down = np.arange(N)[::-1, None]
    x = down % [LARGEST_CODE + 1, LARGEST_CODE + 2, 30, 30] + [0, 0, 1, 2]
    assert list(npvae.describe(x).kinds) == ["codes", "counts", "counts", "numbers"]
    x = np.zeros((2000, 2))
    for d, m in enumerate([2 * (HEAVY - 0.1), 2 * (HEAVY + 0.1)]):
        n = round(len(x) / m)  # at −1 and as many at 1: kurtosis len(x)/2n
        x[:n, d], x[n : 2 * n, d] = -1, 1
    x = np.random.default_rng(0).permutation(x) * np.pi
    light, far_out = npvae.describe(x).likelihood.parts
    assert (light[0], far_out[0]) == ((0,), (1,))


def test_counts_that_vary_more_than_they_are_many_are_clumped():
    rng = np.random.default_rng(0)
    for ratio, likelihood in ((1.35, npvae.Poisson()), (1.65, npvae.NegativeBinomial())):
        x = rng.normal(20, np.sqrt(20 * ratio), (50_000, 1)).round().clip(0)
        x[0] = 0
        assert npvae.describe(x).likelihood == likelihood


@pytest.mark.parametrize("form", ["array", "table", "list", "ints", "bytes"])
@pytest.mark.parametrize("holes", [False, True])
def test_the_code_runs_as_printed_and_a_model_learns(form, holes):
    x = TABLE.copy()
    if form in ("ints", "bytes"):
        x = np.abs(np.rint(x)) if form == "ints" else x[:, :5]
    if holes:
        x[::9, 0], x[1::9, 4] = np.nan, np.nan
    if form == "bytes" or (form == "ints" and not holes):
        x = np.nan_to_num(x).astype(np.uint8 if form == "bytes" else np.int64)
    names = tuple(COLUMNS)[: x.shape[1]]
    x = {"table": lambda: table(x, names), "list": x.tolist}.get(form, lambda: x)()
    description = npvae.describe(x)
    assert str(description).count(description.beginning.code.splitlines()[0]) == 1
    made = run(description.beginning.code, x)
    assert made["likelihood"] == description.likelihood
    assert isinstance(description.likelihood, npvae.Holes) == (holes and form != "bytes")
    rng = np.random.default_rng(0)
    width = len(description.names)
    vae = npvae.VAE.init(width, hidden=(5,), latent_dim=2, likelihood=made["likelihood"], rng=rng)
    (epoch,) = npvae.train(vae, made["x"], epochs=1, optimizer=npvae.Adam(), rng=rng)
    assert np.isfinite(epoch.elbo)


def test_one_kind_of_column_needs_no_product():
    for columns, code in {
        (0,): "npvae.Bernoulli()",
        (5, 6): "npvae.Standardized.of(x, npvae.ColumnGaussian())",
        (4,): "npvae.NegativeBinomial()",
    }.items():
        assert npvae.describe(TABLE[:, columns]).beginning.code == f"likelihood = {code}"
    bits = np.uint8(TABLE[:, :1])
    code = npvae.describe(bits).beginning.code
    assert code == "x = np.asarray(x, np.float32)\nlikelihood = npvae.Bernoulli()"


def test_many_parts_become_one_line():
    x = RNG.integers(0, np.arange(2, 14), (N, 12))
    x = np.column_stack([x, x + 0.5, RNG.poisson(20, (N, 2)), *x.T[::-1]])[:, ::-1]
    description = npvae.describe(x)
    assert max(map(len, str(description).splitlines())) <= 80
    assert run(description.beginning.code, x)["likelihood"] == description.likelihood


NUMBERS = st.one_of(
    st.floats(width=32), st.floats(), st.integers(-3, 300).map(float), st.sampled_from([0.0, 1.0])
)


@hypothesis.given(
    x=st.tuples(st.integers(1, 6), st.integers(1, 4)).flatmap(
        lambda shape: st.one_of(
            arrays(np.float64, shape, elements=NUMBERS),
            arrays(np.float64, shape, elements=st.sampled_from([0.0, 1.0, 2.0, np.nan, 1e-300])),
            arrays(np.uint8, shape),
        )
    )
)
def test_whatever_comes_is_described_and_what_is_suggested_takes_it(x):
    if not np.isfinite(x).any():
        with pytest.raises(ValueError, match="no finite number"):
            npvae.describe(x)
        return
    description = npvae.describe(x)
    assert max(map(len, str(description).splitlines())) <= 80
    if description.likelihood is None:
        assert description.faults
        return
    made = run(f"{description.mending}\n{description.beginning.code}", x)
    assert made["likelihood"] == description.likelihood
    rng = np.random.default_rng(0)
    D = made["x"].shape[1]
    vae = npvae.VAE.init(D, hidden=(), latent_dim=1, likelihood=made["likelihood"], rng=rng)
    if len(made["x"]):
        vae.check_data("x", made["x"])


# Pictures


def pictures(dark=0.8, white=255, D=64):
    """(N, D) of whole numbers, a share of which is 0 or white."""
    rng = np.random.default_rng(2)
    grey = rng.integers(white // 4, 3 * white // 4, (N, D))
    ends = white * rng.integers(0, 2, (N, D))
    return np.where(rng.random((N, D)) < dark, ends, grey)


@pytest.mark.parametrize("dark", [0.0, 0.5, 0.9])
@pytest.mark.parametrize(
    ("white", "dtype", "divide"),
    [(255, np.uint8, 255), (255, np.int64, 255), (16, np.float64, 16), (1, np.float32, 1)],
)
def test_pixels_are_read_as_such(dark, white, dtype, divide):
    x = pictures(max(dark, 0.1), 255 if white == 1 else white)
    x = (x / 255).astype(dtype) if white == 1 else x.astype(dtype)
    description = npvae.describe(x)
    begun = description.beginning
    assert description.grey.white == white
    assert isinstance(begun.likelihood, npvae.Bernoulli if dark > 0.8 else npvae.LearnedGaussian)
    assert begun.binarize == (dark > 0.8)
    reads_bytes = begun.binarize and dtype == np.uint8
    assert begun.divide == (1 if reads_bytes else divide)
    made = run(begun.code, x)
    assert made["likelihood"] == begun.likelihood
    rng = np.random.default_rng(0)
    vae = npvae.VAE.init(64, hidden=(5,), latent_dim=2, likelihood=begun.likelihood, rng=rng)
    rows, unit = vae.check_rows("x", made["x"], vae.likelihood)
    batch = next(vae.batches(rows, unit, N))
    assert (batch.min(), batch.max()) == (0, 1)


def test_what_is_no_picture_is_not_taken_for_one():
    rng = np.random.default_rng(3)
    for x in (
        rng.poisson(30, (N, 40)),
        rng.negative_binomial(1, 0.02, (N, 40)),
        rng.integers(1, 6, (N, 40)),  # answers from 1 to 5
        rng.integers(0, 2, (N, 40)),
        rng.normal(size=(N, 40)),
        pictures()[:, :4],
        np.column_stack([pictures(), -np.ones(N)]),
        rng.random((N, 40)) * np.logspace(-3, 0, 40),  # shares
    ):
        assert npvae.describe(x).grey is None


@pytest.mark.parametrize("dark", [0.1, 0.9])
def test_pixels_may_have_holes(dark):
    x = pictures(dark) / 255
    x[::3, 5] = np.nan
    begun = npvae.describe(x).beginning
    assert (begun.likelihood, begun.binarize) == (npvae.Holes(npvae.ColumnGaussian()), False)
    rng = np.random.default_rng(0)
    vae = npvae.VAE.init(64, hidden=(5,), latent_dim=2, likelihood=begun.likelihood, rng=rng)
    list(npvae.train(vae, x, epochs=1, optimizer=npvae.Adam(), rng=rng))


# What to mend first


def spoilt():
    """A table, and what is wrong with it: {name: words of the fault}."""
    rng = np.random.default_rng(4)
    x = {
        "number": np.arange(N) + 1.0,
        "good": rng.normal(size=N),
        "one": np.full(N, 7.0),
        "again": np.zeros(N),
        "empty": np.full(N, np.nan),
        "endless": rng.normal(size=N),
        "clock": 1.7e9 + rng.random(N),
        "sign": rng.choice([-1.0, 1.0], N),
    }
    x["again"] = x["good"]
    x["endless"][5] = -np.inf
    said = {
        "number": "numbers the rows; drop",
        "one": "constant; drop",
        "again": "the same as good; drop",
        "empty": "no number at all; drop",
        "endless": "1 × inf; make it a hole",
        "clock": "varies too little for float32; subtract the mean",
        "sign": "two numbers only; write them as 0 and 1",
    }
    return np.column_stack(list(x.values())), list(x), said


@pytest.mark.parametrize("is_table", [False, True])
def test_faults_are_named_and_the_code_mends_them(is_table):
    x, names, said = spoilt()
    given = table(x, names) if is_table else x
    description = npvae.describe(given)
    text = str(description)
    if is_table:
        for name, words in said.items():
            assert f"column {name}: {words}" in " ".join(text.split())
    assert len(description.faults) == len(said)
    assert description.likelihood is None
    assert "To begin with" not in text
    assert max(map(len, text.splitlines())) <= 80
    mended = run(description.mending, given)["x"]
    assert mended.shape == (N, 4)
    (left,) = npvae.describe(mended).faults
    assert "two numbers only" in left.text
    np.testing.assert_array_equal(np.asarray(mended)[:, 0], x[:, 1])


def test_a_column_is_dropped_once():
    x = np.column_stack([np.zeros(N), TABLE[:, 6], np.zeros(N), np.arange(N), np.arange(N)])
    description = npvae.describe(x)
    assert [fault.drop for fault in description.faults] == [(0, 2), (3, 4)]
    assert description.mending == "x = np.delete(x, [0, 2, 3, 4], axis=1)"


def test_rows_in_order_and_without_numbers_are_told():
    x = np.sort(RNG.normal(size=(30, 2)), axis=0)
    x[:, 1] = RNG.normal(size=30)
    x = np.vstack([x, np.full((2, 2), np.nan)])
    description = npvae.describe(x)
    assert "2 rows without a number; drop" in str(description)
    mended = run(description.mending, x)["x"]
    assert mended.shape == (30, 2)
    description = npvae.describe(mended)
    assert "column 0: the rows are in that order" in str(description)
    assert npvae.describe(np.random.default_rng(0).permutation(mended)).faults == []


def test_numbers_that_float32_cannot_hold_are_told():
    x = RNG.normal(size=(N, 2)) * [1, 1e300]
    assert "column 1: beyond 3.4e+38, where float32 ends" in str(npvae.describe(x))
    assert "varies too little" in str(npvae.describe(x / [1, 1e300] * [1, 1e-300]))


@pytest.mark.parametrize("is_table", [False, True])
def test_all_lines_run_one_after_another(is_table):
    """What is to begin with is meant for x as it is mended."""
    x = np.insert(TABLE, [0, 4, 10], np.column_stack([np.arange(N), np.ones(N), TABLE[:, 6]]), 1)
    given = table(x, range(13)) if is_table else x
    description = npvae.describe(given)
    made = run(f"{description.mending}\n{description.beginning.code}", given)
    np.testing.assert_array_equal(np.asarray(made["x"]), TABLE)
    assert made["likelihood"] == description.likelihood == npvae.describe(TABLE).likelihood
    x = np.ones((N, 1))
    assert npvae.describe(x).likelihood is None  # nothing is left


def test_margins_of_pictures_are_no_fault():
    bits = RNG.integers(0, 2, (N, 30)) * (np.arange(30) > 2)
    assert npvae.describe(bits).faults == []
    grey = pictures() * (np.arange(64) > 5)
    description = npvae.describe(grey)
    assert description.faults == []
    assert "6 columns are constant" in " ".join(str(description).split())


# What is printed, and what is refused


def test_readme_shows_what_is_printed():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = r"```python\n(chance = .*?)```\n\n`print\(look\)` shows\n\n```text\n(.*?)\n```"
    code, shown = re.search(block, text, re.DOTALL).groups()
    assert str(run(code, None)["look"]) == shown


def test_numbers_of_the_first_lines():
    x = TABLE[:100].copy()
    x[:3, 0] = np.nan
    x[7:9] = x[6]
    text = str(npvae.describe(table(x)))
    first = " ".join(text.splitlines()[:2])
    assert first.startswith("100 rows × 10 columns, float64, from ")
    assert "0.3 % are holes, in 3 rows; 2 rows repeat an earlier one" in " ".join(text.split())
    assert "  1  yes or no          switch\n" in text
    assert "heavy tails (kurtosis above 10): income" in text


@pytest.mark.parametrize("D", [1, 3, 2000])
def test_it_fits_80_columns(D):
    rng = np.random.default_rng(5)
    x = np.exp(rng.normal(0, 3, (40, D))) * rng.choice([1e-9, 1, 1e9], D)
    names = [f"a rather long name of the column {d}" for d in range(D)]
    for data in (x, table(x, names)):
        text = str(npvae.describe(data))
        assert max(map(len, text.splitlines())) <= 80
        assert text.count("\n") < 40


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (
            np.zeros(5),
            r"x has shape \(5,\); expected \(N, D\); a single column is reshape\(-1, 1\)",
        ),
        (np.zeros((5, 2, 3)), r"x has shape \(5, 2, 3\); expected \(N, D\); reshape\(5, 6\)"),
        (np.zeros((0, 3)), r"x has shape \(0, 3\); expected \(N, D\), neither of them 0"),
        (np.zeros((3, 0)), r"x has shape \(3, 0\)"),
        (np.full((3, 2), np.nan), "x holds no finite number: all are NaN or inf"),
        (np.array([["a", "b"]]), "x holds <U1 entries; expected real numbers"),
        (np.array([[1j]]), "x holds complex128 entries"),
        ([[1.0, "b"]], "x holds <U32 entries"),
        (None, "x is None"),
        (3, r"x has shape \(\)"),
    ],
)
def test_bad_input_is_told(x, message):
    with pytest.raises((TypeError, ValueError), match=message):
        npvae.describe(x)


def test_a_column_of_text_is_named():
    pandas = pytest.importorskip("pandas")
    with pytest.raises(TypeError, match=r"x\['kind'\] holds .* entries; expected real numbers"):
        npvae.describe(pandas.DataFrame({"a": [1.0, 2], "kind": ["red", "white"]}))


def test_wide_data_are_not_copied_whole():
    x = np.random.default_rng(6).integers(0, 256, (30_000, 784), np.uint8)
    tracemalloc.start()
    npvae.describe(x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * x.nbytes  # in float64 it would be 8 times as large
