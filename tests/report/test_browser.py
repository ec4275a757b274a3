"""What the report's script adds, in a real browser: sorting, filtering, themes, values under the pointer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cosim.engine import evaluate
from cosim.report.html import render
from cosim.report.published import published_document
from cosim.report.write import write_report
from tests.report.browser import Browser, available, browser
from tests.report.test_html import built, figures

pytestmark = pytest.mark.skipif(
    not available(), reason="no Chromium with a driver here: tests/report/install.sh installs them"
)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render(built()), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def opened(report: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as session:
        session.open(report)
        yield session


def column(table: str, index: int) -> str:
    cell = f"r.cells[{index}]"
    return f"return Array.from({table}.tBodies[0].rows, r => {cell}.dataset.v ?? {cell}.textContent)"


def heading(session: Browser, table: str, index: int) -> None:
    session.run(f"{table}.tHead.rows[0].cells[{index}].querySelector('button').click()")


def test_a_heading_sorts_its_table_both_ways(opened: Browser) -> None:
    table = "document.querySelectorAll('#headline ~ .wide table')[1]"
    heading(opened, table, 2)
    rising = [float(text) for text in opened.run(column(table, 2))]
    assert rising == sorted(rising)
    assert len(set(rising)) == 6
    heading(opened, table, 2)
    assert [float(text) for text in opened.run(column(table, 2))] == rising[::-1]
    assert opened.run(f"return {table}.tHead.rows[0].cells[2].getAttribute('aria-sort')") == "descending"


def test_numbers_with_groups_sort_as_numbers_and_gaps_come_last(opened: Browser) -> None:
    table = "document.querySelector('#layers ~ details table')"
    heading(opened, table, 3)
    macs = [int(text.replace(",", "")) for text in opened.run(column(table, 3))]
    assert macs == sorted(macs)
    assert max(macs) > 1000 * max(1, min(macs))
    heading(opened, table, 6)
    shares = opened.run(column(table, 6))
    gaps = [index for index, text in enumerate(shares) if text == "-"]
    assert gaps == list(range(len(shares) - len(gaps), len(shares)))
    heading(opened, table, 6)
    falling = opened.run(column(table, 6))
    assert falling[len(shares) - len(gaps) :] == ["-"] * len(gaps)
    assert float(falling[0]) == max(float(text) for text in shares if text != "-")


def test_headings_are_reached_and_used_by_keyboard(opened: Browser) -> None:
    table = "document.querySelectorAll('#headline ~ .wide table')[1]"
    opened.run(f"{table}.tHead.rows[0].cells[0].querySelector('button').focus()")
    opened.press("Tab", "Enter")
    assert opened.run(f"return {table}.tHead.rows[0].cells[1].getAttribute('aria-sort')") == "ascending"
    names = opened.run(column(table, 1))
    assert names == sorted(names)


def test_the_theme_toggles_figures_included(opened: Browser) -> None:
    colours = (
        "return [getComputedStyle(document.body).backgroundColor,"
        "getComputedStyle(document.querySelector('figure svg text')).fill]"
    )
    before = opened.run(colours)
    opened.run("document.getElementById('theme').click()")
    after = opened.run(colours)
    assert before[0] != after[0]
    assert before[1] != after[1]
    opened.run("document.getElementById('theme').click()")
    assert opened.run(colours) == before


def typed(session: Browser, section: str, words: str) -> list[int]:
    """(rows that are left, rows) of the section's tables after typing into its box."""
    session.run(
        f"const f = document.querySelector('#{section} ~ .filter input'); f.value = '{words}';"
        "f.dispatchEvent(new Event('input'))"
    )
    rows = f"Array.from(document.getElementById('{section}').parentElement.querySelectorAll('tbody tr'))"
    found: list[int] = session.run(
        f"const rows = {rows}; return [rows.filter(r => !r.hidden).length, rows.length]"
    )
    return found


def test_the_filter_keeps_rows_with_every_word(opened: Browser) -> None:
    some, everything = typed(opened, "layers", "relu vector_unit")
    assert 0 < some < everything
    count = opened.text("#layers ~ details .count")
    assert re.fullmatch(r"\(\d+ of \d+ rows\)", count)
    assert typed(opened, "layers", "nosuchword") == [0, everything]
    assert typed(opened, "layers", "") == [everything, everything]
    assert opened.text("#layers ~ details .count") == ""


def test_published_rows_can_be_opened_and_filtered(opened: Browser) -> None:
    table = "document.getElementById('published').nextElementSibling"
    assert opened.run(f"return {table}.open") is False
    opened.run(f"{table}.querySelector('summary').focus()")
    opened.press("Enter")
    assert opened.run(f"return {table}.open") is True
    some, everything = typed(opened, "validation", "bracketed holds")
    assert 0 < some < everything
    typed(opened, "validation", "")


def middle(session: Browser, name: str, mark: int) -> tuple[float, float]:
    """Place in the window of a figure's mark."""
    session.run(f"document.getElementById('{name}').scrollIntoView({{block: 'center'}})")
    x, y = session.run(
        f"const f = document.getElementById('{name}'), s = f.querySelector('svg');"
        f"const m = f.dataset.marks.split(';')[{mark}].split(' ').map(Number);"
        "const p = new DOMPoint(m[1] + m[3] / 2, m[2] + m[4] / 2).matrixTransform(s.getScreenCTM());"
        "return [p.x, p.y]"
    )
    return x, y


