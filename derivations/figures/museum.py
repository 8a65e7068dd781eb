"""Draws museum_bound.png, museum_gradient.png and museum_loop.png: what each mistake shows.

Every run learns from 3,000 digits drawn offline, in a process and on a copy of the tree of its
own, on the reference kernels. Some minutes.
"""

import itertools
import json
import os
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from matplotlib.figure import Figure

import npvae

HERE = Path(__file__).resolve()
TRAINED, HELD_OUT, EPOCHS = 3000, 1000, 30
# NumPy's products add in an order that depends on how many threads share them.
SAME_SUMS = {"NPVAE_KERNELS": "reference", "OPENBLAS_NUM_THREADS": "1"}
RED, BLUE = "#D55E00", "#0072B2"
SETTINGS = {  # what a run differs in from the plain one
    "plain": {},
    "Gaussian(0.2)": {"likelihood": npvae.Gaussian(0.2), "binarize": False},
    "standardised pixels": {"binarize": False},
    "SGD": {"optimizer": npvae.SGD(2e-3, momentum=0.9)},
    "β = 4": {"objective": npvae.ClosedForm(4.0)},
    "L = 8": {"objective": npvae.ClosedForm(samples=8)},
    "K = 8": {"objective": npvae.ImportanceWeighted(8)},
    "digits in order": {},
}
SHEETS = {  # file: {exhibit: its setting}
    "bound": {
        "no mistake": "plain",
        "reconstruction averaged over pixels": "plain",
        "KL averaged over dimensions": "plain",
        "sign of the KL": "plain",
        "½ of the KL lost": "plain",
        "½ of the Gaussian lost": "Gaussian(0.2)",
        "data outside [0, 1] accepted": "standardised pixels",
        "log of a clipped sigmoid": "plain",
    },
    "gradient": {
        "σ = exp(logvar)": "plain",
        "noise drawn anew in the backward pass": "plain",
        "the KL's road to mu left out": "plain",
        "the KL's road to logvar left out": "plain",
        "β in the forward pass only": "β = 4",
        "sign of x − σ(a)": "plain",
        "both heads seeded alike": "plain",
    },
    "loop": {
        "log of the mean for the mean of the logs": "L = 8",
        "mean of the logs for the log of the mean": "K = 8",
        "importance weights left equal": "K = 8",
        "loss summed over the batch": "SGD",
        "batches shuffled, not rows": "digits in order",
        "Adam's correction counted in epochs": "plain",
        "logits shown as pixels": "plain",
    },
}


def seed_every_generator():
    """One of the mistakes draws from a generator without a seed, and its curve is drawn again."""
    numpys, counted = np.random.default_rng, itertools.count(100)
    np.random.default_rng = lambda seed=None: numpys(next(counted) if seed is None else seed)


def learn(setting, digits, folder):
    """One run of whatever npvae is imported; leaves its record, samples and parameters."""
    x = (
        digits["x"][np.argsort(digits["labels"], kind="stable")]
        if "order" in setting
        else digits["x"]
    )
    if setting == "standardised pixels":
        x = (x - x.mean()) / x.std()
    options = {"likelihood": npvae.Bernoulli(), "binarize": True, "optimizer": npvae.Adam(2e-3)}
    options |= SETTINGS[setting]
    vae = npvae.VAE.init(
        784,
        hidden=(100,),
        latent_dim=10,
        likelihood=options.pop("likelihood"),
        x_mean=x.mean(axis=0),
        rng=np.random.default_rng(1),
    )
    bounds, end = [], ""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            for epoch in npvae.train(
                vae, x, epochs=EPOCHS, rng=np.random.default_rng(2), **options
            ):
                bounds.append(epoch.bound)
        except npvae.NonFiniteError as error:
            end = str(error)
    told = {w.category.__name__ for w in caught if issubclass(w.category, npvae.DiagnosisWarning)}
    record = {"bounds": bounds, "end": end, "told": sorted(told)}
    (folder / "record.json").write_text(json.dumps(record), encoding="utf-8")
    np.save(folder / "samples.npy", vae.sample(8, rng=np.random.default_rng(3)))
    vae.save(folder / "vae.npz")


def run_apart(mistake, setting, folder, digits_file):
    """learn, in a process of its own, on a copy of the tree with the mistake, if any, put in."""
    tree = folder / "tree"
    tree.mkdir(parents=True)
    museum.copy_tree(tree)
    if mistake is not None:
        museum.make(mistake, tree)
    subprocess.run(
        [sys.executable, str(HERE), setting, str(digits_file), str(folder)],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree)} | SAME_SUMS,
        check=True,
    )
    return folder


