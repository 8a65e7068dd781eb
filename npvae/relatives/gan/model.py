"""GAN: two networks, and the choices that give their numbers meaning."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..._checks import check_choice, check_positive_int, check_rng, matrix
from ..._choices import check_dtype, check_weight_init, check_widths
from ...activations import ACTIVATIONS
from ...dense import init_layers
from ...likelihoods import Bernoulli
from ...params import Stacks
from .network import discriminate, generate

OUTPUTS = {"identity": None, "sigmoid": (0, 1), "tanh": (-1, 1)}  # what a generator can emit
ROWS = 1000  # at once


@dataclass(frozen=True, eq=False, repr=False)
class GAN:
    """A generator G from noise to data, and a discriminator D from data to a logit of "real".

    Training changes the arrays of both in place.
    """

    generator: Stacks
    discriminator: Stacks
    activation: str
    discriminator_activation: str
    output: str

    @classmethod
    def init(
        cls,
        data_dim: int,
        *,
        hidden: Iterable[int] = (256, 256),
        latent_dim: int = 20,
        output: str = "sigmoid",
        activation: str = "relu",
        discriminator_hidden: Iterable[int] | None = None,
        discriminator_activation: str = "leaky_relu",
        weight_init: str | float = "glorot",
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator,
    ) -> GAN:
        """A model with random weights and zero biases, the two networks from two streams.

        data_dim                    D
        hidden                      widths of the generator's hidden layers
        latent_dim                  Z
        output                      "sigmoid" for data in [0, 1], "tanh" for [−1, 1], "identity"
        activation                  the generator's, one of npvae.ACTIVATIONS
        discriminator_hidden        None mirrors the generator's
        discriminator_activation    likewise one of npvae.ACTIVATIONS
        weight_init                 "glorot", "he", or the std of N(0, std²)
        dtype                       np.float32 to train, np.float64 to check gradients
        Raises TypeError or ValueError if an argument is not as described.
        """
        check_positive_int("data_dim", data_dim)
        check_positive_int("latent_dim", latent_dim)
        generator_hidden = check_widths("hidden", hidden)
        discriminator_hidden = (
            generator_hidden[::-1]
            if discriminator_hidden is None
            else check_widths("discriminator_hidden", discriminator_hidden)
        )
        check_choice("output", output, OUTPUTS)
        check_choice("activation", activation, ACTIVATIONS)
        check_choice("discriminator_activation", discriminator_activation, ACTIVATIONS)
        dtype = check_dtype(dtype)
        check_weight_init(weight_init, dtype)
        check_rng(rng)
        generator_rng, discriminator_rng = rng.spawn(2)
        widths = (latent_dim, *generator_hidden, data_dim)
        generator = init_layers(widths, weight_init, dtype=dtype, rng=generator_rng)
        widths = (data_dim, *discriminator_hidden, 1)
        discriminator = init_layers(widths, weight_init, dtype=dtype, rng=discriminator_rng)
        return cls(
            Stacks({"generator": generator}),
            Stacks({"discriminator": discriminator}),
            activation,
            discriminator_activation,
            output,
        )

    @property
    def data_dim(self) -> int:
        """D."""
        return self.generator.stacks["generator"][-1].b.size

    @property
    def latent_dim(self) -> int:
        """Z."""
        return self.generator.stacks["generator"][0].W.shape[0]

    @property
    def dtype(self) -> np.dtype:
        """The parameters' dtype, and so that of everything the model computes."""
        return self.generator.stacks["generator"][0].W.dtype

    def sample(self, n: int, *, rng: np.random.Generator) -> np.ndarray:
        """G(z) for n draws of z from N(0, I).

        -> (n, D)
        Raises TypeError or ValueError unless n is an integer >= 1 and rng a Generator.
        """
        check_positive_int("n", n)
        check_rng(rng)
        return generate(self, rng.standard_normal((n, self.latent_dim), self.dtype)).x

    def logits(self, x: ArrayLike) -> np.ndarray:
        """The discriminator's log-odds of "real".

        x (N, D) -> (N,)
        Raises TypeError or ValueError if x is not a finite (N, D) array in the generator's range.
        """
        rows, unit = self.check_rows("x", x)
        parts = (rows[i : i + ROWS] for i in range(0, len(rows), ROWS))
        return np.concatenate(
            [discriminate(self, np.divide(part, unit, dtype=self.dtype)).logits for part in parts]
        )

    def check_rows(self, name: str, x: ArrayLike) -> tuple[np.ndarray, int]:
        """x as it is kept, uint8 or of the model's dtype, and the number in it that stands for 1.

        x (N, D) -> rows (N, D), unit
        Raises TypeError or ValueError if x is not a finite (N, D) array, or if it holds what the
        generator can never emit: no discriminator could be wrong about that.
        """
        form = {"columns": self.data_dim, "letters": "(N, D)", "dtype": self.dtype}
        if self.output == "sigmoid":
            rows = matrix(name, x, **form, keep=(np.uint8,))
            if rows.dtype == np.uint8:
                return rows, Bernoulli().check_support(name, rows)
        else:
            rows = matrix(name, x, **form)
        self._check_range(name, rows)
        return rows, 1

    def _check_range(self, name, x):
        if OUTPUTS[self.output] is None:
            return
        low, high = OUTPUTS[self.output]
        if x.min() < low or x.max() > high:
            raise ValueError(
                f"{name} spans [{x.min():g}, {x.max():g}]; the generator's output, "
                f"{self.output}, spans [{low}, {high}]: rescale {name}, or take another output"
            )

    def copy(self) -> GAN:
        """A model of the same parameters, which training this one leaves alone."""
        return self.astype(self.dtype)

    def astype(self, dtype: DTypeLike) -> GAN:
        """A copy of the model with parameters of dtype."""
        dtype = check_dtype(dtype)
        both = self.generator.astype(dtype), self.discriminator.astype(dtype)
        return dataclasses.replace(self, generator=both[0], discriminator=both[1])

    def __repr__(self) -> str:
        """Widths from noise to data, and from data to the logit."""
        (generator,), (discriminator,) = (
            stacks.stacks.values() for stacks in (self.generator, self.discriminator)
        )
        return (
            f"GAN({_widths(generator)} {self.activation} {self.output}, "
            f"{_widths(discriminator)} {self.discriminator_activation}, {self.dtype})"
        )


def _widths(layers):
    return "-".join(str(n) for n in (layers[0].W.shape[0], *(layer.b.size for layer in layers)))
