"""npvae.sklearn.VAE: scikit-learn's own checks, exact answers, and what its users do with it."""

import io
import os
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
from scipy import stats

import npvae
from npvae import kernels

pytest.importorskip("sklearn", minversion="1.6")

from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from npvae.sklearn import VAE

SMALL = {
    "n_components": 2,
    "hidden_layer_sizes": (8,),
    "max_iter": 3,
    "batch_size": 16,
    "n_draws": 10,
    "random_state": 0,
}
# Of a table of ten rows, or of a few epochs, npvae rightly says that nothing was learned.
quiet = pytest.mark.filterwarnings("ignore::npvae.DiagnosisWarning")


def table(N=200, holes=0.0, seed=0):
    """Rows of two factors in columns of very different units, and which of them are exact."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((N, 2)) @ [[1, 1, 0, -1], [0, 1, 1, 1]]
    x = (x + 0.5 * rng.standard_normal(x.shape)) * [1, 100, 0.1, 10] + [0, 500, 1, -20]
    x[rng.random(x.shape) < holes] = np.nan
    return x


# What scikit-learn asks of an estimator. One check of its list skips itself: see the next test.


@quiet
@parametrize_with_checks([VAE(**SMALL)])
def test_scikit_learn_accepts_it(estimator, check):
    check(estimator)


def test_scikit_learn_accepts_it_with_array_api_dispatch():
    """That check wants SCIPY_ARRAY_API set before SciPy is imported, so in a new process."""
    code = f"""
import warnings
from sklearn.utils.estimator_checks import estimator_checks_generator
from npvae.sklearn import VAE
warnings.simplefilter("ignore")
checks = estimator_checks_generator(VAE(**{SMALL}))
checks = [(estimator, check) for estimator, check in checks if "array_api" in str(check)]
for estimator, check in checks:
    check(estimator)
print(len(checks))
"""
    environment = os.environ | {"SCIPY_ARRAY_API": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120
    )
    assert done.returncode == 0, done.stderr
    named = [check for _, check in estimator_checks_generator(VAE()) if "array_api" in str(check)]
    assert int(done.stdout) == len(named)  # one, and none in the oldest releases


def test_without_scikit_learn_the_extra_is_named_and_npvae_is_whole():
    code = """
import sys
import npvae
assert "sklearn" not in sys.modules and "npvae.sklearn" not in sys.modules
sys.modules["sklearn"] = None
import npvae.sklearn
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "npvae.sklearn needs scikit-learn: pip install 'npvae[sklearn]'" in done.stderr
    assert "AssertionError" not in done.stderr


# Scores.


@pytest.mark.parametrize("holes", [0.0, 0.2])
def test_a_linear_models_score_is_the_density_of_a_gaussian(holes):
    """p(x) = N(b, W'W + diag σ²) in the columns' units; of what is seen of a row, its marginal."""
    X = table(holes=holes)
    linear = VAE(2, hidden_layer_sizes=(), max_iter=150, random_state=0, n_draws=2000).fit(X)
    rows = X[:40]
    assert np.isnan(rows).any() == (holes > 0)
    score = linear.score_samples(rows)

    params, likelihood = linear.model_.params, linear.model_.likelihood
    standardized = likelihood.likelihood if holes else likelihood
    scale, shift = np.array(standardized.scale), np.array(standardized.shift)
    W = params.decoder[0].W * scale
    variance = np.exp(standardized.likelihood.logvar(params.likelihood["a"])) * scale**2
    mean, covariance = params.decoder[0].b * scale + shift, W.T @ W + np.diag(variance)
    exact = []
    for row in rows:
        d = ~np.isnan(row)
        exact.append(
            stats.multivariate_normal(mean[d], covariance[np.ix_(d, d)]).logpdf(row[d])
            if d.any()
            else 0.0
        )
    rng = np.random.default_rng(0)
    error = npvae.log_likelihood(linear.model_, rows, samples=2000, rng=rng).standard_error
    assert np.all(np.abs(score - exact) < 5 * error + 1e-9)
    assert error.max() < 0.1


def test_a_row_out_of_range_is_the_oddest_and_told():
    X = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
    model = VAE(**SMALL).fit(X)
    model.model_.params.encoder[-1].W[...] *= 100  # far out, e^logvar leaves float32's range
    far = X[:20].copy()
    far[7] = 1e6 * np.sign(model.model_.params.encoder[0].W.sum(axis=1))
    far[8] = -far[7]
    with pytest.warns(
        npvae.UnreliableWarning, match=r"of 20 rows, row . the first, lie so far out"
    ):
        scores = model.score_samples(far)
    assert not np.isnan(scores).any()
    assert set(np.flatnonzero(np.isinf(scores))) <= {7, 8}
    assert np.isinf(scores).any()


