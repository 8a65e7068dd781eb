"""What both benchmarks share: processes that take turns, options, tables, the machine."""

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import textwrap
import time
from importlib import metadata
from pathlib import Path

PEERS = Path(__file__).parent / "peers"
# After its work is done, a thread pool may wait actively for a while.
REST = 0.4
PATIENCE = 10  # seconds for a process to end by itself
# Each library is bound by the CPUs that its process may use; these say the same once more.
THREAD_VARIABLES = (
    "NUMBA_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NPROC",  # read by XLA
)
# Without these OpenBLAS takes the kernels that were written for this CPU.
TUNING = "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"
SPIN = "while True: pass"


class StoppedError(RuntimeError):
    """A process ended before it had answered."""


class Worker:
    """A process of its own, which answers each line that it is sent with one JSON object."""

    def __init__(self, script, *args, threads, environment=None):
        command = [sys.executable, str(PEERS / f"{script}.py"), *map(str, args)]
        inherited = {name: value for name, value in os.environ.items() if name not in TUNING}
        variables = dict.fromkeys(THREAD_VARIABLES, str(threads)) | (environment or {})
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        with _on_cpus(threads):  # which a new process inherits
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.errors,
                text=True,
                env=inherited | variables,
            )

    def listen(self):
        """The next answer, as a dictionary."""
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            words = self.errors.read().strip().splitlines() or ["it said nothing"]
            raise StoppedError(words[-1])
        return json.loads(line)

    def ask(self, request=""):
        with contextlib.suppress(BrokenPipeError):  # `listen` says why
            self.process.stdin.write(f"{request}\n")
            self.process.stdin.flush()
        answer = self.listen()
        time.sleep(REST)
        return answer

    def finish(self):
        """Ask for nothing more, and wait until the process has written what it learned."""
        self.process.stdin.close()
        self.listen()

    def stop(self):
        """Let the process end, or end it."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()


def cpus():
    """The CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count()))


@contextlib.contextmanager
def _on_cpus(count):
    allowed = cpus()
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    os.sched_setaffinity(0, allowed[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


@contextlib.contextmanager
def spinning():
    """Another program, held to the last CPU."""
    process = subprocess.Popen([sys.executable, "-c", SPIN])
    try:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(process.pid, cpus()[-1:])
        yield process
    finally:
        process.kill()
        process.wait()


def turns(names, rounds):
    """(round, name) for every name in every round, in an order that turns."""
    names = list(names)
    for r in range(rounds):
        first = r % len(names) if names else 0
        for name in names[first:] + names[:first]:
            yield r, name


def parser(doc, json_name):
    """An ArgumentParser with the options of every benchmark."""
    parser = argparse.ArgumentParser(
        description=doc.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--rounds", type=integer(1), default=5, help="turns for each process")
    default = Path("out") / json_name
    parser.add_argument("--json", type=Path, default=default, help="file for every number")
    return parser


def integer(low, high=None):
    """An argparse type: an integer from low to high."""

    def integer(text):
        number = int(text)
        if number < low or (high is not None and number > high):
            bounds = f">= {low}" if high is None else f"from {low} to {high}"
            raise argparse.ArgumentTypeError(f"{number}; expected an integer {bounds}")
        return number

    return integer


def write_json(path, contents):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(contents, indent=2) + "\n")


def machine():
    """Where the numbers were measured."""
    return {
        "cpu": _cpu_model(),
        "cpus": len(cpus()),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "versions": {name: v for name in DISTRIBUTIONS if (v := _version(name))},
    }


DISTRIBUTIONS = ("npvae", "numpy", "numba", "scipy", "torch", "jax", "jaxlib")


def _version(name):
    with contextlib.suppress(metadata.PackageNotFoundError):
        return metadata.version(name)


def _cpu_model():
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def print_machine(facts):
    print(f"{facts['cpu']}, {facts['cpus']} CPUs, {facts['system']}, Python {facts['python']}")
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    print(textwrap.fill(versions, 80))


def print_table(headings, rows, widths):
    """The first column to the left, the others to the right; None is shown as a dash."""
    for row in [headings, *rows]:
        cells = ["–" if cell is None else str(cell) for cell in row]
        line = cells[0].ljust(widths[0])
        line += "".join(c.rjust(w) for c, w in zip(cells[1:], widths[1:], strict=True))
        print(line.rstrip())
