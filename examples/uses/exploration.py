"""Curiosity: an agent that goes where its VAE is surprised. How soon has it seen every room?

    python examples/uses/exploration.py

A house of rooms in a grid. In each hangs a digit of its own, in black and white. The agent looks
through the doors, goes to the room whose picture has the highest −bound under its VAE, and trains
the VAE on what it has seen. It knows no room by name. Beside it walk: chance; the same agent with
a VAE that never learns; one rewarded by −bound less the picture's complexity; and one that counts
its visits, which does know the rooms by name. Then one room shows noise, new at every look.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import npvae
from npvae import uses

DRAWS, STEPS = 10, 10  # of z for a bound; of learning for each room that is entered
AGENTS = "chance", "never learns", "surprise", "corrected", "counts visits"


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--side", type=int, default=6, help="the house has side × side rooms")
    add("--seeds", type=int, default=12, help="houses, and walks of each agent")
    add("--limit", type=int, default=400, help="steps after which a walk is given up")
    add("--out", type=Path, default=Path("out"), help="folder for the picture")
    return parser.parse_args()


class House:
    """side × side rooms, a binary picture in each; if noisy, one room shows noise."""

    def __init__(self, side, noisy, rng):
        self.side, self.rng = side, rng
        digits = npvae.datasets.glyph_digits(side * side, rng=rng).images
        self.pictures = npvae.binarize(digits, rng=rng)
        self.noise = rng.integers(1, side * side) if noisy else None

    def look(self, room):
        if room == self.noise:
            return npvae.binarize(np.full((1, 784), 0.5, np.float32), rng=self.rng)
        return self.pictures[room : room + 1]

    def neighbours(self, room):
        row, column = divmod(room, self.side)
        steps = (row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)
        return [r * self.side + c for r, c in steps if 0 <= min(r, c) <= max(r, c) < self.side]


class Mind:
    """A VAE, and the pictures that it remembers."""

    def __init__(self, rng):
        self.rng, self.seen, self.optimizer = rng, [], npvae.Adam(3e-3)
        self.vae = npvae.VAE.init(
            784, hidden=(100,), latent_dim=10, likelihood=npvae.Bernoulli(), rng=rng
        )

    def surprise(self, picture, corrected):
        noise = self.rng.standard_normal((DRAWS, 1, 10), np.float32)
        surprise = -npvae.elbo(self.vae, picture, noise).bound
        if corrected:
            surprise = uses.complexity_corrected(surprise, picture, (28, 28))
        return surprise[0]

    def learn(self, picture):
        self.seen.append(picture)
        batch = np.concatenate(self.seen)[self.rng.integers(len(self.seen), size=20)]
        batch[0] = picture
        learning = {"epochs": STEPS, "batch_size": 20, "optimizer": self.optimizer}
        list(npvae.train(self.vae, batch, rng=self.rng, **learning))


def walk(agent, house, limit, rng):
    """-> how many rooms were seen after each step, until all were"""
    mind, room = Mind(rng), 0
    visits = np.zeros(house.side**2, int)
    seen = []
    while len(seen) < limit and not visits.all():
        visits[room] += 1
        seen.append(np.count_nonzero(visits))
        doors = rng.permutation(house.neighbours(room))
        if agent in ("surprise", "corrected"):
            mind.learn(house.look(room))
        if agent == "chance":
            room = doors[0]
        elif agent == "counts visits":
            room = doors[np.argmin(visits[doors])]
        else:
            likes = [mind.surprise(house.look(door), agent == "corrected") for door in doors]
            room = doors[np.argmax(likes)]
    return seen


def main():
    args = parse_args()
    warnings.simplefilter("ignore", npvae.DiagnosisWarning)  # a batch of 50 is no data set
    figure = Figure(figsize=(9, 3), layout="constrained")
    for noisy, axes in zip((False, True), figure.subplots(1, 2, sharey=True), strict=True):
        print(
            f"{args.side**2} rooms{', one with noise' if noisy else ''}: steps until all were seen"
        )
        for agent in AGENTS:
            walks = []
            for seed in range(args.seeds):
                house_rng, rng = np.random.default_rng(seed).spawn(2)
                house = House(args.side, noisy, house_rng)
                walks.append(walk(agent, house, args.limit, rng))
            steps = np.array([len(seen) for seen in walks])
            done = np.mean([seen[-1] == args.side**2 for seen in walks])
            error = steps.std(ddof=1) / np.sqrt(len(steps))
            print(
                f"  {agent:14}{steps.mean():7.1f} ± {error:4.1f}   all seen in {done:.0%}",
                flush=True,
            )
            rooms = np.array([seen + [seen[-1]] * (args.limit - len(seen)) for seen in walks])
            axes.plot(1 + np.arange(args.limit), rooms.mean(axis=0), label=agent)
        axes.set(
            xscale="log",
            xlabel="steps",
            title="one room shows noise" if noisy else "a digit in every room",
        )
    figure.axes[0].set_ylabel("rooms seen, mean over houses")
    figure.axes[1].legend(frameon=False, fontsize=8)
    args.out.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.out / "exploration.png", dpi=110)


if __name__ == "__main__":
    main()
