"""The conditional VAE: against plain loops, SciPy's integrals, and the VAE that it is given c."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.integrate import simpson
from scipy.special import logsumexp
from scipy.stats import norm

import npvae
from models import LIKELIHOODS, slow_draw, slow_log_prob, slow_stack
from npvae import exact
from npvae.posterior import ChainWarning, Noise, Pixels, restore
from npvae.relatives import (
    ConditionalVAE,
    conditional_elbo,
    conditional_elbo_backward,
    conditional_log_likelihood,
    evaluate_conditional,
    marginal_log_likelihood,
    one_hot,
    restore_conditional,
    train_conditional,
)
from npvae.relatives.conditional.prior import (
    gaussians_kl,
    gaussians_kl_backward,
    whiten,
    whiten_backward,
)

PRIORS = {"N(0, I)": None, "linear": (), "hidden": (3,)}
D, C, Z = 4, 3, 2
every_prior = pytest.mark.parametrize("prior", PRIORS)


def make_model(prior="linear", likelihood="bernoulli", seed=0, **options):
    """A small model whose every parameter is drawn."""
    rng = np.random.default_rng(seed)
    options = {"hidden": (3,), "decoder_hidden": (5, 4), "dtype": np.float64} | options
    options = {"latent_dim": Z, "likelihood": LIKELIHOODS[likelihood]} | options
    model = ConditionalVAE.init(D, condition_dim=C, prior_hidden=PRIORS[prior], rng=rng, **options)
    for array in model.params.arrays().values():
        array[...] = rng.normal(0, 0.6, array.shape)
    return model


def make_batch(model, B=5, L=2, seed=1):
    """x, condition, noise"""
    rng = np.random.default_rng(seed)
    x = rng.integers(3, size=(B, D)) / 2
    condition = rng.standard_normal((B, C))
    noise = rng.standard_normal((L, B, model.latent_dim))
    return tuple(a.astype(model.dtype) for a in (x, condition, noise))


def slow_prior(model, c):
    """m and log s² of one row."""
    Z = model.latent_dim
    if not model.params.prior:
        return [0.0] * Z, [0.0] * Z
    heads = slow_stack(list(c), model.params.prior, model.activation)
    return heads[:Z], heads[Z:]


def slow_log_joint(model, x, c, z):
    """log p(x|z, c) + log p(z|c) of one row."""
    output = slow_stack([*z, *c], model.params.decoder, model.activation)
    m, log_s2 = slow_prior(model, c)
    log_pz = sum(
        norm.logpdf(z_j, m_j, math.exp(s_j / 2)) for z_j, m_j, s_j in zip(z, m, log_s2, strict=True)
    )
    return slow_log_prob(model, x, output) + log_pz


def slow_terms(model, x, c, noise):
    """log p(x|z, c) (L,), KL by cross-entropies, log p(x, z|c) − log q(z|x, c) (L,)."""
    Z = model.latent_dim
    heads = slow_stack([*x, *c], model.params.encoder, model.activation)
    (mu, logvar), (m, log_s2) = (heads[:Z], heads[Z:]), slow_prior(model, c)
    log_px_z, log_w = [], []
    for noise_l in noise:
        z = slow_draw(mu, logvar, noise_l)
        output = slow_stack([*z, *c], model.params.decoder, model.activation)
        log_px_z.append(slow_log_prob(model, x, output))
        log_q = sum(norm.logpdf(z, mu, np.exp(np.array(logvar) / 2)))
        log_w.append(slow_log_joint(model, x, c, z) - log_q)
    kl = sum(slow_kl(*four) for four in zip(mu, logvar, m, log_s2, strict=True))
    return log_px_z, kl, log_w


def slow_kl(mu, logvar, m, log_s2):
    """Cross-entropy of q and the prior, less the entropy of q, in one dimension."""
    square = (math.exp(logvar) + (mu - m) ** 2) / math.exp(log_s2)
    return 0.5 * (math.log(2 * math.pi) + log_s2 + square) - norm.entropy(
        scale=math.exp(logvar / 2)
    )


# The prior, and its units


@pytest.mark.equation("conditional.2")
def test_a_density_in_the_priors_units_is_the_density_times_s():
    rng = np.random.default_rng(0)
    mu, logvar, m, log_s2, z = rng.standard_normal((5, 3, Z))
    mu_white, logvar_white = whiten(mu, logvar, m, log_s2)
    s = np.exp(log_s2 / 2)
    expected = norm.pdf(z, mu, np.exp(logvar / 2)) * s
    found = norm.pdf((z - m) / s, mu_white, np.exp(logvar_white / 2))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.equation("conditional.3")
def test_gradient_of_the_change_of_units():
    rng = np.random.default_rng(1)
    args = tuple(rng.standard_normal((4, 3, Z)))

    def f(mu, logvar, m, log_s2):
        return np.stack(whiten(mu, logvar, m, log_s2))

    def f_backward(dy, mu, logvar, m, log_s2):
        return whiten_backward(*dy, whiten(mu, logvar, m, log_s2)[0], log_s2)

    npvae.check_gradient(f, f_backward, args, rng=rng, tolerance=1e-9)


@pytest.mark.equation("conditional.4")
@given(arrays(np.float64, (4, 2, 3), elements=st.floats(-3, 3)))
def test_kl_of_two_gaussians_is_never_negative_and_zero_where_they_are_one(four):
    mu, logvar, m, log_s2 = four
    assert np.all(gaussians_kl(mu, logvar, m, log_s2) >= 0)
    np.testing.assert_array_equal(gaussians_kl(mu, logvar, mu, logvar), 0)


@pytest.mark.equation("conditional.4")
def test_kl_of_two_gaussians_is_the_integral():
    rng = np.random.default_rng(2)
    four = rng.standard_normal((4, 6, 1))
    found = gaussians_kl(*four)
    mu, logvar, m, log_s2 = four[..., 0, None]
    z = mu + np.linspace(-12, 12, 2001) * np.exp(logvar / 2)
    q, p = norm(mu, np.exp(logvar / 2)), norm(m, np.exp(log_s2 / 2))
    expected = simpson(q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), x=z)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.equation("conditional.5")
def test_gradient_of_the_kl_of_two_gaussians():
    rng = np.random.default_rng(3)
    args = tuple(rng.standard_normal((4, 3, Z)))
    npvae.check_gradient(gaussians_kl, gaussians_kl_backward, args, rng=rng, tolerance=1e-9)


# The bound


@pytest.mark.equation("conditional.1")
@pytest.mark.parametrize(
    ("likelihood", "prior"),
    [("bernoulli", "hidden"), ("learned gaussian", "linear"), ("categorical", "N(0, I)")],
)
def test_the_bound_is_its_definition_in_plain_loops(likelihood, prior):
    model = make_model(prior, likelihood)
    x, condition, noise = make_batch(model, B=3)
    closed, weighted = (
        conditional_elbo(model, x, condition, noise, objective).bound
        for objective in (npvae.ClosedForm(beta=2.0), npvae.ImportanceWeighted(len(noise)))
    )
    rows = [slow_terms(model, x[b], condition[b], noise[:, b]) for b in range(3)]
    log_px_z, kl, log_w = zip(*rows, strict=True)
    np.testing.assert_allclose(closed, np.mean(log_px_z, axis=1) - 2 * np.array(kl), rtol=1e-10)
    expected = logsumexp(log_w, axis=1) - np.log(len(noise))
    np.testing.assert_allclose(weighted, expected, rtol=1e-10)


@pytest.mark.equation("conditional.1", "conditional.7")
@every_prior
def test_the_bound_is_log_p_of_x_given_c_less_a_divergence(prior):
    """In one dimension of z, with the integrals by Simpson's rule."""
    model = make_model(prior, latent_dim=1, hidden=(), decoder_hidden=(2,))
    (row,), (c,), _ = make_batch(model, B=1)
    vae = model.given(c)
    log_px = exact.quadrature(vae, row[None]).log_px
    bound = exact.expected_bound(vae, row[None], step=0.1)
    z = np.linspace(-10, 10, 1001)
    log_joint = np.array([slow_log_joint(model, row, c, [z_i]) for z_i in z])
    mu, logvar = slow_stack([*row, *c], model.params.encoder, model.activation)
    log_q = norm.logpdf(z, mu, math.exp(logvar / 2))
    assert np.exp(log_px) == pytest.approx(simpson(np.exp(log_joint), x=z), rel=1e-6)
    assert bound == pytest.approx(simpson(np.exp(log_q) * (log_joint - log_q), x=z), rel=1e-6)
    assert bound < log_px


