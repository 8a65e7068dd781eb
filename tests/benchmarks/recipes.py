"""How to train: what may be chosen beside the model, and what was chosen."""

from typing import NamedTuple

from npvae.schedules import Cosine, Linear, WarmUp


class Recipe(NamedTuple):
    """The learning rate of Adam, the weight of the KL, and what else may be chosen."""

    epochs: int  # at most
    peak: float = 1e-3
    warm_up: float = 0.0  # epochs up to the peak
    fall: str | None = "linear"  # from there to 0
    rise: int = 0  # epochs in which the weight of the KL rises to 1
    output_scale: float = 1.0  # times the decoder's last weights, to begin with
    batch_size: int | None = None  # None: as the configuration says

    def schedules(self, epoch):
        """The rate and the weight at each step, of which an epoch has so many."""
        steps = self.epochs * epoch
        warm_up = round(self.warm_up * epoch)
        rate = WarmUp(self.peak, max(1, warm_up))
        if self.fall:
            rate = FALLS[self.fall](self.peak, steps, warm_up)
        beta = WarmUp(1.0, max(1, self.rise * epoch))
        return {"rates": tuple(map(rate, range(steps))), "betas": tuple(map(beta, range(steps)))}


FALLS = {"linear": Linear, "cosine": Cosine}
PUBLISHED = Recipe(epochs=12, fall=None)
SHORT = Recipe(4, 1e-2, 0.3, rise=3, output_scale=0.1)
SHORT_GREY = Recipe(4, 8e-3, 0.15, batch_size=80)  # see quality.py on the fourth
IN_ONE_GO = Recipe(500, 4e-3, 1 / 3, rise=50, batch_size=100)  # as examples/log_likelihood.py
RECIPES = {
    "a": {
        "published": PUBLISHED,
        "short": SHORT,
        "level": SHORT._replace(fall=None),
        "cosine": SHORT._replace(fall="cosine"),
        "low": SHORT._replace(peak=3e-3),
        "high": SHORT._replace(peak=2e-2),
        "abrupt": SHORT._replace(warm_up=0.0),
        "full-kl": SHORT._replace(rise=0),
        "full-scale": SHORT._replace(output_scale=1.0),
        "long": SHORT._replace(epochs=10, peak=5e-3),
    },
    "b": {
        "published": PUBLISHED,
        "short": SHORT_GREY,
        "three": SHORT_GREY._replace(epochs=3),
        "batch-128": SHORT_GREY._replace(peak=1e-2, batch_size=None),
        "rising-kl": SHORT_GREY._replace(rise=2),
        "small-scale": SHORT_GREY._replace(output_scale=0.1),
        "long": SHORT_GREY._replace(epochs=10, peak=5e-3),
    },
    "c": {"short": IN_ONE_GO},
}
# Where ten epochs at a constant 1e-3 end: npvae's, and those of PyTorch's VAE example. The third
# is of log p(x), which README's table reaches in Burda, Grosse & Salakhutdinov's sixth stage.
TARGETS = {"a": -103.7, "b": -105.6, "c": -88.0}
# Draws for log p(x), of a model that is judged by it, and only where its recipe ends.
DRAWS = {"c": 5000}
