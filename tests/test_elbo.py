"""The bound: its value against plain loops and an exact model, its gradient against differences,
and the laws that every row and every sample obey."""

import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm

import npvae
from models import LIKELIHOODS, make_batch, make_vae, slow_bound, slow_kl_per_dim
from npvae.evaluation import summarize
from npvae.kl import gaussian_kl
from npvae.training import descend, minibatches

every_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS)
every_activation = pytest.mark.parametrize("activation", npvae.ACTIVATIONS)
both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def mean_gradient(vae, x, noise, beta=1.0):
    """The gradient of the mean bound over the batch, by parameter name."""
    trace = npvae.elbo(vae, x, noise, npvae.ClosedForm(beta))
    dbound = np.full(len(x), 1 / len(x), vae.dtype)
    return npvae.elbo_backward(dbound, vae, x, noise, trace).arrays()


def every_array(record):
    """The arrays of a Trace, those inside its tuples included."""
    for field in record:
        yield from field if isinstance(field, tuple) else (field,)


@pytest.mark.equation("elbo.1", "dense.4")
@pytest.mark.parametrize(("L", "beta"), [(1, 1.0), (3, 0.0), (3, 4.0)])
@every_likelihood
@every_activation
def test_bound_is_its_definition_in_plain_loops(activation, likelihood, L, beta):
    vae = make_vae(likelihood, activation)
    x, noise = make_batch(vae, B=3, L=L)
    bound = npvae.elbo(vae, x, noise, npvae.ClosedForm(beta)).bound
    np.testing.assert_allclose(bound, slow_bound(vae, x, noise, beta), rtol=1e-12)


@pytest.mark.equation("elbo.2")
@pytest.mark.parametrize("beta", [0, 1, 4])
@pytest.mark.parametrize("L", [1, 3])
@every_likelihood
@every_activation
def test_whole_gradient_is_central_differences(activation, likelihood, L, beta):
    vae = make_vae(likelihood, activation, D=3, decoder_hidden=(2, 3))
    if activation == "sigmoid":  # its slope is ¼ at most: gradients not far above rounding
        for layer in (*vae.params.encoder, *vae.params.decoder):
            layer.W[:] *= 2
    x, noise = make_batch(vae, B=2, L=L)
    errors = npvae.check_model_gradient(
        vae,
        x,
        noise,
        objective=npvae.ClosedForm(beta),
        rng=np.random.default_rng(2),
        tolerance=1e-7,
    )
    assert errors.keys() == vae.params.arrays().keys()
    assert max(errors.values()) < 1e-7


# Laws of rows, samples and roads.


@every_likelihood
@given(
    sizes=st.fixed_dictionaries({size: st.integers(1, 5) for size in "DZBL"}),
    hidden=st.lists(st.integers(1, 5), max_size=2),
    copies=st.integers(2, 4),
)
def test_duplicating_a_batch_changes_neither_mean_bound_nor_gradient(
    likelihood, sizes, hidden, copies
):
    vae = make_vae(likelihood, D=sizes["D"], Z=sizes["Z"], hidden=hidden, decoder_hidden=hidden)
    x, noise = make_batch(vae, B=sizes["B"], L=sizes["L"])
    many_x, many_noise = np.tile(x, (copies, 1)), np.tile(noise, (1, copies, 1))
    once = npvae.elbo(vae, x, noise).bound.mean()
    assert npvae.elbo(vae, many_x, many_noise).bound.mean() == pytest.approx(once, rel=1e-13)
    grads, many_grads = mean_gradient(vae, x, noise), mean_gradient(vae, many_x, many_noise)
    for name, grad in grads.items():
        np.testing.assert_allclose(many_grads[name], grad, rtol=1e-11, atol=1e-14)


