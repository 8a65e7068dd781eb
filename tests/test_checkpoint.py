"""A run that was cut and goes on has the bits of one that was not; what a checkpoint refuses."""

import errno
import json
import multiprocessing
import os
import signal

import numpy as np
import pytest

import npvae
from cutting import BATCH, MODELS, ROWS, STEPS, Cut, begin, go_on, train, whole
from npvae.training.checkpoint import checksums

AN_EPOCH = -(-ROWS // BATCH)
PLACES = 0, 1, AN_EPOCH - 1, AN_EPOCH, AN_EPOCH + 5, STEPS - 1


@pytest.fixture(scope="module", params=MODELS)
def uncut(request):
    return request.param, whole(request.param)


@pytest.fixture(autouse=True)
def pythons_own_handlers():
    handlers = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("way", "raised"),
    [("exception", RuntimeError), ("SIGINT", KeyboardInterrupt), ("SIGTERM", SystemExit)],
)
def test_a_cut_anywhere_leaves_no_trace(uncut, way, raised, tmp_path):
    model, expected = uncut
    for at in PLACES:
        path = tmp_path / f"{at}.npz"
        assert type(begin(model, path, way, at, every=None)) is raised
        assert go_on(model, path) == expected


def test_what_was_cut_may_be_cut_again(uncut, tmp_path):
    model, expected = uncut
    path = tmp_path / "run.npz"
    begin(model, path, "SIGINT", 3, every=None)
    for at in (4, AN_EPOCH + 2, AN_EPOCH + 2, STEPS - 3):
        with pytest.raises(RuntimeError, match="cut"):
            train(model, learning_rate=Cut("exception", at), checkpoint=path, resume=path)
    assert go_on(model, path) == expected


def test_a_process_that_is_killed_leaves_the_last_file(uncut, tmp_path):
    """kill −9 leaves no time to write: `every` step's file is what there is."""
    model, expected = uncut
    path = tmp_path / "run.npz"
    process = multiprocessing.get_context("spawn").Process(
        target=begin, args=(model, path, "SIGKILL", AN_EPOCH + 3), kwargs={"every": 1e-9}
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert len(npvae.past_epochs(path)) == 1
    assert go_on(model, path) == expected


def test_a_seed_again_and_another_generator_both_lead_on(tmp_path):
    """Streams come from the file, not from the rng that is given."""
    expected, path = whole("bernoulli"), tmp_path / "run.npz"
    begin("bernoulli", path, "exception", AN_EPOCH + 4, every=None)
    assert go_on("bernoulli", path, seed=99) == expected
    with pytest.raises(ValueError, match="stream 'validation' is not of this rng's kind"):
        train("bernoulli", resume=path, bits=np.random.MT19937)


@pytest.mark.parametrize("bits", [np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_every_kind_of_generator_goes_on(bits, tmp_path):
    expected, path = whole("bernoulli", bits=bits), tmp_path / "run.npz"
    begin("bernoulli", path, "exception", AN_EPOCH + 4, every=None, bits=bits)
    assert go_on("bernoulli", path, bits=bits) == expected


def test_a_finished_run_has_nothing_left_and_the_parameters_of_its_best(tmp_path):
    vae, epochs = train("bernoulli", checkpoint=tmp_path / "run.npz")
    best = max(range(len(epochs)), key=lambda i: epochs[i].validation.elbo)
    again, left = train("bernoulli", resume=tmp_path / "run.npz")
    assert left == []
    np.testing.assert_array_equal(again.params.rows[0], vae.params.rows[0])
    last = npvae.VAE.load(tmp_path / "run.npz")
    assert (last.params.rows[0] == vae.params.rows[0]).all() == (best == len(epochs) - 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"model": "learned_gaussian"},
            "a model with likelihood Bernoulli; .* has LearnedGaussian",
        ),
        ({"batch_size": 30}, "a run with batch_size 20; this one has 30"),
        ({"optimizer": npvae.SGD(0.1)}, "a run with optimizer Adam; this one has SGD"),
        ({"x_val": None, "keep_best": False}, r"a run with validation \d+; this one has None"),
        ({"flipped": True}, r"a run with data \d+; this one has \d+"),
        ({"hidden": (9,)}, r"a model with hidden \[8\]; this one has \[9\]"),
    ],
)
def test_another_run_is_refused_and_nothing_changes(changes, message, tmp_path):
    path = tmp_path / "run.npz"
    begin("bernoulli", path, "exception", AN_EPOCH + 4, every=None)
    with pytest.raises(ValueError, match=message):
        train(**({"model": "bernoulli", "resume": path} | changes))


@pytest.mark.parametrize("row", [0, 50_000, 90_000])
def test_a_checksum_looks_everywhere(row):
    x = np.zeros((100_000, 1), np.float32)
    changed = x.copy()
    changed[row : row + 10] = 1
    assert checksums(changed, None) != checksums(x, None)


def test_what_is_no_run_is_refused(tmp_path):
    vae, _ = train("bernoulli")
    vae.save(tmp_path / "vae.npz")
    with pytest.raises(ValueError, match="holds no run that could go on"):
        train("bernoulli", resume=tmp_path / "vae.npz")
    with pytest.raises(ValueError, match="holds no run"):
        npvae.past_epochs(tmp_path / "vae.npz")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        train("bernoulli", resume=tmp_path / "none.npz")


