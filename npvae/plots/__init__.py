"""Every picture: functions that return a matplotlib Figure and need no screen.

    from npvae import plots
    plots.prior_samples(vae, rng=rng).savefig("prior_samples.png")

`import npvae` leaves these modules, and so matplotlib, unread. Images are data and means
E[x|z], never logits and never smoothed; whatever is in nats says so.
"""

from .charts import kl_per_dimension, latent_scatter, training_curves
from .images import manifold, prior_samples, reconstructions, traversals

__all__ = [
    "kl_per_dimension",
    "latent_scatter",
    "manifold",
    "prior_samples",
    "reconstructions",
    "training_curves",
    "traversals",
]
