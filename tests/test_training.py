"""train: every row once an epoch, the same bits from the same seed, and no silent disaster."""

import copy
import gc
import os
import pickle
import subprocess
import sys
import time
import warnings
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import npvae
from npvae.training import descend, minibatches

PROTOTYPES = np.random.default_rng(0).integers(0, 2, (4, 12))


def make(likelihood=None, dtype=np.float32, seed=0, **choices):
    choices = {"hidden": (16,), "latent_dim": 3} | choices
    likelihood = likelihood or npvae.Bernoulli()
    rng = np.random.default_rng(seed)
    return npvae.VAE.init(12, likelihood=likelihood, dtype=dtype, rng=rng, **choices)


def patterns(rows, seed=0):
    """Four prototypes with one pixel in ten flipped: something to learn."""
    rng = np.random.default_rng(seed)
    x = PROTOTYPES[rng.integers(0, 4, rows)]
    return np.abs(x - (rng.random((rows, 12)) < 0.1)).astype(np.float32)


def run(vae, x, *, epochs=2, seed=1, optimizer=None, **choices):
    optimizer = optimizer or npvae.Adam(1e-2)
    rng = np.random.default_rng(seed)
    return list(npvae.train(vae, x, epochs=epochs, optimizer=optimizer, rng=rng, **choices))


def averaged(samples):
    return npvae.ClosedForm(samples=samples)


def bits(vae):
    return b"".join(array.tobytes() for array in vae.params.arrays().values())


# Toy data and one short epoch leave units asleep where that is not the matter.
constant_on_purpose = pytest.mark.filterwarnings("ignore::npvae.ConstantDataWarning")
collapse_is_not_the_matter = pytest.mark.filterwarnings("ignore:no latent unit is active")


class Step(NamedTuple):
    x: np.ndarray
    noise: np.ndarray
    bits: bytes  # of the model after it


@pytest.fixture
def steps(monkeypatch):
    """The steps that train takes and that do not fail."""
    taken = []

    def watched(vae, optimizer, x, noise, *args):
        trace = descend(vae, optimizer, x, noise, *args)
        taken.append(Step(x, noise, bits(vae)))
        return trace

    monkeypatch.setattr(npvae.training.run, "descend", watched)
    return taken


@given(n=st.integers(1, 300), batch_size=st.integers(1, 400), seed=st.integers(0, 99))
def test_every_row_is_visited_exactly_once(n, batch_size, seed):
    batches = list(minibatches(n, batch_size, rng=np.random.default_rng(seed)))
    assert sorted(np.concatenate(batches)) == list(range(n))
    assert [len(batch) for batch in batches[:-1]] == [batch_size] * (len(batches) - 1)
    assert len(batches) == -(-n // batch_size)


def test_rows_are_shuffled_not_batches():
    rng = np.random.default_rng(0)
    first, second = (np.concatenate(list(minibatches(1000, 100, rng=rng))) for _ in range(2))
    assert not np.array_equal(first, second)
    # Neighbours in the data are almost never neighbours in the order: 2 are expected.
    assert np.sum(np.abs(np.diff(first)) == 1) < 15


@collapse_is_not_the_matter
@given(n=st.integers(1, 40), batch_size=st.integers(1, 50), samples=st.integers(1, 3))
def test_any_size_trains(n, batch_size, samples):
    vae = make()
    before = bits(vae)
    (epoch,) = run(vae, patterns(n), epochs=1, batch_size=batch_size, objective=averaged(samples))
    assert np.isfinite(epoch.elbo)
    assert bits(vae) != before


@pytest.mark.parametrize(
    "optimizer", [npvae.Adam(1e-2), npvae.Adagrad(0.1), npvae.SGD(0.05, momentum=0.9)]
)
def test_it_learns(optimizer):
    vae, x, x_val = make(), patterns(400), patterns(200, seed=5)
    before = npvae.evaluate(vae, x_val, rng=np.random.default_rng(0)).elbo
    epochs = run(vae, x, epochs=30, optimizer=optimizer, batch_size=20, x_val=x_val)
    # 12 coin tosses cost 12 log 2 = 8.3 nats; four prototypes with flips cost
    # log 4 + 12 H(0.1) = 5.3. A model that ignores z cannot beat the pixels' own entropy.
    p = x.mean(axis=0)
    alone = np.mean(npvae.Bernoulli().entropy(p[None]))
    assert before < -8
    assert epochs[-1].validation.elbo > -alone + 0.5
    assert epochs[-1].validation.elbo < -5.2
    assert epochs[-1].active_units >= 1


def test_a_step_descends_minus_the_mean_bound():
    vae, x = make(dtype=np.float64), patterns(10).astype(float)
    noise = np.random.default_rng(0).standard_normal((1, 10, 3))
    expected = {}
    for name, array in vae.params.arrays().items():
        expected[name] = array.copy()
    trace = npvae.elbo(vae, x, noise, npvae.ClosedForm(2.0))
    for b in range(10):
        dbound = np.eye(10)[b]
        grads = npvae.elbo_backward(dbound, vae, x, noise, trace).arrays()
        for name, grad in grads.items():
            expected[name] += 0.1 * grad / 10
    descend(vae, npvae.SGD(0.1), x, noise, npvae.ClosedForm(2.0))
    for name, array in vae.params.arrays().items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-12, atol=1e-15)


