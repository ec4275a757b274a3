"""Pages of docs/machines/, one a kind, and docs/files.md: written from the models, specs and key tables themselves.

``python -m cosim.report.pages`` rewrites them; a test holds the committed pages to what this module writes.
"""

from __future__ import annotations

from pathlib import Path

from cosim.hardware.base import kinds
from cosim.report.page_files import files_page
from cosim.report.page_machine import machine_page
from cosim.spec.locate import ROOT


def pages() -> dict[Path, str]:
    """Every written page by its path below the root."""
    made = {Path("docs/machines") / f"{kind}.md": machine_page(kind) for kind in kinds()}
    return {**made, Path("docs/files.md"): files_page()}


def main() -> None:
    """Rewrite the pages."""
    for path, text in pages().items():
        target = ROOT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
