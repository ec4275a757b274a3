"""Shards of a sweep as Parquet files through DuckDB; each is there whole or not at all."""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cosim.explore.evaluate import Rows, Words
from cosim.results.files import OutputError

if TYPE_CHECKING:
    import pandas as pd

SHARDS = "shards"
FILES_AT_ONCE = 16

_TYPES = {"f": "DOUBLE", "i": "BIGINT", "b": "BOOLEAN", "U": "VARCHAR"}
_HOST = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())
_local = threading.local()


def connection() -> Any:
    """This thread's DuckDB connection, with one thread of its own: opening one costs more than a shard."""
    if getattr(_local, "pid", None) != os.getpid():
        import duckdb

        _local.connection = duckdb.connect()
        _local.connection.execute("SET threads TO 1")
        _local.pid = os.getpid()
    return _local.connection


def shard_path(folder: Path, task: int) -> Path:
    """File of a task's rows."""
    return folder / SHARDS / f"{task:08d}.parquet"


def shard_files(folder: Path) -> list[Path]:
    """Finished shards in order."""
    return sorted((folder / SHARDS).glob("[0-9]*.parquet"))


def done_tasks(folder: Path) -> set[int]:
    """Indices of the tasks whose shards are there."""
    return {int(path.stem) for path in shard_files(folder)}


def write_shard(folder: Path, task: int, rows: Rows) -> Path:
    """Write the rows of a task; a reader sees no file or the whole file, whenever the process dies."""
    import pandas as pd

    columns: dict[str, Any] = {}
    casts = []
    for number, (name, column) in enumerate(rows.items()):
        kind = "VARCHAR" if isinstance(column, Words) else _TYPES[column.dtype.kind]
        columns[f"c{number}"] = _categorical(column) if isinstance(column, Words) else column
        casts.append(f"CAST(c{number} AS {kind}) AS {_name(name)}")
    target = shard_path(folder, task)
    # Host, process and thread are in the name: writers of one shard never share a temporary file.
    temporary = target.with_name(f".{target.name}.{_HOST}.{os.getpid()}.{threading.get_ident()}")
    link = connection()
    link.register("rows_of_task", pd.DataFrame(columns))
    try:
        link.execute(
            f"COPY (SELECT {', '.join(casts)} FROM rows_of_task) TO '{_quoted(temporary)}' "
            "(FORMAT parquet, COMPRESSION zstd)"
        )
    finally:
        link.unregister("rows_of_task")
    temporary.replace(target)
    return target


def _categorical(column: Words) -> Any:
    import pandas as pd

    # A word of None has no code of its own in a categorical: it is -1, which becomes NULL.
    known = [word for word in column.words if word is not None]
    number = {word: index for index, word in enumerate(known)}
    own = np.array([-1 if word is None else number[word] for word in column.words], dtype=np.int64)
    return pd.Categorical.from_codes(
        own[column.codes] if len(own) else column.codes, pd.Index(known, dtype=str)
    )


def clean(folder: Path) -> None:
    """Remove what writers on this host that are dead have left behind."""
    for path in (folder / SHARDS).glob(f".*.parquet.{_HOST}.*"):
        pid = path.name.split(".")[-2]
        if pid.isdecimal() and not _alive(int(pid)):
            path.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def source(files: Sequence[Path]) -> str:
    """SQL table of the rows in ``files``."""
    listed = ", ".join(f"'{_quoted(path)}'" for path in files)
    return f"read_parquet([{listed}], union_by_name=true)"


def require_shards(folder: Path) -> list[Path]:
    """Finished shards; raises :class:`OutputError` where there are none."""
    files = shard_files(folder)
    if not files:
        raise OutputError(f"{folder}: found no finished shards; run `cosim sweep` with --out {folder} first")
    return files


def query(folder: Path, sql: str) -> pd.DataFrame:
    """A query over all rows, which are the table ``results``.

    Raises :class:`OutputError` for a folder without shards or a query that is not SQL over its columns.
    """
    import duckdb

    table = source(require_shards(folder))
    try:
        frame: pd.DataFrame = connection().execute(f"WITH results AS (FROM {table}) {sql}").df()
    except duckdb.Error as error:
        raise OutputError(f"{folder}: {error}") from error
    return frame


def read(
    folder: Path, columns: Sequence[str] = ("*",), where: str = "", order: str = "point"
) -> pd.DataFrame:
    """Rows of all shards as a data frame, ordered; ``where`` is an SQL condition.

    Raises :class:`OutputError` for a folder without shards or a condition that is not SQL over its columns.
    """
    names = ", ".join(name if name == "*" else _name(name) for name in columns)
    condition = f" WHERE {where}" if where else ""
    return query(folder, f"SELECT {names} FROM results{condition} ORDER BY {order}")


def stream(folder: Path, columns: Sequence[str], where: str) -> Iterator[dict[str, NDArray[Any]]]:
    """Columns of the rows that meet ``where``, a few shards at a time, so that memory does not grow with them."""
    import duckdb

    files = require_shards(folder)
    names = ", ".join(_name(name) for name in columns)
    for start in range(0, len(files), FILES_AT_ONCE):
        table = source(files[start : start + FILES_AT_ONCE])
        try:
            part = connection().execute(f"SELECT {names} FROM {table} WHERE {where}").fetchnumpy()
        except duckdb.Error as error:
            raise OutputError(f"{folder}: {error}") from error
        yield {name: np.ma.getdata(values) for name, values in part.items()}


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
