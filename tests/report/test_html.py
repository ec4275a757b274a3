"""The HTML report: complete without a script, self-contained, the same on every run."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

from cosim.checks.published import read_published
from cosim.engine import compare, load_arch, load_workload
from cosim.explore.intervals import ratio_intervals
from cosim.hardware.load import Machine
from cosim.report.document import Document, FigureView, Section, Shown, TableView, cell_text
from cosim.report.evaluated import comparison_document
from cosim.report.html import comparison_html, render, table
from cosim.report.markdown import markdown
from cosim.report.views import machine_view
from cosim.report.write import write_report
from cosim.results.comparison import Comparison

MACHINES = ("systolic_128", "cpu_zen4", "gpu_rtx3090")
NETWORKS = ("resnet18", "mobilenet_v2")


@cache
def compared() -> tuple[Comparison, list[Machine]]:
    machines = [load_arch(name) for name in MACHINES]
    networks = [load_workload(name) for name in NETWORKS]
    found = compare(machines, networks, machines[-1])
    return replace(found, uncertainty=ratio_intervals(found, machines, networks, 64, 0)), machines


@cache
def built() -> Document:
    comparison, machines = compared()
    return comparison_document(comparison, [machine_view(m) for m in machines], "two networks")


@pytest.fixture(scope="module")
def page() -> str:
    return render(built())


def figures(page: str) -> dict[str, list[dict[str, str]]]:
    found = re.findall(r'<figure id="([^"]+)".*?href="data:text/csv[^,]*,([^"]+)"', page, flags=re.DOTALL)
    return {name: list(csv.DictReader(io.StringIO(unquote(data)))) for name, data in found}


def test_it_is_self_contained(page: str) -> None:
    without_data = re.sub(r'href="data:[^"]*"', "", page)
    assert not re.findall(r'(?:src|href)="(?!#)[^"]*"', re.sub(r"<image [^>]*>", "", without_data))
    assert "@import" not in page
    assert "url(" not in page.replace("url(#", "")


def test_it_is_the_same_on_every_run(page: str) -> None:
    assert comparison_html(*compared.__wrapped__(), "two networks") == page


def test_every_section_of_the_contents_exists(page: str) -> None:
    targets = re.findall(r'<a href="#([a-z]+)">', page)
    assert targets == [
        *("headline", "figures", "layers", "validation", "coverage", "limits", "parameters", "manifest")
    ]
    assert all(f'<h2 id="{target}">' in page for target in targets)


def test_figures_carry_their_data(page: str) -> None:
    found = figures(page)
    drawn = {f"{kind}-{machine}" for kind in ("latency", "waterline") for machine in MACHINES}
    assert set(found) == drawn | {
        *("speedup", "time", "energy", "roofline", "utilization", "traffic", "efficiency-gap", "published")
    }
    assert all(found.values())


def test_marks_point_at_rows_of_the_data(page: str) -> None:
    """Every mark names a row that exists, and lies inside the figure's view box."""
    found = figures(page)
    for name, marks, width, height in re.findall(
        r'<figure id="([^"]+)" data-marks="([^"]+)">.*?viewBox="0 0 ([\d.]+) ([\d.]+)"', page, flags=re.DOTALL
    ):
        for mark in marks.split(";"):
            row, x, y, w, h = (float(number) for number in mark.split())
            assert 0 <= row < len(found[name]), name
            assert 0 <= x <= x + w <= float(width) + 0.1, name
            assert 0 <= y <= y + h <= float(height) + 0.1, name


def test_identifiers_are_unique_and_references_hold(page: str) -> None:
    names = re.findall(r'\sid="([^"]+)"', page)
    assert len(names) == len(set(names))
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', page)) <= set(names)


def test_intervals_are_in_the_sentences_the_table_and_the_figure(page: str) -> None:
    comparison, _ = compared()
    (mean, *_) = comparison.means()
    text = f"{mean['speedup']:.3g}x ({mean['speedup_low']:.3g}-{mean['speedup_high']:.3g})"
    assert f">{text}" in page
    assert f"the speed-up is {mean['speedup_low']:.3g}x to {mean['speedup_high']:.3g}x" in page
    (row,) = [
        r
        for r in figures(page)["speedup"]
        if (r["machine"], r["workload"]) == (MACHINES[0], "geometric mean")
    ]
    assert float(row["low"]) == pytest.approx(mean["speedup_low"], rel=1e-6)


def test_parameters_state_sources_and_limits_are_in_words(page: str) -> None:
    assert "nvidia-ga102" in page
    assert "Each model leaves out" in page
    for name in MACHINES:
        for text in load_arch(name).model.leaves_out:
            assert text.split(";")[0][:30].replace("'", "&#39;") in page


