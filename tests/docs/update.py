"""Rewrite the output shown in README.md and docs/ by what the commands print now: `python -m tests.docs.update`.

Outputs with an elision (a line of three dots) are left alone: they state only what they show.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from tests.docs.test_command_blocks import PAGES, run, runnable


def refreshed(text: str, folder: Path) -> str:
    """The page with every shown output replaced."""

    def block(match: re.Match[str]) -> str:
        parts = re.split(r"^(\$ .*)$", match.group(1), flags=re.MULTILINE)
        out = [parts[0]]
        for command, shown in zip(parts[1::2], parts[2::2], strict=True):
            keep = "\n...\n" in shown or not shown.strip() or not runnable(command[2:])
            if not shown.strip() and runnable(command[2:]):
                run(command[2:], folder)  # later commands of the page may need what it leaves
            lines = (
                shown if keep else "\n" + "\n".join(line.rstrip() for line in run(command[2:], folder)) + "\n"
            )
            out += [command, lines]
        return "```console\n" + "".join(out) + "```"

    return re.sub(r"^```console\n(.*?)^```", block, text, flags=re.MULTILINE | re.DOTALL)


def main() -> None:
    """Rewrite every page in place."""
    with tempfile.TemporaryDirectory() as folder:
        for page in PAGES:
            page.write_text(refreshed(page.read_text(encoding="utf-8"), Path(folder)), encoding="utf-8")


if __name__ == "__main__":
    main()
