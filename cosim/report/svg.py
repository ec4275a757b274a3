"""Matplotlib's SVG made small, and for a page also themed: black becomes the text colour, white the page's.

Nothing that is seen changes: coordinates are rounded to a hundredth of a point, identifiers that nothing refers to and
empty groups go, neighbours of one style share it through a group. Identifiers are numbered behind a prefix, so that
several figures can be in one page, and so that the same figure has the same bytes on every run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

FONTS = "DejaVu Sans,Verdana,sans-serif"
THEME = {"#ffffff": "var(--paper)"} | dict.fromkeys(
    ("#000000", "#222222", "#333333", "#444444"), "currentColor"
)
_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
_REFERENCE = re.compile(r"#([\w.-]+)")
_ROUNDED = {"d", "x", "y", "width", "height", "transform", "points", "viewBox", "cx", "cy", "r"}
_SHARED = ("style", "clip-path")

Node = ElementTree.Element


def compact(text: str, prefix: str, label: str, theme: bool = False) -> str:
    """The SVG document ``text`` as a small ``<svg>`` element.

    ``prefix`` starts every identifier, ``label`` is read to those who cannot see it, ``theme`` lets colours follow
    the page (:data:`THEME`).
    """
    root = ElementTree.fromstring(text)
    used = set(_references(root))
    names = {old: f"{prefix}-{number}" for number, old in enumerate(_identifiers(root, used))}
    body = _write_all(list(_children(root)), names, theme)
    width, height = root.get("width", "").removesuffix("pt"), root.get("height", "").removesuffix("pt")
    fill = ' fill="currentColor"' if theme else ""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{_rounded(root.get("viewBox", ""))}" '
        f'width="{_rounded(width)}pt" height="{_rounded(height)}pt" role="img" aria-label={quoteattr(label)} '
        f'font-family="{FONTS}" stroke-linejoin="round"{fill}>'
    )
    return f"{head}{body}</svg>"


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _references(root: Node) -> Iterator[str]:
    for node in root.iter():
        for value in node.attrib.values():
            if "#" in value:
                yield from _REFERENCE.findall(value)


def _identifiers(root: Node, used: set[str]) -> Iterator[str]:
    """Identifiers that are referred to, in the order of the document."""
    for node in root.iter():
        name = node.get("id")
        if name in used:
            yield name


def _children(node: Node) -> Iterator[Node]:
    """Children without metadata and styles of the document, groups without attributes opened."""
    for child in node:
        tag = _local(child.tag)
        if tag in ("metadata", "style"):
            continue
        if tag == "g" and set(child.attrib) <= {"id"}:
            yield from _children(child)
        elif tag == "defs" and all(_local(inner.tag) == "style" for inner in child):
            continue
        else:
            yield child


def _attributes(node: Node, names: dict[str, str], theme: bool) -> dict[str, str]:
    found = {}
    for name, value in node.attrib.items():
        own = _local(name)
        if own == "id":
            if value not in names:
                continue
            value = names[value]
        elif "#" in value and (own == "href" or "url(" in value):
            value = _REFERENCE.sub(lambda match: f"#{names.get(match[1], match[1])}", value)
        if own == "style":
            value = _style(value, theme)
            if not value:
                continue
        elif own == "fill" and theme:
            value = THEME.get(value, value)
        elif own in _ROUNDED:
            value = _rounded(value)
        found[own] = value
    return found


def _style(text: str, theme: bool) -> str:
    parts = []
    for part in text.split(";"):
        name, _, value = (piece.strip() for piece in part.partition(":"))
        if name == "font":
            # "9px 'DejaVu Sans', ...": the family is that of the whole figure.
            parts.append(f"font-size:{value.split()[0]}")
        elif name and name != "font-family" and (name, value) != ("stroke-linejoin", "round"):
            parts.append(f"{name}:{THEME.get(value, value) if theme else value}")
    return ";".join(parts)


def _rounded(text: str) -> str:
    """Numbers with two decimals at most; no space around the letters of a path."""
    return re.sub(r" ?([A-Za-z]) ?", r"\1", " ".join(_NUMBER.sub(_two, text).split()))


def _two(match: re.Match[str]) -> str:
    short = f"{float(match[0]):.2f}".rstrip("0").rstrip(".")
    return "0" if short in ("-0", "") else short


def _write(node: Node, names: dict[str, str], theme: bool) -> str:
    tag = _local(node.tag)
    own = _attributes(node, names, theme)
    text = escape(node.text.strip()) if node.text and node.text.strip() else ""
    inner = text + _write_all(list(_children(node)), names, theme)
    head = "".join(f" {name}={quoteattr(value)}" for name, value in own.items())
    return f"<{tag}{head}>{inner}</{tag}>" if inner else f"<{tag}{head}/>"


def _write_all(nodes: list[Node], names: dict[str, str], theme: bool) -> str:
    """Neighbours that share style and clipping are put into a group that has both."""

    def shared(node: Node) -> tuple[str, ...]:
        if _local(node.tag) not in ("path", "use") or node.get("id"):
            return ("",)
        own = _attributes(node, names, theme)
        return tuple(own.get(name, "") for name in _SHARED)

    out = []
    for values, run in groupby(nodes, key=shared):
        members = list(run)
        if len(values) == 1 or len(members) < 3 or not any(values):
            out += [_write(node, names, theme) for node in members]
            continue
        for node in members:
            for name in _SHARED:
                node.attrib.pop(name, None)
        head = "".join(f' {n}="{escape(v)}"' for n, v in zip(_SHARED, values, strict=True) if v)
        out.append(f"<g{head}>{''.join(_write(node, names, theme) for node in members)}</g>")
    return "".join(out)
