"""check_likelihood: what is sound passes, and each kind of mistake is caught by its own check."""

import math

import numpy as np
import pytest
from scipy import special, stats

import npvae
from models import LIKELIHOODS


class Poisson(npvae.Likelihood):
    """x_d ~ Poisson(e^log_rate_d): counts."""

    support = np.arange(300.0)

    def log_prob(self, x, log_rate):
        return np.sum(x * log_rate - np.exp(log_rate) - special.gammaln(x + 1), axis=-1)

    def log_prob_backward(self, dlog_px_z, x, log_rate):
        return dlog_px_z[..., None] * (x - np.exp(log_rate))

    def mean(self, log_rate):
        return np.exp(log_rate)

    def draw(self, log_rate, *, rng):
        return rng.poisson(np.exp(log_rate)).astype(log_rate.dtype)

    def output_bias(self, x_mean):
        return np.log(np.maximum(x_mean, 0.001)).astype(x_mean.dtype)

    def floor(self, x):
        x_mean = np.maximum(x.mean(axis=0, dtype=np.float64), 0.001)
        return float(np.mean(self.log_prob(x, np.log(x_mean))))


class Gamma(npvae.Likelihood):
    """x_d ~ Gamma(shape, e^log_scale_d), the shape learned: a density of half the line."""

    support = (0, math.inf)

    def init_learned(self, dtype, data_dim):
        return {"log_shape": np.full(1, 0.5, dtype)}

    def log_prob(self, x, log_scale, log_shape):
        k = np.exp(log_shape)
        terms = (k - 1) * np.log(x) - x * np.exp(-log_scale) - k * log_scale - special.gammaln(k)
        return terms.sum(axis=-1)

    def log_prob_backward(self, dlog_px_z, x, log_scale, log_shape):
        return dlog_px_z[..., None] * (x * np.exp(-log_scale) - np.exp(log_shape))

    def log_prob_backward_learned(self, dlog_px_z, x, log_scale, log_shape):
        k = np.exp(log_shape)
        slopes = np.sum(np.log(x) - log_scale - special.digamma(k), axis=-1)
        return {"log_shape": np.full_like(log_shape, np.sum(dlog_px_z * slopes) * k[0])}

    def mean(self, log_scale):
        return np.exp(log_scale) * np.exp(log_scale.dtype.type(0.5))

    def draw(self, log_scale, *, rng, log_shape):
        draws = rng.standard_gamma(np.exp(log_shape), log_scale.shape, log_scale.dtype)
        return draws * np.exp(log_scale)

    def output_bias(self, x_mean):
        return np.log(x_mean) - x_mean.dtype.type(0.5)

    def floor(self, x):
        return 1e3  # none is lower, and so none is missed


COUNTS = np.random.default_rng(0).poisson(3, (3, 4)).astype(float)


def check(likelihood, x=COUNTS, seed=0):
    return npvae.check_likelihood(likelihood, x, rng=np.random.default_rng(seed))


@pytest.mark.equation("likelihoods.37")
@pytest.mark.parametrize("likelihood", LIKELIHOODS.values(), ids=LIKELIHOODS)
@pytest.mark.parametrize("seed", [0, 1])
def test_npvaes_own_pass(likelihood, seed):
    x = np.random.default_rng(seed).integers(0, 2, (2, 3)).astype(float)
    errors = check(likelihood, x, seed)
    assert errors.log_mass < 1e-9
    assert errors.gradient < 1e-7
    assert errors.mean < 1e-6
    assert 0 < errors.draws < 5.5
    assert errors.output_bias < 1e-6


@pytest.mark.parametrize("sigma", [1e-3, 0.05, 300.0])
def test_a_density_of_any_width_is_added_up(sigma):
    assert check(npvae.Gaussian(sigma), np.zeros((1, 2))).log_mass < 1e-9
    assert check(npvae.LearnedGaussian(sigma), np.zeros((1, 1))).log_mass < 1e-9


def test_likelihoods_of_ones_own_pass():
    assert check(Poisson()).log_mass < 1e-9
    assert check(Gamma(), COUNTS + 0.5).log_mass < 1e-9