@pytest.mark.equation("likelihoods.36")
@pytest.mark.parametrize("batch_size", [1, 4, 10, 50])
@pytest.mark.parametrize("optimizer", [npvae.SGD(1e-3), npvae.Adam(1e-2)])
def test_an_optimal_width_is_a_running_mean_over_all_rows(monkeypatch, batch_size, optimizer):
    """The rule as a loop in plain floats: a row counts the same, whichever batch it comes in."""
    seen, variance, optimizer = 1, 0.7**2, copy.deepcopy(optimizer)
    vae = make(npvae.LearnedGaussian(0.7, optimal=True), dtype=np.float64)

    def watched(vae, optimizer, x, noise, *args):
        nonlocal seen, variance
        trace = descend(vae, optimizer, x, noise, *args)
        squares = [(x[b, d] - m) ** 2 for (_, b, d), m in np.ndenumerate(trace.decoder_output)]
        keep = max(0, min(seen, 10 - len(x)))  # so many of the ten rows are not of this batch
        variance = (keep * variance + sum(squares) / 24) / (keep + len(x))
        seen += len(x)
        assert vae.params.likelihood["logvar"] == pytest.approx(np.log(variance), rel=1e-9)
        return trace

    monkeypatch.setattr(npvae.training.run, "descend", watched)
    run(vae, patterns(10), batch_size=batch_size, optimizer=optimizer, objective=averaged(2))
    assert seen == 21


def test_an_optimal_width_of_one_batch_is_the_spread_about_its_means():
    vae, x = make(npvae.LearnedGaussian(optimal=True), dtype=np.float64), patterns(10).astype(float)
    noise = np.random.default_rng(0).standard_normal((2, 10, 3))
    trace = descend(vae, npvae.Adam(), x, noise, npvae.ClosedForm())
    spread = np.mean((x - trace.decoder_output) ** 2)
    assert vae.params.likelihood["logvar"] == pytest.approx(np.log(spread), rel=1e-12)


@collapse_is_not_the_matter
@pytest.mark.filterwarnings("ignore::npvae.diagnosis.DiagnosisWarning")
@pytest.mark.parametrize(("rows", "batch_size"), [(100, 100), (101, 100), (101, 1)])
def test_an_optimal_width_is_not_that_of_the_last_batch(rows, batch_size):
    """One number a row, and one row in the last batch: its own error is no width for the others.

    A Gaussian of the data's own spread has −½ log 2πe = −1.42 nats.
    """
    for seed in range(4):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((rows, 1))
        likelihood = npvae.LearnedGaussian(optimal=True)
        choices = {"hidden": (4,), "latent_dim": 1, "likelihood": likelihood}
        vae = npvae.VAE.init(1, rng=rng, **choices)
        epochs = 300 if batch_size == 100 else 5
        run(vae, x, epochs=epochs, seed=seed, batch_size=batch_size)
        own = -(np.log(2 * np.pi * x.var()) + 1) / 2
        value = npvae.evaluate(vae, x, samples=20, rng=rng).elbo
        assert own - 0.15 < value < own + 0.15


