"""How a model learns from data: minibatches, steps, and a record after each epoch.

epoch   what is told of an epoch, and the error that ends a training
loop    the one loop over minibatches
step    one step of a VAE's parameters
run     `train`
"""

from .epoch import Epoch, NonFiniteError
from .loop import Rows, minibatches, visit
from .run import train
from .step import descend

__all__ = ["Epoch", "NonFiniteError", "Rows", "descend", "minibatches", "train", "visit"]
