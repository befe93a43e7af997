"""The source files of the package `job`, parsed: what the tests of its structure read."""

import ast
from pathlib import Path

import job

PACKAGE = Path(job.__file__).parent


def module_name(path):
    parts = ("job", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PATHS = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {module: ast.parse(path.read_text("utf-8")) for module, path in PATHS.items()}


def imported(tree):
    """Yield the dotted name of every module that a file imports, wherever in it.

    `from job.spec import schema` imports `job.spec.schema`, `from job.spec.schema import Spec` too.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in TREES else node.module for name in inner)
