"""Where a machine keeps its tensors, and in what form: levels, formats, protection, errors.

A *protection* is an encoding with what guards it, written ``NAME[:GROUP][+range][+soft][+secded]``: ``hybrid:16``,
``baseline+range``, ``sbp+secded``. Range check and soft-bit placement act on the words before the ECC sees them; the
check bits of the ECC are stored beside the words and are hit by errors like them. Metadata of an encoding lies in
single-level cells, which are taken as free of errors.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass

from cosim.components.params import Params
from cosim.components.technology import TechnologySpec
from cosim.components.technology_preset import preset_record
from cosim.noise.channels import (
    AsymmetricFlips,
    PatternErrors,
    SoftHardFlips,
    StuckAt,
    UniformFlips,
    require_rate,
)
from cosim.noise.ecc import RangeCheck, Secded, SoftBitPlacement
from cosim.noise.encodings import GroupChoice, Stage
from cosim.noise.formats import StorageFormat, storage_format
from cosim.noise.inject import Channel, Persistence
from cosim.noise.schemes import Encoding, scheme

# Which memory of a machine of each kind holds the weights while they are used, and the one behind it.
WEIGHT_LEVELS = {
    "systolic": ("buffers.filter", "dram"),
    "optical4f": ("memory",),
    "stream_fpga": ("dram",),
    "deform_fpga": ("dram",),
}
ACTIVATION_LEVELS = {"systolic": ("buffers.ifmap", "dram"), "optical4f": ("memory",)}
ERROR_KINDS = ("pattern", "uniform", "soft_hard", "one_to_zero", "stuck")
GUARDS = ("range", "soft", "secded")
_SOFT_OVER_HARD = 1.5e-8 / 3.5e-3


class PlacementError(ValueError):
    """A tensor that cannot be kept as asked; the message says what was found and what is allowed."""


@dataclass(frozen=True)
class Level:
    """One memory of a machine: dotted path, technology, its record if it names one."""

    path: str
    technology: str
    record: TechnologySpec | None
    encoding: str
    group_words: int
    ecc: str

    @property
    def protection(self) -> str:
        """The protection that the machine's file names."""
        group = f":{self.group_words}" if self.group_words > 1 else ""
        return f"{self.encoding}{group}" + ("+secded" if self.ecc != "none" else "")


def levels(params: Params) -> dict[str, Level]:
    """Memories of a machine by path: every place that states a technology."""
    found = {}
    for name in params.options:
        path, _, last = name.rpartition(".")
        if last != "technology" or f"{path}.word_bits" not in params.values:
            continue
        preset = params.options.get(f"{path}.preset")
        group = params.values.get(f"{path}.group_words", 1.0)
        found[path] = Level(
            path,
            params.options[name],
            preset_record(preset) if preset else None,
            params.options.get(f"{path}.encoding", "baseline"),
            int(float(group)),
            params.options.get(f"{path}.ecc", "none"),
        )
    return found


def level_of(params: Params, tensor: str, asked: str | None = None) -> Level:
    """The memory that holds ``tensor`` (``weights`` or ``activations``), or the one asked for by path.

    Raises :class:`PlacementError` for a machine without such a memory, or a path that it does not have.
    """
    there = levels(params)
    if asked is not None:
        if asked not in there:
            near = difflib.get_close_matches(asked, there, n=1)
            hint = f"; nearest: {near[0]!r}" if near else ""
            raise PlacementError(
                f"machine {params.name}: no memory {asked!r}, allowed {', '.join(there) or 'none'}{hint}"
            )
        return there[asked]
    table = WEIGHT_LEVELS if tensor == "weights" else ACTIVATION_LEVELS
    for path in table.get(params.kind, ()):
        if path in there:
            return there[path]
    raise PlacementError(
        f"machine {params.name} ({params.kind}) states no memory with a technology for {tensor}; "
        f"allowed --memory NAME (a technology record), or one of {', '.join(there) or 'none'}"
    )


