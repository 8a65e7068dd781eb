"""Prints how a GAN fares on the ring with each of the museum's mistakes about two networks.

Each mistake is put into a copy of the tree and plays there, at the setting of gan_ring.py.
"""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

HERE = Path(__file__).resolve()
SEEDS = 5


def play():
    from gan_ring import CENTRES, EPOCHS, STD
    from gan_ring import play as play_ring

    from npvae.relatives.gan import mode_shares, modes_found

    found, inside, late = [], [], []
    for seed in range(SEEDS):
        samples, losses = play_ring(seed, 0.5)
        found.append(modes_found(samples[EPOCHS], centres=CENTRES, std=STD))
        inside.append(mode_shares(samples[EPOCHS], centres=CENTRES, std=STD).sum())
        late.append(losses[-10:].mean(axis=0))
    print(f"   modes {found}, within 3 std {np.round(inside, 2)}")
    print("   losses of D and G, last ten epochs, median seed", np.median(late, axis=0).round(2))


def main():
    import museum

    exhibits = [None, *(m for m in museum.MUSEUM if "relatives/gan" in m.edits[0][0])]
    for mistake in exhibits:
        with TemporaryDirectory() as folder:
            tree = Path(folder)
            museum.copy_tree(tree)
            if mistake is not None:
                museum.make(mistake, tree)
            print("as it is" if mistake is None else mistake.name, flush=True)
            environment = os.environ | {"PYTHONPATH": f"{tree}{os.pathsep}{HERE.parent}"}
            subprocess.run(
                [sys.executable, str(HERE), "play"], cwd=tree, env=environment, check=True
            )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        play()
    else:
        sys.path.insert(0, str(HERE.parents[2] / "tests"))
        main()