@pytest.mark.equation("conditional.6")
@pytest.mark.parametrize(
    ("objective", "prior", "hidden"),
    [
        (npvae.ClosedForm(2.0), "N(0, I)", (3,)),
        (npvae.ClosedForm(2.0), "hidden", ()),
        (npvae.ImportanceWeighted(2), "linear", (3,)),
    ],
    ids=["N(0, I)", "hidden prior", "importance-weighted"],
)
def test_gradient(objective, prior, hidden):
    model = make_model(prior, "learned gaussian", hidden=hidden)
    x, condition, noise = make_batch(model)
    names = list(model.params.arrays())

    def with_arrays(arrays):
        moved = model.copy()
        for name, array in zip(names, arrays, strict=True):
            moved.params.arrays()[name][...] = array
        return moved

    def f(*arrays):
        return conditional_elbo(with_arrays(arrays), x, condition, noise, objective).bound

    def f_backward(dbound, *arrays):
        moved = with_arrays(arrays)
        trace = conditional_elbo(moved, x, condition, noise, objective)
        grads = conditional_elbo_backward(dbound, moved, x, condition, noise, trace)
        return tuple(grads.arrays().values())

    arrays, rng = tuple(model.params.arrays().values()), np.random.default_rng(3)
    npvae.check_gradient(f, f_backward, arrays, rng=rng, tolerance=1e-7, coordinates=12)


