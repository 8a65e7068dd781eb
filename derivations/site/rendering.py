"""Markdown as HTML: formulas, equations with their menu, exercises with their tests."""

import html
import re
import struct

import formulas
import sources
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML

LONG = 60  # characters of TeX that may be wider than a telephone
INLINE = re.compile(r"\$(?!\s)([^$]+)(?<!\s)\$")
LONG_NAME = 18  # characters
SHAPE = re.compile(r"\((?:[\w·]{1,5}, )+[\w·]{1,5}\)")  # such as (L, B, Z)
EXERCISE = re.compile(r"(\d+)\.\s")


class Renderer(RendererHTML):
    """markdown-it's renderer, with what a chapter has beyond Markdown."""

    def math_inline(self, tokens, idx, options, env):
        tex, symbol = tokens[idx].content, env["page"].marks.of_letter
        math = formulas.mathml(tex, display=False, symbol=symbol)
        after, mark = tokens[idx + 1] if idx + 1 < len(tokens) else None, ""
        if after and after.type == "text" and after.content[:1] in (*",.;:)",):
            mark, after.content = after.content[0], after.content[1:]
        if len(tex) > LONG:
            return f'<span class="long scroll">{math}{mark}</span>'
        return f'<span class="together">{math}{mark}</span>' if mark else math

    def math_block(self, tokens, idx, options, env):
        page = env["page"]
        tex, tag = formulas.cut_tag(tokens[idx].content)
        math = formulas.mathml(tex, display=True, symbol=page.marks.of_letter)
        box = f'<div class="formula scroll">{math}</div>'
        if not tag:
            return f'<div class="equation">{box}</div>\n'
        functions = page.book.tags[tag].functions
        shows = " ".join(source.anchor(name) for source, name in functions)
        opening = f'<div class="equation" id="{tag}" data-shows="{shows}">'
        return f"{opening}{box}{_menu(page, tag)}</div>\n"

    def text(self, tokens, idx, options, env):
        page = env["page"]
        content = tokens[idx].content
        if not env.get("in_table"):
            content = SHAPE.sub(lambda shape: shape[0].replace(" ", "\N{NO-BREAK SPACE}"), content)
        link = page.tag_link if not env.get("in_link") else lambda tag: None
        return sources.mark(content, lambda word: _greek(page.marks, word), link)

    def code_inline(self, tokens, idx, options, env):
        content = tokens[idx].content
        key = env["page"].marks.of_letter(content) if content.isidentifier() else None
        mark = f' data-symbol="{key}"' if key else ""
        return f"<code{mark}>{breakable(content)}</code>"

    def fence(self, tokens, idx, options, env):
        language, code = tokens[idx].info, tokens[idx].content.rstrip("\n")
        if language == "python" and ">>>" in code:
            language = "pycon"
        shown = html.escape(code)
        if language not in ("", "text"):
            shown = sources.highlight(code, language, symbol=env["page"].marks.of_name)
        return f'<pre class="code scroll"><code>{shown}</code></pre>\n'

    code_block = fence

    def heading_open(self, tokens, idx, options, env):
        title = plain(tokens[idx + 1])
        env["exercises"] = title == "Exercises"
        return f'<{tokens[idx].tag} id="{slug(title)}">'

    def paragraph_open(self, tokens, idx, options, env):
        number = EXERCISE.match(plain(tokens[idx + 1]))
        if number and env.get("exercises"):
            env["exercise"] = number[1]
        return self.renderToken(tokens, idx, options, env)

    def list_item_open(self, tokens, idx, options, env):
        if tokens[idx].info and env.get("exercises"):
            env["exercise"] = tokens[idx].info
        return self.renderToken(tokens, idx, options, env)

    def html_block(self, tokens, idx, options, env):
        content, number = tokens[idx].content, env.get("exercise")
        if not content.startswith("</details>") or not number:
            return content
        page, env["exercise"] = env["page"], None
        tests = page.book.exercise_tests(page.path, number)
        return "".join(_check(page, *test) for test in tests) + content

    def link_open(self, tokens, idx, options, env):
        page, link, label = env["page"], tokens[idx].attrs["href"], tokens[idx + 1]
        env["in_link"] = True
        function = page.function(link, label.content) if label.type == "code_inline" else None
        if not function:
            return f'<a href="{html.escape(page.address(link))}">'
        shows = f' data-shows="{function[0].anchor(function[1])}"'
        return f'<a href="{page.place(*function)}"{shows if function[0] in page.sources else ""}>'

    def link_close(self, tokens, idx, options, env):
        env["in_link"] = False
        return "</a>"

    def image(self, tokens, idx, options, env):
        page, token = env["page"], tokens[idx]
        target = page.path.parent / token.attrs["src"]
        width, height = struct.unpack(">II", target.read_bytes()[16:24])  # of a PNG's header
        source, alt = page.address(token.attrs["src"]), html.escape(plain(token))
        size = f'width="{width}" height="{height}" loading="lazy"'
        return f'<a href="{source}"><img src="{source}" alt="{alt}" {size}></a>'

    def th_open(self, tokens, idx, options, env):
        if not tokens[idx + 1].content:  # an empty corner heads nothing
            tokens[idx].tag = tokens[idx + 2].tag = "td"
        return self.renderToken(tokens, idx, options, env)

    def table_open(self, tokens, idx, options, env):
        env["in_table"] = True
        return '<div class="scroll"><table>\n'

    def table_close(self, tokens, idx, options, env):
        env["in_table"] = False
        return "</table></div>\n"


