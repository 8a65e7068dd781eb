"""Draws gan_ring.png and prints, over ten seeds, how many of eight modes a GAN finds."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import npvae
from npvae.relatives import GAN, train_gan
from npvae.relatives.gan import mode_shares, modes_found, ring, ring_centres

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#BBBBBB"
STD, ROWS, EPOCHS, SEEDS = 0.1, 5000, 60, 10
SHOWN = 10, 30, 55, 60
CENTRES = ring_centres()


def play(seed, beta1, rate=0.01, loss="non-saturating"):
    """-> samples after the epochs shown, losses (epochs, 2)"""
    rng = np.random.default_rng(seed)
    x = ring(ROWS, centres=CENTRES, std=STD, rng=rng)
    gan = GAN.init(2, hidden=(64, 64), latent_dim=8, output="identity", rng=rng)
    samples, losses = {}, []
    for epoch in train_gan(
        gan,
        x,
        epochs=EPOCHS,
        batch_size=250,
        generator_loss=loss,
        generator_optimizer=npvae.Adam(rate, beta1=beta1),
        discriminator_optimizer=npvae.Adam(rate, beta1=beta1),
        rng=rng,
    ):
        losses.append((epoch.discriminator_loss, epoch.generator_loss))
        if epoch.epoch in SHOWN:
            samples[epoch.epoch] = gan.sample(4000, rng=np.random.default_rng(0))
    return samples, np.array(losses)


def main():
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    rows = figure.subplots(2, 5)
    for row, beta1, colour in zip(rows, (0.5, 0.9), (BLUE, ORANGE), strict=True):
        found, inside, late = [], [], []
        for seed in range(SEEDS):
            samples, losses = play(seed, beta1)
            found.append(modes_found(samples[EPOCHS], centres=CENTRES, std=STD))
            inside.append(mode_shares(samples[EPOCHS], centres=CENTRES, std=STD).sum())
            late.append(losses[-10:].mean(axis=0))
            if seed == 0:
                draw(row, samples, losses, beta1, colour)
        print(f"beta1 = {beta1}: modes {found}, share within 3 std", np.round(inside, 2))
        for name, values in zip("DG", np.transpose(late), strict=True):
            print(f"   loss of {name} by seed, mean of the last ten epochs", values.round(2))
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=100)
    for loss, rate in (("minimax", 0.01), ("non-saturating", 0.001)):
        found = [
            modes_found(play(seed, 0.5, rate, loss)[0][EPOCHS], centres=CENTRES, std=STD)
            for seed in range(SEEDS)
        ]
        print(f"beta1 = 0.5, {loss}, learning rate {rate}: modes {found}")


def draw(row, samples, losses, beta1, colour):
    for axes, (epoch, x) in zip(row, samples.items(), strict=False):
        axes.plot(*CENTRES.T, "+", color="k", markersize=8)
        axes.plot(*x[:1000].T, ".", color=colour, markersize=2, alpha=0.5)
        axes.set(xlim=(-3, 3), ylim=(-3, 3), aspect="equal", title=f"epoch {epoch}")
        axes.set_xticks([])
        axes.set_yticks([])
    row[0].set_ylabel(f"β₁ = {beta1}")
    row[-1].plot(losses[:, 0], color="k", linewidth=1, label="D")
    row[-1].plot(losses[:, 1], color=colour, linewidth=1, label="G")
    row[-1].axhline(np.log(4), color=GREY, linestyle=":")
    row[-1].axhline(np.log(2), color=GREY, linestyle=":")
    row[-1].set(xlabel="epoch", ylim=(0, 4), title="losses, nats")
    row[-1].legend(fontsize=8, frameon=False)


if __name__ == "__main__":
    main()
