"""Constants: the three forms, provenance, strict reading, limits."""

from __future__ import annotations

from typing import Any

import pytest

from cosim.spec.constant import (
    KINDS,
    Constant,
    Limits,
    Provenance,
    Reading,
    read_block_provenance,
    read_constant,
)
from cosim.spec.problems import Refusal, Refused

POSITIVE = Limits(above=0)
STRICT = Reading({"a-2020", "b-2021"}, strict=True)


def refusals(raw: Any, suffix: str = "hz", limits: Limits = POSITIVE, **rest: Any) -> tuple[Refusal, ...]:
    with pytest.raises(Refused) as caught:
        read_constant(raw, suffix, limits, **rest)
    return caught.value.refusals


def test_a_number_a_text_and_a_mapping_are_the_same_value() -> None:
    forms: list[Any] = [1.2e9, "1.2 GHz", {"value": 1200000000}, {"value": "1200 MHz"}]
    assert {read_constant(form, "hz", POSITIVE) for form in forms} == {Constant(1.2e9, "hz", set_by="file")}


def test_everything_a_mapping_may_say() -> None:
    raw = {
        "value": "250 MHz",
        "source": "a-2020",
        "kind": "measured",
        "range": ["200 MHz", 3e8],
        "note": "table 2",
    }
    assert read_constant(raw, "hz", POSITIVE, reading=STRICT) == Constant(
        2.5e8, "hz", "a-2020", "measured", (2e8, 3e8), "table 2", "file"
    )


def test_whole_numbers_are_ints() -> None:
    value = read_constant("64 KiB", "bytes", Limits(at_least=1, whole=True)).value
    assert (type(value), value) == (int, 65536)
    assert int(Constant(8.0, "bits")) == 8
    assert float(Constant(8, "bits")) == 8.0
    with pytest.raises(ValueError, match=r"2\.5 bits is not a whole number"):
        int(Constant(2.5, "bits"))


@pytest.mark.parametrize(
    ("limits", "good", "bad"),
    [
        (Limits(above=0), [1e-30, 5], [0, -1, 0.0]),
        (Limits(at_least=0), [0, 1.5], [-1e-9]),
        (Limits(at_least=0, at_most=1), [0, 0.5, 1], [-0.1, 1.0001]),
        (Limits(at_least=1, whole=True), [1, 7, 8.0], [0, -3, 1.5]),
        (Limits(), [-3.0], [float("nan"), float("inf"), True, None, [1], "x"]),
    ],
)
def test_limits(limits: Limits, good: list[float], bad: list[Any]) -> None:
    for value in good:
        assert read_constant(value, "count", limits).value == value
    for value in bad:
        assert refusals(value, "count", limits)


def test_limits_are_named() -> None:
    assert refusals(0, "count", Limits(at_least=1, whole=True))[0].allowed == "a whole number, at least 1"
    assert refusals(-1)[0].allowed == "a frequency such as '200 MHz', above 0"
    assert refusals("0.5 bit", "bits", Limits(at_least=1, whole=True))[0].allowed == (
        "an amount of data such as '64 KiB', at least 1 and whole in bits"
    )


def test_all_reasons_at_once() -> None:
    found = refusals(
        {"value": "5 ns", "sauce": "x", "kind": "guessed", "source": "a-202", "note": 3}, reading=STRICT
    )
    assert [(r.at, r.hint) for r in found] == [
        (("sauce",), "nearest spelling 'source'"),
        (("value",), ""),
        (("source",), "nearest spelling 'a-2020'"),
        (("kind",), ""),
        (("note",), ""),
    ]


def test_a_mapping_without_value() -> None:
    (one,) = refusals({"source": "x"})
    assert one.found == "no 'value' in the mapping of a constant"


@pytest.mark.parametrize(
    "span", [3, [1e9], [1e9, 1e9, 1e9], [2e9, 3e9], [1.5e9, 1e9], ["1 ns", "2 ns"], [0, 2e9], "1 GHz"]
)
def test_ranges_are_checked(span: Any) -> None:
    (one,) = refusals({"value": 1.2e9, "range": span})
    assert one.at[0] == "range"


def test_a_block_provenance_fills_what_is_not_stated() -> None:
    block = Provenance("a-2020", "datasheet", "table 1")
    read = read_constant(3, "hz", POSITIVE, block, STRICT)
    assert (read.source, read.kind, read.note) == ("a-2020", "datasheet", "table 1")
    read = read_constant({"value": 3, "kind": "derived"}, "hz", POSITIVE, block, STRICT)
    assert (read.source, read.kind, read.note) == ("a-2020", "derived", "table 1")
    read = read_constant({"value": 3, "note": "row 4"}, "hz", POSITIVE, block, STRICT)
    assert (read.source, read.kind, read.note) == ("a-2020", "datasheet", "row 4")


def test_an_own_source_takes_neither_kind_nor_note_of_the_block() -> None:
    block = Provenance("a-2020", "datasheet", "table 1")
    read = read_constant({"value": 3, "source": "b-2021"}, "hz", POSITIVE, block)
    assert (read.source, read.kind, read.note) == ("b-2021", "unset", "")
    (one,) = refusals({"value": 3, "source": "b-2021"}, block=block, reading=STRICT)
    assert one.found == "a constant without a kind"


def test_strict_reading_wants_a_source() -> None:
    assert read_constant(3, "hz", POSITIVE).kind == "unset"
    (one,) = refusals(3, reading=STRICT)
    assert one.found == "a constant without a source"


@pytest.mark.parametrize("kind", ["assumed", "fitted"])
def test_strict_reading_wants_a_reason_for_what_nobody_published(kind: str) -> None:
    raw = {"value": 3, "source": "a-2020", "kind": kind}
    (one,) = refusals(raw, reading=STRICT)
    assert one.found == f"the kind '{kind}' without a note"
    assert read_constant({**raw, "note": "typical"}, "hz", POSITIVE, reading=STRICT).note == "typical"


def test_unknown_sources_are_refused_without_strict_reading_too() -> None:
    (one,) = refusals({"value": 3, "source": "c"}, reading=Reading({"a-2020"}))
    assert one.found == "the unknown source 'c'"
    assert read_constant({"value": 3, "source": "c"}, "hz", POSITIVE).source == "c"


def test_the_command_line_is_its_own_source() -> None:
    read = read_constant(3, "hz", POSITIVE, Provenance("a-2020", "datasheet"), STRICT, set_by="override")
    assert (read.source, read.kind, read.set_by) == ("command line", "assumed", "override")


def test_block_provenance_is_checked() -> None:
    assert read_block_provenance({"source": "a-2020", "kind": "derived"}, STRICT) == (
        Provenance("a-2020", "derived"),
        [],
    )
    _, wrong = read_block_provenance({"source": "z", "kynd": "derived"}, STRICT)
    assert [r.at for r in wrong] == [("kynd",), ("source",)]
    _, wrong = read_block_provenance("a-2020", STRICT)
    assert wrong[0].allowed == "{source, kind, note}"


def test_unset_cannot_be_claimed() -> None:
    assert "unset" not in KINDS
    assert refusals({"value": 3, "kind": "unset"})[0].at == ("kind",)
