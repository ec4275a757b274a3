"""Compacted figures: smaller, the same to the eye, safe beside each other, themed only on a page."""

from __future__ import annotations

import io
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cosim.report.document import svg_of
from cosim.report.style import new_figure, save
from cosim.report.svg import compact


def drawn() -> str:
    figure = new_figure(4.0, 3.0)
    axes = figure.subplots()
    axes.bar(
        [0, 1, 2, 3],
        [1.0, 2.5, 0.5, 2.0],
        color="#0072B2",
        hatch="///",
        edgecolor="#FFFFFF",
        label="a & b <c>",
    )
    axes.plot([0, 3], [1, 2], color="#000000", marker="o")
    axes.set_xlabel("time [s]")
    axes.legend()
    return svg_of(figure)


@pytest.fixture(scope="module")
def whole() -> str:
    return drawn()


def numbers(text: str) -> list[float]:
    paths = [node.get("d", "") for node in ElementTree.fromstring(text).iter() if node.tag.endswith("path")]
    return [float(number) for path in paths for number in re.findall(r"-?\d+(?:\.\d+)?", path)]


def test_it_is_less_than_half_and_still_a_document(whole: str) -> None:
    small = compact(whole, "f", "A figure")
    assert len(small) < len(whole) / 2
    root = ElementTree.fromstring(small)
    assert root.get("viewBox") == "0 0 288 216"
    assert root.get("aria-label") == "A figure"


def test_every_coordinate_stays_to_a_hundredth_of_a_point(whole: str) -> None:
    before, after = numbers(whole), numbers(compact(whole, "f", "x"))
    assert len(before) == len(after)
    assert after == pytest.approx(before, abs=0.0051)


def test_texts_stay_and_are_escaped(whole: str) -> None:
    root = ElementTree.fromstring(compact(whole, "f", "x"))
    texts = {node.text for node in root.iter() if node.tag.endswith("text")}
    assert {"time [s]", "a & b <c>"} <= texts


def test_identifiers_carry_the_prefix_and_references_hold(whole: str) -> None:
    small = compact(whole, "speed", "x")
    names = re.findall(r'\bid="([^"]+)"', small)
    assert names
    assert all(name.startswith("speed-") for name in names)
    assert set(re.findall(r'(?:href="|url\()#([\w-]+)', small)) == set(names)


def test_two_drawings_of_one_figure_have_the_same_bytes(whole: str) -> None:
    assert compact(drawn(), "f", "x") == compact(whole, "f", "x")


def test_colours_follow_the_page_only_when_asked(whole: str) -> None:
    themed, plain = compact(whole, "f", "x", theme=True), compact(whole, "f", "x")
    assert "currentColor" in themed
    assert "var(--paper)" in themed
    assert "#000000" not in themed
    assert "#0072b2" in themed
    assert "currentColor" not in plain
    assert "var(" not in plain


def test_pixels_of_both_are_the_same(whole: str, tmp_path: Path) -> None:
    """A browser draws the compacted figure as the whole one, but for rounding at edges and the font's name."""
    from tests.report.browser import available, browser

    if not available():
        pytest.skip("no Chromium with a driver here: tests/report/install.sh installs them")
    images = []
    for name, text in (("whole", whole), ("small", compact(whole, "f", "x"))):
        page = tmp_path / f"{name}.html"
        page.write_text(
            f"<!doctype html><body style='margin:0'>{text[text.index('<svg') :]}", encoding="utf-8"
        )
        with browser(tmp_path / name, 500, 400) as session:
            session.open(page)
            images.append(session.screenshot())
    from matplotlib.image import imread

    first, second = (imread(io.BytesIO(image), format="png") for image in images)
    different = (abs(first - second).max(axis=2) > 0.2).mean()
    assert different < 0.002


def test_saved_figures_are_byte_stable(tmp_path: Path) -> None:
    for name in ("one", "two"):
        figure = new_figure(3.0, 2.0)
        figure.subplots().plot([0, 1], [0, 1])
        save(figure, tmp_path / f"{name}.svg")
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_one_drawing_gives_the_bytes_of_a_saved_file(tmp_path: Path) -> None:
    figure = new_figure(3.0, 2.0)
    figure.subplots().plot([0, 1], [0, 1])
    save(figure, tmp_path / "saved.svg")
    assert svg_of(figure) == (tmp_path / "saved.svg").read_text(encoding="utf-8")
