"""README's table of speeds, made from what training.py measured."""

import re
import textwrap
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"
BEGIN, END = "<!-- speed -->", "<!-- end of speed -->"
LIBRARIES = {
    "npvae": "npvae",
    "jax": "JAX",
    "torch": "PyTorch",
    "torch.compile": "torch.compile",
}
VERSIONS = {"numba": "numba", "numpy": "NumPy", "jax": "JAX", "torch": "PyTorch"}


def rewritten(readme, report):
    """README's text with this report's table in place of the last."""
    parts = re.split(f"(?<={BEGIN}\n)|(?={END})", readme)
    if len(parts) != 3:
        raise ValueError(f"README.md has no text between {BEGIN} and {END}, each on its own line")
    return parts[0] + speed_table(report) + parts[2]


def speed_table(report):
    """A row for each configuration, then what holds of all of them or of the first."""
    measured = report["configurations"].values()
    first = next(iter(measured))
    rows = [row for each in measured for row in _rows(each)]
    rows += [
        ("slow epochs, no core busy", *_cells(_slow(measured)), None),
        ("peak memory in the first, MiB", *_cells(_of(first, "{peak_mib:.0f}")), None),
    ]
    if all(result["warm_start"] for result in _ran(first).values()):
        starts = _of(first, "{warm_start:.1f}, {cold_start:.1f}")
        rows.append(("start to first step in the first, s: warm, cold", *_cells(starts), None))
    lines = [("model", *LIBRARIES.values(), "speed"), ("---", *["---:"] * (len(LIBRARIES) + 1))]
    lines = ["| " + " | ".join(cell or "–" for cell in line) + " |" for line in lines + rows]
    return "\n".join([_caption(report), "", *lines, ""])


def _rows(measured):
    """One for all epochs, and two more if some had the CPUs near and others had not."""
    ratio = measured["peers"]["npvae"].get("speed")
    cells = _cells(_of(measured, "{best:.2f}, {seconds:.2f}"))
    yield measured["description"], *cells, ratio and f"{ratio:.2f}"
    if len(measured["placed"]) == 2:
        for place, part in measured["placed"].items():
            cells = {p: f"{t['seconds']:.2f} in {t['epochs']}" for p, t in part["peers"].items()}
            speed = part["speed"] and f"{part['speed']:.2f}"
            yield f"– epochs with the CPUs {place}", *_cells(cells), speed


def _ran(measured):
    return {peer: told for peer, told in measured["peers"].items() if "missing" not in told}


def _of(measured, form):
    return {peer: form.format(**told) for peer, told in _ran(measured).items()}


def _slow(measured):
    """{peer: how many of the epochs were slow}, but of those beside a busy core"""
    counts = {}
    for each in (each for each in measured if not each["busy"]):
        for peer, told in _ran(each).items():
            slow, of = counts.get(peer, (0, 0))
            counts[peer] = slow + told["slow"], of + len(told["epochs"])
    return {peer: f"{slow} of {of}" for peer, (slow, of) in counts.items()}


def _cells(by_peer):
    return [by_peer.get(peer) for peer in LIBRARIES]


def _caption(report):
    machine = report["machine"]
    versions = ", ".join(
        f"{name} {machine['versions'][key]}"
        for key, name in VERSIONS.items()
        if key in machine["versions"]
    )
    return textwrap.fill(
        f"Seconds for an epoch of {report['data']} ({report['images']:,} images, Adam) on "
        f"{machine['cpus']} CPUs ({machine['cpu']}): the best of {report['rounds']} epochs, "
        "then the median. The processes take turns, and all end within noise of the same test "
        "bound. The last column is the median, over the rounds, of the fastest peer's time divided "
        f"by npvae's. With {versions}, Python {machine['python']}.",
        width=100,
    )
