"""A step is whole or not at all, whenever Ctrl-C comes."""

import signal
import threading

import numpy as np
import pytest

import npvae
from npvae._signals import terminable, whole_blocks


@pytest.fixture(autouse=True)
def pythons_own_handler():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_block_ends_before_it_is_interrupted():
    done = []

    def block():
        with whole_blocks() as whole, whole:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            done.append("all of it")

    with pytest.raises(KeyboardInterrupt):
        block()
    assert done == ["all of it"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_between_two_blocks_it_is_interrupted_at_once():
    done = []

    def blocks():
        with whole_blocks() as whole:
            with whole:
                done.append("a block")
            whole.end()
            signal.raise_signal(signal.SIGINT)
            done.append("more")

    with pytest.raises(KeyboardInterrupt):
        blocks()
    assert done == ["a block"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_follows_a_block_belongs_to_it_until_its_end():
    done = []

    def blocks():
        with whole_blocks() as whole:
            with whole:
                signal.raise_signal(signal.SIGINT)
            done.append("what follows")
            whole.end()
            done.append("more")

    with pytest.raises(KeyboardInterrupt):
        blocks()
    assert done == ["what follows"]


def test_an_end_without_a_word_becomes_an_exit_if_asked():
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        with pytest.raises(SystemExit) as stopped, terminable(), whole_blocks():
            signal.raise_signal(signal.SIGTERM)
        assert stopped.value.code == 128 + signal.SIGTERM
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        with whole_blocks():
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)


def test_an_error_inside_is_not_lost():
    with pytest.raises(ZeroDivisionError), whole_blocks() as whole, whole:
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_another_thread_needs_no_protection():
    told = []

    def run():
        with whole_blocks() as whole, whole:
            told.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert told == [signal.default_int_handler]


class Interrupted(npvae.Adam):
    """Ctrl-C comes when the weights were changed, and the biases were not."""

    def update(self, params, grads):
        super().update(params, self.broken(grads))

    def broken(self, grads):
        yield grads[0]
        signal.raise_signal(signal.SIGINT)
        yield grads[1]


class InTheMiddle(npvae.SGD):
    def update(self, params, grads):
        params[0][...] -= self.learning_rate * grads[0]
        signal.raise_signal(signal.SIGINT)
        params[1][...] -= self.learning_rate * grads[1]


@pytest.mark.parametrize("optimizer", [Interrupted(0.1), InTheMiddle(0.1)], ids=["Adam", "SGD"])
def test_a_step_is_whole_when_ctrl_c_comes(optimizer):
    rng = np.random.default_rng(0)
    x = rng.random((20, 6), np.float32)
    vae = npvae.VAE.init(6, hidden=(4,), latent_dim=2, likelihood=npvae.Gaussian(1.0), rng=rng)
    before = [row.copy() for row in vae.params.rows]
    with pytest.raises(KeyboardInterrupt):
        list(npvae.train(vae, x, epochs=1, batch_size=20, optimizer=optimizer, rng=rng))
    for row, was in zip(vae.params.rows, before, strict=True):
        assert not np.array_equal(row, was)


class Faulty:
    """A user's optimizer that stops, or leaves NaN, when it has changed the weights."""

    learning_rate = 0.1

    def __init__(self, error):
        self.error = error

    def update(self, params, grads):
        params[0][...] = np.nan if self.error is None else 0
        if self.error:
            raise self.error


@pytest.mark.parametrize("error", [None, RuntimeError("mine")])
def test_after_a_step_that_failed_the_parameters_are_those_before_it(error):
    rng = np.random.default_rng(0)
    x = rng.random((20, 6), np.float32)
    vae = npvae.VAE.init(6, hidden=(4,), latent_dim=2, likelihood=npvae.Gaussian(1.0), rng=rng)
    before = [row.copy() for row in vae.params.rows]
    with pytest.raises(type(error) if error else npvae.NonFiniteError):
        list(npvae.train(vae, x, epochs=1, optimizer=Faulty(error), rng=rng))
    for row, was in zip(vae.params.rows, before, strict=True):
        np.testing.assert_array_equal(row, was)
