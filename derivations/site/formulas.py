"""TeX to MathML: latex2mathml's tree, put right where MathML Core and TeX's spacing need it."""

import html
import re
from xml.etree import ElementTree

from latex2mathml.converter import convert_to_element
from latex2mathml.symbols_parser import convert_symbol

TAG = re.compile(r"\s*\\tag\{([^}]*)\}")
SPACES = {
    "thinmathspace": "0.1667em",
    "mediummathspace": "0.2222em",
    "thickmathspace": "0.2778em",
    "negativethinmathspace": "-0.1667em",
}
BIG = {"1.623em": "1.8em", "2.047em": "2.4em", "2.470em": "3em"}  # as tall as in TeX
THIN = SPACES["thinmathspace"]
FUNCTIONS = frozenset(["log", "exp", "sin", "cos", "tan", "tanh", "max", "min", "det", "arg", "tr"])
LIMITS = {"msub": "munder", "msup": "mover", "msubsup": "munderover"}
PRIMES = ("′", "″", "‴", "⁗")
IDENTIFIERS = "∂∇∞⊤‖…"  # operators to latex2mathml, with the space of one on both sides
OPENING = "([{|⌊⌈‖"
SIGNS = "=<>≤≥≈∼+−±·×∣,;:∈→←∝/∑"
RELATIONS = ("=", "≤", "≥", "<", ">", "≈", "∼", "∝", "←")
OPERATORS = {"~": "∼", "±": "±", ";": ";", ":": ":"}  # identifiers to latex2mathml


def cut_tag(tex: str) -> tuple[str, str | None]:
    r"""The formula without its \tag, and the tag."""
    found = TAG.search(tex)
    return (TAG.sub("", tex), found[1]) if found else (tex, None)


def mathml(tex: str, *, display: bool, symbol=lambda letter: None) -> str:
    """<math>, in parts where it is displayed; symbol: the glossary's key of a letter, or None."""
    tex = tex.replace("{aligned}", "{split}")  # the same thing, under a name the converter knows
    math = convert_to_element(tex.strip(), display="block" if display else "inline")
    del math.attrib["xmlns"]
    for element in math.iter():
        element.text = _character(html.unescape(element.text)) if element.text else None
    _tidy(math)
    _mark(math, symbol, integral="∫" in "".join(math.itertext()))
    return _breakable(math) if display else _written(math)


def _breakable(math):
    r"""Cut where a narrow page may end the line: at a \quad, before a relation; not in brackets."""
    statements, depth = [[_part(math)]], 0
    for element in math[0]:
        depth += _is_bracket(element, "([{") - _is_bracket(element, ")]}")
        row = statements[-1][-1][0]
        is_quad = element.tag == "mspace" and element.get("width") in ("1em", "2em")
        is_relation = element.tag == "mo" and (element.text or "") in RELATIONS
        if is_quad and depth == 0 and len(row):
            statements.append([_part(math)])
            continue
        if is_relation and depth == 0 and len(row):
            element.set("form", "infix")
            statements[-1].append(_part(math))
        statements[-1][-1][0].append(element)
    written = ["<wbr>".join(map(_written, parts)) for parts in statements]
    return " ".join(f'<span class="statement">{statement}</span>' for statement in written)


def _part(math):
    """An empty <math> like this one."""
    part = ElementTree.Element("math", math.attrib)
    ElementTree.SubElement(part, "mrow")
    return part


def _written(element):
    return ElementTree.tostring(element, encoding="unicode")


def _is_bracket(element, kind):
    while element.tag in ("msub", "msup", "msubsup"):  # a bracket that closes with an exponent
        element = element[0]
    return element.tag == "mo" and (element.text or "0") in kind


def _character(text):
    """A command that the converter passed on as it is, such as \\Vert after \\bigl."""
    if not text.startswith("\\"):
        return text
    code = convert_symbol(text)
    return chr(int(code, 16)) if code else text[1:]


def _tidy(parent):
    for child in parent:
        _tidy(child)
        _tidy_one(child)
    for child in list(parent):
        base = child[0] if child.tag in LIMITS else None
        if base is not None and base.text in ("∑", "∏", "max", "min"):
            child.tag = LIMITS[child.tag]
            base.set("movablelimits", "true")
        if child.get("mathvariant") == "normal":
            _join_word(parent, child)
    if parent.tag in ("math", "mrow", "mtd", "msqrt"):
        _space_functions(parent)
        _mend_signs(parent)