def _menu(page, tag):
    """The equation's number, which opens what belongs to it: functions, tests, results."""
    ends = page.book.tags[tag]
    results = [page.book.result(*test) for test in ends.tests]
    outcomes = {outcome for outcome, _ in results}
    worst = next(o for o in ("failed", "passed", "skipped", "unknown") if o in outcomes)
    code = "".join(
        f'<li><a href="{page.place(source, name)}"><code>{breakable(name)}</code></a>'
        f" in {source.path}</li>"
        for source, name in ends.functions
    )
    tests = "".join(
        f'<li><a href="{source.page}#{source.anchor(name)}"><code>{breakable(name)}</code></a>'
        f' <span class="{outcome}">{phrase}</span></li>'
        for (source, name), (outcome, phrase) in zip(ends.tests, results, strict=True)
    )
    return (
        f'<details class="ends" name="ends"><summary class="{worst}">({tag})</summary>'
        f'<div class="panel"><p>Computed by</p><ul>{code}</ul><p>Tested by</p><ul>{tests}</ul>'
        f'<p><a href="#{tag}">Link to this equation</a></p></div></details>'
    )


def _check(page, source, name):
    """A test of an exercise, folded away inside the answer."""
    outcome, phrase = page.book.result(source, name)
    function = next(f for f in source.functions if f.name == name)
    code = sources.excerpt(source, function, tag_link=page.tag_link)
    return (
        f'<details class="check"><summary>Checked by <code>{breakable(name)}</code>: '
        f'<span class="{outcome}">{phrase}</span></summary>'
        f'<pre class="code scroll"><code>{code}</code></pre>'
        f'<p><a href="{source.page}#{source.anchor(name)}">The whole file</a></p></details>\n'
    )


def breakable(content):
    """Code in the text; a long name may be broken, after an underscore or a slash."""
    shown = html.escape(content)
    return re.sub(r"([_/])(?=\w)", r"\1<wbr>", shown) if len(content) > LONG_NAME else shown


def _greek(marks, word):
    """In prose, only Greek letters are symbols: x and a are also words of a sentence."""
    return marks.of_letter(word) if "Α" <= word[0] <= "ω" else None


def plain(token):
    """The text of an inline token, without its markup."""
    children = token.children or []
    return "".join(" " if c.type == "softbreak" else c.content for c in children)


def slug(title):
    """The anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _inline_rule(state, silent):
    found = INLINE.match(state.src, state.pos)
    if not found:
        return False
    if not silent:
        state.push("math_inline", "math", 0).content = found[1]
    state.pos = found.end()
    return True


def _block_rule(state, start, end, silent):
    def line(n):
        return state.src[state.bMarks[n] + state.tShift[n] : state.eMarks[n]].strip()

    if line(start) != "$$":
        return False
    if not silent:
        close = next(n for n in range(start + 1, end) if line(n) == "$$")
        content = state.getLines(start + 1, close, state.blkIndent, False)
        state.push("math_block", "math", 0).content = content
        state.line = close + 1
    return True


PARSER = MarkdownIt("commonmark", {"html": True}, renderer_cls=Renderer).enable("table")
PARSER.inline.ruler.before("escape", "math_inline", _inline_rule)
PARSER.block.ruler.before(
    "fence", "math_block", _block_rule, {"alt": ["paragraph", "reference", "blockquote", "list"]}
)
