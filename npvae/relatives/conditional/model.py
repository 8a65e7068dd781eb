"""ConditionalVAE: a VAE that is told something beside x."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os import PathLike

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..._checks import check_positive_int, check_rng, matrix
from ..._choices import check_dtype, check_widths
from ...activations import ACTIVATIONS
from ...dense import Layer, init_layers, stack
from ...likelihoods import Likelihood
from ...params import Params, Stacks
from ...reparameterization import reparameterize
from ...storage import model as storage
from ...training import Rows
from ...vae import ENCODED_ROWS, VAE
from .bound import conditional_prior
from .conditions import beside, check_condition


class ConditionalParams(Params):
    """φ and θ of a conditional VAE: Params, and a third stack `prior`, () if p(z|c) = N(0, I)."""

    def __init__(
        self,
        encoder: Iterable[Layer],
        decoder: Iterable[Layer],
        prior: Iterable[Layer],
        likelihood: Mapping[str, np.ndarray],
    ) -> None:
        stacks = {"encoder": encoder, "decoder": decoder, "prior": prior}
        Stacks.__init__(self, stacks, likelihood)

    @property
    def prior(self) -> tuple[Layer, ...]:
        """θ: c to (m, log s²), the last layer's two halves."""
        return self.stacks["prior"]


@dataclass(frozen=True, eq=False, repr=False)
class ConditionalVAE:
    """A prior p(z|c), a decoder p(x|z, c) and an encoder q(z|x, c), given a condition c.

    Wherever one is asked for, condition is (N, C), a row for each of N; or one row for all.
    Training changes the arrays in `params` in place.
    """

    params: ConditionalParams
    likelihood: Likelihood
    activation: str

    @classmethod
    def init(
        cls,
        data_dim: int,
        *,
        condition_dim: int,
        hidden: Iterable[int] = (500,),
        latent_dim: int = 20,
        likelihood: Likelihood,
        activation: str = "tanh",
        decoder_hidden: Iterable[int] | None = None,
        prior_hidden: Iterable[int] | None = None,
        weight_init: str | float = "glorot",
        x_mean: ArrayLike | None = None,
        dtype: DTypeLike = np.float32,
        rng: np.random.Generator,
    ) -> ConditionalVAE:
        """A model with random weights and zero biases; arguments and errors of `VAE.init`, and

        condition_dim       C
        prior_hidden        widths of the hidden layers from c to the prior's m and log s²; () for
                            a linear one; None for the prior N(0, I), whatever c is
        The weights that multiply c start at zero, and so do m and log s²: at first the model is
        the VAE that `VAE.init` makes, and c changes nothing.
        """
        check_positive_int("condition_dim", condition_dim)
        vae = VAE.init(
            data_dim,
            hidden=hidden,
            latent_dim=latent_dim,
            likelihood=likelihood,
            activation=activation,
            decoder_hidden=decoder_hidden,
            weight_init=weight_init,
            x_mean=x_mean,
            dtype=dtype,
            rng=rng,
        )
        prior: tuple[Layer, ...] = ()
        if prior_hidden is not None:
            widths = (condition_dim, *check_widths("prior_hidden", prior_hidden), 2 * latent_dim)
            prior = init_layers(widths, weight_init, dtype=vae.dtype, rng=rng.spawn(1)[0])
            prior[-1].W[:] = 0
        encoder, decoder = (
            (_with_rows(layers[0], condition_dim), *layers[1:])
            for layers in (vae.params.encoder, vae.params.decoder)
        )
        params = ConditionalParams(encoder, decoder, prior, vae.params.likelihood)
        return cls(params, likelihood, activation)

    @property
    def data_dim(self) -> int:
        """D."""
        return self.likelihood.data_dim(self.params.encoder[0].W.shape[0] - self.condition_dim)

    @property
    def condition_dim(self) -> int:
        """C."""
        return self.params.decoder[0].W.shape[0] - self.latent_dim

    @property
    def latent_dim(self) -> int:
        """Z."""
        return self.params.encoder[-1].b.size // 2

    @property
    def dtype(self) -> np.dtype:
        """The parameters' dtype, and so that of everything the model computes."""
        return self.params.rows[0].dtype

    def given(self, condition: ArrayLike) -> VAE:
        """The VAE that this model is at one condition c, with z' = (z − m)/s for its z.

        a₁ = z Wz + c Wc + b = z' (s Wz) + (b + m Wz + c Wc), and likewise for the encoder, whose
        heads become (mu − m)/s and logvar − log s².             [conditional.7]
        condition (C,) -> VAE, with log p(x) for log p(x|c): for whatever takes one
        """
        c = self.check_condition("condition", condition, 1)
        _, m, log_s2 = conditional_prior(self, c)
        s, Z = np.exp(log_s2 / 2), self.latent_dim
        encoder, decoder = list(self.params.encoder), list(self.params.decoder)
        W, b = encoder[0]
        of_x = len(W) - self.condition_dim
        encoder[0] = Layer(W[:of_x], b + (c @ W[of_x:])[0])
        W, b = encoder[-1]
        scale, shift = np.hstack([1 / s, np.ones_like(s)]), np.hstack([-m / s, -log_s2])
        encoder[-1] = Layer(W * scale, (b * scale + shift)[0])
        W, b = decoder[0]
        decoder[0] = Layer(s.T * W[:Z], b + (m @ W[:Z] + c @ W[Z:])[0])
        params = Params(encoder, decoder, self.params.likelihood)
        return VAE(params, self.likelihood, self.activation)

    def prior(self, condition: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """p(z|c) = N(m, diag(e^logvar)).        condition (N, C) -> m, logvar (N, Z)"""
        c = matrix(
            "condition", condition, columns=self.condition_dim, letters="(N, C)", dtype=self.dtype
        )
        return conditional_prior(self, c)[1:]

    def encode(self, x: ArrayLike, condition: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """q(z|x, c) = N(mu, diag(e^logvar)).

        x (N, D), condition (N, C) -> mu, logvar (N, Z)
        Raises TypeError or ValueError if x or condition is not as described.
        """
        rows, activation = self.rows("x", x), ACTIVATIONS[self.activation]
        c = self.check_condition("condition", condition, len(rows.x))
        heads = [
            stack(
                beside(self.likelihood.encoder_input(batch), c[at]), self.params.encoder, activation
            )[1]
            for batch, at in rows.in_order(ENCODED_ROWS)
        ]
        mu, logvar = np.split(np.concatenate(heads), 2, axis=-1)
        return mu, logvar

    def decode(self, z: ArrayLike, condition: ArrayLike) -> np.ndarray:
        """E[x|z, c].        z (N, Z), condition (N, C) -> mean (N, D)

        Raises TypeError or ValueError if z or condition is not as described.
        """
        return self.likelihood.mean(self._decoder_output(z, condition))

    def reconstruct(self, x: ArrayLike, condition: ArrayLike) -> np.ndarray:
        """E[x|z, c] at z = mu, the mean of q(z|x, c).        -> mean (N, D)"""
        mu, _ = self.encode(x, condition)
        return self.decode(mu, condition)

    def sample(
        self, n: int, condition: ArrayLike, *, rng: np.random.Generator, draw: bool = False
    ) -> np.ndarray:
        """E[x|z, c] for n draws of z from p(z|c); with draw=True, a draw of x itself.

        condition (n, C), or (C,) for all -> (n, D)
        Raises TypeError or ValueError if an argument is not as described.
        """
        check_positive_int("n", n)
        check_rng(rng)
        c = self.check_condition("condition", condition, n)
        noise = rng.standard_normal((1, n, self.latent_dim), self.dtype)
        _, m, log_s2 = conditional_prior(self, c)
        output = self._decoder_output(reparameterize(m, log_s2, noise)[0], c)
        if draw:
            return self.likelihood.draw(output, rng=rng, **self.params.likelihood)
        return self.likelihood.mean(output)

    def rows(self, name: str, x: ArrayLike, likelihood: Likelihood | None = None) -> Rows:
        """x as it is kept: uint8, where the likelihood reads grey levels, or of model's dtype.

        x (N, D). Raises TypeError or ValueError if x is not a finite (N, D) array in the support.
        """
        form = {"columns": self.data_dim, "letters": "(N, D)", "dtype": self.dtype}
        likelihood = likelihood or self.likelihood
        kept = matrix(name, x, **form, keep=(np.uint8,), holes=likelihood.allows_holes)
        unit = likelihood.check_support(name, kept)
        return Rows(kept, unit, self.dtype)

    def check_condition(self, name: str, condition: ArrayLike, n: int) -> np.ndarray:
        """condition as (n, C) of the model's dtype; one row, (C,) or (1, C), serves all n.

        Raises TypeError or ValueError if it is missing, of another shape or not finite.
        """
        return check_condition(name, condition, self.condition_dim, n, self.dtype)

    def save(self, path: str | PathLike) -> None:
        """Write the model to one .npz, as `VAE.save` does. Raises as that does."""
        choices = self.params, self.likelihood, self.activation
        storage.save(path, *choices, condition_dim=self.condition_dim)

    @classmethod
    def load(cls, path: str | PathLike, *, likelihood: Likelihood | None = None) -> ConditionalVAE:
        """The model that `save` wrote to path. Raises as `VAE.load` does."""
        arrays, *choices = storage.load(path, likelihood, conditional=True)
        return cls(ConditionalParams(*arrays), *choices)

    def copy(self) -> ConditionalVAE:
        """A copy of the model, which does not change when this one is trained."""
        return self.astype(self.dtype)

    def astype(self, dtype: DTypeLike) -> ConditionalVAE:
        """A copy of the model with parameters of dtype."""
        return dataclasses.replace(self, params=self.params.astype(check_dtype(dtype)))

    def __repr__(self) -> str:
        """Widths from x and c to z, and the choices."""
        hidden = [layer.b.size for layer in self.params.encoder[:-1]]
        widths = "-".join(map(str, [self.data_dim, *hidden, self.latent_dim]))
        prior = "N(m(c), diag s²(c))" if self.params.prior else "N(0, I)"
        choices = f"{self.activation}, {self.likelihood!r}, {self.dtype}"
        return f"ConditionalVAE({widths} given {self.condition_dim}, prior {prior}, {choices})"

    def _decoder_output(self, z, condition):
        z = matrix("z", z, columns=self.latent_dim, letters="(N, Z)", dtype=self.dtype)
        c = self.check_condition("condition", condition, len(z))
        return stack(beside(z, c), self.params.decoder, ACTIVATIONS[self.activation])[1]


def _with_rows(layer, n):
    """The layer with n rows of zeros below its W: inputs that do not count yet."""
    return Layer(np.vstack([layer.W, np.zeros((n, layer.b.size), layer.W.dtype)]), layer.b)
