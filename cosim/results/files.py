"""Result folders: manifest.json, summary.json, layers.csv and parameters.csv, written whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cosim.components.params import ParameterRow
from cosim.ir.columns import COLUMNS
from cosim.results.comparison import COLUMNS as COMPARISON_COLUMNS
from cosim.results.comparison import Comparison
from cosim.results.outcome import Outcome
from cosim.results.result import Result

FILES = ("manifest.json", "summary.json", "layers.csv", "parameters.csv")


class OutputError(ValueError):
    """A result folder that cannot be written, with the reason."""


def write_atomic(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` so that a reader sees the old or the new file, never half of one."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
        # A temporary file is private; the result is as readable as any file that the user makes.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def to_csv(rows: Sequence[dict[str, Any]], header: Sequence[str]) -> str:
    """CSV text with ``header`` naming the keys; floats keep all their digits."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([_number(row.get(name, "")) for name in header])
    return stream.getvalue()


def _number(value: Any) -> Any:
    return repr(value) if isinstance(value, float) else value


def layers_csv(result: Result) -> str:
    """Per-layer table. The second line is a comment row with the unit of every column."""
    header = list(result.layers[0])
    units = {name: f"[{COLUMNS[name].unit}]" if COLUMNS[name].unit else "" for name in header}
    return to_csv([units, *result.layers], header)


def all_layers_csv(results: Sequence[Outcome]) -> str:
    """Layers of several results in one table: machine, workload, then every column that some result has."""
    names = dict.fromkeys(name for result in results for name in result.layers[0])
    header = [name for name in COLUMNS if name in names]
    units = {name: f"[{COLUMNS[name].unit}]" for name in header if COLUMNS[name].unit}
    rows = (
        {"machine": result.machine, "workload": result.workload.name, **layer}
        for result in results
        for layer in result.layers
    )
    return to_csv([units, *rows], ["machine", "workload", *header])


def parameters_csv(parameters: Sequence[ParameterRow]) -> str:
    """Every effective parameter, its unit, source, kind of evidence, and who set it."""
    header = ("path", "value", "unit", "source", "kind", "set_by", "range_low", "range_high", "note")
    rows = [
        {
            "path": p.path,
            "value": p.value,
            "unit": p.unit,
            "source": p.source,
            "kind": p.kind,
            "set_by": p.set_by,
            "range_low": p.range[0] if p.range else "",
            "range_high": p.range[1] if p.range else "",
            "note": p.note,
        }
        for p in parameters
    ]
    return to_csv(rows, header)


def dump_json(document: Any) -> str:
    """Readable JSON with a final newline; refuses infinities and not-a-number."""
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def write_result(result: Result, folder: Path) -> tuple[Path, ...]:
    """Write the four files of a result into ``folder`` and return their paths.

    A folder that already holds the result of something else is refused with :class:`OutputError`; writing
    the same evaluation again replaces its files with equal ones.
    """
    manifest = folder / "manifest.json"
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: found a file, allowed a folder")
    if manifest.exists():
        try:
            found = json.loads(manifest.read_text(encoding="utf-8")).get("hash")
        except (OSError, ValueError) as error:
            raise OutputError(
                f"{manifest}: found an unreadable manifest ({error}); choose another folder"
            ) from error
        if found != result.manifest["hash"]:
            raise OutputError(
                f"{folder}: found the result of another evaluation (hash {found}), this one is "
                f"{result.manifest['hash']}; choose another folder or remove it"
            )
    elif folder.exists() and any(folder.iterdir()):
        raise OutputError(f"{folder}: found a folder with other files in it, allowed an empty or new one")
    folder.mkdir(parents=True, exist_ok=True)
    document = result.to_json()
    summary = {
        key: document[key]
        for key in ("schema", "totals", "breakdown", "coverage", "speedup", "leaves_out", "roof")
    }
    texts = {
        "layers.csv": layers_csv(result),
        "parameters.csv": parameters_csv(result.parameters),
        "summary.json": dump_json(summary),
        "manifest.json": dump_json(dict(result.manifest)),
    }
    for name, text in texts.items():
        write_atomic(folder / name, text)
    return tuple(folder / name for name in FILES)


def write_comparison(
    comparison: Comparison, folder: Path, inputs: Mapping[str, Any] | None = None
) -> tuple[Path, ...]:
    """Write comparison.csv and comparison.json into ``folder``.

    ``inputs`` says what was asked for (machines and networks as given, batch, seed, draws), so that the comparison
    can be evaluated again. Raises :class:`OutputError` if the folder holds another comparison or other files.
    """
    document = dump_json(comparison.to_json() | ({"inputs": dict(inputs)} if inputs else {}))
    target = folder / "comparison.json"
    if target.exists():
        if target.read_text(encoding="utf-8") != document:
            raise OutputError(f"{folder}: found another comparison; choose another folder or remove it")
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder}: found other files, allowed an empty or new folder")
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(
        folder / "comparison.csv", to_csv(comparison.rows(), [column.name for column in COMPARISON_COLUMNS])
    )
    write_atomic(target, document)
    return folder / "comparison.csv", target
