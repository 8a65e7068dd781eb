"""What every process does: read its task, prepare, then answer each line that it is sent.

An answer is one JSON object a line. The first is given unasked, when everything is ready.
"""

import json
import resource
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

KEEP = "keep"


class Task(NamedTuple):
    """One model, one set of images, one way to train.

    rates, betas    Adam's learning rate and the KL's weight at each step; none: 1e-3, and 1
    """

    path: str  # of the file that holds all this
    params: dict  # by npvae's names, such as "encoder/0/W"; float32
    activation: str  # tanh or relu
    batch_size: int
    samples: int
    binarize: bool
    epochs: int
    seed: int
    rates: tuple = ()
    betas: tuple = ()

    def rate(self, t):
        return self.rates[t] if self.rates else 1e-3

    def beta(self, t):
        return self.betas[t] if self.betas else 1.0

    @property
    def latent_dim(self):
        return len(self.params["decoder/0/W"])

    def images(self):
        """(N, D) uint8, read anew: no peer has to keep 8-bit images beside its own."""
        with np.load(self.path) as file:
            return file["images"]

    def layers(self, part):
        """[(W, b), …] of the encoder or the decoder."""
        count = sum(name.startswith(part) for name in self.params) // 2
        return [tuple(self.params[f"{part}/{i}/{field}"] for field in "Wb") for i in range(count)]


def write_task(task, images):
    choices = task._asdict()
    params = choices.pop("params")
    np.savez(task.path, images=images, choices=json.dumps(choices), **params)


def _read_task(path):
    with np.load(path) as file:
        choices = json.loads(str(file["choices"]))
        params = {name: file[name] for name in file.files if "/" in name}
    return Task(params=params, **choices)


def serve(start):
    """Train as the command line says: the file of a task, and one for the parameters.

    start(task) prepares and takes one step, as the first of the schedules says; it returns
    epoch and params
    epoch() -> the mean loss of its steps; params() -> a dictionary such as a Task holds
    An empty line asks for an epoch, KEEP for the parameters as they are.
    """
    path, result = sys.argv[1:]
    epoch, params = start(_read_task(path))
    _tell(ready=True)
    waiting_since = time.process_time()
    for line in sys.stdin:
        if line.strip() == KEEP:
            np.savez(result, **params())
            _tell(kept=True)
            continue
        idle_cpu = time.process_time() - waiting_since
        began = time.perf_counter()
        loss = epoch()
        seconds = time.perf_counter() - began
        _tell(seconds=seconds, loss=loss, peak_mib=_peak_mib(), idle_cpu_seconds=idle_cpu)
        waiting_since = time.process_time()
    np.savez(result, **params())
    _tell(done=True)


def answer(function):
    """Answer every line with function(line), a dictionary."""
    _tell(ready=True)
    for line in sys.stdin:
        _tell(**function(line.strip()))
    _tell(done=True)


def _tell(**message):
    print(json.dumps(message), flush=True)


def _peak_mib():
    """The most memory that this process ever held.

    ru_maxrss starts at what the parent held when it forked, so Linux is asked elsewhere.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) / 1024
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
