"""The HTML report: complete without a script, and what the script adds works in a real browser."""

from __future__ import annotations

import base64
import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cosim.engine import compare, load_arch
from cosim.report.html import comparison_html
from tests.report.browser import Browser, available, browser

MACHINES = ("systolic_128", "cpu_zen4", "gpu_rtx3090")


@pytest.fixture(scope="module")
def page() -> str:
    machines = [load_arch(name) for name in MACHINES]
    comparison = compare(machines, ["resnet18", "mobilenet_v2"], machines[-1])
    return comparison_html(comparison, machines, "two networks")


def test_it_is_self_contained(page: str) -> None:
    without_data = re.sub(r'href="data:[^"]*"', "", page)
    assert not re.findall(r'(?:src|href)="(?!#)[^"]*"', without_data)
    assert "@import" not in page
    assert "url(" not in page.replace("url(#", "")


def test_it_is_the_same_on_every_run(page: str) -> None:
    machines = [load_arch(name) for name in MACHINES]
    again = comparison_html(
        compare(machines, ["resnet18", "mobilenet_v2"], machines[-1]), machines, "two networks"
    )
    assert again == page


def test_every_section_of_the_contents_exists(page: str) -> None:
    targets = re.findall(r'<a href="#([a-z]+)">', page)
    assert len(targets) == 8
    assert all(f'<h2 id="{target}">' in page for target in targets)


def test_figures_carry_their_data(page: str) -> None:
    figures = re.findall(
        r'<figure id="([^"]+)">.*?href="data:text/csv;base64,([^"]+)"', page, flags=re.DOTALL
    )
    assert {"speedup", "energy", "roofline", "utilization"} <= {name for name, _ in figures}
    for name, data in figures:
        rows = list(csv.DictReader(io.StringIO(base64.b64decode(data).decode())))
        assert rows, name


def test_parameters_state_sources_and_limits_are_in_words(page: str) -> None:
    assert "nvidia-ga102" in page
    assert "Each model leaves out" in page
    for name in MACHINES:
        for text in load_arch(name).model.leaves_out:
            assert text.split(";")[0][:30].replace("'", "&#39;") in page


@pytest.fixture(scope="module")
def opened(page: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if not available():
        pytest.skip("no Chromium with a driver here: tests/report/install.sh installs them")
    folder = tmp_path_factory.mktemp("browser")
    (folder / "report.html").write_text(page, encoding="utf-8")
    with browser(folder) as session:
        session.open(folder / "report.html")
        yield session


def test_a_heading_sorts_its_table_both_ways(opened: Browser) -> None:
    rows = "Array.from(document.querySelectorAll('table tbody tr')).slice(0, 6)"
    column = f"{rows}.map(r => parseFloat(r.cells[2].dataset.v))"
    opened.run("document.querySelectorAll('table thead th')[2].querySelector('button').click()")
    rising = opened.run(f"return {column}")
    assert rising == sorted(rising)
    opened.run("document.querySelectorAll('table thead th')[2].querySelector('button').click()")
    falling = opened.run(f"return {column}")
    assert falling == sorted(falling, reverse=True)
    state = opened.run("return document.querySelectorAll('table thead th')[2].getAttribute('aria-sort')")
    assert state == "descending"


def test_headings_are_reached_by_keyboard(opened: Browser) -> None:
    focused = opened.run(
        "const b = document.querySelector('thead button'); b.focus();"
        "return document.activeElement === b && b.tabIndex >= 0"
    )
    assert focused is True


def test_the_theme_toggles(opened: Browser) -> None:
    colour = "return getComputedStyle(document.body).backgroundColor"
    before = opened.run(colour)
    opened.run("document.getElementById('theme').click()")
    after = opened.run(colour)
    assert before != after
    opened.run("document.getElementById('theme').click()")
    assert opened.run(colour) == before


def test_the_filter_hides_rows(opened: Browser) -> None:
    rows = "Array.from(document.querySelectorAll('#layers ~ details table tbody tr'))"
    shown = f"return {rows}.filter(r => !r.hidden).length"
    typed = "const f = document.getElementById('filter'); f.value = '{}'; f.dispatchEvent(new Event('input'))"
    everything = opened.run(shown)
    opened.run(typed.format("relu"))
    some = opened.run(shown)
    assert 0 < some < everything
    opened.run(typed.format(""))
    assert opened.run(shown) == everything


def test_no_error_in_the_console(opened: Browser) -> None:
    assert [entry for entry in opened.console() if entry["level"] == "SEVERE"] == []


def test_a_phone_needs_no_sideways_scrolling(page: str, tmp_path: Path) -> None:
    if not available():
        pytest.skip("no Chromium with a driver here: tests/report/install.sh installs them")
    (tmp_path / "report.html").write_text(page, encoding="utf-8")
    with browser(tmp_path, width=500, height=900) as session:
        session.open(tmp_path / "report.html")
        assert session.run("return document.documentElement.scrollWidth <= window.innerWidth")
