"""The conditional VAE: against plain loops, SciPy's integrals, and the VAE that it is given c."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.integrate import quad
from scipy.special import logsumexp
from scipy.stats import norm

import npvae
from models import LIKELIHOODS, slow_draw, slow_log_prob, slow_stack
from npvae import exact
from npvae.relatives import (
    ConditionalVAE,
    conditional_elbo,
    conditional_elbo_backward,
    conditional_log_likelihood,
    evaluate_conditional,
    marginal_log_likelihood,
    one_hot,
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
every_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS)


def make_model(prior="linear", likelihood="bernoulli", seed=0, **options):
    """A small model whose every parameter is drawn."""
    rng = np.random.default_rng(seed)
    options = {"hidden": (3,), "decoder_hidden": (5, 4), "dtype": np.float64} | options
    options = {"latent_dim": Z, "likelihood": LIKELIHOODS[likelihood]} | options
    model = ConditionalVAE.init(
        D, condition_dim=C, prior_hidden=PRIORS[prior], rng=rng, **options
    )
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
    """log p(x|z, c) (L,), KL by one integral a dimension, log p(x, z|c) − log q(z|x, c) (L,)."""
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
    """∫ q log (q/p) of one dimension."""
    q, p = norm(mu, math.exp(logvar / 2)), norm(m, math.exp(log_s2 / 2))
    width = 12 * q.std()
    return quad(
        lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), mu - width, mu + width, epsabs=1e-13
    )[0]


# The prior, and its units


NUMBERS = arrays(np.float64, (2, 3), elements=st.floats(-3, 3))


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
@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_kl_of_two_gaussians_is_never_negative_and_zero_where_they_are_one(mu, logvar, m, log_s2):
    assert np.all(gaussians_kl(mu, logvar, m, log_s2) >= 0)
    np.testing.assert_array_equal(gaussians_kl(mu, logvar, mu, logvar), 0)


@pytest.mark.equation("conditional.4")
def test_kl_of_two_gaussians_is_the_integral():
    rng = np.random.default_rng(2)
    four = rng.standard_normal((4, 6, Z))
    expected = [sum(slow_kl(*one) for one in four[:, b].T) for b in range(6)]
    np.testing.assert_allclose(gaussians_kl(*four), expected, rtol=1e-9)


@pytest.mark.equation("conditional.5")
def test_gradient_of_the_kl_of_two_gaussians():
    rng = np.random.default_rng(3)
    args = tuple(rng.standard_normal((4, 3, Z)))
    npvae.check_gradient(gaussians_kl, gaussians_kl_backward, args, rng=rng, tolerance=1e-9)


# The bound


@pytest.mark.equation("conditional.1")
@every_prior
@every_likelihood
def test_the_bound_is_its_definition_in_plain_loops(likelihood, prior):
    model = make_model(prior, likelihood)
    x, condition, noise = make_batch(model)
    rows = [slow_terms(model, *row, noise[:, b]) for b, row in enumerate(zip(x, condition))]
    log_px_z, kl, log_w = zip(*rows, strict=True)
    closed = np.mean(log_px_z, axis=1) - 2 * np.array(kl)
    trace = conditional_elbo(model, x, condition, noise, npvae.ClosedForm(beta=2.0))
    np.testing.assert_allclose(trace.bound, closed, rtol=1e-9)
    weighted = logsumexp(log_w, axis=1) - np.log(len(noise))
    trace = conditional_elbo(model, x, condition, noise, npvae.ImportanceWeighted(len(noise)))
    np.testing.assert_allclose(trace.bound, weighted, rtol=1e-10)


@pytest.mark.equation("conditional.1", "conditional.7")
@every_prior
def test_the_bound_is_log_p_of_x_given_c_less_a_divergence(prior):
    """In one dimension of z, with every integral SciPy's."""
    model = make_model(prior, latent_dim=1)
    x, condition, _ = make_batch(model, B=2)
    for row, c in zip(x, condition, strict=True):
        heads = slow_stack([*row, *c], model.params.encoder, model.activation)
        q = norm(heads[0], math.exp(heads[1] / 2))
        evidence, divergence = (
            quad(f, -15, 15, epsabs=1e-12, points=[q.mean()])[0]
            for f in (
                lambda z, row=row, c=c: math.exp(slow_log_joint(model, row, c, [z])),
                lambda z, row=row, c=c, q=q: q.pdf(z)
                * (q.logpdf(z) - slow_log_joint(model, row, c, [z])),
            )
        )
        vae = model.given(c)
        assert exact.quadrature(vae, row[None]).log_px == pytest.approx(math.log(evidence))
        assert exact.expected_bound(vae, row[None], step=0.1) == pytest.approx(-divergence)
        assert -divergence < math.log(evidence)


@pytest.mark.equation("conditional.6")
@pytest.mark.parametrize("hidden", [(), (3,)], ids=["linear", "hidden"])
@every_prior
@pytest.mark.parametrize(
    "objective",
    [npvae.ClosedForm(2.0), npvae.Sampled(), npvae.ImportanceWeighted(2)],
    ids=["closed form", "sampled", "importance-weighted"],
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


def test_an_encoder_told_by_dreg_is_right_on_average():
    """Its estimate and the total gradient have one mean: over many draws, within four errors."""
    model, K, N = make_model(), 3, 20_000
    x, condition, _ = make_batch(model, B=1)
    x, condition = np.repeat(x, N, axis=0), np.repeat(condition, N, axis=0)
    noise = np.random.default_rng(5).standard_normal((K, N, Z))
    total, dreg = (
        [
            conditional_elbo_backward(
                np.full(N // 20, 20 / N),
                model,
                *parts[:2],
                parts[2].swapaxes(0, 1).copy(),
                conditional_elbo(
                    model,
                    *parts[:2],
                    parts[2].swapaxes(0, 1).copy(),
                    npvae.ImportanceWeighted(K, gradient=gradient),
                ),
            )
            for parts in zip(
                *(np.split(a, 20) for a in (x, condition, noise.swapaxes(0, 1))), strict=True
            )
        ]
        for gradient in ("total", "dreg")
    )
    for name in model.params.arrays():
        difference = np.array(
            [t.arrays()[name] - d.arrays()[name] for t, d in zip(total, dreg, strict=True)]
        )
        error = difference.std(axis=0, ddof=1) / np.sqrt(len(difference))
        assert np.all(np.abs(difference.mean(axis=0)) <= 4.5 * error + 1e-12), name


# At one condition it is a VAE


@pytest.mark.equation("conditional.7")
@every_prior
@every_likelihood
@pytest.mark.parametrize("hidden", [(), (3,), (4, 3)], ids=["linear", "hidden", "deep"])
def test_given_a_condition_it_is_a_vae(hidden, likelihood, prior):
    model = make_model(prior, likelihood, hidden=hidden, decoder_hidden=hidden)
    x, condition, noise = make_batch(model)
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
        np.testing.assert_allclose(
            vae.reconstruct(x[row]), model.reconstruct(x[row], c), rtol=1e-9
        )
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
    many = np.mean([model.sample(4, condition, rng=rng, draw=True) for _ in range(2000)], axis=0)
    means = np.mean([model.sample(4, condition, rng=rng) for _ in range(2000)], axis=0)
    assert np.abs(many - means).max() < 4 * np.sqrt(0.5 / 2000)


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
    with pytest.warns(npvae.UnreliableWarning, match="4 conditions; the first says") as told:
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
    np.testing.assert_allclose(log_px, logsumexp(log_px_c, b=p, axis=1), rtol=1e-12)
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