def test_an_estimate_by_dreg_has_the_mean_of_the_total_gradient():
    """Over many draws, in every parameter within 4.5 standard errors; the prior's too."""
    model, K, N, parts = make_model(hidden=(), decoder_hidden=()), 3, 500, 20
    x, condition, _ = make_batch(model, B=1)
    x, condition = np.repeat(x, N, axis=0), np.repeat(condition, N, axis=0)
    rng, differences = np.random.default_rng(5), []
    for _ in range(parts):
        noise, grads = rng.standard_normal((K, N, Z)), []
        for gradient in ("total", "dreg"):
            objective = npvae.ImportanceWeighted(K, gradient=gradient)
            inputs = model, x, condition, noise
            trace = conditional_elbo(*inputs, objective)
            grads.append(conditional_elbo_backward(np.full(N, 1 / N), *inputs, trace).rows)
        differences.append([a - b for a, b in zip(*grads, strict=True)])
    for d in map(np.stack, zip(*differences, strict=True)):
        error = d.std(axis=0, ddof=1) / np.sqrt(parts)
        assert np.all(np.abs(d.mean(axis=0)) <= 4.5 * error + 1e-12)
        assert error.max() < 0.03


# At one condition it is a VAE


@pytest.mark.equation("conditional.7")
@every_prior
@pytest.mark.parametrize("hidden", [(), (3,), (4, 3)], ids=["linear", "hidden", "deep"])
def test_given_a_condition_it_is_a_vae(hidden, prior):
    model = make_model(prior, "learned gaussian", hidden=hidden, decoder_hidden=hidden)
    x, condition, noise = make_batch(model, B=2)
    trace = conditional_elbo(model, x, condition, noise)
    mu, logvar = model.encode(x, condition)
    m, log_s2 = model.prior(condition)
    for b, c in enumerate(condition):
        vae, row = model.given(c), slice(b, b + 1)
        alone = npvae.elbo(vae, x[row], noise[:, row])
        for name in ("bound", "kl", "mu", "logvar", "log_px_z"):
            ours = getattr(trace, name)
            ours = ours[:, row] if name == "log_px_z" else ours[row]
            np.testing.assert_allclose(getattr(alone, name), ours, rtol=1e-9, atol=1e-12)
        s = np.exp(log_s2[row] / 2)
        np.testing.assert_allclose(vae.encode(x[row])[0], (mu[row] - m[row]) / s, rtol=1e-9)
        np.testing.assert_allclose(vae.encode(x[row])[1], logvar[row] - log_s2[row], atol=1e-12)
        z = noise[:, b]
        np.testing.assert_allclose(vae.decode(z), model.decode(m[row] + s * z, c), rtol=1e-9)
        np.testing.assert_allclose(vae.reconstruct(x[row]), model.reconstruct(x[row], c), rtol=1e-9)
        drawn = [one(np.random.default_rng(9)) for one in samplers(model, vae, c)]
        np.testing.assert_allclose(drawn[0], drawn[1], rtol=1e-9)


