"""Parse YAML text into a tree in which every value has its line and its key.

Scalars follow the YAML 1.2 core schema, so that `8e-3` is a number and `yes` is text. Constructs that can
surprise or harm are refused: tags, duplicate keys, keys that are not text, and aliases that expand without
limit. Merge keys (`<<: *anchor`) mean what they mean in YAML 1.1: the keys of the mapping itself win.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import yaml

from job.errors import Complaint, SpecError
from job.storage.documents import open_waiting, why

MAX_BYTES = 1 << 20
MAX_VALUES = 100_000
MAX_DEPTH = 50
MAX_NUMBER = 100
"""Maximum length of a number, in characters: far above any limit of the schema, and still fast to convert."""

MERGE_KEY = "<<"

_SHOWN = 60
_SURROGATE = re.compile("[\ud800-\udfff]")

Scalar: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True)
class Node:
    """A value of the spec with its location.

    Args:
        value: a scalar, or the nodes of a list or mapping.
        file: the file, as the user named it.
        line: 1-based line of the value's key, or of the value itself in a list.
        key: path from the top of the file, `jobs[0].model.units`; empty for the whole file.
        text: a scalar as it is written, for messages.
        broken: the value is invalid YAML and has a complaint already; `value` is a placeholder.
    """

    value: Scalar | list[Node] | dict[str, Node]
    file: str
    line: int
    key: str
    text: str = ""
    broken: bool = False

    @property
    def entries(self) -> dict[str, Node]:
        """The nodes of a mapping; empty for any other value."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> list[Node]:
        """The nodes of a list; empty for any other value."""
        return self.value if isinstance(self.value, list) else []

    @property
    def is_scalar(self) -> bool:
        """Whether this is text, a number, true, false or null."""
        return not isinstance(self.value, (dict, list))

    def plain(self) -> Any:
        """Return the value without locations: dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def complaint(self, message: str, below: str = "") -> Complaint:
        """Return a complaint about this value, or about its key `below`, present or missing."""
        return Complaint(self.file, self.line, join(self.key, below), message)

    def found(self) -> str:
        """Return a description of the value for messages."""
        if isinstance(self.value, dict):
            return "a mapping" if self.value else "an empty mapping"
        if isinstance(self.value, list):
            return "a list" if self.value else "an empty list"
        if isinstance(self.value, str):
            return repr(shorten(self.text))
        return shorten(self.text) or "nothing"


def shorten(text: str) -> str:
    """Return `text`, shortened for a message."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def join(parent: str, key: str) -> str:
    """Return the path of `key` under `parent`; either may be empty."""
    shown = shorten(key if key.isprintable() else repr(key))
    return f"{parent}.{shown}" if parent and shown else parent or shown


def read_tree(path: Path) -> tuple[Node, list[Complaint]]:
    """Read a YAML file that holds one mapping.

    Args:
        path: the file, as the user named it.

    Returns:
        The tree, and complaints about single values, which are placeholders in the tree.

    Raises:
        SpecError: the file cannot be read, is not YAML, or is not a mapping.
    """
    return parse(_read_text(path), str(path))


def parse(text: str, file: str) -> tuple[Node, list[Complaint]]:
    """Parse YAML text that holds one mapping; result and errors as in `read_tree`."""
    document = _compose(text, file)
    if document is None:
        raise _fatal(file, "is empty; expected a spec with the keys version and jobs")
    builder = _Builder(file)
    root = builder.build(document, "", document.start_mark.line + 1)
    if root.broken:
        raise SpecError(builder.complaints)
    if not isinstance(root.value, dict):
        found = root.found()
        raise _fatal(file, f"expected a mapping with the keys version and jobs, found {found}", root.line)
    return root, builder.complaints


def _fatal(file: str, message: str, line: int = 0) -> SpecError:
    return SpecError([Complaint(file, line, "", message)])


def _read_text(path: Path) -> str:
    try:
        with open_waiting(path) as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _fatal(str(path), "there is no such file") from None
    except IsADirectoryError:
        raise _fatal(str(path), "is a directory; expected a file") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise _fatal(str(path), f"cannot be read: {why(error)}") from None
    if len(data) > MAX_BYTES:
        raise _fatal(str(path), f"is larger than {MAX_BYTES:,} bytes; a spec is a short text")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"is not UTF-8: byte 0x{data[error.start]:02x} at position {error.start}"
        raise _fatal(str(path), message, line) from None


class _Composer(yaml.SafeLoader):
    """A YAML composer that leaves the tag of untagged nodes empty."""

    composed = 0

    def compose_node(self, parent: Any, index: Any) -> yaml.Node | None:
        """Compose a node, unless there are too many: composing takes far longer than reading the text."""
        self.composed += 1
        if self.composed > MAX_VALUES:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, f"it has more than {MAX_VALUES:,} values", mark)
        return super().compose_node(parent, index)

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:
        return ""


def _compose(text: str, file: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=_Composer)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _fatal(file, f"holds a character that YAML forbids, U+{error.character:04X}", line) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line if mark else 0
        raise _fatal(file, _syntax_message(error, text, line), line + 1) from None
    except (ValueError, OverflowError):  # an escape or a version whose number is none that Python has
        raise _fatal(file, "is not valid YAML: it contains an escape that is not a character") from None
    except RecursionError:
        raise _fatal(file, f"is nested more than {MAX_DEPTH} levels deep") from None