def test_a_width_learned_by_gradient_ends_where_the_optimal_one_is():
    widths = []
    for optimal in (False, True):
        vae = make(npvae.LearnedGaussian(0.5, optimal=optimal))
        run(vae, patterns(200), epochs=60, batch_size=20)
        widths.append(vae.params.likelihood["logvar"].item())
    assert widths[0] == pytest.approx(widths[1], abs=0.2)
    assert widths[1] < 2 * np.log(0.4)


def test_the_record_holds_the_bound_that_was_raised():
    x, objective = patterns(50), npvae.ImportanceWeighted(4)
    (epoch,) = run(make(), x, epochs=1, objective=objective, optimizer=npvae.SGD(1e-30))
    assert epoch.objective == objective
    results = [
        npvae.log_likelihood(make(), x, samples=4, rng=np.random.default_rng(seed)).log_px.mean()
        for seed in range(100)
    ]
    assert abs(epoch.bound - np.mean(results)) < 5 * np.std(results)
    assert epoch.bound > epoch.elbo


def test_the_record_tells_what_was_trained_on():
    x = patterns(50)
    vae = make()
    (epoch,) = run(vae, x, epochs=1, batch_size=50, optimizer=npvae.SGD(1e-30))
    # At a step size of nothing the epoch's means are an evaluation of the model.
    check = npvae.evaluate(vae, x, samples=500, rng=np.random.default_rng(3))
    assert epoch.elbo == pytest.approx(check.elbo, abs=0.5)
    assert epoch.elbo == pytest.approx(epoch.reconstruction - epoch.kl)
    assert epoch.kl == pytest.approx(check.kl, rel=1e-5)
    np.testing.assert_allclose(epoch.kl_per_dim, check.kl_per_dim, rtol=1e-5)
    assert epoch.active_units == check.active_units
    assert epoch.images_per_second == pytest.approx(50 / epoch.seconds)
    assert epoch.validation is None
    assert "elbo" in str(epoch)
    assert max(map(len, str(epoch).splitlines())) <= 80


def test_records_with_validation_fit_a_terminal():
    (epoch,) = run(make(), patterns(50), epochs=1, x_val=patterns(20))
    wide = epoch._replace(elbo=-10543.21, reconstruction=-10440.11, kl=103.10, epoch=100)
    assert max(map(len, str(wide).splitlines())) <= 80
    assert "validation" in str(epoch)


@collapse_is_not_the_matter
def test_beta_weights_the_kl_and_may_follow_the_step():
    x = patterns(300)
    free = run(make(), x, epochs=20, objective=npvae.ClosedForm(0))[-1]
    tied = run(make(), x, epochs=20, objective=npvae.ClosedForm(4))[-1]
    assert free.kl > 4 * tied.kl
    asked = []
    steps = 300 // 50

    def rising(step):
        asked.append(step)
        return npvae.ClosedForm((step + 1) / steps)

    warm = run(make(), x, epochs=3, objective=rising, batch_size=50)
    assert [epoch.objective.beta for epoch in warm] == [1.0, 2.0, 3.0]  # of their last steps
    assert set(asked) == set(range(3 * steps))
    vae, same = make(), make()
    run(vae, x, epochs=2, objective=npvae.ClosedForm(1.0))
    run(same, x, epochs=2, objective=lambda step: npvae.ClosedForm())
    assert bits(vae) == bits(same)


@pytest.mark.parametrize("samples", [1, 3])
def test_every_row_gets_as_many_draws_as_asked(steps, samples):
    run(make(), patterns(25), epochs=1, batch_size=10, objective=averaged(samples))
    assert [step.noise.shape for step in steps] == [(samples, rows, 3) for rows in (10, 10, 5)]
    draws = np.concatenate([step.noise.reshape(-1, 3) for step in steps])
    assert len(np.unique(draws, axis=0)) == 25 * samples


def levels(rows, seed=0):
    """Grey levels of every kind: black, white and between."""
    return np.random.default_rng(seed).choice([0, 0, 1, 77, 254, 255], (rows, 12)).astype(np.uint8)