def samplers(model, vae, c):
    yield lambda rng: model.sample(4, c, rng=rng)
    yield lambda rng: vae.sample(4, rng=rng)


def test_samples_are_draws_of_x_where_asked():
    model, rng = make_model(), np.random.default_rng(0)
    _, condition, _ = make_batch(model, B=4)
    drawn = model.sample(4, condition, rng=rng, draw=True)
    assert set(np.unique(drawn)) <= {0, 1}
    many = np.repeat(condition, 2000, axis=0)
    drawn, means = (
        model.sample(8000, many, rng=rng, draw=draw).reshape(4, 2000, D).mean(axis=1)
        for draw in (True, False)
    )
    assert np.abs(drawn - means).max() < 4.5 * np.sqrt(0.5 / 2000)


def test_float32_stays_float32():
    model = make_model(dtype=np.float32)
    x, condition, noise = make_batch(model)
    trace = conditional_elbo(model, x, condition, noise)
    grads = conditional_elbo_backward(trace.bound, model, x, condition, noise, trace)
    assert all(a.dtype == np.float32 for a in grads.arrays().values())
    assert all(a.dtype == np.float32 for a in trace if isinstance(a, np.ndarray))
    assert model.given(condition[0]).dtype == np.float32
    assert model.sample(2, condition[0], rng=np.random.default_rng(0)).dtype == np.float32


def test_at_first_the_condition_changes_nothing():
    """It starts as the VAE that VAE.init makes of the same rng."""
    choices = {"hidden": (3,), "latent_dim": Z, "likelihood": npvae.Bernoulli()}
    vae = npvae.VAE.init(D, rng=np.random.default_rng(4), **choices)
    for prior in PRIORS.values():
        rng = np.random.default_rng(4)
        model = ConditionalVAE.init(D, condition_dim=C, prior_hidden=prior, rng=rng, **choices)
        _, condition, _ = make_batch(model)
        for name, array in model.given(condition[0]).params.arrays().items():
            np.testing.assert_array_equal(array, vae.params.arrays()[name])


# What it is worth


@pytest.mark.filterwarnings("ignore::npvae.UnreliableWarning")
@pytest.mark.equation("conditional.7")
def test_log_p_of_x_given_c_row_by_row():
    model = make_model(latent_dim=1)
    x, condition, _ = make_batch(model, B=6)
    condition[3:] = condition[0]
    found = conditional_log_likelihood(
        model, x, condition, samples=4000, rng=np.random.default_rng(0)
    )
    exactly = [
        exact.quadrature(model.given(c), row[None]).log_px[0]
        for row, c in zip(x, condition, strict=True)
    ]
    assert np.all(np.abs(found.log_px - exactly) < 4.5 * found.standard_error)
    assert found.standard_error.max() < 0.05


def test_few_effective_samples_are_told_once():
    model = make_model()
    model.params.encoder[-1].b[Z:] = -12  # a q so narrow that a few draws carry all
    x, condition, _ = make_batch(model, B=4)
    with pytest.warns(npvae.UnreliableWarning, match="of 4 rows rests on a few draws") as told:
        conditional_log_likelihood(model, x, condition, samples=50, rng=np.random.default_rng(0))
    assert len(told) == 1


