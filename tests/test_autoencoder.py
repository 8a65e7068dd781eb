"""The autoencoder: a VAE with σ = 0 and β = 0, to the bit; and what its noises make of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

import npvae
from models import LIKELIHOODS, slow_log_prob, slow_stack
from npvae import relatives
from npvae.relatives.autoencoder import autoencode, autoencode_backward


def make(likelihood=LIKELIHOODS["bernoulli"], D=4, Z=2, seed=0, **options):
    """A small model whose every parameter is drawn."""
    rng = np.random.default_rng(seed)
    options = {"hidden": (3,), "decoder_hidden": (5, 4), "dtype": np.float64} | options
    model = relatives.Autoencoder.init(D, latent_dim=Z, likelihood=likelihood, rng=rng, **options)
    for array in model.params.arrays().values():
        array[...] = rng.normal(0, 0.6, array.shape)
    return model


def batch(model, B=6, seed=1):
    rng = np.random.default_rng(seed)
    x = rng.random((B, model.data_dim), model.dtype)
    if isinstance(model.likelihood, npvae.Categorical):
        x = np.rint(2 * x) / 2
    return x


def run(model, x, seed=1, optimizer=None, epochs=2, **options):
    rng, optimizer = np.random.default_rng(seed), optimizer or npvae.Adam(1e-2)
    return list(
        relatives.train_autoencoder(
            model, x, epochs=epochs, optimizer=optimizer, rng=rng, **options
        )
    )


def as_vae(model, hidden, decoder_hidden):
    """The VAE with these weights and σ = 0: its logvar head is −10,000 everywhere."""
    vae = npvae.VAE.init(
        model.data_dim,
        hidden=hidden,
        decoder_hidden=decoder_hidden,
        latent_dim=model.latent_dim,
        likelihood=model.likelihood,
        activation=model.activation,
        dtype=model.dtype,
        rng=np.random.default_rng(0),
    )
    for name, layers in model.params.stacks.items():
        for (W, b), (V, c) in zip(layers, vae.params.stacks[name], strict=True):
            V[:], c[:] = 0, -1e4
            V[:, : b.size], c[: b.size] = W, b
    for name, learned in model.params.likelihood.items():
        vae.params.likelihood[name][...] = learned
    return vae


FOLLOWING = LIKELIHOODS | {"optimal": npvae.likelihoods.LearnedGaussian(0.7, optimal=True)}
OPTIMIZERS = {
    "SGD": lambda: npvae.SGD(1e-2, momentum=0.9),
    "Adam": lambda: npvae.Adam(1e-2),
    "Adam with decay": lambda: npvae.Adam(1e-2, weight_decay=1e-2),
}


@pytest.mark.equation("autoencoder.3")
@pytest.mark.filterwarnings("ignore::npvae.DiagnosisWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("likelihood", FOLLOWING)
def test_it_is_a_vae_without_noise_and_without_a_price_to_the_bit(likelihood, optimizer, dtype):
    likelihood = FOLLOWING[likelihood]
    rng = np.random.default_rng(3)
    model = relatives.Autoencoder.init(
        12, hidden=(16, 7), latent_dim=3, likelihood=likelihood, dtype=dtype, rng=rng
    )
    vae = as_vae(model, (16, 7), (7, 16))
    x = batch(model, 53)
    records = run(model, x, 1, OPTIMIZERS[optimizer](), batch_size=10, epochs=3)
    options = {"epochs": 3, "batch_size": 10, "objective": npvae.ClosedForm(beta=0)}
    options |= {"optimizer": OPTIMIZERS[optimizer](), "rng": np.random.default_rng(1)}
    for record, epoch in zip(records, npvae.train(vae, x, **options), strict=True):
        assert record.log_px_z == epoch.reconstruction == epoch.bound
    for name, layers in model.params.stacks.items():
        for (W, b), (V, c) in zip(layers, vae.params.stacks[name], strict=True):
            np.testing.assert_array_equal(W, V[:, : b.size])
            np.testing.assert_array_equal(b, c[: b.size])
    for name, learned in model.params.likelihood.items():
        np.testing.assert_array_equal(learned, vae.params.likelihood[name])
    np.testing.assert_array_equal(model.encode(x), vae.encode(x)[0])
    np.testing.assert_array_equal(model.reconstruct(x), vae.reconstruct(x))


@pytest.mark.equation("autoencoder.1")
@pytest.mark.parametrize("activation", ["tanh", "relu", "softplus"])
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_forward_pass_is_its_definition_in_plain_loops(likelihood, activation):
    model = make(LIKELIHOODS[likelihood], activation=activation)
    x, rng = batch(model), np.random.default_rng(2)
    seen, noise = rng.normal(size=x.shape), rng.normal(size=(len(x), 2))
    trace = autoencode(model, x, seen, noise)
    stacks = model.params.stacks
    for b in range(len(x)):
        code = slow_stack(list(seen[b]), stacks["encoder"], activation)
        output = slow_stack(
            [c + e for c, e in zip(code, noise[b], strict=True)], stacks["decoder"], activation
        )
        assert trace.log_px_z[0, b] == pytest.approx(slow_log_prob(model, x[b], output))
        np.testing.assert_allclose(trace.code[b], code, rtol=1e-12)


@pytest.mark.equation("autoencoder.2")
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_gradients(likelihood, activation):
    model = make(LIKELIHOODS[likelihood], activation=activation)
    x, rng = batch(model), np.random.default_rng(2)
    seen, noise = rng.normal(size=x.shape), rng.normal(size=(len(x), 2))
    names = list(model.params.arrays())

    def place(arrays):
        for array, value in zip(model.params.arrays().values(), arrays, strict=True):
            array[...] = value

    def f(*arrays):
        place(arrays)
        return autoencode(model, x, seen, noise).log_px_z

    def f_backward(dy, *arrays):
        place(arrays)
        grads = autoencode_backward(dy, model, x, seen, autoencode(model, x, seen, noise))
        return tuple(grads.arrays()[name] for name in names)

    arrays = [a.copy() for a in model.params.arrays().values()]
    errors = npvae.check_gradient(f, f_backward, arrays, rng=np.random.default_rng(0))
    assert max(errors) < 1e-7


@pytest.mark.equation("autoencoder.1", "autoencoder.4")
def test_a_reconstruction_is_judged_by_sums_over_entries_and_means_over_rows():
    model = make()
    x = batch(model, 2500)
    mean = model.reconstruct(x)
    worth = relatives.reconstruction(model, x)
    log_px_z = np.sum(x * np.log(mean) + (1 - x) * np.log(1 - mean)) / 2500
    assert worth.log_px_z == pytest.approx(log_px_z)
    assert worth.squared_error == pytest.approx(np.sum((x - mean) ** 2) / 2500)
    levels = np.rint(255 * x).astype(np.uint8)
    same = relatives.reconstruction(model, levels / 255)
    assert relatives.reconstruction(model, levels) == pytest.approx(same)


# Noise in the input


CORRUPTIONS = {
    "gaussian": relatives.GaussianNoise(0.3),
    "masking": relatives.Masking(0.3),
    "salt and pepper": relatives.SaltAndPepper(0.3),
}


@pytest.mark.equation("corruption.1", "corruption.2", "corruption.3")
def test_corruptions_have_the_moments_they_state():
    rng, n = np.random.default_rng(0), 200_000
    for x in (0.0, 0.4, 1.0):
        moments = {
            "gaussian": (x, 0.09),
            "masking": (0.7 * x, 0.3 * 0.7 * x**2),
            "salt and pepper": (0.7 * x + 0.15, 0.7 * x**2 + 0.15 - (0.7 * x + 0.15) ** 2),
        }
        for name, (mean, variance) in moments.items():
            corruption = CORRUPTIONS[name]
            noise = corruption.draw((n, 1), np.float64, rng=rng)
            seen = corruption.apply(np.full((n, 1), x), noise)
            assert seen.mean() == pytest.approx(mean, abs=4 * (variance / n) ** 0.5 + 1e-12)
            assert seen.var() == pytest.approx(variance, rel=0.02, abs=1e-12)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_corruption_keeps_the_dtype_and_none_of_it_changes_nothing(name):
    kind = type(CORRUPTIONS[name])
    for dtype in (np.float32, np.float64):
        x = np.linspace(0, 1, 12, dtype=dtype).reshape(3, 4)
        noise = kind(0.5).draw(x.shape, x.dtype, rng=np.random.default_rng(0))
        seen = kind(np.float64(0.5)).apply(x, noise)
        assert seen.dtype == noise.dtype == dtype
        np.testing.assert_array_equal(kind(0).apply(x, noise), x)
    if name == "masking":
        assert not kind(1).apply(x, noise).any()
    if name == "salt and pepper":
        noise = np.random.default_rng(0).random((9, 9))
        assert set(kind(1).apply(np.full((9, 9), 0.5), noise).flat) == {0, 1}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_no_corruption_is_a_corruption_of_nothing(name):
    """The streams are apart: neither order nor anything else changes."""
    models = [make(dtype=np.float32) for _ in range(3)]
    x = batch(models[0], 30)
    run(models[0], x)
    run(models[1], x, corruption=type(CORRUPTIONS[name])(0.0))
    run(models[2], x, corruption=CORRUPTIONS[name])
    bits = [b"".join(a.tobytes() for a in m.params.arrays().values()) for m in models]
    assert bits[0] == bits[1] != bits[2]


def mixture_score(x, sigma):
    """∇ log of ½ N(−1, 0.3² + σ²) + ½ N(1, 0.3² + σ²)."""
    width = np.hypot(0.3, sigma)
    p, q = norm.pdf(x, -1, width), norm.pdf(x, 1, width)
    return (p * (-1 - x) + q * (1 - x)) / width**2 / (p + q)


@pytest.mark.equation("autoencoder.5")
def test_a_denoiser_knows_the_slope_of_the_density():
    """Two humps: the score has three zeros and a closed form, and the model knows neither."""
    rng, sigma = np.random.default_rng(0), 0.4
    x = rng.choice([-1.0, 1.0], (2000, 1)) + 0.3 * rng.standard_normal((2000, 1))
    model = relatives.Autoencoder.init(
        1, hidden=(20,), latent_dim=8, likelihood=npvae.Gaussian(1.0), dtype=np.float64, rng=rng
    )
    optimizer = npvae.Adam(1e-2)
    for optimizer.learning_rate in (1e-2, 3e-3, 1e-3, 3e-4):
        corruption = relatives.GaussianNoise(sigma)
        run(model, x, 1, optimizer, epochs=25, batch_size=200, corruption=corruption)
    at = np.linspace(-1.8, 1.8, 37)[:, None]
    exact = mixture_score(at, sigma)
    error = model.score(at, sigma) - exact
    assert np.sqrt(np.mean(error**2)) < 0.08 * np.sqrt(np.mean(exact**2))
    assert np.corrcoef(model.score(at, sigma).ravel(), exact.ravel())[0, 1] > 0.99


@pytest.mark.equation("autoencoder.5")
def test_of_gaussian_data_the_best_linear_denoiser_has_the_score_itself():
    """r(x) = m + (x − m) S (S + σ² I)⁻¹ put in as weights: the identity holds to the last digit."""
    rng, sigma = np.random.default_rng(0), 0.7
    A, m = rng.normal(size=(3, 3)), rng.normal(size=3)
    S = A @ A.T
    gain = S @ np.linalg.inv(S + sigma**2 * np.eye(3))
    options = {"hidden": (), "likelihood": npvae.Gaussian(1.0), "decoder_hidden": ()}
    model = make(D=3, Z=3, **options)
    (first,), (last,) = model.params.stacks.values()
    first.W[:], first.b[:] = np.eye(3), -m
    last.W[:], last.b[:] = gain, m
    x = rng.normal(size=(10, 3))
    exact = -(x - m) @ np.linalg.inv(S + sigma**2 * np.eye(3))
    np.testing.assert_allclose(model.score(x, sigma), exact, rtol=1e-10)


# Noise in the code


@pytest.mark.equation("jacobian.1", "jacobian.2")
@pytest.mark.parametrize("activation", ["tanh", "relu", "softplus"])
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian", "learned gaussian"])
def test_the_jacobian_is_the_slope_of_decode(likelihood, activation):
    model = make(LIKELIHOODS[likelihood], activation=activation)
    z, h = np.random.default_rng(5).normal(size=(7, 2)), 1e-5
    J = relatives.decoder_jacobian(model, z)
    for j in range(2):
        step = h * np.eye(2)[j]
        slope = (model.decode(z + step) - model.decode(z - step)) / (2 * h)
        np.testing.assert_allclose(J[..., j], slope, rtol=1e-6, atol=1e-9)
    speed = [np.linalg.norm(J[n]) for n in range(7)]
    np.testing.assert_allclose(relatives.decoder_speed(model, z), speed)


@pytest.mark.equation("jacobian.1")
def test_a_vae_has_a_jacobian_too():
    rng = np.random.default_rng(0)
    vae = npvae.VAE.init(5, hidden=(4,), latent_dim=2, likelihood=npvae.Bernoulli(), rng=rng)
    z = rng.normal(size=(3, 2)).astype(np.float32)
    J = relatives.decoder_jacobian(vae, z)
    assert J.shape == (3, 5, 2)
    assert J.dtype == np.float32
    fine = vae.astype(np.float64)
    slope = (fine.decode(z + np.array([1e-4, 0])) - fine.decode(z)) / 1e-4
    np.testing.assert_allclose(J[..., 0], slope, atol=1e-4)
    with pytest.raises(ValueError, match="expected Bernoulli, Gaussian"):
        relatives.decoder_jacobian(make(npvae.Categorical(levels=3)), z)


@pytest.mark.equation("jacobian.3")
@given(seed=st.integers(0, 50), sigma=st.floats(0.1, 2))
def test_noise_in_the_code_is_a_price_on_the_decoder(seed, sigma):
    """A linear decoder, by a rule that is exact for squares: points at ±√Z along each axis."""
    model = make(npvae.Gaussian(1.0), seed=seed, hidden=(), decoder_hidden=())
    x = batch(model)
    z = model.encode(x)
    moves = np.sqrt(2) * np.concatenate([np.eye(2), -np.eye(2)])
    noisy = np.mean([np.sum((x - model.decode(z + sigma * m)) ** 2, axis=1) for m in moves], axis=0)
    plain = np.sum((x - model.decode(z)) ** 2, axis=1)
    np.testing.assert_allclose(noisy - plain, relatives.code_noise_price(model, z, sigma))
    ((W, _),) = model.params.stacks["decoder"]
    np.testing.assert_allclose(noisy - plain, sigma**2 * np.sum(W**2))


@pytest.mark.equation("autoencoder.1")
@pytest.mark.parametrize("sigma", [0.5, 2.0])
def test_the_noise_in_the_code_has_the_width_that_was_asked_for(sigma):
    model = make(npvae.Gaussian(1.0), hidden=(), decoder_hidden=())
    x = batch(model, 4000)
    z = model.encode(x)
    expected = np.sum((x - model.decode(z)) ** 2, axis=1)
    expected = expected + relatives.code_noise_price(model, z, sigma)
    (record,) = run(model, x, optimizer=npvae.SGD(1e-12), epochs=1, code_sigma=sigma)
    assert record.squared_error == pytest.approx(expected.mean(), rel=0.1)


@pytest.mark.equation("jacobian.3")
def test_codes_run_away_from_noise_that_has_no_price():
    """The same reconstruction from codes ten times as large costs a hundredth of the price."""
    model = make(npvae.Gaussian(1.0), hidden=(), decoder_hidden=())
    x = batch(model)
    before, price = model.reconstruct(x), relatives.code_noise_price(model, model.encode(x), 0.5)
    (first,), (last,) = model.params.stacks.values()
    for array in first:
        array *= 10
    last.W[:] /= 10
    np.testing.assert_allclose(model.reconstruct(x), before)
    np.testing.assert_allclose(relatives.code_noise_price(model, model.encode(x), 0.5), price / 100)


# What a user meets


def test_it_learns_and_says_so():
    x = npvae.datasets.glyph_digits(300, rng=np.random.default_rng(0)).images
    model = relatives.Autoencoder.init(
        784,
        hidden=(50,),
        latent_dim=5,
        likelihood=npvae.Bernoulli(),
        x_mean=x.mean(axis=0),
        rng=np.random.default_rng(1),
    )
    records = run(model, x, epochs=8, batch_size=30, x_val=x[:20], code_sigma=0.1)
    assert records[-1].log_px_z > records[0].log_px_z + 10
    assert records[-1].validation == relatives.reconstruction(model, x[:20])
    assert all(len(line) <= 80 for line in str(records[-1]).splitlines())
    assert repr(model) == "Autoencoder(784-50-5-50-784, tanh, Bernoulli(), float32)"
    assert not hasattr(model, "sample")


def test_watching_changes_nothing_and_a_copy_stays_behind():
    x = batch(make(dtype=np.float32), 30)
    watched, alone = make(dtype=np.float32), make(dtype=np.float32)
    before = watched.copy()
    run(watched, x, x_val=x, binarize=True)
    run(alone, x, binarize=True)
    for a, b, c in zip(
        *(m.params.arrays().values() for m in (watched, alone, before)), strict=True
    ):
        np.testing.assert_array_equal(a, b)
        assert (a != c).any()


def test_a_record_of_nothing_warns():
    with pytest.warns(UserWarning, match="never iterated"):
        relatives.train_autoencoder(
            make(), np.zeros((3, 4)), epochs=1, optimizer=npvae.Adam(), rng=np.random.default_rng(0)
        )


def test_a_loss_that_overflows_stops_before_it_is_learned_from():
    model = make(npvae.Gaussian(1e-3), dtype=np.float32)
    with pytest.raises(npvae.NonFiniteError, match="epoch"):
        run(model, batch(model, 50), optimizer=npvae.SGD(1e30), epochs=5)
    assert all(np.isfinite(a).all() for a in model.params.arrays().values())


GOOD = np.full((5, 4), 0.5)
BAD = {
    "outside [0, 1]": ({"x": 2 * GOOD + 1}, ValueError, r"expects values in \[0, 1\]"),
    "NaN": ({"x": GOOD * np.nan}, ValueError, r"x\[0, 0\] is nan"),
    "one column short": ({"x": GOOD[:, :3]}, ValueError, "D = 4"),
    "no rows": ({"x": GOOD[:0]}, ValueError, "no rows"),
    "validation outside": ({"x_val": -GOOD}, ValueError, "x_val spans"),
    "sigma below 0": ({"code_sigma": -1}, ValueError, "code_sigma is -1"),
    "sigma of text": ({"code_sigma": "0.1"}, TypeError, "code_sigma is '0.1'"),
    "a number as corruption": ({"corruption": 0.3}, TypeError, r"such as GaussianNoise\(0.3\)"),
    "a class as corruption": ({"corruption": relatives.Masking}, TypeError, "corruption is"),
    "no epochs": ({"epochs": 0}, ValueError, "epochs is 0"),
    "no optimizer": ({"optimizer": 1e-3}, TypeError, "optimizer is 0.001"),
    "no rng": ({"rng": 0}, TypeError, "rng is 0"),
    "binarize of text": ({"binarize": "yes"}, TypeError, "binarize is 'yes'"),
    "a VAE": ({"model": "VAE"}, TypeError, "expected an Autoencoder"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_at_once(name):
    change, error, message = BAD[name]
    given = {"model": make(), "x": GOOD, "epochs": 1, "optimizer": npvae.Adam()}
    given |= {"rng": np.random.default_rng(0)} | change
    with pytest.raises(error, match=message):
        relatives.train_autoencoder(given.pop("model"), given.pop("x"), **given)


@pytest.mark.parametrize("kind", [relatives.Masking, relatives.SaltAndPepper])
@pytest.mark.parametrize("p", [-0.1, 1.1, np.nan, np.inf])
def test_a_probability_lies_in_the_unit_interval(kind, p):
    with pytest.raises(ValueError, match="p is"):
        kind(p)


def test_bad_widths_of_noise_are_refused():
    with pytest.raises(ValueError, match="sigma is -1"):
        relatives.GaussianNoise(-1)
    with pytest.raises(TypeError, match="sigma is 'a'"):
        relatives.GaussianNoise("a")
    with pytest.raises(ValueError, match="sigma is 0"):
        make(npvae.Gaussian(1.0)).score(GOOD, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden": (0,)}, r"hidden\[0\] is 0"),
        ({"latent_dim": 0}, "latent_dim is 0"),
        ({"activation": "swish"}, "activation is 'swish'"),
        ({"dtype": np.float16}, "dtype is float16"),
        ({"x_mean": np.full(4, 2.0)}, "x_mean"),
        ({"x_mean": np.full(3, 0.2)}, "x_mean has shape"),
    ],
)
def test_a_bad_model_is_refused(change, message):
    options = {"likelihood": npvae.Bernoulli(), "rng": np.random.default_rng(0)} | change
    with pytest.raises(ValueError, match=message):
        relatives.Autoencoder.init(4, **options)


def test_a_reconstruction_beyond_the_range_is_told():
    rng = np.random.default_rng(0)
    likelihood = npvae.Gaussian(1.0)
    model = relatives.Autoencoder.init(4, hidden=(), latent_dim=2, likelihood=likelihood, rng=rng)
    model.params.stacks["decoder"][-1].b[:] = 1e25
    with pytest.raises(FloatingPointError, match="has left the range of float32"):
        relatives.reconstruction(model, rng.random((3, 4)))
