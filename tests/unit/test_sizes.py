"""Upper limits on files, functions and imports, so that each part can be read at once.

How each is counted:

- a file: all its lines;
- a function: from `def` to its last line, without its docstring and its decorators. The lines of inner
  functions count. Parameters of a command whose annotation is a name that ends in `Option` or `Argument` are
  not counted: they are a list of the command's options;
- imports: the different modules that a file imports, also inside functions and for type checking only, from
  this package, the standard library and elsewhere, except `__future__`.
"""

import ast

import pytest
from package_sources import PATHS, TREES, imported

MAX_LINES = 400
MAX_FUNCTION_LINES = 40
MAX_IMPORTS = 16

TO_BE_DIVIDED: set[str] = set()
"""Modules and functions that are over a limit and not divided yet; a new one needs a reason here."""


def is_command_option(parameter):
    annotation = parameter.annotation
    return isinstance(annotation, ast.Name) and annotation.id.endswith(("Option", "Argument"))


def function_lines(function):
    lines = set(range(function.lineno, function.end_lineno + 1))
    if ast.get_docstring(function):
        lines -= set(range(function.body[0].lineno, function.body[0].end_lineno + 1))
    parameters = [*function.args.args, *function.args.kwonlyargs]
    return len(lines - {p.lineno for p in parameters if is_command_option(p)})


def functions(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


FILES = {module: len(path.read_text("utf-8").splitlines()) for module, path in PATHS.items()}
FUNCTIONS = {}
for module, tree in TREES.items():
    for function in functions(tree):  # methods of several classes share a name: the longest counts
        name = f"{module}.{function.name}"
        FUNCTIONS[name] = max(FUNCTIONS.get(name, 0), function_lines(function))
IMPORTS = {module: len({*imported(tree)} - {"__future__"}) for module, tree in TREES.items()}


def over(sizes, limit):
    return {name: size for name, size in sizes.items() if size > limit}


def check(sizes, limit, noun, advice):
    found = over(sizes, limit)
    listed = ", ".join(f"{name} ({found[name]})" for name in sorted(found.keys() - TO_BE_DIVIDED))
    assert not listed, f"more than {limit} {noun}: {listed}; {advice}"


def test_no_file_is_long():
    check(FILES, MAX_LINES, "lines in a file", "move a part that has a name of its own to a new module")


def test_no_function_is_long():
    check(
        FUNCTIONS,
        MAX_FUNCTION_LINES,
        "lines in a function",
        "move steps that have a name of their own to functions",
    )


def test_no_module_imports_many_modules():
    check(
        IMPORTS,
        MAX_IMPORTS,
        "modules imported by one module",
        "move what needs some of them alone to a new module",
    )


def test_what_is_to_be_divided_is_over_a_limit():
    """What has been divided leaves the set, so that it cannot grow again unnoticed."""
    too_large = {
        *over(FILES, MAX_LINES),
        *over(FUNCTIONS, MAX_FUNCTION_LINES),
        *over(IMPORTS, MAX_IMPORTS),
    }
    assert too_large >= TO_BE_DIVIDED, f"take out of TO_BE_DIVIDED: {sorted(TO_BE_DIVIDED - too_large)}"


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("def f(): pass", 1),
        ("@cache\ndef f():\n    '''One.\n\n    Two.\n    '''\n    x = 1\n\n    return x", 4),
        ("def f(\n    a: AOption = 1,\n    *,\n    n: int = 2,\n    b: BArgument,\n):\n    return n", 5),
        ("def f():\n    def g():\n        pass\n    return g", 4),
    ],
)
def test_lines_of_a_function(source, lines):
    assert function_lines(functions(ast.parse(source))[0]) == lines


def test_a_check_names_the_offenders_the_limit_and_what_to_do():
    with pytest.raises(AssertionError) as raised:
        check({"job.a": 41, "job.b": 40, "job.c": 50}, 40, "lines", "divide it")
    assert str(raised.value).startswith("more than 40 lines: job.a (41), job.c (50); divide it")