def test_evaluation_is_the_mean_bound_and_its_parts():
    model = make_model()
    x, condition, _ = make_batch(model, B=7)
    rng = np.random.default_rng(8)
    noise = [rng.standard_normal((2, n, Z)) for n in (5, 2)]
    found = evaluate_conditional(
        model, x, condition, samples=2, batch_size=5, rng=np.random.default_rng(8)
    )
    traces = [
        conditional_elbo(model, x[at], condition[at], one)
        for at, one in zip((slice(5), slice(5, 7)), noise, strict=True)
    ]
    bound = np.concatenate([trace.bound for trace in traces])
    assert found.elbo == pytest.approx(bound.mean())
    assert found.kl == pytest.approx(np.concatenate([trace.kl for trace in traces]).mean())


@pytest.mark.equation("conditional.8", "conditional.9")
@given(arrays(np.float64, (4, 3), elements=st.floats(-800, 0)), st.integers(0, 99))
def test_a_condition_is_worth_at_most_its_surprise(log_px_c, seed):
    p = np.random.default_rng(seed).dirichlet(np.ones(3))
    log_px = marginal_log_likelihood(log_px_c, np.log(p))
    expected = logsumexp(log_px_c, b=p, axis=1)
    np.testing.assert_allclose(log_px, expected, rtol=1e-12, atol=1e-12)
    assert np.all(log_px_c - log_px[:, None] <= -np.log(p) + 1e-9)


@pytest.mark.equation("conditional.8")
def test_probabilities_of_every_image_sum_to_one_over_the_classes():
    model = make_model(latent_dim=1)
    images = np.array([[i >> d & 1 for d in range(D)] for i in range(2**D)], float)
    log_px_c = np.stack(
        [exact.quadrature(model.given(c), images).log_px for c in np.eye(C)], axis=1
    )
    np.testing.assert_allclose(np.exp(log_px_c).sum(axis=0), 1, rtol=1e-7)
    log_px = marginal_log_likelihood(log_px_c, np.log([0.5, 0.3, 0.2]))
    assert np.exp(log_px).sum() == pytest.approx(1, abs=1e-7)


# Training


def train(model, x, condition, seed=0, epochs=3, **options):
    options = {"optimizer": npvae.Adam(0.01), "batch_size": 10} | options
    rng = np.random.default_rng(seed)
    return list(train_conditional(model, x, condition, epochs=epochs, rng=rng, **options))


def test_with_a_condition_of_zeros_it_learns_what_a_vae_learns():
    """Step for step: the order of rows, the targets and the noise are the same."""
    choices = {"hidden": (3,), "latent_dim": Z, "likelihood": npvae.LearnedGaussian()}
    choices |= {"dtype": np.float64}
    x = np.random.default_rng(0).random((35, D))
    vae = npvae.VAE.init(D, rng=np.random.default_rng(1), **choices)
    model = ConditionalVAE.init(D, condition_dim=C, rng=np.random.default_rng(1), **choices)
    settings = {"optimizer": npvae.Adam(0.01), "batch_size": 10}
    theirs = list(npvae.train(vae, x, epochs=3, rng=np.random.default_rng(2), **settings))
    ours = train(model, x, np.zeros(C), seed=2)
    for name, array in model.given(np.zeros(C)).params.arrays().items():
        np.testing.assert_allclose(array, vae.params.arrays()[name], rtol=1e-9, atol=1e-12)
    for name in ("bound", "elbo", "reconstruction", "kl"):
        expected = [getattr(epoch, name) for epoch in theirs]
        np.testing.assert_allclose([getattr(epoch, name) for epoch in ours], expected, rtol=1e-9)


def binary_rows(n, seed=0):
    """x of four pixels, whose class says which two are nearly always equal."""
    rng = np.random.default_rng(seed)
    labels, x = np.arange(n) % 3, rng.integers(2, size=(n, D)).astype(np.float32)
    x[:, 1] = np.where(labels == 0, x[:, 0], x[:, 1])
    x[:, 2] = np.where(labels == 1, x[:, 0], x[:, 2])
    x[:, 3] = np.where(labels == 2, x[:, 0], x[:, 3])
    return x, labels


