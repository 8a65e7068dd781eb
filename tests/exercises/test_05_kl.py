"""The answers to the exercises of derivations/05-kl.md."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.stats import norm

from npvae import check_gradient
from npvae.kl import gaussian_kl, gaussian_kl_backward, gaussian_kl_per_dim


def divergence(q, p):
    """KL(q ‖ p) by quadrature, over 12 standard deviations of q."""
    low, high = q.mean() - 12 * q.std(), q.mean() + 12 * q.std()
    return quad(lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), low, high, epsabs=1e-11)[0]


@pytest.mark.parametrize(("low", "high", "answer"), [(0.1, 1, 0.229), (1, 4, 2.123)])
def test_1_two_widths_cost_one_nat(low, high, answer):
    sigma = brentq(lambda sigma: divergence(norm(0, sigma), norm()) - 1, low, high)
    assert sigma == pytest.approx(answer, abs=5e-4)
    assert gaussian_kl_per_dim(0, 2 * np.log(sigma)) == pytest.approx(1)


@pytest.mark.parametrize("logvar", [-1.0, 0.6])
def test_2_a_sampler_with_the_variance_for_its_width_is_charged_too_little(logvar):
    mu, sigma = 0.7, np.exp(logvar / 2)
    drawn, q, p = norm(mu, np.exp(logvar)), norm(mu, sigma), norm()
    mean_log_ratio = drawn.expect(lambda z: q.logpdf(z) - p.logpdf(z))
    excess = mean_log_ratio - gaussian_kl_per_dim(mu, logvar)
    assert excess == pytest.approx((sigma**2 - 1) ** 2 / 2, abs=1e-9)
    if logvar == -1:
        assert excess == pytest.approx(0.1998, abs=5e-5)


@pytest.mark.parametrize("mu", [0.0, 1.3])
@pytest.mark.parametrize("sigma", [0.5, 1.0, 1.8])
def test_3_the_reverse_divergence_is_larger_for_a_narrow_q(mu, sigma):
    forward, reverse = divergence(norm(mu, sigma), norm()), divergence(norm(), norm(mu, sigma))
    answer = ((1 + mu**2) / sigma**2 - 1 + np.log(sigma**2)) / 2
    assert reverse == pytest.approx(answer, abs=1e-9)
    if sigma == 1:
        assert reverse == pytest.approx(forward, abs=1e-9)
    else:
        assert (reverse > forward) == (sigma < 1)


def test_4_near_the_prior_the_divergence_is_a_quadratic():
    mu, a = 0.05, 0.1
    third_order = gaussian_kl_per_dim(mu, a) - (mu**2 / 2 + a**2 / 4)
    assert third_order == pytest.approx(0.0000833, rel=0.03)
    assert third_order / (a**2 / 4) == pytest.approx(1 / 30, rel=0.03)


@pytest.mark.parametrize(("mu", "sigma"), [(0.3, 0.5), (2.0, 3.0)])
@pytest.mark.parametrize(("m", "s"), [(-1.0, 2.0), (1.0, 0.7)])
def test_5_any_two_gaussians_are_a_gaussian_and_the_prior(mu, sigma, m, s):
    kl = gaussian_kl_per_dim((mu - m) / s, np.log(sigma**2) - 2 * np.log(s))
    assert kl == pytest.approx(divergence(norm(mu, sigma), norm(m, s)), abs=1e-8)


def test_6_a_mean_over_dimensions_is_a_weight_of_a_twentieth_that_no_difference_sees():
    rng, Z = np.random.default_rng(0), 20
    mu, logvar = rng.standard_normal((2, 3, Z))

    def mean_kl(mu, logvar):
        return gaussian_kl_per_dim(mu, logvar).mean(axis=-1)

    def mean_kl_backward(dkl, mu, logvar):
        return gaussian_kl_backward(dkl / Z, mu, logvar)

    np.testing.assert_allclose(mean_kl(mu, logvar), 0.05 * gaussian_kl(mu, logvar))
    assert max(check_gradient(mean_kl, mean_kl_backward, (mu, logvar), rng=rng)) < 1e-9