@pytest.mark.filterwarnings("ignore::npvae.UnreliableWarning")  # of so few draws
def test_a_likelihood_of_ones_own_trains_and_is_evaluated():
    rng = np.random.default_rng(0)
    x = rng.poisson(np.exp(rng.standard_normal((300, 1)) @ np.ones((1, 6))))
    own = Poisson()
    vae = npvae.VAE.init(
        6, hidden=(16,), latent_dim=2, likelihood=own, x_mean=x.mean(axis=0), rng=rng
    )
    assert repr(vae) == "VAE(6-16-2, tanh, Poisson(), float32)"
    epochs = npvae.train(vae, x, epochs=15, batch_size=20, optimizer=npvae.Adam(1e-2), rng=rng)
    *_, last = epochs
    floor = np.mean(stats.poisson.logpmf(x, x.mean(axis=0)).sum(axis=1))
    assert own.floor(x) == pytest.approx(floor)
    assert last.elbo > floor + 1
    assert npvae.evaluate(vae, x, rng=rng).elbo > floor + 1
    assert np.all(npvae.log_likelihood(vae, x[:20], samples=50, rng=rng).effective_samples > 1)
    assert "floor" in str(npvae.diagnose(vae, x))
    assert vae.sample(3, rng=rng, draw=True).dtype == np.float32


def changed(base, **methods):
    return type("Changed", (base,), methods)()


def half_gradient(self, *args):
    return Poisson.log_prob_backward(self, *args) / 2


def no_normaliser(self, x, log_rate):
    return Poisson.log_prob(self, x, log_rate) + np.float32(0.25)


def no_factorial(self, x, log_rate):
    return np.sum(x * log_rate - np.exp(log_rate), axis=-1)


def one_more(self, log_rate, *, rng):
    return Poisson.draw(self, log_rate, rng=rng) + 1


def rounded_mean(self, log_rate, *, rng):
    """Right on average, and too narrow."""
    low = np.floor(np.exp(log_rate))
    chance = np.exp(log_rate) - low
    return low + (rng.random(low.shape) < chance)


