"""The same training in npvae, PyTorch and JAX, side by side.

    python tests/benchmarks/training.py --readme            README's table, written anew
    python tests/benchmarks/training.py --configurations a a1 --peers npvae jax
    python tests/benchmarks/training.py --configurations a a-one a-busy
    python tests/benchmarks/training.py --scaling           by batch, width, samples, threads

Each peer is a process of its own that sleeps while another trains. After an epoch that is not
timed, a round gives each one an epoch, in an order that turns from round to round, so that
whatever else the machine does falls on all alike. Times are medians over the rounds. `speed` is
taken within each round, against the fastest of the others than npvae in that round: 2 is twice
as fast. `slow` counts epochs that took more than 1.3 times the same peer's best. `limit` is the
time that the arithmetic takes at the rate of the best matrix product, plus Adam's bytes at the
memory's, as a fraction of the time taken.

a-one is model a on one thread, and a-busy beside another program that holds the last CPU. Before
and after each epoch a ping tells how far the CPUs are apart, and where that changed, the medians
of the epochs near and apart are told too. Every epoch begins with cold memory, because the others
have trained since; kernels.py tells what that costs a single kernel.

At the end npvae judges everybody's parameters on the same binarised test images, and the
command fails if they differ: nobody is fast by being wrong.
"""

import sys
import tempfile
import textwrap
from pathlib import Path

import numpy as np
from configurations import (
    CONFIGURATIONS,
    IMAGES,
    SCALING,
    TABLE,
    new_model,
    shortest_epoch,
    zeros,
)
from harness import (
    PEERS,
    cpus,
    integer,
    machine,
    parser,
    print_machine,
    print_table,
    write_json,
)
from race import SCRIPTS, race
from speed_table import README, rewritten
from summary import SLOW, summarize

import npvae

sys.path.insert(0, str(PEERS))
from worker import Task, write_task

# Nats. After six epochs seeds alone move the test bound by 0.1 to 0.4 (standard deviation).
TOLERANCE = 1.0
SCALING_IMAGES = 12_000
COLUMNS = {  # heading -> width, what is shown, how
    "s/epoch": (8, "seconds", ".2f"),
    "best": (6, "best", ".2f"),
    "slow": (5, "slow", "d"),
    "images/s": (9, "images_per_second", ",.0f"),
    "speed": (7, "speed", ".2f"),
    "limit": (7, "of_limit", ".0%"),
    "cold": (6, "cold_start", ".1f"),
    "warm": (6, "warm_start", ".1f"),
    "MiB": (5, "peak_mib", ".0f"),
    "nats": (8, "test_bound", ".2f"),
}
HEADINGS, WIDTHS = ("", *COLUMNS), (13, *(width for width, *_ in COLUMNS.values()))
KEY = f"""slow: epochs of more than {SLOW:g} times the best. cold, warm: seconds to the
first step. MiB: peak memory. nats: test bound."""


def parse_args():
    options = parser(__doc__, "training.json")
    add = options.add_argument
    add("--peers", nargs="+", choices=SCRIPTS, default=list(SCRIPTS), metavar="PEER")
    add("--configurations", nargs="+", choices=CONFIGURATIONS, metavar="NAME")
    add("--scaling", action="store_true", help=f"all of {', '.join(SCALING)}")
    add(
        "--threads",
        type=integer(1, len(cpus())),
        default=len(cpus()),
        help="but 1 in a-one and its like",
    )
    add("--starts", type=integer(0), help="timed ones of each peer, the first cold; 3, 0 to scale")
    add("--data", choices=("auto", "mnist", "glyphs"), default="auto")
    add("--data-dir", type=Path, help="folder with MNIST's four IDX files, plain or gzipped")
    add("--images", type=integer(1), help=f"a number of them; all, or {SCALING_IMAGES} to scale")
    add("--seed", type=integer(0), default=0, help="of everything random")
    add("--readme", action="store_true", help="write README's table anew")
    args = options.parse_args()
    if args.data == "glyphs" and args.data_dir:
        options.error("--data-dir is for MNIST; --data glyphs reads no files")
    if args.readme and "npvae" not in args.peers:
        options.error("--readme is a table of npvae and others; --peers leaves npvae out")
    args.configurations = args.configurations or list(SCALING if args.scaling else TABLE)
    args.images = args.images or (SCALING_IMAGES if args.scaling else 60_000)
    args.starts = (0 if args.scaling else 3) if args.starts is None else args.starts
    return args


def load(args):
    """-> training images (N, 784) uint8, test images, the data's name"""
    if args.data != "glyphs":
        try:
            mnist = npvae.datasets.load_mnist(args.data_dir, dtype=np.uint8)
            return mnist.train[: args.images], mnist.test, "MNIST"
        except ConnectionError as error:
            if args.data == "mnist":
                raise
            print(f"{error}\n\nGoing on with digits drawn from fonts (--data glyphs).\n")
    rng = np.random.default_rng(args.seed)
    counts = args.images, min(args.images, 10_000)
    drawn = (npvae.datasets.glyph_digits(n, rng=rng).images for n in counts)
    return *(np.rint(255 * images).astype(np.uint8) for images in drawn), "glyph digits"


