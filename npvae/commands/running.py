"""What every command does around its work: arguments in, errors in a line, notes, a status."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shutil
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

WRONG = 2  # status: what was asked for cannot be done
STOPPED = 130  # by Ctrl-C, as shells have it
USUAL = OSError, TypeError, ValueError, ArithmeticError, MemoryError, ImportError
WIDTH = 80


def new_parser(name: str, description: str) -> argparse.ArgumentParser:
    """A parser whose --help keeps the description's lines."""
    return argparse.ArgumentParser(
        f"python -m npvae {name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def run(
    parser: argparse.ArgumentParser, work: Callable[[argparse.Namespace], int], arguments: list[str]
) -> int:
    """Parse, work, and tell what went wrong in a line.  -> exit status"""
    args = parser.parse_args(arguments)
    try:
        with notes():
            return work(args)
    except KeyboardInterrupt:
        print(f"{parser.prog}: stopped", file=sys.stderr)
        return STOPPED
    except USUAL as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        print(f"{parser.prog}: {reason}", file=sys.stderr)
        return WRONG


@contextlib.contextmanager
def notes(silent: bool = False) -> Iterator[None]:
    """Warnings are told as notes, each once, or not at all."""

    def show(message, *_, **__):
        if not silent:
            tell(wrapped(f"note: {message}"), sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = show
        yield


def wrapped(text: str) -> str:
    """The same lines, none wider than 80 columns."""
    filler = textwrap.TextWrapper(
        WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(map(filler.fill, text.splitlines()))


def count(text: str) -> int:
    """The type of a number of things."""
    return _number(text, int, 1, "a whole number >= 1")


def natural(text: str) -> int:
    """The type of a number that may be 0."""
    return _number(text, int, 0, "a whole number >= 0")


def positive(text: str) -> float:
    """The type of a number above 0."""
    return _number(text, float, sys.float_info.min, "a number > 0")


def weight(text: str) -> float:
    """The type of a number not below 0."""
    return _number(text, float, 0, "a number >= 0")


def replace_letters() -> None:
    """Let a console that has no letter for − or × show a ? in its place."""
    for stream in sys.stdout, sys.stderr:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def tell(text: str, stream: TextIO | None = None) -> None:
    """Print at once; where nobody reads any more, go on in silence: the work is worth more."""
    stream = stream or sys.stdout
    try:
        print(text, file=stream, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _number(text, kind, least, expected):
    with contextlib.suppress(ValueError, OverflowError):
        if least <= (value := kind(text)) < float("inf"):
            return value
    raise argparse.ArgumentTypeError(f"{text!r}; expected {expected}")


def add_model(parser: argparse.ArgumentParser) -> None:
    """The argument MODEL."""
    about = "what train, or VAE.save, wrote, an .npz"
    parser.add_argument("model", metavar="MODEL", type=Path, help=about)


def add_data(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """DATA and how to read it."""
    add = parser.add_argument
    about = "rows in .csv, .npy, .npz or IDX, or a folder of pictures"
    add("data", metavar="DATA", type=Path, nargs="?" if optional else None, help=about)
    about = "columns to leave out, by name or number from 0"
    add("--drop", metavar="COLUMN", nargs="+", default=[], help=about)
    add("--label", metavar="COLUMN", help="a column to keep apart, of numbers or text")


def add_divide(parser: argparse.ArgumentParser) -> None:
    """--divide."""
    about = "by which numbers are divided first, such as 255 (default: as when it was trained)"
    parser.add_argument("--divide", metavar="X", type=positive, help=about)


def add_seed(parser: argparse.ArgumentParser) -> None:
    """--seed."""
    about = "of everything random (default: 0)"
    parser.add_argument("--seed", metavar="N", type=natural, default=0, help=about)


def is_watched() -> bool:
    """Whether a bar of progress has somebody to look at it."""
    return sys.stderr.isatty() and shutil.get_terminal_size().columns >= WIDTH // 2
