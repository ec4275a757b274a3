"""Papers on processors, GPUs, quantisation and method: what can be derived about their networks, formulas and data."""

from __future__ import annotations

from math import ceil, log10

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.components.cpu_kernels import KERNELS
from cosim.engine import load_workload
from cosim.ir.ops import OpClass
from cosim.noise.quantize import fake_quantize
from cosim.papers import _figures_sw as figures
from cosim.papers import (
    deepgemm,
    evit,
    fp4_formats,
    hawq_v3,
    inceptionnext,
    indirect_conv,
    lavin,
    pruning,
    shiftaddvit,
    xnor_net,
)
from cosim.papers._networks import mobilenet_v1_ssd, resnet_v1, resnet_v2
from cosim.report.style import new_figure


@given(st.integers(1, 512), st.sampled_from([1, 3, 5, 7]))
def test_xnor_counts_are_the_published_formula(channels: int, side: int) -> None:
    """S = 64 c n / (c n + 64), whatever the number of places; whole words are never faster."""
    layer = xnor_net.convolution(channels, side)
    products = channels * side * side
    assert xnor_net.counted_speedup(layer) == pytest.approx(64 * products / (products + 64), rel=1e-12)
    words = ceil(products / 64)
    assert xnor_net.whole_words_speedup(layer) == pytest.approx(products / (words + 1), rel=1e-12)
    assert xnor_net.whole_words_speedup(layer) <= xnor_net.counted_speedup(layer) * (1 + 1e-12)


def test_ports_of_the_look_up_and_its_baselines_by_hand() -> None:
    """Three vector ports, one of which shuffles: 21 slots for 128 products; 3 for 32; 1.5 shuffles for 8."""
    assert deepgemm.products_per_cycle(KERNELS["lut16_2bit"]) == pytest.approx(128 / 7)
    assert deepgemm.products_per_cycle(KERNELS["int8_maddubs"]) == pytest.approx(32)
    assert deepgemm.products_per_cycle(KERNELS["int8_sse2"], 128) == pytest.approx(8 / 1.5)


def test_pre_activation_networks_have_the_convolutions_of_the_plain_ones() -> None:
    """Strides move, weights do not: 1 x 1, 3 x 3 and 1 x 1 of the same widths, and the same classifier."""
    for blocks in ((3, 4, 6, 3), (3, 8, 36, 3)):
        new, old = resnet_v2(blocks), resnet_v1(blocks)
        count = {
            name: sum(layer.w_elems for layer in net if layer.is_mac)
            for name, net in (("new", new), ("old", old))
        }
        assert count["new"] == count["old"]
        sides = [layer.P for layer in new if layer.op_class is OpClass.CONV]
        # 299 pixels, halved upwards by the first layer, the pooling and the ends of three stages.
        assert list(dict.fromkeys(sides)) == [150, 75, 38, 19, 10]
        norms = [layer for layer in new if layer.op == "batch_norm"]
        assert len(norms) == sum(blocks) + 1


def test_strides_of_the_first_publication_save_operations() -> None:
    """He et al. state 3.8 G multiply-accumulates for ResNet-50, with the stride in the 1 x 1 convolutions."""
    assert round(resnet_v1((3, 4, 6, 3), stride_first=True).macs * 1e-9, 1) == 3.9
    assert resnet_v1((3, 4, 6, 3)).macs == load_workload("resnet50").macs


def test_the_detector_predicts_1917_boxes() -> None:
    """19^2 * 3 + (10^2 + 5^2 + 3^2 + 2^2 + 1) * 6 boxes of 4 numbers and 91 scores, as SSD-MobileNet has."""
    heads = {name: layer for name, layer in ((x.name, x) for x in mobilenet_v1_ssd()) if "map" in name}
    assert sum(layer.y_elems for name, layer in heads.items() if name.endswith("boxes")) == 4 * 1917
    assert sum(layer.y_elems for name, layer in heads.items() if name.endswith("classes")) == 91 * 1917


def test_closed_forms_of_the_formats() -> None:
    """A bit is 6.02 dB; without subnormals a float's noise is the step of its mantissa: 10 log10(24 * 4^M)."""
    forms = fp4_formats.FORMATS
    gap = forms["MXINT8"].closed_form_db(3.0) - forms["MXINT4"].closed_form_db(3.0)
    assert gap == pytest.approx(4 * 6.02)
    assert forms["MXFP8"].closed_form_db(2.0) == pytest.approx(10 * log10(24 * 4**3), abs=0.01)
    doubled = forms["MXINT8"].closed_form_db(4.0) - forms["MXINT8"].closed_form_db(2.0)
    assert doubled == pytest.approx(-20 * log10(2))


