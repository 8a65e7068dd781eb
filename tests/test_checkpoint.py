"""A run that was cut and goes on has the bits of one that was not; what a checkpoint refuses."""

import multiprocessing
import signal

import pytest

import npvae
from cutting import BATCH, MODELS, ROWS, STEPS, Cut, begin, go_on, train, whole

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