def test_every_published_row_is_in_it(page: str) -> None:
    rows = read_published()["rows"]
    part = page[page.index(f"All {len(rows)} rows") : page.index('<h2 id="coverage">')]
    assert part.count("<tr>") == len(rows) + 1
    counted = sum(row["kind"] == "bracketed" for row in rows)
    assert f"<td>{counted}" in page[page.index("Rows by result and status") :]


def test_names_are_escaped() -> None:
    shown = str(table(TableView("t", ("<b>",), [("<script>",), ('a"b',)])))
    assert "<b>" not in shown
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_cells_show_four_digits_and_sort_by_the_number() -> None:
    assert [cell_text(v) for v in (None, 1234567, 1234567.0, 0.00123456, 45678.9, True, "x")] == [
        *("-", "1,234,567", "1,234,567", "0.001235", "45,679", "True", "x")
    ]
    assert "data-v=0.0307>30.7 ms" in str(table(TableView("t", ("time",), [(Shown(0.0307, "30.7 ms"),)])))


def test_a_timeline_gets_a_section_of_its_own() -> None:
    comparison, machines = compared()
    drawn = FigureView(
        "gantt", "Two layers", '<svg width="1pt" height="1pt" viewBox="0 0 1 1"/>', "a,b\n1,2\n"
    )
    page = comparison_html(comparison, machines, "t", timelines={"systolic_128": drawn})
    assert '<a href="#timeline">' in page
    assert '<figure id="gantt">' in page[page.index('<h2 id="timeline">') :]


def test_markdown_holds_the_same_sections_and_tables(page: str, tmp_path: Path) -> None:
    comparison, document = compared()[0], built()
    text = markdown(document)
    titles = re.findall(r"^## (.*)$", text, flags=re.MULTILINE)
    assert titles == re.findall(r'<h2 id="[^"]+">([^<]+)</h2>', page)
    views = [b for section in document.sections for b in section.blocks if isinstance(b, TableView)]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(lines) == sum(len(view.rows) + 2 for view in views if not view.elsewhere)
    assert all(view.elsewhere in text for view in views)
    assert all(f"### {view.title}" in text for view in views)
    written = {str(path.relative_to(tmp_path)) for path in write_report(document, tmp_path)}
    assert set(re.findall(r"\]\((figures/[^)]+)\)", text)) <= written
    assert {"report.html", "report.md", "layers.csv"} <= written
    with (tmp_path / "layers.csv").open(encoding="utf-8", newline="") as stream:
        units, *layers = csv.DictReader(stream)
    assert units["latency_s"] == "[s]"
    for (machine, network), result in comparison.results.items():
        own = [float(r["latency_s"]) for r in layers if (r["machine"], r["workload"]) == (machine, network)]
        assert own == [row["latency_s"] for row in result.layers]


def test_only_the_formats_asked_for_are_written(tmp_path: Path) -> None:
    document = built()
    assert [path.name for path in write_report(document, tmp_path / "a", ("html",))] == ["report.html"]
    assert not any(path.suffix == ".csv" for path in write_report(document, tmp_path / "b", ("md",)))
    assert "csv)" not in (tmp_path / "b" / "report.md").read_text(encoding="utf-8")


def test_a_machine_that_cannot_run_a_network_is_a_row_and_a_reason() -> None:
    comparison, machines = compared()
    key = (MACHINES[0], NETWORKS[0])
    results = {k: result for k, result in comparison.results.items() if k != key}
    found = replace(comparison, results=results, failures={key: "too small\nby far"}, uncertainty=None)
    page = render(comparison_document(found, [machine_view(m) for m in machines], "t"))
    assert "systolic_128 cannot run resnet18: too small<" in page
    assert "geometric mean of 2 networks" in page
    assert "(one network)" in page
    # The figures are of the network that every machine ran.
    assert "Time of mobilenet_v2 by what bounds its layers" in page
    assert json.dumps(found.to_json(), allow_nan=False)


def test_two_parts_of_one_name_are_refused() -> None:
    one = Section("a", "A", "A", (FigureView("a", "c", "<svg/>", "x\n1\n"),))
    with pytest.raises(ValueError, match="sections or figures of one name: a"):
        Document("t", "s", (one,))


def test_remarks_about_the_page_are_not_in_the_markdown(page: str) -> None:
    text = markdown(built())
    for remark in ("Point at a mark", "Every heading sorts"):
        assert remark in page
        assert remark not in text