@pytest.mark.parametrize("name", ["MXFP4", "NVFP4"])
def test_blocks_of_a_stated_crest_factor(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The largest value of every block over its root mean square is the crest factor that was asked for."""
    seen = {}

    def caught(values: np.ndarray, quantizer: object) -> np.ndarray:
        seen["values"] = values
        return fake_quantize(values, quantizer)  # type: ignore[arg-type]

    monkeypatch.setattr(fp4_formats, "fake_quantize", caught)
    for kappa in (2.0, 3.0):
        fp4_formats.measured_at_db(name, kappa)
        values = seen["values"]
        rms = np.sqrt(np.mean(values**2, axis=1))
        np.testing.assert_allclose(np.abs(values).max(axis=1) / rms, kappa, rtol=1e-9)


def test_uniform_pruning_leaves_the_published_operations_at_every_share() -> None:
    """All 26 measured networks, not only those of the rows: the transform counts what their authors count."""
    table = pruning.measurements()
    checked = 0
    for network, batch, percent in table:
        if batch == 1 and percent:
            share = (
                load_workload(pruning.pruned(network, percent)).macs
                / load_workload(pruning.pruned(network, 0)).macs
            )
            assert share == pytest.approx(pruning.published(network, 1, percent, "macs"), rel=0.005)
            checked += 1
    assert checked == 26


def test_tuned_kernels_add_up_by_hand() -> None:
    """ResNet-18 at 8 bits: four, three, three and three 3 x 3 layers of a width, strides, projections, both ends."""
    by_shape = {
        shape: us for (net, bits, shape), us in hawq_v3.kernels_us().items() if (net, bits) == ("resnet18", 8)
    }
    wanted = 4 * by_shape[64, 64, 3, 1, 58]
    for width, side in ((128, 58), (256, 30), (512, 16)):
        inner = {58: 30, 30: 16, 16: 9}[side]
        wanted += by_shape[width // 2, width, 3, 2, side] + by_shape[width // 2, width, 1, 2, side - 2]
        wanted += 3 * by_shape[width, width, 3, 1, inner]
    wanted += by_shape[3, 64, 7, 2, 230] + by_shape[512, 1000, 1, 1, 1]
    assert hawq_v3.tuned_ms("resnet18", 8) == pytest.approx(wanted * 1e-3)
    assert hawq_v3.tuned_ms("resnet50", 4) < hawq_v3.tuned_ms("resnet50", 8)


def test_bit_operations_with_both_ends_at_eight_bits() -> None:
    """ResNet-18: 118,013,952 products in the first layer, 512,000 in the last, the rest at 4 x 4 bits."""
    macs, outer = 1_814_073_344, 118_013_952 + 512_000
    assert hawq_v3.bit_operations_g("resnet18", 4) == pytest.approx((16 * (macs - outer) + 64 * outer) * 1e-9)


def test_matching_of_tokens_by_hand() -> None:
    """197 tokens of 384: 98 x 98 similarities, then as many passes as stated over scores, attention and tokens."""
    layers = evit.matching(evit.DEIT_SMALL, [197])
    assert layers[0].macs == 98 * 98 * 384
    assert len(layers) == 1 + evit.SCORE_PASSES + evit.ATTENTION_PASSES + evit.TOKEN_PASSES
    assert {layer.x_elems for layer in layers[1:]} == {98 * 98, 6 * 197**2, 197 * 384}


def test_inception_branches_by_hand() -> None:
    """An eighth of 96 channels in each branch: 9 + 11 + 11 taps on 56 x 56 places; sizes stay."""
    first = [layer for layer in inceptionnext.inceptionnext_t() if ".stages.0.layers.0.dwconv." in layer.name]
    assert sum(layer.macs for layer in first) == 12 * 31 * 56 * 56
    assert all((layer.P, layer.Q) == (layer.H, layer.W) == (56, 56) for layer in first if layer.is_mac)


def test_fire_modules_by_hand() -> None:
    """Fire 2 of SqueezeNet: 96 to 16, then 64 by 1 x 1 and 64 by 3 x 3, on 55 x 55."""
    squeeze, one, three = indirect_conv.squeezenet()[:3]
    assert [layer.macs for layer in (squeeze, one, three)] == [
        55 * 55 * 96 * 16,
        55 * 55 * 16 * 64,
        55 * 55 * 16 * 64 * 9,
    ]


def test_shares_of_a_transformer_are_whole() -> None:
    times = shiftaddvit.times_s("gpu_xavier", "fp32", "stream")
    parts = [sum(shiftaddvit.operations(part) for part in shiftaddvit.PARTS), sum(times.values())]
    # Patch embedding and classifier are what neither attention nor MLP has.
    assert 0.99 < parts[0] < 1.0
    assert times["other"] > 0


def test_fusing_blocks_never_moves_more_or_needs_longer() -> None:
    plain, fused = (
        lavin.kernels_of(lavin.run("convnext_tiny"), lavin.board(), mode) for mode in ("none", "residual")
    )
    assert fused.bytes.sum() < plain.bytes.sum()
    assert fused.roofline_s < plain.roofline_s <= plain.actual_s
    assert fused.ops.sum() == pytest.approx(plain.ops.sum())
    low, high = lavin.fusion_gain("gpu_rtx3090", 16)
    assert 1.0 <= low <= high


def test_published_and_simulated_differ_without_colour() -> None:
    """Hollow and hatched against full bars; open circles on dashes against filled marks on full lines."""
    axes = new_figure().subplots()
    figures.paired_bars(axes, ["a", "b"], [1.0, None], [2.0, 3.0], [None, (2.0, 4.0)])
    published, *simulated = axes.patches
    assert published.get_hatch()
    assert published.get_facecolor()[:3] == (1.0, 1.0, 1.0)
    assert not any(bar.get_hatch() for bar in simulated)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["published", "simulated"]
    lines = new_figure().subplots()
    figures.curves(lines, [1, 2], {"t": [1.0, None]}, {"t": [1.0, 2.0]})
    dashed, full = lines.get_lines()
    assert (dashed.get_linestyle(), full.get_linestyle()) == ("--", "-")
    assert dashed.get_markerfacecolor() == "white"
    assert list(dashed.get_xdata()) == [1]