def measure(configuration, train, test, args):
    """Everything about one configuration, ready for JSON."""
    images, test = (IMAGES[configuration.images](levels) for levels in (train, test))
    vae = new_model(configuration, images, args.seed)
    params = vae.params.arrays()
    threads = configuration.threads or args.threads
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        task = Task(
            path=str(folder / "task.npz"),
            params=params,
            activation=configuration.activation,
            batch_size=configuration.batch_size,
            samples=configuration.samples,
            binarize=configuration.binarize,
            epochs=1 + args.rounds,
            seed=args.seed,
        )
        write_task(task, images)
        size = sum(w.size for w in params.values())
        runs = args.starts, args.rounds
        results, rates = race(folder, args.peers, threads, configuration.busy, *runs, size)
        for peer, result in results.items():
            if "missing" not in result:
                with np.load(folder / f"{peer}.npz") as learned:
                    result["test_bound"] = test_bound(vae, learned, test, args.seed)
    limit = shortest_epoch(configuration, params, len(images), rates)
    placed = summarize(results, len(images), limit)
    return {
        **configuration._asdict(),
        "description": configuration.description,
        "threads": threads,
        "zeros": zeros(configuration, images),
        "rates": rates,
        "placed": placed,
        "peers": results,
    }


def test_bound(vae, learned, images, seed):
    """The mean bound of the images, binarised and judged with the same noise for everyone."""
    for name, w in vae.params.arrays().items():
        w[...] = learned[name]
    binarize_rng, noise_rng = np.random.default_rng(seed).spawn(2)
    x = npvae.binarize(images, rng=binarize_rng)
    return npvae.evaluate(vae, x, rng=noise_rng).elbo


def show(name, measured):
    threads, rates = measured["threads"], measured["rates"]
    print(f"\n({name}) {measured['description']}")
    print(
        f"threads: {threads}; {measured['zeros']:.0%} of x is zero; at best "
        f"{rates['operations'] / 1e9:.0f} GFLOP/s, {rates['bytes'] / 1e9:.0f} GB/s"
    )
    print_table(HEADINGS, [row(*item) for item in measured["peers"].items()], WIDTHS)
    for place, part in measured["placed"].items():
        print(where(place, part))
    for peer, result in measured["peers"].items():
        if "missing" in result:
            print(f"{peer} is missing: {result['missing']}")


def row(peer, result):
    if "missing" in result:
        return (peer, "missing", *[None] * (len(COLUMNS) - 1))
    shown = ((result[key], form) for _, key, form in COLUMNS.values())
    return peer, *(None if value is None else format(value, form) for value, form in shown)


def where(place, part):
    """One sentence about the epochs whose CPUs were near, or apart."""
    low, high = part["hop_ns"]
    peers = ", ".join(
        f"{peer} {told['seconds']:.2f} s in {told['epochs']}"
        for peer, told in part["peers"].items()
    )
    speed = f"; speed {part['speed']:.2f}" if part["speed"] else ""
    sentence = f"{place}, {low:.0f} to {high:.0f} ns a hop: {peers}{speed}"
    return textwrap.fill(sentence, 80, subsequent_indent="  ")


def complaints(name, measured):
    """What makes the command fail."""
    if "missing" in measured["peers"].get("npvae", {}):
        yield f"({name}) npvae stopped: {measured['peers']['npvae']['missing']}"
    bounds = {
        peer: result["test_bound"]
        for peer, result in measured["peers"].items()
        if "missing" not in result
    }
    if bounds and not np.ptp(list(bounds.values())) <= TOLERANCE:  # so said, NaN fails too
        told = ", ".join(f"{peer} {bound:.2f}" for peer, bound in bounds.items())
        yield f"({name}) test bounds differ by more than {TOLERANCE:g} nats: {told}"


def main():
    args = parse_args()
    train, test, data = load(args)
    facts = machine()
    print_machine(facts)
    print(f"{data}: {len(train):,} images; medians of {args.rounds} epochs\n{KEY}")
    report = {"machine": facts, "data": data, "images": len(train), "rounds": args.rounds}
    report["configurations"] = {}
    failures = []
    for name in args.configurations:
        measured = measure(CONFIGURATIONS[name], train, test, args)
        show(name, measured)
        failures += complaints(name, measured)
        report["configurations"][name] = measured
        write_json(args.json, report)
    print(f"\nevery number is in {args.json}")
    if failures:
        sys.exit("\n".join(failures))
    if args.readme:
        text = rewritten(README.read_text(encoding="utf-8"), report)
        README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
