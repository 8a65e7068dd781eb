"""Draws figures of the book as SVG, for slides.

    python derivations/workshop/svg.py slides kl_terms two_roads

Each is drawn by its own script in derivations/figures, whose pictures stay as they are.
"""

import argparse
import runpy
import sys
from pathlib import Path

from matplotlib.figure import Figure

FIGURES = Path(__file__).resolve().parents[1] / "figures"


def main():
    names = {path.stem for path in FIGURES.glob("*.py")} - {"all"}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("names", nargs="+", metavar="NAME", help="scripts, without .py")
    parser.add_argument("--data-dir", type=Path, help="MNIST's four files, for those that need it")
    args = parser.parse_args()
    if unknown := sorted({*args.names} - names):
        parser.error(f"no script draws {', '.join(unknown)}; there are {', '.join(sorted(names))}")
    args.folder.mkdir(parents=True, exist_ok=True)

    def save(figure, file, **options):
        path = args.folder / Path(file).with_suffix(".svg").name
        as_png(figure, path, **{key: options[key] for key in options if key != "dpi"})
        print(path)

    as_png, Figure.savefig = Figure.savefig, save
    for name in args.names:
        options = ["--data-dir", str(args.data_dir)] if args.data_dir else []
        sys.path[0], sys.argv = str(FIGURES), [str(FIGURES / f"{name}.py"), *options]
        runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
