"""YAML read strictly, with the place of every key and value.

Scalars follow the core schema of YAML 1.2 (yaml.org/spec/1.2.2, section 10.3), not YAML 1.1 as PyYAML does by
itself: `1e-12` and `4e9` are numbers, `on` and `no` are text, `12:30` is text. Beyond the standard, these are
refused because each has cost someone a wrong result: duplicate keys, whole numbers with a leading zero (8 or
10?), infinities and not-a-number, whole numbers beyond 64 bits, merge keys `<<`, tags, several documents.
Mapping keys are always text as written: `8: 1.2` has the key "8".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, Protocol

import yaml
from yaml.composer import Composer
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.parser import Parser
from yaml.reader import Reader, ReaderError
from yaml.scanner import Scanner

from cosim.spec.problems import Path, Problem, SpecError, dotted, nearest_hint

_PLAIN, _TEXT, _COLLECTION = "plain", "text", "collection"
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_BASED = re.compile(r"0(o[0-7]+|x[0-9a-fA-F]+)\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\Z")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_MAX_NODES = 1_000_000
_MAX_DEPTH = 100


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a text; line and column count from 1, and are 0 for a value that came from elsewhere."""

    file: str
    line: int
    column: int


class _TooDeep(Exception):
    """Blocks nested beyond `_MAX_DEPTH`; libyaml's composer would overflow the stack."""

    def __init__(self, node: Node | None) -> None:
        self.node = node


class _Resolver:
    """Tells plain scalars from quoted ones and leaves everything else to `_Builder`."""

    depth = 0

    def resolve(self, kind: type[Node], value: str | None, implicit: Any) -> str:
        """A private tag; only plain scalars may become something other than text."""
        if kind is ScalarNode:
            return _PLAIN if implicit[0] else _TEXT
        return _COLLECTION

    def descend_resolver(self, parent: Node | None, index: Any) -> None:
        """Called by the composer before each node: the place to bound the depth."""
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise _TooDeep(parent)

    def ascend_resolver(self) -> None:
        """Called after each node."""
        self.depth -= 1


class _Loader(Protocol):
    def get_single_node(self) -> Node | None: ...


class PythonLoader(_Resolver, Reader, Scanner, Parser, Composer):
    """PyYAML's own parser, for builds without libyaml."""

    def __init__(self, text: str) -> None:
        """Start on `text`."""
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)


def _fast_loader() -> type[Any]:
    """The libyaml parser where PyYAML was built with it (about ten times faster)."""
    if not yaml.__with_libyaml__:
        return PythonLoader
    from yaml._yaml import CParser

    class CLoader(_Resolver, CParser):
        """libyaml's parser and composer."""

    return CLoader


FastLoader: type[Any] = _fast_loader()


@dataclass(frozen=True)
class Document:
    """Plain data (dict, list, str, int, float, bool, None) and where each piece of it was written."""

    name: str
    data: Any
    root: Node | None = None
    overrides: dict[Path, Any] = field(default_factory=dict)

    def mark(self, path: Path, key: bool = False) -> Mark:
        """Where the value (or, with `key`, the key) at `path` starts; the nearest enclosing one if it is absent.

        Places are looked up in the syntax tree on demand: a file of thousands of values pays for the few that
        are asked for.
        """
        for cut in range(len(path), 0, -1):
            if path[:cut] in self.overrides:
                return Mark(f"command line (--set {dotted(path[:cut])})", 0, 0)
        node, last_key = self.root, None
        for step in path:
            found = _child(node, step)
            if found is None:
                break
            last_key, node = found
        if key and last_key is not None:
            node = last_key
        return _mark(self.name, node) if node is not None else Mark(self.name, 0, 0)

    def problem(self, path: Path, found: str, allowed: str, hint: str = "", key: bool = False) -> Problem:
        """A problem with the value (or the key) at `path`."""
        mark = self.mark(path, key)
        return Problem(mark.file, mark.line, mark.column, dotted(path), found, allowed, hint)

    def get(self, *path: str | int) -> Any:
        """The value at `path`, or None where there is none."""
        value = self.data
        for step in path:
            in_dict = isinstance(value, dict) and step in value
            in_list = isinstance(value, list) and isinstance(step, int) and step < len(value)
            if not (in_dict or in_list):
                return None
            value = value[step]
        return value


def _child(node: Node | None, step: str | int) -> tuple[Node, Node] | None:
    """(key node, value node) below `node`; an item of a list is its own key."""
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if key.value == step:
                return key, value
    elif isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None


