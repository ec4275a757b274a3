"""Trials kept in a file while a campaign runs, so that an interrupted one goes on where it stopped.

The first line says what the trials belong to; every further line is one trial. A line that a killed process left
unfinished is dropped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from cosim.noise.placement import PlacementError

Key = tuple[str, float, int]


class TrialFile:
    """``with TrialFile(path, digest, about) as kept: kept.done; kept.add(key, accuracy)``."""

    def __init__(self, path: Path, digest: str, about: Mapping[str, Any]) -> None:
        """Read what is there. PlacementError for a file that holds the trials of something else."""
        self.path, self.done = path, {}  # type: Path, dict[Key, float]
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_bytes().split(b"\n") if path.exists() else []
        whole = [line for line in lines[:-1] if line]
        if whole:
            head = _parsed(whole[0])
            if head.get("digest") != digest:
                raise PlacementError(
                    f"{path}: holds trials of another campaign ({head.get('about')}); use another folder"
                )
            for line in whole[1:]:
                row = _parsed(line)
                self.done[str(row["protection"]), float(row["rate"]), int(row["trial"])] = float(
                    row["accuracy"]
                )
        kept = b"\n".join(whole) + b"\n" if whole else b""
        if not whole:
            kept = (json.dumps({"digest": digest, "about": dict(about)}) + "\n").encode()
        path.write_bytes(kept)
        self._file: TextIO = path.open("a", encoding="utf-8")

    def add(self, key: Key, accuracy: float) -> None:
        """Keep one trial; it is on disk when the call returns."""
        row = {"protection": key[0], "rate": key[1], "trial": key[2], "accuracy": accuracy}
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()

    def __enter__(self) -> TrialFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def _parsed(line: bytes) -> dict[str, Any]:
    found = json.loads(line)
    if not isinstance(found, dict):
        raise PlacementError(f"found {found!r}, allowed a line of a trial file")
    return found
