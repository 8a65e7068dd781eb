"""The autoencoder: a VAE without noise and without a price, or with noise where you put it.

autoencode_backward is autoencode read from its last line to its first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .._checks import check_number, check_rng, matrix, real_numbers
from .._choices import check_choices, check_dtype, check_weight_init, check_widths
from ..activations import ACTIVATIONS
from ..dense import dense_backward_input, init_layers, stack, stack_backward
from ..likelihoods import Likelihood
from ..likelihoods._protocol import check_reads_x
from ..params import Stacks
from ..training import Rows

ROWS_AT_ONCE = 1000


@dataclass(frozen=True, eq=False, repr=False)
class Autoencoder:
    """An encoder x → code (N, Z) and a decoder z → what the likelihood reads, both dense stacks.

    There is no `sample`: without a prior, nothing says which codes to decode.
    Training changes the arrays in `params` in place.
    """

    params: Stacks  # "encoder" and "decoder"
    likelihood: Likelihood
    activation: str

    @classmethod
    def init(
        cls,
        data_dim: int,
        *,
        hidden: Iterable[int] = (500,),
        latent_dim: int = 20,
        likelihood: Likelihood,
        activation: str = "tanh",
        decoder_hidden: Iterable[int] | None = None,
        weight_init: str | float = "glorot",
        x_mean: ArrayLike | None = None,
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator,
    ) -> Autoencoder:
        """A model with random weights and zero biases; arguments and errors of `VAE.init`.

        hidden=() makes encoder and decoder linear, and latent_dim the number of units between.
        """
        encoder_hidden = check_widths("hidden", hidden)
        decoder_hidden = (
            encoder_hidden[::-1]
            if decoder_hidden is None
            else check_widths("decoder_hidden", decoder_hidden)
        )
        check_choices(data_dim, latent_dim, likelihood, activation)
        check_reads_x(likelihood)
        dtype = check_dtype(dtype)
        check_weight_init(weight_init, dtype)
        check_rng(rng)
        (rng,) = rng.spawn(1)

        widths = (data_dim, *encoder_hidden, latent_dim)
        encoder = init_layers(widths, weight_init, dtype=dtype, rng=rng)
        widths = (latent_dim, *decoder_hidden, likelihood.output_width(data_dim))
        decoder = init_layers(widths, weight_init, dtype=dtype, rng=rng)
        if x_mean is not None:
            row = real_numbers("x_mean", x_mean)[0].reshape(1, -1)
            row = matrix("x_mean", row, columns=data_dim, letters="(1, D)", dtype=dtype)
            likelihood.check_mean("x_mean", row)
            decoder[-1].b[:] = likelihood.output_bias(row[0])
        stacks = {"encoder": encoder, "decoder": decoder}
        return cls(Stacks(stacks, likelihood.init_learned(dtype, data_dim)), likelihood, activation)

    @property
    def data_dim(self) -> int:
        """D."""
        return self.params.stacks["encoder"][0].W.shape[0]

    @property
    def latent_dim(self) -> int:
        """Z."""
        return self.params.stacks["decoder"][0].W.shape[0]

    @property
    def dtype(self) -> np.dtype:
        """The parameters' dtype, and so that of everything the model computes."""
        return self.params.stacks["encoder"][0].W.dtype

    def encode(self, x: ArrayLike) -> np.ndarray:
        """code = encoder(x).        x (N, D) -> (N, Z)          [autoencoder.1]

        Raises TypeError or ValueError if x is not a finite (N, D) array in the support.
        """
        encoder = self.params.stacks["encoder"], ACTIVATIONS[self.activation]
        return np.concatenate([stack(b, *encoder)[1] for b in self.batches(self.rows("x", x))])

    def decode(self, z: ArrayLike) -> np.ndarray:
        """E[x|z].        z (N, Z) -> mean (N, D)                [autoencoder.1]

        Raises TypeError or ValueError if z is not a finite (N, Z) array.
        """
        form = {"columns": self.latent_dim, "letters": "(N, Z)", "dtype": self.dtype}
        decoder = self.params.stacks["decoder"], ACTIVATIONS[self.activation]
        return self.likelihood.mean(stack(matrix("z", z, **form), *decoder)[1])

    def reconstruct(self, x: ArrayLike) -> np.ndarray:
        """r(x) = E[x|z] at z = encoder(x).        x (N, D) -> (N, D)       [autoencoder.1]

        Raises as encode does.
        """
        return self.decode(self.encode(x))

    def score(self, x: ArrayLike, sigma: float) -> np.ndarray:
        """∇ log p_σ(x) ≈ (r(x) − x)/σ², p_σ the data's density blurred by N(0, σ² I).

        r(x̃) = E[x|x̃] minimises E‖r(x̃) − x‖², and E[x|x̃] − x̃ = σ² ∇ log p_σ(x̃).
                                                                 [autoencoder.5]
        x (N, D) -> (N, D), for a model with a Gaussian likelihood trained to take away
        GaussianNoise(sigma). Raises as encode does, ValueError unless sigma is a number > 0.
        Miyasawa 1961; Vincent 2011.
        """
        check_number("sigma", sigma, low=0)
        rows = next(self.batches(self.rows("x", x), size=None))
        return (self.reconstruct(rows) - rows) / float(sigma) ** 2

    def rows(self, name: str, x: ArrayLike, likelihood: Likelihood | None = None) -> Rows:
        """x as it is kept: uint8, where the likelihood reads grey levels, or of model's dtype.

        x (N, D). Raises TypeError or ValueError if x is not a finite (N, D) array in the support.
        """
        form = {"columns": self.data_dim, "letters": "(N, D)", "dtype": self.dtype}
        kept = matrix(name, x, **form, keep=(np.uint8,))
        unit = (likelihood or self.likelihood).check_support(name, kept)
        return Rows(kept, unit, self.dtype)

    def batches(self, rows: Rows, size: int | None = ROWS_AT_ONCE) -> Iterator[np.ndarray]:
        """Yield the rows in order, `size` at a time, as (B, D) arrays of the model's dtype."""
        N = len(rows.x)
        for start in range(0, N, size or N):
            numbers = np.arange(start, min(N, start + (size or N)))
            yield rows._replace(binarize=False).take(numbers, rng=None)

    def copy(self) -> Autoencoder:
        """A copy of the model, which does not change when this one is trained."""
        return dataclasses.replace(self, params=self.params.astype(self.dtype))

    def __repr__(self) -> str:
        encoder, decoder = (
            [layers[0].W.shape[0], *[layer.b.size for layer in layers]]
            for layers in self.params.stacks.values()
        )
        widths = "-".join(map(str, encoder + decoder[1:]))
        return f"Autoencoder({widths}, {self.activation}, {self.likelihood!r}, {self.dtype})"