@given(order=st.permutations(range(6)))
def test_permuting_rows_permutes_results(order):
    vae = make_vae()
    x, noise = make_batch(vae, B=6)
    trace = npvae.elbo(vae, x, noise)
    permuted = npvae.elbo(vae, x[order], noise[:, order])
    np.testing.assert_allclose(permuted.bound, trace.bound[order], rtol=1e-13)
    np.testing.assert_allclose(permuted.kl, trace.kl[order], rtol=1e-13)
    np.testing.assert_allclose(permuted.log_px_z, trace.log_px_z[:, order], rtol=1e-13)


def test_rows_do_not_hear_of_each_other():
    vae = make_vae()
    x, noise = make_batch(vae)
    grads = mean_gradient(vae, x, noise)
    alone = [mean_gradient(vae, x[b : b + 1], noise[:, b : b + 1]) for b in range(len(x))]
    for name, grad in grads.items():
        mean = np.mean([one[name] for one in alone], axis=0)
        np.testing.assert_allclose(grad, mean, rtol=1e-11, atol=1e-14)


def test_several_samples_average_single_ones_and_are_no_log_mean():
    vae = make_vae(Z=3)
    x, noise = make_batch(vae, L=3)
    trace = npvae.elbo(vae, x, noise)
    single = [npvae.elbo(vae, x, one).bound for one in noise[:, None]]
    np.testing.assert_allclose(trace.bound, np.mean(single, axis=0), rtol=1e-13)
    log_of_mean = np.log(np.exp(trace.log_px_z).mean(axis=0)) - trace.kl
    assert np.all(log_of_mean > trace.bound)  # Jensen, row by row
    assert np.max(log_of_mean - trace.bound) > 0.1
    grads = mean_gradient(vae, x, noise)
    singles = [mean_gradient(vae, x, one) for one in noise[:, None]]
    for name, grad in grads.items():
        mean = np.mean([one[name] for one in singles], axis=0)
        np.testing.assert_allclose(grad, mean, rtol=1e-11, atol=1e-14)


def test_beta_weighs_the_kl_road_and_no_other():
    vae = make_vae()
    x, noise = make_batch(vae)
    at = {beta: mean_gradient(vae, x, noise, beta) for beta in (0, 1, 4)}
    for name in vae.params.arrays():
        kl_road = at[1][name] - at[0][name]
        np.testing.assert_allclose(at[4][name] - at[0][name], 4 * kl_road, rtol=1e-9, atol=1e-14)
        assert name.startswith("encoder") == bool(np.abs(kl_road).max() > 1e-6)


@pytest.mark.parametrize("beta", [0, 1, 4])
def test_a_decoder_of_zeros_leaves_the_kl_road_alone(beta):
    vae = make_vae()
    for layer in vae.params.decoder:
        layer.W[...] = 0
    x, noise = make_batch(vae)
    trace = npvae.elbo(vae, x, noise, npvae.ClosedForm(beta))
    grads = mean_gradient(vae, x, noise, beta)
    dheads = np.concatenate([trace.mu, (np.exp(trace.logvar) - 1) / 2], axis=1)
    expected = -beta * dheads.mean(axis=0)
    np.testing.assert_allclose(grads["encoder/1/b"], expected, rtol=1e-12, atol=1e-15)
    if beta == 0:
        assert not any(np.any(v) for name, v in grads.items() if name.startswith("encoder"))


def test_a_trace_keeps_its_gradient_through_later_forwards():
    vae = make_vae()
    x, noise = make_batch(vae)
    dbound = np.random.default_rng(3).standard_normal(len(x))
    trace = npvae.elbo(vae, x, noise, npvae.Sampled(2.0))
    before = npvae.elbo_backward(dbound, vae, x, noise, trace).arrays()
    npvae.elbo(vae, *make_batch(vae, seed=4))
    after = npvae.elbo_backward(dbound, vae, x, noise, trace).arrays()
    for name, grad in before.items():
        np.testing.assert_array_equal(after[name], grad)


# Numbers that a float can hold and numbers it must keep.


