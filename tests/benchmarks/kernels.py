"""Single kernels of npvae against OpenBLAS, NumPy, SciPy and PyTorch.

    python tests/benchmarks/kernels.py
    python tests/benchmarks/kernels.py --configurations c --threads 1

Each library runs in a process of its own, since two pools of threads in one process fight, and
the processes take turns. Operands come from the far cache, as they do in training. Ratios are
taken within each round: 2 is npvae twice as fast. NumPy's elementwise loops use one thread.
"""

import contextlib
import json
import math
import statistics
import sys
import time
from itertools import pairwise
from typing import NamedTuple

import numpy as np
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


def layers(configuration):
    """[(B, D_in, D_out), …] of the encoder's layers and then the decoder's."""
    hidden, Z, B = configuration.hidden, configuration.latent_dim, configuration.batch_size
    encoder = [(B, *pair) for pair in pairwise([784, *hidden, 2 * Z])]
    return encoder + [(B, *pair) for pair in pairwise([Z, *hidden[::-1], 784])]


def products(name, configuration):
    """The matrix products of a step, those of one size once."""
    for layer in dict.fromkeys(layers(configuration)):
        B, d_in, d_out = layer
        forms = {
            "x W + b": [(B, d_in), (d_in, d_out), (d_out,)],
            "dy Wᵀ": [(B, d_out), (d_in, d_out)],
            "xᵀ dy": [(B, d_in), (B, d_out)],
        }
        if layer == layers(configuration)[0]:
            del forms["dy Wᵀ"]  # the gradient of the data
        size = "×".join(map(str, layer))
        for kernel, shapes in forms.items():
            yield Case(f"{name} {kernel} {size}", kernel, size, shapes, 2 * math.prod(layer))


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
    """-> {library: {case's name: seconds in each round}}, {library: why it is missing}"""
    asked = json.dumps([(case.name, case.kernel, case.shapes) for case in cases])
    seconds, missing = {}, {}
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
                seconds[library] = {}
            except StoppedError as error:
                if library != "torch":
                    raise
                missing[library] = str(error)
        time.sleep(REST)
        for _, library in turns(seconds, args.rounds):
            for name, once in workers[library].ask().items():
                seconds[library].setdefault(name, []).append(once)
    return seconds, missing


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
    """The geometric mean and the least of the ratios to NumPy, for each number of threads."""
    totals = {}
    for count, by_name in compared.items():
        ratios = [by_name[case.name]["NumPy"][2] for case in cases]
        totals[count] = {"geometric_mean": statistics.geometric_mean(ratios), "least": min(ratios)}
    return totals


def main():
    args = parse_args()
    facts = machine() | {"blas": np.show_config("dicts")["Build Dependencies"]["blas"]["name"]}
    print_machine(facts)
    print(f"NumPy multiplies by {facts['blas']}; medians of {args.rounds} rounds")
    chosen = {name: PLAIN[name] for name in args.configurations}
    multiplied = [case for item in chosen.items() for case in products(*item)]
    rest = [case for item in chosen.items() for case in others(*item)]
    compared, report = {}, {"machine": facts, "threads": {}}
    for threads in args.threads:
        seconds, missing = measure(multiplied + rest, threads, args)
        compared[threads] = {case.name: compare(case, seconds) for case in multiplied + rest}
        report["threads"][threads] = {"seconds": seconds, "missing": missing}
    show("matrix products", multiplied, compared, "GFLOP/s", lambda c, s: c.operations / s / 1e9)
    for threads, total in summary(multiplied, compared).items():
        report["threads"][threads]["products"] = total
        print(
            f"threads: {threads}; npvae / {facts['blas']}: geometric mean "
            f"{total['geometric_mean']:.2f}, least {total['least']:.2f}"
        )
    show("elementwise kernels, optimizer", rest, compared, "µs", lambda _, s: 1e6 * s)
    for library, reason in missing.items():
        print(f"{library} is missing: {reason}")
    write_json(args.json, report)
    print(f"\nevery number is in {args.json}")


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