def test_it_learns_what_the_condition_says():
    """The best possible is −3 log 2 a row: given the class, three pixels are free. Without it,
    the class can be worth log 3 at most, and the model would be nearer to −4 log 2."""
    x, labels = binary_rows(1200)
    condition, rng = one_hot(labels, 3), np.random.default_rng(1)
    choices = {"hidden": (16,), "latent_dim": 1, "likelihood": npvae.Bernoulli(), "rng": rng}
    model = ConditionalVAE.init(D, condition_dim=3, prior_hidden=(), **choices)
    optimizer = npvae.Adam(0.02)
    train(model, x, condition, epochs=40, optimizer=optimizer, batch_size=50)
    log_px_c = [
        exact.quadrature(model.given(one_hot(k, 3)), x[k:300:3]).log_px.mean() for k in range(3)
    ]
    assert -3 * np.log(2) - 0.12 < np.mean(log_px_c) < -3 * np.log(2)
    wrong = exact.quadrature(model.given(one_hot(1, 3)), x[0:300:3]).log_px.mean()
    assert wrong < np.mean(log_px_c) - 0.5  # told a false class


def test_watching_changes_nothing_and_a_seed_repeats_all():
    x, labels = binary_rows(25)
    condition, results = one_hot(labels, 3), []
    for watched in ({}, {"x_val": x, "condition_val": condition}, {}):
        model = make_model(dtype=np.float32)
        epochs = train(model, x, condition, epochs=2, binarize=True, **watched)
        results.append(model.params.rows[0].copy())
        assert (epochs[-1].validation is None) == (not watched)
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_grey_levels_train_as_such():
    x, labels = binary_rows(25)
    arrays = []
    for rows in ((255 * x).astype(np.uint8), x):
        model = make_model(dtype=np.float32)
        train(model, rows, one_hot(labels, 3))
        arrays.append(model.params.rows[0])
    np.testing.assert_allclose(*arrays, rtol=1e-5, atol=1e-6)


# What is kept


@every_prior
def test_a_model_is_kept(prior, tmp_path):
    model = make_model(prior, "learned gaussian")
    model.save(tmp_path / "model.npz")
    back = ConditionalVAE.load(tmp_path / "model.npz")
    assert repr(back) == repr(model)
    for name, array in model.params.arrays().items():
        np.testing.assert_array_equal(back.params.arrays()[name], array)
    with pytest.raises(ValueError, match=r"holds a relatives\.ConditionalVAE"):
        npvae.VAE.load(tmp_path / "model.npz")
    model.given(np.zeros(C)).save(tmp_path / "vae.npz")
    with pytest.raises(ValueError, match="holds a VAE without a condition"):
        ConditionalVAE.load(tmp_path / "vae.npz")


# What a user can get wrong


def test_one_hot_rows():
    np.testing.assert_array_equal(one_hot([2, 0], 3), [[0, 0, 1], [1, 0, 0]])
    np.testing.assert_array_equal(one_hot(1, 3), [0, 1, 0])
    assert one_hot([1], 2).dtype == np.float32
    for labels, error, message in [
        ([0, 3], ValueError, r"labels\[1\] is 3; expected 0 … 2"),
        ([-1], ValueError, r"labels\[0\] is -1"),
        ([0.0, 1.0], TypeError, "holds float64 entries; expected integers"),
        (np.eye(3, dtype=int), ValueError, r"shape \(3, 3\)"),
        ("seven", TypeError, "real numbers"),
    ]:
        with pytest.raises(error, match=message):
            one_hot(labels, 3)


BAD_CONDITIONS = {
    "missing": (None, TypeError, r"condition is None; the model expects one"),
    "labels": (
        np.arange(5) % 3,
        ValueError,
        r"condition has shape \(5,\); .*relatives\.one_hot\(labels, 3\)",
    ),
    "as many labels as classes": (np.arange(3), ValueError, r"relatives\.one_hot"),
    "another width": (np.zeros((5, 4)), ValueError, r"expected \(N, C\) with C = 3"),
    "other rows": (
        np.zeros((4, 3)),
        ValueError,
        "condition has 4 rows; expected 5, or one for all",
    ),
    "NaN": (np.full((5, 3), np.nan), ValueError, r"condition\[0, 0\] is nan"),
    "words": ([["a"] * 3] * 5, TypeError, "expected real numbers"),
}


