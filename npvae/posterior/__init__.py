"""What is behind x: draws of z from the posterior, and log p(x) by annealing.     chapter 20

joint          log p(x, z), and its gradient in z
hmc            chains that follow that gradient
convergence    whether chains agree, and how many draws they are worth
sampling       sample_posterior: the three together
annealing      from the prior to the posterior, a little at a time
bracket        log p(x) from below and from above, by annealing there and back
observations   what is seen instead of x; separable: blur, and fewer pixels
observed       p(y|z), the likelihood that an observation makes of p(x|z)
restoring      x given y                                                   chapter 21
imputing       what may stand in the holes of a table                      chapter 7c

Not loaded by `import npvae`.
"""

from .annealing import annealing_schedule
from .bracket import AnnealedLogLikelihood, annealed_log_likelihood, annealed_upper_bound, simulate
from .convergence import effective_samples, split_r_hat
from .hmc import Chains, sample
from .imputing import Imputed, impute
from .joint import Density, log_joint, log_joint_backward, posterior_density
from .observations import Linear, Noise, Observation, Pixels
from .restoring import MostLikely, Restored, log_predictive, most_likely, restore
from .sampling import ChainWarning, PosteriorSamples, sample_posterior
from .separable import Blur, Fewer

__all__ = [
    "AnnealedLogLikelihood",
    "Blur",
    "ChainWarning",
    "Chains",
    "Density",
    "Fewer",
    "Imputed",
    "Linear",
    "MostLikely",
    "Noise",
    "Observation",
    "Pixels",
    "PosteriorSamples",
    "Restored",
    "annealed_log_likelihood",
    "annealed_upper_bound",
    "annealing_schedule",
    "effective_samples",
    "impute",
    "log_joint",
    "log_joint_backward",
    "log_predictive",
    "most_likely",
    "posterior_density",
    "restore",
    "sample",
    "sample_posterior",
    "simulate",
    "split_r_hat",
]
