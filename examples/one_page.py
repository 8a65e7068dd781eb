"""A variational autoencoder on one page: NumPy, and nothing hidden.

    python examples/one_page.py

It learns to draw discs of any place and size on 16 × 16 pixels from 20,000 of them, in about half a
minute, and prints new ones. Read from top to bottom it is the book in small: each section names its
chapter in derivations/, where every formula is derived. Shapes: B rows in a batch, D pixels, H
hidden units, Z latents. dv is the gradient of the loss with respect to v, and has v's shape.
"""

import numpy as np

SIDE, H, Z = 16, 100, 3
D = SIDE * SIDE


def draw_discs(n, rng):
    """n binary images (n, D): white where a pixel lies within r of (x, y)."""
    x, y, r = rng.uniform([4, 4, 1.5], [11, 11, 4.5], (n, 3)).T[:, :, None, None]
    row, column = np.mgrid[:SIDE, :SIDE]
    return ((column - x) ** 2 + (row - y) ** 2 < r**2).reshape(n, D).astype(float)


# Chapter 9: a layer is y = x W + b. Its weights start small, so that tanh is not flat at once.
def new_layer(inputs, outputs, rng):
    a = np.sqrt(6 / (inputs + outputs))  # Glorot & Bengio 2010
    return rng.uniform(-a, a, (inputs, outputs)), np.zeros(outputs)


def new_params(rng):
    W1, b1 = new_layer(D, H, rng)  # encoder: x to a hidden layer,
    W2, b2 = new_layer(H, 2 * Z, rng)  # and on to mu and logvar
    W3, b3 = new_layer(Z, H, rng)  # decoder: z to a hidden layer,
    W4, b4 = new_layer(H, D, rng)  # and on to a logit a pixel
    return [W1, b1, W2, b2, W3, b3, W4, b4]


def softplus(a):
    """log(1 + e^a), which does not overflow."""
    return np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a)))


def sigmoid(a):
    return (1 + np.tanh(a / 2)) / 2


def forward(params, x, noise):
    """The bound on log p(x) of each row, in nats, and all that was computed on the way."""
    W1, b1, W2, b2, W3, b3, W4, b4 = params
    # Chapter 3: the encoder returns a Gaussian q(z|x): its mean mu, and logvar, its log σ².
    h = np.tanh(x @ W1 + b1)
    mu, logvar = np.split(h @ W2 + b2, 2, axis=1)
    # Chapter 6: z = mu + σ ε is a draw from it, with a derivative with respect to mu and logvar.
    z = mu + np.exp(logvar / 2) * noise
    g = np.tanh(z @ W3 + b3)
    logits = g @ W4 + b4
    # Chapter 7: log p(x|z) of pixels that are 0 or 1.
    log_px_z = np.sum(x * logits - softplus(logits), axis=1)
    # Chapter 5: KL(q(z|x) ‖ N(0, I)), what the code costs.
    kl = np.sum(mu**2 + np.exp(logvar) - 1 - logvar, axis=1) / 2
    # Chapter 4: the bound.
    return log_px_z - kl, (h, mu, logvar, z, g, logits)


def backward(params, x, noise, trace):
    """Chapter 10: forward, read from its last line to its first; loss = −mean bound."""
    _, _, W2, _, W3, _, W4, _ = params
    h, mu, logvar, z, g, logits = trace
    dbound = -1 / len(x)
    # bound = log_px_z − kl, log_px_z = Σ x·logits − softplus(logits)
    dlogits = dbound * (x - sigmoid(logits))
    # logits = g W4 + b4, g = tanh(…): the slope of tanh is 1 − g²
    dW4, db4 = g.T @ dlogits, dlogits.sum(axis=0)
    da = dlogits @ W4.T * (1 - g**2)
    dW3, db3 = z.T @ da, da.sum(axis=0)
    dz = da @ W3.T
    # Two roads lead to mu and logvar: through z = mu + e^(logvar/2) ε, and through the kl.
    dmu = dz - dbound * mu
    dlogvar = dz * noise * np.exp(logvar / 2) / 2 - dbound * (np.exp(logvar) - 1) / 2
    dheads = np.concatenate([dmu, dlogvar], axis=1)
    # mu, logvar = h W2 + b2, h = tanh(x W1 + b1)
    dW2, db2 = h.T @ dheads, dheads.sum(axis=0)
    da = dheads @ W2.T * (1 - h**2)
    dW1, db1 = x.T @ da, da.sum(axis=0)
    return [dW1, db1, dW2, db2, dW3, db3, dW4, db4]


def adam(params, grads, m, v, step, learning_rate=2e-3):
    """Chapter 11: a step down, scaled by the gradient's running mean and mean square."""
    for w, dw, mean, square in zip(params, grads, m, v, strict=True):
        mean += 0.1 * (dw - mean)
        square += 0.001 * (dw**2 - square)
        unbiased = mean / (1 - 0.9**step), square / (1 - 0.999**step)
        w -= learning_rate * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8)


def train(x, rng, epochs=15, batch_size=100):
    """Chapter 4: rows in a fresh order each epoch, noise afresh each time a row is visited."""
    params = new_params(rng)
    m, v = ([np.zeros_like(w) for w in params] for _ in range(2))
    step = 0
    for epoch in range(1, epochs + 1):
        bounds = []
        for rows in np.split(rng.permutation(len(x)), len(x) // batch_size):
            noise = rng.standard_normal((batch_size, Z))
            bound, trace = forward(params, x[rows], noise)
            step += 1
            adam(params, backward(params, x[rows], noise, trace), m, v, step)
            bounds.append(bound.mean())
        print(f"epoch {epoch:2d}  bound {np.mean(bounds):7.2f} nats an image")
    return params


def decode(params, z):
    """Chapter 3: E[x|z], the probability that a pixel is white."""
    *_, W3, b3, W4, b4 = params
    return sigmoid(np.tanh(z @ W3 + b3) @ W4 + b4)


def show(images):
    """Images side by side, a character for two pixels."""
    shades = np.array(list(" .:oO@"))
    levels = np.rint(images.reshape(-1, SIDE, SIDE)[:, ::2] * (len(shades) - 1)).astype(int)
    for lines in levels.swapaxes(0, 1):
        print("  ".join("".join(shades[line]) for line in lines))


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    params = train(draw_discs(20_000, rng), rng)
    print("\nNew discs, decoded from z ~ N(0, I):\n")
    show(decode(params, rng.standard_normal((4, Z))))
