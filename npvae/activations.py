"""Activations: each beside its backward, which reads the output y alone.

Remembering y instead of the input a costs nothing, because the next layer needs y anyway.
"""

from collections.abc import Callable
from typing import NamedTuple

from . import kernels

LEAKY_SLOPE = 0.01


class Activation(NamedTuple):
    """A function, and its vector-Jacobian product as a function of the output."""

    forward: Callable  # a -> y
    backward: Callable  # dy, y -> da


def identity(a):
    """y = a.                                                    [activations.1]"""
    return a


def identity_backward(dy, y):
    """da = dy.                                                  [activations.2]"""
    return dy


def tanh(a):
    """y = tanh(a) = (e^a − e^−a) / (e^a + e^−a).                [activations.3]"""
    return kernels.tanh(a)


def tanh_backward(dy, y):
    """da = dy (1 − y²).                                         [activations.4]"""
    return kernels.tanh_backward(dy, y)


def sigmoid(a):
    """y = 1 / (1 + e^−a).                                       [activations.5]

    Computed from e^−|a|, which cannot overflow.
    """
    return kernels.sigmoid(a)


def sigmoid_backward(dy, y):
    """da = dy y (1 − y).                                        [activations.6]"""
    return kernels.sigmoid_backward(dy, y)


def relu(a):
    """y = max(a, 0).                                            [activations.7]"""
    return kernels.relu(a)


def relu_backward(dy, y):
    """da = dy where y > 0, else 0.                              [activations.8]

    At the kink, a = 0, any slope in [0, 1] is a subgradient; this takes 0.
    """
    return kernels.relu_backward(dy, y)


def leaky_relu(a):
    """y = a where a > 0, else 0.01 a.                           [activations.9]

    Maas, Hannun & Ng 2013.
    """
    return kernels.leaky_relu(a, LEAKY_SLOPE)


def leaky_relu_backward(dy, y):
    """da = dy where y > 0, else 0.01 dy.                        [activations.10]

    y has a's sign because the slope is positive.
    """
    return kernels.leaky_relu_backward(dy, y, LEAKY_SLOPE)


def softplus(a):
    """y = log(1 + e^a).                                         [activations.11]

    Computed as max(a, 0) + log1p(e^−|a|), which cannot overflow.
    """
    return kernels.softplus(a)


def softplus_backward(dy, y):
    """da = dy (1 − e^−y), because e^y = 1 + e^a.                [activations.12]

    Computed by expm1, because in float32 1 − e^−y is 0 once y < 3e-8, that is, a < −17.3.
    """
    return kernels.softplus_backward(dy, y)


ACTIVATIONS = {
    "identity": Activation(identity, identity_backward),
    "tanh": Activation(tanh, tanh_backward),
    "sigmoid": Activation(sigmoid, sigmoid_backward),
    "relu": Activation(relu, relu_backward),
    "leaky_relu": Activation(leaky_relu, leaky_relu_backward),
    "softplus": Activation(softplus, softplus_backward),
}
