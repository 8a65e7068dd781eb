"""The workshop's command line: python -m npvae.learn."""

import argparse
import os
import sys
import textwrap
from pathlib import Path

from . import commands
from . import report as marks
from .catalogue import WorkshopError

DESCRIPTION = """\
Write npvae yourself, equation by equation.

    python -m npvae.learn DIR              a new folder of emptied functions
    python -m npvae.learn check DIR        mark what has changed in it
    python -m npvae.learn check DIR kl.3   … this equation
    python -m npvae.learn hint DIR kl.3    one hint more, each time

An equation is named by its tag, such as kl.3; by its function; by its chapter,
such as 05; or by its file."""

COMMANDS = (
    *("new", "check", "watch", "list", "hint", "reset", "milestones"),
    *("report", "exhibit", "blind"),
)


def new_parser():
    parser = argparse.ArgumentParser(
        prog="python -m npvae.learn",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds = parser.add_subparsers(dest="command", metavar="command", required=True)

    def add(name, does, run, words="*"):
        sub = kinds.add_parser(name, help=does, description=does)
        sub.set_defaults(run=run)
        sub.add_argument("folder", type=Path, metavar="DIR")
        if words:
            sub.add_argument("words", nargs=words, metavar="TAG", help="equations; all if none")
        return sub

    does = "make a folder of emptied functions (`new` may be left out)"
    new = add("new", does, commands.new, words="")
    new.add_argument("--derive", action="store_true", help="hide the formulas as well")
    check = add("check", "mark what has changed, or the equations named", commands.check)
    check.add_argument("--all", dest="whole", action="store_true", help="every case of every test")
    add("watch", "check whenever a file is saved, until Ctrl-C", commands.watch, words="")
    add("list", "all equations, and which are yours", commands.show_list)
    does = "where it stands, then the equation, then what your answer does: a step each time"
    hint = add("hint", does, commands.hint, words="+")
    hint.add_argument("--more", action="store_true", help="all steps at once")
    add("reset", "empty a function again; a copy of the file is kept", commands.reset, words="+")
    does = "what the library does with all that is yours in it"
    add("milestones", does, commands.milestones, words="")
    does = "the marks of one or more folders, for a teacher"
    report = kinds.add_parser("report", help=does, description=does)
    report.set_defaults(run=marks.report)
    report.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    report.add_argument("--csv", type=Path, metavar="FILE")
    report.add_argument("--junit", type=Path, metavar="FILE")
    report.add_argument("--chapters", nargs="+", metavar="NN", help="these alone, such as 04 05 06")
    show = kinds.add_parser("exhibit", help="one of the museum's mistakes, in seconds")
    show.set_defaults(run=commands.exhibit)
    show.add_argument("name", nargs="?", metavar="NAME", help="as chapter 16 has it; all if none")
    does = "find a hidden mistake by its curve and samples, or judge a test of yours"
    blind = kinds.add_parser("blind", help=does, description=does)
    blind.set_defaults(run=commands.blind)
    blind.add_argument("--seed", type=int, metavar="N", help="the same mistake again")
    blind.add_argument(
        "--answer", dest="answers", nargs=2, type=int, metavar=("LINE", "MISTAKE"), default=()
    )
    blind.add_argument("--kill", type=Path, metavar="TEST.py", help="a test that should fail")
    blind.add_argument("--name", metavar="NAME", help="the mistake that it should kill")
    return parser


def main(arguments=None):
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):  # a Windows console may not be in UTF-8
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace", line_buffering=True)
    parser = new_parser()
    if arguments and arguments[0] not in COMMANDS and not arguments[0].startswith("-"):
        arguments = ["new", *arguments]
    options = vars(parser.parse_args(arguments))
    try:
        code = options["run"](**options)
    except WorkshopError as error:
        sys.exit("\n".join(textwrap.wrap(str(error), 80, break_long_words=False)))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # `| head` has seen enough; what is left goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(code)


if __name__ == "__main__":
    main()