@both_dtypes
@every_likelihood
@every_activation
def test_dtype_in_dtype_out(activation, likelihood, dtype):
    vae = make_vae(likelihood, activation, dtype=dtype)
    x, noise = make_batch(vae)
    for beta in (1.0, np.float64(0.5), 2):
        trace = npvae.elbo(vae, x, noise, npvae.ClosedForm(beta))
        grads = npvae.elbo_backward(np.ones(len(x), dtype), vae, x, noise, trace)
        arrays = [a for a in every_array(trace) if isinstance(a, np.ndarray)]
        assert len(arrays) == 10
        assert {a.dtype for a in (*arrays, *grads.arrays().values())} == {np.dtype(dtype)}


def up_to(largest, length):
    """Arrays of so many numbers, its two ends among them more often than by chance."""
    ends = st.sampled_from([-largest, largest])
    return st.lists(ends | st.floats(-largest, largest), min_size=length, max_size=length)


@every_likelihood
@every_activation
@given(logvar=up_to(60.0, 2), output=up_to(1e4, 12))
def test_extreme_outputs_stay_finite_and_right_in_float32(activation, likelihood, output, logvar):
    """Both parts of the bound, each against itself in float64 on the same numbers: at logvar 60
    the KL is 1e26 and hides the other."""
    vae = make_vae(likelihood, activation, dtype=np.float32)
    vae.params.encoder[-1].b[vae.latent_dim :] = logvar
    bias = vae.params.decoder[-1].b
    bias[...] = output[: len(bias)]
    x, noise = make_batch(vae)
    x[0], x[1] = 0, 1
    trace = npvae.elbo(vae, x, noise)
    assert all(np.isfinite(a).all() for a in every_array(trace) if a is not trace.objective)
    assert all(np.isfinite(dv).all() for dv in mean_gradient(vae, x, noise).values())
    mu, logvar, x, output = (
        a.astype(np.float64) for a in (trace.mu, trace.logvar, x, trace.decoder_output)
    )
    np.testing.assert_allclose(trace.kl, gaussian_kl(mu, logvar), rtol=1e-6)
    learned = {name: v.astype(np.float64) for name, v in vae.params.likelihood.items()}
    log_px_z = likelihood.log_prob(x, output, **learned)
    np.testing.assert_allclose(trace.log_px_z, log_px_z, rtol=1e-5, atol=1e-5)


def test_shapes_of_a_trace_are_those_written_beside_its_fields():
    vae = make_vae(npvae.HeteroscedasticGaussian(), hidden=(3, 7))
    x, noise = make_batch(vae, B=6, L=2)
    trace = npvae.elbo(vae, x, noise)
    assert [h.shape for h in trace.encoder_hidden] == [(6, 3), (6, 7)]
    assert [h.shape for h in trace.decoder_hidden] == [(12, 5), (12, 4)]
    assert trace.mu.shape == trace.logvar.shape == (6, 2)
    assert (trace.z.shape, trace.decoder_output.shape) == ((2, 6, 2), (2, 6, 8))
    assert (trace.log_px_z.shape, trace.kl.shape, trace.bound.shape) == ((2, 6), (6,), (6,))


# A linear-Gaussian model: p(x), the posterior and the bound are all known exactly.


def linear_model(Z, seed=0, sigma=0.8):
    """x = z W + b + σ·noise, and an encoder linear in x with a width of its own."""
    vae = make_vae(npvae.Gaussian(sigma), Z=Z, hidden=(), decoder_hidden=(), seed=seed)
    vae.params.encoder[0].W[:, Z:] = 0
    return vae


def evidence(vae, x):
    """log p(x) for p(x) = N(b, WᵀW + σ²I)."""
    (W, b), sigma = vae.params.decoder[0], vae.likelihood.sigma
    return multivariate_normal(b, W.T @ W + sigma**2 * np.eye(len(b))).logpdf(x)


def posterior(vae, x):
    """Means (B, Z) and covariance (Z, Z) of p(z|x) = N((x − b) Wᵀ M⁻¹, σ² M⁻¹), M = W Wᵀ + σ²I."""
    (W, b), sigma = vae.params.decoder[0], vae.likelihood.sigma
    M_inverse = np.linalg.inv(W @ W.T + sigma**2 * np.eye(len(W)))
    return (x - b) @ W.T @ M_inverse, sigma**2 * M_inverse