@collapse_is_not_the_matter
@pytest.mark.filterwarnings("ignore::npvae.GreyTargetsWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("binarize", [False, True])
def test_grey_levels_train_as_the_grey_values_they_are(dtype, binarize):
    x, x_val = levels(70), levels(30, seed=1)
    results = []
    for kept in (lambda x: x, lambda x: x / dtype(255)):
        vae = make(dtype=dtype)
        choices = {"binarize": binarize, "batch_size": 20, "x_val": kept(x_val)}
        epochs = run(vae, kept(x), **choices)
        results.append((bits(vae), [epoch.validation.elbo for epoch in epochs]))
    assert results[0] == results[1]


@collapse_is_not_the_matter
def test_grey_levels_are_a_gaussians_numbers_unless_binarised(steps):
    x = levels(40)
    run(make(npvae.Gaussian(100.0)), x, epochs=1, batch_size=40)
    np.testing.assert_array_equal(np.sort(steps[0].x, axis=0), np.sort(x, axis=0))
    run(make(npvae.Gaussian(1.0)), x, epochs=1, batch_size=40, binarize=True, x_val=x)
    assert set(np.unique(steps[1].x)) == {0, 1}


@collapse_is_not_the_matter
def test_data_that_may_not_be_written_are_trained_on():
    x = levels(40)
    x.flags.writeable = False
    run(make(), x, epochs=1, binarize=True)
    with pytest.warns(npvae.GreyTargetsWarning):
        run(make(), x, epochs=1)


@pytest.mark.filterwarnings("ignore::npvae.OverfittingWarning")  # of another kind are x and x_val
def test_validation_is_of_x_val():
    vae, x = make(), patterns(50)
    epochs = run(vae, x, epochs=10, batch_size=10, x_val=1 - x[:20])
    check = npvae.evaluate(vae, 1 - x[:20], rng=np.random.default_rng(0))
    # The KL is of x alone, without noise.
    assert epochs[-1].validation.kl == pytest.approx(check.kl, rel=1e-5)
    assert epochs[-1].validation.elbo == pytest.approx(check.elbo, abs=5 * check.standard_error)
    assert epochs[-1].validation.elbo < epochs[-1].elbo - 2


def test_validation_targets_are_binarised_once(monkeypatch):
    seen = []

    def watched(vae, x, **choices):
        seen.append(x.copy())
        return npvae.evaluate(vae, x, **choices)

    monkeypatch.setattr(npvae.training.run, "evaluate", watched)
    x_val = np.full((200, 12), 0.3, np.float32)
    run(make(), patterns(50), epochs=3, x_val=x_val, binarize=True)
    assert len(seen) == 3
    assert set(np.unique(seen[0])) == {0, 1}
    np.testing.assert_array_equal(seen[1:], seen[:-1])
    # 2400 draws of probability 0.3: four standard errors.
    assert np.mean(seen[0]) == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / 2400))


def test_order_noise_and_targets_are_streams_of_their_own(steps):
    def given_to_steps(x, **choices):
        steps.clear()
        run(make(), x, epochs=3, batch_size=10, **choices)
        return np.concatenate([s.x for s in steps]), np.hstack([s.noise.ravel() for s in steps])

    x = patterns(50)  # binary, so that binarize shows the order as it is
    order, noise = given_to_steps(x)
    binarised, same_noise = given_to_steps(x, binarize=True)
    np.testing.assert_array_equal(binarised, order)
    np.testing.assert_array_equal(same_noise, noise)
    np.testing.assert_array_equal(given_to_steps(x, objective=averaged(3))[0], order)
    grey = np.random.default_rng(0).random((50, 12))
    one, three = (
        given_to_steps(grey, binarize=True, objective=averaged(samples))[0] for samples in (1, 3)
    )
    np.testing.assert_array_equal(one, three)


def test_seconds_are_of_training_alone(monkeypatch):
    clock = SimpleNamespace(now=0.0)

    def lasting(seconds, function):
        def slow(*args, **choices):
            clock.now += seconds
            return function(*args, **choices)

        return slow

    monkeypatch.setattr(npvae.kernels, "clock", lambda: clock.now)
    monkeypatch.setattr(npvae.training.run, "descend", lasting(2, descend))
    monkeypatch.setattr(npvae.training.run, "evaluate", lasting(100, npvae.evaluate))
    rng = np.random.default_rng(0)
    x = patterns(50)
    for epoch in npvae.train(
        make(), x, epochs=3, optimizer=npvae.Adam(), rng=rng, batch_size=10, x_val=x
    ):
        assert (epoch.seconds, epoch.images_per_second) == (10, 5)
        clock.now += 1000  # the reader's own time


