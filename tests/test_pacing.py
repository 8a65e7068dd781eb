"""The number of threads follows what the work takes, on machines whose time is simulated."""

import random
from itertools import pairwise

import pytest

from npvae.kernels.pacing import Pace


class Machine:
    """Seconds that a piece of work takes, by the number of threads, at any time."""

    def __init__(self, seconds, threads):
        self.seconds, self.threads, self.limit, self.now = seconds, threads, threads, 0.0
        self.rng = random.Random(0)
        self.done = []  # (when, threads) of each piece
        self.pace = Pace(lambda: self.threads, self.set, lambda: self.now)

    def set(self, threads):
        assert 1 <= threads <= self.limit
        self.threads = threads

    def work(self, seconds):
        """-> pieces done in so many seconds of one loop."""
        start, before = self.now, len(self.done)
        with self.pace as lap:
            while self.now < start + seconds:
                self.done.append((self.now, self.threads))
                self.now += self.seconds(self)[self.threads] * self.rng.uniform(0.9, 1.1)
                lap()
        assert self.threads == self.limit
        return len(self.done) - before


def quiet(machine):
    return {1: 0.0033, 2: 0.0019}


def busy(machine):
    """Another program has one of two cores: now and then, two threads wait for a slice of time."""
    return {1: 0.0018, 2: 0.0007 if machine.rng.random() < 0.6 else 0.005}


def changing(machine):
    return (quiet, busy)[int(machine.now / 20) % 2](machine)


def many(machine):
    return {1: 8e-3, 2: 4.2e-3, 4: 2.3e-3, 8: 2.6e-3, 16: 4e-3, 32: 8e-3}


def tiny(machine):
    return {1: 1e-4, 2: 1.3e-4}


def large(machine):
    return {1: 0.045, 2: 0.025}


def large_and_busy(machine):
    return {1: 0.045, 2: 0.1}


@pytest.mark.parametrize(
    ("seconds", "threads", "best"),
    [(quiet, 2, 2), (busy, 2, 1), (many, 32, 4), (tiny, 2, 1), (large, 2, 2)],
)
def test_the_fastest_number_is_found_and_kept(seconds, threads, best):
    machine = Machine(seconds, threads)
    machine.work(3)  # finds it
    start = machine.now
    machine.work(20)
    used = [n for when, n in machine.done if when > start]
    assert used.count(best) > 0.95 * len(used)
    trials = sum(a == best != b for a, b in pairwise(used))
    assert trials >= 2  # and yet it goes on looking


@pytest.mark.parametrize(
    ("seconds", "threads", "a_piece", "part"),
    [
        (quiet, 2, 0.0019, 0.98),
        (busy, 2, 0.0018, 0.97),
        (tiny, 2, 1e-4, 0.98),
        (large, 2, 0.025, 0.98),
        (large_and_busy, 2, 0.045, 0.97),
    ],
)
def test_little_is_lost_by_looking(seconds, threads, a_piece, part):
    assert Machine(seconds, threads).work(20) > part * 20 / a_piece


def test_it_changes_its_mind_when_the_machine_changes():
    machine = Machine(changing, 2)
    pieces = machine.work(80)
    assert pieces > 0.95 * (40 / 0.0019 + 40 / 0.0018)


def test_what_one_loop_found_the_next_begins_with():
    machine = Machine(busy, 2)
    for _ in range(20):
        machine.work(0.1)
    before = len(machine.done)
    machine.work(0.1)
    assert {n for _, n in machine.done[before : before + 5]} == {1}


def test_with_one_thread_there_is_nothing_to_choose():
    machine = Machine(lambda machine: {1: 0.001}, 1)
    assert machine.work(1) == pytest.approx(1000, rel=0.05)
    assert {n for _, n in machine.done} == {1}


def test_a_lower_limit_is_kept_to():
    machine = Machine(many, 32)
    machine.work(3)
    machine.threads = machine.limit = 2
    machine.work(1)
    assert {n for when, n in machine.done if when > 3.1} <= {1, 2}


def stop_in(machine):
    with machine.pace:
        assert machine.threads == 1
        raise KeyboardInterrupt


def test_the_number_of_before_returns_with_an_error():
    machine = Machine(busy, 2)
    machine.work(2)
    with pytest.raises(KeyboardInterrupt):
        stop_in(machine)
    assert machine.threads == 2


def test_a_block_within_a_block_leaves_the_outer_ones_number():
    machine = Machine(busy, 2)
    machine.work(2)
    with machine.pace:
        assert machine.threads == 1
        with machine.pace:
            pass
        assert machine.threads == 1
    assert machine.threads == 2
