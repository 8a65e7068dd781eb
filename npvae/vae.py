"""VAE: the parameters and the choices that give them meaning."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from os import PathLike

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from . import kernels
from ._checks import check_positive_int, check_rng, matrix, real_numbers
from ._choices import check_choices, check_dtype, check_weight_init, check_widths
from .activations import ACTIVATIONS
from .dense import init_layers, stack
from .likelihoods import Likelihood
from .likelihoods._protocol import check_is_likelihood
from .params import Params
from .storage import model as storage

LOGVAR_HEAD_SCALE = 0.1
ENCODED_ROWS = 1000  # at once


@dataclass(frozen=True, eq=False, repr=False)
class VAE:
    """A prior N(0, I), a decoder p(x|z) and an encoder q(z|x), both stacks of dense layers.

    Training changes the arrays in `params` in place.
    """

    params: Params
    likelihood: Likelihood
    activation: str

    def __post_init__(self):
        check_is_likelihood(self.likelihood)

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
    ) -> VAE:
        """A model with random weights and zero biases.

        data_dim            D
        hidden              widths of the encoder's hidden layers; () for a linear encoder
        decoder_hidden      the decoder's; None mirrors the encoder's
        latent_dim          Z
        likelihood          such as npvae.Bernoulli(), or an instance of a Likelihood of your own
        activation          one of npvae.ACTIVATIONS
        weight_init         "glorot", "he", or the std of N(0, std²)
        x_mean              (D,), the training mean: the output bias starts there. With it a
                            Bernoulli model skips most of the first epoch
        dtype               np.float32 to train, np.float64 to check gradients
        Raises TypeError or ValueError if an argument is not as described.

        The logvar head starts at a tenth of the usual scale, so that σ starts near 1
        and e^logvar near nothing dangerous.
        """
        encoder_hidden = check_widths("hidden", hidden)
        decoder_hidden = (
            encoder_hidden[::-1]
            if decoder_hidden is None
            else check_widths("decoder_hidden", decoder_hidden)
        )
        check_choices(data_dim, latent_dim, likelihood, activation)
        dtype = check_dtype(dtype)
        check_weight_init(weight_init, dtype)
        check_rng(rng)
        (rng,) = rng.spawn(1)

        widths = (likelihood.input_width(data_dim), *encoder_hidden, 2 * latent_dim)
        encoder = init_layers(widths, weight_init, dtype=dtype, rng=rng)
        encoder[-1].W[:, latent_dim:] *= LOGVAR_HEAD_SCALE
        widths = (latent_dim, *decoder_hidden, likelihood.output_width(data_dim))
        decoder = init_layers(widths, weight_init, dtype=dtype, rng=rng)
        if x_mean is not None:
            row = real_numbers("x_mean", x_mean)[0].reshape(1, -1)
            row = matrix("x_mean", row, columns=data_dim, letters="(1, D)", dtype=dtype)
            likelihood.check_mean("x_mean", row)
            decoder[-1].b[:] = likelihood.output_bias(row[0])
        params = Params(encoder, decoder, likelihood.init_learned(dtype, data_dim))
        return cls(params, likelihood, activation)

    @property
    def data_dim(self) -> int:
        """D."""
        return self.likelihood.data_dim(self.params.encoder[0].W.shape[0])

    @property
    def latent_dim(self) -> int:
        """Z."""
        return self.params.decoder[0].W.shape[0]

    @property
    def dtype(self) -> np.dtype:
        """The parameters' dtype, and so that of everything the model computes."""
        return self.params.rows[0].dtype

    def encode(self, x: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """q(z|x) = N(mu, diag(e^logvar)).

        x (N, D) -> mu, logvar (N, Z)
        Raises TypeError or ValueError if x is not a finite (N, D) array in the support.
        """
        x, unit = self.check_rows("x", x, self.likelihood)
        mu, logvar = (np.empty((len(x), self.latent_dim), self.dtype) for _ in range(2))
        start = 0
        with kernels.pace("encode", self.params.rows[0].size) as lap:
            for batch in self.batches(x, unit, ENCODED_ROWS):
                rows = slice(start, start := start + len(batch))
                read = self.likelihood.encoder_input(batch)
                _, heads = stack(read, self.params.encoder, ACTIVATIONS[self.activation])
                mu[rows], logvar[rows] = np.split(heads, 2, axis=-1)
                lap()
        return mu, logvar

    def decode(self, z: ArrayLike) -> np.ndarray:
        """E[x|z].

        z (N, Z) -> mean (N, D)
        Raises TypeError or ValueError if z is not a finite (N, Z) array.
        """
        return self.likelihood.mean(self._decoder_output(z))

    def reconstruct(self, x: ArrayLike) -> np.ndarray:
        """E[x|z] at z = mu, the mean of q(z|x).

        x (N, D) -> mean (N, D)
        For pictures: a bound needs z drawn from q(z|x), as `evaluate` does.
        Raises as `encode` does.
        """
        mu, _ = self.encode(x)
        return self.decode(mu)

    def sample(self, n: int, *, rng: np.random.Generator, draw: bool = False) -> np.ndarray:
        """E[x|z] for n draws of z from the prior; with draw=True, a draw of x itself.

        -> (n, D)
        Raises TypeError or ValueError unless n is an integer >= 1 and rng a Generator.
        """
        check_positive_int("n", n)
        check_rng(rng)
        output = self._decoder_output(rng.standard_normal((n, self.latent_dim), self.dtype))
        if draw:
            return self.likelihood.draw(output, rng=rng, **self.params.likelihood)
        return self.likelihood.mean(output)

    def check_data(self, name: str, x: ArrayLike) -> np.ndarray:
        """x as a C-contiguous (N, D) array of the model's dtype.

        If the likelihood is one of grey levels, uint8 x is read as such, x / 255.
        Raises TypeError or ValueError if it is not a finite (N, D) array in the support, or if
        such a likelihood is given uint8 x, not all 0, whose largest entry is at most half of
        what is white.
        """
        rows, unit = self.check_rows(name, x, self.likelihood)
        return next(self.batches(rows, unit, len(rows)))

    def check_rows(self, name: str, x: ArrayLike, likelihood: Likelihood) -> tuple[np.ndarray, int]:
        """x as it is kept, and the number in it that the likelihood reads as 1.

        x (N, D) -> rows (N, D), C-contiguous, uint8 if x is and else of the model's dtype; unit
        Raises as `check_data` does.
        """
        form = {"columns": self.data_dim, "letters": "(N, D)", "dtype": self.dtype}
        rows = matrix(name, x, **form, keep=(np.uint8,), holes=likelihood.allows_holes)
        return rows, likelihood.check_support(name, rows)

    def batches(self, rows: np.ndarray, unit: int, size: int) -> Iterator[np.ndarray]:
        """Yield rows / unit, `size` rows at a time, in the model's dtype.

        rows (N, D), unit as check_rows returned them -> (B, D), …; a view if rows has that dtype
        """
        for start in range(0, len(rows), size):
            batch = rows[start : start + size]
            if batch.dtype != self.dtype:
                batch = np.divide(batch, unit, dtype=self.dtype)
            yield batch

    def _decoder_output(self, z):
        z = matrix("z", z, columns=self.latent_dim, letters="(N, Z)", dtype=self.dtype)
        _, output = stack(z, self.params.decoder, ACTIVATIONS[self.activation])
        return output

    def __repr__(self) -> str:
        """Widths from x to z, the decoder's if they do not mirror them, and the choices."""
        hidden = [layer.b.size for layer in self.params.encoder[:-1]]
        encoder = [self.data_dim, *hidden, self.latent_dim]
        decoder = [layer.W.shape[0] for layer in self.params.decoder] + [self.data_dim]
        widths = "-".join(map(str, encoder))
        if decoder != encoder[::-1]:
            widths += ", decoder " + "-".join(map(str, decoder))
        return f"VAE({widths}, {self.activation}, {self.likelihood!r}, {self.dtype})"

    def copy(self) -> VAE:
        """A model with the same parameters, which training this one does not change.

        To keep the best of a run: best = vae.copy() whenever the validation improves.
        """
        return self.astype(self.dtype)

    def astype(self, dtype: DTypeLike) -> VAE:
        """A copy of the model with parameters of dtype."""
        dtype = check_dtype(dtype)
        return dataclasses.replace(self, params=self.params.astype(dtype))

    def save(self, path: str | PathLike) -> None:
        """Write the model to one .npz: plain arrays and a JSON header, no pickle.

        Raises FileNotFoundError if path's folder does not exist, IsADirectoryError if path is
        a folder, ValueError if a parameter is not finite or of another shape or dtype than the
        others say: `load` would refuse it; OSError if path cannot be written.
        """
        storage.save(path, self.params, self.likelihood, self.activation)

    @classmethod
    def load(cls, path: str | PathLike, *, likelihood: Likelihood | None = None) -> VAE:
        """The model that `save` wrote to path.

        likelihood      the model's, if it is one of your own: the file holds only its name
        Raises FileNotFoundError if there is no such file; ValueError, saying which, if it is
        truncated, not an npz, of another version, an array is missing or misshapen, or its
        likelihood is another.
        """
        arrays, *choices = storage.load(path, likelihood)
        return cls(Params(*arrays), *choices)
