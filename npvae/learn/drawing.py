"""Curves and digits in characters, for a terminal of 80 columns."""

INK = " .:-=+*#%@"  # from 0 to 1


def curves(one, other, height=10, width=48):
    """Two curves on one scale: `*` the first, `·` the second, `#` both."""
    values = [v for v in (*one, *other) if abs(v) < 1e300]
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    rows = [[" "] * width for _ in range(height)]
    for marks, curve in (("·", other), ("*", one)):
        for i, value in enumerate(curve):
            if not abs(value) < 1e300:
                continue
            x = round(i * (width - 1) / max(1, max(len(one), len(other)) - 1))
            y = round((high - value) / span * (height - 1))
            rows[y][x] = "#" if rows[y][x] not in (" ", marks) else marks
    labels = [f"{high:12.5g}", *[" " * 12] * (height - 2), f"{low:12.5g}"]
    return [f"{label} |{''.join(row)}".rstrip() for label, row in zip(labels, rows, strict=True)]


def digits(images, crop=2):
    """Images (n, 28, 28) in [0, 1] side by side, a character for two rows of pixels."""
    lines = []
    for row in range(crop, 28 - crop, 2):
        parts = []
        for image in images:
            pairs = zip(image[row][crop:-crop], image[row + 1][crop:-crop], strict=True)
            parts.append("".join(_ink((a + b) / 2) for a, b in pairs))
        lines.append(" | ".join(parts).rstrip())
    return lines


def _ink(level):
    return INK[min(len(INK) - 1, max(0, int(level * len(INK))))]
