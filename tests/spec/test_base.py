"""Specs: parsing with all problems at once, provenance by block, overrides, JSON Schema."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, ValidationError, model_validator

from cosim.spec.base import (
    Bytes,
    BytesPerS,
    Constant,
    Count,
    Fraction,
    Hz,
    Mw,
    Ns,
    Pj,
    Spec,
    Table,
    Unit,
    constant,
    constants,
    parse,
    refuse,
)
from cosim.spec.overrides import with_overrides
from cosim.spec.problems import Problem, SpecError
from cosim.spec.schema import field_docs, json_schema
from cosim.spec.strict_yaml import loads

SOURCES = {"a", "b", "default-source"}


class Sram(Spec):
    """On-chip memory."""

    technology: Literal["sram"]
    capacity_bytes: Bytes
    read_pj: Table[Pj]


class Dram(Spec):
    """Off-chip memory."""

    technology: Literal["dram"]
    bandwidth_bytes_per_s: BytesPerS


class Array(Spec):
    """The array."""

    rows: Count
    """Rows of processing elements."""
    cols: Count
    clock_hz: Hz
    leakage_mw: Mw | None = None
    busy_fraction: Fraction | None = None
    wait_ns: Ns = constant(5.0, "ns", "default-source", "measured")

    @model_validator(mode="after")
    def _square(self) -> Self:
        if self.rows.value > 4 * self.cols.value:
            raise refuse(
                f"{self.rows.value} rows on {self.cols.value} columns", "rows <= 4 * cols", at="rows"
            )
        return self


class Machine(Spec):
    """A machine."""

    kind: Literal["m"]
    dataflow: Literal["ws", "os"]
    double_buffered: bool = True
    array: Array
    memories: tuple[Annotated[Sram | Dram, Field(discriminator="technology")], ...]
    lanes: int | Literal["all"] = "all"


GOOD = """\
kind: m
dataflow: ws
provenance: {source: a, kind: datasheet}
array:
  rows: 128
  cols: {value: 64, source: b, kind: measured, range: [32, 128]}
  clock_hz: 1.2 GHz
memories:
  - technology: sram
    capacity_bytes: 64 KiB
    read_pj: {provenance: {source: b, kind: simulated}, w8: 850 fJ, w16: 2.1}
  - technology: dram
    bandwidth_bytes_per_s: {value: 25.6 GB/s, kind: assumed, note: typical}
"""


def machine(text: str = GOOD, strict: bool = True, **overrides: str) -> Machine:
    document = loads(text, "m.yaml")
    if overrides:
        document = with_overrides(document, {k.replace("__", "."): v for k, v in overrides.items()})
    return parse(Machine, document, SOURCES, strict)


def problems(text: str = GOOD, strict: bool = False, **overrides: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        machine(text, strict, **overrides)
    return [str(problem) for problem in caught.value.problems]


def test_a_good_file() -> None:
    read = {path: (c.value, c.unit, c.source, c.kind, c.set_by) for path, c in constants(machine())}
    assert read == {
        "array.rows": (128, "count", "a", "datasheet", "file"),
        "array.cols": (64, "count", "b", "measured", "file"),
        "array.clock_hz": (1.2e9, "hz", "a", "datasheet", "file"),
        "array.wait_ns": (5.0, "ns", "default-source", "measured", "default"),
        "memories.0.capacity_bytes": (65536, "bytes", "a", "datasheet", "file"),
        "memories.0.read_pj.w8": (0.85, "pj", "b", "simulated", "file"),
        "memories.0.read_pj.w16": (2.1, "pj", "b", "simulated", "file"),
        "memories.1.bandwidth_bytes_per_s": (25.6e9, "bytes_per_s", "a", "assumed", "file"),
    }


def test_specs_are_immutable_and_usable_from_python() -> None:
    spec = Array.model_validate(
        {"rows": 3, "cols": 4, "clock_hz": "3 Hz", "wait_ns": constant(1, "ns", "x", "derived")}
    )
    assert (spec.rows.value, spec.rows.set_by, spec.wait_ns.value) == (3, "default", 1)
    with pytest.raises(ValidationError, match="frozen"):
        spec.rows = spec.cols
    with pytest.raises(ValidationError, match="one in ns"):
        Array.model_validate(
            {"rows": 3, "cols": 4, "clock_hz": 3, "wait_ns": constant(1, "hz", "x", "derived")}
        )


BAD = """\
kind: n
dataflow: wz
array:
  rowz: 128
  cols: -3
  clock_hz: 5 ns
  leakage_mw: {valu: 3}
  busy_fraction: 120 %
