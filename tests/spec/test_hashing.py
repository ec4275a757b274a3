"""Content hashes: equal for equal content, different otherwise."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.spec.base import Count, Hz, Pj, Spec, Table, parse
from cosim.spec.constant import Constant
from cosim.spec.hashing import canonical, canonical_hash, canonical_json
from cosim.spec.strict_yaml import loads


class Part(Spec):
    rows: Count
    clock_hz: Hz
    read_pj: Table[Pj]


def part(text: str) -> Part:
    return parse(Part, loads(text))


def test_format_and_order_do_not_count() -> None:
    forms = [
        "{rows: 4, clock_hz: 1.2e9, read_pj: {a: 0.85, b: 2}}",
        "clock_hz: 1.2 GHz\nrows: 4\nread_pj: {b: 2.0, a: 850 fJ}\n",
        "{rows: {value: 4, source: x}, clock_hz: {value: 1200 MHz, note: n}, read_pj: {a: 0.85, b: 2 pJ}}",
    ]
    assert len({canonical_hash(part(form)) for form in forms}) == 1


@pytest.mark.parametrize(
    "text",
    [
        "{rows: 5, clock_hz: 1.2e9, read_pj: {a: 0.85}}",
        "{rows: 4, clock_hz: 1.2000000001e9, read_pj: {a: 0.85}}",
        "{rows: 4, clock_hz: 1.2e9, read_pj: {b: 0.85}}",
        "{rows: 4, clock_hz: 1.2e9, read_pj: {}}",
    ],
)
def test_content_counts(text: str) -> None:
    assert canonical_hash(part(text)) != canonical_hash(
        part("{rows: 4, clock_hz: 1.2e9, read_pj: {a: 0.85}}")
    )


def test_the_canonical_text_is_fixed() -> None:
    @dataclass
    class Point:
        y: float
        x: int

    data = {
        "b": [1.0, 0.1, -0.0, 1e300, 2.5e-9],
        "a": None,
        "ü": Point(2.0, 1),
        "s": {"q", "p"},
        "t": (True, "1"),
    }
    text = canonical_json(data)
    assert text == (
        '{"a":null,"b":[1,0.1,0,'
        + str(int(1e300))
        + ',2.5e-09],"s":["p","q"],"t":[true,"1"],"ü":{"x":1,"y":2}}'
    )
    assert canonical_hash(data) == hashlib.sha256(text.encode()).hexdigest()[:16]


def test_constants_differ_by_unit() -> None:
    assert canonical_hash(Constant(1.0, "pj")) != canonical_hash(Constant(1.0, "nj"))


def test_numpy_scalars_are_numbers() -> None:
    assert canonical({"a": np.int64(3), "b": np.float64(0.5), "c": np.bool_(True)}) == {
        "a": 3,
        "b": 0.5,
        "c": True,
    }


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {(1, 2): 3}, b"x", Part])
def test_what_has_no_canonical_form(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        canonical_hash({"x": value})


@given(
    st.dictionaries(
        st.text(max_size=4), st.floats(allow_nan=False, allow_infinity=False) | st.integers(), max_size=5
    )
)
def test_key_order_never_counts(data: dict[str, Any]) -> None:
    assert canonical_hash(data) == canonical_hash(dict(reversed(data.items())))
