"""A run that is cut and goes on: the models, the ways, and what is the same as in one uncut."""

import os
import signal
import warnings
from pathlib import Path

import numpy as np

import npvae

ROWS, BATCH, EPOCHS = 230, 20, 4
STEPS = -(-ROWS // BATCH) * EPOCHS
MODELS = "bernoulli", "learned_gaussian", "importance_weighted"
RATE = npvae.schedules.Cosine(1e-2, STEPS, warm_up=5)
RISE = npvae.schedules.WarmUp(1.0, STEPS // 2)
WAYS = "exception", "SIGINT", "SIGTERM", "SIGKILL"


def whole(model, **choices):
    """A run to its end.  -> every parameter's bits, and what was told of each epoch"""
    vae, epochs = train(model, **choices)
    return b"".join(row.tobytes() for row in vae.params.rows), [told(epoch) for epoch in epochs]


def told(epoch):
    """An epoch's numbers, without what a clock says."""
    numbers = [epoch.epoch, epoch.bound, *epoch.kl_per_dim, repr(epoch.objective)]
    return [*numbers, epoch.validation.elbo, epoch.validation.standard_error]


def train(model, seed=3, bits=np.random.PCG64, flipped=False, hidden=(8,), **changes):
    """-> the model and its epochs, with a schedule, a warm-up, the best kept."""
    draw, rng = np.random.default_rng(1), np.random.Generator(bits(seed))
    x = draw.random((ROWS, 12), np.float32)  # grey: what is drawn of it depends on the stream
    x[0, 0] = abs(x[0, 0] - flipped)
    likelihood = npvae.LearnedGaussian() if model == "learned_gaussian" else npvae.Bernoulli()
    vae = npvae.VAE.init(12, hidden=hidden, latent_dim=2, likelihood=likelihood, rng=rng)
    optimizer = (
        npvae.SGD(1e-3, momentum=0.9) if model == "learned_gaussian" else npvae.Adam(max_norm=20.0)
    )
    choices = {
        "optimizer": optimizer,
        "batch_size": BATCH,
        "binarize": model == "bernoulli",
        "objective": objective(model),
        "x_val": x[::3],
        "learning_rate": RATE,
        "keep_best": True,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", npvae.DiagnosisWarning)
        epochs = npvae.train(vae, x, epochs=EPOCHS, rng=rng, **choices | changes)
        return vae, list(epochs)


def objective(model):
    """A function of the step."""
    if model == "importance_weighted":
        return lambda step: npvae.ImportanceWeighted(3)
    return lambda step: npvae.ClosedForm(beta=RISE(step))


class Cut:
    """A schedule that at one step cuts the run, in one of the WAYS."""

    def __init__(self, way, at):
        self.way, self.at = way, at

    def __call__(self, step):
        if step == self.at:
            if self.way == "exception":
                raise RuntimeError("cut")
            os.kill(os.getpid(), getattr(signal, self.way))
        return RATE(step)


def begin(model, path, way, at, every, **changes):
    """A run that is cut.  -> what it raised"""
    try:
        train(model, learning_rate=Cut(way, at), checkpoint=path, every=every, **changes)
    except (RuntimeError, KeyboardInterrupt, SystemExit) as error:
        return error


def go_on(model, path, **changes):
    """-> bits and epochs, all of them, of the run at path; a new one where nothing was written"""
    before = []
    if Path(path).exists():
        before = [told(epoch) for epoch in npvae.past_epochs(path, objective(model))]
        changes["resume"] = path
    bits, after = whole(model, checkpoint=path, **changes)
    return bits, before + after