def _tidy_one(element):
    if element.tag == "mspace":
        element.set("width", SPACES.get(element.get("width"), element.get("width")))
    for size in ("minsize", "maxsize"):
        if size in element.attrib:
            element.set(size, BIG.get(element.get(size), element.get(size)))
            element.set("stretchy", "true")
            if element.text == "|":
                element.attrib.update(lspace="0", rspace="0")
    if element.tag == "mo" and element.text == "-":
        element.text = "−"
    if element.tag == "mo" and element.text == "|" and element.attrib.keys() <= {"stretchy"}:
        element.attrib.update(stretchy="false", lspace="0", rspace="0")
    if element.tag in ("msup", "msubsup") and (element[-1].text or "") in PRIMES:
        _lower_prime(element)
    if element.tag == "mi" and element.text in OPERATORS:
        element.tag, element.text = "mo", OPERATORS[element.text]
    if element.tag in ("mo", "mi") and (element.text or "") in (*IDENTIFIERS, *FUNCTIONS):
        element.tag = "mo" if element.text in ("max", "min") else "mi"
        element.attrib.clear()
        if element.tag == "mo":
            element.attrib.update(lspace="0", rspace="0")
        elif len(element.text) == 1:
            element.set("mathvariant", "normal")
    if element.get("mathvariant") == "sans-serif":  # Core knows "normal" alone; style.css the rest
        element.attrib.update(mathvariant="normal", **{"class": "sans"})
    if element.tag == "mover" and len(element) == 2 and element[1].tag == "mo":
        element.set("accent", "true")
    if element.tag == "mtable":
        _name_columns(element)


def _name_columns(table):
    """Core knows no columnalign: a class says what style.css is to do."""
    aligned = table.find("mtr/mtd[@columnalign='right']") is not None
    cases = not aligned and table.find("mtr/mtd[@columnalign='left']") is not None
    table.set("class", "aligned" if aligned else "cases" if cases else "matrix")
    for cell in table.iter("mtd"):
        cell.attrib.pop("columnalign", None)


def _lower_prime(element):
    """A prime stands high already: not as a superscript, where it would be tiny, but beside."""
    primed = ElementTree.Element("mrow")
    prime = ElementTree.SubElement(primed, "mtext", {"class": "prime"})
    prime.text = element[-1].text
    element.remove(element[-1])
    primed.insert(0, element[0])
    element.remove(element[0])
    element.insert(0, primed)
    element.tag = "msub" if len(element) == 2 else "mrow"


def _join_word(parent, first):
    r"""The letters of \mathrm{logvar} are one identifier."""
    letters = list(parent)
    if first not in letters:
        return
    start = letters.index(first)
    if start and _is_upright(letters[start - 1]):
        return
    for letter in letters[start + 1 :]:
        if not _is_upright(letter):
            break
        first.text += letter.text
        parent.remove(letter)
    if len(first.text) > 1:
        del first.attrib["mathvariant"]


def _is_upright(element):
    return element.get("mathvariant") == "normal" and (element.text or "").isalnum()


def _space_functions(row):
    """TeX's thin space on both sides of a function's name, but not before a bracket."""
    for element in list(row):
        if not _is_function(element):
            continue
        i = list(row).index(element)
        after = row[i + 1] if i + 1 < len(row) else None
        if after is not None and not _starts_open(after) and after.tag != "mspace":
            row.insert(i + 1, _thin())
        before = row[i - 1] if i else None
        if before is not None and before.tag != "mspace" and not _is_sign(before):
            row.insert(i, _thin())


def _mend_signs(row):
    """A minus after a relation, a space or words belongs to what follows, and stands close to it.

    Not after a bar, which is one that closes where a sign follows: |x| + |b|.
    """
    for before, element in zip(list(row), list(row)[1:], strict=False):
        is_bar = (before.text or "0") in "|‖"
        stands_alone = before.tag in ("mspace", "mtext") or (_is_sign(before) and not is_bar)
        if stands_alone and element.tag == "mo" and (element.text or "0") in "−+±":
            element.set("form", "prefix")


def _thin():
    return ElementTree.Element("mspace", width=THIN)


def _is_function(element):
    if element.tag in ("msub", "msup", "msubsup", "munder", "mover", "munderover"):
        element = element[0]
    return (element.text or "") in FUNCTIONS


def _starts_open(element):
    while len(element):
        element = element[0]
    return _is_sign(element)


def _is_sign(element):
    return element.tag == "mo" and (element.text or "") in (*OPENING, *SIGNS)


def _mark(element, symbol, integral, in_fraction=False):
    """Set data-symbol on what the glossary knows; a subscript is an index and knows nothing."""
    in_fraction = in_fraction or element.tag == "mfrac"
    if element.tag in ("msub", "msubsup") and len(element[1]) == 0:
        key = symbol(f"{element[0].text}{element[1].text}") if element[0].tag == "mi" else None
        if key:
            element.set("data-symbol", key)
            return
    if not (integral or in_fraction):
        _join_differentials(element, symbol)
    for i, child in enumerate(element):
        is_index = i == 1 and element.tag in ("msub", "msubsup", "munder", "munderover")
        if child.tag == "mi" and child.text and not is_index:
            key = child.get("data-symbol") or symbol(child.text)
            if key:
                child.set("data-symbol", key)
        elif len(child) and not is_index:
            _mark(child, symbol, integral, in_fraction)


def _join_differentials(row, symbol):
    """d and y, where the code has the gradient dy, are one identifier."""
    for d, letter in zip(list(row), list(row)[1:], strict=False):
        if d.text == "d" and d.tag == letter.tag == "mi" and letter.text:
            key = symbol("d" + letter.text)
            if key:
                d.text += letter.text
                d.attrib.update({"data-symbol": key, "class": "italic"})
                row.remove(letter)
