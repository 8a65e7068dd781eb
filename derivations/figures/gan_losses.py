"""Draws gan_losses.png: the generator's two losses and slopes; the best discriminator."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import norm

from npvae.activations import sigmoid
from npvae.relatives.gan import losses, optimum

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#888888"
a = np.linspace(-8, 8, 401)
one = np.ones_like(a)
figure = Figure(figsize=(10, 3.3), layout="constrained")
left, middle, right = figure.subplots(1, 3)
left.plot(a, losses.minimax_loss(a), color=ORANGE, label="minimax, log(1 − D)")
left.plot(a, losses.non_saturating_loss(a), color=BLUE, label="non-saturating, −log D")
left.set(xlabel="logit a of a sample", ylabel="nats", title="loss of the generator")
middle.plot(a, losses.minimax_loss_backward(one, a), color=ORANGE)
middle.plot(a, losses.non_saturating_loss_backward(one, a), color=BLUE)
middle.set(xlabel="logit a of a sample", title="its slope in a")
middle.text(-7.8, -0.22, "where D is sure,\nno slope", color=ORANGE, fontsize=8)
left.legend(fontsize=8, frameon=False)

x = np.linspace(-5, 6, 1001)
p, g = norm(0, 1), norm(2, 0.8)
nodes = p.logpdf(x), g.logpdf(x), np.full(len(x), x[1] - x[0])
right.fill_between(x, p.pdf(x), color=GREY, alpha=0.4, label="p, the data")
right.fill_between(x, g.pdf(x), color=ORANGE, alpha=0.4, label="g, the generator")
right.plot(x, sigmoid(optimum.optimal_logits(*nodes[:2])), color=BLUE, label="D* = p/(p + g)")
js = optimum.jensen_shannon(*nodes)
right.set(xlabel="x", title=f"the best D; JS = {js:.3f} nats")
right.set_ylim(0, 1.45)
right.legend(fontsize=8, frameon=False, loc="upper right")
figure.savefig(Path(__file__).with_suffix(".png"), dpi=100)
value = optimum.game_value(optimum.optimal_logits(*nodes[:2]), *nodes)
print(f"JS = {js:.4f}, V(D*) = {value:.4f}, 2 JS − log 4 = {2 * js - np.log(4):.4f}")
