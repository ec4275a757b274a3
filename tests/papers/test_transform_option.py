"""Transforms from the command line and the engine: recorded, applied to both machines, refused with exit code 3."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from cosim.engine import evaluate, load_workload
from cosim.ir.transforms import TransformError
from cosim.spec.locate import ROOT


def cosim(*args: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from cosim.cli.main import main; sys.argv[0] = 'cosim'; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *args], capture_output=True, text=True, check=False, cwd=ROOT
    )


def test_the_manifest_records_transforms_in_order() -> None:
    done = cosim(
        "run", "systolic_128", "resnet18", "--transform", "prune_channels:0.5", "--transform", "bits:8", "--json"
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["manifest"]["workload"]["transforms"] == ["prune_channels:0.5", "bits:8"]
    assert document["totals"]["macs"] < 0.27 * 1814073344


def test_a_reference_carries_transforms() -> None:
    """What a transformed network is called can be asked for wherever a workload is: sweeps, compare, map."""
    given = load_workload("resnet18+prune_channels:0.5+bits:8")
    assert given.name == "resnet18+prune_channels:0.5+bits:8"
    same = evaluate("systolic_128", "resnet18", transforms=("prune_channels:0.5", "bits:8"))
    assert given.layers == same.workload.layers


def test_bad_transforms_are_refused() -> None:
    done = cosim("run", "systolic_128", "resnet18", "--transform", "prune_chanels:0.5")
    assert done.returncode == 3
    assert "nearest: prune_channels" in done.stderr
    assert "Traceback" not in done.stderr


def test_both_machines_see_the_transformed_network() -> None:
    result = evaluate("systolic_128", "resnet18", baseline="gpu_t4", transforms=("prune_channels:0.5",))
    assert result.baseline is not None
    assert result.baseline.workload.macs == result.workload.macs
    whole = evaluate("systolic_128", "resnet18")
    assert result.manifest["hash"] != whole.manifest["hash"]
    with pytest.raises(TransformError, match="has no attention"):
        evaluate("systolic_128", "resnet18", transforms=("prune_tokens:0.5",))
