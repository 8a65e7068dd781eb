"""Values and gradients are those of automatic differentiation, in float64.

`parity/` holds the model and its objectives once more, in PyTorch and in JAX, as the papers
write them and with nothing of npvae but the numbers in the model.
"""

import importlib
import itertools

import numpy as np
import pytest

import npvae
from npvae.likelihoods import (
    Bernoulli,
    Categorical,
    ColumnGaussian,
    ContinuousBernoulli,
    Gaussian,
    HeteroscedasticGaussian,
    Holes,
    LearnedGaussian,
    NegativeBinomial,
    Poisson,
    Product,
    Standardized,
    StudentT,
)
from npvae.objectives import ClosedForm, FreeBits, ImportanceWeighted, Sampled
from npvae.posterior import Fewer, Linear, Noise, Pixels
from npvae.posterior.joint import posterior_density
from npvae.posterior.restoring import seen_through
from npvae.relatives import (
    GAN,
    Autoencoder,
    ConditionalVAE,
    Predictor,
    SemiSupervisedVAE,
    conditional_elbo,
    conditional_elbo_backward,
)
from npvae.relatives.autoencoder import autoencode, autoencode_backward
from npvae.relatives.classifier.passes import read, read_backward
from npvae.relatives.gan.losses import GENERATOR_LOSSES
from npvae.relatives.gan.steps import discriminator_gradient, generator_gradient
from npvae.relatives.semi_supervised.bounds import (
    Weights,
    bounds,
    bounds_backward,
    loss_backward,
)

TOLERANCE = 1e-10  # rounding, measured over 3,240 models, is below 2e-12
ROUNDS = 2  # models drawn for each objective, likelihood and activation
OBJECTIVES = {
    "elbo": lambda L: ClosedForm(1, L),
    "beta 0": lambda L: ClosedForm(0, L),
    "beta 4": lambda L: ClosedForm(4, L),
    "free bits": lambda L: FreeBits(0.5, L),  # half of the drawn dimensions are above it
    "sampled": lambda L: Sampled(1, L),
    "sampled, beta ½": lambda L: Sampled(0.5, L),
    "total": lambda L: ImportanceWeighted(L, "total"),
    "stl": lambda L: ImportanceWeighted(L, "stl"),
    "dreg": lambda L: ImportanceWeighted(L, "dreg"),
}
LIKELIHOODS = {
    type(likelihood).__name__: likelihood
    for likelihood in (
        Bernoulli(),
        Gaussian(0.7),
        HeteroscedasticGaussian(0.1),
        LearnedGaussian(),
        ContinuousBernoulli(),
        Categorical(5),
    )
}
STUDENT, CLUMPS = StudentT(5, 0.8, 0.1), NegativeBinomial(2)
MIXED = Product([([2, 0], STUDENT), ([1], CLUMPS), ([3], Categorical(3, whole=True))])
TABLES = {  # D = 4
    "ColumnGaussian": ColumnGaussian(0.7, 0.1),
    "StudentT": STUDENT,
    "Poisson": Poisson(),
    "NegativeBinomial": CLUMPS,
    "categories": Categorical(3, whole=True),
    "Standardized": Standardized(STUDENT, (1, -2, 0.5, 0), (0.3, 2, 5, 1)),
    "Product": MIXED,
    "Holes": Holes(MIXED),
    "Holes in units": Holes(Standardized(STUDENT, (1, -2, 0.5, 0), (0.3, 2, 5, 1))),
}
ALL = list(itertools.product(LIKELIHOODS, OBJECTIVES, npvae.ACTIVATIONS))
PAIRS = itertools.product(LIKELIHOODS, OBJECTIVES)
SOME = [(*pair, act) for pair, act in zip(PAIRS, itertools.cycle(npvae.ACTIVATIONS), strict=False)]


def peer(library, module="peer"):
    pytest.importorskip(library)
    return importlib.import_module(f"parity.{library}_{module}")


def draw_sizes(rng):
    """B, L, D, Z and the hidden widths, none to two on each side."""
    B, L, D, Z = rng.integers(1, 6, 4).tolist()
    hidden, decoder_hidden = (rng.integers(1, 6, rng.integers(3)).tolist() for _ in range(2))
    return B, L, D, Z, hidden, decoder_hidden


def draw_case(likelihood, objective, activation, sizes, rng):
    """vae, x, noise, objective, dbound; every parameter drawn, biases and widths too."""
    B, L, D, Z, hidden, decoder_hidden = sizes
    vae = npvae.VAE.init(
        D,
        hidden=hidden,
        decoder_hidden=decoder_hidden,
        latent_dim=Z,
        likelihood=(LIKELIHOODS | TABLES)[likelihood],
        activation=activation,
        dtype=np.float64,
        rng=rng,
    )
    for array in vae.params.arrays().values():
        array[...] = rng.normal(0, 0.7, array.shape)
    x = rng.integers(5, size=(B, D)) / 4  # levels of Categorical(5), in every support
    noise = rng.standard_normal((L, B, Z))
    return vae, x, noise, OBJECTIVES[objective](L), rng.standard_normal(B)


