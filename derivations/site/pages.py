"""A chapter as a page of the site: what stands beside it, and where its links lead."""

import re
from pathlib import Path
from typing import NamedTuple

from book import ROOT, Book, page_of
from rendering import PARSER, plain, slug
from symbols import Marks

OPENING = re.compile(r"\]\(([^)#\s]+\.py)\)")
LAYOUT = re.compile(
    r"\\(?:begin|end|tag){[^}]*}|\\(?:[Bb]igg?[lr]?|left|right|math[a-z]+|text|[dt]?frac|q?quad)\b"
    r"|<[^>]*>|\\(?![A-Za-z])|[{}$&]"
)
SIGNS = {"mid": "|", "Vert": "‖", "lVert": "‖", "rVert": "‖", "le": "≤", "ge": "≥", "cdot": "·"}
QUOTED = re.compile(r"^```python\n# (\S+\.py)$", re.MULTILINE)


class Section(NamedTuple):
    """What stands under one heading: for the table of contents and for the search."""

    level: int
    title: str
    anchor: str
    text: str


class Page:
    """One Markdown file on its way: what stands beside it, and what it turns into."""

    def __init__(self, path: Path, book: Book):
        self.path, self.book, self.file = path, book, page_of(path)
        text = path.read_text(encoding="utf-8")
        self.sources = [] if path.name == "README.md" else list(self._beside(text))
        in_code = set().union(*(source.words() for source in self.sources))
        self.marks = Marks(path.stem, in_code)
        tokens = PARSER.parse(text)
        self.sections = list(_sections(tokens))
        self.title = self.sections[0].title
        self.html = PARSER.renderer.render(tokens, PARSER.options, {"page": self})

    def _beside(self, text):
        """The files that the chapter opens with, those it quotes, those that its equations name."""
        opening = text.partition("\n## ")[0]
        paths = [(self.path.parent / link).resolve() for link in OPENING.findall(opening)]
        names = [path.relative_to(ROOT).as_posix() for path in paths] + QUOTED.findall(text)
        tags = [ends for ends in self.book.tags.values() if ends.page == self.file]
        names += [source.path for ends in tags for source, _ in ends.functions]
        return [self.book.sources[n] for n in dict.fromkeys(names) if not n.startswith("tests/")]

    def place(self, source, name="") -> str:
        """The address of a function: in the column beside, if its file stands there."""
        beside = "" if source in self.sources else source.page
        return f"{beside}#{source.anchor(name)}"

    def tag_link(self, tag: str) -> str | None:
        """The address of an equation."""
        return self.book.tag_link(tag, self.file)

    def address(self, link: str) -> str:
        """Where a link of the Markdown leads on the site."""
        file, _, anchor = link.partition("#")
        if not file or link.startswith(("http://", "https://")):
            return link
        target = (self.path.parent / file).resolve()
        name = target.relative_to(ROOT).as_posix()
        if target.suffix == ".md":
            return page_of(target) + (f"#{anchor}" if anchor else "")
        if name in self.book.sources:
            return self.place(self.book.sources[name])
        if target.is_dir():
            return f"code/index.html#{name}"
        return target.relative_to(ROOT / "derivations").as_posix()

    def function(self, link: str, name: str):
        """(source, qualified name) where a link's text names a function of the linked file."""
        target = (self.path.parent / link).resolve()
        inside = target.is_relative_to(ROOT) and target.relative_to(ROOT).as_posix()
        source = self.book.sources.get(inside)
        known = [f.name for f in source.functions] if source else []
        return (source, name) if name in known else None


def _sections(tokens):
    """The page, cut at its headings."""
    heads = [i for i, token in enumerate(tokens) if token.type == "heading_open"]
    for start, end in zip(heads, [*heads[1:], len(tokens)], strict=True):
        title = plain(tokens[start + 1])
        body = [plain(t) if t.children else t.content for t in tokens[start + 2 : end]]
        yield Section(int(tokens[start].tag[1]), title, slug(title), _without_tex(" ".join(body)))


def _without_tex(text):
    """Words for the search: of TeX, the letters, signs and names."""
    words = LAYOUT.sub(" ", text)
    words = re.sub(r"\\([A-Za-z]+)", lambda name: f" {SIGNS.get(name[1], name[1])}", words)
    return " ".join(words.split())