def test_dynamic_targets_are_binary_and_fresh(steps):
    x = np.full((200, 12), 0.3, np.float32)
    run(make(), x, epochs=2, batch_size=200, binarize=True)
    seen = [step.x for step in steps]
    first, second = seen
    assert set(np.unique(first)) == {0, 1}
    assert not np.array_equal(np.sort(first, axis=0), first)
    assert np.mean(first != second) == pytest.approx(2 * 0.3 * 0.7, abs=0.04)
    # 4800 draws of probability 0.3: four standard errors.
    assert np.mean(seen) == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / 4800))


def test_the_same_seed_gives_the_same_bits():
    x = np.random.default_rng(0).random((70, 12))
    results = []
    for seed in (1, 1, 2):
        vae = make()
        run(vae, x, seed=seed, binarize=True)
        results.append(bits(vae))
    assert results[0] == results[1]
    assert results[0] != results[2]


def test_watching_changes_nothing():
    x, x_val = patterns(70), patterns(30, seed=9)
    alone, watched = make(), make()
    run(alone, x, binarize=True)
    rng = np.random.default_rng(1)
    for _ in npvae.train(
        watched, x, epochs=2, optimizer=npvae.Adam(1e-2), rng=rng, binarize=True, x_val=x_val
    ):
        npvae.evaluate(watched, x_val, rng=np.random.default_rng(7))
        watched.sample(3, rng=np.random.default_rng(8))
    assert bits(alone) == bits(watched)


THREADS = """
import contextlib, hashlib, itertools, numba, numpy as np, npvae

def digest():
    rng = np.random.default_rng(0)
    x = rng.random((400, 784), dtype=np.float32)
    vae = npvae.VAE.init(784, hidden=(150,), latent_dim=20, likelihood=npvae.Bernoulli(), rng=rng)
    for _ in npvae.train(vae, x, epochs=2, optimizer=npvae.Adam(), rng=rng, binarize=True): pass
    return hashlib.sha256(b"".join(a.tobytes() for a in vae.params.arrays().values())).hexdigest()

numbers = 1, 2, 3, 8
turns = itertools.cycle(numbers)
kinds = [lambda n=n: numba.set_num_threads(n) for n in numbers]  # after each step
for kind in [*kinds, lambda: numba.set_num_threads(next(turns))]:
    kind()
    npvae.kernels.pace = lambda *work: contextlib.nullcontext(kind)
    print(digest())
"""


def test_any_number_of_threads_and_one_that_changes_give_the_same_bits():
    done = subprocess.run(
        [sys.executable, "-c", THREADS],
        env=os.environ | {"NUMBA_NUM_THREADS": "8"},
        check=True,
        capture_output=True,
        text=True,
    )
    digests = done.stdout.split()
    assert len(digests) == 5
    assert len(set(digests)) == 1
    assert len(digests[0]) == 64


