"""Compiled loops kept on disk, so that only the first process waits for the compiler.

numba keeps an index and a file of data for each of its entries, and writes the index first. A
process that is killed between the two, or two that write at once, leave an index that names
another entry's data: a loop in another's place. So each loop has an index of its own, whose name
carries all that its code depends on, and what is read is compared with what was asked for.
"""

import contextlib
import functools
import logging
import time
import warnings
import zlib
from pathlib import Path

import llvmlite
import numba
from numba.core import event
from numba.core.caching import FunctionCache
from numba.core.registry import cpu_target

log = logging.getLogger("npvae")


@functools.cache
def version():
    """A number that changes with the kernels' sources, numba, LLVM, and the CPU compiled for."""
    sources = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    cpu = cpu_target.target_context.codegen().magic_tuple()
    return zlib.crc32(sources + repr((numba.__version__, llvmlite.__version__, cpu)).encode())


def keep(dispatcher, name):
    """The dispatcher, whose compiled code is kept under this name and `version`.

    Where no folder can be written, a warning says so, and each process compiles for itself.
    """
    function = dispatcher.py_func
    function.__qualname__ = f"{name}_{version():08x}"  # numba names the files after it
    try:
        dispatcher._cache = _Checked(function)
    except RuntimeError:  # numba: no locator available
        _tell_once("no folder for compiled kernels can be written")
    return dispatcher


class _Checked(FunctionCache):
    """numba's cache of a function, which trusts no file, and goes on where none can be written."""

    def _index_key(self, sig, codegen):
        # The name holds the version: no need to compare bytes of the functions that are called.
        return sig, codegen.magic_tuple(), self._py_func.__qualname__

    def load_overload(self, sig, target_context):
        try:
            found = super().load_overload(sig, target_context)
        except Exception:  # damaged bytes raise a dozen kinds; what they held is compiled anew
            with contextlib.suppress(OSError):
                self.flush()
            return None
        if found is None or found.fndesc.qualname != self._py_func.__qualname__:
            return None
        return found if tuple(found.signature.args) == tuple(sig) else None

    def save_overload(self, sig, data):
        try:
            super().save_overload(sig, data)
        except OSError as error:
            _tell_once(f"compiled kernels cannot be kept in {self.cache_path} ({error.strerror})")


@functools.cache
def _tell_once(what):
    warnings.warn(
        f"{what}: every process compiles them anew, which takes about a quarter of a minute. Set "
        "NUMBA_CACHE_DIR to a folder that can be written",
        RuntimeWarning,
        stacklevel=2,
    )


class _Compiler(event.Listener):
    """Says once that the kernels are being compiled, and adds up the seconds."""

    def __init__(self):
        self.seconds, self.depth, self.told = 0.0, 0, False

    def on_start(self, event):
        if not _is_ours(event):
            return
        if not self.told:
            log.warning("npvae compiles its kernels: a quarter of a minute, once on a machine …")
        self.told = True
        if self.depth == 0:
            self.began = time.perf_counter()
        self.depth += 1  # a loop's compilation holds those of the functions that it calls

    def on_end(self, event):
        if not _is_ours(event):
            return
        self.depth -= 1
        if self.depth == 0:
            self.seconds += time.perf_counter() - self.began


def _is_ours(event):
    return (event.data["dispatcher"].py_func.__module__ or "").startswith(__package__)


compiler = _Compiler()
event.register("numba:compile", compiler)


def clock():
    """Seconds from some moment, the compiler's not counted."""
    return time.perf_counter() - compiler.seconds