MISTAKES = {
    "gradient": ({"log_prob_backward": half_gradient}, npvae.GradientError, r"output\[.*0.5 times"),
    "a constant": ({"log_prob": no_normaliser}, npvae.LikelihoodError, "off by 0.25 nats"),
    "no factorial": ({"log_prob": no_factorial}, npvae.LikelihoodError, "the probabilities sum to"),
    "draws": ({"draw": one_more}, npvae.LikelihoodError, "draws have mean"),
    "spread": ({"draw": rounded_mean}, npvae.LikelihoodError, "draws have variance"),
    "mean": ({"mean": lambda self, a: a}, npvae.LikelihoodError, "mean is .* the density's mean"),
    "bias": ({"output_bias": lambda self, m: m}, npvae.LikelihoodError, r"mean\(output_bias\(m"),
    "floor": ({"floor": lambda self, x: -1e9}, npvae.LikelihoodError, r"floor\(x\) is -1e\+09"),
    "no floor": ({"floor": lambda self, x: np.nan}, npvae.LikelihoodError, r"floor\(x\) is nan"),
    "shape": (
        {"log_prob": lambda self, x, a: Poisson.log_prob(self, x, a).mean(axis=0)},
        npvae.LikelihoodError,
        r"log_prob gives float32 \(3,\); expected float32 \(2, 3\)",
    ),
    "dtype": (
        {"mean": lambda self, a: np.exp(a.astype(float))},
        npvae.LikelihoodError,
        r"mean gives float64 .* expected float32",
    ),
    "nan": (
        {"log_prob": lambda self, x, a: np.sum(np.log(a), axis=-1)},
        npvae.LikelihoodError,
        "log_prob gives NaN or inf",
    ),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_caught(mistake):
    methods, error, message = MISTAKES[mistake]
    with pytest.raises(error, match=message):
        check(changed(Poisson, **methods))


def steeper(self, *args, **learned):
    slopes = Gamma.log_prob_backward_learned(self, *args, **learned)
    return {name: 1.01 * slope for name, slope in slopes.items()}


def misnamed(self, *args, **learned):
    return {"shape": np.zeros(1)}


def widened(self, *args, **learned):
    return {"log_shape": np.zeros(1)}


@pytest.mark.parametrize(
    ("backward", "error", "message"),
    [
        (steeper, npvae.GradientError, "argument 2"),
        (misnamed, npvae.LikelihoodError, r"has \['shape'\]; init_learned \['log_shape'\]"),
        (widened, npvae.LikelihoodError, r"learned, log_shape: gives float64 \(1,\); expected fl"),
    ],
)
def test_a_mistake_in_what_is_learned_is_caught(backward, error, message):
    with pytest.raises(error, match=message):
        check(changed(Gamma, log_prob_backward_learned=backward), COUNTS + 0.5)


def test_columns_may_have_supports_of_their_own():
    class Mixed(npvae.Gaussian):
        """One binary column beside one of real numbers."""

        support = property(lambda self: [np.array([0.0, 1.0]), (-math.inf, math.inf)])
        parts = npvae.Bernoulli(), npvae.Gaussian(0.5)

        def each(self, method, *args):
            return [
                getattr(part, method)(*(a[..., d : d + 1] for a in args))
                for d, part in enumerate(self.parts)
            ]

        def log_prob(self, x, output):
            return sum(self.each("log_prob", x, output))

        def log_prob_backward(self, g, x, output):
            parts = [
                part.log_prob_backward(g, x[:, d : d + 1], output[..., d : d + 1])
                for d, part in enumerate(self.parts)
            ]
            return np.concatenate(parts, axis=-1)

        def mean(self, output):
            return np.concatenate(self.each("mean", output), axis=-1)

        def draw(self, output, *, rng):
            parts = [p.draw(output[..., d : d + 1], rng=rng) for d, p in enumerate(self.parts)]
            return np.concatenate(parts, axis=-1)

        def output_bias(self, x_mean):
            return np.concatenate(self.each("output_bias", x_mean))

        def floor(self, x):
            return sum(self.each("floor", x))

    x = np.array([[0.0, 1.3], [1, -0.2], [1, 0.4]])
    with pytest.raises(npvae.LikelihoodError, match="terms do not add up to log_prob"):
        check(Mixed(0.5), x)

    class Termed(Mixed):
        def terms(self, x, output):
            return np.concatenate([p[..., None] for p in self.each("log_prob", x, output)], -1)

        def terms_backward(self, dterms, x, output):
            parts = [
                part.log_prob_backward(dterms[..., d], x[:, d : d + 1], output[..., d : d + 1])
                for d, part in enumerate(self.parts)
            ]
            return np.concatenate(parts, axis=-1)

    assert check(Termed(0.5), x).log_mass < 1e-9


class Scaled(npvae.Gaussian):
    """Gaussians whose widths are constants, one a column."""

    sigmas = np.array([1, 10], np.float32)

    def log_prob(self, x, mean):
        return super().log_prob(x / self.sigmas, mean / self.sigmas) - math.log(10)

    def log_prob_backward(self, g, x, mean):
        return super().log_prob_backward(g, x / self.sigmas, mean / self.sigmas) / self.sigmas

    def draw(self, mean, *, rng):
        return super().draw(mean / self.sigmas, rng=rng) * self.sigmas

    def floor(self, x):
        return super().floor(x / self.sigmas) - math.log(10)


def test_columns_with_constants_of_their_own_need_terms_of_their_own():
    """The base's spread each row's entries over both widths, and raise nothing."""
    with pytest.raises(npvae.LikelihoodError, match="terms do not add up to log_prob"):
        check(Scaled(1.0), np.array([[0.3, 4.0], [-1, 2]]))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"likelihood": Poisson}, TypeError, "an instance of a npvae.Likelihood"),
        ({"likelihood": "poisson"}, TypeError, "likelihood is 'poisson'"),
        ({"likelihood": npvae.Likelihood()}, TypeError, "lacks log_prob"),
        ({"likelihood": npvae.Bernoulli()}, ValueError, r"x spans \[0, "),
        ({"x": np.zeros(3)}, ValueError, r"x has shape \(3,\); expected \(B, D\)"),
        ({"x": "counts"}, TypeError, "expected an array of real numbers"),
        ({"rng": 0}, TypeError, "rng is 0"),
        ({"draws": 0}, ValueError, "draws is 0"),
    ],
)
def test_bad_input_is_refused(arguments, error, message):
    arguments = {"likelihood": Poisson(), "x": COUNTS, "rng": np.random.default_rng(0)} | arguments
    with pytest.raises(error, match=message):
        npvae.check_likelihood(arguments.pop("likelihood"), arguments.pop("x"), **arguments)