def judge(folder, x):
    """What the sound library says of the parameters: findings, and the bound of x held out.

    If they are too large for a bound, it says so.
    """
    vae = npvae.VAE.load(folder / "vae.npz")
    if isinstance(vae.likelihood, npvae.Bernoulli):
        x = npvae.binarize(x, rng=np.random.default_rng(4))
    with np.errstate(over="ignore", invalid="ignore"):
        try:
            findings = npvae.diagnose(vae, x).findings
            return npvae.evaluate(vae, x, samples=10, rng=np.random.default_rng(5)), findings
        except FloatingPointError as error:
            return error, ()


def further(plain, twice_as_wide, x):
    """The plain run at z = mu; and the run that drew with σ = exp(logvar), charged for that σ."""
    x = npvae.binarize(x, rng=np.random.default_rng(4))
    vae = npvae.VAE.load(plain / "vae.npz")
    noise = np.zeros((1, len(x), vae.latent_dim), vae.dtype)
    print(f"at z = mu: {npvae.elbo(vae, x, noise).bound.mean():.1f}")
    vae = npvae.VAE.load(twice_as_wide / "vae.npz")
    for a in vae.params.encoder[-1]:
        a[..., vae.latent_dim :] *= 2
    print(f"logvar doubled: {npvae.evaluate(vae, x, samples=10, rng=np.random.default_rng(5))}")


def draw(axes, strip, name, setting, wrong, right):
    """The two curves, and eight samples of the model that learned with the mistake."""
    bounds = json.loads((wrong / "record.json").read_text(encoding="utf-8"))["bounds"]
    if right is not None:
        sound = json.loads((right / "record.json").read_text(encoding="utf-8"))["bounds"]
        axes.plot(range(1, len(sound) + 1), sound, color=BLUE, lw=3, alpha=0.5, label="as it is")
    axes.plot(range(1, len(bounds) + 1), bounds, ".-", color=RED, ms=3, lw=1, label="mistaken")
    axes.set(xlim=(0, EPOCHS + 1), ylabel="nats an image")
    axes.set_title(name + ("" if setting == "plain" else f" ({setting})"), fontsize=9, loc="left")
    images = np.load(wrong / "samples.npy").reshape(8, 28, 28)
    strip.imshow(np.hstack(images), cmap="gray", vmin=0, vmax=1)
    strip.set_axis_off()


def main():
    digits = npvae.datasets.glyph_digits(TRAINED + HELD_OUT, rng=np.random.default_rng(0))
    mistakes = {mistake.name: mistake for mistake in museum.MUSEUM}
    with TemporaryDirectory() as temporary, ThreadPoolExecutor(2) as pool:
        root = Path(temporary)
        file = root / "digits.npz"
        np.savez(file, x=digits.images[:TRAINED], labels=digits.labels[:TRAINED])
        x = digits.images[TRAINED:]

        def begin(mistake, setting, folder):
            return pool.submit(run_apart, mistake, setting, root / folder, file)

        allowed = {key: f"sound {i}" for i, key in enumerate(SETTINGS) if "pixels" not in key}
        right = {key: begin(None, key, folder) for key, folder in allowed.items()}
        wrong = {
            name: begin(mistakes.get(name), setting, f"mistake {sheet} {i}")
            for sheet, exhibits in SHEETS.items()
            for i, (name, setting) in enumerate(exhibits.items())
        }
        for name, run in (right | wrong).items():
            record = json.loads((run.result() / "record.json").read_text(encoding="utf-8"))
            worth, findings = judge(run.result(), x)
            print(f"{name}: said {record['bounds'][-1:]} {record['end']}; worth {worth}")
            print("   told", record["told"], "found", [type(f).__name__ for f in findings])
        further(right["plain"].result(), wrong["σ = exp(logvar)"].result(), x)
        for sheet, exhibits in SHEETS.items():
            figure = Figure(figsize=(9, 1.35 * len(exhibits)), layout="constrained")
            rows = figure.subplots(len(exhibits), 2, width_ratios=[3, 5])
            for row, (name, setting) in zip(rows, exhibits.items(), strict=True):
                sound = right[setting].result() if setting in right else None
                draw(*row, name, setting, wrong[name].result(), sound)
            rows[0][0].legend(fontsize=7, loc="lower right", frameon=False)
            rows[-1][0].set_xlabel("epoch")
            figure.savefig(HERE.with_name(f"museum_{sheet}.png"), dpi=100)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        seed_every_generator()
        learn(sys.argv[1], np.load(sys.argv[2]), Path(sys.argv[3]))
    else:
        sys.path.insert(0, str(HERE.parents[2] / "tests"))
        import museum

        main()
