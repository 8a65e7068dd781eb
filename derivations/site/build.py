"""Build the book beside its code: a static site that needs no network and no script to be read.

python derivations/site/build.py [--out FOLDER] [--results JUNIT.xml]
"""

import argparse
import html
import json
import shutil
import sys
import time
from pathlib import Path
from string import Template
from xml.etree.ElementTree import ParseError

try:
    import markdown_it, pygments, latex2mathml  # noqa: E401, F401, I001
except ImportError as error:
    sys.exit(f"{error.name} is missing: pip install -e '.[site]'")

import sources
from book import PAGES, ROOT, Book, up
from pages import Page
from rendering import breakable

HERE = Path(__file__).parent
TEMPLATE = Template((HERE / "page.html").read_text(encoding="utf-8"))


def build(out: Path, results: Path | None = None) -> int:
    """Write the site to out; how many pages it has."""
    book = Book(results)
    pages = [Page(path, book) for path in PAGES]
    out.mkdir(parents=True, exist_ok=True)
    (out / "code").mkdir(exist_ok=True)
    figures = ROOT / "derivations" / "figures"
    shutil.copytree(
        figures, out / "figures", dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.py", "__*")
    )
    for name in ("style.css", "book.js"):
        shutil.copy(HERE / name, out / name)
    written = {page.file: chapter_page(page, pages) for page in pages}
    written |= {source.page: code_page(source, book, pages) for source in book.sources.values()}
    written["code/index.html"] = code_index(book, pages)
    for name, text in written.items():
        (out / name).write_text(text, encoding="utf-8")
    (out / "search.js").write_text(search_index(pages, book), encoding="utf-8")
    return len(written)


def chapter_page(page, pages):
    """A chapter on the left, its modules on the right."""
    title = page.title if page.title == "npvae" else f"{page.title} · npvae"
    modules = "\n".join(module(source, page) for source in page.sources)
    aside = f'<aside id="code" aria-label="Code">{legend(page)}{modules}</aside>' if modules else ""
    return whole(page.file, title, page.html, pages, aside)


def module(source, page):
    """One file of the right column."""
    code = sources.listing(source, symbol=page.marks.of_name, tag_link=page.tag_link)
    return (
        f'<section class="module" id="{source.module}"><h2><a href="{source.page}">'
        f"{breakable(source.path)}</a></h2>"
        f'<pre class="code scroll"><code>{code}</code></pre></section>'
    )


def legend(page):
    """The page's symbols as buttons, which book.js brings to life."""
    rows = "".join(
        f'<li><button type="button" data-key="{key}" aria-pressed="false">{html.escape(spelling)}'
        f"</button> {html.escape(meaning)}</li>"
        for key, spelling, meaning in page.marks.legend()
    )
    return f'<details class="legend" hidden><summary>Symbols</summary><ul>{rows}</ul></details>'


def code_page(source, book, pages):
    """A whole file on a page of its own."""
    code = sources.listing(
        source, symbol=lambda name: None, tag_link=lambda tag: book.tag_link(tag, source.page)
    )
    beside = [page for page in pages if source in page.sources]
    links = ", ".join(f'<a href="../{page.file}">{page.title}</a>' for page in beside)
    body = (
        f'<h1 id="{source.module}">{breakable(source.path)}</h1>'
        + (f"<p>Stands beside {links}.</p>" if links else "")
        + f'<pre class="code scroll"><code>{code}</code></pre>'
    )
    return whole(source.page, f"{source.path} · npvae", body, pages)


def code_index(book, pages):
    """All files, folder by folder."""
    folders = {}
    for source in book.sources.values():
        folders.setdefault(str(Path(source.path).parent.as_posix()), []).append(source)
    body = "<h1>The code</h1>" + "".join(
        f'<h2 id="{folder}">{folder}</h2><ul class="files">'
        + "".join(f'<li><a href="../{s.page}">{Path(s.path).name}</a></li>' for s in inside)
        + "</ul>"
        for folder, inside in folders.items()
    )
    return whole("code/index.html", "The code · npvae", body, pages)


def whole(file, title, body, pages, aside=""):
    """The frame around every page."""
    return TEMPLATE.substitute(
        title=html.escape(title),
        root=up(file),
        kind="chapter" if aside else "file" if file.startswith("code/") else "text",
        contents=contents(file, pages),
        skip_code='<a class="skip" href="#code">Skip to the code</a>' if aside else "",
        body=body,
        aside=aside,
    )


def contents(file, pages):
    """The chapters; of the one that is open, its sections as well."""
    items = []
    for page in pages:
        here = page.file == file
        inside = "".join(
            f'<li><a href="#{section.anchor}">{html.escape(section.title)}</a></li>'
            for section in page.sections
            if here and section.level == 2
        )
        current = ' aria-current="page"' if here else ""
        link = f'<a href="{up(file)}{page.file}"{current}>{html.escape(page.title)}</a>'
        items.append(f"<li>{link}{f'<ul>{inside}</ul>' if inside else ''}</li>")
    return f'<ul>{"".join(items)}<li><a href="{up(file)}code/index.html">The code</a></li></ul>'


def search_index(pages, book):
    """search.js: [address, title, where, text] of each section and of the library's functions."""
    entries = [
        [f"{page.file}#{section.anchor}", section.title, page.title, section.text]
        for page in pages
        for section in page.sections
    ] + [
        [f"{source.page}#{source.anchor(f.name)}", f.name, source.path, " ".join(f.doc.split())]
        for source in book.sources.values()
        if source.path.startswith(("npvae/", "examples/"))
        for f in source.functions
    ]
    return f"const BOOK = {json.dumps(entries, ensure_ascii=False)};\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "site", metavar="FOLDER")
    parser.add_argument(
        "--results", type=Path, metavar="FILE", help="what pytest --junitxml=FILE has written"
    )
    given, start = parser.parse_args(), time.perf_counter()
    try:
        count = build(given.out, given.results)
    except (OSError, ParseError) as error:
        where = given.results if isinstance(error, ParseError) else error.filename
        sys.exit(f"{where}: {getattr(error, 'strerror', None) or f'not XML, {error}'}")
    seconds = time.perf_counter() - start
    print(f"{count} pages in {seconds:.1f} s: open {given.out / 'index.html'}")


if __name__ == "__main__":
    main()
