"""VAE: its initial weights, its views of the data, and every input it must refuse."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import npvae

BERNOULLI = npvae.Bernoulli()
LIKELIHOODS = [
    BERNOULLI,
    npvae.ContinuousBernoulli(),
    npvae.Categorical(levels=5),
    npvae.Gaussian(0.5),
    npvae.LearnedGaussian(0.5),
    npvae.HeteroscedasticGaussian(),
]


def make(likelihood=BERNOULLI, seed=0, **choices):
    choices = {"hidden": (6, 5), "latent_dim": 3} | choices
    return npvae.VAE.init(8, likelihood=likelihood, rng=np.random.default_rng(seed), **choices)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_layers_have_the_widths_asked_for(likelihood):
    vae = make(likelihood, hidden=(6, 5), decoder_hidden=(7,))
    assert [layer.W.shape for layer in vae.params.encoder] == [(8, 6), (6, 5), (5, 6)]
    assert [layer.W.shape for layer in vae.params.decoder] == [
        (3, 7),
        (7, likelihood.output_width(8)),
    ]
    assert (vae.data_dim, vae.latent_dim, vae.dtype) == (8, 3, np.float32)


def test_the_decoder_mirrors_the_encoder_unless_told():
    vae = make(hidden=(6, 5))
    assert [layer.W.shape for layer in vae.params.decoder] == [(3, 5), (5, 6), (6, 8)]


def test_no_two_weight_arrays_start_alike():
    vae = make(hidden=(8, 8), latent_dim=8)
    weights = [w for w in vae.params.arrays().values() if w.ndim == 2]
    heads = np.split(weights[2], 2, axis=1)
    values = [np.sort(np.abs(w), axis=None) for w in [*weights, *heads] if w.size == 64]
    for i, a in enumerate(values):
        for b in values[:i]:
            ratio = a / b
            assert ratio.std() > 1e-3, "one is a multiple of the other"


def test_the_logvar_head_starts_small():
    vae = npvae.VAE.init(784, likelihood=BERNOULLI, rng=np.random.default_rng(0))
    mu_head, logvar_head = np.split(vae.params.encoder[-1].W, 2, axis=1)
    assert logvar_head.std() == pytest.approx(0.1 * mu_head.std(), rel=0.1)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_x_mean_makes_the_untrained_model_guess_it(likelihood):
    x_mean = np.linspace(0.1, 0.9, 8)
    vae = make(likelihood, x_mean=x_mean)
    np.testing.assert_allclose(vae.decode(np.zeros((1, 3)))[0], x_mean, rtol=1e-5)


def test_x_mean_of_pixels_never_lit_is_finite():
    vae = make(x_mean=np.array([0, 0, 0, 0, 1, 1, 1, 1.0]))
    assert np.isfinite(vae.params.decoder[-1].b).all()


def test_init_draws_from_a_stream_of_its_own():
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    first = npvae.VAE.init(8, likelihood=BERNOULLI, rng=rng)
    assert rng.bit_generator.state == before
    second = npvae.VAE.init(8, likelihood=BERNOULLI, rng=rng)
    assert not np.array_equal(first.params.encoder[0].W, second.params.encoder[0].W)


@given(rows=st.integers(1, 9), seed=st.integers(0, 99))
def test_rows_are_encoded_one_by_one(rows, seed):
    vae = make(seed=seed, dtype=np.float64)
    x = np.random.default_rng(seed).random((rows, 8))
    mu, logvar = vae.encode(x)
    for row in range(rows):
        np.testing.assert_allclose(vae.encode(x[row : row + 1])[0][0], mu[row], rtol=1e-12)
        np.testing.assert_allclose(vae.encode(x[row : row + 1])[1][0], logvar[row], rtol=1e-12)


@pytest.mark.parametrize("activation", npvae.ACTIVATIONS)
def test_encode_and_decode_are_the_network_on_paper(activation):
    paper = {
        "identity": lambda a: a,
        "tanh": np.tanh,
        "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
        "relu": lambda a: np.where(a > 0, a, 0),
        "leaky_relu": lambda a: np.where(a > 0, a, 0.01 * a),
        "softplus": lambda a: np.log(1 + np.exp(a)),
    }[activation]

    def network(h, layers):
        for layer in layers[:-1]:
            h = paper(h @ layer.W + layer.b)
        return h @ layers[-1].W + layers[-1].b

    vae = make(npvae.Gaussian(1.0), activation=activation, dtype=np.float64)
    x = np.random.default_rng(1).normal(size=(4, 8))
    heads = network(x, vae.params.encoder)
    mu, logvar = vae.encode(x)
    np.testing.assert_allclose(np.hstack([mu, logvar]), heads, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(
        vae.decode(mu), network(mu, vae.params.decoder), rtol=1e-10, atol=1e-12
    )


def test_reconstruct_is_decode_at_the_posterior_mean():
    vae = make()
    x = np.random.default_rng(0).random((5, 8))
    np.testing.assert_array_equal(vae.reconstruct(x), vae.decode(vae.encode(x)[0]))


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_samples_are_means_at_prior_draws_or_draws_around_them(likelihood):
    vae = make(likelihood)
    means = vae.sample(4000, rng=np.random.default_rng(0))
    draws = vae.sample(4000, rng=np.random.default_rng(0), draw=True)
    assert means.shape == draws.shape == (4000, 8)
    assert means.dtype == draws.dtype == np.float32
    # The same z in both, so their difference has mean zero.
    error = (draws - means).mean(axis=0)
    assert np.all(np.abs(error) < 5 * (draws - means).std(axis=0) / np.sqrt(4000))
    assert not np.array_equal(means, draws)
    likelihood.check_support("draws", draws)
    if isinstance(likelihood, npvae.Bernoulli):
        assert set(np.unique(draws)) == {0, 1}
        assert means.min() >= 0
        assert means.max() <= 1


def test_prior_draws_are_standard_normal():
    """A linear decoder W of a Gaussian sees cov(mean) = WᵀW."""
    vae = make(npvae.Gaussian(1.0), decoder_hidden=(), dtype=np.float64)
    W = vae.params.decoder[0].W
    x = vae.sample(20_000, rng=np.random.default_rng(0))
    np.testing.assert_allclose(np.cov(x.T), W.T @ W, atol=0.1 * np.abs(W.T @ W).max())


def test_data_of_other_kinds_are_converted():
    vae = make()
    x = np.random.default_rng(0).integers(0, 2, (4, 8))
    expected = vae.encode(x.astype(np.float32))[0]
    for same in (x, x.astype(bool), (255 * x).astype(np.uint8), x.tolist(), x.astype(np.float64)):
        np.testing.assert_array_equal(vae.encode(same)[0], expected)
    np.testing.assert_array_equal(vae.encode(np.asfortranarray(x))[0], expected)
    np.testing.assert_array_equal(vae.encode(np.repeat(x, 2, axis=0)[::2])[0], expected)


LEVELS = np.arange(256, dtype=np.uint8).reshape(32, 8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_bernoulli_model_reads_uint8_as_grey_levels(dtype):
    read = make(dtype=dtype).check_data("x", LEVELS)
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, [[dtype(int(x)) / dtype(255) for x in n] for n in LEVELS])
    expected = make().reconstruct(LEVELS / np.float32(255))
    np.testing.assert_array_equal(make().reconstruct(LEVELS), expected)


@pytest.mark.parametrize("likelihood", LIKELIHOODS[3:])
def test_a_gaussian_model_reads_uint8_as_it_stands(likelihood):
    np.testing.assert_array_equal(make(likelihood).check_data("x", LEVELS), LEVELS.astype(float))
    assert make(likelihood).check_data("x", LEVELS % 2).max() == 1


@pytest.mark.parametrize("largest", [1, 2, 16, 127])
@pytest.mark.parametrize("likelihood", LIKELIHOODS[:2])
def test_uint8_that_might_be_white_or_dark_is_refused_on_every_path(likelihood, largest):
    """Digits of 0 … 16 read as x / 255 would be black, without a word."""
    vae, x = make(likelihood), (LEVELS % (largest + 1)).astype(np.uint8)
    rng = np.random.default_rng(0)
    expected = (
        rf"largest entry is {largest}: it spans \[0, {largest}\], and white would be 255. If "
        rf"{largest} is white, divide by np.float32\({largest}\); .* by np.float32\(255\)"
    )
    choices = {"epochs": 1, "optimizer": npvae.Adam(), "rng": rng}
    for path in (
        lambda: vae.encode(x),
        lambda: vae.reconstruct(x),
        lambda: npvae.evaluate(vae, x, rng=rng),
        lambda: npvae.log_likelihood(vae, x, samples=1, rng=rng),
        lambda: npvae.diagnose(vae, x),
        lambda: npvae.binarize(x, rng=rng),
        lambda: npvae.train(vae, x, **choices),
        lambda: npvae.train(vae, LEVELS, x_val=x, **choices),
        lambda: npvae.train(make(LIKELIHOODS[3]), x, binarize=True, **choices),
    ):
        with pytest.raises(ValueError, match=expected):
            path()


def test_black_images_and_half_bright_ones_are_read():
    assert np.all(make().check_data("x", 0 * LEVELS) == 0)
    assert np.all(make().check_data("x", LEVELS % 129) <= np.float32(128 / 255))


def test_uint8_is_kept_and_not_copied():
    rows, unit = make().check_rows("x", LEVELS, BERNOULLI)
    assert unit == 255
    assert np.shares_memory(rows, LEVELS)
    masked = np.ma.masked_equal(LEVELS, 7)
    with pytest.raises(ValueError, match="x has masked entries"):
        make().encode(masked)


def test_what_is_returned_is_not_tied_to_the_model():
    vae = make()
    mu, _ = vae.encode(np.zeros((2, 8)))
    assert mu.base is None


def test_a_model_equals_itself_alone_and_can_be_a_key():
    vae, twin = make(), make()
    assert vae == vae
    assert vae != twin
    assert {vae: "first", twin: "second"}[vae] == "first"


def test_it_says_its_widths_and_choices():
    assert repr(make()) == "VAE(8-6-5-3, tanh, Bernoulli(), float32)"
    other = {"hidden": (), "decoder_hidden": (7,), "activation": "relu", "dtype": np.float64}
    expected = "VAE(8-3, decoder 3-7-8, relu, HeteroscedasticGaussian(min_sigma=0.1), float64)"
    assert repr(make(npvae.HeteroscedasticGaussian(0.1), **other)) == expected


def test_the_best_model_of_a_run_can_be_kept():
    vae = make()
    best, x = vae.copy(), np.eye(8, dtype=np.float32)
    before = best.encode(x)[0]
    noise = np.ones((1, 8, 3), np.float32)
    npvae.training.descend(vae, npvae.SGD(0.1), x, noise, npvae.ClosedForm())
    np.testing.assert_array_equal(best.encode(x)[0], before)
    assert not np.array_equal(vae.encode(x)[0], before)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(dtype):
    vae = make(dtype=dtype)
    x = np.zeros((2, 8))
    results = [*vae.encode(x), vae.decode(np.zeros((2, 3))), vae.reconstruct(x)]
    results += vae.params.arrays().values()
    assert {result.dtype for result in results} == {np.dtype(dtype)}


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_astype_copies(likelihood):
    vae = make(likelihood)
    wide = vae.astype(np.float64)
    same = vae.astype(np.float32)
    assert wide.dtype == np.float64
    assert vae.copy().dtype == np.float32
    for copy in (wide, same, vae.copy()):
        for a, b in zip(vae.params.arrays().values(), copy.params.arrays().values(), strict=True):
            np.testing.assert_array_equal(a, b)
            assert not np.shares_memory(a, b)


class Half(npvae.Likelihood):
    """Begun, and no more."""

    log_prob = log_prob_backward = lambda *args: None


class Learns(npvae.Bernoulli):
    """And does not say how."""

    def init_learned(self, dtype, data_dim):
        return {"scale": np.ones(1, dtype)}


def test_weight_init_is_the_std_of_the_weights_up_to_the_largest_that_fits():
    largest = float(np.finfo(np.float32).max) / 101
    for std in (0.02, 3.0, largest):
        W = make(hidden=(4000,), weight_init=std).params.encoder[0].W
        assert np.isfinite(W).all()
        # 32 000 draws: five standard errors.
        assert np.std(W / std) == pytest.approx(1, abs=5 / np.sqrt(2 * W.size))
    assert np.isfinite(make(weight_init=1e39, dtype=np.float64).params.encoder[0].W).all()


NAN_ROW = np.zeros((2, 8))
NAN_ROW[1, 3] = np.nan


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.zeros((10, 7)), ValueError, r"x has shape \(10, 7\); expected \(N, D\) with D = 8"),
        (
            np.zeros(8),
            ValueError,
            r"x has shape \(8,\); expected \(N, D\) with D = 8; .*x\[None\], or reshape\(1, -1\)",
        ),
        (np.zeros((0, 8)), ValueError, "x has no rows"),
        (np.ma.masked_equal(np.eye(8), 1), ValueError, "x has masked entries; expected none"),
        (NAN_ROW, ValueError, r"x\[1, 3\] is nan; expected finite float32 numbers"),
        (np.full((2, 8), 1e300), ValueError, r"x\[0, 0\] is inf; expected finite float32"),
        (np.full((2, 8), 255), ValueError, r"x spans \[255, 255\].*divide 8-bit pixels by 255"),
        (np.full((2, 8), -0.1), ValueError, r"expects values in \[0, 1\] \(take a Gaussian"),
        (np.full((2, 8), "a"), TypeError, "x holds <U1 entries; expected real numbers"),
        (np.zeros((2, 8), complex), TypeError, "complex128 entries"),
        (None, TypeError, r"x is None \(NoneType\); expected an array of real numbers"),
        ({"a": [1]}, TypeError, r"x is {'a': \[1\]} \(dict\); expected an array of real"),
        ((row for row in np.eye(8)), TypeError, r"x is a generator; expected .*np.stack\(list"),
        (iter([]), TypeError, "x is a list_iterator; expected an array"),
        ([[1] * 8, [1] * 7], ValueError, "x, a list, makes no array: .*inhomogeneous"),
        ([[1] * 7 + [None]], TypeError, r"x holds object entries; .*x\[0, 7\] is None"),
        (np.zeros((2, 8)).astype(object), TypeError, r"object entries; .*\.astype\(float\)"),
        (np.zeros((2, 2, 4)), ValueError, r"x has shape \(2, 2, 4\); .*; reshape\(2, 8\)"),
    ],
)
def test_bad_data_is_refused(x, error, message):
    with pytest.raises(error, match=message):
        make().encode(x)


class Nullable:
    """A dtype that may hold what is missing, as pandas's Int64."""

    kind = "i"

    def __repr__(self):
        return "Int64"


