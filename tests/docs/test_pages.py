"""The generated pages are what the source says now."""

from __future__ import annotations

from cosim.report.pages import pages
from cosim.spec.locate import ROOT


def test_pages_are_up_to_date() -> None:
    stale = [str(p) for p, text in pages().items() if (ROOT / p).read_text(encoding="utf-8") != text]
    assert not stale, f"run `make docs`: {stale}"
