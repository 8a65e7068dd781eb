"""PyTorch's VAE example, pytorch/examples, vae/main.py, trained there and judged here.

    python tests/parity/torch_example.py [--data-dir FOLDER] [--epochs N]

Its model, names and loss, with the noise as an argument. On MNIST: the loss that it would print of
the test images, what `evaluate` and `diagnose` say of the same state dict, and how far the two
encoders and decoders are apart. Ten seconds an epoch.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import npvae
from npvae.storage import exchange


class Example(nn.Module):
    """D-H-Z; the names of its layers are the example's."""

    def __init__(self, D=784, H=400, Z=20):
        super().__init__()
        self.fc1 = nn.Linear(D, H)
        self.fc21 = nn.Linear(H, Z)
        self.fc22 = nn.Linear(H, Z)
        self.fc3 = nn.Linear(Z, H)
        self.fc4 = nn.Linear(H, D)

    def encode(self, x):
        h = F.relu(self.fc1(x))
        return self.fc21(h), self.fc22(h)

    def decode(self, z):
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z))))

    def forward(self, x, noise):
        mu, logvar = self.encode(x)
        return self.decode(mu + torch.exp(0.5 * logvar) * noise), mu, logvar


def loss(module, x, noise):
    """Summed over rows and columns, as the example does."""
    mean, mu, logvar = module(x, noise)
    bce = F.binary_cross_entropy(mean, x, reduction="sum")
    return bce - 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())


def train(module, x, epochs=1, batch_size=128, learning_rate=1e-3):
    """-> the optimizer"""
    optimizer = torch.optim.Adam(module.parameters(), lr=learning_rate)
    Z = module.fc21.out_features
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(batch_size):
            optimizer.zero_grad()
            loss(module, x[rows], torch.randn(len(rows), Z)).backward()
            optimizer.step()
    return optimizer


def bounds(module, x, noise):
    """The mean bound of the rows for each draw of the noise (L, N, Z), by PyTorch.  -> (L,)"""
    x = torch.tensor(x)
    with torch.no_grad():
        return np.array([-loss(module, x, torch.tensor(n)).item() / len(x) for n in noise])


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--data-dir", type=Path, help="folder with MNIST's four IDX files")
    options.add_argument("--epochs", type=int, default=1)
    args = options.parse_args()
    data = npvae.datasets.load_mnist(args.data_dir)
    torch.manual_seed(1)
    module = Example()
    train(module, torch.tensor(data.train), args.epochs)
    with tempfile.TemporaryDirectory() as folder:
        torch.save(module.state_dict(), f"{folder}/mnist_vae.pt")
        vae = exchange.load(f"{folder}/mnist_vae.pt")
    noise = np.random.default_rng(1).standard_normal((1, len(data.test), 20), np.float32)
    print(f"the example's loss of the test images: {-bounds(module, data.test, noise)[0]:.2f}")
    print(f"evaluate: {npvae.evaluate(vae, data.test, rng=np.random.default_rng(0))}")
    print(f"diagnose: {npvae.diagnose(vae, data.test)}")
    with torch.no_grad():
        mu, logvar = module.encode(torch.tensor(data.test))
        theirs = [v.numpy() for v in (mu, logvar, module.decode(mu))]
    ours = *vae.encode(data.test), vae.reconstruct(data.test)
    for name, our, their in zip(("mu", "logvar", "mean"), ours, theirs, strict=True):
        print(f"{name}: up to {np.abs(our).max():.3g}, apart by {np.abs(our - their).max():.1e}")


if __name__ == "__main__":
    main()
