"""`cosim dram`, and the table of efficiencies in docs/dram.md against what the model says."""

from __future__ import annotations

import json
import re

import pytest

from cosim.cli.main import main
from cosim.components.dram_channel import streaming_efficiency
from cosim.components.dram_timing import find_device
from cosim.spec.locate import ROOT
from cosim.spec.strict_yaml import load


def call(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(["dram", *args])
    out = capsys.readouterr()
    return int(caught.value.code or 0), out.out, out.err


def test_one_document_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(
        capsys, "HBM2-2000 2Gb", "DDR4_8Gb_x8_2400", "-p", "seq_read", "--requests", "2000", "--json"
    )
    document = json.loads(out)
    assert code == 0
    first, second = document["rows"]
    assert first["peak_bytes_per_s"] == pytest.approx(32e9)
    assert (first["refresh_interval_ns"], first["refresh_ns"]) == (3900.0, 160.0)
    assert first["efficiency"] == {"seq_read": streaming_efficiency("HBM2-2000 2Gb", requests=2000)}
    assert second["refresh_ns"] == pytest.approx(420 * 0.83)


def test_unknown_names_are_refused_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    for args, text in (
        (("DDR4-2400R 8Gb x88",), "nearest spelling 'DDR4-2400R 8Gb x8'"),
        (("DDR4-2400R 8Gb x8", "-p", "seq_raed"), "nearest spelling 'seq_read'"),
        (("DDR4-2400R 8Gb x8", "--mapping", "RoBaRaCo"), "nearest spelling 'RoBaRaCoCh'"),
    ):
        code, out, error = call(capsys, *args)
        assert code == 3
        assert not out
        assert text in error
        assert "Traceback" not in error


ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "dram.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and re.search(r"\| (assumption|manev-2019|vitis-accel-examples) \|", line)
]


def _stated(machine: str) -> tuple[float, str]:
    """(efficiency, its source) in the file of a machine or board."""
    board = machine.startswith("board ")
    folder = ROOT / "arch" / "boards" if board else ROOT / "arch"
    data = load(folder / f"{machine.removeprefix('board ')}.yaml").data
    place = data["memory"] if board or "memory" in data else data
    block = place["efficiency" if board else "dram_efficiency"]
    return float(block["value"]), str(block["source"])


@pytest.mark.parametrize("row", ROWS, ids=[row[0][:30] for row in ROWS])
def test_the_table_of_the_page_is_what_files_and_model_say(row: list[str]) -> None:
    machines, stated, source, device, *shares = row
    for machine in machines.split(", "):
        assert _stated(machine) == (float(stated), source)
    if not shares[0]:
        return
    queues = find_device(device).controller == "bank_queues"
    first, turn = ("rochrababgco", "rochracobabg") if queues else ("RoBaRaCoCh", "MOP4CLXOR")
    found = [
        streaming_efficiency(device, "seq_read", first),
        streaming_efficiency(device, "seq_read", turn),
        streaming_efficiency(device, "seq_2read_1write_blocks_of_64", turn),
    ]
    assert shares == [f"{share:.3f}" for share in found]


def test_every_machine_with_a_stated_efficiency_is_in_the_table() -> None:
    listed = {machine for row in ROWS for machine in row[0].split(", ")}
    for path in sorted((ROOT / "arch").glob("*.yaml")):
        if "dram_efficiency:" in path.read_text(encoding="utf-8"):
            assert path.stem in listed
    for path in sorted((ROOT / "arch" / "boards").glob("*.yaml")):
        # A machine on a board takes its share from the machine file.
        if " efficiency:" in path.read_text(encoding="utf-8") and path.stem != "ultra96":
            assert f"board {path.stem}" in listed