def compute(vae, x, noise, objective, dbound):
    """-> what a peer's compute returns, by npvae."""
    trace = npvae.elbo(vae, x, noise, objective)
    gradients = npvae.elbo_backward(dbound, vae, x, noise, trace).arrays()
    return {name: getattr(trace, name) for name in ("log_px_z", "kl", "bound")}, gradients


def assert_equal(ours, theirs):
    """‖ours − theirs‖ ≤ TOLERANCE ‖theirs‖, array by array.

    Nothing is added to the right: a gradient that is zero, as below a dead ReLU, is exactly so.
    """
    assert ours.keys() == theirs.keys()
    for name, expected in theirs.items():
        assert ours[name].shape == expected.shape, name
        assert ours[name].dtype == expected.dtype == np.float64, name
        error, norm = np.linalg.norm(ours[name] - expected), np.linalg.norm(expected)
        assert error <= TOLERANCE * norm, f"{name}: {error:.1e} off, of {norm:.1e}"


def assert_parity(case, other):
    for ours, theirs in zip(compute(*case), other.compute(*case), strict=True):
        assert_equal(ours, theirs)


@pytest.mark.parametrize(("likelihood", "objective", "activation"), ALL)
def test_pytorch_computes_the_same(likelihood, objective, activation):
    index = ALL.index((likelihood, objective, activation))
    for seed in range(ROUNDS):
        rng = np.random.default_rng([index, seed])
        case = draw_case(likelihood, objective, activation, draw_sizes(rng), rng)
        assert_parity(case, peer("torch"))


@pytest.mark.parametrize(("likelihood", "objective", "activation"), SOME)
def test_jax_computes_the_same(likelihood, objective, activation):
    sizes = 4, 3, 3, 2, (5,), (4, 3)  # JAX compiles anew for others
    rng = np.random.default_rng(SOME.index((likelihood, objective, activation)))
    assert_parity(draw_case(likelihood, objective, activation, sizes, rng), peer("jax"))


@pytest.mark.parametrize("library", ["torch", "jax"])
@pytest.mark.parametrize("objective", ["elbo", "total", "dreg"])
@pytest.mark.parametrize("likelihood", TABLES)
def test_each_computes_the_same_of_tables(likelihood, objective, library):
    sizes = 5, 3, 4, 2, (5,), (4, 3)
    rng = np.random.default_rng(list(TABLES).index(likelihood))
    vae, _, *others = draw_case(likelihood, objective, "tanh", sizes, rng)
    x = rng.integers(3, size=(5, 4)).astype(float)
    if vae.likelihood.allows_holes:
        x[rng.random(x.shape) < 0.4] = np.nan
        assert 0 < np.isnan(x).sum() < x.size
    assert_parity((vae, x, *others), peer(library))


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_a_hundred_millionth_too_much_is_noticed(library):
    sizes = 4, 3, 3, 2, (5,), (4, 3)
    case = draw_case("LearnedGaussian", "dreg", "tanh", sizes, np.random.default_rng(0))
    ours, theirs = compute(*case), peer(library).compute(*case)
    for mine, other in zip(ours, theirs, strict=True):
        assert_equal(mine, other)
        for name in mine:
            with pytest.raises(AssertionError, match=f"{name}: .* off"):
                assert_equal(mine | {name: mine[name] * (1 + 1e-8)}, other)


# The models beside the VAE.


def random_parameters(*stacks, rng):
    for part in stacks:
        for array in part.arrays().values():
            array[...] = rng.normal(0, 0.7, array.shape)


@pytest.mark.parametrize("activation", npvae.ACTIVATIONS)
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_pytorch_computes_the_same_autoencoder(likelihood, activation):
    rng = np.random.default_rng(0)
    model = Autoencoder.init(
        4,
        hidden=(5, 3),
        latent_dim=2,
        likelihood=LIKELIHOODS[likelihood],
        activation=activation,
        dtype=np.float64,
        rng=rng,
    )
    random_parameters(model.params, rng=rng)
    x, seen = rng.integers(5, size=(6, 4)) / 4, rng.standard_normal((6, 4))
    code_noise, dlog_px_z = rng.standard_normal((6, 2)), rng.standard_normal((1, 6))
    trace = autoencode(model, x, seen, code_noise)
    ours = autoencode_backward(dlog_px_z, model, x, seen, trace).arrays()
    family = peer("torch", "family")
    assert_equal(ours, family.autoencoder(model, x, seen, code_noise, dlog_px_z[0]))


