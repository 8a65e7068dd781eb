"""The answers to the exercises of derivations/11-optimizers.md."""

import numpy as np
import pytest
from scipy.stats import norm

from npvae import SGD, Adagrad, Adam


def lengths(optimizer, gradients):
    """The length of each step of one coordinate."""
    w, found = np.zeros(1), []
    for g in gradients:
        before = w.copy()
        optimizer.update([w], [np.array([float(g)])])
        found.append(abs(w - before).item())
    return np.array(found)


@pytest.mark.parametrize("momentum", [0, 0.5, 0.9])
@pytest.mark.parametrize("curvature", [0.3, 4.0])
def test_1_the_edge_of_stability(momentum, curvature):
    edge = 2 * (1 + momentum) / curvature
    for eta, converges in ((0.97 * edge, True), (1.03 * edge, False)):
        w, optimizer = np.ones(1), SGD(eta, momentum=momentum)
        for _ in range(600):
            optimizer.update([w], [curvature * w])
        assert (abs(w) < 1e-3) if converges else (abs(w) > 1e3)


def test_2_adam_uncorrected():
    m = v = 0.0
    steps = []
    for _ in range(5000):
        m, v = 0.9 * m + 0.1 * 3, 0.999 * v + 0.001 * 9
        steps.append(m / v**0.5)
    assert np.argmax(steps) + 1 == 12
    assert max(steps) == pytest.approx(6.57, abs=0.005)


def test_3_how_far_adagrad_goes():
    distance = lengths(Adagrad(0.01), np.full(1000, 7.0)).cumsum()
    t = np.arange(1, 1001)
    np.testing.assert_allclose(distance, 0.01 * np.cumsum(1 / np.sqrt(t)), rtol=1e-6)
    assert 0.01 * sum(t**-0.5 for t in range(1, 10_001)) == pytest.approx(1.985, abs=5e-4)


def test_4_somebody_elses_decay():
    """The prior's own gradient, divided by N, is the penalty's, divided by the batch."""
    W, h = 0.8, 1e-4
    sigma = 1 / np.sqrt(2e-6 * 60_000)
    assert sigma == pytest.approx(2.89, abs=0.005)
    prior = -(norm.logpdf(W + h, 0, sigma) - norm.logpdf(W - h, 0, sigma)) / (2 * h) / 60_000
    penalty = 1e-4 * ((W + h) ** 2 - (W - h) ** 2) / (2 * h) / 100
    array = np.array([[W]])
    SGD(1e5, weight_decay=2e-6).update([array], [np.zeros((1, 1))])
    assert prior == pytest.approx(penalty, rel=1e-6)
    assert (W - array.item()) / 1e5 == pytest.approx(penalty, rel=1e-6)


@pytest.mark.parametrize(
    ("of_mean", "of_sum"),
    [
        (SGD(0.1, momentum=0.9), SGD(0.001, momentum=0.9)),
        (Adagrad(0.1), Adagrad(0.1, epsilon=1e-6)),
        (Adam(0.1), Adam(0.1, epsilon=1e-6)),
    ],
    ids=["SGD", "Adagrad", "Adam"],
)
def test_5_sum_for_mean(of_mean, of_sum):
    gradients = np.random.default_rng(0).standard_normal(30)
    steps = lengths(of_mean, gradients), lengths(of_sum, 100 * gradients)
    np.testing.assert_allclose(*steps, rtol=1e-9)


def test_6_after_a_silence():
    silence = np.zeros(400)
    for beta2 in (0.9, 0.97):
        longest = lengths(Adam(1.0, beta1=0.0, beta2=beta2), [*silence, 5.0])[-1]
        assert longest == pytest.approx((1 - beta2) ** -0.5, rel=1e-4)
    assert 31.55 < (1 - 0.999) ** -0.5 < 31.65
    # Any earlier gradient shortens the step.
    for age in (1, 10):
        history = [*silence, 5.0]
        history[-1 - age] = 1.0
        assert lengths(Adam(1.0, beta1=0.0, beta2=0.97), history)[-1] < longest


def test_7_over_the_edge():
    A, w, optimizer = np.diag([1.0, 50.0]), np.array([-4.0, 1.3]), SGD(0.041)
    before = w @ A @ w / 2
    for _ in range(60):
        optimizer.update([w], [A @ w])
    loss = w @ A @ w / 2
    assert abs(w[1]) == pytest.approx(1.3 * 1.05**60, rel=1e-9)
    assert abs(w[1]) == pytest.approx(24.3, abs=0.05)
    assert loss == pytest.approx(14_750, rel=5e-3)
    assert loss / before == pytest.approx(300, rel=0.05)
    assert abs(w[0]) < 0.4
