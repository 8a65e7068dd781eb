"""p(t|x): a network reads x, and a likelihood reads the network's output as a distribution over t.

With Categorical(C) it is a classifier of C classes, softmax regression where no layer is hidden;
with Bernoulli() logistic regression, with Gaussian(sigma) least squares. The code is one: the
likelihoods are those that a VAE's decoder has, and x stands where z stood.

passes  forward and back
model   `Predictor`
train   `train_predictor`
"""

from .model import Predictor
from .train import PredictorEpoch, train_predictor

__all__ = ["Predictor", "PredictorEpoch", "train_predictor"]