class Table:
    """What npvae asks of a table; pandas need not be there."""

    def __init__(self, columns, dtypes):
        self.columns = [f"c{i}" for i in range(len(columns))]
        self.columns_, self.dtypes = columns, dtypes

    def to_numpy(self, dtype, na_value):
        filled = [[na_value if v is None else v for v in column] for column in self.columns_]
        return np.array(filled, dtype).T

    def __array__(self, dtype=None, copy=None):
        if any(isinstance(dtype, Nullable) for dtype in self.dtypes) or len({*self.dtypes}) > 1:
            return np.array(self.columns_, object).T
        return np.array(self.columns_, self.dtypes[0]).T


ZEROS, FLOAT = [[0, 1, 0]] * 7, np.dtype(float)


@pytest.mark.parametrize(
    "last",
    [FLOAT, np.dtype(bool), np.dtype(np.float32), np.dtype(int), Nullable()],
    ids=str,
)
def test_a_table_of_numbers_is_read(last):
    x = np.repeat([[0.0], [1], [0]], 8, axis=1)
    table = Table([*ZEROS, [0, 1, 0]], [FLOAT] * 7 + [last])
    np.testing.assert_array_equal(make().check_data("x", table), x)
    assert np.array_equal(npvae.binarize(table, rng=np.random.default_rng(0)), x)


