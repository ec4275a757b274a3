"""CNNA and CoDeNet as machines: VGG16 against the board log, placement, refusals, offsets."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from cosim.components.estimate import CostTable, price
from cosim.hardware.base import model_of
from cosim.hardware.load import Machine, load_machine
from cosim.ir.batch import LayerBatch
from cosim.ir.layer import Layer, mac_layer, vector_layer
from cosim.mapping.feasibility import violations
from cosim.mapping.plan import make_plan
from cosim.spec.locate import ROOT
from cosim.spec.problems import SpecError

PAD = (1, 1, 1, 1)
# C, K, size and milliseconds of the board log of CNNA16; pooling: input size, channels, milliseconds.
CONVS = [
    (3, 64, 224, 17.545), (64, 64, 224, 84.270), (64, 128, 112, 42.711), (128, 128, 112, 81.332),
    (128, 256, 56, 43.907), (256, 256, 56, 85.124), (256, 256, 56, 84.823), (256, 512, 28, 54.311),
    (512, 512, 28, 105.035), (512, 512, 28, 106.987), (512, 512, 14, 44.383), (512, 512, 14, 41.895),
    (512, 512, 14, 41.369),
]  # fmt: skip
POOLS = [(224, 64, 13.677), (112, 128, 6.806), (56, 256, 3.457), (28, 512, 1.805), (14, 512, 0.615)]
CONNECTED = [(25088, 4096, 738.534), (4096, 4096, 399.929), (4096, 5, 1.992)]


@cache
def machine(name: str) -> Machine:
    return load_machine(ROOT / "arch" / f"{name}.yaml", {}, strict=True)


def run(name: str, *layers: Layer, **options: str) -> CostTable:
    found = machine(name)
    params = found.params
    if options:
        params = load_machine(found.path, {k.replace("__", "."): v for k, v in options.items()}).params
    batch = LayerBatch.from_layers(layers)
    model = model_of(found.kind)
    return price(model.estimate(batch, params, make_plan(batch, model.choices)), model.energies(params))


def vgg16() -> list[Layer]:
    layers = [
        mac_layer(f"conv{i}", "conv", C=c, K=k, P=s, Q=s, R=3, S=3, padding=PAD)
        for i, (c, k, s, _) in enumerate(CONVS)
    ]
    layers += [
        vector_layer(f"pool{i}", "max_pool", x_elems=s * s * c, y_elems=s * s * c // 4, taps=4)
        for i, (s, c, _) in enumerate(POOLS)
    ]
    return layers + [mac_layer(f"fc{i}", "linear", C=c, K=k) for i, (c, k, _) in enumerate(CONNECTED)]


def logged_ms() -> np.ndarray:
    return np.array([row[-1] for row in (*CONVS, *POOLS, *CONNECTED)])


def test_untuned_cnna_is_a_lower_bound_of_every_logged_layer() -> None:
    """478.3 ms of engine and 10.8 ms of weights at the documented clock, 0.59 of the log; every layer below its log."""
    table = run("ultra96_cnna16", *vgg16())
    seconds = table.latency_s * 1e3
    assert np.sum(table.resource_s["engine"][:13]) * 1e3 == pytest.approx(478.3, abs=0.1)
    assert seconds[:13].sum() / logged_ms()[:13].sum() == pytest.approx(0.587, abs=0.003)
    assert np.all(seconds < logged_ms())


def test_fitted_cnna_reproduces_the_log_it_was_fitted_to() -> None:
    """Convolutions 783.8 ms, 0.94 of the log; all layers but the first within 2 to 12 % below it."""
    seconds = run("ultra96_cnna16_fitted", *vgg16()).latency_s * 1e3
    assert seconds[:13].sum() == pytest.approx(783.8, rel=0.002)
    ratios = seconds / logged_ms()
    assert ratios[0] == pytest.approx(0.77, abs=0.02)
    assert np.all((ratios[1:13] > 0.87) & (ratios[1:13] < 0.99))
    assert seconds.sum() / 2000.5 == pytest.approx(0.98, abs=0.01)
    assert ratios[-1] == pytest.approx(0.37, abs=0.01), (
        "the held-out fully connected layer is missed by this much"
    )


def test_host_dma_and_engine_are_separate_terms() -> None:
    table = run("ultra96_cnna16_fitted", *vgg16())
    calls = table.columns["launches"]
    np.testing.assert_array_equal(
        calls, [1, 1, 1, 1, 2, 4, 4, 8, 16, 16, 16, 16, 16, 1, 1, 1, 1, 1, 512, 512, 1]
    )
    np.testing.assert_allclose(table.resource_s["host_call"], np.asarray(calls) * 0.652e-3)
    assert np.asarray(table.resource_s["weight_copy"])[18] == pytest.approx(4096 * (1046 + 1) * 3 * 31.5e-9)
    assert set(table.resource_names) >= {"host_call", "weight_copy", "engine", "dma_port", "dram"}


def test_cnna_energy_of_an_image_is_power_times_time() -> None:
    """2.63 W over 2.0 s are 5.3 J; the fitted model is 2 % faster than the log."""
    engine = run("ultra96_cnna16_fitted", *vgg16()).energy_pj["engine"].sum() * 1e-12
    assert engine == pytest.approx(2.63 * 2.0005, rel=0.03)


def test_what_the_engine_cannot_do_goes_to_the_companion() -> None:
    layers = [
        mac_layer("conv", "conv", C=16, K=16, P=8, Q=8, R=3, S=3),
        mac_layer("seven", "conv", C=3, K=16, P=8, Q=8, R=7, S=7),
        mac_layer("depthwise", "depthwise_conv", G=16, P=8, Q=8, R=3, S=3),
        vector_layer("softmax", "softmax", x_elems=100, y_elems=100),
        vector_layer("relu", "relu", x_elems=100, y_elems=100),
    ]
    table = run("ultra96_cnna16", *layers)
    np.testing.assert_array_equal(table.columns["placement"], [0, 2, 2, 2, 1])
    assert table.latency_s[4] == pytest.approx(1 / 172.22e6)
    assert np.all(table.latency_s > 0)


def test_build_that_exceeds_its_board_is_refused(tmp_path: Path) -> None:
    path = ROOT / "arch" / "ultra96_cnna16.yaml"
    with pytest.raises(SpecError, match=r"does not fit ultra96 .*dsps: needs 1,536"):
        load_machine(path, {"build.pes": "64"})
    with pytest.raises(SpecError, match="ultra69"):
        load_machine(path, {"board": "ultra69"})


def test_layers_beyond_the_buffers_are_refused_with_the_reason() -> None:
    wide = mac_layer("wide", "conv", C=64, K=64, P=8, Q=600, R=3, S=3, padding=PAD)
    deep = mac_layer("deep", "conv", C=4096, K=64, P=8, Q=8, R=3, S=3, padding=PAD)
    reasons = {
        reason.layer: reason
        for reason in violations(run("ultra96_cnna16", wide, deep).limits, ("wide", "deep"))
    }
    assert reasons["wide"].resource == "line buffer"
    assert reasons["wide"].demand == 4800
    assert reasons["deep"].resource == "weight buffers"


def deform(variant: str, op: str = "deform_conv") -> CostTable:
    layer = mac_layer("deform", op, G=256, P=64, Q=64, R=3, S=3, padding=PAD)
    return run("ultra96_codenet", layer, offsets__variant=variant)


def test_wider_offsets_take_longer() -> None:
    seconds = [float(deform(variant).latency_s[0]) for variant in ("regular", "square", "bound", "deform")]
    assert seconds == sorted(seconds)
    reads = float(np.ravel(deform("deform").resource_s["random_read"])[0])
    assert reads == pytest.approx(589824 * 31.4e-9)
    assert float(np.ravel(deform("bound").resource_s["random_read"])[0]) == 0


def test_codenet_places_layers_on_its_two_engines() -> None:
    layers = [
        mac_layer("pointwise", "conv", C=128, K=128, P=32, Q=32),
        mac_layer("depthwise", "depthwise_conv", G=128, P=32, Q=32, R=3, S=3, padding=PAD),
        mac_layer("first", "conv", C=3, K=24, P=64, Q=64, R=3, S=3, padding=PAD),
        mac_layer("wide", "conv", C=512, K=1024, P=8, Q=8),
    ]
    table = run("ultra96_codenet_fitted", *layers)
    np.testing.assert_array_equal(table.columns["placement"], [0, 1, 3, 0])
    np.testing.assert_array_equal(table.columns["launches"], [1, 1, 0, 2])
    pointwise = 1024 * 9 * (8 + 12.25) + 128 * 128 / 32
    assert float(table.columns["compute_cycles"][0]) == pointwise
    assert float(table.latency_s[0]) == pytest.approx(95e-6 + pointwise / 250e6)
