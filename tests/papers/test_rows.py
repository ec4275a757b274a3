"""Every published result: statuses pinned, rows consistent and sourced, scenarios stated, figures drawn."""

from __future__ import annotations

import json
from difflib import unified_diff
from pathlib import Path

import pytest
from click.testing import CliRunner

from cosim.checks.published import read_published, to_document
from cosim.cli.reproduce import command, headline_table, markdown_table
from cosim.papers import figure_of, papers, rows_of, scenario_of
from cosim.papers.headlines import HEADLINES
from cosim.papers.row import STATUS_MEANINGS, PaperRow
from cosim.spec.locate import ROOT
from cosim.spec.sources import load_sources
from tests.papers.pin import PAGE, PINNED, README, all_rows, lines, page_with_table

ALL = papers()
KEYS = {"paper", "what", "where", "published", "simulated", "unit", "ratio", "status", "note", "interval"}


@pytest.fixture(scope="module")
def rows() -> dict[str, list[PaperRow]]:
    return all_rows()


def test_every_status_is_pinned(rows: dict[str, list[PaperRow]]) -> None:
    """A status that moves is a result that moved: `python -m tests.papers.pin` writes the new ones down."""
    pinned = PINNED.read_text(encoding="utf-8").splitlines()
    difference = "\n".join(unified_diff(pinned, lines(rows), "pinned", "now", lineterm="", n=0))
    assert not difference, difference


def test_pages_show_the_tables(rows: dict[str, list[PaperRow]]) -> None:
    for page, table in ((PAGE, markdown_table(rows)), (README, headline_table(rows))):
        text = page.read_text(encoding="utf-8")
        assert text == page_with_table(text, table), "run `python -m tests.papers.pin`"


def test_every_result_has_a_headline(rows: dict[str, list[PaperRow]]) -> None:
    assert set(HEADLINES) == set(rows)
    for name, chosen in HEADLINES.items():
        assert set(chosen) <= {row.what for row in rows[name]}, name


def test_reports_print_the_rows_of_today(rows: dict[str, list[PaperRow]]) -> None:
    """`reports/published.json`: words to the letter, numbers to a millionth (another processor may round otherwise)."""
    kept, now = read_published(), to_document(rows)
    assert kept["results"] == json.loads(json.dumps(now["results"])), "run `python -m tests.papers.pin`"
    assert len(kept["rows"]) == len(now["rows"])
    for before, after in zip(kept["rows"], json.loads(json.dumps(now["rows"])), strict=True):
        for key, value in after.items():
            if isinstance(value, float):
                assert before[key] == pytest.approx(value, rel=1e-6), (after["result"], after["what"], key)
            elif key == "interval" and value is not None:
                for end, was in zip(value, before[key], strict=True):
                    assert was == (end if end is None else pytest.approx(end, rel=1e-6)), after["what"]
            else:
                assert before[key] == value, (after["result"], after["what"], key)


@pytest.mark.parametrize("name", ALL)
def test_rows_are_sourced_and_consistent(name: str, rows: dict[str, list[PaperRow]]) -> None:
    known = load_sources(ROOT / "arch" / "sources.yaml")
    assert rows[name]
    assert len({row.what for row in rows[name]}) == len(rows[name])
    for row in rows[name]:
        assert row.paper in known, row.paper
        assert row.kind in STATUS_MEANINGS, row.status
        if row.published is None or row.simulated is None:
            assert (row.ratio, row.kind) == (None, "not reproduced")
            assert row.note.startswith("missing: ")
        else:
            assert row.ratio == pytest.approx(row.simulated / row.published)
        if row.kind in ("fitted", "not reproduced", "bracketed"):
            assert row.note


@pytest.mark.parametrize("name", ALL)
def test_statuses_follow_from_the_numbers(name: str, rows: dict[str, list[PaperRow]]) -> None:
    for row in rows[name]:
        if row.kind == "within":
            percent = float(row.status.removeprefix("within ").removesuffix(" %"))
            assert row.ratio is not None
            assert abs(row.ratio - 1) <= percent / 100 + 1e-12
            assert percent <= 25
        if row.kind == "bracketed":
            assert row.interval is not None
            assert row.published is not None
            assert row.simulated is not None
            low, high = row.interval
            assert low <= row.simulated <= (row.simulated if high is None else high)
            inside = low <= row.published and (high is None or row.published <= high)
            assert inside != row.note.endswith("does not hold the published value")
        else:
            assert row.interval is None


@pytest.mark.parametrize("name", ALL)
def test_scenarios_state_machine_workload_mapping(name: str) -> None:
    scenario = scenario_of(name)
    assert all((scenario.title, scenario.machine, scenario.workload, scenario.mapping))
    assert isinstance(scenario.assumptions, tuple)


@pytest.mark.parametrize("name", ALL)
def test_every_result_has_a_figure(name: str, rows: dict[str, list[PaperRow]], tmp_path: Path) -> None:
    figure = figure_of(name, rows[name])
    assert figure.axes
    assert any(axes.has_data() for axes in figure.axes)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(KeyError, match="there are"):
        rows_of("no_such_paper")
    refused = CliRunner().invoke(command, ["hawq"])
    assert refused.exit_code == 2
    assert "nearest: hawq_v3" in refused.output
    assert CliRunner().invoke(command, []).exit_code == 2
    both = CliRunner().invoke(command, ["--all", "--plot", "x.svg"])
    assert both.exit_code == 2
    assert "draws one result" in both.output


def test_json_document_keeps_its_contract() -> None:
    done = CliRunner().invoke(command, ["xnor_net", "refocus", "--json"])
    assert done.exit_code == 0
    document = json.loads(done.stdout)
    assert document["schema"] == 1
    assert {row["paper"] for row in document["rows"]} >= {"xnor-net-2016", "refocus-2023"}
    assert all(set(row) == KEYS for row in document["rows"])
    assert set(document["scenarios"]) == {"xnor_net", "refocus"}


def test_plot_and_notes(tmp_path: Path) -> None:
    target = tmp_path / "cycles.svg"
    done = CliRunner().invoke(command, ["scalesim", "--plot", str(target)])
    assert done.exit_code == 0
    assert target.read_text(encoding="utf-8").startswith("<?xml")
    assert "assumptions" not in done.stdout
    assert "workload:" in done.stdout


def test_markdown_counts_every_row() -> None:
    done = CliRunner().invoke(command, ["scalesim", "li_gupta", "--markdown"])
    body = [line for line in done.stdout.splitlines() if line.startswith("| `")]
    assert body[0].endswith("| 15 |  |  |  |  |")
    counts = [int(cell) for cell in body[1].split("|")[3:] if cell.strip()]
    assert sum(counts) == len(rows_of("li_gupta"))
