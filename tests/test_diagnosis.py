"""Each finding: told where its cause was put in, once, and nowhere else."""

import warnings

import numpy as np
import pytest
from scipy.stats import bernoulli, norm

import npvae
from npvae.diagnosis import findings, measure, of_data, optimism, overfitting, take_vitals
from npvae.diagnosis.measures import sobol_noise

WARNINGS = (
    npvae.CollapseWarning,
    npvae.ConstantDataWarning,
    npvae.DeadUnitsWarning,
    npvae.EntropyWarning,
    npvae.FloorWarning,
    npvae.GreyTargetsWarning,
    npvae.OverfittingWarning,
    npvae.RangeWarning,
    npvae.SpreadWarning,
    npvae.WidePosteriorWarning,
)


def rng(seed=0):
    return np.random.default_rng(seed)


def patterns(rows=600, seed=0):
    """Four prototypes of 12 pixels with one in twenty flipped."""
    prototypes = rng(99).integers(0, 2, (4, 12))
    x = prototypes[rng(seed).integers(0, 4, rows)]
    return np.abs(x - (rng(seed + 1).random((rows, 12)) < 0.05)).astype(np.float32)


def make(likelihood=None, latent_dim=2, seed=0, **options):
    likelihood = likelihood or npvae.Bernoulli()
    options = {"hidden": (16,), "latent_dim": latent_dim, "likelihood": likelihood} | options
    return npvae.VAE.init(12, rng=rng(seed), **options)


def train(vae, x, *, epochs=12, batch_size=10, **options):
    options = {"optimizer": npvae.Adam(5e-3), "rng": rng(1)} | options
    return list(npvae.train(vae, x, epochs=epochs, batch_size=batch_size, **options))


