"""What the library can do with the learner's functions in it, all at once: three numbers."""

import subprocess
import textwrap

from .catalogue import WorkshopError
from .parent import Broken, ask

KL = ("npvae.kl:gaussian_kl_per_dim", "npvae.kl:gaussian_kl")
BACKWARD = (
    "npvae.kl:gaussian_kl_backward",
    "npvae.reparameterization:reparameterize_backward",
    "npvae.likelihoods.bernoulli:Bernoulli.log_prob_backward",
    "npvae.activations:tanh_backward",
    "npvae.dense:dense_backward_input",
    "npvae.dense:dense_backward_params",
    "npvae.dense:stack_backward",
    "npvae.objectives:ClosedForm.bound_backward",
    "npvae.elbo:elbo_backward",
)
FORWARD = (
    *KL,
    "npvae.reparameterization:reparameterize",
    "npvae.likelihoods.bernoulli:Bernoulli.log_prob",
    "npvae.activations:tanh",
    "npvae.dense:dense",
    "npvae.dense:stack",
    "npvae.elbo:decode",
    "npvae.objectives:ClosedForm.bound",
    "npvae.elbo:elbo",
)
LOOP = (
    "npvae.training.step:descend",
    "npvae.training.loop:minibatches",
    "npvae.optimizers:Adam.update",
)
README_BOUND = -126.0  # nats: README's twenty lines end at −125.…, to be reached up to a nat


def reached(place, mine):
    """Print each milestone's number with all of the learner's functions in place; 0 if it ran."""
    answers = {}
    for exercise in mine:
        path = str((place.path / exercise.file).resolve())
        answers.setdefault(exercise.module, {})[exercise.name] = path
    try:
        found = ask("milestones", answers=answers)
    except Broken as error:
        words = str(error).strip().splitlines()[-3:]
        raise WorkshopError("with all of yours together: " + " ".join(words)) from None
    except subprocess.TimeoutExpired:
        raise WorkshopError("with all of yours together it did not come to an end") from None
    keys = {exercise.key for exercise in mine}
    for (words, needed, good), number in zip(MILESTONES, found, strict=True):
        have = [key for key in needed if key in keys]
        sign = "·" if not (have and good(number)) else "✓" if len(have) == len(needed) else "½"
        print(f"{sign} {words.format(number)}")
        print(f"    {len(have)} of the {len(needed)} functions that it takes are yours")
        missing = [key.split(":")[1] for key in needed if key not in keys]
        if have and missing:
            words = textwrap.wrap(f"still the library's: {', '.join(missing)}", 76)
            print(textwrap.indent("\n".join(words), "    "))
    return 0


MILESTONES = (  # (words, functions, whether the number is good enough)
    ("the KL is its integral, up to {:.1e} nats", KL, lambda error: error < 1e-8),
    (
        "every gradient is its difference quotient, up to {:.1e}",
        BACKWARD,
        lambda error: error < 1e-7,
    ),
    (
        "README's model learns the drawn digits to {:.2f} nats an image",
        (*FORWARD, *BACKWARD, *LOOP),
        lambda bound: README_BOUND < bound < 0,
    ),
)


def run(task, observer):
    """In a child, with the answers in place: the three numbers."""
    return [_kl_error(), _gradient_error(), _bound()]


def _kl_error():
    """The largest distance of gaussian_kl from quadrature of q log(q/p), in nats."""
    import numpy as np
    from scipy.integrate import quad
    from scipy.stats import norm

    from npvae.kl import gaussian_kl

    worst = 0.0
    for mu, logvar in ((0.0, 0.0), (0.5, -1.0), (-2.0, 1.0), (1.0, -4.0)):
        q = norm(mu, np.exp(logvar / 2))
        ends = mu - 12 * q.std(), mu + 12 * q.std()
        integral = quad(lambda z, q=q: q.pdf(z) * (q.logpdf(z) - norm.logpdf(z)), *ends)[0]
        kl = gaussian_kl(np.array([[mu, 0.0]]), np.array([[logvar, 0.0]]))[0]
        worst = max(worst, abs(float(kl) - integral))
    return worst


def _gradient_error():
    """The largest relative error of an array of elbo_backward, in float64."""
    import numpy as np

    import npvae

    rng = np.random.default_rng(0)
    options = {"likelihood": npvae.Bernoulli(), "dtype": np.float64, "rng": rng}
    vae = npvae.VAE.init(8, hidden=(6,), latent_dim=2, **options)
    x, noise = rng.random((5, 8)), rng.standard_normal((3, 5, 2))
    try:
        errors = npvae.check_model_gradient(vae, x, noise, rng=rng, tolerance=1e300)
    except npvae.GradientError:
        return float("inf")
    return max(errors.values())


def _bound():
    """README's twenty lines: the bound of the fifth epoch, in nats an image."""
    import numpy as np

    import npvae

    rng = np.random.default_rng(0)
    digits = npvae.datasets.glyph_digits(2000, rng=rng).images
    options = {"likelihood": npvae.Bernoulli(), "x_mean": digits.mean(axis=0), "rng": rng}
    vae = npvae.VAE.init(784, hidden=(200,), latent_dim=10, **options)
    options = {"batch_size": 50, "optimizer": npvae.Adam(1e-3), "binarize": True, "rng": rng}
    return [epoch.elbo for epoch in npvae.train(vae, digits, epochs=5, **options)][-1]
