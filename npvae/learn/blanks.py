"""The learner's files: the library's functions without their bodies, made from its own source."""

import ast
import builtins
import re
import textwrap

from .catalogue import CITATION, ROOT
from .splice import functions

BLANK = "raise NotImplementedError"
HEAD = '''\
"""{title}: {count} to write.

Chapter:  derivations/{chapter}
Module:   {module}; yours take the place of its functions, one at a time.
Check:    python -m npvae.learn check DIR {file}

Where a function raises NotImplementedError, write what its docstring says. Helpers and imports of
your own may stand anywhere in this file. `kernels` is the library's own answer; do without it.
"""
'''


def new_file(exercises, derive=False):
    """The text of a file of emptied functions, all of one module and chapter."""
    first = exercises[0]
    path = module_path(first.module)
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    known = functions(tree)
    names = {e.name for e in exercises}
    nodes = {name: node for name, node in known.items() if name in names}  # as the module has them
    head = HEAD.format(
        title=first.file.removesuffix(".py"),
        count=f"{len(exercises)} function{'s' * (len(exercises) > 1)}",
        chapter=first.chapter,
        module=first.module,
        file=first.file,
    )
    parts = [head, *_imports(tree, nodes, first.module)]
    parts += _blanks(source, tree, nodes, derive)
    return "\n".join(parts)


def module_path(module):
    """The file of a module of npvae."""
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def empty(source, node, derive=False):
    """A function's decorators, signature and docstring, and the blank."""
    lines = source.splitlines()
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    docstring = node.body[0]
    head = "\n".join(lines[first - 1 : docstring.lineno - 1])
    text = "\n".join(lines[docstring.lineno - 1 : docstring.end_lineno])
    indent = " " * docstring.col_offset
    if derive:
        text = f'{indent}"""{_derived(ast.get_docstring(node), indent)}"""'
    return f"{head}\n{text}\n{indent}{BLANK}\n"


def _derived(docstring, indent):
    """A docstring without its equations: the tags, the lines of shapes, and those of errors."""
    tags = " ".join(f"[{tag}]" for tag in CITATION.findall(docstring))
    kept = []
    for paragraph in docstring.split("\n\n"):
        lines = [line for line in paragraph.splitlines() if not CITATION.search(line)]
        shapes = max((i for i, line in enumerate(lines) if "->" in line), default=-1)
        errors = next((i for i, line in enumerate(lines) if "Raises" in line), len(lines))
        kept += lines[: shapes + 1] + lines[max(errors, shapes + 1) :]
        for line in set(paragraph.splitlines()) - set(lines):  # shapes may stand beside an equation
            parts = re.split(" {3,}", CITATION.sub("", line))
            kept += [part.strip() for part in parts if "->" in part]
    body = "\n".join(dict.fromkeys(kept))
    text = f"To be derived: {tags}" + (f"\n\n{body}\n" if body else "")
    return textwrap.indent(text, indent).lstrip() + (indent if body else "")


def _blanks(source, tree, nodes, derive):
    """The emptied functions, those of a class below its head."""
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    open_class = None
    for name, node in nodes.items():
        owner = name.rpartition(".")[0]
        if owner and owner != open_class:
            yield "\n" + _class_head(source, classes[owner])
        open_class = owner
        yield ("" if owner else "\n") + empty(source, node, derive)


def _class_head(source, node):
    """`class C(Base):`, its docstring and the names that its instances hold."""
    lines = source.splitlines()
    first = node.body[0]
    text = lines[node.lineno - 1 : first.lineno - 1]
    kept = first.end_lineno if ast.get_docstring(node) else first.lineno - 1
    text += lines[first.lineno - 1 : kept]
    fields = ["\n".join(lines[f.lineno - 1 : f.end_lineno]) for f in _fields(node)]
    return "\n".join(text + [""] * bool(fields) + fields) + "\n"


def _fields(node):
    """The annotated names of a class: what its instances hold."""
    return [field for field in node.body if isinstance(field, ast.AnnAssign)]


def _imports(tree, nodes, module):
    """Import lines for the names that the emptied functions use, the module's own included."""
    owners = {name.rpartition(".")[0] for name in nodes}
    heads = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name in owners]
    parts = [*nodes.values(), *(p for n in heads for p in (*n.bases, *_fields(n)))]
    names = (n for part in parts for n in ast.walk(part) if isinstance(n, ast.Name))
    used = {name.id for name in names} - set(dir(builtins)) - owners
    package = module.split(".") if _is_package(module) else module.split(".")[:-1]
    lines, own = [], []
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            aliases = [a for a in node.names if (a.asname or a.name).split(".")[0] in used]
            if aliases and getattr(node, "module", "") != "__future__":
                lines.append(_absolute(node, aliases, package))
        elif isinstance(node, ast.Assign):
            own += [t.id for t in node.targets if isinstance(t, ast.Name) and t.id in used]
        elif isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in used:
            own.append(node.name)
    own = [name for name in own if name not in nodes]
    if own:
        lines.append(f"from {module} import {', '.join(sorted(own))}  # the module's own names")
    return ["from __future__ import annotations\n", *lines, ""]


def _absolute(node, aliases, package):
    """An import statement, its leading dots written out."""
    if isinstance(node, ast.Import):
        return ast.unparse(ast.Import(aliases))
    if node.level:
        parts = package[: len(package) - node.level + 1]
        node = ast.ImportFrom(".".join([*parts, *filter(None, [node.module])]), aliases, 0)
    return ast.unparse(ast.ImportFrom(node.module, aliases, 0))


def _is_package(module):
    return ROOT.joinpath(*module.split(".")).is_dir()