def told_in_training(vae, x, **options):
    """The kinds of warnings, in order."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train(vae, x, **options)
    assert {warning.filename for warning in caught} <= {__file__}
    return [warning.category for warning in caught]


def found(vae, x):
    return [type(finding) for finding in npvae.diagnose(vae, x).findings]


def test_a_healthy_model_is_told_nothing():
    vae, x = make(), patterns()
    assert told_in_training(vae, x) == []
    assert found(vae, x) == []
    assert "Nothing suspicious was found." in str(npvae.diagnose(vae, x))


def test_a_model_that_ignores_z_sits_at_its_floor():
    x = patterns(1200)
    vae = make(x_mean=x.mean(axis=0))
    kinds = told_in_training(vae, x, objective=npvae.ClosedForm(30.0))
    assert sorted(kinds, key=str) == [npvae.CollapseWarning, npvae.FloorWarning]
    assert found(vae, x) == [npvae.CollapseWarning, npvae.FloorWarning]
    shown = str(npvae.diagnose(vae, x))
    assert max(map(len, shown.splitlines())) <= 80
    text = " ".join(shown.split())
    assert "the decoder ignores z" in text
    assert "Likely causes: a learning rate too large" in text


def test_the_floor_waits_until_a_model_could_have_left_it():
    x = patterns(1200)
    vae = make(x_mean=x.mean(axis=0))
    kinds = told_in_training(vae, x, epochs=2, objective=npvae.ClosedForm(30.0))
    assert kinds == [npvae.CollapseWarning]  # 240 steps


def test_most_units_dead():
    vae, x = make(latent_dim=12), patterns()
    assert told_in_training(vae, x, epochs=40) == [npvae.DeadUnitsWarning]
    (finding,) = npvae.diagnose(vae, x).findings
    dead = 12 - npvae.diagnose(vae, x).vitals.evaluation.active_units
    assert str(finding).startswith(f"{dead} of 12 latent units are not active")
    assert dead > 6


def test_half_of_the_units_are_not_most():
    vae, x = make(), patterns()
    mu = rng().standard_normal((len(x), 2))
    mu[:, 1] = 0
    vitals = take_vitals(vae, measure(vae, x, 1), np.zeros(len(x)), mu, np.zeros_like(mu))
    assert npvae.DeadUnitsWarning not in map(type, findings(vitals))


def test_a_posterior_that_runs_away():
    vae, x = make(), patterns()
    vae.params.decoder[0].W[1] = 0  # nothing pulls on z₂ but the prior, and that is let go
    vae.params.encoder[-1].b[3] = 3.0
    objective = npvae.ClosedForm(0.0)
    kinds = told_in_training(vae, x, epochs=1, objective=objective, optimizer=npvae.SGD(1e-6))
    assert npvae.WidePosteriorWarning in kinds
    (wide,) = (f for f in npvae.diagnose(vae, x).findings if type(f) is npvae.WidePosteriorWarning)
    assert "variance of q(z|x) in dimension 1 is 19 on average" in str(wide)


def test_grey_targets_whose_entropy_is_most_of_the_loss():
    x = np.clip(0.3 + 0.1 * patterns(), 0, 1)
    kinds = told_in_training(make(x_mean=x.mean(axis=0)), x)
    assert npvae.GreyTargetsWarning in kinds
    assert npvae.EntropyWarning in kinds
    assert len(kinds) == len(set(kinds))
    vae = make(npvae.ContinuousBernoulli(), x_mean=x.mean(axis=0))
    assert npvae.EntropyWarning not in told_in_training(vae, x)
    assert npvae.EntropyWarning not in told_in_training(make(), x, binarize=True)


@pytest.mark.parametrize("quantity", ["mu²", "σ²", "log p(x|z)"])
def test_numbers_near_the_end_of_float32(quantity):
    vae, x = make(npvae.Gaussian(1.0)), patterns()
    if quantity == "mu²":
        vae.params.encoder[-1].b[0] = 1e16
        vae.params.decoder[0].W[:] = 0
    elif quantity == "σ²":
        vae.params.encoder[-1].b[2] = 80
        vae.params.decoder[0].W[:] = 0
    else:
        vae.params.decoder[-1].b[:] = 1e16
    named = [f for f in npvae.diagnose(vae, x).findings if type(f) is npvae.RangeWarning]
    assert [str(finding).split(" reaches")[0] for finding in named] == [quantity]
    assert not any(type(f) is npvae.RangeWarning for f in npvae.diagnose(vae.astype(float), x)[1])


def test_units_that_yet_wake_are_not_called_dead():
    digits = npvae.datasets.glyph_digits(1000, rng=rng()).images
    vae = npvae.VAE.init(
        784,
        hidden=(30,),
        latent_dim=4,
        likelihood=npvae.Bernoulli(),
        weight_init=0.01,
        x_mean=digits.mean(axis=0),
        rng=rng(),
    )
    epochs = npvae.train(
        vae, digits, epochs=15, optimizer=npvae.Adam(3e-3), binarize=True, rng=rng()
    )
    active = [epoch.active_units for epoch in epochs]  # a warning would be an error
    assert active[0] == 0
    assert active[-1] == 4


def test_a_width_on_its_way_is_not_called_stuck():
    x = patterns(1000)
    vae = make(npvae.LearnedGaussian(10.0), x_mean=x.mean(axis=0))
    kinds = told_in_training(vae, x, epochs=8, optimizer=npvae.Adam(2e-3))  # 800 steps
    assert npvae.FloorWarning not in kinds[:-1]
    assert npvae.diagnose(vae, x).vitals.evaluation.elbo < measure(vae, x, 1).floor


def test_the_floor_of_binarised_data_is_that_of_binary_data():
    grey = rng().random((4000, 12)).astype(np.float32)
    vae = make(npvae.Gaussian(0.5))
    binary = npvae.binarize(grey, rng=rng(1))
    floor = measure(vae, grey, 1, binarized=True).floor
    assert floor == pytest.approx(vae.likelihood.floor(binary), rel=0.01)
    assert floor < measure(vae, grey, 1).floor - 1


def test_the_floor_of_very_many_rows_is_that_of_every_second():
    vae, x = make(npvae.Gaussian(0.7)), rng().standard_normal((15_000, 12), np.float32)
    assert measure(vae, x, 1).floor == vae.likelihood.floor(x[::2])


def test_few_rows_are_not_held_against_a_floor_fitted_to_them():
    vae, x = make(), patterns(1200)
    train(vae, x, epochs=1)
    assert npvae.FloorWarning not in found(vae, x[:3])
    assert found(vae, x[:1]) == []


def test_a_broken_model_gets_no_clean_bill():
    vae, x = make(), patterns()
    vae.params.decoder[-1].b[0] = np.nan
    (finding,) = npvae.diagnose(vae, x).findings
    assert "elbo is nan: a parameter is not finite" in str(finding)


def test_each_kind_is_told_once():
    vae, x = make(latent_dim=12), patterns()
    kinds = told_in_training(vae, x, epochs=60)
    assert len(kinds) == len(set(kinds))


def test_a_watched_run_is_the_same_run():
    arrays = []
    for quiet in (True, False):
        vae = make(x_mean=patterns().mean(axis=0))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("ignore" if quiet else "always")
            train(vae, patterns(), epochs=3, objective=npvae.ClosedForm(30.0))
        assert bool(caught) != quiet
        arrays.append(b"".join(a.tobytes() for a in vae.params.arrays().values()))
    assert arrays[0] == arrays[1]


@pytest.mark.equation("diagnosis.1")
def test_the_same_model_gets_the_same_diagnosis_and_the_true_bound():
    vae, x = make(), patterns(2500)
    train(vae, x, epochs=2)
    one, two = npvae.diagnose(vae, x), npvae.diagnose(vae, x)
    assert str(one) == str(two)
    assert one.vitals.evaluation.elbo == two.vitals.evaluation.elbo
    many = npvae.evaluate(vae, x, samples=200, rng=rng())
    sampled = npvae.evaluate(vae, x, rng=rng())
    assert abs(one.vitals.evaluation.elbo - many.elbo) < 4 * sampled.standard_error


def test_grey_levels_are_diagnosed_as_the_grey_values_they_are():
    levels = rng().integers(0, 256, (300, 12), np.uint8)
    vae = make()
    assert str(npvae.diagnose(vae, levels)) == str(npvae.diagnose(vae, levels / np.float32(255)))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((3, 11)), "with D = 12"),
        (np.full((3, 12), 2.0), r"\[0, 1\]"),
        (np.full((3, 12), np.nan), "expected finite"),
    ],
)
def test_bad_data_are_refused(x, message):
    with pytest.raises(ValueError, match=message):
        npvae.diagnose(make(), x)


def test_every_kind_can_be_silenced_by_one_class():
    assert all(issubclass(kind, npvae.DiagnosisWarning) for kind in WARNINGS)


def fit(rows):
    """Mean and width of each column."""
    return rows.mean(axis=0), rows.std(axis=0)


@pytest.mark.equation("diagnosis.2")
@pytest.mark.parametrize(
    ("likelihood", "draw", "fitted"),
    [
        (
            npvae.HeteroscedasticGaussian(1e-3),
            lambda n, rng: 2 * rng.standard_normal((n, 3)),
            lambda x, new: norm.logpdf(new, *fit(x)),
        ),
        (
            npvae.Gaussian(0.5),
            lambda n, rng: 2 * rng.standard_normal((n, 3)),
            lambda x, new: norm.logpdf(new, x.mean(axis=0), 0.5),
        ),
        (
            npvae.LearnedGaussian(),
            lambda n, rng: 2 * rng.standard_normal((n, 3)),
            lambda x, new: norm.logpdf(new, x.mean(axis=0), np.sqrt(x.var(axis=0).mean())),
        ),
        (
            npvae.Bernoulli(),
            lambda n, rng: (rng.random((n, 3)) < 0.4).astype(float),
            lambda x, new: bernoulli.logpmf(new, x.mean(axis=0)),
        ),
    ],
    ids=["heteroscedastic", "gaussian", "learned", "bernoulli"],
)
def test_a_floor_flatters_itself_by_the_optimism(likelihood, draw, fitted):
    """4000 times: a constant is fitted to 40 rows, scored on them and on 40 others."""
    N, repeats, lost, predicted = 40, 4000, [], []
    for seed in range(repeats):
        x, new = draw(N, rng([seed, 0])), draw(N, rng([seed, 1]))
        lost.append(likelihood.floor(x) - fitted(x, new).sum(axis=1).mean())
        predicted.append(optimism(likelihood, x))
    standard_error = np.std(lost) / np.sqrt(repeats)
    assert np.mean(lost) == pytest.approx(np.mean(predicted), rel=0.1, abs=3 * standard_error)
    assert np.mean(lost) > 10 * standard_error


def test_few_rows_have_no_floor():
    assert optimism(npvae.Gaussian(1.0), rng().random((3, 12))) == np.inf
    assert optimism(npvae.Bernoulli(), rng().random((3, 12))) == np.inf


def test_a_model_as_good_as_one_that_ignores_z_is_not_accused_on_few_rows():
    """One fitted to 20 rows, judged on 20 others, a hundred times."""
    vae = make(npvae.LearnedGaussian(), latent_dim=1)
    vae.params.decoder[0].W[:] = 0
    for array in vae.params.encoder[-1]:
        array[:] = 0
    for seed in range(100):
        fitted, x = rng([seed, 0]).standard_normal((2, 20, 12))
        vae.params.decoder[-1].b[:] = fitted.mean(axis=0)
        vae.params.likelihood["logvar"][:] = np.log(fitted.var(axis=0).mean())
        assert npvae.FloorWarning not in found(vae, x)
    vae.params.decoder[-1].b[:] += 5
    assert npvae.FloorWarning in found(vae, x)


def table(rows=178):
    """Numbers of different kinds, made of two hidden ones, as tables have them."""
    hidden = rng(3).standard_normal((rows, 2))
    x = hidden @ rng(4).standard_normal((2, 12)) + 0.5 * rng(5).standard_normal((rows, 12))
    return (x * np.geomspace(0.1, 300, 12) + np.geomspace(1, 700, 12)).astype(np.float32)


def test_columns_of_very_different_spread_are_told_and_standardised_ones_are_sound():
    x = table()
    vae = make(npvae.LearnedGaussian(), x_mean=x.mean(axis=0))
    kinds = told_in_training(vae, x, epochs=60)
    assert kinds[0] is npvae.SpreadWarning
    assert npvae.FloorWarning in kinds
    spread, floor = npvae.diagnose(vae, x).findings
    assert [type(spread), type(floor)] == [npvae.SpreadWarning, npvae.FloorWarning]
    deviation = x.std(axis=0)
    assert f"from {deviation.min():.3g} (column {deviation.argmin()})" in str(spread)
    assert f"to {deviation.max():.3g} (column {deviation.argmax()})" in str(spread)
    x = (x - x.mean(0)) / x.std(0)
    vae = make(npvae.LearnedGaussian(), x_mean=x.mean(axis=0))
    assert told_in_training(vae, x, epochs=60) == []
    assert found(vae, x) == []


def test_margins_of_images_are_no_spread():
    x = np.clip(patterns() * np.geomspace(1e-3, 1, 12), 0, 1)
    assert list(of_data(measure(make(npvae.Gaussian(0.5)), x, 1))) == []
    assert list(of_data(measure(make(), np.rint(x), 1))) == []


def test_constant_columns_are_left_out_of_the_spread():
    x = table()
    x[:, 3] = 7
    (spread,) = of_data(measure(make(npvae.Gaussian(0.5)), x, 1))
    assert "from 0.0921 (column 0)" in str(spread)
    assert str(spread).endswith("those that are constant left out")


@pytest.mark.parametrize("likelihood", [npvae.Bernoulli(), npvae.Gaussian(0.5)])
def test_rows_that_are_all_equal_are_the_cause(likelihood):
    x = np.tile(patterns(1), (1200, 1))
    vae = make(likelihood)
    assert told_in_training(vae, x, epochs=6) == [npvae.ConstantDataWarning]
    (finding,) = npvae.diagnose(vae, x).findings
    assert str(finding).startswith("x has no variance: all 1,200 rows are equal")


def test_constant_columns_are_among_the_causes_of_collapse():
    x = patterns()
    x[:, 2:] = 1
    vae = make(npvae.Gaussian(3.0), x_mean=x.mean(axis=0))
    vae.params.encoder[-1].W[:] = 0
    (collapse,) = (f for f in npvae.diagnose(vae, x).findings if type(f) is npvae.CollapseWarning)
    assert "10 of 12 columns of x constant, " in str(collapse)


def digits(rows, seed):
    return npvae.datasets.glyph_digits(rows, rng=rng(seed)).images


def test_overfitting_is_told_once_with_the_best_epoch():
    x, x_val = digits(30, 0), digits(60, 1)
    options = {"hidden": (64,), "latent_dim": 8, "x_mean": x.mean(axis=0), "rng": rng()}
    vae = npvae.VAE.init(784, likelihood=npvae.LearnedGaussian(optimal=True), **options)
    run = npvae.train(
        vae, x, epochs=60, batch_size=10, optimizer=npvae.Adam(5e-3), x_val=x_val, rng=rng()
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        epochs = list(run)
    (told,) = (w for w in caught if w.category is npvae.OverfittingWarning)
    assert told.filename == __file__
    validations = [epoch.validation.elbo for epoch in epochs]
    found_after = int(str(told.message).rpartition("after epoch ")[2].rstrip(")"))
    best = int(np.argmax(validations[:found_after]))
    assert f"best at {validations[best]:.2f}, after epoch {best + 1}," in str(told.message)
    assert f"fallen to {validations[found_after - 1]:.2f} ±" in str(told.message)
    diagnosis = npvae.diagnose(vae, x, x_val)
    assert npvae.OverfittingWarning in map(type, diagnosis.findings)
    assert f"validation elbo {diagnosis.validation.elbo:.2f}" in str(diagnosis)
    assert npvae.OverfittingWarning not in found(vae, x)


def test_a_healthy_run_is_not_called_overfitted():
    x, x_val = patterns(), patterns(300, seed=7)
    vae = make()
    assert told_in_training(vae, x, epochs=40, x_val=x_val) == []
    assert npvae.diagnose(vae, x, x_val).findings == []
    assert npvae.diagnose(vae, x).validation is None


def judged(elbo, standard_error=1.0):
    empty = np.empty(0)
    return npvae.Evaluation(elbo, standard_error, elbo, 0.0, empty, empty)


@pytest.mark.parametrize(
    ("trained", "validated", "told"),
    [
        ([1, 2, 3, 4, 5], [0, -9, -9, -9, -9], True),
        ([1, 2, 3, 4, 5], [0, 0, -9, -9, -9], True),
        ([1, 2, 3, 4, 5], [0, 0, 0, -9, -9], False),  # two epochs only
        ([1, 2, 3, 4, 5], [0, -9, -9, 0, -9], False),  # not in a row
        ([1, 2, 3, 4, 5], [0, -4, -4, -4, -4], False),  # noise: 3 √2 = 4.2
        ([1, -2, -3, -4, -5], [0, -9, -9, -9, -9], False),  # training falls as well
        ([-20, -19, -18, -17, -16], [0, -9, -9, -9, -9], False),  # validation is above
    ],
)
def test_what_is_called_overfitting(trained, validated, told):
    findings = overfitting([judged(e) for e in trained], [judged(e) for e in validated])
    assert bool(list(findings)) == told


def test_a_part_is_a_percentage_that_can_be_read():
    x = np.full((40, 12), 0.3, np.float32)
    x[:, 0], x[0, 0] = 0, 1
    text = str(npvae.diagnose(make(), x))
    assert "92 % of the targets" in text
    x[:, 0] = 0.3
    assert "100 % of the targets" in " ".join(str(f) for f in npvae.diagnose(make(), x).findings)


@pytest.mark.equation("diagnosis.1")
def test_noise_is_the_quantiles_of_sobols_points():
    points = [1 / 2, 3 / 4, 1 / 4, 3 / 8, 7 / 8, 5 / 8, 1 / 8, 3 / 16]
    np.testing.assert_allclose(norm.cdf(sobol_noise(3)(8)[:, 0]), points, rtol=1e-12)


def test_more_latents_than_sobol_has_dimensions():
    vae = make(latent_dim=21_203, hidden=(1,))
    x = patterns(5)
    one, two = npvae.diagnose(vae, x), npvae.diagnose(vae, x)
    assert np.isfinite(one.vitals.evaluation.elbo)
    assert one.vitals.evaluation.elbo == two.vitals.evaluation.elbo
    noise = sobol_noise(21_203)
    values = np.concatenate([noise(2), noise(300)])
    np.testing.assert_array_equal(values[:302], sobol_noise(21_203)(302))
    assert np.abs(values[:, -2:].mean(axis=0)).max() < 4 / np.sqrt(302)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "likelihood", [npvae.Gaussian(1.0), npvae.LearnedGaussian(), npvae.HeteroscedasticGaussian()]
)
def test_data_beyond_the_range_are_diagnosed_and_not_crashed_on(likelihood, dtype):
    vae = make(likelihood, dtype=dtype)
    x = patterns().astype(dtype)
    x[3, 4] = 1e30 if dtype == np.float32 else 1e300
    diagnosis = npvae.diagnose(vae, x, x)
    assert npvae.RangeWarning in map(type, diagnosis.findings)
    assert "floor nan" not in str(diagnosis)
    assert "floor inf" not in str(diagnosis).replace("-", "")
