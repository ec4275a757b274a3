"""Every `console` block of the README and of docs/ is run, and prints what the page shows.

A block holds lines `$ command` followed by the output. A line of three dots stands for any number of lines.
Commands that set up the machine (`make`, `git`, `pip`) are not run here: the test itself runs inside `make test`.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from cosim.spec.locate import ROOT

NOT_RUN = ("make", "git", "pip", "cd")
# Progress of long work, a line every few seconds: whether one comes depends on the speed of the machine.
PROGRESS = re.compile(r"[\d,]+ of [\d,]+ [\w ]+, .*/s, .* left.*")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@dataclass(frozen=True)
class Command:
    page: str
    line: int
    text: str
    shown: tuple[str, ...]
    block: int


def commands() -> list[Command]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in re.finditer(r"^```console\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
            first = text[: block.start()].count("\n") + 2
            current: list[str] | None = None
            for offset, line in enumerate(block.group(1).splitlines()):
                if line.startswith("$ "):
                    current = []
                    found.append((page.name, first + offset, line[2:], current, first))
                elif current is not None:
                    current.append(line)
    return [Command(page, line, text, tuple(shown), block) for page, line, text, shown, block in found]


def matches(shown: tuple[str, ...], printed: list[str]) -> str | None:
    """None if the output fits what is shown, else the first line that does not."""
    position, gap = 0, False
    for line in shown:
        if line.strip() == "...":
            gap = True
            continue
        wanted = line.rstrip()
        if gap:
            while position < len(printed) and printed[position].rstrip() != wanted:
                position += 1
        if position >= len(printed) or printed[position].rstrip() != wanted:
            got = printed[position] if position < len(printed) else "(end of output)"
            return f"shown   {wanted!r}\nprinted {got!r}"
        position += 1
        gap = False
    if not gap and position < len(printed) and any(line.strip() for line in printed[position:]):
        return f"printed more than shown: {printed[position]!r}"
    return None


def runnable(text: str) -> bool:
    return shlex.split(text)[0] not in NOT_RUN


def run(text: str, folder: Path) -> list[str]:
    """Lines that a command prints (both streams), progress apart; `/tmp/` in it stands for ``folder``."""
    env = {**os.environ, "NO_COLOR": "1", "COLUMNS": "140"}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    text = text.replace("/tmp/", f"{folder}/")
    done = subprocess.run(
        ["bash", "-c", text],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    lines = done.stdout.replace(f"{folder}/", "/tmp/").splitlines()
    return [line for line in lines if not PROGRESS.fullmatch(line)]


RUNNABLE = [c for c in commands() if runnable(c.text)]


def test_progress_is_no_output() -> None:
    assert PROGRESS.fullmatch("534 of 13,600 layers, 106/s, 2 min left")
    assert PROGRESS.fullmatch("1 of 1 shapes, 0.0047/s, 72 s left (layer1.0.conv1)")
    assert not PROGRESS.fullmatch(
        "energy on eyeriss: 1.824 mJ, 6.021 ms in all; 1 of 1 shapes proven optimal"
    )


def test_the_readme_shows_both_commands_and_real_output() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make run" in text
    assert "make test" in text
    assert any(c.page == "README.md" and c.shown for c in RUNNABLE)


def test_pictures_exist() -> None:
    for page in PAGES:
        for target in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).is_file(), f"{page.name}: {target}"


BLOCKS = {
    (c.page, c.block): [o for o in RUNNABLE if (o.page, o.block) == (c.page, c.block)] for c in RUNNABLE
}


@pytest.mark.parametrize("block", BLOCKS.values(), ids=[f"{page}:{line}" for page, line in BLOCKS])
def test_commands_print_what_the_page_shows(block: list[Command], tmp_path: Path) -> None:
    """Commands of one block run in order and share a folder for what they write."""
    for command in block:
        printed = run(command.text, tmp_path)
        assert not any("Traceback" in line for line in printed), printed[-10:]
        if command.shown:
            difference = matches(command.shown, printed)
            assert difference is None, f"{command.page}:{command.line}\n{difference}"
