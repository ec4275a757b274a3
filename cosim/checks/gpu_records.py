"""Networks as recorded operators: the file that `cosim check gpu` reads, one JSON object a line.

``{"network", "params", "gmacs", "ops": [...]}``; an operator has ``op`` (its ATen name), ``macs`` and the element
counts ``in_el`` (all operands together) and ``out_el`` for one image; convolutions also the shapes ``w``, ``x``,
``o``, groups ``g`` and stride ``s``; matrix products ``M, K, N`` and, where batched, ``B``.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosim.checks.metrics import CheckInputError

_MATRIX = ("addmm", "mm", "bmm", "baddbmm")


@dataclass(frozen=True, slots=True)
class ConvShape:
    """Shape of one recorded convolution; one-dimensional ones have Q = S = 1.

    ``images`` is above 1 where a network convolves many patches of one image.
    """

    images: int
    groups: int
    outputs: int
    inputs: int
    kernel: tuple[int, int]
    image: tuple[int, int]
    result: tuple[int, int]
    stride: tuple[int, int]

    @property
    def weights(self) -> int:
        """Elements of the kernel tensor."""
        return self.outputs * self.inputs // self.groups * math.prod(self.kernel)

    @property
    def x_elems(self) -> int:
        """Elements of the input."""
        return self.images * self.inputs * math.prod(self.image)

    @property
    def y_elems(self) -> int:
        """Elements of the result."""
        return self.images * self.outputs * math.prod(self.result)


@dataclass(frozen=True, slots=True)
class RecordedOp:
    """One operator of one image; ``conv`` and ``product`` (heads, M, N, K) where it is one."""

    op: str
    in_elems: int
    out_elems: int
    conv: ConvShape | None = None
    product: tuple[int, int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class RecordedNetwork:
    """Operators of a network in execution order."""

    name: str
    ops: tuple[RecordedOp, ...]


def _flat(sizes: list[int]) -> tuple[int, int]:
    """(rows, columns) of spatial sizes; further dimensions join the columns, missing ones are 1."""
    return (sizes[0], math.prod(sizes[1:])) if sizes else (1, 1)


def _conv(row: Mapping[str, Any]) -> ConvShape:
    kernel, image, result = ([int(v) for v in row[key]] for key in ("w", "x", "o"))
    strides = [int(v) for v in row["s"]]
    return ConvShape(
        images=result[0],
        groups=int(row["g"]),
        outputs=result[1],
        inputs=image[1],
        kernel=_flat(kernel[2:]),
        image=_flat(image[2:]),
        result=_flat(result[2:]),
        stride=(strides[0], strides[-1] if len(strides) > 1 else 1),
    )


def read_operator(row: Mapping[str, Any], where: str) -> RecordedOp:
    """One operator; raises CheckInputError naming the field that is missing or not a number."""
    try:
        op = str(row["op"])
        conv = _conv(row) if op == "convolution" else None
        product = None
        if op in _MATRIX:
            product = (int(row.get("B", 1)), int(row["M"]), int(row["N"]), int(row["K"]))
        return RecordedOp(op, int(row["in_el"]), int(row["out_el"]), conv, product)
    except KeyError as error:
        raise CheckInputError(f"{where}: operator {row.get('op')!r} has no field {error}") from None
    except (TypeError, ValueError, IndexError) as error:
        raise CheckInputError(f"{where}: operator {row.get('op')!r}: {error}") from None


def _lines(path: Path) -> Iterator[str]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as stream:
        yield from stream


def read_networks(path: Path) -> dict[str, RecordedNetwork]:
    """All networks of a ``.jsonl`` or ``.jsonl.gz`` file by name; raises CheckInputError with file and line."""
    found: dict[str, RecordedNetwork] = {}
    for number, line in enumerate(_lines(path), start=1):
        where = f"{path.name}, line {number}"
        try:
            document = json.loads(line)
        except json.JSONDecodeError as error:
            raise CheckInputError(f"{where}: not JSON: {error}") from None
        if not isinstance(document, dict) or not {"network", "ops"} <= document.keys():
            raise CheckInputError(f"{where}: needs an object with 'network' and 'ops'")
        name = str(document["network"])
        found[name] = RecordedNetwork(name, tuple(read_operator(row, where) for row in document["ops"]))
    return found
