"""p(x|y, z) p(y) p(z): a label y that is known for a few rows, and summed over for the others.

A conditional VAE whose condition is the class, and a classifier that guesses it: each row without
a label is explained with every class, and each explanation counts as much as the classifier
believes in the class.

bounds  L and U, and the loss, forward and back
model   `SemiSupervisedVAE`
joined  the parameters of both models, for one optimizer
train   `train_semi_supervised`
"""

from .model import SemiSupervisedVAE
from .train import UNLABELLED, SemiSupervisedEpoch, train_semi_supervised

__all__ = ["UNLABELLED", "SemiSupervisedEpoch", "SemiSupervisedVAE", "train_semi_supervised"]