def test_a_score_depends_on_its_row_and_the_model_alone():
    X = table()
    fitted = VAE(**SMALL).fit(X)
    scores = fitted.score_samples(X)
    order = np.random.default_rng(1).permutation(len(X))
    alone = np.concatenate([fitted.score_samples(x[None]) for x in X])
    np.testing.assert_array_equal(fitted.score_samples(X), scores)
    if kernels.engine == "compiled":
        np.testing.assert_array_equal(fitted.score_samples(X[order]), scores[order])
        np.testing.assert_array_equal(alone, scores)
    else:  # BLAS adds up in an order that depends on the number of rows
        np.testing.assert_allclose(alone, scores, rtol=1e-10)
    assert fitted.score(X) == scores.mean()


def test_rows_come_in_pieces_that_no_score_shows(monkeypatch):
    X = table(50)
    fitted = VAE(**SMALL).fit(X)
    scores = fitted.score_samples(X)
    monkeypatch.setattr("npvae.sklearn.scores.NUMBERS", 7 * 10 * 4)  # seven rows at once
    np.testing.assert_allclose(fitted.score_samples(X), scores, rtol=1e-10)


def test_more_draws_raise_the_score_towards_log_p():
    X = table(60)
    fitted = VAE(2, hidden_layer_sizes=(), max_iter=100, random_state=0).fit(X)
    rng = np.random.default_rng(0)
    log_px = npvae.log_likelihood(fitted.model_, X, samples=5000, rng=rng).log_px.mean()
    elbo = npvae.evaluate(fitted.model_, X, samples=100, rng=rng).elbo
    scores = [fitted.set_params(n_draws=K).score(X) for K in (10, 1000)]
    assert elbo < scores[0] < scores[1]
    assert abs(scores[1] - log_px) < (log_px - elbo) / 4


def test_other_units_change_nothing_but_the_unit_of_the_density():
    """By powers of two, which no bit of a float minds: d log p = −log 2^k for each column."""
    X = table()
    k = np.array([0, 3, -5, 8])
    one, other = (VAE(**SMALL).fit(x) for x in (X, X * 2.0**k))
    np.testing.assert_array_equal(one.transform(X), other.transform(X * 2.0**k))
    difference = one.score_samples(X) - other.score_samples(X * 2.0**k)
    np.testing.assert_allclose(difference, k.sum() * np.log(2), rtol=1e-9)
    np.testing.assert_allclose(one.sample(5) * 2.0**k, other.sample(5), rtol=1e-12)


# The model.


@pytest.mark.parametrize(
    ("X", "choices", "likelihood"),
    [
        (np.eye(9)[:, :4], {}, "Bernoulli()"),
        (np.where(np.eye(9)[:, :4] == 1, np.nan, [0, 1, 1, 0]), {}, "Holes(Bernoulli())"),
        (table(9), {}, "Standardized(ColumnGaussian(sigma=1.0, min_sigma=0.01), of 4 columns)"),
        (
            np.where(np.eye(9)[:, :4] == 1, np.nan, table(9)),
            {"likelihood": npvae.StudentT()},
            "Holes(Standardized(StudentT(dof=4.0, sigma=1.0, min_sigma=0.01), of 4 columns))",
        ),
        (
            table(9),
            {"likelihood": npvae.Gaussian(0.5), "standardize": False},
            "Gaussian(sigma=0.5)",
        ),
        (np.arange(36).reshape(9, 4), {"likelihood": npvae.Poisson()}, "Poisson()"),
        (
            np.tile([0, 0.5, 1, 0.2], (9, 1)),
            {"likelihood": npvae.ContinuousBernoulli()},
            "ContinuousBernoulli()",
        ),
    ],
)
@quiet
def test_the_likelihood_is_chosen_by_the_data(X, choices, likelihood):
    fitted = VAE(**SMALL | choices).fit(X)
    assert repr(fitted.model_.likelihood) == likelihood
    assert np.isfinite(fitted.transform(X)).all()
    assert np.isfinite(fitted.score_samples(X)).all()
    drawn = fitted.sample(50)
    assert np.isfinite(drawn).all()
    binary = likelihood in ("Bernoulli()", "Holes(Bernoulli())")
    assert set(drawn.flat).issubset({0, 1}) == binary