@pytest.mark.parametrize("prior_hidden", [None, (), (3,)], ids=["N(0, I)", "linear", "hidden"])
@pytest.mark.parametrize("objective", ["elbo", "beta 4", "sampled", "total"])
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_pytorch_computes_the_same_conditional_vae(likelihood, objective, prior_hidden):
    rng = np.random.default_rng(3)
    choices = {"activation": "tanh", "dtype": np.float64, "rng": rng, "hidden": (5, 3)}
    choices |= {"likelihood": LIKELIHOODS[likelihood], "prior_hidden": prior_hidden}
    model = ConditionalVAE.init(4, condition_dim=3, latent_dim=2, **choices)
    random_parameters(model.params, rng=rng)
    x, condition = rng.integers(5, size=(6, 4)) / 4, rng.standard_normal((6, 3))
    noise, dbound = rng.standard_normal((3, 6, 2)), rng.standard_normal(6)
    inputs = model, x, condition, noise
    trace = conditional_elbo(*inputs, OBJECTIVES[objective](3))
    ours = conditional_elbo_backward(dbound, *inputs, trace).arrays()
    bound, theirs = peer("torch", "family").conditional(*inputs, trace.objective, dbound)
    np.testing.assert_allclose(trace.bound, bound, rtol=1e-12)
    assert_equal(ours, theirs)


@pytest.mark.parametrize("activation", npvae.ACTIVATIONS)
def test_pytorch_computes_the_same_classifier(activation):
    rng = np.random.default_rng(1)
    choices = {"activation": activation, "dtype": np.float64, "rng": rng}
    predictor = Predictor.init(4, likelihood=npvae.Categorical(5), hidden=(6, 3), **choices)
    random_parameters(predictor.params, rng=rng)
    x, labels = rng.standard_normal((7, 4)), rng.integers(5, size=7)
    t = labels[:, None] / 4  # as Categorical reads them
    reading = read(predictor, x, t)
    ours = read_backward(np.full(7, -1 / 7), predictor, x, t, reading).arrays()
    assert_equal(ours, peer("torch", "family").classifier(predictor, x, labels))


@pytest.mark.parametrize("loss", GENERATOR_LOSSES)
@pytest.mark.parametrize("activation", npvae.ACTIVATIONS)
@pytest.mark.parametrize("output", ["identity", "sigmoid", "tanh"])
def test_pytorch_computes_the_same_gan(output, activation, loss):
    rng = np.random.default_rng(2)
    gan = GAN.init(
        4,
        hidden=(5, 3),
        latent_dim=2,
        output=output,
        activation=activation,
        discriminator_activation=activation,
        dtype=np.float64,
        rng=rng,
    )
    random_parameters(gan.generator, gan.discriminator, rng=rng)
    x, noise = rng.random((6, 4)), rng.standard_normal((6, 2))
    judged = discriminator_gradient(gan, x, noise)[-1].arrays()
    made = generator_gradient(gan, noise, GENERATOR_LOSSES[loss])[-1].arrays()
    theirs = peer("torch", "family").gan(gan, x, noise, loss)
    for ours, other in zip((judged, made), theirs, strict=True):
        assert_equal(ours, other)


@pytest.mark.parametrize("activation", npvae.ACTIVATIONS)
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_pytorch_sees_the_same_behind_y(likelihood, activation):
    rng = np.random.default_rng(3)
    sizes = 3, 2, 9, 2, (), (5, 4)
    vae, x, *_ = draw_case(likelihood, "elbo", activation, sizes, rng)
    z, theirs = rng.standard_normal((2, 3, 2)), peer("torch", "restoring")
    mask = rng.random((3, 9)) < 0.5
    mask[:, 0] = True
    for observation in (
        Pixels(mask),
        Noise(0.4),
        Fewer(3, 0.3, (3, 3)),
        Linear(rng.standard_normal((4, 9)), sigma=0.5),
    ):
        y = observation.apply(x)
        log_joint, dz = posterior_density(seen_through(vae, observation), y)(z)
        if isinstance(observation, Pixels):
            want = theirs.pixels(vae, y, z, mask)
        else:
            A = observation.apply(np.eye(9)).T
            want = theirs.linear(vae, y, z, A, observation.sigma, observation.gram)
        assert_equal({"log_joint": log_joint, "dz": dz}, want)


@pytest.mark.parametrize("activation", npvae.ACTIVATIONS)
@pytest.mark.parametrize("likelihood", ["Bernoulli", "LearnedGaussian"])
def test_pytorch_computes_the_same_sum_over_classes(likelihood, activation):
    rng = np.random.default_rng(3)
    choices = {"activation": activation, "dtype": np.float64, "rng": rng, "latent_dim": 2}
    choices |= {"likelihood": LIKELIHOODS[likelihood], "hidden": (5, 3), "classes": 3}
    model = SemiSupervisedVAE.init(4, **choices)
    random_parameters(*model.params, rng=rng)
    x, labels, noise = rng.random((6, 4)), np.array([2, 0]), rng.standard_normal((3, 6, 2))
    weights = Weights(0.2, 0.8, 1.3)
    passed = bounds(model, x, labels, noise)
    ours = bounds_backward(*loss_backward(passed, weights), model, labels, passed).arrays()
    theirs = peer("torch", "family").semi_supervised(model, x, labels, noise, weights)
    assert_equal(ours, theirs)