def set_encoder_to_posterior(vae):
    """Exact where the posterior's covariance is diagonal, as it is for Z = 1."""
    b, Z = vae.params.decoder[0].b, vae.latent_dim
    mean, covariance = posterior(vae, np.eye(len(b)) + b)
    encoder = vae.params.encoder[0]
    encoder.W[:, :Z] = mean
    encoder.b[:Z] = -b @ mean
    encoder.b[Z:] = np.log(np.diag(covariance))


def exact_noise(B, Z):
    """2Z points of mean 0 and covariance I: Σ over them is the expectation of any quadratic."""
    points = math.sqrt(Z) * np.concatenate([np.eye(Z), -np.eye(Z)])
    return np.repeat(points[:, None], B, axis=1)


def exact_bound(vae, x):
    return npvae.elbo(vae, x, exact_noise(len(x), vae.latent_dim)).bound


def kl_to_posterior(vae, x):
    """KL(q ‖ p(z|x)) = −entropy(q) − E_q[log p(z|x)], row by row."""
    means, covariance = posterior(vae, x)
    precision = np.linalg.inv(covariance)
    mu, logvar = vae.encode(x)
    kl = []
    for m, variance, mean in zip(mu, np.exp(logvar), means, strict=True):
        log_posterior = multivariate_normal(mean, covariance).logpdf(m)
        expected = log_posterior - np.trace(precision * variance) / 2
        kl.append(-multivariate_normal(m, np.diag(variance)).entropy() - expected)
    return np.array(kl)


@pytest.mark.equation("elbo.1")
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("Z", [1, 2])
def test_evidence_is_bound_plus_kl_to_the_posterior(Z, seed):
    vae = linear_model(Z, seed)
    x, _ = make_batch(vae)
    bound, log_px = exact_bound(vae, x), evidence(vae, x)
    assert np.all(bound < log_px)
    np.testing.assert_allclose(bound + kl_to_posterior(vae, x), log_px, rtol=1e-12)


def test_bound_is_tight_when_q_is_the_posterior():
    vae = linear_model(Z=1)
    set_encoder_to_posterior(vae)
    x, _ = make_batch(vae)
    np.testing.assert_allclose(exact_bound(vae, x), evidence(vae, x), rtol=1e-12)
    grads = mean_gradient(vae, x, exact_noise(len(x), Z=1))
    for name in ("encoder/0/W", "encoder/0/b"):  # nothing is left to gain over φ
        np.testing.assert_allclose(grads[name], 0, atol=1e-12)


def test_raising_the_bound_over_the_encoder_tightens_and_moves_no_evidence():
    vae = linear_model(Z=1)
    x, _ = make_batch(vae)
    log_px, start = evidence(vae, x), exact_bound(vae, x).mean()
    noise, optimizer = exact_noise(len(x), Z=1), npvae.Adam(0.05)
    for _ in range(2000):
        grads = mean_gradient(vae, x, noise)
        descent = [-grads["encoder/0/W"], -grads["encoder/0/b"]]
        optimizer.update(vae.params.encoder[0], descent)
    np.testing.assert_array_equal(evidence(vae, x), log_px)
    assert exact_bound(vae, x).mean() > start + 0.1
    np.testing.assert_allclose(exact_bound(vae, x), log_px, rtol=1e-7)


def test_everything_sampled_agrees_with_the_closed_kl():
    vae = make_vae(Z=3)
    x, noise = make_batch(vae, B=4, L=40_000)
    trace = npvae.elbo(vae, x, noise)
    sigma = np.exp(trace.logvar / 2)
    log_pz = norm.logpdf(trace.z).sum(axis=-1)
    log_qz_x = norm.logpdf(trace.z, trace.mu, sigma).sum(axis=-1)
    difference = trace.log_px_z + log_pz - log_qz_x - trace.bound  # A − B, one draw at a time
    standard_error = difference.std(axis=0) / math.sqrt(len(noise))
    assert np.all(np.abs(difference.mean(axis=0)) < 4 * standard_error)
    assert standard_error.max() < 0.02


