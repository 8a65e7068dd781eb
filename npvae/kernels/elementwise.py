"""Activations and their backwards: the same formula for every number of an array."""

import numpy as np

from . import functions
from .arrays import check_alike, flat
from .functions import ONE, ZERO
from .threads import CHUNK, loop, over_chunks


def _elementwise(loop, *arrays, numbers=()):
    """A new array, filled by the loop from arrays of its own shape and from numbers."""
    check_alike(*arrays)
    out = np.empty(arrays[0].shape, arrays[0].dtype)
    over_chunks(loop)(out.size, CHUNK, out.ravel(), *map(flat, arrays), *map(float, numbers))
    return out


@loop
def _tanh(start, stop, y, a):
    for i in range(start, stop):
        y[i] = functions.tanh(a[i])


def tanh(a):
    """tanh(a).        any shape"""
    return _elementwise(_tanh, a)


@loop
def _tanh_backward(start, stop, da, dy, y):
    for i in range(start, stop):
        da[i] = dy[i] * (ONE - y[i] * y[i])


def tanh_backward(dy, y):
    """dy (1 − y²).        any shape"""
    return _elementwise(_tanh_backward, dy, y)


@loop
def _sigmoid(start, stop, y, a):
    for i in range(start, stop):
        y[i] = functions.sigmoid(a[i])


def sigmoid(a):
    """1 / (1 + e^−a).        any shape"""
    return _elementwise(_sigmoid, a)


@loop
def _sigmoid_backward(start, stop, da, dy, y):
    for i in range(start, stop):
        da[i] = dy[i] * y[i] * (ONE - y[i])


def sigmoid_backward(dy, y):
    """dy y (1 − y).        any shape"""
    return _elementwise(_sigmoid_backward, dy, y)


@loop
def _relu(start, stop, y, a):
    for i in range(start, stop):
        y[i] = functions.positive_part(a[i])


def relu(a):
    """max(a, 0).        any shape"""
    return _elementwise(_relu, a)


@loop
def _relu_backward(start, stop, da, dy, y):
    for i in range(start, stop):
        da[i] = dy[i] if y[i] > ZERO else ZERO


def relu_backward(dy, y):
    """dy where y > 0, else 0.        any shape"""
    return _elementwise(_relu_backward, dy, y)


@loop
def _leaky_relu(start, stop, y, a, slope):
    slope = y.dtype.type(slope)
    for i in range(start, stop):
        y[i] = a[i] if a[i] > ZERO else slope * a[i]


def leaky_relu(a, slope):
    """a where a > 0, else slope·a.        any shape"""
    return _elementwise(_leaky_relu, a, numbers=[slope])


@loop
def _leaky_relu_backward(start, stop, da, dy, y, slope):
    slope = da.dtype.type(slope)
    for i in range(start, stop):
        da[i] = dy[i] if y[i] > ZERO else slope * dy[i]


def leaky_relu_backward(dy, y, slope):
    """dy where y > 0, else slope·dy.        any shape"""
    return _elementwise(_leaky_relu_backward, dy, y, numbers=[slope])


@loop
def _softplus(start, stop, y, a):
    for i in range(start, stop):
        y[i] = functions.softplus(a[i])


def softplus(a):
    """log(1 + e^a).        any shape"""
    return _elementwise(_softplus, a)


@loop
def _softplus_backward(start, stop, da, dy, y):
    for i in range(start, stop):
        da[i] = dy[i] * -functions.expm1(-y[i])


def softplus_backward(dy, y):
    """dy (1 − e^−y).        any shape"""
    return _elementwise(_softplus_backward, dy, y)
