"""Shards of a sweep as Parquet files through DuckDB; each is there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosim.results.files import OutputError

if TYPE_CHECKING:
    import pandas as pd

SHARDS = "shards"


def shard_path(folder: Path, task: int) -> Path:
    """File of a task's rows."""
    return folder / SHARDS / f"{task:08d}.parquet"


def done_tasks(folder: Path) -> set[int]:
    """Indices of the tasks whose shards are there."""
    return {int(path.stem) for path in (folder / SHARDS).glob("[0-9]*.parquet")}


def write_shard(folder: Path, task: int, rows: dict[str, Any]) -> None:
    """Write the rows of a task; a reader sees no file or the whole file, whenever the process dies."""
    import duckdb
    import pandas as pd

    frame = pd.DataFrame(rows)
    target = shard_path(folder, task)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    with duckdb.connect() as connection:
        connection.execute("SET threads TO 1")
        connection.register("frame", frame)
        connection.execute(f"COPY frame TO '{_quoted(temporary)}' (FORMAT parquet, COMPRESSION zstd)")
    temporary.replace(target)


def clean(folder: Path) -> None:
    """Remove the remains of writers that were killed (call it when no writer is at work)."""
    for path in (folder / SHARDS).glob(".*.parquet.*"):
        path.unlink(missing_ok=True)


def read(
    folder: Path, columns: Sequence[str] = ("*",), where: str = "", order: str = "task, point"
) -> pd.DataFrame:
    """Rows of all shards as a data frame, ordered; ``where`` is an SQL condition.

    Raises :class:`OutputError` for a folder without shards or a condition that is not SQL over its columns.
    """
    import duckdb

    if not done_tasks(folder):
        raise OutputError(f"{folder}: found no finished shards; run `cosim sweep` with --out {folder} first")
    names = ", ".join(name if name == "*" else '"' + name.replace('"', '""') + '"' for name in columns)
    condition = f" WHERE {where}" if where else ""
    query = (
        f"SELECT {names} FROM read_parquet('{_quoted(folder / SHARDS)}/[0-9]*.parquet', union_by_name=true)"
    )
    with duckdb.connect() as connection:
        connection.execute("SET threads TO 1")
        try:
            frame: pd.DataFrame = connection.execute(f"{query}{condition} ORDER BY {order}").df()
        except duckdb.Error as error:
            raise OutputError(f"{folder}: {error}") from error
    return frame


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