@pytest.mark.parametrize("case", BAD_CONDITIONS)
def test_a_condition_that_does_not_fit_is_refused(case):
    condition, error, message = BAD_CONDITIONS[case]
    model, rng = make_model(), np.random.default_rng(0)
    x, _, noise = make_batch(model)
    for use in (
        lambda: model.encode(x, condition),
        lambda: model.decode(noise[0], condition),
        lambda: model.reconstruct(x, condition),
        lambda: model.sample(5, condition, rng=rng),
        lambda: evaluate_conditional(model, x, condition, rng=rng),
        lambda: conditional_log_likelihood(model, x, condition, rng=rng),
        lambda: train(model, x, condition),
    ):
        with pytest.raises(error, match=message):
            use()


def test_given_takes_one_condition():
    model = make_model()
    with pytest.raises(ValueError, match="condition has 2 rows; expected 1"):
        model.given(np.zeros((2, C)))
    with pytest.raises(ValueError, match=r"relatives\.one_hot"):
        model.given(np.array([2]))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"x": np.zeros((5, 3))}, ValueError, r"expected \(N, D\) with D = 4"),
        ({"x": np.full((5, D), 2.0)}, ValueError, "x"),
        ({"x_val": np.zeros((2, D))}, ValueError, "belong together"),
        ({"condition_val": np.zeros((2, C))}, ValueError, "belong together"),
        (
            {"x_val": np.zeros((2, D)), "condition_val": np.zeros((3, C))},
            ValueError,
            "condition_val has 3 rows",
        ),
        ({"model": "vae"}, TypeError, "expected a ConditionalVAE"),
        ({"objective": "elbo"}, TypeError, "objective"),
        ({"binarize": 1}, TypeError, "binarize"),
        ({"epochs": 0}, ValueError, "epochs"),
        ({"rng": 0}, TypeError, "rng"),
    ],
)
def test_bad_input_is_refused_before_training(changes, error, message):
    model = make_model()
    x, condition, _ = make_batch(model)
    settings = {"model": model, "x": x, "condition": condition, "epochs": 1}
    settings |= {"optimizer": npvae.Adam(), "rng": np.random.default_rng(0)} | changes
    with pytest.raises(error, match=message):
        train_conditional(**settings)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"condition_dim": 0}, ValueError, "condition_dim is 0"),
        ({"condition_dim": None}, TypeError, "condition_dim is None"),
        ({"prior_hidden": 5}, TypeError, "prior_hidden is 5"),
        ({"latent_dim": 0}, ValueError, "latent_dim"),
    ],
)
def test_bad_choices_are_refused(changes, error, message):
    choices = {"condition_dim": C, "likelihood": npvae.Bernoulli(), "rng": np.random.default_rng(0)}
    with pytest.raises(error, match=message):
        ConditionalVAE.init(D, **(choices | changes))


def test_arrays_of_other_shapes_are_refused_by_the_bound():
    model = make_model()
    x, condition, noise = make_batch(model)
    trace = conditional_elbo(model, x, condition, noise)
    for wrong, message in (
        (condition[:2], r"condition has shape \(2, 3\); expected \(B, C\) with B = 5, C = 3"),
        (condition.astype(np.float32), "condition is float32"),
    ):
        with pytest.raises(ValueError, match=message):
            conditional_elbo(model, x, wrong, noise)
        with pytest.raises(ValueError, match=message):
            conditional_elbo_backward(trace.bound, model, x, wrong, noise, trace)
    with pytest.raises(ValueError, match="the trace was made with"):
        conditional_elbo_backward(trace.bound, model, x, condition, noise[:1], trace)
    with pytest.raises(ValueError, match=r"expected \(N, K\), \(K,\)"):
        marginal_log_likelihood(np.zeros((4, 3)), np.zeros(2))


def test_training_that_diverges_stops_with_finite_parameters():
    model = make_model(likelihood="gaussian")
    x, condition, _ = make_batch(model)
    with pytest.raises(npvae.NonFiniteError, match="is not finite at epoch"):
        train(model, x, condition, epochs=2000, optimizer=npvae.SGD(1e3))
    assert np.isfinite(model.params.rows[0]).all()


