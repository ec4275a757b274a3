"""What a memory of a machine takes from a technology record that it names as its preset."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, Protocol

from cosim.components.technology import TechnologyError, TechnologySpec, load_technology
from cosim.spec.base import Constant, refuse
from cosim.spec.problems import SpecError

Encoding = Literal[
    "baseline",
    "sbp",
    "sbp_rot14",
    "sbp_rot16",
    "sbp_round",
    "hybrid",
    "hybrid_rot16",
    "hybrid_4",
    "rot14",
    "rot16",
    "remap",
    "remap_global",
    "remap_round",
    "sign_magnitude",
    "sign_magnitude_remap",
    "invert",
]
"""Encodings that a memory may name; :mod:`cosim.noise.schemes` holds their meaning."""


class StatedMemory(Protocol):
    """The fields of a machine's memory that a record may add to."""

    @property
    def technology(self) -> str: ...
    @property
    def capacity_bytes(self) -> Constant | None: ...
    @property
    def banks(self) -> Constant: ...
    @property
    def bandwidth_bytes_per_s(self) -> Constant | None: ...
    @property
    def read_latency_ns(self) -> Constant | None: ...


@lru_cache(maxsize=64)
def preset_record(name: str) -> TechnologySpec:
    """The record of that name or path, read once a process."""
    return load_technology(name)


def preset_additions(spec: StatedMemory, name: str) -> dict[str, Constant]:
    """What the record knows and the machine's file does not state: latencies, cost by content.

    Raises the refusals of a spec's validator for a record that is of another technology, or does not cover the size.
    """
    try:
        record = preset_record(name)
    except SpecError as error:
        raise refuse(f"preset {name!r} ({error.problems[0]})", "a technology record", at="preset") from None
    if record.technology != spec.technology:
        raise refuse(
            f"technology {spec.technology} with preset {name!r}",
            f"technology: {record.technology}",
            at="preset",
        )
    added: dict[str, Constant] = {}
    if record.technology == "mlc_stt_ram":
        for delta in ("delta_read", "delta_write"):
            ours, theirs = getattr(spec, delta), getattr(record.content, delta)
            if ours is None and theirs is not None:
                added[delta] = theirs
    if record.points and spec.bandwidth_bytes_per_s is None and spec.read_latency_ns is None:
        if spec.capacity_bytes is None:
            raise refuse("an array without a size", "capacity_bytes")
        try:
            figures = record.array(float(spec.capacity_bytes) / float(spec.banks))
        except TechnologyError as error:
            raise refuse(str(error), "a size that the record covers", at="capacity_bytes") from None
        if figures.read_ns is not None and figures.write_ns is not None:
            source, note = record.points[0].read_pj.source, f"preset {name}, at the size of a bank"
            for field, value in (
                ("read_latency_ns", figures.read_ns),
                ("write_latency_ns", figures.write_ns),
            ):
                added[field] = Constant(float(value), "ns", source, "derived", None, note, "file")
    return added
