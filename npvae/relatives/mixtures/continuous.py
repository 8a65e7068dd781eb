"""From discrete to continuous: K points of a decoder's curve are a mixture; all of them, a VAE."""

import numpy as np
from scipy.special import ndtri

from ..._checks import check_positive_int
from ...activations import ACTIVATIONS
from ...dense import stack
from ...likelihoods import Bernoulli, Gaussian, LearnedGaussian
from ...vae import VAE
from .families import BernoulliParams, Bernoullis, Family
from .gaussians import GaussianParams, SphericalGaussians
from .mixture import Mixture


def from_decoder(vae: VAE, components: int) -> Mixture:
    """p_K(x) = (1/K) Σ_k p(x|z_k),  z_k = Φ⁻¹((k − ½)/K).        [mixtures.13]

    The prior N(0, 1) cut into K pieces of equal mass, each at its median; K = components. As K
    grows, p_K(x) tends to ∫ p(z) p(x|z) dz, the log p(x) of the VAE.
    Raises ValueError unless vae has one latent dimension and a Bernoulli, Gaussian or
    LearnedGaussian likelihood; TypeError or ValueError unless components is an integer >= 1.
    Bishop, Svensén & Williams 1998, whose grid is uniform.
    """
    check_positive_int("components", components)
    if vae.latent_dim != 1:
        raise ValueError(f"the model has Z = {vae.latent_dim}; expected Z = 1, a curve")
    z = ndtri((np.arange(components) + 0.5) / components)[:, None]
    log_weights = np.full(components, -np.log(components))
    family, params = _components(vae.astype(np.float64), z)
    return Mixture(family, log_weights, params, vae.data_dim)


def _components(vae, z) -> tuple[Family, BernoulliParams | GaussianParams]:
    _, output = stack(z, vae.params.decoder, ACTIVATIONS[vae.activation])
    likelihood = vae.likelihood
    if isinstance(likelihood, Bernoulli):
        return Bernoullis(), BernoulliParams(output)
    if isinstance(likelihood, Gaussian):
        sigma = likelihood.sigma
    elif isinstance(likelihood, LearnedGaussian):
        sigma = float(np.exp(vae.params.likelihood["logvar"].item() / 2))
    else:
        raise ValueError(
            f"the model has a {type(likelihood).__name__} likelihood; expected Bernoulli, Gaussian "
            "or LearnedGaussian"
        )
    return SphericalGaussians(sigma), GaussianParams(output, np.full(len(z), sigma**2))
