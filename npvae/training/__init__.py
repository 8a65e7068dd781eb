"""How a model learns from data: minibatches, steps, and a record after each epoch.

epoch       what is told of an epoch, and the error that ends a training
loop        the one loop over minibatches
step        one step of a VAE's parameters
progress    a run: what stays the same in it, and what changes
checkpoint  a run in a file
ranks       who makes a step: one process, or several
past        the epochs that have ended, as they are told
stopping    when one ends before its last epoch
telling     which findings are warned of, and when
run         `train`
"""

from .epoch import Epoch, NonFiniteError
from .loop import Rows, minibatches, visit
from .past import past_epochs
from .run import train
from .step import descend
from .stopping import Patience

__all__ = [
    "Epoch",
    "NonFiniteError",
    "Patience",
    "Rows",
    "descend",
    "minibatches",
    "past_epochs",
    "train",
    "visit",
]
