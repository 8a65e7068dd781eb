"""Each finding: told where its cause was put in, once, and nowhere else."""

import warnings

import numpy as np
import pytest

import npvae
from npvae.diagnosis import measure

WARNINGS = (
    npvae.CollapseWarning,
    npvae.DeadUnitsWarning,
    npvae.EntropyWarning,
    npvae.FloorWarning,
    npvae.GreyTargetsWarning,
    npvae.RangeWarning,
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


def test_a_posterior_that_runs_away():
    vae, x = make(), patterns()
    vae.params.decoder[0].W[1] = 0  # nothing pulls on z₂ but the prior, and that is let go
    vae.params.encoder[-1].b[3] = 3.0
    objective = npvae.ClosedForm(0.0)
    kinds = told_in_training(vae, x, epochs=1, objective=objective, optimizer=npvae.SGD(1e-6))
    assert npvae.WidePosteriorWarning in kinds
    (wide,) = (f for f in npvae.diagnose(vae, x).findings if type(f) is npvae.WidePosteriorWarning)
    assert "variance in dimension 1 is 19 on average" in str(wide)


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
