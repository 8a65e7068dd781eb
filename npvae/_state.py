"""What an optimizer remembers: arrays beside the parameters'."""

import operator

import numpy as np


class State:
    """An array of each name beside each array of the parameters, of its shape.

    Zero at first, bound to those parameters from then on.
    """

    def __init__(self, *names):
        self.names = names
        self.params = None

    def beside(self, params, grads, shapes=None):
        """-> (w, dw, state, …, shapes of the matrices in w) for each w of params

        From arrays of zeros the first step of Adagrad, and of Adam, is
        −learning_rate·g/(|g| + ε), whatever the scale of g.            [optimizers.8]
        Raises ValueError if the parameters are not those of the first call, or the gradients
        have other shapes or dtypes.
        """
        params, grads = list(params), list(grads)
        for what in ("shape", "dtype"):
            of_params, of_grads = ([getattr(a, what) for a in arrays] for arrays in (params, grads))
            if of_params != of_grads:
                raise ValueError(
                    f"params have the {what}s {', '.join(map(str, of_params))}, grads "
                    f"{', '.join(map(str, of_grads))}; expected the same"
                )
        self._bind(params)
        each = zip(params, grads, self.states, shapes or [None] * len(params), strict=True)
        return [(w, dw, *state, within) for w, dw, state, within in each]

    def arrays(self, params):
        """{name/i: the i-th of this name}"""
        self._bind(list(params))
        return {
            f"{name}/{i}": array
            for i, arrays in enumerate(self.states)
            for name, array in zip(self.names, arrays, strict=True)
        }

    def recall(self, params, memory):
        """Copy the arrays of memory, by these names."""
        params = list(params)
        states = [[memory[f"{name}/{i}"] for name in self.names] for i in range(len(params))]
        for w, arrays in zip(params, states, strict=True):
            for array in arrays:
                if array.shape != w.shape or array.dtype != w.dtype:
                    raise ValueError(
                        f"the optimizer's memory has an array {array.dtype} {array.shape} beside "
                        f"parameters {w.dtype} {w.shape}"
                    )
        self._bind(params)
        self.states = [[array.copy() for array in arrays] for arrays in states]

    def _bind(self, params):
        if self.params is None:
            self.params = params
            self.states = [[np.zeros_like(w) for _ in self.names] for w in params]
        if len(params) != len(self.params) or any(map(operator.is_not, params, self.params)):
            raise ValueError(
                "this optimizer holds the state of another model's parameters; make a new one"
            )
