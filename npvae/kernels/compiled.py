"""Every kernel of `reference`, compiled by numba and run on all cores.

Read `elementwise` first: a kernel is a plain loop from `start` to `stop`, and a function that
checks its arguments, allocates the result and hands the loop to `threads`. `products` builds
matrix products from registers, `functions` writes exp and its relatives as polynomials. Each
loop is compiled at its first call for a dtype, and kept on disk.
"""

from .batches import gather, gather_binary
from .bernoulli import bernoulli_log_prob, bernoulli_log_prob_backward
from .elementwise import (
    leaky_relu,
    leaky_relu_backward,
    relu,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    softplus,
    softplus_backward,
    tanh,
    tanh_backward,
)
from .products import affine, affine_backward_params, matmul
from .updates import adagrad_update, adam_update, max_abs, sgd_update

__all__ = [
    "adagrad_update",
    "adam_update",
    "affine",
    "affine_backward_params",
    "bernoulli_log_prob",
    "bernoulli_log_prob_backward",
    "gather",
    "gather_binary",
    "leaky_relu",
    "leaky_relu_backward",
    "matmul",
    "max_abs",
    "relu",
    "relu_backward",
    "sgd_update",
    "sigmoid",
    "sigmoid_backward",
    "softplus",
    "softplus_backward",
    "tanh",
    "tanh_backward",
]
