"""What all relatives of the VAE have in common."""

import os
import subprocess
import sys

import pytest

from npvae import kernels

SAME_BITS = """
import contextlib, hashlib, itertools, numba, numpy as np, npvae
from npvae.relatives import GAN, HMM, Autoencoder, ConditionalVAE, Predictor, em, one_hot
from npvae.relatives import train_autoencoder, train_conditional, train_gan, train_predictor

def digest():
    rng = np.random.default_rng(0)
    x = rng.random((300, 784), dtype=np.float32)
    binary, labels = np.rint(x), rng.integers(0, 10, 300)
    digit = {"likelihood": npvae.Bernoulli(), "rng": rng}
    autoencoder = Autoencoder.init(784, hidden=(150,), latent_dim=20, **digit)
    predictor = Predictor.init(784, hidden=(100,), likelihood=npvae.Categorical(10), rng=rng)
    gan, hmm = GAN.init(784, rng=rng), HMM.init(binary, 20, length=28, rng=rng)
    conditional = ConditionalVAE.init(784, condition_dim=10, prior_hidden=(), **digit)
    choices = {"epochs": 1, "rng": rng}
    optimizers = {f"{name}_optimizer": npvae.Adam() for name in ("generator", "discriminator")}
    runs = (
        train_autoencoder(autoencoder, x, optimizer=npvae.Adam(), code_sigma=0.1, **choices),
        train_predictor(predictor, x, labels, optimizer=npvae.Adam(), **choices),
        train_conditional(conditional, x, one_hot(labels, 10), optimizer=npvae.Adam(), **choices),
        train_gan(gan, x, **optimizers, **choices),
        em(hmm, binary, steps=2),
    )
    for run in runs:
        list(run)
    learned = autoencoder.params, predictor.params, gan.generator, gan.discriminator
    learned = *learned, conditional.params
    arrays = [a for stacks in learned for a in stacks.arrays().values()]
    data = b"".join(a.tobytes() for a in [*arrays, hmm.transition, hmm.params.logits])
    return hashlib.sha256(data).hexdigest()

for n in (1, 2, 3, 8):
    numba.set_num_threads(n)
    npvae.kernels.pace = lambda *work: contextlib.nullcontext(lambda: None)
    print(digest())
"""


@pytest.mark.skipif(kernels.engine == "reference", reason="NumPy's products depend on threads")
def test_any_number_of_threads_gives_the_same_bits():
    done = subprocess.run(
        [sys.executable, "-c", SAME_BITS],
        env=os.environ | {"NUMBA_NUM_THREADS": "8"},
        capture_output=True,
        text=True,
        check=True,
    )
    digests = done.stdout.split()
    assert len(digests) == 4
    assert len(set(digests)) == 1
    assert len(digests[0]) == 64


def test_npvae_alone_loads_none_of_them():
    others = "any(name in m for name in ('relatives', 'posterior', 'uses'))"
    code = f"import sys, npvae; print([m for m in sys.modules if {others}])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
