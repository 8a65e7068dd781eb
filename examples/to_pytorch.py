"""A model goes on in PyTorch, and comes back.

    python examples/to_pytorch.py out/vae.npz                        writes out/vae.pt
    python examples/to_pytorch.py out/vae.npz --back trained.pt trained.npz

The first writes the state_dict of the module below, which PyTorch can go on training; the second
saves trained weights as a model of npvae. Both show that module and model compute the same.
`python -m npvae convert` writes the same files without the module, and without showing it.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

import npvae
from npvae.storage import exchange

try:
    import torch
    from torch import nn
except ImportError as error:
    sys.exit(f"error: this example needs PyTorch, pip install torch ({error})")

ACTIVATIONS = {
    "identity": nn.Identity,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "softplus": lambda: nn.Softplus(threshold=40),  # by default y = a above 20: 2e-9 off
}


class VAE(nn.Module):
    """The parameters of an npvae.VAE: encoder, decoder, and what the likelihood learns."""

    def __init__(self, vae):
        super().__init__()
        self.encoder = to_sequential(vae.params.encoder, vae.activation)
        self.decoder = to_sequential(vae.params.decoder, vae.activation)
        learned = vae.params.likelihood.items()
        self.likelihood = nn.ParameterDict({name: torch.tensor(array) for name, array in learned})
        self.to(torch.from_numpy(vae.params.rows[0]).dtype)
        state = exchange.to_state_dict(vae)
        self.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})

    def forward(self, x, noise):
        """x as the likelihood has it read (B, I), noise (L, B, Z) -> mu, logvar (B, Z), output"""
        mu, logvar = self.encoder(x).chunk(2, dim=-1)
        return mu, logvar, self.decoder(mu + torch.exp(logvar / 2) * noise)


def to_sequential(layers, activation):
    """Layers of the same widths; npvae computes x W + b, PyTorch x weightᵀ + bias."""
    modules = []
    for W, _ in layers:
        modules += [nn.Linear(*W.shape), ACTIVATIONS[activation]()]
    return nn.Sequential(*modules[:-1])  # the last layer is linear


def load_trained(path, vae):
    """The model of trained weights, which must be those of vae's module."""
    trained = exchange.load(path, likelihood=vae.likelihood, activation=vae.activation)
    if repr(trained) != repr(vae):
        raise ValueError(f"{path} holds the weights of {trained}; expected those of {vae}")
    return trained


def compare(vae, module, rng):
    """Print how far model and module are apart; raise ValueError if by more than rounding."""
    x = rng.random((100, vae.data_dim), vae.dtype)
    noise = rng.standard_normal((1, 100, vae.latent_dim), vae.dtype)
    trace = npvae.elbo(vae, x, noise)
    read = vae.likelihood.encoder_input(x)
    with torch.no_grad():
        theirs = module(torch.tensor(read), torch.tensor(noise))
    epsilon = np.finfo(vae.dtype).eps
    print(f"100 random rows in {vae.dtype}, which rounds to a relative {epsilon:.1e}")
    for name, their in zip(("mu", "logvar", "decoder_output"), theirs, strict=True):
        our = getattr(trace, name)
        largest, difference = np.abs(our).max(), np.abs(our - their.numpy()).max()
        print(f"{name:14}  up to {largest:<8.4g}  largest difference {difference:.1e}")
        if not difference <= 1000 * epsilon * largest:  # so said, NaN is refused too
            raise ValueError(f"{name} of the module differs by more than rounding")


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, nargs="?", default="out/vae.npz", help="out/vae.npz")
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--out", type=Path, help="the state_dict; default: beside the model")
    names = {"nargs": 2, "metavar": ("PT", "NPZ")}
    either.add_argument("--back", type=Path, **names, help="read a state_dict, save a model")
    return parser.parse_args()


def main():
    args = parse_args()
    vae = npvae.VAE.load(args.model)
    if not vae.likelihood.reads_x:
        raise ValueError(f"the encoder of {vae.likelihood!r} reads other numbers than x")
    if args.back:
        vae, out = load_trained(args.back[0], vae), args.back[1]
    else:
        out = args.out or args.model.with_suffix(".pt")
        exchange.check_suffix(out, (".pt", ".pth"))
    compare(vae, VAE(vae), np.random.default_rng(0))
    exchange.save(vae, out)
    print(f"wrote {out}")


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