def _mark(name: str, node: Node) -> Mark:
    return Mark(name, node.start_mark.line + 1, node.start_mark.column + 1)


def load(path: FilePath | str) -> Document:
    """Read a YAML file.

    Raises
    ------
    SpecError
        The file is missing, a directory, unreadable, not UTF-8 text, not YAML, empty, or breaks a rule above.
    """
    file = FilePath(path)
    try:
        raw = file.read_bytes()
    except FileNotFoundError:
        siblings = [entry.name for entry in file.parent.iterdir()] if file.parent.is_dir() else []
        hint = nearest_hint(file.name, siblings)
        raise _whole_file(str(path), "no such file", "a YAML file", hint) from None
    except IsADirectoryError:
        raise _whole_file(str(path), "a directory", "a YAML file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _whole_file(
            str(path), f"a file that cannot be read ({reason})", "a readable YAML file"
        ) from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", errors="replace")
        place = _place(str(path), before)
        found = f"the byte 0x{raw[error.start]:02x}, which is not UTF-8 text"
        problem = Problem(place.file, place.line, place.column, "", found, "YAML in UTF-8")
        raise SpecError([problem]) from None
    return loads(text, str(path))


def loads(text: str, name: str = "<text>", loader: type[Any] | None = None) -> Document:
    """Read YAML text; `name` stands for the file in messages. Raises SpecError as `load` does."""
    try:
        parser: _Loader = (loader or FastLoader)(text)
        root = parser.get_single_node()
    except yaml.MarkedYAMLError as error:
        raise SpecError([_syntax_problem(error, text, name)]) from None
    except ReaderError as error:
        raise SpecError([_character_problem(error, text, name)]) from None
    except _TooDeep as error:
        mark = _mark(name, error.node) if error.node is not None else Mark(name, 1, 1)
        found, allowed = "blocks nested too deeply", f"at most {_MAX_DEPTH} levels"
        raise SpecError([Problem(name, mark.line, mark.column, "", found, allowed)]) from None
    if root is None or (type(root) is ScalarNode and root.tag == _PLAIN and not root.value):
        raise SpecError([Problem(name, 1, 1, "", "an empty document", "a YAML mapping")])
    builder = _Builder(name)
    data = builder.value(root)
    if builder.problems:
        raise SpecError(builder.problems)
    return Document(name, data, root)


