"""Fits of one library to scikit-learn's digits, on request.

sklearn_fit.py passes the library's name, the dtype and the number of epochs; each line is a seed,
and is answered with the seconds that a fit took and the elbo of its last epoch, in nats a row.
"""

import itertools
import sys
import time
import warnings

import numpy as np
from sklearn.datasets import load_digits
from worker import answer

HIDDEN, Z, BATCH, RATE, LOGVAR_HEAD_SCALE = 64, 10, 32, 3e-3, 0.1


def npvae_fit(X, epochs, seed):
    """The elbo of the last epoch."""
    from npvae.sklearn import VAE

    vae = VAE(
        Z,
        hidden_layer_sizes=(HIDDEN,),
        learning_rate=RATE,
        batch_size=BATCH,
        max_iter=epochs,
        validation_fraction=0,
        random_state=seed,
    )
    return vae.fit(X).history_[-1].elbo


def torch_fit(X, epochs, seed):
    """The same in PyTorch: modules, autograd, Adam with its fused update."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    deviation = X.std(axis=0)
    scale = np.where(deviation > 0, deviation, 1)
    x = torch.from_numpy((X - X.mean(axis=0)) / scale)
    N, D = x.shape
    half_log_two_pi = D * np.log(2 * np.pi) / 2 + float(np.log(scale).sum())

    def perceptron(*widths):
        layers = [nn.Linear(*pair, dtype=x.dtype) for pair in itertools.pairwise(widths)]
        for layer in layers:
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        return nn.Sequential(layers[0], nn.ReLU(), layers[1])

    encoder, decoder = perceptron(D, HIDDEN, 2 * Z), perceptron(Z, HIDDEN, D)
    with torch.no_grad():
        encoder[2].weight[Z:] *= LOGVAR_HEAD_SCALE
    width = nn.Parameter(torch.zeros(D, dtype=x.dtype))
    params = [*encoder.parameters(), *decoder.parameters(), width]
    optimizer = torch.optim.Adam(params, lr=RATE, fused=True)

    def step(rows):
        seen = x[rows]
        mu, logvar = encoder(seen).chunk(2, dim=1)
        z = mu + torch.exp(logvar / 2) * torch.randn_like(mu)
        error = seen - decoder(z)
        log_variance = torch.logaddexp(width, width.new_full((), 2 * np.log(0.01)))
        log_px_z = -(error.square() * torch.exp(-log_variance) + log_variance).sum(dim=1) / 2
        kl = (mu.square() + logvar.exp() - logvar - 1).sum(dim=1) / 2
        loss = (kl - log_px_z).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.detach() * len(seen)

    for _ in range(epochs):
        total = sum(step(rows) for rows in torch.randperm(N).split(BATCH))
    return -float(total) / N - half_log_two_pi


def main():
    library, dtype, epochs = sys.argv[1:]
    warnings.simplefilter("ignore")
    X = load_digits().data.astype(dtype)
    fit = {"npvae": npvae_fit, "torch": torch_fit}[library]
    fit(X, 1, 0)  # compiles, and starts threads

    def timed(seed):
        start = time.perf_counter()
        elbo = fit(X, int(epochs), int(seed))
        return {"seconds": time.perf_counter() - start, "elbo": elbo}

    answer(timed)


if __name__ == "__main__":
    main()
