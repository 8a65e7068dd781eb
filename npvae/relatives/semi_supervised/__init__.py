"""p(x|y, z): a label that is known for a few rows, and summed over for the others."""

from .model import SemiSupervisedVAE
from .train import train_semi_supervised
