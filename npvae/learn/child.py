"""A process in which npvae is imported with answers or mistakes in it.

Run by its path, with JSON on its standard input that says what to do: `python -m
npvae.learn.child` would import npvae before anything could take its place. So this package is
imported under another name.
"""

import contextlib
import importlib
import json
import os
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
ALIAS = "npvae_learn"
READ_AHEAD = "pytest", "hypothesis.extra.numpy", "scipy.stats"  # slow to import, and not npvae


def import_under_alias():
    """The package npvae.learn, without npvae."""
    places = {"submodule_search_locations": [str(HERE)]}
    spec = spec_from_file_location(ALIAS, HERE / "__init__.py", **places)
    sys.modules[ALIAS] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules[ALIAS])


def read_ahead():
    """Import what examiners import, before there is a task."""
    for name in READ_AHEAD:
        with contextlib.suppress(ImportError):  # told by the examiner, if it matters
            importlib.import_module(name)


def main(ready=""):
    sys.path[0] = str(ROOT)
    if ready:
        read_ahead()
    task = json.load(sys.stdin)
    os.environ["NPVAE_KERNELS"] = task.get("engine", "reference")
    os.environ["NPVAE_MUSEUM"] = "1"  # the suite's own museum stays closed here
    import_under_alias()
    splice, calls, does = (
        importlib.import_module(f"{ALIAS}.{name}") for name in ("splice", "calls", task["does"])
    )
    observer = calls.Observer()
    splice.install(task.get("answers", {}), observer.watch)
    splice.install_edits("npvae", task.get("edits", ()))
    findings = does.run(task, observer)
    Path(task["to"]).write_text(json.dumps(findings), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
