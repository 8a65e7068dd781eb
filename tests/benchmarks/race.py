"""The processes of one configuration: started, timed, trained in turns."""

import contextlib
import time

from harness import REST, StoppedError, Worker, cpus, spinning, turns
from ping import hop_ns

SCRIPTS = {
    "npvae": "npvae_train",
    "torch": "torch_eager",
    "torch.compile": "torch_compiled",
    "jax": "jax_scan",
}


def caches(folder):
    """Where each library keeps what it compiled."""
    return {
        "NUMBA_CACHE_DIR": str(folder / "numba"),
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor"),
        "JAX_COMPILATION_CACHE_DIR": str(folder / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }


def start(peer, folder, threads, starts):
    """A worker after its first step, and the seconds that it took in each of so many starts.

    The first start is cold, the others warm, and only the last goes on to train.
    """
    files = folder / "task.npz", folder / f"{peer}.npz"
    environment = caches(folder) if starts else None
    seconds = []
    for remaining in reversed(range(max(1, starts))):
        began = time.perf_counter()
        worker = Worker(SCRIPTS[peer], *files, threads=threads, environment=environment)
        try:
            worker.listen()
        except StoppedError:
            worker.stop()
            raise
        seconds.append(time.perf_counter() - began)
        if remaining:
            worker.stop()
        time.sleep(REST)
    return worker, seconds if starts else []


def epoch(worker, threads, busy):
    """The worker's answer, and how far its CPUs were apart: the longer hop of before and after."""
    used = cpus()[:threads]
    before = hop_ns(used)
    with spinning() if busy else contextlib.nullcontext():
        answer = worker.ask()
    after = hop_ns(used)
    return answer | {"hop_ns": before and max(before, after)}


def race(folder, peers, threads, busy, starts, rounds, size):
    """Start the peers, let them train in turns, write what they learned.

    -> {peer: {"starts": [seconds], "epochs": [answers]}}, or {"missing": why} of a peer that is
    not installed or stopped; and the best rates of the machine
    """
    results, workers = {}, {}
    with contextlib.ExitStack() as stack:
        for peer in peers:
            try:
                workers[peer], seconds = start(peer, folder, threads, starts)
                stack.callback(workers[peer].stop)
                results[peer] = {"starts": seconds, "epochs": []}
            except StoppedError as error:
                results[peer] = {"missing": str(error)}
        limits = Worker("limits", size, threads=threads)
        stack.callback(limits.stop)
        limits.listen()
        rates = []
        for r, peer in turns([*workers, None], 1 + rounds):
            if peer is None:
                if r > 0:
                    rates.append(limits.ask())
            elif "missing" not in results[peer]:
                try:
                    answer = epoch(workers[peer], threads, busy)
                    if r > 0:  # the first epoch warms up
                        results[peer]["epochs"].append(answer)
                except StoppedError as error:
                    results[peer] = {"missing": str(error)}
        for peer, worker in workers.items():
            if "missing" not in results[peer]:
                worker.finish()
    return results, {name: max(rate[name] for rate in rates) for name in ("operations", "bytes")}
