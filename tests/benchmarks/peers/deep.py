"""Epochs of the deep autoencoder, 784-1000-500-250-30 ReLU, of one library, on request.

deep.py passes the library's name and a file with the images; each line is answered with the
seconds that one epoch took and its mean cross-entropy in nats an image.
"""

import itertools
import sys
import time

import numpy as np
from worker import answer

HIDDEN, CODE, BATCH = (1000, 500, 250), 30, 100


def npvae_epochs(images):
    """A generator of the mean cross-entropy of each epoch."""
    import npvae
    from npvae import relatives

    rng = np.random.default_rng(0)
    model = relatives.Autoencoder.init(
        images.shape[1],
        hidden=HIDDEN,
        latent_dim=CODE,
        likelihood=npvae.Bernoulli(),
        activation="relu",
        weight_init="he",
        rng=rng,
    )
    options = {"optimizer": npvae.Adam(1e-3), "batch_size": BATCH, "rng": rng}
    for record in relatives.train_autoencoder(model, images, epochs=1000, **options):
        yield -record.log_px_z


def torch_epochs(images):
    """The same in PyTorch: a Sequential, autograd, Adam with its fused update."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    torch.manual_seed(0)
    widths = (images.shape[1], *HIDDEN, CODE, *HIDDEN[::-1], images.shape[1])
    modules = []
    for i, (D_in, D_out) in enumerate(itertools.pairwise(widths)):
        linear = nn.Linear(D_in, D_out)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        nn.init.zeros_(linear.bias)
        linear_next = i in (len(HIDDEN), len(widths) - 2)  # the code, and the logits
        modules += [linear] if linear_next else [linear, nn.ReLU()]
    model = nn.Sequential(*modules)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    x = torch.from_numpy(images.astype(np.float32)).div_(255)

    def step(rows):
        seen = x[rows]
        loss = F.binary_cross_entropy_with_logits(model(seen), seen, reduction="sum") / len(seen)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.detach() * len(seen)

    while True:
        yield float(sum(step(rows) for rows in torch.randperm(len(x)).split(BATCH))) / len(x)


def main():
    library, path = sys.argv[1:]
    images = np.load(path)
    train = {"npvae": npvae_epochs, "torch": torch_epochs}[library]
    next(train(images[:BATCH]))  # compiles, and starts threads
    epochs = train(images)

    def epoch(_):
        start = time.perf_counter()
        cross_entropy = next(epochs)
        return {"seconds": time.perf_counter() - start, "cross_entropy": cross_entropy}

    answer(epoch)


if __name__ == "__main__":
    main()
