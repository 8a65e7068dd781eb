"""The smallest game: one number against another over V(x, y) = x·y.

x goes down V, y goes up. The saddle is x = y = 0, where neither gains by moving. The eigenvalues of
a step say whether it spirals outwards.
"""

import numpy as np


def simultaneous_step(x, y, learning_rate):
    """x' = x − η y,  y' = y + η x: both look at the old position.       [gan.1]

    x, y and the results: numbers, or arrays of one shape; η is the learning rate
    """
    return x - learning_rate * y, y + learning_rate * x


def alternating_step(x, y, learning_rate):
    """x' = x − η y,  y' = y + η x': y looks at where x went.            [gan.2]

    x, y and the results: numbers, or arrays of one shape; η is the learning rate
    """
    x = x - learning_rate * y
    return x, y + learning_rate * x


def simultaneous_matrix(learning_rate):
    """(x', y') = M (x, y): eigenvalues 1 ± iη, of size √(1 + η²).       [gan.3]

    -> M (2, 2)
    The distance from the saddle grows by the same factor at every step, whatever η > 0.
    """
    return np.array([[1, -learning_rate], [learning_rate, 1]], float)


def alternating_matrix(learning_rate):
    """(x', y') = M (x, y): det M = 1, trace M = 2 − η².                 [gan.4]

    -> M (2, 2)
    So for 0 < η < 2 the eigenvalues are e^±iφ with cos φ = 1 − η²/2: an orbit that closes.
    """
    return np.array([[1, -learning_rate], [learning_rate, 1 - learning_rate**2]], float)


def momentum_step(state, learning_rate, beta):
    """m ← βm + (1 − β)y, x ← x − ηm;  n ← βn + (1 − β)x, y ← y + ηn.    [gan.5]

    state (x, y, m, n) -> the next one
    Alternating steps with the running means of the gradients that Adam takes, β its β₁.
    """
    x, y, m, n = state
    m = beta * m + (1 - beta) * y
    x = x - learning_rate * m
    n = beta * n + (1 - beta) * x
    return np.array([x, y + learning_rate * n, m, n])


def momentum_growth(learning_rate, beta):
    """The largest |λ| of one such step, near 1 + η² β/(1 − β).          [gan.6]

    A number: above 1, the orbit spirals outwards, and this is the factor for each step.
    """
    matrix = np.transpose([momentum_step(unit, learning_rate, beta) for unit in np.eye(4)])
    return float(np.abs(np.linalg.eigvals(matrix)).max())