def test_a_table_of_grey_levels_is_read_as_such():
    table = Table([[0, 255, 51]] * 8, [np.dtype(np.uint8)] * 8)
    np.testing.assert_array_equal(make().check_data("x", table)[:, 0], np.float32([0, 1, 0.2]))


@pytest.mark.parametrize(
    ("column", "dtype", "message"),
    [
        (["a", "b", "c"], np.dtype(object), r"x\['c7'\] holds object entries; .*encode it"),
        ([0, 1, 2], np.dtype("M8[s]"), r"x\['c7'\] holds datetime64\[s\] entries; .*drop the"),
        ([0, None, 0], Nullable(), r"x\['c7'\], row 1, is nan; expected finite float32"),
        ([0, 0, np.nan], FLOAT, r"x\['c7'\], row 2, is nan; expected finite float32"),
    ],
)
def test_a_tables_column_is_named(column, dtype, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make().encode(Table([*ZEROS, column], [FLOAT] * 7 + [dtype]))


def test_a_pandas_table_is_read_or_its_column_named():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(np.eye(8), columns=list("abcdefgh"))
    mixed = table.astype({"a": bool, "b": "Int64", "c": "float32"})
    np.testing.assert_array_equal(make().check_data("x", mixed), np.eye(8))
    mixed.loc[3, "b"] = pandas.NA
    with pytest.raises(ValueError, match=r"x\['b'\], row 3, is nan"):
        make().encode(mixed)
    for other in (["x"] * 8, pandas.Categorical(["x"] * 8), pandas.date_range("2020", periods=8)):
        with pytest.raises(TypeError, match=r"x\['g'\] holds .* entries; expected real numbers"):
            make().encode(table.assign(g=other))
    with pytest.raises(ValueError, match=r"x has shape \(8, 0\); expected"):
        make().encode(table[[]])


def test_sparse_data_say_how_to_become_dense():
    from scipy.sparse import csr_array

    with pytest.raises(TypeError, match=r"x is sparse, a csr_array; expected its .toarray\(\)"):
        make().encode(csr_array(np.eye(8)))


@pytest.fixture
def mapped(tmp_path):
    """16 MB of grey levels in a file, of which memory holds what is looked at."""
    levels = np.memmap(tmp_path / "levels", np.uint8, "w+", shape=(20_000, 800))
    levels[:] = np.tile(np.array([0, 255], np.uint8), 400)
    return levels


def peak(function):
    """The most memory that a call takes beside what there was, in bytes."""
    function()  # what is compiled or imported by the first call is not the matter
    tracemalloc.start()
    function()
    try:
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("method", ["encode", "evaluate"])
def test_a_file_mapped_into_memory_is_converted_a_batch_at_a_time(mapped, method):
    rng = np.random.default_rng(0)
    vae = npvae.VAE.init(800, hidden=(4,), latent_dim=2, likelihood=BERNOULLI, rng=rng)
    call = {"encode": vae.encode, "evaluate": lambda x: npvae.evaluate(vae, x, rng=rng)}[method]
    # A batch of 1000 rows is 3.2 MB of float32, the whole 64 MB; results are a few numbers a row.
    assert peak(lambda: call(mapped)) < peak(lambda: call(mapped[:2000])) + 5_000_000


def test_log_likelihood_converts_a_batch_at_a_time(mapped):
    rng = np.random.default_rng(0)
    vae = npvae.VAE.init(800, hidden=(2,), latent_dim=1, likelihood=BERNOULLI, rng=rng)
    assert peak(lambda: npvae.log_likelihood(vae, mapped[:5000], samples=1, rng=rng)) < 3_000_000


@pytest.mark.parametrize("likelihood", [npvae.Gaussian(1.0), BERNOULLI, npvae.Categorical(2)])
def test_the_support_is_checked_in_pieces(tmp_path, likelihood):
    rng = np.random.default_rng(0)
    vae = npvae.VAE.init(800, hidden=(2,), latent_dim=1, likelihood=likelihood, rng=rng)
    x = np.memmap(tmp_path / "floats", np.float32, "w+", shape=(20_000, 800))  # 64 MB
    assert peak(lambda: vae.check_rows("x", x, likelihood)) < 15_000_000
    x[19_999, 798] = np.nan
    with pytest.raises(ValueError, match=r"x\[19999, 798\] is nan"):
        vae.check_rows("x", x, likelihood)
    x[19_999, 798] = 0.4
    if isinstance(likelihood, npvae.Categorical):
        with pytest.raises(ValueError, match=r"x holds 0.4; a Categorical likelihood"):
            vae.check_rows("x", x, likelihood)


@pytest.mark.parametrize(
    ("low", "high", "way"),
    [
        (0, 255, r"\[0, 255\]; .* \(divide 8-bit pixels by 255\)"),
        (0, 254, r"\[0, 254\]; .* \(divide 8-bit pixels by 255\)"),
        (0, 16, r"\[0, 16\]; .* \(divide by 16\)"),
        (0, 65535, r"\[0, 65535\]; .* \(divide by 65535\)"),
        (-1, 1, r"\[-1, 1\]; .* \(rescale: \(x \+ 1\) / 2, or take a Gaussian likelihood\)"),
        (0.5, 8.25, r"\[0.5, 8.25\]; .* \(rescale: \(x - 0.5\) / 7.75, or take a Gauss"),
        (0, 1.0000002, r"\[0, 1.0000002\]; .*rounding; clip: np.clip\(x, 0, 1\)\)"),
        (-1e-7, 1, r"\[-1e-07, 1\]; .*rounding; clip: np.clip\(x, 0, 1\)\)"),
    ],
)
@pytest.mark.parametrize("likelihood", LIKELIHOODS[:2])
def test_a_range_is_told_with_the_way_into_0_to_1(likelihood, low, high, way):
    x = np.full((2, 8), low, float)
    x[1, 2] = high
    with pytest.raises(ValueError, match=rf"x spans {way}"):
        make(likelihood).encode(x)


@pytest.mark.parametrize("largest", [16, 9, 3])
def test_levels_are_told_by_what_to_divide(largest):
    x = np.arange(32).reshape(4, 8) % (largest + 1)
    vae = make(npvae.Categorical(17))
    with pytest.raises(ValueError, match=rf"\[0, {largest}\]; .* \(divide levels 0 … 16 by 16\)"):
        vae.encode(x)
    vae.encode(x / 16)


@pytest.mark.parametrize(
    ("z", "message"),
    [
        (np.zeros((2, 4)), r"z has shape \(2, 4\); expected \(N, Z\) with Z = 3"),
        (np.full((2, 3), np.inf), r"z\[0, 0\] is inf"),
    ],
)
def test_bad_codes_are_refused(z, message):
    with pytest.raises(ValueError, match=message):
        make().decode(z)


@pytest.mark.parametrize(
    ("choices", "error", "message"),
    [
        ({"latent_dim": 0}, ValueError, "latent_dim is 0; expected an integer >= 1"),
        ({"latent_dim": 2.0}, TypeError, "latent_dim is 2.0"),
        ({"latent_dim": True}, TypeError, "latent_dim is True"),
        ({"hidden": 500}, TypeError, "hidden is 500; expected a sequence of widths"),
        ({"hidden": "500"}, TypeError, "hidden is '500'"),
        ({"hidden": (5, 0)}, ValueError, r"hidden\[1\] is 0"),
        ({"hidden": (5.5,)}, TypeError, r"hidden\[0\] is 5.5"),
        ({"decoder_hidden": (-1,)}, ValueError, r"decoder_hidden\[0\] is -1"),
        ({"activation": "swish"}, ValueError, "activation is 'swish'; expected one of 'identity'"),
        ({"activation": np.tanh}, ValueError, "activation is <ufunc 'tanh'>"),
        ({"weight_init": "xavier"}, ValueError, "weight_init is 'xavier'; expected one of"),
        ({"weight_init": 0}, ValueError, "weight_init is 0"),
        ({"weight_init": 1e39}, ValueError, r"weight_init is 1e\+39; .* > 0 and < 3\.4.*e\+36"),
        ({"weight_init": 1e37}, ValueError, r"weight_init is 1e\+37"),
        ({"weight_init": np.inf}, ValueError, "weight_init is inf"),
        ({"weight_init": None}, TypeError, "weight_init is None"),
        ({"dtype": np.float16}, ValueError, "dtype is float16; expected float32 or float64"),
        ({"dtype": "text"}, TypeError, "text"),
        ({"likelihood": npvae.Bernoulli}, TypeError, "likelihood is <class .*an instance of"),
        (
            {"likelihood": Half()},
            TypeError,
            r"Half\(\), a npvae.Likelihood that lacks mean, draw, ",
        ),
        ({"likelihood": npvae.Likelihood()}, TypeError, "lacks log_prob, log_prob_backward, mean"),
        ({"likelihood": Learns()}, TypeError, "lacks log_prob_backward_learned"),
        ({"likelihood": "bernoulli"}, TypeError, "likelihood is 'bernoulli'"),
        ({"x_mean": np.zeros(7)}, ValueError, "with D = 8"),
        ({"x_mean": np.full(8, 2.0)}, ValueError, r"x_mean spans \[2, 2\]"),
    ],
)
def test_bad_choices_are_refused(choices, error, message):
    with pytest.raises(error, match=message):
        make(**choices)


def test_a_model_of_given_parameters_needs_a_likelihood_too():
    with pytest.raises(TypeError, match=r"likelihood is <object .*an instance of a npvae.Lik"):
        npvae.VAE(make().params, object(), "tanh")


@pytest.mark.parametrize("data_dim", [0, -3, 7.5, None])
def test_bad_data_dim_is_refused(data_dim):
    with pytest.raises((TypeError, ValueError), match="data_dim is"):
        npvae.VAE.init(data_dim, likelihood=BERNOULLI, rng=np.random.default_rng(0))


@pytest.mark.parametrize("rng", [None, 0, np.random.RandomState(0), np.random])
def test_a_rng_that_is_no_generator_is_refused(rng):
    expected = "expected a numpy.random.Generator"
    with pytest.raises(TypeError, match=expected):
        npvae.VAE.init(8, likelihood=BERNOULLI, rng=rng)
    with pytest.raises(TypeError, match=expected):
        make().sample(3, rng=rng)


@pytest.mark.parametrize("n", [0, -1, 2.5])
def test_bad_sample_counts_are_refused(n):
    with pytest.raises((TypeError, ValueError), match="n is"):
        make().sample(n, rng=np.random.default_rng(0))
