"""`cosim explain crossover` states the points where two machines tie."""

from __future__ import annotations

import json

import pytest

from cosim.cli.main import main


def call(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(["explain", "crossover", *args])
    out = capsys.readouterr()
    assert isinstance(caught.value.code, int)
    return caught.value.code, out.out, out.err


def test_a_large_kernel_tips_the_balance(capsys: pytest.CaptureFixture[str]) -> None:
    args = (
        "optical4f",
        "resnet18",
        "--baseline",
        "gpu_rtx3090",
        "--layer",
        "layer1.0.conv1",
        "--batch",
        "64",
        "--json",
    )
    code, out, _ = call(capsys, *args)
    assert code == 0
    rows = {row["path"]: row for row in json.loads(out)["crossovers"]}
    assert {"input.frame_s", "camera.rate_px_per_s", "plane.rows", "kernel"} <= set(rows)
    assert all(kernel % 2 == 1 for kernel in rows["kernel"]["crossings"])


def test_an_unknown_layer_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = call(
        capsys, "optical4f", "resnet18", "--baseline", "gpu_rtx3090", "--layer", "layer1.0.conv9"
    )
    assert code == 3
    assert "nearest spelling" in err
