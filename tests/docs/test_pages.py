"""The generated pages are what the source says now, and say something about everything they list."""

from __future__ import annotations

import pytest

from cosim.explore import space_keys
from cosim.explore.space_file import KEYS as SWEEP_KEYS
from cosim.hardware.base import kinds, model_of
from cosim.hardware.load import FORMS, form_of
from cosim.ir.workload_schema import workload_schema
from cosim.mapping import mapping_file, nest_file
from cosim.papers import papers, scenario_of
from cosim.report.page_files import EVIDENCE, schema_rows
from cosim.report.page_machine import machine_page, parts_of, published, shipped_kinds, status_counts
from cosim.report.page_specs import FieldTable, field_tables, own_rules, rules_of
from cosim.report.page_text import inline, markdown, table
from cosim.report.pages import pages
from cosim.spec import sources
from cosim.spec.constant import KINDS
from cosim.spec.locate import ROOT
from cosim.spec.schema import json_schema

DOCUMENTS = (*kinds(), *FORMS)
SECTIONS = (
    "Model",
    "Assumptions and where it holds",
    "What the model leaves out",
    "Validation",
    "Event simulation",
    "Machines that are shipped",
    "Equations of its parts",
    "Assumed and fitted constants",
    "Parameters of a machine file",
)


def test_pages_are_up_to_date() -> None:
    stale = [
        str(path)
        for path, text in pages().items()
        if not (ROOT / path).is_file() or (ROOT / path).read_text(encoding="utf-8") != text
    ]
    assert not stale, f"run `make docs`: {stale}"


def tables_of(kind: str) -> tuple[FieldTable, ...]:
    return field_tables(form_of(kind))


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_every_field_has_a_form_and_a_meaning(kind: str) -> None:
    empty = [row.path for one in tables_of(kind) for row in one.rows if not (row.form and row.meaning)]
    assert not empty, f"add a docstring below these fields: {empty}"


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_the_tables_list_what_the_schema_lists(kind: str) -> None:
    """Independent walk: names of fields by block, from the JSON Schema."""
    schema = json_schema(form_of(kind))
    blocks = {schema["title"]: schema, **schema["$defs"]}
    names = {field for block in blocks.values() for field in block["properties"]} - {"provenance"}
    listed = {
        step
        for one in tables_of(kind)
        for row in one.rows
        for step in row.path.replace("[]", "").replace(".<name>", "").split(".")
    }
    assert listed == names


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_every_validator_says_what_it_checks(kind: str) -> None:
    rules = rules_of(form_of(kind))
    assert all(rules)
    own = {name for name in own_rules(form_of(kind)).values() if name}
    assert own <= set(rules)


@pytest.mark.parametrize(
    "keys",
    [
        *(mapping_file.KEYS, nest_file.KEYS, nest_file.LAYER_KEYS, nest_file.LEVEL_KEYS),
        *(sources.KEYS, space_keys.MEANINGS),
    ],
)
def test_every_key_has_a_form_and_a_meaning(keys: dict[str, sources.Key]) -> None:
    assert all(key.form and key.meaning for key in keys.values())


def test_every_key_of_a_sweep_has_a_meaning() -> None:
    assert set(SWEEP_KEYS) <= set(space_keys.MEANINGS)


def test_every_key_of_a_workload_has_a_form_and_a_meaning() -> None:
    rows = list(schema_rows(workload_schema()))
    assert all(all(row) for row in rows)
    assert [row[0] for row in rows if row[2] == "yes"] == [
        *("kind", "name", "layers[]", "layers[].name", "layers[].op"),
        *("coverage[].operator", "coverage[].treatment", "coverage[].count"),
    ]


def test_every_kind_of_evidence_is_explained() -> None:
    assert set(EVIDENCE) == set(KINDS)


@pytest.mark.parametrize("kind", kinds())
def test_a_machine_page_has_every_section(kind: str) -> None:
    page = machine_page(kind)
    for title in SECTIONS:
        before, found, after = page.partition(f"\n## {title}\n\n")
        assert found, title
        assert after.strip()
        assert f"[{title}](#" in before
    model = model_of(kind)
    for text in (*model.holds, *model.leaves_out):
        assert markdown(text) in page
    for part in parts_of(model):
        assert f"\n### `{part}`\n" in page


def test_unchecked_kinds_say_so() -> None:
    plain = {kind for kind in kinds() if "**Not held against measurements**" in machine_page(kind)}
    assert plain == set(kinds()) - {"simd_cpu", "gpu"}


def test_a_published_result_stands_with_the_machines_that_it_names() -> None:
    for name, kind in shipped_kinds().items():
        for paper in papers():
            if name in scenario_of(paper).machine.replace(",", " ").replace(";", " ").split():
                assert paper in published(kind), (paper, name)
    assert "cnna" in published("stream_fpga")


def test_counts_are_those_of_the_page_on_published_results() -> None:
    counts = status_counts()
    assert set(counts) == set(papers())
    text = (ROOT / "docs" / "papers.md").read_text(encoding="utf-8")
    assert any(line.endswith(" | ".join(["", *counts["cnna"]]) + " |") for line in text.splitlines())


def test_docstrings_become_markdown() -> None:
    doc = """See :mod:`a.b`, :func:`~a.b.c` and ``x_bits`` of <board>; x*y but x * y.

        t = n * ``w``        (Eq. 1)

        u = :data:`K`

    ====  =====
    name  what
    ====  =====
    a     ``b`` c
    ====  =====
    """
    assert markdown(doc) == (
        "See `a.b`, `c` and `x_bits` of \\<board>; x\\*y but x * y.\n\n"
        "```text\nt = n * w        (Eq. 1)\n\nu = K\n```\n\n"
        "| name | what |\n| --- | --- |\n| a | `b` c |"
    )


def test_cells_of_a_table_are_escaped() -> None:
    assert table(("a",), [("x | y\nz",)]) == "| a |\n| --- |\n| x \\| y z |"
    assert inline("`a*b<c` d*e") == "`a*b<c` d\\*e"
