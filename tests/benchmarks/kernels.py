"""Single kernels of npvae against OpenBLAS, NumPy, SciPy and PyTorch.

    python tests/benchmarks/kernels.py
    python tests/benchmarks/kernels.py --configurations c --threads 1

Each library runs in a process of its own, since two pools of threads in one process fight, and
the processes take turns. Operands are warm, the same ones in every call, or cold: others in every
call, which have not been touched while 128 MB went by. Ratios are taken within each round: 2 is
npvae twice as fast. NumPy's elementwise loops use one thread.

The command fails if a product takes npvae longer than BLAS by more than a ninth. Their operands
have no zeros, but for "digits": there the first is binary images, whose zeros npvae leaves out.
"""

import contextlib
import itertools
import json
import math
import statistics
import sys
import time
from typing import NamedTuple

from configurations import PLAIN
from harness import (
    REST,
    StoppedError,
    Worker,
    cpus,
    integer,
    machine,
    parser,
    print_machine,
    print_table,
    turns,
    write_json,
)
from ping import hop_ns

MEMORY = "warm", "cold"
LEAST = 0.9  # of BLAS's speed, in a product of operands without zeros
ELEMENTWISE = {  # kernel -> numbers of its operands, each (B, width)
    "tanh": 1,
    "tanh, back": 2,
    "sigmoid": 1,
    "sigmoid, back": 2,
    "softplus": 1,
    "softplus, back": 2,
}


class Case(NamedTuple):
    """A kernel with operands of these shapes."""

    name: str
    kernel: str
    size: str  # as a table shows it
    shapes: list[tuple[int, ...]]
    operations: int | None = None  # of a matrix product
    digits: bool = False  # whether the first operand is binary digits


def layers(configuration):
    """[(B, D_in, D_out), …] of the encoder's layers and then the decoder's."""
    hidden, Z, B = configuration.hidden, configuration.latent_dim, configuration.batch_size
    encoder = [(B, *pair) for pair in itertools.pairwise([784, *hidden, 2 * Z])]
    return encoder + [(B, *pair) for pair in itertools.pairwise([Z, *hidden[::-1], 784])]


def products(name, configuration):
    """The matrix products of a step, those of one size once."""
    for layer in dict.fromkeys(layers(configuration)):
        B, d_in, d_out = layer
        forms = {
            "x W + b": [(B, d_in), (d_in, d_out), (d_out,)],
            "dy Wᵀ": [(B, d_out), (d_in, d_out)],
            "xᵀ dy": [(B, d_in), (B, d_out)],
        }
        size, operations = "×".join(map(str, layer)), 2 * math.prod(layer)
        if layer == layers(configuration)[0]:
            del forms["dy Wᵀ"]  # the gradient of the data
            for kernel, shapes in forms.items():
                told = f"{name} digits, {kernel} {size}"
                yield Case(told, kernel, size, shapes, operations, digits=True)
        for kernel, shapes in forms.items():
            yield Case(f"{name} {kernel} {size}", kernel, size, shapes, operations)


def others(name, configuration):
    """What is done to hidden layers, images and parameters."""
    B, H = configuration.batch_size, configuration.hidden[0]
    shapes = {kernel: [(B, H)] * count for kernel, count in ELEMENTWISE.items()}
    shapes["log p(x|z)"] = [(B, 784), (B, 784)]
    shapes["log p, back"] = [(B,), (B, 784), (B, 784)]
    for kernel, operands in shapes.items():
        size = "×".join(map(str, operands[-1]))
        yield Case(f"{name} {kernel}", kernel, size, operands)
    params = [shape for _, *W in layers(configuration) for shape in (W, W[1:])]
    yield Case(f"{name} Adam", "Adam", f"{sum(map(math.prod, params)):,}", params)


def measure(cases, threads, args):
    """What the cases take on so many threads: {"seconds", "missing", "blas", "hops_ns"}.

    seconds    {memory: {library: {case's name: in each round}}}
    missing    {library: why}
    hops_ns    from CPU to CPU, after each turn
    """
    asked = json.dumps([(case.name, case.kernel, case.shapes, case.digits) for case in cases])
    seconds, missing, blas, hops = {memory: {} for memory in MEMORY}, {}, None, []
    with contextlib.ExitStack() as stack:
        workers = {}
        libraries = ["npvae", "NumPy", *([] if args.without_torch else ["torch"])]
        for library in libraries:
            worker = Worker("kernels", library, asked, args.milliseconds, threads=threads)
            stack.callback(worker.stop)
            workers[library] = worker
        for library in libraries:
            try:
                workers[library].listen()
            except StoppedError as error:
                if library != "torch":
                    raise
                missing[library] = str(error)
        time.sleep(REST)
        here = [library for library in libraries if library not in missing]
        for _, (memory, library) in turns(itertools.product(MEMORY, here), args.rounds):
            told = workers[library].ask(memory)
            hops.append(hop_ns(cpus()[:threads]))
            blas = told["blas"] or blas
            for name, once in told["seconds"].items():
                seconds[memory].setdefault(library, {}).setdefault(name, []).append(once)
    return {"seconds": seconds, "missing": missing, "blas": blas, "hops_ns": hops}