# What a user can get wrong.


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda x, noise: (x[:, :3], noise),
            "x has shape (6, 3); expected (B, D) with D = 4, B >= 1",
        ),
        (
            lambda x, noise: (x[:0], noise[:, :0]),
            "x has shape (0, 4); expected (B, D) with D = 4, B >= 1",
        ),
        (lambda x, noise: (x[0], noise), "x has shape (4,); expected (B, D) with D = 4, B >= 1"),
        (
            lambda x, noise: (x, noise[0]),
            "noise has shape (6, 2); expected (L, B, Z) with L >= 1, B = 6, Z = 2",
        ),
        (
            lambda x, noise: (x, noise[:0]),
            "noise has shape (0, 6, 2); expected (L, B, Z) with L >= 1, B = 6, Z = 2",
        ),
        (
            lambda x, noise: (x, noise[:, :1]),
            "noise has shape (2, 1, 2); expected (L, B, Z) with L >= 1, B = 6, Z = 2",
        ),
        (
            lambda x, noise: (x, noise[..., :1]),
            "noise has shape (2, 6, 1); expected (L, B, Z) with L >= 1, B = 6, Z = 2",
        ),
        (
            lambda x, noise: (x.astype(np.float32), noise),
            "x is float32; the model's parameters are float64",
        ),
        (
            lambda x, noise: (x, noise.astype(np.float32)),
            "noise is float32; the model's parameters are float64",
        ),
        (
            lambda x, noise: (np.ones(x.shape, int), noise),
            "x is int64; the model's parameters are float64",
        ),
    ],
)
def test_errors_say_what_was_expected_and_what_came(change, message):
    vae = make_vae()
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        npvae.elbo(vae, *change(*make_batch(vae)))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda x, noise: (x.tolist(), noise), TypeError, "x is a list; expected a NumPy array"),
        (lambda x, noise: (x, None), TypeError, "noise is a NoneType; expected a NumPy array"),
        (lambda x, noise: (x, noise, 2.0), TypeError, "objective is 2.0; expected one such as"),
        (lambda x, noise: (x, noise, npvae.ClosedForm), TypeError, "expected one such as"),
    ],
)
def test_what_is_no_batch_or_no_beta_is_refused(change, error, message):
    vae = make_vae()
    with pytest.raises(error, match=message):
        npvae.elbo(vae, *change(*make_batch(vae)))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            lambda dbound: dbound[:, None],
            ValueError,
            r"dbound has shape \(\d+, 1\); expected \(B,\)",
        ),
        (lambda dbound: dbound[:-1], ValueError, r"dbound has shape .*expected \(B,\) with B ="),
        (lambda dbound: dbound.astype(np.float16), ValueError, "dbound is float16; the model's"),
        (lambda dbound: 1.0, TypeError, "dbound is a float; expected a NumPy array"),
    ],
)
def test_a_dbound_that_does_not_fit_is_refused(change, error, message):
    vae = make_vae()
    x, noise = make_batch(vae)
    trace = npvae.elbo(vae, x, noise)
    with pytest.raises(error, match=message):
        npvae.elbo_backward(change(np.ones_like(trace.bound)), vae, x, noise, trace)


# The equations of training and evaluation that chapter 4 derives.


class FixedOrder:
    """A stand-in for a Generator, whose permutation is chosen."""

    def __init__(self, order):
        self.order = np.array(order)

    def permutation(self, n):
        assert n == len(self.order)
        return self.order


@pytest.mark.equation("training.1")
@pytest.mark.parametrize("batch_size", [1, 2, 3, 5, 8])
def test_a_minibatch_mean_is_unbiased_over_all_orders(batch_size):
    f = np.array([0.3, -1.0, 2.5, 7.0, 0.1])
    means = [
        [f[rows].mean() for rows in minibatches(5, batch_size, rng=FixedOrder(order))]
        for order in itertools.permutations(range(5))
    ]
    np.testing.assert_allclose(np.mean(means, axis=0), f.mean(), rtol=1e-13)


