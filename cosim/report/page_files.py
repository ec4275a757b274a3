"""The page on files: every kind of document with an example, its keys and what is checked; the columns of results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from cosim.explore import space_keys
from cosim.explore.space_file import KEYS as SWEEP_KEYS
from cosim.hardware.base import kinds
from cosim.hardware.load import form_of
from cosim.ir import workload_file
from cosim.ir.columns import COLUMNS
from cosim.ir.workload_schema import workload_schema
from cosim.mapping import mapping_file, nest_file
from cosim.report.page_reference import reference_section
from cosim.report.page_specs import HEAD, field_tables, rules_of
from cosim.report.page_text import NOTE, bullets, inline, markdown, table
from cosim.results.comparison import COLUMNS as COMPARISON_COLUMNS
from cosim.spec import sources
from cosim.spec.constant import KINDS
from cosim.spec.keys import Key
from cosim.spec.locate import ROOT
from cosim.spec.machine import MachineSpec
from cosim.spec.units import unit_table

WIDTH = 150
EVIDENCE: Mapping[str, str] = {
    "measured": "somebody measured it, and the source says how",
    "datasheet": "the maker states it",
    "simulated": "a tool computed it",
    "derived": "follows from other numbers; the note says how",
    "published": "a publication states it without more",
    "assumed": "a modelling assumption; the note says why",
    "fitted": "adjusted to data; the note names them and the error on what was left out",
}
FORMS_OF_A_CONSTANT = """clock_hz: 250000000
clock_hz: 250 MHz
clock_hz: {value: 250 MHz, source: cnna16, kind: measured, range: [200 MHz, 300 MHz], note: "table 2"}"""


@dataclass(frozen=True)
class Document:
    """One kind of document: its section, what it is for, a shipped file to show, its keys and rules."""

    kind: str
    title: str
    about: str
    example: str
    lines: int
    keys: Callable[[], str]
    rules: Callable[[], Sequence[str]]
    schema: bool = True

    @property
    def text(self) -> str:
        """The section."""
        parts = [f"## {self.title}", inline(self.about), example(self.example, self.lines), self.keys()]
        if found := self.rules():
            parts += ["Checked beyond types:", bullets(found)]
        if self.schema:
            parts.append(f"`cosim schema {self.kind}` prints the JSON Schema.")
        return "\n\n".join(parts)


def files_page() -> str:
    """Markdown of all of it."""
    overview = [
        (f"[{d.title}](#{d.title.lower().replace(' ', '-')})", f"`{d.example}`", f"`{d.kind}`")
        for d in DOCUMENTS
    ]
    overview[0] = (*overview[0][:2], "that of a machine")
    about = (
        "Every file is strict YAML: no key twice, no unknown key, no text where a number stands. `cosim validate "
        "FILE...` reports every problem of every file at once, with line, column and nearest spelling; `--strict` "
        "also wants a source behind every constant."
    )
    totals = [(f"`{c.name}`", c.unit or "text", inline(c.meaning)) for c in COMPARISON_COLUMNS]
    columns = [(f"`{c.name}`", c.unit or "text", inline(c.meaning)) for c in COLUMNS.values()]
    parts = [
        "# Files", NOTE, about, table(("document", "for example", "`kind`"), overview),
        _constants(), *(document.text for document in DOCUMENTS),
        "## Reference data for `cosim check`", reference_section(),
        "## Columns of the layer table", table(("column", "unit", "meaning"), columns),
        "## Columns of comparison.csv", table(("column", "unit", "meaning"), totals),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def example(path: str, lines: int) -> str:
    """First lines of a shipped file from its kind on, long ones cut."""
    text = (ROOT / path).read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(text) if line.startswith("kind:"))
    shown = [line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…" for line in text[start : start + lines]]
    more = ["…"] if start + lines < len(text) else []
    return f"`{path}`:\n\n```yaml\n" + "\n".join([*shown, *more]) + "\n```"


def _constants() -> str:
    evidence = [(f"`{kind}`", EVIDENCE[kind]) for kind in KINDS]
    units = [
        (name, f"`{sample}`", ", ".join(f"`{s}`" for s in symbols)) for name, sample, symbols in unit_table()
    ]
    return "\n\n".join(
        [
            "## Constants",
            "A constant is a number in the unit that its field's name ends in, a text with a unit, or a mapping:",
            f"```yaml\n{FORMS_OF_A_CONSTANT}\n```",
            markdown(
                "``source`` is a key of the [bibliography](#bibliography), ``range`` feeds sensitivity analysis, "
                "``kind`` says what evidence it is. ``provenance: {source, kind, note}`` in a block holds for every "
                "constant of it, and of the blocks below, that names no source of its own."
            ),
            table(("kind", "evidence"), evidence),
            "Units, which quotients such as `GB/s` and `pJ/bit` combine. `b` alone is refused: some write it for "
            "bits, some for bytes. KB is 1000 bytes, KiB is 1024.",
            table(("what", "for example", "units"), units),
        ]
    )  # fmt: skip


def sentence(text: str) -> str:
    """A meaning with a capital and a full stop."""
    return f"{inline(text[:1].upper() + text[1:])}." if text else ""


def key_table(keys: Mapping[str, Key], above: str = "") -> str:
    """A table of keys that are read by hand."""
    rows = [
        (f"`{above}{name}`", k.form, "yes" if k.required else "no", sentence(k.meaning))
        for name, k in keys.items()
    ]
    return table(HEAD, rows)


def _machine_keys() -> str:
    links = ", ".join(f"[{kind}](machines/{kind}.md#parameters-of-a-machine-file)" for kind in kinds())
    return f"{_spec_keys(MachineSpec)}\n\nEverything else depends on the kind: {links}."


def _spec_keys(spec: type[Any]) -> str:
    return "\n\n".join(one.text.replace("### ", "#### ") for one in field_tables(spec))


def _form_keys(kind: str) -> str:
    return _spec_keys(form_of(kind))


def _form_rules(kind: str) -> Sequence[str]:
    return rules_of(form_of(kind))


def _sweep_keys() -> str:
    missing = [name for name in SWEEP_KEYS if name not in space_keys.MEANINGS]
    if missing:
        raise ValueError(f"cosim.explore.space_keys: no meaning of {', '.join(missing)}")
    return key_table({name: space_keys.MEANINGS[name] for name in SWEEP_KEYS})


def _workload_keys() -> str:
    return table(HEAD, [(f"`{row[0]}`", *row[1:]) for row in schema_rows(workload_schema())])


def schema_rows(schema: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str, str, str]]:
    """(path, form, needed, meaning) of every key of a JSON Schema without references."""
    for name, one in schema["properties"].items():
        inner = one.get("items", {}) if one.get("type") == "array" else {}
        mark = "[]" if "properties" in inner else ""
        needed = "yes" if name in schema.get("required", ()) else "no"
        yield f"{above}{name}{mark}", schema_form(one), needed, sentence(one.get("description", ""))
        if mark:
            yield from schema_rows(inner, f"{above}{name}[].")


def schema_form(schema: Mapping[str, Any]) -> str:
    """What a JSON Schema takes, in words."""
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        words = schema["enum"]
        return ", ".join(f"`{w}`" for w in words) if len(words) <= 8 else f"one of {len(words)} words"
    if "oneOf" in schema:
        return " or ".join(schema_form(one) for one in schema["oneOf"])
    kind = schema.get("type")
    if isinstance(kind, list):
        return " or ".join(schema_form({"type": one}) for one in kind)
    if kind == "array":
        most = f", at most {schema['maxItems']}" if "maxItems" in schema else ""
        return (
            "list of blocks"
            if "properties" in schema["items"]
            else f"list of {schema_form(schema['items'])}{most}"
        )
    if kind == "object":
        return f"name: {schema_form(schema['additionalProperties'])}"
    words = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false"}[
        str(kind)
    ]
    return f"{words}, at least {schema['minimum']}" if "minimum" in schema else words


def _nest_mapping_keys() -> str:
    tables = (
        (nest_file.KEYS, ""),
        (nest_file.LAYER_KEYS, "layers.<name>."),
        (nest_file.LEVEL_KEYS, "layers.<name>.levels.<name>."),
    )
    return "\n\n".join(key_table(keys, above) for keys, above in tables)


def _machine_rules() -> Sequence[str]:
    return (
        "A companion is another machine file and leads back to none above it.",
        "A constant that names a source which is not in the bibliography is refused; with `--strict` one without "
        "source or kind is, too, and one that is assumed or fitted without a note.",
    )


DOCUMENTS: tuple[Document, ...] = (
    Document(
        kind="machine",
        title="Machine",
        about="A machine: blocks of constants that one of the models reads.",
        example="arch/systolic_fpga.yaml",
        lines=16,
        keys=_machine_keys,
        rules=_machine_rules,
        schema=False,
    ),
    Document(
        kind="workload",
        title="Workload",
        about="A network, one layer a line in execution order, as `cosim extract` writes it.",
        example="workloads/resnet18.yaml",
        lines=24,
        keys=_workload_keys,
        rules=lambda: workload_file.RULES,
    ),
    Document(
        kind="mapping",
        title="Mapping",
        about="Choices for the layers of a network: dataflow, tiling mode, kernel, placement.",
        example="mappings/optical_kernel_tiling.yaml",
        lines=8,
        keys=lambda: key_table(mapping_file.KEYS),
        rules=lambda: mapping_file.RULES,
        schema=False,
    ),
    Document(
        kind="sweep",
        title="Sweep",
        about="A design space for `cosim sweep` and `cosim search`: machines, networks, axes, conditions, objectives.",
        example="arch/sweeps/systolic_buffers.yaml",
        lines=18,
        keys=_sweep_keys,
        rules=lambda: space_keys.RULES,
        schema=False,
    ),
    Document(
        kind="memory",
        title="Memory technology",
        about="What the cells and arrays of a memory cost and how they fail; a machine's memory names one as its "
        "`preset`. `cosim import-memory` writes records from the output of CACTI, NVSim, DESTINY and NVMExplorer.",
        example="arch/memories/stt_ram_22.yaml",
        lines=16,
        keys=partial(_form_keys, "memory"),
        rules=partial(_form_rules, "memory"),
    ),
    Document(
        kind="dram",
        title="DRAM standard",
        about="Devices of one standard for the model of a DRAM channel (`cosim dram`, `cosim check dram`): a device is "
        "a speed with an organisation, such as `DDR4-2400R 8Gb x8`. Timings carry the symbols of the JEDEC standards, "
        "in cycles of the command clock.",
        example="arch/dram/ddr4.yaml",
        lines=12,
        keys=partial(_form_keys, "dram"),
        rules=partial(_form_rules, "dram"),
    ),
    Document(
        kind="board",
        title="FPGA board",
        about="What a device holds, and properties of the board around it; FPGA machines name one.",
        example="arch/boards/ultra96.yaml",
        lines=24,
        keys=partial(_form_keys, "board"),
        rules=partial(_form_rules, "board"),
    ),
    Document(
        kind="nest",
        title="Storage hierarchy",
        about="Levels of memory for the mapper (`cosim map`), whose loop nests may be permuted freely.",
        example="arch/nests/eyeriss.yaml",
        lines=20,
        keys=partial(_form_keys, "nest"),
        rules=lambda: ("There is at least one level, and names differ.",),
    ),
    Document(
        kind="nest_rules",
        title="Rules on loop nests",
        about="What loop nests must and may do, for all layers and by layer name (`cosim map --constraints`); what a "
        "later rule does not say stays as it was.",
        example="arch/nests/eyeriss_row_stationary.yaml",
        lines=8,
        keys=partial(_form_keys, "nest_rules"),
        rules=lambda: ("Levels must be those of the hierarchy that the rules are used with.",),
    ),
    Document(
        kind="nest_mapping",
        title="Mapped loop nests",
        about="Loop nests of all layers of a network with their costs, as `cosim map` writes them.",
        example="mappings/vit_eyeriss.yaml",
        lines=16,
        keys=_nest_mapping_keys,
        rules=lambda: nest_file.RULES,
        schema=False,
    ),
    Document(
        kind="sources",
        title="Bibliography",
        about="Where constants come from.",
        example="arch/sources.yaml",
        lines=9,
        keys=lambda: key_table(sources.KEYS),
        rules=lambda: sources.RULES,
        schema=False,
    ),
)
