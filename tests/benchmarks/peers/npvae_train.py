"""npvae, as a user writes it."""

import warnings

import numpy as np
from worker import serve

import npvae


def start(task):
    warnings.simplefilter("ignore", npvae.GreyTargetsWarning)
    rng = np.random.default_rng(task.seed)
    images = task.images()  # npvae reads 8-bit levels as they are
    vae = npvae.VAE.init(
        images.shape[1],
        hidden=[b.size for _, b in task.layers("encoder")[:-1]],
        latent_dim=task.latent_dim,
        likelihood=npvae.Bernoulli(),
        activation=task.activation,
        rng=rng,
    )
    for name, w in vae.params.arrays().items():
        w[...] = task.params[name]
    optimizer = npvae.Adam()

    def objective(t):
        return npvae.ClosedForm(task.beta(t), task.samples)

    def train(images, epochs):
        return npvae.train(
            vae,
            images,
            epochs=epochs,
            batch_size=task.batch_size,
            objective=objective,
            optimizer=optimizer,
            learning_rate=task.rate,
            binarize=task.binarize,
            rng=rng,
        )

    next(train(images[: task.batch_size], epochs=1))
    epochs = train(images, task.epochs)
    return lambda: -next(epochs).elbo, vae.params.arrays


serve(start)
