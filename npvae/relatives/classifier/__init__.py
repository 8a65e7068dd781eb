"""p(t|x): a network reads x, and a likelihood reads the network's output as a distribution over t.

With Categorical(C) it is a classifier of C classes, called softmax regression if there is no
hidden layer; with Bernoulli() it is logistic regression, with Gaussian(sigma) least squares. One
code serves all: the likelihoods are those of a VAE's decoder, with x in the place of z.

passes  forward and back
model   `Predictor`
train   `train_predictor`
"""

from .model import Predictor
from .train import PredictorEpoch, train_predictor

__all__ = ["Predictor", "PredictorEpoch", "train_predictor"]