class Recorder:
    """An optimizer that steps nowhere and keeps the gradients it was given."""

    learning_rate = 1.0

    def update(self, params, grads):
        self.grads = [dv.copy() for dv in grads]


@pytest.mark.equation("training.2")
@pytest.mark.parametrize("beta", [1, 4])
def test_the_loss_descended_is_minus_the_mean_bound(beta):
    vae = make_vae()
    x, noise = make_batch(vae, B=3)
    recorder = Recorder()
    grads = vae.params.empty_like()
    descend(vae, recorder, x, noise, npvae.ClosedForm(beta), grads)
    assert len(recorder.grads) == len(grads.rows)
    assert all(map(np.array_equal, recorder.grads, grads.rows))
    for array, grad in zip(vae.params.arrays().values(), grads.arrays().values(), strict=True):
        index = np.unravel_index(array.size // 2, array.shape)
        here, loss = array[index], []
        for step in (1e-5, -1e-5):
            array[index] = here + step
            loss.append(-np.mean(slow_bound(vae, x, noise, beta)))
        array[index] = here
        assert grad[index] == pytest.approx((loss[0] - loss[1]) / 2e-5, rel=1e-6, abs=1e-9)


@pytest.mark.equation("evaluation.1")
def test_active_units_are_where_the_posterior_mean_varies():
    rng = np.random.default_rng(0)
    scale = np.array([0.0, 0.08, 0.099, 0.101, 0.12, 2.0])
    mu = rng.permutation(np.repeat([-1.0, 1.0], 20))[:, None] * scale + 5  # variances scale²
    result = summarize(np.zeros(40), mu, rng.normal(size=mu.shape))
    assert result.active.tolist() == [False, False, False, True, True, True]
    assert result.active_units == 3
    means = [sum(column) / 40 for column in mu.T]
    variances = [
        sum((v - m) ** 2 for v in column) / 40 for column, m in zip(mu.T, means, strict=True)
    ]
    np.testing.assert_allclose(result.mu_variance, variances, atol=1e-15)


@pytest.mark.equation("evaluation.2")
def test_mean_bound_and_its_standard_error_by_loops():
    rng = np.random.default_rng(0)
    log_px_z, (mu, logvar) = rng.normal(-50, 3, 30), rng.normal(size=(2, 30, 2))
    result = summarize(log_px_z, mu, logvar)
    bound = [r - sum(slow_kl_per_dim(m, s)) for r, m, s in zip(log_px_z, mu, logvar, strict=True)]
    mean = sum(bound) / 30
    spread = math.sqrt(sum((v - mean) ** 2 for v in bound) / 30)
    assert result.elbo == pytest.approx(mean, rel=1e-13)
    assert result.standard_error == pytest.approx(spread / math.sqrt(30), rel=1e-12)
    assert result.elbo == pytest.approx(result.reconstruction - result.kl, rel=1e-13)
    assert result.kl == pytest.approx(result.kl_per_dim.sum(), rel=1e-13)


@pytest.mark.equation("evaluation.3")
@pytest.mark.parametrize("samples", [1, 5])
def test_evaluate_estimates_the_mean_bound_and_the_mean_of_q_would_not(samples):
    vae = linear_model(Z=2)
    x = np.random.default_rng(0).normal(size=(200, 4))
    rng = np.random.default_rng(1)
    runs = [npvae.evaluate(vae, x, samples=samples, rng=rng).elbo for _ in range(300)]
    standard_error = np.std(runs) / math.sqrt(len(runs))
    exact = exact_bound(vae, x).mean()
    assert abs(np.mean(runs) - exact) < 4 * standard_error
    at_the_mean = npvae.elbo(vae, x, np.zeros((1, 200, 2))).bound.mean()
    assert at_the_mean > exact + 100 * standard_error
