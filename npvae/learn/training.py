"""In a child: trains a small model with what stands in npvae there, and tells how it went.

The museum's runs, shortened: 784-100-10 tanh on digits drawn from fonts, binary targets.
"""

import warnings

import numpy as np

ROWS, EPOCHS = 1500, 12


def run(task, observer):
    """{curve: [(elbo, reconstruction, kl), …], held_out, samples, warnings, stopped}"""
    import npvae

    rng = np.random.default_rng(task.get("seed", 0))
    images = npvae.datasets.glyph_digits(ROWS + 500, rng=rng).images
    digits, held_out = images[:ROWS], npvae.binarize(images[ROWS:], rng=rng)
    options = {"latent_dim": 10, "likelihood": npvae.Bernoulli(), "x_mean": digits.mean(axis=0)}
    vae = npvae.VAE.init(784, hidden=(100,), rng=rng, **options)
    found = {"curve": [], "stopped": "", "held_out": None, "samples": []}
    training = npvae.train(
        vae,
        digits,
        epochs=task.get("epochs", EPOCHS),
        batch_size=50,
        optimizer=npvae.Adam(2e-3),
        objective=npvae.ClosedForm(samples=2),
        binarize=True,
        rng=rng,
    )
    with warnings.catch_warnings(record=True) as told, np.errstate(all="ignore"):
        warnings.simplefilter("always")
        try:
            for epoch in training:
                found["curve"].append([epoch.elbo, epoch.reconstruction, epoch.kl])
            found["held_out"] = float(npvae.evaluate(vae, held_out, rng=rng).elbo)
            samples = vae.sample(4, rng=rng)
            found["samples"] = np.nan_to_num(samples).reshape(-1, 28, 28).round(2).tolist()
        except npvae.NonFiniteError as error:
            found["stopped"] = str(error)
    own = [w for w in told if issubclass(w.category, npvae.DiagnosisWarning)]
    return found | {"warnings": sorted({type(w.message).__name__ for w in own})}