class Trace(NamedTuple):
    """All that one forward pass computed."""

    encoder_hidden: tuple[np.ndarray, ...]  # each (B, H)
    code: np.ndarray  # (B, Z)
    z: np.ndarray  # (B, Z), the code and its noise
    decoder_hidden: tuple[np.ndarray, ...]  # each (B, H)
    decoder_output: np.ndarray  # (1, B, ·)
    log_px_z: np.ndarray  # (1, B) nats


def autoencode(
    model: Autoencoder, x: np.ndarray, seen: np.ndarray, code_noise: np.ndarray | float = 0.0
) -> Trace:
    """log p(x|z) at z = encoder(x̃) + code_noise, in nats.       [autoencoder.1]

    x, seen x̃ (B, D), code_noise (B, Z) or 0 -> Trace
    """
    stacks, activation = model.params.stacks, ACTIVATIONS[model.activation]
    encoder_hidden, code = stack(seen, stacks["encoder"], activation)
    z = code + code_noise
    decoder_hidden, output = stack(z, stacks["decoder"], activation)
    decoder_output = output[None]
    log_px_z = model.likelihood.log_prob(x, decoder_output, **model.params.likelihood)
    return Trace(encoder_hidden, code, z, decoder_hidden, decoder_output, log_px_z)


def autoencode_backward(
    dlog_px_z: np.ndarray,
    model: Autoencoder,
    x: np.ndarray,
    seen: np.ndarray,
    trace: Trace,
    out: Stacks | None = None,
) -> Stacks:
    """The gradient of Σ_b dlog_px_z_b log p(x_b|z_b) for every parameter.   [autoencoder.2]

    dlog_px_z (1, B); model, x, seen as they were in the trace -> Stacks, which are out, written
    anew, if that is given. The noise adds to the code, so dcode = dz.
    """
    stacks, activation = model.params.stacks, ACTIVATIONS[model.activation]
    grads, learned = out or model.params.empty_like(), model.params.likelihood

    # log_px_z = log_prob(x, decoder_output, **learned)
    inputs = dlog_px_z, x, trace.decoder_output
    doutput = model.likelihood.log_prob_backward(*inputs, **learned)
    if learned:
        dlearned = model.likelihood.log_prob_backward_learned(*inputs, **learned)
        for name, dv in grads.likelihood.items():
            dv[...] = dlearned[name]

    # decoder_hidden, output = stack(z, decoder)
    decoder = stacks["decoder"], activation, trace.decoder_hidden
    da, _ = stack_backward(doutput[0], trace.z, *decoder, out=grads.stacks["decoder"])
    dcode = dense_backward_input(da, stacks["decoder"][0].W)

    # encoder_hidden, code = stack(seen, encoder)
    encoder = stacks["encoder"], activation, trace.encoder_hidden
    stack_backward(dcode, seen, *encoder, out=grads.stacks["encoder"])
    return grads
