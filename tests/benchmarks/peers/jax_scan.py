"""JAX: one compiled program an epoch, its steps in lax.scan, its buffers donated.

Tried with models a or c of `configurations`, and no faster on two cores: the generators rbg and
unsafe_rbg, an unrolled scan, 8-bit images divided in each step, an epoch's images permuted at once,
all parameters in one array, log_sigmoid, no axis for L, and XLA's switches for fast mathematics,
XNNPACK, YNNPACK and oneDNN.
"""

import itertools
import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from worker import serve

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


def _stack(layers, activation, h):
    for W, b in layers[:-1]:
        h = activation(h @ W + b)
    W, b = layers[-1]
    return h @ W + b


def _loss(params, activation, x, noise, beta):
    """Minus the mean bound of the batch."""
    mu, logvar = jnp.split(_stack(params["encoder"], activation, x), 2, axis=-1)
    z = mu + jnp.exp(logvar / 2) * noise
    logits = _stack(params["decoder"], activation, z)
    log_px_z = jnp.sum(x * logits - jax.nn.softplus(logits), axis=-1).mean(axis=0)
    kl = 0.5 * jnp.sum(mu * mu + jnp.exp(logvar) - 1 - logvar, axis=-1)
    return jnp.mean(beta * kl - log_px_z)


def _adam(params, grads, m, v, t, learning_rate):
    """Kingma & Ba 2014, algorithm 1, leaf by leaf."""
    m = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, m, grads)
    v = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, v, grads)
    rate, scale = learning_rate / (1 - BETA1**t), 1 / (1 - BETA2**t)
    params = jax.tree.map(
        lambda w, m, v: w - rate * m / (jnp.sqrt(scale * v) + EPSILON), params, m, v
    )
    return params, m, v


def start(task):
    activation = {"tanh": jnp.tanh, "relu": jax.nn.relu}[task.activation]
    images = jax.jit(lambda levels: levels.astype(jnp.float32) / 255)(task.images())
    params = {part: task.layers(part) for part in ("encoder", "decoder")}
    params = jax.tree.map(jnp.array, params)
    zeros = jax.tree.map(jnp.zeros_like, params)
    state = params, zeros, jax.tree.map(jnp.copy, zeros), jnp.float32(0), jax.random.key(task.seed)

    def step(images, state, given):
        rows, rate, beta = given
        params, m, v, t, key = state
        key, target_key, noise_key = jax.random.split(key, 3)
        x = images[rows]
        if task.binarize:
            x = jax.random.bernoulli(target_key, x).astype(x.dtype)
        noise = jax.random.normal(noise_key, (task.samples, len(rows), task.latent_dim))
        loss, grads = jax.value_and_grad(_loss)(params, activation, x, noise, beta)
        return (*_adam(params, grads, m, v, t + 1, rate), t + 1, key), loss

    @partial(jax.jit, donate_argnums=1)
    def run(images, state, *given):
        return jax.lax.scan(partial(step, images), state, given)

    def steps(rows, t):
        """Those from number t on that an epoch of these rows takes."""
        nonlocal state
        count = len(rows) // task.batch_size
        whole = rows[: count * task.batch_size].reshape(count, task.batch_size)
        state, losses = run(images, state, jnp.asarray(whole), *schedules(t, count))
        # A batch of another shape is another program.
        if count * task.batch_size < len(rows):
            rest = jnp.asarray(rows[count * task.batch_size :])[None]
            state, last = run(images, state, rest, *schedules(t + count, 1))
            losses = jnp.concatenate([losses, last])
        return float(losses.mean())

    def schedules(t, count):
        numbers = range(t, t + count)
        return [jnp.array([f(t) for t in numbers], jnp.float32) for f in (task.rate, task.beta)]

    rng = np.random.default_rng(task.seed)

    def result():
        return {
            f"{part}/{i}/{field}": np.asarray(value)
            for part, layers in state[0].items()
            for i, layer in enumerate(layers)
            for field, value in zip("Wb", layer, strict=True)
        }

    per_epoch = math.ceil(len(images) / task.batch_size)
    first = itertools.count(step=per_epoch)
    steps(np.arange(task.batch_size), 0)
    return lambda: steps(rng.permutation(len(images)), next(first)), result


serve(start)
