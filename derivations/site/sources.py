"""The repository's Python as HTML: function by function, with live tags and symbols."""

import ast
import functools
import html
import io
import re
import tokenize
from pathlib import Path
from typing import NamedTuple

from pygments import lex
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Generic, Keyword, Name, Number, Operator, String

TAG = re.compile(r"\b[a-z]+\.\d+\b")
WORD = re.compile(r"[α-ωΑ-Ω][₀-₉]*|[A-Za-z_][A-Za-z_0-9]*")
SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
CLASSES = (  # a token's first ancestor here names its class in style.css
    (String.Doc, "doc"),
    (String, "string"),
    (Comment, "comment"),
    (Keyword, "keyword"),
    (Number, "number"),
    (Operator.Word, "keyword"),
    (Name.Decorator, "decorator"),
    (Name.Function, "name"),
    (Name.Class, "name"),
    (Generic.Deleted, "deleted"),
    (Generic.Inserted, "inserted"),
    (Generic.Prompt, "prompt"),
    (Generic.Output, "output"),
)


class Function(NamedTuple):
    """A function, method or class: qualified name, the line of its def, its first and last."""

    name: str
    line: int
    first: int
    last: int
    doc: str


class Source(NamedTuple):
    """A Python file: path relative to the root, dotted name, text, what it defines."""

    path: str
    module: str
    text: str
    functions: tuple[Function, ...]

    @property
    def page(self) -> str:
        """The file of the site that shows it."""
        return f"code/{self.module}.html"

    def anchor(self, name: str = "") -> str:
        """The id of a function or class, such as npvae.kl.gaussian_kl; of the file by default."""
        return f"{self.module}.{name}" if name else self.module

    def words(self) -> set[str]:
        """What the code names and its docstrings and comments say; not what is only called."""
        tokens = list(tokenize.generate_tokens(io.StringIO(self.text).readline))
        words = set()
        for token, after in zip(tokens, [*tokens[1:], tokens[-1]], strict=True):
            if token.type == tokenize.NAME and after.string != "(":
                words.add(token.string)
            elif token.type in (tokenize.STRING, tokenize.COMMENT):
                words.update(WORD.findall(token.string))
        return words


@functools.cache
def read(root: Path, path: str) -> Source:
    """The source at a path below root."""
    text = (root / path).read_text(encoding="utf-8")
    module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return Source(path, module, text, tuple(_functions(ast.parse(text).body, "")))


def _functions(body, prefix):
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            name = prefix + node.name
            doc = ast.get_docstring(node) or ""
            yield Function(name, node.lineno, first, node.end_lineno, doc)
            yield from _functions(node.body, name + ".")


def listing(source, *, symbol, tag_link, ids=True) -> str:
    """The whole file, each function and class in an element of its own."""
    lines = highlight(source.text, "python", symbol=symbol, tag_link=tag_link).split("\n")
    opened = {f.first: [] for f in source.functions}
    closed = {f.last: 0 for f in source.functions}
    for function in source.functions:
        anchor = f' id="{source.anchor(function.name)}"' if ids else ""
        opened[function.first].append(f'<span class="def"{anchor}>')
        closed[function.last] += 1
    return "".join(
        "".join(opened.get(n, ())) + line + "\n" + "</span>" * closed.get(n, 0)
        for n, line in enumerate(lines, start=1)
    ).rstrip("\n")


def excerpt(source, function, *, tag_link) -> str:
    """One function."""
    lines = source.text.splitlines()[function.first - 1 : function.last]
    return highlight("\n".join(lines), "python", tag_link=tag_link)


def highlight(text, language, *, symbol=lambda name: None, tag_link=lambda tag: None) -> str:
    """Code as HTML, line by line. symbol gives a name its key, tag_link an equation its address."""
    tokens = list(lex(text, get_lexer_by_name(language, stripnl=False, ensurenl=False)))
    values = [value for _, value in tokens]
    parts = []
    for i, (kind, value) in enumerate(tokens):
        name = _class(kind)
        if name in ("doc", "string", "comment"):
            content = mark(value, lambda word: symbol(word) if word != "a" else None, tag_link)
        elif value.isidentifier() and name != "keyword" and not _is_method(values, i):
            content = _marked(value, symbol(value))
        else:
            content = html.escape(value)
        parts.append(_spans(content, name) if name else content)
    return "".join(parts)


@functools.cache
def _class(kind):
    return next((name for ancestor, name in CLASSES if kind in ancestor), None)


def mark(text, symbol, tag_link=lambda tag: None) -> str:
    """Prose as HTML: tags become links, words and Greek letters of the glossary symbols."""
    parts, end = [], 0
    for found in re.finditer(f"{TAG.pattern}|{WORD.pattern}", text):
        word = found[0]
        address = tag_link(word) if "." in word else None
        shown = html.escape(word)
        if address:
            shown = f'<a href="{address}">{shown}</a>'
        elif "." not in word:
            shown = _marked(word, symbol(word.translate(SUBSCRIPTS)))
        parts += [html.escape(text[end : found.start()]), shown]
        end = found.end()
    return "".join(parts) + html.escape(text[end:])


def _marked(word, key):
    shown = html.escape(word)
    return f'<span data-symbol="{key}">{shown}</span>' if key else shown


def _is_method(values, i):
    """x.mean( is a call of something else than the symbol mean."""
    return i > 0 and values[i - 1] == "." and values[i + 1 : i + 2] == ["("]


def _spans(content, name):
    """One span a line, so that a listing can be cut between any two lines."""
    lines = content.split("\n")
    return "\n".join(f'<span class="{name}">{line}</span>' if line else "" for line in lines)
