"""One step: the forward pass, the backward pass, and what an optimizer makes of the gradient."""

import contextlib
import math

import numpy as np

from .. import kernels
from ..elbo import elbo, elbo_backward
from ..optimizers import SGD, Adagrad, Adam, Resumable
from .loop import NonFinite
from .ranks import ALONE

LARGE_STEP = 1e6
ANYWHERE = contextlib.nullcontext()


def descend(
    vae,
    optimizer,
    x,
    noise,
    objective,
    grads=None,
    share=1.0,
    whole=ANYWHERE,
    ranks=ALONE,
    size=None,
):
    """One step down loss = −(1/B) Σ_b bound_b.                  [training.2]

    x (B, D), noise (L, B, Z) -> the Trace before the step; grads are Params to be overwritten;
    share of the data is what the likelihood's `follow` takes the batch for; parameters change
    within `with whole:`. Of ranks, each brings its part of a batch of so many rows.
    The mean over the batch is taken here and nowhere else.
    """
    size = len(x) if size is None else size
    counts = min(1, ranks.share(size))
    with np.errstate(over="ignore", invalid="ignore"):  # told below, with a name
        trace = elbo(vae, x, noise, objective)
        require_finite({"log p(x|z)": trace.log_px_z, "kl": trace.kl, "bound": trace.bound})
        dbound = np.full(len(x), -counts / size, vae.dtype)
        grads = elbo_backward(dbound, vae, x, noise, trace, out=grads)
        ranks.add(grads.rows)
        change(vae, optimizer, grads, x, trace.decoder_output, share, whole, ranks, size)
    return trace


def change(model, optimizer, grads, x, decoder_output, share, whole, ranks=ALONE, size=None):
    """The optimizer's step for what has a gradient, `follow` for what the likelihood keeps."""
    learned, likelihood = model.params.likelihood, model.likelihood
    followed = likelihood.follow(x, decoder_output, share, **learned)
    if followed and ranks.size > 1:  # it follows whole batches
        x, by_row = ranks.join(size, [x, decoder_output.swapaxes(0, 1)])
        followed = likelihood.follow(x, by_row.swapaxes(0, 1), share, **learned)
    with whole:
        update(optimizer, model.params, grads)
        for name, value in followed.items():
            learned[name][...] = value


def update(optimizer, params, grads):
    """The optimizer's step; if anything is raised, params and moments are those of before.

    params, grads with `rows` and `arrays()`, as `Params` have them
    Raises NonFinite, naming the array, if a gradient or then a parameter is not finite.
    """
    largest = _largest(grads, "gradient of ")
    # A step this large may overflow a parameter, and a user's optimizer may do anything: then
    # there must be a way back. Smaller steps of npvae's own cannot: they would need 1e32 of
    # them, and the bound overflows long before.
    before, memory = None, {}
    own = type(optimizer) in (SGD, Adagrad, Adam)
    if not (own and optimizer.learning_rate * max(1, largest) <= LARGE_STEP):
        before = [row.copy() for row in params.rows]
        if isinstance(optimizer, Resumable):
            memory = {name: a.copy() for name, a in optimizer.memory(params.rows).items()}
    try:
        optimizer.update(params.rows, grads.rows, *([params.shapes] if own else []))
        if before is not None:
            _largest(params)
    except BaseException:
        for row, was in zip(params.rows, before or (), strict=False):
            row[...] = was
        if memory:
            optimizer.recall(params.rows, memory)
        raise


def require_finite(quantities):
    """Raise NonFinite with the name of the first array that holds NaN or inf."""
    for name, a in quantities.items():
        if not np.isfinite(a).all():
            raise NonFinite(name)


def _largest(params, what=""):
    """The largest magnitude among params, all finite."""
    largest = [kernels.max_abs(*row) for row in zip(params.rows, params.shapes, strict=True)]
    if not math.isfinite(sum(largest)):
        require_finite({what + name: a for name, a in params.arrays().items()})
    return max(largest)
