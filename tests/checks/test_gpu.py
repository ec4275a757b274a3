"""The GPU check: what kernels a recorded network becomes, agreement with published throughputs, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cosim.checks.gpu import check_gpu, device_of, first_half
from cosim.checks.gpu_records import RecordedNetwork, read_networks, read_operator
from cosim.checks.gpu_stream import Kernel, kernels_of
from cosim.checks.metrics import CheckInputError, CheckReport

DATA = Path(__file__).parent.parent / "data" / "gpu"


@pytest.fixture(scope="module")
def report() -> CheckReport:
    return check_gpu(DATA)


def network(*ops: dict[str, object]) -> RecordedNetwork:
    return RecordedNetwork("n", tuple(read_operator(op, "test") for op in ops))


def kernels(*ops: dict[str, object], batch: int = 8, channels_last: bool = True) -> list[Kernel]:
    return kernels_of(network(*ops), batch, channels_last)


def conv(inputs: int, outputs: int, size: int, kernel: int = 1, groups: int = 1) -> dict[str, object]:
    shapes = {"w": [outputs, inputs // groups, kernel, kernel], "x": [1, inputs, size, size]}
    rest = {"o": [1, outputs, size, size], "s": [1, 1], "g": groups}
    return plain("convolution", 0, outputs * size * size) | shapes | rest


def plain(op: str, reads: int, writes: int) -> dict[str, object]:
    return {"op": op, "in_el": reads, "out_el": writes, "macs": 0}


def product(op: str, heads: int, rows: int, depth: int, cols: int) -> dict[str, object]:
    batched = {"B": heads} if op == "bmm" else {}
    reads = heads * (rows + cols) * depth
    return plain(op, reads, heads * rows * cols) | batched | {"M": rows, "K": depth, "N": cols}


def test_errors_without_a_fit(report: CheckReport) -> None:
    """Whole networks on two boards and two layouts; the target is 20 % and a rank correlation of 0.95."""
    for device in ("rtx3090_amp_nchw", "rtx3090_amp_nhwc", "rtx4090_amp_nhwc"):
        figures = report.by_class[f"{device}, fit-free"]
        assert figures["cases"] == 52
        assert figures["mape_pct"] < 15
        assert figures["spearman"] > 0.97
        assert figures["within_2x"] > 0.97


def test_calibrated_errors_are_of_networks_that_were_not_fitted(report: CheckReport) -> None:
    held_out = sum(not first_half(row.case.partition("/")[0]) for row in report.rows)
    counted = sum(f["cases"] for name, f in report.by_class.items() if name.endswith("calibrated"))
    assert counted == held_out
    assert report.cases == len(report.rows) == 156
    assert all(row.category.endswith("fit-free") for row in report.rows)


def test_rows_that_cannot_be_compared_are_named(report: CheckReport) -> None:
    assert any("i9_10940x_fp32: 52 rows not compared" in note for note in report.notes)


def test_every_operator_of_the_sample_has_a_meaning() -> None:
    for recorded in read_networks(DATA / "timm_network_ops.jsonl.gz").values():
        unknown = [k for k in kernels_of(recorded, 1, True) if k.layer.op == "unknown"]
        assert not unknown, recorded.name


def test_multiply_accumulates_are_those_recorded() -> None:
    """The kernels of a network keep its multiply-accumulates, at any batch."""
    networks = read_networks(DATA / "timm_network_ops.jsonl.gz")
    for name in ("resnet50@224", "convnext_tiny@224", "vit_base_patch16_224@224"):
        one, many = (sum(k.layer.macs for k in kernels_of(networks[name], b, True)) for b in (1, 16))
        assert many == 16 * one
        assert one == pytest.approx(
            {"resnet50@224": 4.089e9, "convnext_tiny@224": 4.456e9}.get(name, 17.564e9), rel=0.002
        )


def test_mixed_precision_casts_images_and_weights_and_keeps_norms_wide() -> None:
    made = [k.layer for k in kernels(conv(3, 16, 8), plain("native_layer_norm", 1024 + 32, 1024 + 2))]
    assert [(x.op, x.x_bits, x.y_bits) for x in made] == [
        ("cast", 32, 16),
        ("cast", 32, 16),
        ("conv", 16, 16),
        ("cast", 16, 32),
        ("layer_norm", 32, 32),
    ]
    assert made[1].x_elems == 48, "weights are cast once whatever the batch"
    assert made[4].x_elems == 8 * 1024


def test_a_residual_stream_takes_the_wider_operand() -> None:
    """A position embedding (FP32, one for all images) widens the tokens, and every later sum with them."""
    made = [
        k.layer
        for k in kernels(
            conv(3, 16, 8),
            plain("add", 2048, 1024),
            product("addmm", 1, 64, 16, 16),
            plain("add", 2048, 1024),
        )
        if k.layer.op == "add"
    ]
    assert [(x.x_bits, x.w_bits, x.y_bits) for x in made] == [(16, 32, 32), (16, 32, 32)]
    assert [x.w_elems for x in made] == [0, 8 * 1024]


def test_fused_attention_moves_no_scores() -> None:
    made = [
        k.layer
        for k in kernels(
            product("addmm", 1, 16, 24, 72),
            plain("mul", 384, 384),
            plain("mul", 384, 384),
            product("bmm", 4, 16, 6, 16),
            plain("_safe_softmax", 1024, 1024),
            product("bmm", 4, 16, 16, 6),
        )
    ]
    assert [x.op for x in made if x.op != "cast"] == ["linear", "matmul", "matmul"]
    scores, values = made[-2:]
    assert scores.y_elems == 0
    assert values.x_elems == 0
    assert scores.special_ops == 2 * 8 * 1024
    assert (scores.macs, values.macs) == (8 * 4 * 16 * 16 * 6, 8 * 4 * 16 * 16 * 6)


def test_unfused_softmax_reads_narrow_and_writes_wide() -> None:
    made = [
        k.layer
        for k in kernels(
            product("bmm", 4, 16, 6, 16), plain("_softmax", 1024, 1024), product("bmm", 4, 16, 16, 6)
        )
    ]
    assert [(x.op, x.x_bits, x.y_bits) for x in made[-3:]] == [
        ("softmax", 16, 32),
        ("cast", 32, 16),
        ("matmul", 16, 16),
    ]


def test_normalised_weights_do_not_grow_with_the_batch() -> None:
    made = [k.layer for k in kernels(plain("native_batch_norm", 48, 48 + 32), conv(3, 16, 8))]
    assert (made[0].op, made[0].x_elems) == ("batch_norm", 48)


def test_layout_follows_the_tensor() -> None:
    """In NCHW a depthwise kernel behind a linear layer still sees channels innermost, as in ConvNeXt."""
    chain = (conv(3, 16, 8), conv(16, 16, 8, 7, 16), product("addmm", 1, 64, 16, 16), conv(16, 16, 8, 7, 16))
    layouts = [k.nchw for k in kernels(*chain, channels_last=False) if k.layer.op.endswith("conv")]
    assert layouts == [True, True, False]


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("rtx3090_amp_nchw", True),
        ("a100_fp32_nhwc", True),
        ("rtx3090_amp", False),
        ("rtx9999_amp_nhwc", False),
        ("i9_10940x_fp32", False),
    ],
)
def test_device_names(name: str, known: bool) -> None:
    assert (device_of(name) is not None) == known


def test_refusals_name_file_and_field(tmp_path: Path) -> None:
    with pytest.raises(CheckInputError, match="throughput"):
        check_gpu(tmp_path)
    table = "network,device,batch,samples_per_sec\nn,rtx3090_amp_nhwc,8,100\n"
    (tmp_path / "throughput.csv").write_text(table)
    with pytest.raises(CheckInputError, match="jsonl"):
        check_gpu(tmp_path)
    broken = {"network": "n", "ops": [{"op": "addmm", "in_el": 1, "out_el": 1, "M": 2}]}
    (tmp_path / "ops.jsonl").write_text(json.dumps(broken) + "\n")
    with pytest.raises(CheckInputError, match=r"ops.jsonl, line 1: operator 'addmm' has no field 'N'"):
        check_gpu(tmp_path)
    (tmp_path / "throughput.csv").write_text("network,device,batch\nn,rtx3090_amp_nhwc,8\n")
    with pytest.raises(CheckInputError, match="samples_per_sec"):
        check_gpu(tmp_path)


def test_layer_tables_are_held_against_the_named_machine(tmp_path: Path) -> None:
    """A stream of 512 MiB of FP16 on a T4: bytes over 0.9 of 320 GB/s, plus the gap between kernels."""
    path = tmp_path / "t4_layers.csv"
    path.write_text(
        "model,layer,op,runtime,layout,dtype,cache,device,N,Ci,Hi,Wi,median_ms\n"
        "m,l,relu,torch,nhwc,fp16,warm,gpu_t4,64,128,128,128,1.9\n"
    )
    found = check_gpu(tmp_path)
    moved = 2 * 2 * 64 * 128 * 128 * 128
    assert found.rows[0].predicted == pytest.approx(1e3 * (5e-6 + moved / (0.9 * 320e9)))
    assert check_gpu(path, "gpu_v100").rows[0].predicted < found.rows[0].predicted