def test_a_training_never_iterated_is_told():
    model = make_model()
    x, condition, _ = make_batch(model)
    with pytest.warns(UserWarning, match=r"relatives\.train_conditional\(…\) was never iterated"):
        train_conditional(
            model, x, condition, epochs=1, optimizer=npvae.Adam(), rng=np.random.default_rng(0)
        )


# x given y and c


CHAINS = {"draws": 300, "warm_up": 60, "chains": 16, "leaps": 4}


def grid_moments(model, y, seen, c, grid):
    """Mean and standard deviation of z given the seen pixels and c, and E[x|z] at its mean place,
    all added up over a grid and over what the hidden binary pixels may be."""
    every = [np.where(seen, y, hidden) for hidden in np.ndindex(*(2,) * D)]
    distinct = {tuple(x) for x in every}
    log_p = [logsumexp([slow_log_joint(model, x, c, [z]) for x in distinct]) for z in grid]
    p = np.exp(log_p - logsumexp(log_p))
    mean = p @ grid
    outputs = [slow_stack([z, *c], model.params.decoder, model.activation) for z in grid]
    return mean, np.sqrt(p @ (grid - mean) ** 2), p @ (1 / (1 + np.exp(-np.array(outputs))))


@pytest.mark.equation("conditional.7")
@pytest.mark.filterwarnings("ignore::npvae.posterior.ChainWarning")
def test_restored_rows_are_those_of_a_grid_each_at_its_own_condition():
    """Rows of two conditions in turn, a mask for each row: none is taken for another."""
    model = make_model(latent_dim=1)
    rng = np.random.default_rng(0)
    c = one_hot([0, 2, 0, 2, 0], C).astype(np.float64)
    y = rng.integers(2, size=(5, D)).astype(np.float64)
    mask = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 1], [0, 0, 1, 1], [1, 1, 1, 1]], bool)
    result = restore_conditional(model, y, Pixels(mask), c, images=3, rng=rng, **CHAINS)
    assert result.images.shape == (3, 5, D)
    for n in range(5):
        grid = np.linspace(-8, 8, 161)
        mean, std, mean_x = grid_moments(model, y[n], mask[n], c[n], grid)
        error = std / np.sqrt(result.posterior.effective_samples[n, 0])
        assert abs(result.posterior.z[:, :, n].mean() - mean) < 4.5 * error
        hidden = ~mask[n]
        np.testing.assert_array_equal(result.mean[n, ~hidden], y[n, ~hidden])
        np.testing.assert_allclose(result.mean[n, hidden], mean_x[hidden], atol=0.03)


def test_at_one_condition_it_is_restore_of_the_vae_there():
    model = make_model("N(0, I)")
    x, condition, _ = make_batch(model)
    y = np.rint(x)
    vae, c, one, other = (
        model.given(condition[0]),
        condition[0],
        *map(np.random.default_rng, (3, 3)),
    )
    few = {"draws": 12, "warm_up": 8, "chains": 2, "leaps": 2}
    with pytest.warns(ChainWarning):
        ours = restore_conditional(model, y, Noise(0.3), c, rng=one, **few)
    with pytest.warns(ChainWarning):
        theirs = restore(vae, y, Noise(0.3), rng=other, **few)
    for a, b in zip((*ours[:3], *ours.posterior), (*theirs[:3], *theirs.posterior), strict=True):
        np.testing.assert_array_equal(a, b)


def test_restoring_refuses_what_does_not_fit():
    model, rng = make_model(), np.random.default_rng(0)
    x, condition, _ = make_batch(model)
    y = np.rint(x)
    for wrong, error, message in (
        ({"condition": condition[:2]}, ValueError, "condition has 2 rows"),
        ({"condition": None}, TypeError, "condition"),
        ({"observation": Pixels(np.ones((3, D)))}, ValueError, "y has shape"),
        ({"y": y[:, :2]}, ValueError, "y has shape"),
        ({"y": 3.0, "condition": condition[0]}, ValueError, "y has shape"),
        ({"drawn": 3}, TypeError, "drawn"),
    ):
        arguments = {"y": y, "observation": Noise(0.3), "condition": condition} | wrong
        with pytest.raises(error, match=message):
            restore_conditional(model, rng=rng, **arguments)