def tip(session: Browser) -> str:
    text: str = session.run("const t = document.getElementById('tip'); return t.hidden ? '' : t.textContent")
    return text


def test_a_bar_says_layer_time_and_bound_under_the_pointer(opened: Browser, report: Path) -> None:
    rows = figures(report.read_text(encoding="utf-8"))["latency-systolic_128"]
    opened.point_at(*middle(opened, "latency-systolic_128", 5))
    lines = tip(opened).splitlines()
    assert lines[0] == f"name: {rows[5]['name']}"
    assert lines[-1] == f"bound: {rows[5]['bound']}"
    time = evaluate("systolic_128", "resnet18").layers[5]["latency_s"]
    assert lines[2] == f"time: {float(f'{1e6 * time:.4g}'):g} us"
    opened.point_at(1, 1)
    assert tip(opened) == ""


def test_a_point_of_the_roofline_says_machine_and_rate(opened: Browser, report: Path) -> None:
    rows = figures(report.read_text(encoding="utf-8"))["roofline"]
    opened.point_at(*middle(opened, "roofline", 0))
    text = tip(opened)
    # Points of equal layers lie on each other; any of them may answer.
    same = [r for r in rows if (r["machine"], r["macs_per_s"]) == (rows[0]["machine"], rows[0]["macs_per_s"])]
    assert f"machine: {rows[0]['machine']}" in text
    assert any(f"layer: {row['layer']}" in text for row in same)
    assert re.search(r"^intensity: [\d.]+ MAC/byte$", text, flags=re.MULTILINE)
    assert re.search(r"^rate: [\d.]+ [kMGTP]?MAC/s$", text, flags=re.MULTILINE)


def test_arrow_keys_step_through_the_marks(opened: Browser, report: Path) -> None:
    rows = figures(report.read_text(encoding="utf-8"))["energy"]
    opened.run("document.querySelector('#energy .plot').focus()")
    opened.press("Right")
    assert f"component: {rows[0]['component']}" in tip(opened)
    opened.press("Right", "Right", "Left")
    assert f"component: {rows[1]['component']}" in tip(opened)
    assert opened.run("return document.querySelector('#energy svg .here') !== null")
    opened.press("Escape")
    assert tip(opened) == ""


def test_what_the_keys_reach_stays_when_the_pointer_leaves_another_figure(opened: Browser) -> None:
    """Focus scrolls the page, so the figure under the pointer slides away just after the key."""
    for _ in range(12):
        opened.point_at(1, 1)
        opened.point_at(*middle(opened, "roofline", 0))
        assert "machine" in tip(opened)
        opened.run("document.querySelector('#energy .plot').focus()")
        opened.press("Right")
        assert "component" in opened.run(
            "return new Promise(done => setTimeout(() => done(document.getElementById('tip').textContent), 30))"
        )
        assert tip(opened)
        opened.press("Escape")
        opened.run("document.activeElement.blur()")


def test_every_figure_with_marks_answers(opened: Browser) -> None:
    """The last mark of each, by keyboard: its row must exist and be readable."""
    for name in opened.run("return Array.from(document.querySelectorAll('figure[data-marks]'), f => f.id)"):
        opened.run(f"document.querySelector('#{name} .plot').focus()")
        opened.press("Left")
        assert "undefined" not in tip(opened), name
        assert "NaN" not in tip(opened), name
        assert tip(opened), name


def test_no_error_in_the_console(opened: Browser) -> None:
    assert [entry for entry in opened.console() if entry["level"] == "SEVERE"] == []


def test_a_phone_needs_no_sideways_scrolling(report: Path, tmp_path: Path) -> None:
    with browser(tmp_path, 390, 844, phone=True) as session:
        session.open(report)
        session.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        assert session.run("return [innerWidth, document.documentElement.scrollWidth]") == [390, 390]
        size = session.run(
            "const t = document.querySelector('#energy svg text'); return t.getBoundingClientRect().height"
        )
        assert size >= 9, "labels of a figure stay readable; the figure scrolls inside its frame"


def test_it_reads_without_a_script(report: Path, tmp_path: Path) -> None:
    with browser(tmp_path, scripts=False) as session:
        session.open(report)
        assert session.run("return document.getElementById('theme').hidden"), (
            "controls of the script stay away"
        )
        assert session.run("return getComputedStyle(document.querySelector('.filter')).display") == "none"
        assert "faster than gpu_rtx3090" in session.text("#headline ~ ul")
        assert "geometric mean" in session.text("#speedup")
        assert "optical4f" not in session.text("#headline ~ .wide table")
        # A disclosure opens without a script.
        session.run("document.querySelector('#layers ~ details summary').click()")
        assert "layer1.0.conv1" in session.text("#layers ~ details")


def test_the_page_of_published_results(tmp_path: Path) -> None:
    document = published_document()
    (page,) = write_report(document, tmp_path / "published", ("html",))
    with browser(tmp_path) as session:
        session.open(page)
        assert session.run("return document.title") == document.title
        table = "document.querySelector('section details table')"
        heading(session, table, 6)
        ratios = [float(text) for text in session.run(column(table, 6)) if text != "-"]
        assert ratios == sorted(ratios)
        assert [entry for entry in session.console() if entry["level"] == "SEVERE"] == []