@collapse_is_not_the_matter
def test_progress_is_shown_on_request_row_by_row_and_changes_nothing(capsys):
    quiet, watched = make(), make()
    run(quiet, patterns(50), batch_size=20)
    assert capsys.readouterr() == ("", "")
    run(watched, patterns(50), batch_size=20, progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "epoch 1/2:   0%" in shown.err
    assert "epoch 2/2:   0%" in shown.err
    assert "/50 [" in shown.err
    assert shown.err.split("\r")[-2:] == [" " * len(shown.err.split("\r")[-2]), ""]  # gone
    assert bits(watched) == bits(quiet)


@collapse_is_not_the_matter
def test_the_bar_moves_within_an_epoch(capsys, monkeypatch):
    monkeypatch.setattr("npvae.training.run.descend", slow(npvae.training.descend))
    run(make(), patterns(50), epochs=1, batch_size=20, progress=True)
    shown = capsys.readouterr().err
    assert "20/50" in shown
    assert "40/50" in shown


def slow(function):
    def slowed(*args):
        time.sleep(0.11)  # ten times a second it may be drawn
        return function(*args)

    return slowed


def test_stopping_early_keeps_what_was_learned():
    x, vae, whole = patterns(60), make(), make()
    for epoch in npvae.train(
        vae, x, epochs=99, optimizer=npvae.Adam(1e-2), rng=np.random.default_rng(1)
    ):
        if epoch.epoch == 2:
            break
    run(whole, x, epochs=2)
    assert bits(vae) == bits(whole)


def test_a_loss_that_overflows_stops_before_it_is_learned_from():
    vae = make(npvae.Gaussian(1e-3))
    x = np.ones((30, 12), np.float32)
    x[17] = 1e18  # whose square, over σ², is no float32
    untouched = bits(vae)
    with pytest.raises(npvae.NonFiniteError, match=r"log p\(x\|z\) is not finite at epoch 1") as e:
        run(vae, x, batch_size=30)
    assert (e.value.epoch, e.value.step, e.value.quantity) == (1, 1, "log p(x|z)")
    assert bits(vae) == untouched


def test_a_kl_that_overflows_is_named():
    vae = make()
    vae.params.encoder[-1].b[:] = 100  # e^100 is no float32
    with pytest.raises(npvae.NonFiniteError, match=r"(kl|log p\(x\|z\)) is not finite"):
        run(vae, patterns(10))


def test_a_gradient_that_overflows_is_named(steps, monkeypatch):
    def broken(dbound, vae, *args, out):
        grads = npvae.elbo_backward(dbound, vae, *args, out=out)
        if len(steps) == 2:
            grads.decoder[0].b[2] = np.nan
        return grads

    monkeypatch.setattr(npvae.training.step, "elbo_backward", broken)
    vae = make()
    with pytest.raises(npvae.NonFiniteError, match=r"gradient of decoder/0/b .* epoch 1, step 3"):
        run(vae, patterns(50), batch_size=10)
    assert bits(vae) == steps[-1].bits


@pytest.mark.parametrize("optimizer", [npvae.SGD(1e38), npvae.Adam(1e39), npvae.Adagrad(1e39)])
def test_a_step_that_overflows_is_taken_back(steps, optimizer):
    vae = make()
    before = [bits(vae)]
    with pytest.raises(npvae.NonFiniteError):
        run(vae, patterns(50), batch_size=10, optimizer=optimizer)
    before += [step.bits for step in steps]
    assert bits(vae) == before[-1]
    assert all(np.isfinite(array).all() for array in vae.params.arrays().values())


@pytest.mark.parametrize(
    "optimizer", [npvae.SGD(0.01, momentum=0.9), npvae.Adam(), npvae.Adagrad()]
)
def test_a_step_that_is_taken_back_is_no_step_for_the_optimizer(optimizer):
    vae = make()
    run(vae, patterns(50), batch_size=10, optimizer=optimizer)
    kept = {name: a.copy() for name, a in optimizer.memory(vae.params.rows).items()}
    grads = vae.params.empty_like()
    for row in grads.rows:
        row[...] = 1
    optimizer.learning_rate = 1e39
    with pytest.raises(npvae.training.loop.NonFinite), np.errstate(over="ignore"):
        npvae.training.step.update(optimizer, vae.params, grads)
    found = optimizer.memory(vae.params.rows)
    assert found.keys() == kept.keys()
    for name, array in kept.items():
        np.testing.assert_array_equal(found[name], array)


class Faulty:
    """Descends twice, then overflows in one array after it has changed another."""

    learning_rate = 1e7
    updates = 0

    def update(self, params, grads):
        self.updates += 1
        params = list(params)
        for w, dw in zip(params, grads, strict=True):
            w -= np.float32(1e-3) * dw
        if self.updates == 3:
            params[1][-10] = np.inf


def test_a_third_step_that_overflows_leaves_the_second(steps):
    vae = make()
    with pytest.raises(npvae.NonFiniteError, match=r"decoder/1/b is not finite at epoch 1, step 3"):
        run(vae, patterns(50), batch_size=10, optimizer=Faulty())
    assert len(steps) == 2
    assert bits(vae) == steps[-1].bits


class Wild(npvae.Adam):
    """An optimizer that takes every parameter out of range."""

    def update(self, params, grads):
        for w in params:
            w[...] = np.inf


def test_a_subclass_may_do_anything_and_is_undone():
    vae = make()
    before = bits(vae)
    noise = np.random.default_rng(0).standard_normal((1, 10, 3), np.float32)
    with pytest.raises(npvae.training.loop.NonFinite):
        descend(vae, Wild(), patterns(10), noise, npvae.ClosedForm())
    assert bits(vae) == before


def test_a_run_that_explodes_ends_with_finite_parameters():
    vae = make(npvae.Gaussian(0.1), activation="relu")
    with pytest.raises(npvae.NonFiniteError):
        run(vae, patterns(100), batch_size=10, epochs=50, optimizer=npvae.SGD(10.0))
    assert all(np.isfinite(array).all() for array in vae.params.arrays().values())


@collapse_is_not_the_matter
@constant_on_purpose
@pytest.mark.filterwarnings("ignore::npvae.EntropyWarning")
def test_grey_targets_are_told_once_with_their_entropy():
    x = np.full((40, 12), 0.3, np.float32)
    entropy = -12 * (0.3 * np.log(0.3) + 0.7 * np.log(0.7))
    with pytest.warns(npvae.GreyTargetsWarning, match=rf"about {entropy:.1f} nats a row") as told:
        run(make(), x, epochs=3)
    (grey,) = (warning for warning in told if warning.category is npvae.GreyTargetsWarning)
    assert grey.filename == __file__


@collapse_is_not_the_matter
@constant_on_purpose
def test_grey_levels_are_told_too():
    half = np.tile(np.array([0, 255, 51], np.uint8), (40, 4))
    entropy = -4 * (0.2 * np.log(0.2) + 0.8 * np.log(0.8))
    expected = rf"33 % of the targets .*about {entropy:.1f} nats a row"
    with pytest.warns(npvae.GreyTargetsWarning, match=expected):
        run(make(), half, epochs=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", npvae.GreyTargetsWarning)
        run(make(), half // 255 * 255, epochs=1)
        run(make(npvae.Gaussian(0.5)), half, epochs=1)


@collapse_is_not_the_matter
@constant_on_purpose
def test_no_word_of_grey_where_there_is_none():
    x = np.full((40, 12), 0.3, np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error", npvae.GreyTargetsWarning)
        run(make(), patterns(40))
        run(make(), x, binarize=True)
        run(make(npvae.Gaussian(0.5)), x)


def test_collapse_is_told_once_where_it_is_seen():
    x = np.ones((40, 12), np.float32)
    x[0, 0] = 0  # next to nothing to tell rows apart by
    expected = r"no latent unit is active.* beta = 2 too large.* \(after epoch 3\)"
    with pytest.warns(npvae.CollapseWarning, match=expected) as told:
        run(make(), x, epochs=3, objective=npvae.ClosedForm(2))
    assert [warning.filename for warning in told] == [__file__]


def test_a_loop_that_was_forgotten_is_told():
    choices = {"epochs": 1, "optimizer": npvae.Adam(), "rng": np.random.default_rng(0)}
    with pytest.warns(UserWarning, match="train.* was never iterated: nothing was trained") as told:
        npvae.train(make(), patterns(20), **choices)
    assert [warning.filename for warning in told] == [__file__]


@collapse_is_not_the_matter
def test_a_loop_that_was_begun_may_end_anywhere():
    choices = {"epochs": 3, "optimizer": npvae.SGD(1e-3), "rng": np.random.default_rng(0)}
    epochs = npvae.train(make(), patterns(20), **choices)
    next(epochs)
    epochs.close()
    assert next(epochs, None) is None
    choices["optimizer"] = npvae.SGD(1e-3)
    for _ in npvae.train(make(), patterns(20), **choices):
        break
    gc.collect()  # a warning would be an error


def test_validation_beyond_the_range_stops_the_training():
    vae, x = make(npvae.Gaussian(1.0)), patterns(50)
    x_val = np.full((1, 12), 1e30)
    choices = {"epochs": 1, "optimizer": npvae.Adam(), "rng": np.random.default_rng(0)}
    with pytest.raises(FloatingPointError, match="of row 0 is not finite"):
        list(npvae.train(vae, x, x_val=x_val, **choices))


@pytest.mark.parametrize(
    ("choices", "error", "message"),
    [
        ({"epochs": 0}, ValueError, "epochs is 0; expected an integer >= 1"),
        ({"epochs": 2.0}, TypeError, "epochs is 2.0"),
        ({"batch_size": 0}, ValueError, "batch_size is 0"),
        ({"batch_size": -5}, ValueError, "batch_size is -5"),
        ({"objective": 2.0}, TypeError, "objective is 2.0; expected one such as npvae.Closed"),
        ({"objective": npvae.Sampled}, TypeError, r"objective is <class .*; expected one such as"),
        ({"objective": lambda step: 1}, TypeError, r"objective\(0\) is 1; expected one such as"),
        ({"binarize": "dynamic"}, TypeError, "binarize is 'dynamic'; expected True or False"),
        ({"optimizer": "adam"}, TypeError, "optimizer is 'adam'; expected one such as"),
        ({"optimizer": npvae.Adam}, TypeError, "optimizer is <class"),
        ({"rng": np.random.RandomState(0)}, TypeError, "expected a numpy.random.Generator"),
        ({"x": np.zeros((10, 7))}, ValueError, r"x has shape \(10, 7\); expected \(N, D\)"),
        ({"x": np.zeros((0, 12))}, ValueError, "x has no rows"),
        ({"x": np.full((4, 12), 7)}, ValueError, r"x spans \[7, 7\]"),
        ({"x": np.eye(12, dtype=np.uint8)}, ValueError, "x is uint8 and its largest entry is 1"),
        ({"x_val": np.eye(12, dtype=np.uint8)}, ValueError, "x_val is uint8 and its largest"),
        ({"progress": 1}, TypeError, "progress is 1; expected True or False"),
        ({"x_val": np.zeros((10, 7))}, ValueError, "x_val has shape"),
        ({"x_val": np.full((4, 12), np.nan)}, ValueError, r"x_val\[0, 0\] is nan"),
    ],
)
def test_bad_input_is_refused_before_any_work(choices, error, message):
    arguments = {
        "x": patterns(10),
        "epochs": 1,
        "optimizer": npvae.Adam(),
        "rng": np.random.default_rng(0),
    } | choices
    with pytest.raises(error, match=message):
        npvae.train(make(), arguments.pop("x"), **arguments)  # no next(): it fails at once


def test_targets_to_binarise_must_be_probabilities():
    with pytest.raises(ValueError, match="x, to be binarised, spans"):
        run(make(npvae.Gaussian(1.0)), np.full((4, 12), 2.0), binarize=True)
    with pytest.raises(ValueError, match="x_val, to be binarised, spans"):
        run(make(npvae.Gaussian(1.0)), patterns(4), x_val=np.full((4, 12), 2.0), binarize=True)


def test_a_beta_that_turns_bad_is_named():
    with pytest.raises(ValueError, match=r"beta is -1"):
        run(make(), patterns(10), epochs=3, objective=lambda step: npvae.ClosedForm(1 - 2 * step))


def test_the_error_survives_a_process_boundary():
    error = npvae.NonFiniteError("kl", 2, 7)
    back = pickle.loads(pickle.dumps(error))
    assert (back.quantity, back.epoch, back.step) == ("kl", 2, 7)
    assert str(back) == str(error)
    assert "kl is not finite at epoch 2, step 7" in str(error)


def test_the_streams_are_taken_at_the_call():
    """What else is drawn from rng before the first epoch is run must not matter."""
    results = []
    for spawn_between in (False, True):
        vae, rng = make(), np.random.default_rng(3)
        run = npvae.train(vae, patterns(40), epochs=1, optimizer=npvae.Adam(1e-2), rng=rng)
        if spawn_between:
            rng.spawn(2)
        list(run)
        results.append(bits(vae))
    assert results[0] == results[1]


def test_an_optimizer_without_a_learning_rate_is_refused():
    class Own:
        def update(self, params, grads):
            raise AssertionError("it must not come to this")

    with pytest.raises(TypeError, match=r"optimizer is .*Own.*expected one such as"):
        npvae.train(make(), patterns(10), epochs=1, optimizer=Own(), rng=np.random.default_rng(0))
