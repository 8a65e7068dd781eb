"""Prints the numbers of chapter 22's two mistakes, on digits drawn from fonts.

python derivations/figures/conditional_mistakes.py
"""

import numpy as np

import npvae
from npvae.kl import gaussian_kl
from npvae.relatives import (
    ConditionalVAE,
    Predictor,
    evaluate_conditional,
    one_hot,
    train_conditional,
    train_predictor,
)
from npvae.relatives.conditional import bound, conditions

ROWS, EPOCHS, ASKED = 5000, 40, 100


def forgetful(a, condition):
    """`beside`, which forgets the condition beside z, where there are draws."""
    return conditions.beside(a, condition if a.ndim == 2 else 0 * condition)


def learn(x, c, prior_hidden, rng):
    choices = {"hidden": (100,), "latent_dim": 10, "likelihood": npvae.Bernoulli(), "rng": rng}
    model = ConditionalVAE.init(784, condition_dim=10, prior_hidden=prior_hidden, **choices)
    settings = {"epochs": EPOCHS, "optimizer": npvae.Adam(2e-3), "binarize": True, "rng": rng}
    list(train_conditional(model, x, c, **settings))
    return model


def main():
    rng = np.random.default_rng(0)
    digits = npvae.datasets.glyph_digits(ROWS + 1000, rng=rng)
    x, labels = digits.images, digits.labels
    classifier = Predictor.init(784, likelihood=npvae.Categorical(10), hidden=(100,), rng=rng)
    settings = {"epochs": 10, "optimizer": npvae.Adam(2e-3), "rng": rng}
    list(train_predictor(classifier, x[:ROWS], labels[:ROWS], **settings))
    print(f"classifier: {classifier.accuracy(x[ROWS:], labels[ROWS:]):.1%} of digits held out")
    test, c = npvae.binarize(x[ROWS:], rng=rng), one_hot(labels, 10)
    asked = np.repeat(np.arange(10), ASKED)
    for name, beside, prior_hidden in (
        ("as it is", conditions.beside, None),
        ("c forgotten at z", forgetful, None),
        ("with a prior of c", conditions.beside, ()),
    ):
        bound.beside = beside
        model = learn(x[:ROWS], c[:ROWS], prior_hidden, np.random.default_rng(1))
        worth = evaluate_conditional(model, test, c[ROWS:], samples=10, rng=rng)
        seen = classifier.predict(model.sample(len(asked), one_hot(asked, 10), rng=rng))
        print(f"{name}: {worth}; recognised {np.mean(seen == asked):.1%}")
        standard = gaussian_kl(*model.encode(test, c[ROWS:])).mean()
        print(f"  KL to p(z|c) {worth.kl:.2f}, to N(0, I) {standard:.2f}")


if __name__ == "__main__":
    main()
