"""python -m npvae COMMAND …: what can be done from the shell."""

import importlib
import sys

from .commands.running import replace_letters, tell

COMMANDS = {  # name: module with main(arguments), imported when asked for; what it does
    "describe": ("npvae.commands.describe", "say what data are, and what to begin with"),
    "train": ("npvae.commands.train", "train a model of your data"),
    "evaluate": ("npvae.commands.evaluate", "say what a model is worth, in nats a row"),
    "diagnose": ("npvae.commands.diagnose", "say what is likely wrong with a model"),
    "sample": ("npvae.commands.sample", "write rows, or draw pictures, that a model makes"),
    "impute": ("npvae.commands.impute", "fill the holes of a table"),
    "verify": ("npvae.commands.verify", "say whether a model is still what was trained"),
    "explore": ("npvae.pages.command", "write one HTML page in which to try a saved model"),
    "convert": ("npvae.storage.command", "bring a model from PyTorch or Keras, or take one there"),
}


def main(arguments):
    """Run the command that the first of the arguments names, with the rest.  -> exit status"""
    replace_letters()
    if not arguments or arguments[0] in ("-h", "--help"):
        tell(usage())
        return 0 if arguments else 2
    name, *rest = arguments
    if name not in COMMANDS:
        tell(f"npvae: there is no command {name!r}\n\n{usage()}", sys.stderr)
        return 2
    return importlib.import_module(COMMANDS[name][0]).main(rest)


def usage():
    """The commands, one a line."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {about}" for name, (_, about) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: python -m npvae COMMAND …",
            "",
            *lines,
            "",
            "python -m npvae COMMAND --help says more.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
