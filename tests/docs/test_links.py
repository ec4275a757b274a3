"""Links of the pages lead somewhere, paths that they name exist, and the index names every page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cosim.report.page_machine import anchor
from cosim.spec.locate import ROOT

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
FOLDERS = ("arch", "cosim", "docs", "mappings", "reports", "tests", "workloads")
# Written by the example of the page on adding a machine, not shipped.
MADE_UP = ("cosim/hardware/my_array.py", "arch/my_array.yaml")


def prose(page: Path) -> str:
    """A page without its code blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Anchors of the headings of a page."""
    return {anchor(title) for title in re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_pages_and_headings(page: Path) -> None:
    broken = []
    for target in re.findall(r"(?<!!)\[[^\]]*\]\(([^)]+)\)", prose(page)):
        if target.startswith("http"):
            continue
        path, _, place = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        if not found.exists() or (place and place not in anchors(found)):
            broken.append(target)
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_that_are_named_exist(page: Path) -> None:
    named = re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]+)`", prose(page))
    missing = [name for name in named if not (ROOT / name).exists() and name not in MADE_UP]
    assert not missing


def test_the_index_names_every_page() -> None:
    linked = {
        (DOCS / target.partition("#")[0]).resolve()
        for target in re.findall(r"\]\(([^)#]+)", (DOCS / "README.md").read_text(encoding="utf-8"))
    }
    assert {page for page in PAGES if page.parent != ROOT} - {DOCS / "README.md"} <= linked


def test_the_index_explains_every_package() -> None:
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    packages = {path.parent.name for path in (ROOT / "cosim").glob("*/__init__.py")}
    assert packages == set(re.findall(r"cosim/(\w+)`", index.partition("One run")[0]))
