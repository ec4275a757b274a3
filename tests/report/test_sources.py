"""``cosim compare --out`` and ``cosim report``: what is written, what is read again, what is refused and why."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cosim.cli.compare import command as compare_command
from cosim.cli.report import command as report_command
from cosim.cli.run import command as run_command
from cosim.engine import evaluate
from cosim.report.sources import document_of, evaluated_again, kind_of
from cosim.results.files import OutputError, write_result
from cosim.spec.locate import ROOT

COMPARED = ("systolic_128", "-w", "resnet18", "-w", "alexnet", "--baseline", "gpu_t4")


def invoke(command: object, *arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments])  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compared") / "c"
    done = invoke(compare_command, *COMPARED, "--draws", "32", "--out", folder)
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    for name in ("systolic_128", "gpu_t4"):
        write_result(evaluate(name, "resnet18"), folder / name)
    return {name: folder / name for name in ("systolic_128", "gpu_t4")}


def accuracy(folder: Path) -> Path:
    """A campaign of two protections at two rates, as `cosim accuracy --out` writes it."""
    point = {
        "stored": 0.97,
        "trials": 2,
        "mean": 0.9,
        "low": 0.8,
        "high": 1.0,
        "minimum": 0.85,
        "quantile_5": 0.86,
    }
    point |= {"loss_probability": 0.5, "loss_low": 0.1, "loss_high": 0.9}
    document = {
        "schema": 1,
        "machine": "systolic_mlc_sttram",
        "memory": "buffers.filter",
        "technology": "mlc_stt_ram",
        "model": "cnn",
        "errors": "pattern",
        "tensors": "weights",
        "storage": "fp16",
        "trials": 2,
        "seed": 0,
        "persistence": "persistent",
        "images": 200,
        "exact": 0.985,
        "single_faults_needed": {"5%": 383},
        "points": [
            {"protection": name, "rate": rate, **point}
            for name in ("baseline", "sbp")
            for rate in (1e-4, 1e-2)
        ],
        "layers": [{"protection": "baseline", "tensor": "0.weight", "values": 144, "sqnr_db": None}],
    }
    folder.mkdir()
    (folder / "accuracy.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


def test_a_comparison_writes_totals_and_the_report(compared: Path) -> None:
    names = {str(path.relative_to(compared)) for path in compared.rglob("*") if path.is_file()}
    assert {"comparison.csv", "comparison.json", "report.html", "report.md", "layers.csv"} <= names
    assert {"figures/speedup.svg", "figures/speedup.csv", "figures/roofline.svg"} <= names
    with (compared / "comparison.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert float(rows[0]["speedup_low"]) < float(rows[0]["speedup_high"])
    document = json.loads((compared / "comparison.json").read_text(encoding="utf-8"))
    assert document["inputs"] == {
        "archs": ["systolic_128", "gpu_t4"],
        "workloads": ["resnet18", "alexnet"],
        "batch": 1,
        "seed": 0,
        "draws": 32,
    }
    assert document["uncertainty"]["quantiles"] == [0.05, 0.95]


def test_draws_are_off_in_a_terminal_and_on_for_a_report(tmp_path: Path) -> None:
    plain = invoke(compare_command, "systolic_128", "-w", "alexnet", "--baseline", "gpu_t4", "--json")
    assert json.loads(plain.stdout)["uncertainty"] is None
    made = invoke(compare_command, *COMPARED[:3], "--baseline", "gpu_t4", "--json", "--out", tmp_path / "o")
    assert json.loads(made.stdout)["uncertainty"]["draws"] == 256
    shown = invoke(compare_command, "systolic_128", "-w", "alexnet", "--baseline", "gpu_t4", "--draws", "16")
    row = json.loads(
        invoke(
            compare_command,
            "systolic_128",
            "-w",
            "alexnet",
            "--baseline",
            "gpu_t4",
            "--draws",
            "16",
            "--json",
        ).stdout
    )["rows"][0]
    assert f"{row['speedup']:.3g}x ({row['speedup_low']:.3g}-{row['speedup_high']:.3g})" in shown.stdout
    assert "in brackets: 5 % to 95 % of 16 draws (seed 0)" in shown.stdout
    refused = invoke(compare_command, "systolic_128", "-w", "alexnet", "--draws", "100")
    assert refused.exit_code == 2
    assert "found 100, allowed a power of two, e.g. 128" in refused.output


def test_a_comparison_is_reported_again_to_the_byte(compared: Path, tmp_path: Path) -> None:
    done = invoke(report_command, compared, "--out", tmp_path / "again")
    assert done.exit_code == 0, done.output
    for name in ("report.html", "report.md", "layers.csv", "figures/speedup.svg", "figures/speedup.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (compared / name).read_bytes(), name


def changed(compared: Path, folder: Path, change: object) -> Path:
    """A copy of the comparison with its JSON passed through ``change``."""
    folder.mkdir()
    document = json.loads((compared / "comparison.json").read_text(encoding="utf-8"))
    change(document)  # type: ignore[operator]
    (folder / "comparison.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


def test_a_comparison_of_changed_files_is_refused(compared: Path, tmp_path: Path) -> None:
    copy = tmp_path / "mine.yaml"
    shutil.copy(ROOT / "arch" / "systolic_128.yaml", copy)
    text = copy.read_text(encoding="utf-8")
    out = tmp_path / "c"
    done = invoke(
        compare_command, copy, "-w", "alexnet", "--baseline", "gpu_t4", "--out", out, "--format", "md"
    )
    assert done.exit_code == 0, done.output
    assert document_of([out]).title == "alexnet, batch 1"
    edited = re.sub(r"rows: *\{value: 128", "rows: {value: 64", text)
    assert edited != text
    copy.write_text(edited, encoding="utf-8")
    with pytest.raises(
        OutputError, match=r"systolic_128 / alexnet is not what was compared: arch changed since"
    ):
        document_of([out])


def test_other_numbers_from_the_same_inputs_are_refused(compared: Path, tmp_path: Path) -> None:
    def slower(document: dict[str, object]) -> None:
        document["rows"][0]["latency_s"] *= 1.001  # type: ignore[index]

    with pytest.raises(
        OutputError, match=r"found latency_s .*, this program gives .*the models have changed"
    ):
        document_of([changed(compared, tmp_path / "a", slower)])
    with pytest.raises(OutputError, match="found no inputs to evaluate again"):
        document_of([changed(compared, tmp_path / "b", lambda document: document.pop("inputs"))])


def test_one_run_is_reported_from_what_is_stored(runs: dict[str, Path], tmp_path: Path) -> None:
    """Without the machine's file: the folder alone holds everything."""
    copy = tmp_path / "run"
    shutil.copytree(runs["systolic_128"], copy)
    manifest = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    manifest["arch"]["name"] = "no_such_machine"
    (copy / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    before = (copy / "layers.csv").read_bytes()
    done = invoke(report_command, copy)
    assert done.exit_code == 0, done.output
    page = (copy / "report.html").read_text(encoding="utf-8")
    assert "resnet18 on no_such_machine" in page
    assert 'id="latency-no_such_machine"' in page
    assert 'id="speedup"' not in page
    assert (copy / "layers.csv").read_bytes() == before, "the result's own table stays"
    assert kind_of(copy) == "run"


def test_a_report_of_a_run_shows_what_the_run_gave(runs: dict[str, Path]) -> None:
    document = document_of([runs["gpu_t4"]])
    result = evaluate("gpu_t4", "resnet18")
    totals = next(b for b in document.sections[0].blocks if getattr(b, "title", "") == "Totals")
    values = dict(totals.rows)  # type: ignore[union-attr]
    assert values["latency_s [s]"] == result.latency_s
    assert values["energy_j [J]"] == result.energy_j


def test_several_runs_are_compared(runs: dict[str, Path], tmp_path: Path) -> None:
    done = invoke(report_command, *runs.values(), "--baseline", "gpu_t4", "--out", tmp_path / "both")
    assert done.exit_code == 0, done.output
    ratio = evaluate("gpu_t4", "resnet18").latency_s / evaluate("systolic_128", "resnet18").latency_s
    page = (tmp_path / "both" / "report.html").read_text(encoding="utf-8")
    assert f"systolic_128 is {ratio:.3g}x faster than gpu_t4" in page
    refused = invoke(report_command, *runs.values(), "--baseline", "gpu_t5", "--out", tmp_path / "no")
    assert isinstance(refused.exception, OutputError)
    assert "found 'gpu_t5', allowed systolic_128, gpu_t4; nearest spelling 'gpu_t4'" in str(refused.exception)


def test_runs_that_cannot_be_compared_are_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    write_result(evaluate("gpu_t4", "resnet18", batch=4), tmp_path / "batched")
    with pytest.raises(OutputError, match="'resnet18' that differs from the one in"):
        document_of([runs["systolic_128"], tmp_path / "batched"])
    write_result(evaluate("systolic_128", "resnet18", overrides={"array.rows": "64"}), tmp_path / "other")
    with pytest.raises(OutputError, match="found a second run of resnet18 on systolic_128"):
        document_of([runs["systolic_128"], tmp_path / "other"])
    write_result(evaluate("systolic_128", "alexnet", overrides={"array.rows": "64"}), tmp_path / "third")
    with pytest.raises(OutputError, match="'systolic_128' that differs from the one in"):
        document_of([runs["systolic_128"], tmp_path / "third"])


def test_accuracy_joins_a_run_or_stands_alone(runs: dict[str, Path], tmp_path: Path) -> None:
    campaign = accuracy(tmp_path / "accuracy")
    joined = document_of([runs["systolic_128"], campaign])
    assert "accuracy" in {section.id for section in joined.sections}
    assert "accuracy-over-rate" in {figure.id for figure in joined.figures()}
    alone = document_of([campaign])
    (figure,) = alone.figures()
    assert figure.data.count("\n") == 5
    assert len(figure.marks.split(";")) == 4


def test_a_finished_sweep_is_reported_from_its_shards(tmp_path: Path) -> None:
    from cosim.explore.fronts import front_of
    from cosim.explore.sweep import run_sweep

    space = tmp_path / "space.yaml"
    space.write_text(
        "kind: sweep\nname: small\narchs: [systolic_sram]\nworkloads: [alexnet]\n"
        "parameters: {array.rows: [8, 16, 32], array.cols: [8, 16, 32]}\n"
        "objectives: [latency_s, energy_j]\n",
        encoding="utf-8",
    )
    run_sweep(space, tmp_path / "sweep")
    done = invoke(report_command, tmp_path / "sweep", "--out", tmp_path / "report")
    assert done.exit_code == 0, done.output
    front = front_of(tmp_path / "sweep")
    with (tmp_path / "report" / "front.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["latency_s"]) for row in rows] == [row["latency_s"] for row in front.rows]
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert f"{len(front.rows)} of 9 points are not dominated" in page
    next((tmp_path / "sweep" / "shards").glob("*.parquet")).unlink()
    with pytest.raises(OutputError, match="found 0 of 1 tasks, allowed a finished sweep"):
        document_of([tmp_path / "sweep"])


def test_what_is_not_understood_is_refused(compared: Path, runs: dict[str, Path], tmp_path: Path) -> None:
    nothing, empty = tmp_path / "nothing", tmp_path / "empty"
    empty.mkdir()
    other = tmp_path / "other"
    other.mkdir()
    (other / "notes.txt").write_text("x", encoding="utf-8")
    trials = tmp_path / "trials"
    trials.mkdir()
    (trials / "trials.jsonl").write_text("", encoding="utf-8")
    for folder, reason in (
        (nothing, "found nothing, allowed a folder that `cosim run`"),
        (compared / "report.html", "found a file"),
        (empty, "found no files"),
        (other, r"found notes\.txt"),
        (trials, "run its command again to go on"),
    ):
        with pytest.raises(OutputError, match=reason):
            kind_of(folder)
    with pytest.raises(OutputError, match=r"\(comparison\).*\(run\), allowed one comparison, one sweep"):
        document_of([compared, runs["gpu_t4"]])
    with pytest.raises(OutputError, match="allowed with several runs"):
        document_of([runs["gpu_t4"]], "gpu_t4")


def test_usage_and_foreign_folders(runs: dict[str, Path], tmp_path: Path) -> None:
    assert invoke(report_command).exit_code == 2
    assert invoke(report_command, "--published").exit_code == 2
    assert invoke(report_command, runs["gpu_t4"], "--published", "--out", tmp_path / "x").exit_code == 2
    wrong = invoke(report_command, runs["gpu_t4"], "--out", tmp_path / "x", "--format", "htm")
    assert "found 'htm', allowed html, md, csv; nearest spelling 'html'" in str(wrong.exception)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x", encoding="utf-8")
    foreign = invoke(report_command, runs["gpu_t4"], "--out", tmp_path / "mine")
    assert "found 'thesis.tex' in it" in str(foreign.exception)
    twice = [
        invoke(report_command, runs["gpu_t4"], "--out", tmp_path / "two", "--format", "md") for _ in "ab"
    ]
    assert [done.exit_code for done in twice] == [0, 0]


def test_the_committed_report_is_of_today_and_small() -> None:
    """`make reports` writes it again."""
    folder = ROOT / "reports" / "machines"
    comparison, *_ = evaluated_again(folder)
    document = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
    for before, row in zip(document["rows"], comparison.rows(), strict=True):
        for name in ("speedup_low", "speedup_high", "energy_ratio_low", "energy_ratio_high"):
            assert row[name] == (
                before[name] if before[name] is None else pytest.approx(before[name], rel=1e-6)
            )
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 2_000_000


def test_a_folder_that_was_reported_takes_the_same_run_again(tmp_path: Path) -> None:
    for _ in range(2):
        done = invoke(run_command, "gpu_t4", "alexnet", "--out", tmp_path / "run", "--no-layers")
        assert done.exit_code == 0, done.output
        assert invoke(report_command, tmp_path / "run", "--format", "html").exit_code == 0


def test_the_published_page_alone(tmp_path: Path) -> None:
    done = invoke(report_command, "--published", "--out", tmp_path / "p")
    assert done.exit_code == 0, done.output
    assert "Published results, and what the models give" in (tmp_path / "p" / "report.md").read_text("utf-8")
