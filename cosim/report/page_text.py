"""Docstrings as Markdown, and tables: what the written pages are made of."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator, Sequence
from functools import cache

from cosim.spec.locate import ROOT

NOTE = "<!-- Written by `make docs` from the source; edit the docstrings and tables there. -->"
_ROLE = re.compile(r":[a-z]+:`(~?)([^`]+)`")
_MODULE = re.compile(r":mod:`~?([\w.]+)`")
_RULE = re.compile(r"=+(?: +=+)+")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    lines += [" | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def bullets(items: Sequence[str]) -> str:
    """A list."""
    return "\n".join(f"- {markdown(item)}" for item in items)


def modules_in(doc: str) -> tuple[str, ...]:
    """Modules that a docstring refers to, each once, in order."""
    return tuple(dict.fromkeys(_MODULE.findall(doc)))


@cache
def module_doc(name: str) -> str:
    """Docstring of a module, read from its source without importing it; ``ValueError`` for one without."""
    path = ROOT.joinpath(*name.split(".")).with_suffix(".py")
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) if path.is_file() else None
    if doc is None:
        raise ValueError(f"{name}: no module, or one without a docstring")
    return doc


def markdown(doc: str) -> str:
    """A docstring as Markdown: roles and double backticks as code, indented blocks fenced, simple tables as tables."""
    return "\n\n".join(_block(kind, text) for kind, text in _blocks(inspect.cleandoc(doc)))


def inline(text: str) -> str:
    """Roles and double backticks as code; what Markdown would take for markup is escaped."""
    text = _ROLE.sub(lambda m: f"`{m[2].rpartition('.')[2] if m[1] else m[2]}`", text)
    text = text.replace("``", "`")
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else _escaped(part) for part in parts)


def plain(text: str) -> str:
    """As :func:`inline`, inside a code block: no markup at all."""
    text = _ROLE.sub(lambda m: m[2].rpartition(".")[2] if m[1] else m[2], text)
    return text.replace("``", "")


def _escaped(text: str) -> str:
    text = text.replace("<", "\\<")
    return re.sub(r"(?<=\S)\*(?=\S)", r"\\*", text)


def _blocks(doc: str) -> Iterator[tuple[str, str]]:
    """("code", "table" or "text", lines) of a docstring; indented paragraphs in a row are one block of code."""
    code: list[str] = []
    for paragraph in re.split(r"\n\s*\n", doc):
        lines = paragraph.splitlines()
        if all(line.startswith("    ") for line in lines):
            code.append("\n".join(line[4:].rstrip() for line in lines))
            continue
        if code:
            yield "code", "\n\n".join(code)
            code = []
        yield ("table" if _RULE.fullmatch(lines[0].strip()) else "text"), paragraph
    if code:
        yield "code", "\n\n".join(code)


def _block(kind: str, text: str) -> str:
    if kind == "code":
        return f"```text\n{plain(text)}\n```"
    if kind == "table":
        return _simple_table(text.splitlines())
    return inline(text)


def _simple_table(lines: Sequence[str]) -> str:
    """A simple table of reStructuredText: columns where the rules of ``=`` are."""
    spans = [match.span() for match in re.finditer("=+", lines[0])]
    ends = [start for start, _ in spans[1:]] + [None]
    rows = [
        [inline(line[start:end].strip()) for (start, _), end in zip(spans, ends, strict=True)]
        for line in lines
        if not _RULE.fullmatch(line.strip())
    ]
    return table(rows[0], rows[1:])