def test_the_saved_model_takes_rows_as_they_are(tmp_path):
    X = table()
    fitted = VAE(**SMALL).fit(X)
    fitted.model_.save(tmp_path / "vae.npz")
    loaded = npvae.VAE.load(tmp_path / "vae.npz")
    z = fitted.transform(X)
    np.testing.assert_array_equal(loaded.encode(X)[0], z)
    np.testing.assert_array_equal(loaded.decode(z), fitted.inverse_transform(z))


def test_what_was_learned_reconstructs_in_the_units_of_the_table():
    X = table()
    fitted = VAE(2, random_state=0).fit(X)
    error = fitted.inverse_transform(fitted.transform(X)) - X
    assert np.all(error.std(axis=0) < 0.7 * X.std(axis=0))
    drawn = fitted.sample(2000)
    np.testing.assert_allclose(drawn.mean(axis=0), X.mean(axis=0), atol=0.3 * X.std(axis=0).max())
    np.testing.assert_allclose(drawn.std(axis=0), X.std(axis=0), rtol=0.3)
    np.testing.assert_allclose(np.corrcoef(drawn.T), np.corrcoef(X.T), atol=0.2)


def test_a_constant_column_stays_what_it_is():
    X = table()
    X[:, 1] = 7
    fitted = VAE(**SMALL | {"max_iter": 30}).fit(X)
    assert np.isfinite(fitted.score_samples(X)).all()
    np.testing.assert_allclose(fitted.inverse_transform(fitted.transform(X))[:, 1], 7, atol=0.3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_model_has_the_dtype_of_the_table(dtype):
    X = table().astype(dtype)
    fitted = VAE(**SMALL).fit(X)
    assert fitted.model_.dtype == dtype
    for found in (fitted.transform(X), fitted.inverse_transform(np.zeros((1, 2))), fitted.sample()):
        assert found.dtype == dtype
    assert fitted.score_samples(X).dtype == np.float64


# Training.


def test_fit_keeps_the_epoch_that_was_best_on_what_it_held_out():
    X = table()
    fitted = VAE(**SMALL | {"max_iter": 500, "n_iter_no_change": 3}).fit(X)
    elbos = [epoch.validation.elbo for epoch in fitted.history_]
    assert fitted.n_iter_ == len(elbos) < 500
    assert len(elbos) - 1 - int(np.argmax(elbos)) == 3
    best = VAE(**SMALL | {"max_iter": int(np.argmax(elbos)) + 1, "n_iter_no_change": 3}).fit(X)
    np.testing.assert_array_equal(best.transform(X), fitted.transform(X))


def test_what_is_held_out_judges_by_many_draws_and_warns_of_nothing():
    """Of a model that stands still, a judgement moves with the draws alone: 20 rows × 50."""
    X = table()
    still = VAE(**SMALL | {"learning_rate": 1e-9, "max_iter": 15}).fit(X)
    rows = [epoch.validation for epoch in still.history_]
    spread = np.std([judged.elbo for judged in rows])
    one_draw = np.std([npvae.evaluate(still.model_, X[:20], rng=rng).elbo for rng in generators()])
    assert spread < one_draw / 3
    few = {"max_iter": 150, "n_iter_no_change": 150, "learning_rate": 0.01}
    assert VAE(**SMALL | few | {"hidden_layer_sizes": (64,)}).fit(X[:40]).n_iter_ == 150


def generators():
    return map(np.random.default_rng, range(15))


@quiet
def test_a_row_is_left_to_learn_from():
    assert VAE(**SMALL | {"validation_fraction": 0.99}).fit(table(5)).n_iter_ == 3


def test_without_rows_held_out_fit_goes_to_the_end():
    fitted = VAE(**SMALL | {"validation_fraction": 0, "max_iter": 7}).fit(table())
    assert fitted.n_iter_ == 7
    assert all(epoch.validation is None for epoch in fitted.history_)


def test_partial_fit_goes_on_with_the_model_and_with_adams_memory():
    X = table()
    whole = VAE(**SMALL)
    for n in range(1, 4):
        whole.partial_fit(X)
        assert whole.n_iter_ == len(whole.history_) == n
    joblib = pytest.importorskip("joblib")
    cut = VAE(**SMALL).partial_fit(X)
    cut = pickle.loads(pickle.dumps(cut)).partial_fit(X)
    cut = joblib_copy(joblib, cut).partial_fit(X)
    np.testing.assert_array_equal(cut.transform(X), whole.transform(X))
    assert whole.history_[0].elbo < whole.history_[1].elbo < whole.history_[2].elbo
    before = whole.transform(X)
    whole.set_params(learning_rate=1e-9).partial_fit(X[:50])  # and with the scales of the first
    np.testing.assert_allclose(whole.transform(X), before, atol=1e-5)


def joblib_copy(joblib, estimator):
    file = io.BytesIO()
    joblib.dump(estimator, file)
    file.seek(0)
    return joblib.load(file)


def test_adams_memory_makes_a_step_smaller_than_its_first():
    """A first step moves every parameter by the learning rate, whatever the gradient's size."""
    X = table()
    estimator = VAE(**SMALL)
    for _ in range(20):
        estimator.partial_fit(X)
    before = estimator.model_.copy()
    estimator.set_params(batch_size=200).partial_fit(X)  # one step
    rows = zip(before.params.rows, estimator.model_.params.rows, strict=True)
    moved = np.concatenate([np.abs(a - b).ravel() for a, b in rows])
    assert 0 < moved.mean() < 0.7 * estimator.learning_rate


@quiet
@pytest.mark.parametrize(
    "parameter",
    [
        {"n_components": 3},
        {"hidden_layer_sizes": (8, 8)},
        {"activation": "tanh"},
        {"likelihood": npvae.StudentT()},
        {"standardize": False},
        {"beta": 0.5},
        {"learning_rate": 1e-3},
        {"batch_size": 17},
        {"max_iter": 10},
        {"validation_fraction": 0.2},
        {"n_draws": 11},
        {"random_state": 1},
    ],
    ids=lambda parameter: next(iter(parameter)),
)
def test_no_parameter_is_ignored(parameter):
    X = table()
    assert VAE(**SMALL | parameter).fit(X).score(X) != VAE(**SMALL).fit(X).score(X)


def test_random_state_is_scikit_learns():
    X = table()
    first = VAE(**SMALL).fit(X)
    np.testing.assert_array_equal(clone(first).fit(X).transform(X), first.transform(X))
    np.testing.assert_array_equal(first.sample(4), first.sample(4))
    assert (first.sample(4, random_state=1) != first.sample(4)).all()
    going_on = VAE(**SMALL | {"random_state": np.random.RandomState(0)})
    assert (going_on.fit(X).transform(X) != going_on.fit(X).transform(X)).any()
    state = np.random.get_state()  # noqa: NPY002
    drawn = []
    for _ in range(2):
        np.random.set_state(state)  # noqa: NPY002
        drawn.append(VAE(**SMALL | {"random_state": None}).fit(X).transform(X))
    np.testing.assert_array_equal(*drawn)


def test_verbose_prints_a_line_for_each_epoch(capsys):
    fitted = VAE(**SMALL | {"verbose": True, "validation_fraction": 0}).fit(table())
    assert capsys.readouterr().out.splitlines() == [str(epoch) for epoch in fitted.history_]
    VAE(**SMALL).fit(table())
    assert capsys.readouterr().out == ""


def test_columns_with_nothing_in_common_are_told_as_collapse():
    X = np.random.default_rng(0).standard_normal((100, 3))
    with pytest.warns(npvae.CollapseWarning, match="no component is used") as told:
        VAE(**SMALL | {"beta": 20.0, "max_iter": 40, "validation_fraction": 0}).fit(X)
    assert {warning.filename for warning in told} == {__file__}


def test_a_component_left_over_is_no_collapse():
    X = table()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", npvae.DeadUnitsWarning)
        fitted = VAE(6, random_state=0).fit(X)
    used = fitted.transform(X).var(axis=0) > 0.01
    assert used.any()
    assert not used.all()


def test_partial_fit_tells_of_collapse_only_when_the_model_had_time():
    X = np.random.default_rng(0).standard_normal((320, 3))
    estimator = VAE(**SMALL | {"beta": 20.0})
    for _ in range(24):  # of 20 steps each
        estimator.partial_fit(X)
    with pytest.warns(npvae.CollapseWarning):
        estimator.partial_fit(X)


# Errors.


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_components": 0}, "n_components is 0; expected an integer >= 1"),
        ({"hidden_layer_sizes": (8, 0)}, "hidden_layer_sizes[1] is 0; expected an integer"),
        ({"activation": "swish"}, "activation is 'swish'; expected one of"),
        ({"likelihood": "gauss"}, "likelihood is 'gauss'; expected 'auto' or an instance of"),
        ({"likelihood": npvae.Bernoulli}, "expected an instance of a npvae.Likelihood"),
        ({"likelihood": npvae.Poisson()}, "; the likelihood expects counts"),
        ({"standardize": "yes"}, "standardize is 'yes'; expected True or False"),
        ({"beta": -1}, "beta is -1; expected a finite number >= 0"),
        ({"learning_rate": 0}, "learning_rate is 0; expected a finite number"),
        ({"batch_size": 1.5}, "batch_size is 1.5 (float); expected an integer >= 1"),
        ({"max_iter": 0}, "max_iter is 0; expected an integer >= 1"),
        ({"validation_fraction": 1}, "validation_fraction is 1; expected a finite number >= 0"),
        ({"n_iter_no_change": 0}, "n_iter_no_change is 0; expected an integer >= 1"),
        ({"n_draws": 0}, "n_draws is 0; expected an integer >= 1"),
        ({"random_state": "seed"}, "'seed' cannot be used to seed"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_parameter_that_is_not_as_described_is_named(parameters, message, method):
    with pytest.raises((TypeError, ValueError)) as raised:
        getattr(VAE(**SMALL | parameters), method)(table(20))
    assert message in str(raised.value)


def test_what_is_wrong_with_a_table_is_told():
    X = table(20)
    fitted = VAE(**SMALL).fit(X)
    holed = X.copy()
    holed[3, 1] = np.nan
    with pytest.raises(ValueError, match="X holds NaN, and had none when VAE was fitted"):
        fitted.transform(holed)
    with pytest.raises(ValueError, match="infinity"):
        VAE(**SMALL).fit(np.where(np.isnan(holed), np.inf, holed))
    with pytest.raises(ValueError, match="column 1 of X holds NaN alone; drop it"):
        VAE(**SMALL).fit(np.where(np.arange(4) == 1, np.nan, X))
    with pytest.raises(ValueError, match="n_samples is 0"):
        fitted.sample(0)
    with pytest.raises(ValueError, match=r"X has shape|z has shape \(20, 4\)"):
        fitted.inverse_transform(X)


# With the rest of scikit-learn.


def test_a_data_frame_comes_in_and_goes_out():
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(table(), columns=["a", "b", "c", "d"])
    fitted = VAE(**SMALL).set_output(transform="pandas").fit(X)
    features = fitted.transform(X)
    assert list(features.columns) == list(fitted.get_feature_names_out()) == ["vae0", "vae1"]
    assert list(fitted.feature_names_in_) == ["a", "b", "c", "d"]
    assert fitted.inverse_transform(features).shape == X.shape
    with pytest.raises(ValueError, match="feature names"):
        fitted.transform(X.rename(columns={"a": "other"}))


@quiet
@pytest.mark.parametrize(
    ("load", "least"), [(load_digits, 0.75), (load_breast_cancer, 0.85)], ids=["digits", "cancer"]
)
def test_features_of_a_vae_go_into_a_classifier_in_a_search(load, least):
    X, y = load(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    vae = VAE(max_iter=15, n_components=5, random_state=0)
    pipeline = make_pipeline(vae, LogisticRegression(max_iter=1000))
    search = GridSearchCV(pipeline, {"vae__n_components": [1, 10]}, cv=2).fit(X_train, y_train)
    assert search.best_params_ == {"vae__n_components": 10}
    assert search.score(X_test, y_test) > least


@quiet
def test_a_search_goes_by_the_held_out_score():
    X = load_breast_cancer().data
    vae = VAE(max_iter=20, random_state=0)
    search = GridSearchCV(vae, {"n_components": [1, 10]}, cv=2).fit(X)
    assert search.best_params_ == {"n_components": 10}
    assert search.best_score_ > max(independent(X[::2], X[1::2]), independent(X[1::2], X[::2]))


def independent(X, X_test):
    """The mean log p(x) of a Gaussian without correlations, as scikit-learn computes it."""
    scaler = StandardScaler().fit(X)
    gaussian = GaussianMixture(covariance_type="diag").fit(scaler.transform(X))
    return gaussian.score(scaler.transform(X_test)) - np.log(scaler.scale_).sum()


def test_few_rows_are_not_learned_by_heart():
    """178 rows of wine: what is learned of one half holds for the other."""
    X = load_wine().data[np.random.default_rng(0).permutation(178)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", npvae.DeadUnitsWarning)
        fitted = VAE(random_state=0).fit(X[::2])
    trained, held_out = fitted.score(X[::2]), fitted.score(X[1::2])
    assert held_out > independent(X[::2], X[1::2]) + 1
    assert trained - held_out < 3