@pytest.mark.parametrize(
    ("entries", "seconds", "message"),
    [
        ({"batch_size": 0}, 1.0, "damaged header: .* rows in batches of 0"),
        ({"rows": 0}, 1.0, "damaged header: 0 rows"),
        ({"rows": 10**400}, 1.0, "damaged header: 1000"),
        ({"batch_size": "20"}, 1.0, "damaged header: entries of other types"),
        ({}, 0.0, "says of an epoch that it took no time"),
        ({}, -1.0, "says of an epoch that it took no time"),
    ],
)
def test_a_run_that_cannot_be_is_refused_and_divides_by_nothing(
    tmp_path, entries, seconds, message
):
    path = tmp_path / "run.npz"
    begin("bernoulli", path, "exception", AN_EPOCH + 4, every=None)
    with np.load(path) as file:
        arrays = dict(file)
    header = json.loads(str(arrays["header"]))
    header["run"] |= entries
    arrays["header"] = np.array(json.dumps(header))
    arrays["run/past/seconds"] = np.full_like(arrays["run/past/seconds"], seconds)
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=message):
        npvae.past_epochs(path)
    with pytest.raises(ValueError, match=r"holds a run with|took no time"):
        train("bernoulli", resume=path)


def test_a_place_that_cannot_be_written_is_told_before_any_work(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        train("bernoulli", checkpoint=tmp_path / "none" / "run.npz")
    with pytest.raises(IsADirectoryError):
        train("bernoulli", checkpoint=tmp_path)
    with pytest.raises(ValueError, match="every is 60 without a checkpoint"):
        train("bernoulli", every=60)
    with pytest.raises(ValueError, match="every is 0"):
        train("bernoulli", checkpoint=tmp_path / "run.npz", every=0)
    with pytest.raises(TypeError, match="lacks memory and recall"):
        train("bernoulli", checkpoint=tmp_path / "run.npz", optimizer=Still())


class Still:
    """An optimizer that remembers nothing, and could not say so."""

    learning_rate = 1.0

    def update(self, params, grads):
        pass


def test_a_full_disk_leaves_the_file_before_and_says_so(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    begin("bernoulli", path, "exception", AN_EPOCH + 4, every=None)
    before = path.read_bytes()

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("numpy.savez", full)
    with pytest.raises(OSError, match=r"cannot save to .*run\.npz: .*No space left on device"):
        train("bernoulli", checkpoint=path, resume=path)
    with pytest.raises(OSError, match=r"cannot save to .*No space left on device"):
        train("bernoulli", checkpoint=path, every=1e-9)
    assert path.read_bytes() == before
    with pytest.warns(UserWarning, match="an older checkpoint stays as it was"):
        begin("bernoulli", path, "exception", 2, every=None)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["run.npz"]


def test_a_run_that_explodes_keeps_what_it_had(tmp_path):
    """Its bound is not finite at some step: the file goes on from the step before."""
    path = tmp_path / "run.npz"

    def too_large(step):
        return 1e-2 if step < AN_EPOCH + 4 else 1e12

    with pytest.raises(npvae.NonFiniteError):
        train("bernoulli", checkpoint=path, learning_rate=too_large)
    assert len(npvae.past_epochs(path)) == 1
    assert all(np.isfinite(row).all() for row in npvae.VAE.load(path).params.rows)


def test_patience_stops_a_run_and_stays_stopped(tmp_path):
    path = tmp_path / "run.npz"

    def worse(step):
        return 1e-2 if step < AN_EPOCH else 1e-9

    stop = npvae.Patience(1)
    _, epochs = train("bernoulli", stop_when=stop, checkpoint=path, learning_rate=worse)
    elbos = [epoch.validation.elbo for epoch in epochs]
    assert len(epochs) < 4 or elbos.index(max(elbos)) == 2
    assert stop(epochs) or len(epochs) == 4
    assert all(not stop(epochs[:n]) for n in range(1, len(epochs)))
    assert train("bernoulli", stop_when=stop, resume=path, learning_rate=worse)[1] == []


def test_a_row_has_every_number_by_a_name_of_its_own():
    _, epochs = train("bernoulli")
    rows = [epoch.to_row() for epoch in epochs]
    assert all(row.keys() == rows[0].keys() for row in rows)
    assert rows[1]["elbo"] == epochs[1].elbo
    assert rows[1]["kl_1"] == epochs[1].kl_per_dim[1]
    assert rows[1]["validation_elbo"] == epochs[1].validation.elbo
    assert rows[1]["validation_active_units"] == epochs[1].validation.active_units
    assert rows[1]["objective"] == repr(epochs[1].objective)
    assert not any(isinstance(value, np.ndarray) for value in rows[0].values())


@pytest.mark.parametrize(
    ("choices", "error", "message"),
    [
        ({"keep_best": 1}, TypeError, "keep_best is 1"),
        ({"learning_rate": 0.1}, TypeError, "learning_rate is 0.1; expected a function"),
        ({"stop_when": 5}, TypeError, "stop_when is 5; expected a function"),
        ({"x_val": None}, ValueError, "keep_best goes by the validation"),
        (
            {"x_val": None, "keep_best": False, "stop_when": npvae.Patience(2)},
            ValueError,
            "Patience goes by the validation",
        ),
    ],
)
def test_bad_ways_to_end_are_refused(choices, error, message):
    with pytest.raises(error, match=message):
        train("bernoulli", **choices)
