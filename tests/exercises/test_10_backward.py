"""The answers to the exercises of derivations/10-backward.md, and its count of operations."""

import numpy as np
import pytest

import npvae
from npvae import check_gradient, check_model_gradient, elbo, elbo_backward, kernels, objectives
from npvae.dense import Layer, dense_backward_input, stack_backward
from npvae.kl import gaussian_kl_backward
from npvae.training import descend


def model(D=6, *, hidden=(5,), Z=2, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    bernoulli = npvae.Bernoulli()
    return npvae.VAE.init(
        D, hidden=hidden, latent_dim=Z, likelihood=bernoulli, dtype=dtype, rng=rng
    )


def batch(vae, B, L, seed=1):
    rng = np.random.default_rng(seed)
    x = (rng.random((B, vae.data_dim)) < 0.4).astype(vae.dtype)
    return x, rng.standard_normal((L, B, vae.latent_dim)).astype(vae.dtype)


def products_of_a_step(monkeypatch, D, hidden, Z, B, L):
    """(m, k, n) of every matrix product that one step of training makes."""
    vae = model(D, hidden=hidden, Z=Z, dtype=np.float32)
    x, noise = batch(vae, B, L)
    shapes = []

    def counted(kernel, factors):
        def call(*args):
            a, b = factors(*args[:2])
            shapes.append((*a.shape, b.shape[1]))
            return kernel(*args)

        return call

    for name, factors in {
        "affine": lambda x, W: (x, W),
        "affine_backward_params": lambda dy, x: (x.T, dy),
        "matmul": lambda a, b: (a, b),
    }.items():
        monkeypatch.setattr(kernels, name, counted(getattr(kernels, name), factors))
    descend(vae, npvae.Adam(), x, noise, npvae.ClosedForm())
    return shapes


def mflop(shapes):
    return sum(2 * m * k * n for m, k, n in shapes) / 1e6


def test_the_products_of_a_step_are_those_of_the_table(monkeypatch):
    forward = [(100, 784, 500), (100, 500, 40), (100, 20, 500), (100, 500, 784)]
    backward = [
        *((500, 100, 784), (100, 784, 500), (20, 100, 500), (100, 500, 20)),
        *((500, 100, 40), (100, 40, 500), (784, 100, 500)),
    ]
    shapes = products_of_a_step(monkeypatch, 784, (500,), 20, B=100, L=1)
    assert shapes == forward + backward
    assert [mflop(part) for part in (forward, backward, shapes)] == [162.8, 247.2, 410.0]


def test_1_the_second_road_is_closed_at_the_prior():
    vae = model()
    for v in vae.params.encoder[-1]:
        v[:] = 0
    x, noise = batch(vae, B=4, L=3)
    grads = []
    for beta in (0, 7):
        trace = elbo(vae, x, noise, npvae.ClosedForm(beta))
        grads.append(elbo_backward(np.ones(4), vae, x, noise, trace).arrays())
    for name in grads[0]:
        np.testing.assert_array_equal(grads[0][name], grads[1][name])
    mu, logvar = np.array([[0.0, 1e-3]]), np.array([[1e-3, 0.0]])
    dmu, dlogvar = gaussian_kl_backward(np.ones(1), mu, logvar)
    assert (dmu != 0).tolist() == [[False, True]]
    assert (dlogvar != 0).tolist() == [[True, False]]


@pytest.mark.parametrize(("L", "expected"), [(1, 44.56), (5, 143.824)])
def test_2_two_hidden_layers(monkeypatch, L, expected):
    shapes = products_of_a_step(monkeypatch, 784, (200, 200), 50, B=20, L=L)
    np.testing.assert_allclose(mflop(shapes), expected, rtol=1e-12)


def test_3_two_roads_lead_to_the_data():
    vae = model()
    tanh = npvae.ACTIVATIONS["tanh"]
    encoder, decoder, _ = vae.params
    x, noise = batch(vae, B=4, L=3)

    def f(x):
        return elbo(vae, x, noise).bound

    def f_backward(dbound, x):
        trace = elbo(vae, x, noise)
        through_likelihood = dbound[:, None] * trace.decoder_output.mean(axis=0)
        dlog_px_z = np.broadcast_to(dbound / 3, (3, 4))
        doutput = vae.likelihood.log_prob_backward(dlog_px_z, x, trace.decoder_output)
        da, _ = stack_backward(
            doutput.reshape(12, 6), trace.z.reshape(12, 2), decoder, tanh, trace.decoder_hidden
        )
        dz = dense_backward_input(da, decoder[0].W).reshape(3, 4, 2)
        sigma = np.exp(trace.logvar / 2)
        dmu = dz.sum(axis=0) - dbound[:, None] * trace.mu
        dlogvar = sigma / 2 * (dz * noise).sum(axis=0) - dbound[:, None] * (sigma**2 - 1) / 2
        dheads = np.concatenate([dmu, dlogvar], axis=1)
        da, _ = stack_backward(dheads, x, encoder, tanh, trace.encoder_hidden)
        return dense_backward_input(da, encoder[0].W) + through_likelihood

    check_gradient(f, f_backward, [x], rng=np.random.default_rng(2))
    np.testing.assert_allclose(mflop([(100, 500, 784)]), 78.4)
    np.testing.assert_allclose(78.4 / 410, 0.19, atol=0.005)


def test_4_what_a_trace_holds():
    vae = model(784, hidden=(500,), Z=20, dtype=np.float32)
    trace = elbo(vae, *batch(vae, B=100, L=1))
    arrays = [*trace.encoder_hidden, *trace.decoder_hidden]
    arrays += [v for v in trace if isinstance(v, np.ndarray)]
    assert sum(v.size for v in arrays) == 184_700
    assert sum(v.nbytes for v in arrays) == 738_800


def test_5_without_the_second_road_the_encoder_is_wrong_and_the_decoder_right(monkeypatch):
    vae = model()
    x, noise = batch(vae, B=4, L=1)
    right = elbo_backward(np.ones(4), vae, x, noise, elbo(vae, x, noise)).arrays()

    def closed(dkl, mu, logvar):
        return np.zeros_like(mu), np.zeros_like(logvar)

    monkeypatch.setattr(objectives, "gaussian_kl_backward", closed)
    wrong = elbo_backward(np.ones(4), vae, x, noise, elbo(vae, x, noise)).arrays()
    for name, dw in right.items():
        error = np.linalg.norm(wrong[name] - dw) / np.linalg.norm(dw)
        assert error == 0 if name.startswith("decoder") else error > 1e-2, name
    with pytest.raises(npvae.GradientError, match="encoder"):
        check_model_gradient(vae, x, noise, rng=np.random.default_rng(3))


@pytest.mark.equation("elbo.2")
def test_6_equal_draws_are_one_draw():
    vae = model()
    x, noise = batch(vae, B=4, L=1)
    once, thrice = (
        elbo_backward(np.ones(4), vae, x, eps, elbo(vae, x, eps)).arrays()
        for eps in (noise, np.repeat(noise, 3, axis=0))
    )
    for name, dw in once.items():
        np.testing.assert_allclose(thrice[name], dw, rtol=1e-10, atol=1e-14)


def test_7_the_toy_with_another_draw():
    encoder = [Layer(np.zeros((2, 2)), np.array([0.5, -1.0]))]
    decoder = [Layer(np.array([[2.0, -1.0]]), np.zeros(2))]
    toy = npvae.VAE(npvae.Params(encoder, decoder, {}), npvae.Bernoulli(), "tanh")
    x, noise = np.array([[1.0, 0.0]]), -np.ones((1, 1, 1))
    trace = elbo(toy, x, noise)
    grads = elbo_backward(np.ones(1), toy, x, noise, trace)

    sigma = np.exp(-0.5)
    z = 0.5 - sigma
    p = 1 / (1 + np.exp(-np.array([2 * z, -z])))
    bound = np.log(p[0]) + np.log(1 - p[1]) - (0.25 + sigma**2) / 2
    dz = 2 * (1 - p[0]) + p[1]
    roads = [-dz * sigma / 2, (1 - sigma**2) / 2]
    np.testing.assert_allclose(trace.bound, bound, rtol=1e-12)
    np.testing.assert_allclose(grads.encoder[0].b, [dz - 0.5, sum(roads)], rtol=1e-12)
    stated = [z, 2 * z, -z, bound, dz, dz - 0.5, *roads, sum(roads)]
    page = [-0.1065, -0.2131, 0.1065, -1.8621, 1.6327, 1.1327, -0.4952, 0.3161, -0.1791]
    np.testing.assert_allclose(stated, page, atol=5e-5)


def test_float32_gradients_agree_with_float64_to_a_digit_less_than_float32_has():
    """The numbers of the section on floating point, at the start of training."""
    vae = model(784, hidden=(500,), Z=20, dtype=np.float32)
    x, noise = batch(vae, B=100, L=1)
    grads = []
    for dtype in (np.float32, np.float64):
        v, args = vae.astype(dtype), (x.astype(dtype), noise.astype(dtype))
        grads.append(elbo_backward(np.full(100, -0.01, dtype), v, *args, elbo(v, *args)).arrays())
    for name, dw in grads[1].items():
        assert grads[0][name].dtype == np.float32
        assert np.linalg.norm(grads[0][name] - dw) < 3e-6 * np.linalg.norm(dw), name