memories:
  - technology: sram
    capacity_bytes: 0
    read_pj: {w8: fast, w16: true}
  - technology: drma
  - 5
  - {bandwidth_bytes_per_s: [3]}
double_buffered: on
lanes: half
extra: 1
"""


def test_all_problems_at_once_each_with_its_place() -> None:
    assert problems(BAD) == [
        "m.yaml:1:7  kind: found 'n' (text), allowed m",
        "m.yaml:2:11  dataflow: found 'wz' (text), allowed ws, os",
        "m.yaml:3:1  array.rows: found no key 'rows', allowed a whole number, at least 1",
        "m.yaml:4:3  array.rowz: found the unknown key 'rowz', allowed rows, cols, clock_hz, leakage_mw, "
        "busy_fraction, wait_ns, nearest spelling 'rows'",
        "m.yaml:5:9  array.cols: found -3 (whole number), allowed a whole number, at least 1",
        "m.yaml:6:13  array.clock_hz: found '5 ns' (time), allowed a frequency such as '200 MHz', above 0",
        "m.yaml:7:15  array.leakage_mw: found no 'value' in the mapping of a constant, "
        "allowed a power such as '40 mW', at least 0",
        "m.yaml:7:16  array.leakage_mw.valu: found the unknown key 'valu' in a constant, "
        "allowed value, source, kind, range, note, nearest spelling 'value'",
        "m.yaml:8:18  array.busy_fraction: found '120 %' (text), "
        "allowed a ratio such as 0.15 or '15 %', at least 0 and at most 1",
        "m.yaml:11:21  memories.0.capacity_bytes: found 0 (whole number), "
        "allowed an amount of data such as '64 KiB', at least 1 and whole in bytes",
        "m.yaml:12:19  memories.0.read_pj.w8: found 'fast' (text), allowed an energy such as '850 fJ', at least 0",
        "m.yaml:12:30  memories.0.read_pj.w16: found true (true/false), "
        "allowed an energy such as '850 fJ', at least 0",
        "m.yaml:13:17  memories.1.technology: found 'drma' (text), allowed sram, dram, nearest spelling 'dram'",
        "m.yaml:14:5  memories.2: found 5 (whole number), allowed a mapping",
        "m.yaml:15:5  memories.3.technology: found no key 'technology', "
        "allowed the key that names the form of this block",
        "m.yaml:16:18  double_buffered: found 'on' (text), allowed true or false",
        "m.yaml:17:8  lanes: found 'half' (text), allowed a whole number or all",
        "m.yaml:18:1  extra: found the unknown key 'extra', "
        "allowed kind, dataflow, double_buffered, array, memories, lanes",
    ]


@pytest.mark.parametrize("text", ["[1, 2]", "just text", "5", "null"])
def test_a_document_that_is_no_mapping(text: str) -> None:
    (one,) = problems(text)
    assert one.startswith("m.yaml:1:1  found ")
    assert one.endswith("allowed a mapping")


def test_missing_keys_say_what_they_take() -> None:
    found = problems("dataflow: ws")
    assert found == [
        "m.yaml:1:1  kind: found no key 'kind', allowed m",
        "m.yaml:1:1  array: found no key 'array', "
        "allowed a mapping with rows, cols, clock_hz, leakage_mw, busy_fraction, wait_ns",
        "m.yaml:1:1  memories: found no key 'memories', allowed this key, which has no default",
    ]


def test_nothing_is_converted_silently() -> None:
    assert problems(GOOD + "double_buffered: 1\n") == [
        "m.yaml:14:18  double_buffered: found 1 (whole number), allowed true or false"
    ]
    assert problems(GOOD + "lanes: '4'\n") == [
        "m.yaml:14:8  lanes: found '4' (text), allowed a whole number or all"
    ]
    assert problems(GOOD + "lanes: 4.0\n") == [
        "m.yaml:14:8  lanes: found 4.0 (number), allowed a whole number or all"
    ]


def test_a_validator_of_the_author_points_at_its_field() -> None:
    assert problems(GOOD.replace("rows: 128", "rows: 1280")) == [
        "m.yaml:5:9  array.rows: found 1280 rows on 64 columns, allowed rows <= 4 * cols"
    ]


def test_strict_reading_names_every_unsourced_constant() -> None:
    text = GOOD.replace("provenance: {source: a, kind: datasheet}\n", "")
    machine(text, strict=False)
    assert [line.split(": found")[0] for line in problems(text, strict=True)] == [
        "m.yaml:4:9  array.rows",
        "m.yaml:6:13  array.clock_hz",
        "m.yaml:9:21  memories.0.capacity_bytes",
        "m.yaml:12:28  memories.1.bandwidth_bytes_per_s",
    ]


def test_wrong_values_do_not_hide_unsourced_ones() -> None:
    text = GOOD.replace("provenance: {source: a, kind: datasheet}\n", "").replace("1.2 GHz", "5 ns")
    assert sum("without a source" in line for line in problems(text, strict=True)) == 4
    assert sum("(time)" in line for line in problems(text, strict=True)) == 1


def test_unknown_sources_are_always_refused() -> None:
    assert problems(GOOD.replace("source: a,", "source: aa,")) == [
        "m.yaml:3:22  provenance.source: found the unknown source 'aa', allowed a key of arch/sources.yaml, "
        "nearest spelling 'a'"
    ]
    found = problems(GOOD.replace("cols: {value: 64, source: b", "cols: {value: 64, source: bb"))
    assert [line.split(",")[0] for line in found] == [
        "m.yaml:6:29  array.cols.source: found the unknown source 'bb'"
    ]


def test_a_default_of_the_program_needs_a_known_source_too() -> None:
    with pytest.raises(SpecError, match=r"array\.wait_ns: found the unknown source 'default-source'"):
        parse(Machine, loads(GOOD), {"a", "b"})


def test_a_provenance_that_reaches_no_constant_is_refused() -> None:
    class Loose(Spec):
        sizes: dict[str, int]

    (one,) = _refused(Loose, "sizes: {a: 1, provenance: {source: a, kind: derived}}")
    assert (
        one
        == "x.yaml:1:15  sizes.provenance: found a provenance that no constant takes, allowed it beside constants"
    )


def _refused(spec_class: type[Spec], text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        parse(spec_class, loads(text, "x.yaml"), SOURCES)
    return [str(problem) for problem in caught.value.problems]


def test_tables_in_tables_inherit() -> None:
    class Nested(Spec):
        write_pj: Table[Table[Pj]]

    text = "write_pj: {provenance: {source: a, kind: derived}, x: {provenance: {note: n}, p00: 1}, y: {p01: 2 pJ}}"
    read = dict(constants(parse(Nested, loads(text), SOURCES, True)))
    assert {path: (c.value, c.source, c.note) for path, c in read.items()} == {
        "write_pj.x.p00": (1.0, "a", "n"),
        "write_pj.y.p01": (2.0, "a", ""),
    }


def test_overrides_carry_who_set_them() -> None:
    changed = machine(
        array__rows="256",
        array__cols__value="128",
        memories__0__read_pj__w8="900 fJ",
        dataflow="os",
        double_buffered="false",
        array__leakage_mw="40 mW",
    )
    read = {p: (c.value, c.source, c.kind) for p, c in constants(changed) if c.set_by == "override"}
    assert read == {
        "array.rows": (256, "command line", "assumed"),
        "array.cols": (128, "command line", "assumed"),
        "array.leakage_mw": (40.0, "command line", "assumed"),
        "memories.0.read_pj.w8": (0.9, "command line", "assumed"),
    }
    assert (changed.dataflow, changed.double_buffered) == ("os", False)


def test_an_override_replaces_a_mapping_whole() -> None:
    assert machine(array__cols="16", array__rows="16").array.cols.range is None


def test_an_override_may_unset_what_is_optional() -> None:
    text = GOOD.replace("clock_hz: 1.2 GHz", "clock_hz: 1.2 GHz\n  leakage_mw: 3")
    assert machine(text, array__leakage_mw="null").array.leakage_mw is None


def test_the_document_keeps_its_values_under_overrides() -> None:
    document = loads(GOOD)
    with_overrides(document, {"array.rows": "2", "memories.0.read_pj.w8": "1"})
    assert (document.get("array", "rows"), document.overrides) == (128, {})


def test_wrong_overrides_are_named_with_the_nearest_spelling() -> None:
    assert problems(aray__rows="3", array__rows__x="3", memories__7__x="3", memories__1="{", kind="") == [
        "command line (--set aray.rows=3)  found the unknown key 'aray', "
        "allowed kind, dataflow, provenance, array, memories, nearest spelling 'array'",
        "command line (--set array.rows.x=3)  array.rows: found 'x' below 128 (whole number), "
        "allowed a path to a key of the file",
        "command line (--set kind=):1:1  found an empty document, allowed a YAML mapping",
        "command line (--set memories.1={):2:1  found something that is not YAML "
        "(did not find expected node content while parsing a flow node), allowed YAML",
        "command line (--set memories.7.x=3)  memories: found '7' as a position in a list of 2, "
        "allowed a position from 0 to 1",
    ]


def test_an_override_of_a_field_that_does_not_exist() -> None:
    (one,) = problems(array__rowz="3")
    assert one.startswith("command line (--set array.rowz)  array.rowz: found the unknown key 'rowz'")
    assert one.endswith("nearest spelling 'rows'")


def test_an_override_with_a_wrong_value() -> None:
    assert problems(array__clock_hz="5 ns") == [
        "command line (--set array.clock_hz)  array.clock_hz: found '5 ns' (time), "
        "allowed a frequency such as '200 MHz', above 0"
    ]


def test_field_names_must_end_in_their_unit() -> None:
    with pytest.raises(TypeError, match="name must end in _hz"):
        type("Wrong", (Spec,), {"__annotations__": {"clock": Hz}})
    with pytest.raises(TypeError, match="name must end in _pj"):
        type("Wrong", (Spec,), {"__annotations__": {"energy": Table[Pj]}})
    with pytest.raises(KeyError):
        Unit("furlongs")


def test_json_schema_carries_units_docs_and_limits() -> None:
    schema = json_schema(Machine)
    array = schema["$defs"]["Array"]
    assert array["properties"]["clock_hz"]["x-unit"] == "hz"
    assert array["properties"]["rows"]["description"] == "Rows of processing elements."
    assert array["description"] == "The array."
    assert array["additionalProperties"] is False
    assert "provenance" in array["properties"]
    assert "provenance" not in array["required"]
    number, mapping = array["properties"]["rows"]["anyOf"]
    assert number == {"type": "integer", "minimum": 1}
    assert mapping["required"] == ["value"]
    table = schema["$defs"]["Sram"]["properties"]["read_pj"]
    assert table["additionalProperties"]["x-unit"] == "pj"
    assert list(table["properties"]) == ["provenance"]


def test_field_docs_reach_inherited_fields() -> None:
    class Wider(Array):
        lanes: Count
        """Lanes."""

    assert field_docs(Wider) == {"rows": "Rows of processing elements.", "lanes": "Lanes."}


def test_a_constant_made_in_the_program_must_fit_its_field() -> None:
    class Sized(Spec):
        rows: Count = Constant(0, "count")

    (one,) = _refused(Sized, "{}")
    assert one == "x.yaml:1:1  rows: found 0 (whole number), allowed a whole number, at least 1"


def _paths(data: object, path: tuple[str | int, ...] = ()) -> list[str]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [".".join(map(str, path))] * bool(path) + [p for k, v in items for p in _paths(v, (*path, k))]


VALUES = [
    "0",
    "-1",
    "true",
    "null",
    "x",
    "5 ns",
    "{}",
    "[]",
    "[1, {a: 2}]",
    "{value: [1]}",
    "{value: {}, kind: []}",
]
VALUES += [
    "{provenance: 3}",
    "{provenance: {source: [1], kind: {}}}",
    "{technology: sram}",
    "{technology: [dram]}",
]


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(_paths(loads(GOOD).data)), st.sampled_from(VALUES), st.booleans())
def test_any_value_anywhere_is_read_or_refused_with_a_place(path: str, value: str, strict: bool) -> None:
    document = with_overrides(loads(GOOD, "m.yaml"), {path: value})
    found: list[Problem] = []
    try:
        parse(Machine, document, SOURCES, strict)
    except SpecError as error:
        found = error.problems
    assert all(p.found and (p.line > 0 or p.file.startswith("command line")) for p in found)
