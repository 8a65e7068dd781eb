"""Dense layers, y = x W + b, and stacks of them.

Rows are examples, R of them: x is (R, D_in), W is (D_in, D_out), y is (R, D_out). R is B in the
encoder and L·B in the decoder.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from . import kernels


class Layer(NamedTuple):
    """The parameters of one dense layer, or their gradients."""

    W: np.ndarray  # (D_in, D_out)
    b: np.ndarray  # (D_out,)


def dense(x, W, b):
    """y = x W + b.                                              [dense.1]

    x (R, D_in), W (D_in, D_out), b (D_out,) -> y (R, D_out)
    """
    return kernels.affine(x, W, b)


def dense_backward_input(dy, W):
    """dx = dy Wᵀ.                                               [dense.2]

    dy (R, D_out), W (D_in, D_out) -> dx (R, D_in)
    """
    return kernels.matmul(dy, W.T)


def dense_backward_params(dy, x, out=None):
    """dW = xᵀ dy,  db = Σ_r dy_r.                               [dense.3]

    dy (R, D_out), x (R, D_in) -> Layer(dW (D_in, D_out), db (D_out,)), written to the layer
    out if that is given
    """
    return Layer(*kernels.affine_backward_params(dy, x, *(out or ())))


def stack(x, layers, activation):
    """h₀ = x,  hᵢ = activation(hᵢ₋₁ Wᵢ + bᵢ),  y = hₙ₋₁ Wₙ + bₙ.    [dense.4]

    x (R, D_in) -> hidden (h₁, …, hₙ₋₁), y (R, D_out)
    The last layer is linear: no activation can be put on mu, logvar or logits.
    """
    hidden, h = [], x
    for layer in layers[:-1]:
        h = activation.forward(dense(h, *layer))
        hidden.append(h)
    return tuple(hidden), dense(h, *layers[-1])


def stack_backward(dy, x, layers, activation, hidden, out=None):
    """daₙ = dy,  daᵢ = activation_backward(daᵢ₊₁ Wᵢ₊₁ᵀ, hᵢ).         [dense.5]

    dy (R, D_out), x (R, D_in) -> da₁ (R, H₁), dlayers (as layers), written to out's if given
    It ends at da₁, the gradient of the first layer's x W + b. A caller who needs dx takes
    dense_backward_input(da₁, W₁); the gradient of the data is never computed.
    """
    inputs = (x, *hidden)
    out = out or [None] * len(layers)
    da = dy
    dlayers = [dense_backward_params(da, inputs[-1], out[-1])]
    for i in reversed(range(len(hidden))):
        da = activation.backward(dense_backward_input(da, layers[i + 1].W), hidden[i])
        dlayers.append(dense_backward_params(da, inputs[i], out[i]))
    return da, tuple(reversed(dlayers))


def stack_backward_input(dy, layers, activation, hidden):
    """dx = da₁ W₁ᵀ, with da₁ as in stack_backward.              [dense.9]

    dy (R, D_out) -> dx (R, D_in)
    For whoever asks of the input alone: no dW and no db is computed.
    """
    da = dy
    for layer, h in zip(reversed(layers[1:]), reversed(hidden), strict=True):
        da = activation.backward(dense_backward_input(da, layer.W), h)
    return dense_backward_input(da, layers[0].W)


def glorot_uniform(shape, *, rng):
    """W ~ U(−a, a),  a = √(6 / (D_in + D_out)).                 [dense.6]

    Keeps the sizes of both activations and gradients, nearly, from layer to layer.
    Glorot & Bengio 2010, eq. (16).
    """
    a = np.sqrt(6 / sum(shape))
    return rng.uniform(-a, a, shape)


def he_normal(shape, *, rng):
    """W ~ N(0, 2 / D_in), for ReLU, which drops half its input. [dense.7]

    He, Zhang, Ren & Sun 2015, eq. (10).
    """
    return rng.normal(0, np.sqrt(2 / shape[0]), shape)


def init_layers(widths, weight_init, *, dtype, rng):
    """Wᵢ drawn as weight_init says, bᵢ = 0.                     [dense.8]

    widths (D₀, D₁, …, Dₙ) -> n layers, Wᵢ (Dᵢ₋₁, Dᵢ)
    weight_init is "glorot", "he", or a number: the std of N(0, std²).
    """
    layers = []
    for shape in pairwise(widths):
        if weight_init == "glorot":
            W = glorot_uniform(shape, rng=rng)
        elif weight_init == "he":
            W = he_normal(shape, rng=rng)
        else:
            W = rng.normal(0, weight_init, shape)
        layers.append(Layer(W.astype(dtype), np.zeros(shape[1], dtype)))
    return tuple(layers)
