"""What each rank runs in tests/test_distributed.py: a function here, by name, with a folder."""

import functools
import json
import os
import signal
import sys
import time
import warnings
import zlib
from pathlib import Path

import numpy as np

import npvae
from npvae import distributed
from npvae.distributed import Ranks
from npvae.training.checkpoint import Checkpoint
from npvae.training.ranks import ALONE

ROWS, WIDTH = 250, 30


def model(dtype, likelihood=None):
    return npvae.VAE.init(
        WIDTH,
        hidden=(20,),
        latent_dim=3,
        likelihood=likelihood or npvae.Bernoulli(),
        rng=np.random.default_rng(1),
        dtype=dtype,
    )


def images():
    return np.random.default_rng(0).random((ROWS, WIDTH))


def run(vae, ranks, *, epochs, dtype=np.float64, batch_size=31, optimizer=None, **choices):
    """250 rows in batches of 31: the last one has two rows, fewer than three ranks."""
    choices = {"binarize": True, "batch_size": batch_size, "epochs": epochs} | choices
    optimizer = optimizer or npvae.Adam(3e-3)
    rng = np.random.default_rng(5)
    data = images().astype(dtype)
    return npvae.train(vae, data, optimizer=optimizer, rng=rng, ranks=ranks, **choices)


class Recorder:
    """An optimizer that keeps the first gradient it is given, and takes no step."""

    learning_rate = 1.0
    seen = None

    def update(self, params, grads):
        self.seen = self.seen or [grad.copy() for grad in grads]


def gradients(ranks, folder, dtype):
    recorder, vae = Recorder(), model(dtype)
    objective = npvae.ImportanceWeighted(3)
    choices = {"optimizer": recorder, "objective": objective, "dtype": dtype}
    next(run(vae, ranks, epochs=1, **choices))
    if ranks.first:
        np.savez(folder / f"gradients-{dtype.__name__}.npz", *recorder.seen)


def trajectory(ranks, folder):
    """Rank 1 begins elsewhere, and draws otherwise: the first one's are everyone's."""
    for dtype in (np.float32, np.float64):
        gradients(ranks, folder, dtype)
    vae = model(np.float64)
    if not ranks.first:
        vae.params.rows[0][...] = 7
    validated = {"x_val": images()[:40], "stop_when": npvae.Patience(3), "keep_best": True}
    epochs = list(run(vae, ranks, epochs=12, **validated))
    told = [[e.elbo, e.kl, e.bound, e.active_units, e.validation.elbo] for e in epochs]
    if ranks.first:
        np.savez(folder / "end.npz", *vae.params.rows, told=np.array(told))


def followed(ranks, folder):
    """A width that no gradient moves, but each whole batch."""
    width = npvae.Standardized.of(images(), npvae.LearnedGaussian(optimal=True))
    vae = model(np.float64, width)
    list(run(vae, ranks, epochs=3, binarize=False))
    if ranks.first:
        np.savez(folder / "followed.npz", *vae.params.rows)


def same_bits(ranks, folder):
    """550 steps and more, in float32, each rank's own view of the parameters."""
    vae = model(np.float32)
    list(run(vae, ranks, epochs=62, dtype=np.float32))
    own = [zlib.crc32(row) for row in vae.params.rows]
    (folder / f"rank-{ranks.rank}.json").write_text(json.dumps(own))


def cut(ranks, folder, epochs, *, kill=False, resume=False):
    """Six epochs with a checkpoint each; of them three, or with rank 1 killed in the fourth."""
    file = folder / "run.npz"
    choices = {"checkpoint": file} | ({"resume": file} if resume else {})
    vae = model(np.float64)
    for epoch in run(vae, ranks, epochs=epochs, **choices):
        if kill and epoch.epoch == 3 and not ranks.first:
            os.kill(os.getpid(), signal.SIGKILL)
    if ranks.first:
        np.savez(folder / "end.npz", *vae.params.rows)


killed = functools.partial(cut, epochs=6, kill=True)
uncut = functools.partial(cut, epochs=6)
resumed = functools.partial(cut, epochs=6, resume=True)


def changed(ranks, folder):
    """Somebody else writes to one rank's parameters."""
    vae = model(np.float64)
    for _ in run(vae, ranks, epochs=100):
        if not ranks.first:
            vae.params.rows[0][0, 3] += 1e-12


def told_to_end(ranks, folder, *, whom=(0, 1)):
    """SIGTERM in the fourth epoch's fourth step."""

    def rate(step):
        if step == 30 and ranks.rank in whom:
            os.kill(os.getpid(), signal.SIGTERM)
        return 3e-3

    list(run(model(np.float64), ranks, epochs=6, checkpoint=folder / "run.npz", learning_rate=rate))


def one_told_to_end(ranks, folder):
    distributed.RESCUE = 0.1
    told_to_end(ranks, folder, whom=(1,))


def slowly_not_finite(ranks, folder):
    """All ranks meet a number that is not finite in the fourth epoch's fourth step."""
    rescue = Checkpoint.rescue

    def slow(*args):
        time.sleep(2)  # the first one writes longer than a word needs to be heard
        return rescue(*args)

    Checkpoint.rescue = slow
    rates = {"learning_rate": lambda step: 3e-3 if step < 30 else 1e12}
    list(run(model(np.float64), ranks, epochs=6, checkpoint=folder / "run.npz", **rates))


def left(ranks, folder):
    """The last one has seen enough after two epochs."""
    vae, seen = model(np.float64), 0
    for epoch in run(vae, ranks, epochs=100):
        seen = epoch.epoch
        if seen == 2 and ranks.rank == ranks.size - 1:
            break
    list(run(vae, ranks, epochs=1))
    (folder / f"rank-{ranks.rank}.json").write_text(json.dumps(seen))


def otherwise(ranks, folder):
    """Each rank with a batch of its own, and then with rows, a rate and a weight of its own."""
    for choices in (
        {"batch_size": 30 + ranks.rank},
        {"x_val": images()[: 9 + ranks.rank]},
        {"optimizer": npvae.Adam(1 + ranks.rank)},
        {"objective": npvae.ClosedForm(beta=1 + ranks.rank)},
    ):
        try:
            run(model(np.float64), ranks, epochs=1, **choices)
        except ValueError as error:
            print(error)


def before(ranks, folder):
    """What one rank cannot do before it trains."""
    with ranks.together():
        if not ranks.first:
            raise FileNotFoundError("one rank has no data")
        run(model(np.float64), ranks, epochs=1)


def raising(ranks, folder):
    """An exception in one rank's own loop, while the others go on."""
    for epoch in run(model(np.float64), ranks, epochs=1000):
        if not ranks.first and epoch.epoch == 2:
            raise OSError("the disk of one rank is full")


def refused(ranks, folder):
    free = npvae.FreeBits(0.1)
    try:
        run(model(np.float64), ranks, epochs=1, objective=free)
    except ValueError as error:
        print(error)
    freed = [npvae.ClosedForm()] * 5 + [free]
    list(run(model(np.float64), ranks, epochs=1, objective=lambda step: freed[step]))


def main(name, folder):
    ranks = ALONE if name.startswith("alone-") else Ranks()
    globals()[name.removeprefix("alone-")](ranks, Path(folder))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(*sys.argv[1:])