def compare(case, seconds):
    """npvae beside each other library that has the kernel. -> {library: (ours, its, ratio)}"""
    ours = seconds["npvae"][case.name]
    found = {}
    for library, cases in seconds.items():
        if library != "npvae" and case.name in cases:
            its = cases[case.name]
            ratio = statistics.median(b / a for a, b in zip(ours, its, strict=True))
            found[library] = statistics.median(ours), statistics.median(its), ratio
    return found


def show(title, cases, compared, unit, scale):
    """A row for each case and other library, with every number of threads side by side."""
    counts = list(compared)
    print(f"\n{title}; {unit} with so many threads")
    rows = []
    for case in cases:
        for library in compared[counts[0]][case.name]:
            row = [case.name.removesuffix(case.size).strip(), case.size, library]
            for count in counts:
                ours, its, ratio = compared[count][case.name][library]
                row += [*(f"{scale(case, s):.0f}" for s in (ours, its)), f"{ratio:.2f}"]
            rows.append(row)
    columns = [heading for n in counts for heading in (f"{n}: npvae", "other", "ratio")]
    print_table(("", "size", "other", *columns), rows, (17, 14, 7, *(9, 6, 6) * len(counts)))


def summary(cases, compared):
    """Of the dense products' ratios to NumPy: geometric mean, least, and what is below LEAST."""
    totals = {}
    dense = [case.name for case in cases if not case.digits]
    for count, by_name in compared.items():
        ratios = {name: by_name[name]["NumPy"][2] for name in dense}
        totals[count] = {
            "geometric_mean": statistics.geometric_mean(ratios.values()),
            "least": min(ratios.values()),
            "too_slow": [name for name, ratio in ratios.items() if ratio < LEAST],
        }
    return totals


def main():
    args = parse_args()
    facts = machine()
    print_machine(facts)
    chosen = {name: PLAIN[name] for name in args.configurations}
    multiplied = [case for item in chosen.items() for case in products(*item)]
    rest = [case for item in chosen.items() for case in others(*item)]
    compared, report = {memory: {} for memory in MEMORY}, {"machine": facts, "threads": {}}
    for threads in args.threads:
        measured = report["threads"][threads] = measure(multiplied + rest, threads, args)
        for memory in MEMORY:
            compared[memory][threads] = {
                case.name: compare(case, measured["seconds"][memory]) for case in multiplied + rest
            }
    print(f"NumPy multiplies by {measured['blas']}; medians of {args.rounds} rounds")
    for threads, measured in report["threads"].items():
        if None not in measured["hops_ns"]:
            low, high = min(measured["hops_ns"]), max(measured["hops_ns"])
            print(f"threads: {threads}; {low:.0f} to {high:.0f} ns from CPU to CPU")
    slow = [told for memory in MEMORY for told in tell(memory, multiplied, rest, compared, report)]
    for library, reason in measured["missing"].items():
        print(f"{library} is missing: {reason}")
    write_json(args.json, report)
    print(f"\nevery number is in {args.json}")
    if slow:
        sys.exit("\n".join([f"slower than {LEAST} times BLAS:", *slow]))


def tell(memory, multiplied, rest, compared, report):
    """Print the tables of one kind of memory, and report what they come to. -> what is too slow"""
    compared, slow = compared[memory], []
    title = f"matrix products, {memory}"
    show(title, multiplied, compared, "GFLOP/s", lambda c, s: c.operations / s / 1e9)
    for threads, total in summary(multiplied, compared).items():
        report["threads"][threads].setdefault("products", {})[memory] = total
        slow += [f"  {name}, {memory}, threads: {threads}" for name in total["too_slow"]]
        print(
            f"threads: {threads}; npvae / BLAS, {memory}: geometric mean "
            f"{total['geometric_mean']:.2f}, least {total['least']:.2f}"
        )
    show(f"elementwise kernels, optimizer, {memory}", rest, compared, "µs", lambda _, s: 1e6 * s)
    return slow


def parse_args():
    options = parser(__doc__, "kernels.json")
    add = options.add_argument
    names = list(PLAIN)
    add("--configurations", nargs="+", choices=names, default=names, metavar="NAME")
    add("--without-torch", action="store_true", help="npvae and NumPy alone")
    counts = sorted({1, len(cpus())})
    add("--threads", nargs="+", type=integer(1, len(cpus())), default=counts, metavar="N")
    add("--milliseconds", type=integer(1), default=15, help="for each kernel in each round")
    return options.parse_args()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
    except (OSError, StoppedError) as error:
        sys.exit(f"error: {error}")
