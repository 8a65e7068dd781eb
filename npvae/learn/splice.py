"""An answer takes the place of the library's function, before anything imports its module.

A module's source is parsed, the answer's tree put where the function's tree was, and the whole
compiled: the module differs from the library's in that function alone. Read by `examine` before
npvae is imported, so it imports nothing of it.
"""

import ast
import importlib
import sys
import types
from importlib.machinery import PathFinder, SourceFileLoader
from pathlib import Path

PACKAGE = Path(__file__).parent.parent
WATCH = "__npvae_watch__"  # the name under which an answer finds its observer


def functions(tree):
    """{qualified name: node} of a module's functions and of the methods of its classes."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.ClassDef):
            methods = functions(node)
            found |= {f"{node.name}.{name}": method for name, method in methods.items()}
    return found


def splice(source, filename, answers):
    """The code of a module with answers in it.

    answers {qualified name: the path of a file with a function of that name}; what else stands
    at the top of such a file, imports and helpers, follows the module's own imports
    """
    tree = ast.parse(source, filename)
    right, extras, origin = functions(tree), [], {}
    for path in sorted(set(answers.values())):
        written = ast.parse(Path(path).read_text(encoding="utf-8"), path)
        found = functions(written)
        for name in [name for name, file in answers.items() if file == path]:
            _replace(right[name], found[name], name)
            origin[name] = path
        new = [node for node in written.body if _is_new(node, tree)]
        origin |= dict.fromkeys(functions(ast.Module(new, [])), path)
        extras += new
    last_import = max(
        (i for i, node in enumerate(tree.body) if isinstance(node, ast.Import | ast.ImportFrom)),
        default=0,
    )
    tree.body[last_import + 1 : last_import + 1] = extras
    return _say_where(compile(ast.fix_missing_locations(tree), filename, "exec"), origin)


def _replace(right, written, name):
    """Arguments and body are the answer's; decorators and return type stay the library's."""
    watch = ast.Call(ast.Name(WATCH, ast.Load()), [ast.Constant(name)], [])
    right.decorator_list.append(watch)
    for decorator in right.decorator_list:
        for node in ast.walk(decorator):
            ast.copy_location(node, written)
    right.args, right.body = written.args, written.body
    ast.copy_location(right, written)


def _is_new(node, tree):
    """Whether a statement at the top of an answer's file brings a name that the module lacks."""
    if isinstance(node, ast.ImportFrom) and node.module == "__future__":
        return False
    return not set(_names(node)) <= {name for top in tree.body for name in _names(top)}


def _names(node):
    """The names that a statement at a module's top brings."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name for alias in node.names]
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = getattr(node, "targets", [getattr(node, "target", None)])
    return [
        t.id for target in targets if target for t in ast.walk(target) if isinstance(t, ast.Name)
    ]


def _say_where(code, origin, prefix=""):
    """code, whose functions named in origin say that they stand in these files."""
    constants = []
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            name = prefix + constant.co_name
            if name in origin:
                constant = _renamed(constant, origin[name])
            else:
                constant = _say_where(constant, origin, f"{name}.")
        constants.append(constant)
    return code.replace(co_consts=tuple(constants))


def _renamed(code, filename):
    constants = [
        _renamed(c, filename) if isinstance(c, types.CodeType) else c for c in code.co_consts
    ]
    return code.replace(co_filename=filename, co_consts=tuple(constants))


class Loader(SourceFileLoader):
    """Loads a module from source that `change(source, path)` turned into code."""

    def __init__(self, name, path, change, watch=None):
        super().__init__(name, path)
        self.change, self.watch = change, watch

    def get_code(self, fullname):
        source = Path(self.path).read_text(encoding="utf-8")
        return self.change(source, self.path)

    def exec_module(self, module):
        if self.watch:
            setattr(module, WATCH, self.watch)
        super().exec_module(module)


class Finder:
    """Finds the modules that are changed; all others are found as ever."""

    def __init__(self, changes, watch=None):
        self.changes, self.watch = changes, watch  # {module's name: change}

    def find_spec(self, name, path=None, target=None):
        if name not in self.changes:
            return None
        spec = PathFinder.find_spec(name, path)
        watch = self.watch and (lambda function: self.watch(f"{name}:{function}"))
        spec.loader = Loader(name, spec.origin, self.changes[name], watch)
        return spec


def install(answers, watch):
    """From now on npvae is imported with answers, {module: {qualified name: path}}, in it."""
    changes = {
        module: lambda source, path, one=one: splice(source, path, one)
        for module, one in answers.items()
    }
    sys.meta_path.insert(0, Finder(changes, watch))


def twin(alias, edits=()):
    """The library a second time, under the name alias, as it is or with edits to its source.

    edits (file relative to the root, right, wrong): each right stands once. `import npvae` is
    not run again: a submodule is imported, by `importlib.import_module(f"{alias}.kl")`, with
    what it needs.
    """
    root = types.ModuleType(alias)
    root.__path__ = [str(PACKAGE)]
    sys.modules[alias] = root
    install_edits(alias, edits)
    importlib.invalidate_caches()


def install_edits(package, edits):
    """From now on package is imported with these edits to its source."""
    changes = {}
    for file, _, _ in edits:
        name = ".".join((package, *Path(file).with_suffix("").parts[1:]))
        changes[name] = lambda source, path: compile(edited(source, path, edits), path, "exec")
    if changes:
        sys.meta_path.insert(0, Finder(changes))


def edited(source, path, edits):
    """source of the file at path, with the edits that are of this file."""
    for file, right, wrong in edits:
        if Path(path) == PACKAGE.parent / file:
            if source.count(right) != 1:
                raise ValueError(f"{right!r} stands {source.count(right)} times in {file}")
            source = source.replace(right, wrong)
    return source
