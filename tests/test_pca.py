"""PCA: against the covariance's eigenvectors, and against whatever is trained to do the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize
from scipy.special import expit

import npvae
from npvae import relatives
from npvae.datasets import glyph_digits
from npvae.relatives.logistic_pca import working_data


def correlated(N=200, D=6, seed=0, dtype=np.float64):
    """Rows with a known spread: standard deviations 3, 2, 1.5, 1, 0.5, 0.2 along turned axes."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(D, D)))[0]
    scales = np.array([3, 2, 1.5, 1, 0.5, 0.2])[:D]
    return (rng.normal(size=(N, D)) * scales @ axes + rng.normal(size=D)).astype(dtype)


@pytest.mark.equation("pca.1")
@pytest.mark.parametrize("shape", [(200, 6), (5, 6), (6, 6)])
def test_axes_and_eigenvalues_are_those_of_the_covariance(shape):
    x = correlated()[: shape[0], : shape[1]]
    k = min(shape) - 1
    pca = relatives.PCA.fit(x, k)
    eigenvalues, vectors = np.linalg.eigh(np.cov(x.T, bias=True))
    n = len(pca.eigenvalues)
    np.testing.assert_allclose(pca.eigenvalues, eigenvalues[::-1][:n], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(np.abs(pca.axes @ vectors[:, ::-1][:, :k]), np.eye(k), atol=1e-9)
    np.testing.assert_allclose(pca.mean, x.mean(axis=0), rtol=1e-14)


@pytest.mark.equation("pca.1")
def test_an_axis_keeps_its_sign_when_the_rows_change_places():
    x = correlated()
    axes = relatives.PCA.fit(x, 3).axes
    np.testing.assert_allclose(relatives.PCA.fit(x[::-1], 3).axes, axes, atol=1e-10)
    assert (axes[np.arange(3), np.abs(axes).argmax(axis=1)] > 0).all()


@pytest.mark.equation("pca.2", "pca.3", "pca.4")
@given(k=st.integers(1, 6), seed=st.integers(0, 100))
def test_a_reconstruction_is_the_nearest_point_of_the_plane(k, seed):
    x = correlated(N=30, seed=seed)
    pca = relatives.PCA.fit(x, k)
    z, *_ = np.linalg.lstsq(pca.axes.T, (x - x.mean(axis=0)).T, rcond=None)
    np.testing.assert_allclose(pca.encode(x), z.T, atol=1e-9)
    np.testing.assert_allclose(pca.reconstruct(x), x.mean(axis=0) + z.T @ pca.axes, atol=1e-9)
    np.testing.assert_allclose(pca.encode(pca.decode(z.T)), z.T, atol=1e-9)


@pytest.mark.equation("pca.4", "pca.5")
@given(k=st.integers(1, 6), seed=st.integers(0, 100))
def test_what_k_axes_leave_is_the_sum_of_the_eigenvalues_left_out(k, seed):
    x = correlated(N=30, seed=seed)
    pca = relatives.PCA.fit(x, k)
    error = np.mean([sum((a - b) ** 2) for a, b in zip(x, pca.reconstruct(x), strict=True)])
    assert pca.left_out() == pytest.approx(error, rel=1e-9, abs=1e-12)
    assert pca.left_out(k) == pca.left_out()
    assert pca.left_out(0) == pytest.approx(np.sum((x - x.mean(axis=0)) ** 2) / 30)
    assert pca.squared_error(x) == pytest.approx(error, abs=1e-12)


@pytest.mark.equation("pca.2")
def test_the_mean_is_that_of_the_rows_it_was_fitted_to():
    x = correlated()
    pca = relatives.PCA.fit(x, 3)
    for row in x[:3]:  # each alone, and among others
        expected = (row - x.mean(axis=0)) @ pca.axes.T
        np.testing.assert_allclose(pca.encode(row[None])[0], expected)


def test_it_keeps_the_dtype():
    for dtype in (np.float32, np.float64):
        pca = relatives.PCA.fit(correlated(dtype=dtype), 2)
        x = correlated(dtype=dtype)
        assert {a.dtype for a in (pca.mean, pca.axes, pca.reconstruct(x))} == {np.dtype(dtype)}
    assert repr(pca).startswith("PCA(6-2, 75.8 % of the variance, ")


def test_small_spreads_survive():
    """A covariance, made first, would hold nothing of the last axis: (1e-9)² beside 1."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 3)) * [1, 1e-3, 1e-9]
    s = relatives.PCA.fit(x, 3).eigenvalues ** 0.5
    np.testing.assert_allclose(s, [1, 1e-3, 1e-9], rtol=0.3)


BAD_FITS = {
    "too many axes for the columns": (np.eye(3, 2), 3, ValueError, r"k is 3; expected k <= 2"),
    "too many axes for the rows": (np.eye(2, 5), 3, ValueError, r"k is 3; expected k <= 2"),
    "no axes": (np.eye(3), 0, ValueError, "k is 0"),
    "half an axis": (np.eye(3), 1.5, TypeError, "k is 1.5"),
    "constant": (np.full((9, 3), 0.1), 1, ValueError, "all rows of x are the same"),
    "one row": (np.ones((1, 3)), 1, ValueError, "all rows of x are the same"),
    "NaN": (np.array([[0, np.nan], [1, 2]]), 1, ValueError, r"x\[0, 1\] is nan"),
    "one column too few": (np.ones(3), 1, ValueError, r"x has shape \(3,\)"),
    "words": (np.array([["a"]]), 1, TypeError, "expected real numbers"),
    "no columns": (np.ones((3, 0)), 1, ValueError, "expected .* with columns"),
}


@pytest.mark.parametrize("name", BAD_FITS)
def test_a_bad_fit_is_refused(name):
    x, k, error, message = BAD_FITS[name]
    with pytest.raises(error, match=message):
        relatives.PCA.fit(x, k)


def test_bad_rows_are_refused():
    pca = relatives.PCA.fit(correlated(), 2)
    with pytest.raises(ValueError, match=r"x has shape \(3, 5\); expected \(N, D\) with D = 6"):
        pca.encode(np.ones((3, 5)))
    with pytest.raises(ValueError, match=r"z has shape \(3, 6\); expected \(N, k\) with k = 2"):
        pca.decode(np.ones((3, 6)))
    with pytest.raises(ValueError, match="k is -1"):
        pca.left_out(-1)


@pytest.mark.equation("pca.6")
def test_principal_cosines_are_those_of_known_planes():
    angle = 0.3
    V = np.array([[1, 0, 0, 0], [0, 1, 0, 0]])
    W = np.array([[2, 0, 0, 0], [5, np.cos(angle), np.sin(angle), 0]])  # shares one direction
    np.testing.assert_allclose(relatives.principal_cosines(V, W), [1, np.cos(angle)], atol=1e-14)
    np.testing.assert_allclose(relatives.principal_cosines(V, [[0, 0, 3, 4]]), [0], atol=1e-14)
    twice, other = [[0, 0, 3, 4], [0, 0, 6, 8]], [[0, 1, 0, 0], [0, 0, 4, -3]]
    np.testing.assert_allclose(relatives.principal_cosines(twice, other), [0], atol=1e-14)
    assert relatives.principal_cosines(np.zeros((2, 4)), V).shape == (0,)
    with pytest.raises(ValueError, match="one D"):
        relatives.principal_cosines(V, np.eye(3))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_small_spread_far_from_zero_is_data_and_no_spread_is_none(dtype):
    near = np.random.default_rng(0).standard_normal((20_000, 3))
    found = relatives.PCA.fit((1e6 + 10 * near).astype(dtype), 3).eigenvalues
    np.testing.assert_allclose(found, 100, rtol=0.05)
    with pytest.raises(ValueError, match="all rows of x are the same"):
        relatives.PCA.fit(np.full((1_000_000, 2), 0.1, dtype), 1)


def with_eigenvalues(eigenvalues, N=60, seed=0):
    """Rows whose covariance has these eigenvalues, along turned axes."""
    rng, D = np.random.default_rng(seed), len(eigenvalues)
    x = rng.normal(size=(N, D))
    U = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)[0] * np.sqrt(N)
    turn = np.linalg.qr(rng.normal(size=(D, D)))[0]
    return U * np.sqrt(eigenvalues) @ turn + rng.normal(size=D)


def linear(x, k, likelihood=None, seed=0):
    return relatives.Autoencoder.init(
        x.shape[1],
        hidden=(),
        latent_dim=k,
        likelihood=likelihood or npvae.Gaussian(1.0),
        dtype=np.float64,
        rng=np.random.default_rng(seed),
    )


def trained(model, x, rates, epochs, weight_decay=0.0, seed=1):
    optimizer, rng = npvae.Adam(1.0, weight_decay=weight_decay), np.random.default_rng(seed)
    for optimizer.learning_rate in rates:
        for _ in relatives.train_autoencoder(
            model, x, epochs=epochs, batch_size=len(x), optimizer=optimizer, rng=rng
        ):
            pass
    return [layers[0].W for layers in model.params.stacks.values()]


@pytest.mark.equation("pca.6")
def test_a_linear_autoencoder_finds_the_plane_and_the_error_of_pca():
    x = correlated()
    pca = relatives.PCA.fit(x, 3)
    assert (relatives.principal_cosines(x[:10], pca.axes) > 1 - 1e-12).all()  # all of the space
    model = linear(x, 3)
    _, W = trained(model, x, (3e-2, 1e-2, 3e-3), 500)
    assert relatives.reconstruction(model, x).squared_error == pytest.approx(
        pca.left_out(), rel=1e-5
    )
    assert (relatives.principal_cosines(W, pca.axes) > 1 - 1e-5).all()
    # Its units are not the axes: any invertible k × k matrix may stand between the two layers.
    assert np.abs(W @ W.T - np.diag(np.diag(W @ W.T))).max() > 0.1


@pytest.mark.equation("pca.7", "pca.8")
def test_with_a_price_on_both_matrices_the_singular_vectors_are_the_axes():
    x, penalty, k = with_eigenvalues([4, 2.25, 1, 0.25]), 0.8, 4  # the fourth unit goes out
    pca = relatives.PCA.fit(x, 3)
    best = relatives.penalized_optimum([4, 2.25, 1, 0.25], penalty, k)
    # Gaussian(1) halves the squares, and so does weight_decay: ½ (error + penalty (‖V‖² + ‖W‖²)).
    model = linear(x, k)
    V, W = trained(model, x, (3e-2, 1e-2, 1e-3), 400, weight_decay=penalty)
    _, s, axes = np.linalg.svd(W)
    np.testing.assert_allclose(s, best.singular_values, atol=2e-4)
    np.testing.assert_allclose(np.abs(axes[:3] @ pca.axes.T), np.eye(3), atol=5e-3)
    np.testing.assert_allclose(V, W.T, atol=1e-3)
    error = relatives.reconstruction(model, x).squared_error
    assert error == pytest.approx(best.squared_error, rel=1e-4)
    loss = error + penalty * (np.sum(V**2) + np.sum(W**2))
    assert loss == pytest.approx(best.loss, rel=1e-6)


@pytest.mark.equation("pca.7", "pca.8")
@given(st.floats(0.01, 10), st.floats(0, 10))
def test_the_best_price_along_one_axis_is_the_least_of_a_plain_search(eigenvalue, penalty):
    def loss(p):
        return eigenvalue * (1 - p[0] * p[1]) ** 2 + penalty * (p[0] ** 2 + p[1] ** 2)

    starts = ([0.0, 0.0], [1.0, 1.0], [0.3, 0.4])
    least = min(
        optimize.minimize(
            loss, p, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-12}
        ).fun
        for p in starts
    )
    best = relatives.penalized_optimum([eigenvalue], penalty, 1)
    assert best.loss == pytest.approx(least, abs=1e-7)
    s = best.singular_values[0]
    assert loss([s, s]) == pytest.approx(best.loss, abs=1e-12)
    assert best.squared_error == pytest.approx(eigenvalue * (1 - s * s) ** 2, abs=1e-12)


def test_bad_prices_are_refused():
    for args, message in (
        (([1, -1], 1, 1), "eigenvalues"),
        (([1, 2], -1, 1), "penalty is -1"),
        (([1, 2], 1, 3), "k is 3"),
    ):
        with pytest.raises(ValueError, match=message):
            relatives.penalized_optimum(*args)
    assert list(relatives.penalized_optimum([0.0, 1.0], 0.0, 2).singular_values) == [1, 1]


# PCA of logits


def binary(N=60, D=8, seed=0):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(N, 2)) @ rng.normal(size=(2, D)) + rng.normal(size=D)
    return (rng.random((N, D)) < expit(logits)).astype(np.float64)


def log_prob(x, logits):
    p = expit(logits)
    return np.sum(x * np.log(p) + (1 - x) * np.log(1 - p), axis=1)


@pytest.mark.equation("pca.9")
@given(st.floats(0, 1), st.floats(-20, 20), st.floats(-20, 20))
def test_the_parabola_lies_below_and_touches(x, a, b):
    def exact(logit):
        return x * logit - np.logaddexp(0, logit)

    x, a, b = np.float64(x), np.float64(a), np.float64(b)
    y = working_data(np.array([[x]]), np.array([[a]])).item()
    constant = exact(a) + (a - y) ** 2 / 8
    assert exact(b) >= constant - (b - y) ** 2 / 8 - 1e-9


@pytest.mark.equation("pca.10")
def test_log_p_rises_with_every_plain_step_and_the_fit_ends_where_no_gradient_is_left():
    rng = np.random.default_rng(0)
    x = np.clip(expit(rng.normal(size=(40, 2)) @ rng.normal(size=(2, 6))), 0.05, 0.95)
    x = np.clip(x + rng.normal(0, 0.05, x.shape), 0.02, 0.98)  # grey, so that a best model exists
    *_, last = relatives.fit_logistic_pca(x, 2, steps=2000)
    bias, axes = last.model.bias, last.model.axes
    z = last.model.encode(x, 2000)
    logits = bias + z @ axes
    assert last.log_px_z == pytest.approx(log_prob(x, logits).mean(), abs=1e-6)
    slope = x - expit(logits)
    np.testing.assert_allclose(slope @ axes.T, 0, atol=1e-5)  # in z
    np.testing.assert_allclose(z.T @ slope, 0, atol=1e-2)  # in axes
    np.testing.assert_allclose(slope.sum(axis=0), 0, atol=1e-2)  # in bias
    first, second = relatives.fit_logistic_pca(x, 2, steps=2)
    assert first.log_px_z < second.log_px_z < last.log_px_z
    np.testing.assert_allclose(axes @ axes.T, np.eye(2), atol=1e-12)


@pytest.mark.equation("pca.10")
def test_after_a_fall_it_starts_again_from_rest_and_so_rises():
    rng = np.random.default_rng(0)
    x = np.clip(expit(rng.normal(size=(40, 6))), 0.05, 0.95)
    log_px_z = np.array([r.log_px_z for r in relatives.fit_logistic_pca(x, 2, steps=300)])
    rises = np.diff(log_px_z)
    falls = np.flatnonzero(rises[:-1] < 0)
    assert len(falls) > 0
    assert (rises[falls + 1] > -1e-12).all()


@pytest.mark.equation("pca.9", "pca.11")
def test_a_code_is_the_most_likely_one():
    x = binary()
    *_, last = relatives.fit_logistic_pca(x, 2, steps=5)
    model = last.model
    for row, z in zip(x[:5], model.encode(x[:5], 3000), strict=True):

        def loss(z, row=row):
            logits = model.bias + z @ model.axes
            return np.sum(np.logaddexp(0, logits) - row * logits)

        best = optimize.minimize(loss, np.zeros(2))
        assert loss(z) == pytest.approx(best.fun, abs=1e-4)
        np.testing.assert_allclose(model.decode(z[None])[0], expit(model.bias + z @ model.axes))


@pytest.mark.equation("pca.10", "pca.11")
def test_with_as_many_numbers_it_reconstructs_binary_images_better_than_pca():
    x = (glyph_digits(200, rng=np.random.default_rng(0)).images > 0.5).astype(np.float32)
    pca = relatives.PCA.fit(x, 10)
    *_, last = relatives.fit_logistic_pca(x, 10, steps=20)
    error = np.sum((x - last.model.reconstruct(x)) ** 2) / 200
    assert error < pca.left_out()
    assert last.model.bias.dtype == last.model.encode(x[:2]).dtype == np.float32
    assert len(str(last)) <= 80


@pytest.mark.parametrize(
    ("x", "k", "message"),
    [
        (np.full((3, 4), 1.5), 1, r"expects values in \[0, 1\]"),
        (np.full((3, 4), np.nan), 1, "is nan"),
        (np.ones((3, 4)), 4, "k is 4; expected k <= 3"),
        (np.ones((3, 4)), 0, "k is 0"),
    ],
)
def test_a_bad_logistic_fit_is_refused_at_once(x, k, message):
    with pytest.raises(ValueError, match=message):
        relatives.fit_logistic_pca(x, k, steps=3)