def default_errors(technology: str) -> str:
    """The kind of errors that suits a technology: by content for two-bit cells, uniform otherwise."""
    return "pattern" if technology == "mlc_stt_ram" else "uniform"


def channels_at(kind: str, rate: float, persistence: Persistence) -> tuple[Channel, ...]:
    """The causes of errors at one rate.

    ``pattern``: cells that hold 01 or 10 err with ``rate``, 00 and 11 never; ``uniform``: every bit; ``soft_hard``:
    hard bits with ``rate``, soft ones 4.3e-6 times that (1.5e-8 against 3.5e-3, W. Wen); ``one_to_zero``: ones only;
    ``stuck``: cells that cannot change, half of them at one. ValueError for a rate outside [0, 1].
    """
    require_rate(f"{kind} errors", rate)
    make: dict[str, Callable[[], Channel]] = {
        "pattern": lambda: PatternErrors((0.0, rate, rate, 0.0), persistence=persistence),
        "uniform": lambda: UniformFlips(rate, persistence=persistence),
        "soft_hard": lambda: SoftHardFlips(rate * _SOFT_OVER_HARD, rate, persistence=persistence),
        "one_to_zero": lambda: AsymmetricFlips(0.0, rate, persistence=persistence),
        "stuck": lambda: StuckAt(rate, 0.5),
    }
    if kind not in make:
        near = difflib.get_close_matches(kind, make, n=1)
        hint = f"; nearest: {near[0]!r}" if near else ""
        raise PlacementError(f"errors: found {kind!r}, allowed {', '.join(ERROR_KINDS)}{hint}")
    return (make[kind](),)


def technology_channels(record: TechnologySpec, persistence: Persistence) -> tuple[Channel, ...]:
    """The causes of errors that a record states for itself; TechnologyError where it states none."""
    soft, hard = record.bit_error_rates()
    if int(record.cell.bits_per_cell) == 2:
        return (SoftHardFlips(soft, hard, persistence=persistence),)
    return (UniformFlips(hard, persistence=persistence),)


def protection(text: str) -> Encoding:
    """An encoding with its guards from ``NAME[:GROUP][+range][+soft][+secded]``.

    Raises :class:`PlacementError` for an unknown guard or group, ``ValueError`` for an unknown encoding.
    """
    base, *guards = text.split("+")
    name, _, group = base.partition(":")
    if group and not (group.isdecimal() and 1 <= int(group) <= 16):
        raise PlacementError(f"protection {text!r}: found group {group!r}, allowed 1 to 16")
    unknown = [guard for guard in guards if guard not in GUARDS]
    if unknown:
        raise PlacementError(f"protection {text!r}: found {unknown[0]!r}, allowed {', '.join(GUARDS)}")
    try:
        chosen = scheme(name, int(group or 1))
    except ValueError as error:
        raise PlacementError(str(error)) from error
    if name == "flip_n_write":
        raise PlacementError(
            f"protection {text!r}: Flip-N-Write depends on what is overwritten; it changes no content at rest"
        )
    stages: list[Stage] = []
    if "range" in guards:
        stages.append(RangeCheck())
    stages += chosen.stages
    if "soft" in guards:
        stages.append(SoftBitPlacement())
    if "secded" in guards:
        stages.append(Secded())
    return Encoding(text, tuple(stages))


def metadata_per_bit(encoding: Encoding, fmt: StorageFormat) -> float:
    """Bits of metadata and check bits for a bit of data, of a large tensor (tables of a remap count as none)."""
    total = 0.0
    for stage in encoding.stages:
        if isinstance(stage, Secded):
            total += 8.0 / 64.0
        elif isinstance(stage, GroupChoice):
            total += (len(stage.forms) - 1).bit_length() / (stage.group_words * fmt.word_bits)
    return total


def format_of(name: str) -> StorageFormat:
    """A storage format by name; :class:`PlacementError` with the nearest spelling."""
    try:
        return storage_format(name)
    except ValueError as error:
        raise PlacementError(str(error)) from error
