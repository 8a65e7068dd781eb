"""A run that is cut and goes on: the models, the ways, and what is the same as in one uncut."""

import os
import signal
import warnings
from pathlib import Path

import numpy as np

ROWS, BATCH, EPOCHS = 230, 20, 4
STEPS = -(-ROWS // BATCH) * EPOCHS
MODELS = "bernoulli", "learned_gaussian", "importance_weighted"
WAYS = "exception", "SIGINT", "SIGTERM", "SIGKILL"


def whole(model, **choices):
    """A run to its end.  -> every parameter's bits, and what was told of each epoch"""
    vae, epochs = train(model, **choices)
    return b"".join(row.tobytes() for row in vae.params.rows), [told(epoch) for epoch in epochs]


def told(epoch):
    """An epoch's numbers, without what a clock says."""
    numbers = [epoch.epoch, epoch.bound, *epoch.kl_per_dim, repr(epoch.objective)]
    return [*numbers, epoch.validation.elbo, epoch.validation.standard_error]


def train(model, learning_rate=None, **choices):
    """-> the model and its epochs, with a schedule, a warm-up, the best kept."""
    import npvae

    rng = np.random.default_rng(3)
    x = (rng.random((ROWS, 12)) < rng.random(12)).astype(np.float32)
    likelihood = npvae.LearnedGaussian() if model == "learned_gaussian" else npvae.Bernoulli()
    vae = npvae.VAE.init(12, hidden=(8,), latent_dim=2, likelihood=likelihood, rng=rng)
    kinds = {"importance_weighted": lambda epoch: npvae.ImportanceWeighted(3)}
    warm_up = kinds.get(model, lambda epoch: npvae.ClosedForm(beta=min(1, epoch / 3)))
    optimizer = npvae.SGD(1e-3, momentum=0.9) if model == "learned_gaussian" else npvae.Adam()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", npvae.DiagnosisWarning)
        epochs = npvae.train(
            vae,
            x,
            epochs=EPOCHS,
            optimizer=optimizer,
            batch_size=BATCH,
            binarize=model == "bernoulli",
            objective=warm_up,
            x_val=x[::3],
            learning_rate=learning_rate or npvae.schedules.Cosine(1e-2, STEPS, warm_up=5),
            keep_best=True,
            rng=rng,
            **choices,
        )
        return vae, list(epochs)


class Cut:
    """A schedule that at one step cuts the run, in one of the WAYS."""

    def __init__(self, way, at):
        self.way, self.at = way, at

    def __call__(self, step):
        import npvae

        if step == self.at:
            if self.way == "exception":
                raise RuntimeError("cut")
            os.kill(os.getpid(), getattr(signal, self.way))
        return npvae.schedules.Cosine(1e-2, STEPS, warm_up=5)(step)


def begin(model, path, way, at, every):
    """A run that is cut.  -> what it raised"""
    try:
        train(model, learning_rate=Cut(way, at), checkpoint=path, every=every)
    except (RuntimeError, KeyboardInterrupt, SystemExit) as error:
        return error


def go_on(model, path):
    """-> bits and epochs, all of them, of the run at path; a new one where nothing was written"""
    resumed = {"resume": path} if Path(path).exists() else {}
    before = past(model, path) if resumed else []
    bits, after = whole(model, checkpoint=path, **resumed)
    return bits, before + after


def past(model, path):
    import npvae

    kinds = {"importance_weighted": lambda epoch: npvae.ImportanceWeighted(3)}
    warm_up = kinds.get(model, lambda epoch: npvae.ClosedForm(beta=min(1, epoch / 3)))
    return [told(epoch) for epoch in npvae.past_epochs(path, warm_up)]
