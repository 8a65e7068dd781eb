"""A model's encoder and decoder as ONNX graphs, for runtimes in other languages and in browsers.

Two files, because between them z is drawn, which is the caller's: vae.encoder.onnx computes mu
and logvar from x, vae.decoder.onnx what `VAE.decode` returns from z, of any number of rows. They
are written by hand, in a version of the format that is old enough for every runtime.

https://github.com/onnx/onnx/blob/main/onnx/onnx.proto has the numbers of the fields.
"""

from pathlib import Path

import numpy as np

from ..activations import LEAKY_SLOPE
from . import archive
from .onnx_likelihoods import encoder_input, mean
from .protobuf import message

IR_VERSION, OPSET = 6, 11  # of 2019
TYPES = {"float32": 1, "float64": 11, "int64": 7}  # TensorProto.DataType
INT = 2  # AttributeProto.AttributeType
ROWS = "N"  # as many as there are


def save(vae, path) -> list[Path]:
    """Write path with .encoder and .decoder before its suffix.  -> both paths

    Raises ValueError if the likelihood has no counterpart there; and as `archive.whole` does.
    """
    graphs = {"encoder": encoder_graph(vae), "decoder": decoder_graph(vae)}
    paths = []
    for part, graph in graphs.items():
        paths.append(path.with_suffix(f".{part}{path.suffix}"))
        with archive.whole(paths[-1]) as file:
            file.write(graph)
    return paths


def encoder_graph(vae) -> bytes:
    """The model file of x (N, D) -> mu, logvar (N, Z).

    Raises ValueError if what the likelihood's encoder reads of x has no counterpart there.
    """
    graph = Graph(vae.dtype)
    *hidden, (W, b) = vae.params.encoder
    read = encoder_input(graph, vae.likelihood, "x", vae.data_dim)
    h = graph.hidden(read, hidden, vae.activation)
    Z = vae.latent_dim
    graph.dense(h, W[:, :Z], b[:Z], output="mu")
    graph.dense(h, W[:, Z:], b[Z:], output="logvar")
    return graph.model("encoder", {"x": vae.data_dim}, {"mu": Z, "logvar": Z})


def decoder_graph(vae) -> bytes:
    """The model file of z (N, Z) -> mean (N, D).

    Raises ValueError if the likelihood's mean has no counterpart there.
    """
    graph = Graph(vae.dtype)
    *hidden, last = vae.params.decoder
    h = graph.hidden("z", hidden, vae.activation)
    graph.node("Identity", mean(graph, vae.likelihood, h, *last), output="mean")
    return graph.model("decoder", {"z": vae.latent_dim}, {"mean": vae.data_dim})


class Graph:
    """Nodes and constants, each array of them named once; numbers are of one dtype."""

    def __init__(self, dtype):
        self.dtype = np.dtype(dtype)
        self.nodes, self.constants = [], []

    def node(self, op, *inputs, output=None, **attributes) -> str:
        """Add op(inputs), attributes being integers.  -> the name of what it computes"""
        output = output or f"{op.lower()}_{len(self.nodes)}"
        fields = [message({1: k, 3: v, 20: INT}) for k, v in attributes.items()]
        self.nodes.append(message({1: list(inputs), 2: output, 4: op, 5: fields}))
        return output

    def constant(self, array) -> str:
        """Add an array.  -> its name"""
        array = np.asarray(array)
        array = array.astype("<i8" if array.dtype.kind == "i" else self.dtype.newbyteorder("<"))
        name = f"constant_{len(self.constants)}"
        tensor = {1: list(array.shape), 2: TYPES[array.dtype.name], 8: name, 9: array.tobytes()}
        self.constants.append(message(tensor))
        return name

    def number(self, truth) -> str:
        """1 where it is true, else 0."""
        return self.node("Cast", truth, to=TYPES[self.dtype.name])

    def dense(self, h, W, b, output=None) -> str:
        """h W + b, in two nodes: onnxruntime 1.15 cannot run a Gemm and a Sigmoid in float64."""
        product = self.node("MatMul", h, self.constant(W))
        return self.node("Add", product, self.constant(b), output=output)

    def hidden(self, h, layers, activation) -> str:
        """The last hidden layer of a stack, or its input if there is none."""
        for layer in layers:
            h = ACTIVATIONS[activation](self, self.dense(h, *layer))
        return h

    def model(self, name, inputs, outputs) -> bytes:
        """The model file; inputs and outputs {name: width}."""
        sides = [[self._value(*item) for item in side.items()] for side in (inputs, outputs)]
        fields = {1: self.nodes, 2: name, 5: self.constants, 11: sides[0], 12: sides[1]}
        opset = message({1: "", 2: OPSET})
        return message({1: IR_VERSION, 2: "npvae", 7: message(fields), 8: opset})

    def _value(self, name, width):
        """name, of shape (N, width)."""
        shape = message({1: [message({2: ROWS}), message({1: width})]})
        tensor = message({1: TYPES[self.dtype.name], 2: shape})
        return message({1: name, 2: message({1: tensor})})


def _leaky_relu(graph, a):
    """max(a, slope a), which keeps the slope's digits: ONNX's own has a float32 one."""
    return graph.node("Max", a, graph.node("Mul", a, graph.constant(LEAKY_SLOPE)))


def _softplus(graph, a):
    """In float64 as max(a, 0) + log(1 + e^−|a|), because runtimes have no Softplus there."""
    if graph.dtype == np.float32:
        return graph.node("Softplus", a)
    e = graph.node("Exp", graph.node("Neg", graph.node("Abs", a)))
    rest = graph.node("Log", graph.node("Add", e, graph.constant(1.0)))
    return graph.node("Add", graph.node("Relu", a), rest)


ACTIVATIONS = {
    "identity": lambda graph, a: a,
    "tanh": lambda graph, a: graph.node("Tanh", a),
    "sigmoid": lambda graph, a: graph.node("Sigmoid", a),
    "relu": lambda graph, a: graph.node("Relu", a),
    "leaky_relu": _leaky_relu,
    "softplus": _softplus,
}
