"""What the encoder reads of x, and the mean of x, as nodes of an ONNX graph."""

import numpy as np

from ..likelihoods import (
    Bernoulli,
    Categorical,
    ColumnGaussian,
    ContinuousBernoulli,
    Gaussian,
    HeteroscedasticGaussian,
    Holes,
    LearnedGaussian,
    NegativeBinomial,
    Poisson,
    Product,
    Standardized,
    StudentT,
)
from ..likelihoods.continuous_bernoulli import SERIES


def encoder_input(graph, likelihood, x, D) -> str:
    """What the encoder reads of x (N, D), as likelihood.encoder_input says.

    Raises ValueError if that has no counterpart here.
    """
    if likelihood.reads_x:
        return x
    return _known(INPUTS, likelihood, "what the encoder reads")(graph, likelihood, x, D)


def mean(graph, likelihood, h, W, b) -> str:
    """E[x|z] (N, D) of the decoder's last hidden layer and its last layer.

    Raises ValueError if that has no counterpart here.
    """
    return _known(MEANS, likelihood, "the mean")(graph, likelihood, h, W, b)


def _known(table, likelihood, what):
    if type(likelihood) not in table:
        known = ", ".join(kind.__name__ for kind in table)
        raise ValueError(f"no ONNX graph for {what} of {likelihood!r}; there is one for {known}")
    return table[type(likelihood)]


def _log_of_count(graph, likelihood, x, D):
    """log(1 + x)"""
    return graph.node("Log", graph.node("Add", x, graph.constant(1.0)))


def _standardized(graph, likelihood, x, D):
    """(x − shift)/scale"""
    centred = graph.node("Sub", x, graph.constant(likelihood.shift))
    return graph.node("Div", centred, graph.constant(likelihood.scale))


def _one_hot(graph, likelihood, x, D):
    """[x_d = j] for every level j, side by side"""
    entries = graph.node("Reshape", x, graph.constant(np.array([-1, D, 1])))
    equal = graph.node("Equal", entries, graph.constant(likelihood.support))
    side_by_side = graph.constant(np.array([-1, D * likelihood.levels]))
    return graph.node("Reshape", graph.number(equal), side_by_side)


def _filled_and_seen(graph, likelihood, x, D):
    """What is read of x, 0 where that is NaN, and 1 for each d seen"""
    read = encoder_input(graph, likelihood.likelihood, x, D)
    filled = graph.node("Where", graph.node("IsNaN", read), graph.constant(0.0), read)
    seen = graph.node("Not", graph.node("IsNaN", x))
    return graph.node("Concat", filled, graph.number(seen), axis=1)


def _inputs_side_by_side(graph, likelihood, x, D):
    reads = [
        encoder_input(graph, part, _columns(graph, x, columns), len(columns))
        for columns, part in likelihood.parts
    ]
    return graph.node("Concat", *reads, axis=1)


def _output_itself(graph, likelihood, h, W, b):
    return graph.dense(h, W, b)


def _sigmoid(graph, likelihood, h, W, b):
    return graph.node("Sigmoid", graph.dense(h, W, b))


def _exp(graph, likelihood, h, W, b):
    return graph.node("Exp", graph.dense(h, W, b))


def _first_half(graph, likelihood, h, W, b):
    D = b.size // 2
    return graph.dense(h, W[:, :D], b[:D])


def _mean_level(graph, likelihood, h, W, b):
    """Σ_k p_dk support_k"""
    shape = graph.constant(np.array([-1, b.size // likelihood.levels, likelihood.levels]))
    logits = graph.node("Reshape", graph.dense(h, W, b), shape)
    values = graph.constant(likelihood.support)
    return graph.node("MatMul", graph.node("Softmax", logits, axis=2), values)


def _leaning(graph, likelihood, h, W, b):
    """E[y], the distance from the nearer end, as mean_distance has it, at the logits' end"""
    node, constant = graph.node, graph.constant
    one, half, zero = constant(1.0), constant(0.5), constant(0.0)
    a = graph.dense(h, W, b)
    rate = node("Abs", a)
    near, far = node("Min", rate, one), node("Max", rate, one)
    square, series = node("Mul", near, near), zero
    for c in reversed(SERIES):
        series = node("Add", node("Mul", series, square), constant(c))
    by_series = node("Sub", half, node("Mul", near, series))
    e = node("Exp", node("Neg", far))
    by_fractions = node("Sub", node("Div", one, far), node("Div", e, node("Sub", one, e)))
    y = node("Where", node("Less", rate, one), by_series, by_fractions)
    return node("Where", node("Less", a, zero), y, node("Sub", one, y))


def _in_own_units(graph, likelihood, h, W, b):
    """shift + scale·E[u|z]"""
    of_u = mean(graph, likelihood.likelihood, h, W, b)
    scaled = graph.node("Mul", graph.constant(likelihood.scale), of_u)
    return graph.node("Add", graph.constant(likelihood.shift), scaled)


def _of_whole_rows(graph, likelihood, h, W, b):
    return mean(graph, likelihood.likelihood, h, W, b)


def _means_in_order(graph, likelihood, h, W, b):
    """Each part's mean from its own outputs, and then the columns where they belong"""
    stop, means, order = 0, [], []
    for columns, part in likelihood.parts:
        start, stop = stop, stop + part.output_width(len(columns))
        means.append(mean(graph, part, h, W[:, start:stop], b[start:stop]))
        order += columns
    return _columns(graph, graph.node("Concat", *means, axis=1), np.argsort(order))


def _columns(graph, x, columns):
    return graph.node("Gather", x, graph.constant(np.array(columns)), axis=1)


INPUTS = {
    Poisson: _log_of_count,
    NegativeBinomial: _log_of_count,
    Standardized: _standardized,
    Categorical: _one_hot,
    Holes: _filled_and_seen,
    Product: _inputs_side_by_side,
}
MEANS = {
    Bernoulli: _sigmoid,
    ContinuousBernoulli: _leaning,
    Gaussian: _output_itself,
    LearnedGaussian: _output_itself,
    ColumnGaussian: _output_itself,
    StudentT: _output_itself,
    HeteroscedasticGaussian: _first_half,
    Categorical: _mean_level,
    Poisson: _exp,
    NegativeBinomial: _exp,
    Standardized: _in_own_units,
    Holes: _of_whole_rows,
    Product: _means_in_order,
}