def _syntax_message(error: yaml.MarkedYAMLError, text: str, line: int) -> str:
    problem = error.problem or "it cannot be read"
    at_line = text.splitlines()[line : line + 1]
    if "'\\t'" in problem or any("\t" in row[: len(row) - len(row.lstrip())] for row in at_line):
        return "a tab is used where YAML requires spaces; indent and separate with spaces"
    if "another document" in problem:
        return "a second document starts here; a spec is one document"
    return f"is not valid YAML: {problem}" + (f" ({error.context})" if error.context else "")


_CORE_SCHEMA: tuple[tuple[re.Pattern[str], Callable[[str], Scalar]], ...] = (
    (re.compile(r"~|null|Null|NULL|"), lambda text: None),
    (re.compile(r"true|True|TRUE|false|False|FALSE"), lambda text: text.lower() == "true"),
    (re.compile(r"[-+]?[0-9]+"), int),
    (re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+"), lambda text: int(text, 0)),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), float),
    (re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"), lambda text: float(text.replace(".", ""))),
)
"""Patterns and conversions of the core schema (YAML 1.2.2, section 10.3.2); the first full match applies."""


class _Builder:
    """A conversion of composed YAML nodes into a tree; it follows aliases and collects complaints."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.complaints: list[Complaint] = []
        self._values = 0
        self._by_type: dict[type[yaml.Node], Callable[[Any, str, int, int], Node]] = {
            yaml.ScalarNode: self._scalar,
            yaml.SequenceNode: self._sequence,
            yaml.MappingNode: self._mapping,
        }

    def build(self, node: yaml.Node, key: str, line: int, depth: int = 0) -> Node:
        self._values += 1
        if self._values > MAX_VALUES:
            self._stop(line, f"has more than {MAX_VALUES:,} values once its aliases are expanded")
        if depth > MAX_DEPTH:
            self._stop(
                line, f"is nested more than {MAX_DEPTH} levels deep, or an alias is inside its own anchor"
            )
        if node.tag:
            tag = shorten(node.tag.replace("tag:yaml.org,2002:", "!!"))
            return self._broken(key, line, f"tags are not allowed, found {tag}; write the plain value")
        return self._by_type[type(node)](node, key, line, depth)

    def _stop(self, line: int, message: str) -> NoReturn:
        raise SpecError([*self.complaints, Complaint(self.file, line, "", message)])

    def _broken(self, key: str, line: int, message: str, text: str = "") -> Node:
        self.complaints.append(Complaint(self.file, line, key, message))
        return Node(None, self.file, line, key, text, broken=True)

    def _scalar(self, node: yaml.ScalarNode, key: str, line: int, depth: int) -> Node:
        text = node.value
        if _SURROGATE.search(text):
            return self._broken(key, line, "contains half of a surrogate pair, which is not valid text")
        if node.style is not None:
            return Node(text, self.file, line, key, text)
        convert = next((convert for pattern, convert in _CORE_SCHEMA if pattern.fullmatch(text)), str)
        if convert is not str and len(text) > MAX_NUMBER:
            return self._broken(key, line, f"a number of {len(text):,} characters is too long", text)
        value = convert(text)
        if isinstance(value, float) and not math.isfinite(value):
            return self._broken(key, line, f"must be a finite number, found {text}", text)
        return Node(value, self.file, line, key, text)

    def _sequence(self, node: yaml.SequenceNode, key: str, line: int, depth: int) -> Node:
        items = [
            self.build(item, f"{key}[{index}]", item.start_mark.line + 1, depth + 1)
            for index, item in enumerate(node.value)
        ]
        return Node(items, self.file, line, key)

    def _mapping(self, node: yaml.MappingNode, key: str, line: int, depth: int) -> Node:
        own = [pair for pair in node.value if not _is_merge(pair[0])]
        merges = [pair for pair in node.value if _is_merge(pair[0])]
        entries = self._merged(merges, key, depth)
        lines: dict[str, int] = {}
        for name_node, value_node in own:
            at = name_node.start_mark.line + 1
            name = self._name(name_node, key, at, depth)
            if name in lines:
                self._broken(join(key, name), at, f"is given twice; the first is at line {lines[name]}")
            elif name is not None:
                lines[name] = at
                entries[name] = self.build(value_node, join(key, name), at, depth + 1)
        return Node(entries, self.file, line, key)

    def _merged(self, merges: list[tuple[yaml.Node, yaml.Node]], key: str, depth: int) -> dict[str, Node]:
        """Return the entries of the mappings that a mapping merges; of two with one key the first wins."""
        entries: dict[str, Node] = {}
        for name_node, value_node in merges:
            at = name_node.start_mark.line + 1
            if len(merges) > 1 and name_node is not merges[0][0]:
                self._broken(join(key, MERGE_KEY), at, "is given twice; merge several with <<: [*a, *b]")
            several = isinstance(value_node, yaml.SequenceNode) and not value_node.tag
            for part in value_node.value if several else [value_node]:
                built = self.build(part, key, at, depth + 1)
                if not built.broken and not isinstance(built.value, dict):
                    expected = "a mapping or a list of mappings, such as *anchor"
                    self._broken(join(key, MERGE_KEY), at, f"must be {expected}, found {built.found()}")
                for name, entry in built.entries.items():
                    entries.setdefault(name, entry)
        return entries

    def _name(self, node: yaml.Node, parent: str, line: int, depth: int) -> str | None:
        name = self.build(node, parent, line, depth + 1)
        if name.broken:
            return None
        if not isinstance(name.value, str):
            self._broken(parent, line, f"a key must be text, found {name.found()}")
            return None
        return name.value


def _is_merge(name: yaml.Node) -> bool:
    """Return whether a key is the merge key; in quotes it is a key like any other."""
    return isinstance(name, yaml.ScalarNode) and name.value == MERGE_KEY and name.style is None
