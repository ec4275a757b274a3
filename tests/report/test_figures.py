"""Figures show the numbers of their frames: lengths, places, intervals, lanes and marks."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from cosim.engine import evaluate, load_arch
from cosim.report import comparison_figures as draw
from cosim.report import frames
from cosim.report import roofline_figures as rates
from cosim.report.document import figure
from cosim.report.efficiency import efficiency_row, kernels_row, layer_kernels
from cosim.report.layer_figures import LANES, latency_per_layer
from cosim.report.marks import Marks
from cosim.report.published import LOOKS, modelled_against_published, published_frame
from cosim.report.style import HATCHES, MARKERS, PALETTE, new_figure, number_text, power_text
from cosim.results.outcome import Roof, bound_shares


def axes() -> Axes:
    return new_figure().subplots()


def speeds() -> pd.DataFrame:
    nan = float("nan")
    return pd.DataFrame(
        [
            {"machine": "a", "workload": "x", "speedup": 4.0, "low": 2.0, "high": 3.0},
            {"machine": "b", "workload": "x", "speedup": 0.25, "low": nan, "high": nan},
            {"machine": "a", "workload": "geometric mean", "speedup": 2.0, "low": 1.0, "high": 8.0},
        ]
    )


def test_speedup_bars_grow_from_the_tie_and_intervals_are_lines() -> None:
    marks: Marks = []
    made = draw.speedup_bars(speeds(), "base", axes(), marks)
    bars = [(bar.get_y(), bar.get_y() + bar.get_height()) for bar in made.patches]
    assert sorted(bars) == sorted([(1.0, 4.0), (1.0, 2.0), (1.0, 0.25)])
    lines = [tuple(line.get_ydata()) for line in made.lines if line.get_marker() == "_"]
    # The stated value 4 lies above its interval of 2 to 3: the line ends where the interval does.
    assert lines == [(2.0, 3.0), (1.0, 8.0)]
    assert [(mark.row, mark.y0, mark.y1) for mark in marks] == [(0, 1.0, 4.0), (1, 0.25, 1.0), (2, 1.0, 8.0)]
    assert made.get_ylabel() == "speed-up over base"


def test_series_differ_without_colour() -> None:
    """Machines by hatching, points by shape; and lines only, so that files stay small."""
    made = draw.speedup_bars(speeds(), "base", axes())
    assert {bar.get_hatch() for bar in made.patches} == {"", "///"} or {
        bar.get_hatch() for bar in made.patches
    } == {None, "///"}
    assert len(set(HATCHES)) == len(HATCHES)
    assert len(set(MARKERS)) == len(MARKERS) == len(PALETTE)
    shapes, colours = zip(*LOOKS.values(), strict=True)
    assert len(set(shapes)) == len(set(colours)) == len(LOOKS)


def test_stacks_are_shares_that_fill_the_bar() -> None:
    results = [evaluate(name, "resnet18") for name in ("systolic_128", "gpu_t4", "optical4f")]
    for frame, part, plot in (
        (frames.energy_frame(results), "component", draw.energy_stack),
        (frames.time_frame(results), "bound", draw.time_stack),
    ):
        assert frame.groupby("machine")["share"].sum().to_numpy() == pytest.approx(1.0)
        made = plot(frame, axes())
        widths = [bar.get_width() for bar in made.patches]
        assert sum(widths) == pytest.approx(len(results))
        small = frame[frame["share"] < frames.SMALL]
        kept = frame.groupby(part)["share"].max()
        assert all(name == frames.OTHER or kept[name] >= frames.SMALL for name in small[part])
    sums = frames.energy_frame(results).groupby("machine")["energy_j"].sum()
    assert [sums[r.machine] for r in results] == pytest.approx([r.energy_j for r in results])


def test_bars_of_layers_and_their_lanes() -> None:
    bounds = ["m", "a", "a", "m", "b"]
    frame = pd.DataFrame(
        {"name": list("vwxyz"), "latency_s": [1e-3, 2e-3, 3e-3, 3e-3, 1e-3], "bound": bounds}
    )
    marks: Marks = []
    made = latency_per_layer(frame, axes(), marks)
    assert made.get_ylabel() == "time [ms]"
    texts = [text.get_text() for text in made.texts]
    assert texts[:3] == ["a (50.0%)", "m (40.0%)", "b (10.0%)"]
    assert [(mark.x0, mark.x1) for mark in marks] == [(i - 0.5, i + 0.5) for i in range(5)]
    lanes = [
        [(path.vertices[:, 0].min(), path.vertices[:, 0].max()) for path in lane.get_paths()]
        for lane in made.collections
    ]
    assert lanes == [[(0.5, 2.5)], [(-0.5, 0.5), (2.5, 3.5)], [(3.5, 4.5)]]
    assert min(made.get_yticks()) >= 0


def test_many_bounds_share_the_last_lane() -> None:
    count = LANES + 3
    frame = pd.DataFrame(
        {
            "name": range(count),
            "latency_s": np.arange(count, 0, -1.0),
            "bound": [f"b{i}" for i in range(count)],
        }
    )
    made = latency_per_layer(frame, axes())
    assert len(made.collections) == LANES
    rest = sum(range(1, count - LANES + 2)) / sum(range(1, count + 1))
    assert made.texts[LANES - 1].get_text() == f"other ({rest:.1%})"


def test_roofs_bend_at_the_ridge() -> None:
    roofs = frames.roofs_frame({"a": Roof(1e12, 1e11), "b": Roof(1e9, None)})
    layers = pd.DataFrame(
        [{"machine": "a", "layer": "l", "intensity_macs_per_byte": 4.0, "macs_per_s": 3e11}]
    )
    marks: Marks = []
    made = rates.roofline(layers, roofs, axes(), marks)
    roof = made.lines[0]
    assert list(roof.get_xdata()) == pytest.approx([0.1, 10.0, 1000.0])
    assert list(roof.get_ydata()) == pytest.approx([1e10, 1e12, 1e12])
    assert set(made.lines[2].get_ydata()) == {1e9}
    assert [(mark.row, mark.x0, mark.y0) for mark in marks] == [(0, 4.0, 3e11)]


def test_no_layer_is_above_a_roof_of_operations() -> None:
    for name in ("systolic_128", "cpu_zen4", "gpu_t4", "optical4f"):
        result = evaluate(name, "mobilenet_v2")
        rows = frames.roofline_frame([result])
        assert (rows["macs_per_s"] <= result.roof.peak_macs_per_s * (1 + 1e-9)).all()


def test_the_gap_of_a_report_is_that_of_the_command() -> None:
    for name in ("systolic_128", "cpu_zen4"):
        machine = load_arch(name)
        result = evaluate(machine, "resnet18")
        assert kernels_row(result, layer_kernels(result)) == efficiency_row(result, machine)


def test_the_map_shows_percent_of_every_layer() -> None:
    frame = frames.utilization_frame([evaluate("systolic_128", "alexnet"), evaluate("gpu_t4", "alexnet")])
    made = draw.utilization_map(frame, axes())
    shown = np.asarray(made.images[0].get_array())
    assert shown.ravel() == pytest.approx(100 * frame["utilization"].to_numpy())
    assert shown.shape[0] == 2


def test_levels_without_traffic_have_no_bar() -> None:
    frame = pd.DataFrame(
        [
            {"machine": "a", "level": "outer", "bytes": 2e6},
            {"machine": "a", "level": "inner", "bytes": 0.0},
            {"machine": "b", "level": "inner", "bytes": 5e6},
        ]
    )
    marks: Marks = []
    made = draw.traffic_by_level(frame, axes(), marks)
    assert sorted(bar.get_height() for bar in made.patches) == pytest.approx([2.0, 5.0])
    assert sorted(mark.row for mark in marks) == [0, 2]


def test_published_values_and_brackets() -> None:
    def row(
        published: float | None, kind: str, interval: list[float | None] | None = None
    ) -> dict[str, object]:
        return {
            "result": "r",
            "what": "w",
            "unit": "s",
            "ratio": 1.0,
            "status": kind,
            "kind": kind,
            "published": published,
            "simulated": 2.0,
            "interval": interval,
        }

    rows = [row(1.0, "exact"), row(None, "not reproduced"), row(4.0, "bracketed", [1.0, 8.0])]
    rows.append(row(3.0, "bracketed", [2.0, None]))
    frame = published_frame(rows)
    assert list(frame["published"]) == [1.0, 4.0, 3.0]
    made = modelled_against_published(frame, axes())
    (lines,) = [c for c in made.collections if hasattr(c, "get_segments")]
    ends = [(segment[0][1], segment[1][1]) for segment in lines.get_segments()]
    assert ends == [(1.0, 8.0), (2.0, 9.0)], "an open interval is cut at three times the larger value"
    points = {c.get_label(): len(c.get_offsets()) for c in made.collections if c is not lines}
    assert points == {
        "exact (1)": 1, "within (0)": 0, "fitted (0)": 0, "bracketed (2)": 2, "not reproduced (0)": 0
    }  # fmt: skip


def test_marks_are_where_the_bars_are_drawn() -> None:
    """A bar over the whole of the axes: its mark in points is the box of the axes."""

    def plot(made: Axes, marks: Marks) -> None:
        from cosim.report.marks import add_box

        made.set_xlim(0, 10)
        made.set_ylim(0, 1)
        made.set_position((0.25, 0.5, 0.5, 0.25))
        made.set_axis_off()
        add_box(marks, 0, 0.0, 0.0, 10.0, 1.0)
        add_box(marks, 1, 5.0, 0.0, 99.0, 0.5)
        add_box(marks, 2, 11.0, 0.0, 12.0, 1.0)

    view = figure("f", "c", pd.DataFrame({"v": [1, 2, 3]}), plot, width=4.0, height=2.0)
    # 4 x 2 inches are 288 x 144 points; the axes span 72 to 216 across and 36 to 72 from above.
    assert view.marks == "0 72 36 144 36;1 144 54 72 18"


def test_ticks_are_plain_text() -> None:
    assert [power_text(v) for v in (1e-12, 0.01, 1.0, 1000.0, 1e7)] == ["10⁻¹²", "0.01", "1", "1000", "10⁷"]
    assert [number_text(v) for v in (0.5, 200.0, 2e12, 1e13, 5e-5)] == [
        "0.5",
        "200",
        "2·10¹²",
        "10¹³",
        "5·10⁻⁵",
    ]


def test_shares_of_bounds() -> None:
    shares = bound_shares(["a", "b", "a"], [1.0, 3.0, 2.0])
    assert list(shares.items()) == [("a", 0.5), ("b", 0.5)]
    assert bound_shares(["a"], [0.0]) == {}
    assert math.isclose(sum(shares.values()), 1.0)
