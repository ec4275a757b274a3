"""Keys of documents that are read by hand: what a reader knows, and what the page on files says, are one table."""

from __future__ import annotations

from typing import NamedTuple


class Key(NamedTuple):
    """One key of a document: the form of its value, what it means, whether it must be there."""

    form: str
    meaning: str
    required: bool = False