class _Builder:
    """Turns a syntax tree into plain data and collects what is wrong with it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.problems: list[Problem] = []
        self.known: dict[str, Any] = dict(_WORDS)
        self.path: list[str | int] = []
        self.active: set[int] = set()
        self.nodes = 0

    def value(self, node: Node) -> Any:
        """The data of one node."""
        if type(node) is ScalarNode:
            return self.scalar(node)
        if self.enter(node):
            items: Any = self.mapping(node) if type(node) is MappingNode else self.sequence(node)
            self.active.discard(id(node))
            return items
        return None

    def enter(self, node: Node) -> bool:
        """Refuse a tag, an alias to an enclosing block, and blocks that grow beyond reason by aliases."""
        self.nodes += len(node.value)
        if id(node) in self.active:
            self.refuse(node, "an alias to a block that contains it", "a block without itself inside")
        elif len(self.active) >= _MAX_DEPTH:
            self.refuse(node, "blocks nested too deeply", f"at most {_MAX_DEPTH} levels")
        elif self.nodes > _MAX_NODES:
            if self.nodes < 2 * _MAX_NODES:
                self.nodes = 2 * _MAX_NODES
                self.refuse(node, "too many values once aliases are expanded", f"at most {_MAX_NODES}")
        elif node.tag != _COLLECTION:
            self.refuse(node, f"the tag {node.tag}", "YAML without tags")
        else:
            self.active.add(id(node))
            return True
        return False

    def mapping(self, node: Node) -> dict[str, Any]:
        """A mapping, with the value of the common case (a plain scalar seen before) taken without a call."""
        out: dict[str, Any] = {}
        known = self.known
        for key_node, value_node in node.value:
            key = key_node.value
            suspect = type(key_node) is not ScalarNode or key in out or key in ("<<", "")
            if suspect and not self.usable_key(node, key_node, out):
                continue
            if type(value_node) is ScalarNode and value_node.tag == _PLAIN and value_node.value in known:
                out[key] = known[value_node.value]
                continue
            self.path.append(key)
            out[key] = self.value(value_node)
            self.path.pop()
        return out

    def sequence(self, node: Node) -> list[Any]:
        """A list."""
        out: list[Any] = []
        for index, item in enumerate(node.value):
            self.path.append(index)
            out.append(self.value(item))
            self.path.pop()
        return out

    def usable_key(self, node: Node, key_node: Node, seen: dict[str, Any]) -> bool:
        """Whether a suspicious key may stay; otherwise the reason is recorded."""
        if type(key_node) is not ScalarNode:
            self.refuse(key_node, "a list or a mapping as a key", "text as a key")
        elif key_node.value in seen:
            first = next(_mark(self.name, key) for key, _ in node.value if key.value == key_node.value)
            found = f"the key '{key_node.value}' again (first at line {first.line}, column {first.column})"
            self.refuse(key_node, found, "each key once")
        elif key_node.value == "<<" and key_node.tag == _PLAIN:
            self.refuse(key_node, "a merge key '<<'", "keys written out, or an alias for a whole block")
        elif key_node.value == "":
            self.refuse(key_node, "an empty key", "a name before the colon")
        else:
            return True
        return False

    def scalar(self, node: Node) -> Any:
        """A scalar by the core schema of YAML 1.2."""
        text: str = node.value
        if node.tag == _TEXT:
            return text
        if node.tag != _PLAIN:
            self.refuse(node, f"the tag {node.tag}", "YAML without tags", "write text in quotes")
            return None
        if text in self.known:
            return self.known[text]
        refused = len(self.problems)
        value = self.number(node, text) if text[0] in "+-.0123456789" else text
        if len(self.problems) == refused:
            self.known[text] = value
        return value

    def number(self, node: Node, text: str) -> int | float | str:
        """A number where the text is one, otherwise the text itself."""
        if _INTEGER.match(text):
            digits = text.lstrip("+-")
            if len(digits) > 1 and digits[0] == "0":
                plain = digits.lstrip("0") or "0"
                hint = f"write {plain}, 0o{plain} or '{text}' in quotes"
                self.refuse(node, f"{text}, a whole number with a leading zero", "no leading zeros", hint)
            elif len(digits) > 19 or abs(int(text)) >= 2**63:
                self.refuse(
                    node, "a whole number beyond 64 bits", "numbers below 2**63", "write text in quotes"
                )
            else:
                return int(text)
            return 0
        if _FLOAT.match(text):
            value = float(text)
            if value - value == 0.0:
                return value
            self.refuse(node, f"{text}, beyond the range of a number", "numbers below 1.8e308")
            return 0
        if _BASED.match(text):
            return int(text, 0)
        if _NOT_FINITE.match(text):
            self.refuse(node, text, "a finite number", "write text in quotes")
            return 0
        return text

    def refuse(self, node: Node, found: str, allowed: str, hint: str = "") -> None:
        """Record a problem at `node`."""
        mark = _mark(self.name, node)
        self.problems.append(
            Problem(mark.file, mark.line, mark.column, dotted(tuple(self.path)), found, allowed, hint)
        )


def _syntax_problem(error: yaml.MarkedYAMLError, text: str, name: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    what = error.problem or error.context or "text that is not YAML"
    context = f" {error.context}" if error.problem and error.context else ""
    lines = text.split("\n")
    indent = (
        lines[line - 1][: len(lines[line - 1]) - len(lines[line - 1].lstrip())] if line <= len(lines) else ""
    )
    hint = "indent with spaces, not tabs" if "\t" in indent else ""
    return Problem(name, line, column, "", f"something that is not YAML ({what}{context})", "YAML", hint)


def _character_problem(error: ReaderError, text: str, name: str) -> Problem:
    """The place of a character that YAML does not allow, such as NUL in a binary file."""
    index = next((i for i, c in enumerate(text) if not c.isprintable() and c not in "\t\n\r\x85"), 0)
    place = _place(name, text[:index])
    found = f"the character {text[index : index + 1]!r}, which is not text"
    return Problem(place.file, place.line, place.column, "", found, "YAML in UTF-8")


def _place(name: str, before: str) -> Mark:
    lines = before.split("\n")
    return Mark(name, len(lines), len(lines[-1]) + 1)


def _whole_file(name: str, found: str, allowed: str, hint: str = "") -> SpecError:
    return SpecError([Problem(name, 0, 0, "", found, allowed, hint)])
