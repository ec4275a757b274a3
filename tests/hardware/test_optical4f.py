"""Time, energy and refusals of the 4f machine: published cases, hand-worked layers, limits."""

from __future__ import annotations

import numpy as np
import pytest

from cosim.components.estimate import CostTable, price
from cosim.components.optics import (
    adc_pj,
    effective_bits,
    electrons_for_bits,
    fourier_zone_m,
    matched_focal_length_m,
    modulator_period_s,
    photon_energy_j,
    shift_gain,
    walden_fj_per_step,
    waveguide_laser_mw,
)
from cosim.components.params import Params
from cosim.hardware.load import load_machine
from cosim.hardware.optical4f import MODEL
from cosim.ir.batch import LayerBatch
from cosim.ir.layer import Layer, mac_layer, vector_layer
from cosim.mapping.feasibility import violations
from cosim.mapping.plan import MappingDoc, Rule, make_plan
from cosim.spec.locate import ROOT
from cosim.spec.problems import SpecError

PAD = (1, 1, 1, 1)


def params_of(name: str, values: dict[str, float] | None = None, **options: str) -> Params:
    machine = load_machine(ROOT / "arch" / f"{name}.yaml", {}).params
    dotted = {key.replace("__", "."): value for key, value in options.items()}
    unknown = set(dotted) - set(machine.options)
    assert not unknown, unknown
    return Params(
        machine.kind,
        machine.name,
        {**machine.values, **(values or {})},
        {**machine.options, **dotted},
        machine.parts,
    )


def cost(params: Params, *layers: Layer, **choices: str) -> CostTable:
    batch = LayerBatch.from_layers(layers)
    plan = make_plan(batch, MODEL.choices, MappingDoc(defaults=choices))
    return price(MODEL.estimate(batch, params, plan), MODEL.energies(params))


def optics_s(table: CostTable) -> float:
    """Time of the frames alone."""
    return float(sum(np.sum(s) for name, s in table.stage_s.items() if not name.startswith("companion.")))


def optics_j(table: CostTable) -> float:
    """Energy of conversions and light."""
    names = ("input_dac", "mask_dac", "adc", "laser")
    return float(sum(np.sum(table.energy_pj[name]) for name in names)) * 1e-12


def conv(c: int, k: int, m: int, kernel: int = 3, N: int = 1) -> Layer:
    p = kernel // 2
    P = m + 2 * p - kernel + 1
    return mac_layer(
        f"c{c}_{k}_{m}_{kernel}",
        "conv",
        N=N,
        K=k,
        C=c,
        P=P,
        Q=P,
        R=kernel,
        S=kernel,
        H=m,
        W=m,
        padding=(p, p, p, p),
    )


def unique(layers: list[Layer]) -> list[Layer]:
    return [
        Layer(**{f: getattr(x, f) for f in x.__slots__} | {"name": f"{i}_{x.name}"})
        for i, x in enumerate(layers)
    ]


LAYER = conv(64, 128, 56)
# The worked layer's machine: no memory, one converter a pixel, every frame driven anew, guard as published.
WORKED: dict[str, float] = {"mask.converters_per_pixel": 1.0, "converters.dac_pj": 50e3 / 14e3}


def worked(**options: str) -> Params:
    plain = {"signs__scheme": "pn2", "signs__channel_scheme": "abs", "plane__packing": "whole"}
    return params_of("optical4f_li_gupta_2022", WORKED, **{**plain, **options})


# --- published networks (channel products over the frame rate) -------------------------------------------------


def network(shapes: list[tuple[int, int]], batch: int = 1) -> list[Layer]:
    return unique([conv(c, k, 8, N=batch) for c, k in shapes])


VGG16 = [(3, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 256), (256, 512)] + [
    (512, 512)
] * 5
ALEXNET = [(3, 96), (96, 256), (256, 384), (384, 384), (384, 256)]
RESNET18 = [(3, 64), *[(64, 64)] * 4, (64, 128), *[(128, 128)] * 3, (128, 256), *[(256, 256)] * 3, (256, 512)]
RESNET18 += [(512, 512)] * 3
FATNET = [(3, 64), *[(64, 64)] * 4, (64, 82), *[(82, 82)] * 3, (82, 78), *[(78, 78)] * 3, (78, 151)]
FATNET += [(151, 155), (155, 151), (151, 155)]


@pytest.mark.parametrize(("shapes", "seconds"), [(VGG16, 0.817248), (ALEXNET, 0.184464)])
def test_untiled_times_of_li_and_gupta(shapes: list[tuple[int, int]], seconds: float) -> None:
    table = cost(params_of("optical4f_li_gupta_2022"), *network(shapes), tiling="none")
    assert optics_s(table) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize(
    ("shapes", "batch", "printed"),
    [(RESNET18, 64, 3.815e-2), (RESNET18, 3136, 7.786e-4), (FATNET, 64, 4.645e-3), (FATNET, 3136, 9.479e-5)],
)
def test_seconds_per_sample_of_fatnet(shapes: list[tuple[int, int]], batch: int, printed: float) -> None:
    layers = unique([conv(c, k, 32, 7, N=batch) for c, k in shapes])
    table = cost(params_of("optical4f_fatnet_2023"), *layers, tiling="batch")
    assert float(f"{optics_s(table) / batch:.3e}") == printed


# --- the worked layer ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tiling", "batch", "seconds"),
    [("none", 1, 8.192e-3), ("batch", 2442, 8.192e-3), ("kernel", 1, 64e-6), ("channel", 1, 2e-6)],
)
def test_frame_limited_times_of_the_worked_layer(tiling: str, batch: int, seconds: float) -> None:
    table = cost(worked(), LAYER.with_batch(batch), tiling=tiling)
    assert optics_s(table) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize(
    ("tiling", "roi", "seconds"),
    [
        ("none", "outputs", 8.192e-3),
        ("kernel", "outputs", 128 * 401408 / 77.824e9),
        ("channel", "window", 4 * 38 * 3136 / 77.824e9),
    ],
)
def test_readout_limited_times_of_the_worked_layer(tiling: str, roi: str, seconds: float) -> None:
    params = worked(camera__ideal_readout="false", camera__roi=roi).with_values({"camera.frame_hz": 1e12})
    table = cost(params, LAYER, tiling=tiling)
    assert optics_s(table) == pytest.approx(seconds, rel=1e-12)
    stages = {name: np.max(s) for name, s in table.stage_s.items() if not name.startswith("companion")}
    longest = max(stages, key=lambda name: float(stages[name]))
    inside = {r: float(s[0]) for r, s in table.resource_s.items() if table.stage_of[r] == longest}
    bound = max(inside, key=lambda name: inside[name])
    assert bound.endswith("readout") is (tiling != "none")


def test_a_whole_plane_takes_the_camera_107_us() -> None:
    table = cost(worked(camera__ideal_readout="false", camera__roi="plane"), LAYER, tiling="channel")
    assert optics_s(table) == pytest.approx(4 * 106.579e-6, rel=1e-5)


def test_energy_of_the_worked_layer() -> None:
    channel = cost(worked(camera__roi="window"), LAYER, tiling="channel")
    assert optics_j(channel) * 1e6 == pytest.approx(248.01, abs=0.01)
    assert optics_j(channel) * 1e15 / LAYER.macs == pytest.approx(1072.7, abs=0.1)
    tile = worked(input__drive="tiles", mask__drive="tiles", camera__roi="outputs")
    alone = cost(tile, LAYER, tiling="none")
    assert optics_j(alone) * 1e6 == pytest.approx(486.88, abs=0.01)
    batch = cost(worked(camera__roi="plane"), LAYER.with_batch(2442), tiling="batch")
    assert optics_j(batch) * 1e6 / 2442 == pytest.approx(497.17, abs=0.01)


def test_energy_parts_of_one_full_frame() -> None:
    table = cost(worked(camera__roi="plane"), conv(1, 1, 56), tiling="none", signs="nonnegative")
    microjoule = {name: float(table.energy_pj[name][0]) * 1e-6 for name in table.energy_pj}
    assert microjoule["input_dac"] == pytest.approx(29.623, abs=1e-3)
    assert microjoule["mask_dac"] == pytest.approx(29.623, abs=1e-3)
    assert microjoule["adc"] == pytest.approx(12.276, abs=1e-3)
    assert microjoule["laser"] == pytest.approx(2.5809, abs=1e-4)


def test_an_unchanged_mask_is_not_charged() -> None:
    params = params_of("optical4f")
    tiles = 67 * 37
    one = cost(params, conv(1, 1, 56, N=tiles), tiling="batch", signs="nonnegative")
    ten = cost(params, conv(1, 1, 56, N=10 * tiles), tiling="batch", signs="nonnegative")
    assert ten.energy_pj["mask_dac"][0] == one.energy_pj["mask_dac"][0]
    assert ten.energy_pj["input_dac"][0] == pytest.approx(10 * one.energy_pj["input_dac"][0])


def test_bench_power_and_bit_planes() -> None:
    params = params_of("optical4f_dmd_bench")
    assert params["bench.static_mw"] == 29_600
    table = cost(params, conv(1, 1, 28), tiling="none", signs="nonnegative")
    assert table.columns["frames"][0] == 4  # four binary planes read one by one
    assert table.columns["tiles"][0] == 66
    assert optics_s(table) == pytest.approx(4 * 0.5e-3)


def test_rows_of_a_mirror_device_set_its_frame_time() -> None:
    for rows, load_us, rate_hz in ((768.0, 30.72, 32552.1), (1080.0, 43.2, 23148.1)):
        values = {"plane.rows": rows, "input.frame_s": 0.0, "input.row_load_s": 16 / 400e6}
        period = float(modulator_period_s(params_of("optical4f_dmd_bench", values), "input"))
        assert period * 1e6 == pytest.approx(load_us, rel=1e-12)
        assert 1 / period == pytest.approx(rate_hz, abs=0.1)
    values = {"plane.rows": 1080.0, "input.frame_s": 0.0, "input.row_load_s": 16 / 400e6}
    binary = params_of("optical4f_li_gupta_2022", {**values, "mask.frame_s": 0.0}, signs__scheme="pn2")
    assert optics_s(cost(binary, LAYER, tiling="none")) == pytest.approx(0.7078, abs=1e-4)


# --- closed forms ----------------------------------------------------------------------------------------------


def test_converter_and_laser_laws() -> None:
    assert walden_fj_per_step(7.4, 5e9, 40.8) == pytest.approx(16.52, abs=5e-3)
    assert adc_pj(16.52, effective_bits(40.8)) == pytest.approx(1.48, abs=1e-3)
    assert waveguide_laser_mw(10, -25, 10, 8, 0.2) == pytest.approx(44.97, abs=5e-3)
    assert photon_energy_j(532.0) == pytest.approx(3.734e-19, rel=1e-4)
    assert [round(electrons_for_bits(b)) for b in (4, 6, 8)] == [384, 6138, 98175]


def test_geometry_of_the_lens() -> None:
    zone = fourier_zone_m(450e-9, 0.1, 7.6e-6)
    assert zone * 1e3 == pytest.approx(5.9211, abs=5e-5)
    assert zone / 7.6e-6 == pytest.approx(779.09, abs=5e-3)
    for values, pitch_um, metres in (
        (1024, 8, 0.1232),
        (2160, 8, 0.2598),
        (2160, 3.74, 0.0568),
        (1080, 10.8, 0.2368),
    ):
        assert matched_focal_length_m(values, pitch_um * 1e-6, 532e-9) == pytest.approx(metres, abs=5e-5)


def test_gain_of_a_shifted_mask() -> None:
    assert [round(shift_gain(k, 1, 64), 5) for k in (3, 7, 15)] == [0.99679, 0.98083, 0.91243]
    assert shift_gain(7, 0, 64) == 1.0


# --- placement, electronics, limits ----------------------------------------------------------------------------

SMALL = [
    conv(8, 16, 14),
    mac_layer("linear", "linear", K=192, C=64, P=49),
    mac_layer("scores", "matmul", G=3, K=49, C=64, P=49, static_weight=False),
    vector_layer("softmax", "softmax", x_elems=7203, y_elems=7203),
]


def test_light_takes_trained_convolutions_and_electronics_the_rest() -> None:
    table = cost(params_of("optical4f"), *SMALL)
    assert table.columns["placement"].tolist() == [0, 0, 1, 1]
    assert [table.labels["mode"][int(c)] for c in table.columns["mode"]][2:] == ["companion", "companion"]
    assert (table.columns["frames"][:2] > 0).all()
    assert (table.columns["frames"][2:] == 0).all()
    companion = sum(s for name, s in table.stage_s.items() if name.startswith("companion."))
    assert (np.asarray(companion) > 0).all()  # sums of the optical layers are not free either


def test_run_time_operands_on_the_light_pay_for_their_masks() -> None:
    params = params_of("optical4f")
    pinned = cost(params, SMALL[2], placement="optical")
    assert pinned.columns["mask_loads"][0] > 0
    assert pinned.latency_s[0] > cost(params, SMALL[2]).latency_s[0]


def test_auto_is_the_fastest_mode() -> None:
    params = params_of("optical4f")
    layers = unique(
        [conv(3, 64, 224, 7), conv(64, 128, 56), conv(512, 512, 7), conv(1, 1, 500), conv(2, 300, 28, 5)]
    )
    auto = cost(params, *layers)
    for mode in ("none", "batch", "kernel", "channel"):
        pinned = cost(params, *layers, tiling=mode)
        for name in ("new_mask", "same_mask"):
            assert name in pinned.stage_s
        optical = auto.stage_s["new_mask"] + auto.stage_s["same_mask"]
        assert (optical <= (pinned.stage_s["new_mask"] + pinned.stage_s["same_mask"]) * (1 + 1e-12)).all(), (
            mode
        )


def reasons(params: Params, *layers: Layer, rule: dict[str, str] | None = None) -> str:
    batch = LayerBatch.from_layers(layers)
    doc = MappingDoc(rules=(Rule("*", rule),)) if rule else MappingDoc()
    table = MODEL.estimate(batch, params, make_plan(batch, MODEL.choices, doc))
    return "\n".join(str(reason) for reason in violations(table.limits, batch.names))


@pytest.mark.parametrize("tiling", ["kernel", "channel"])
def test_amplitude_masks_refuse_arbitrary_kernels(tiling: str) -> None:
    text = reasons(params_of("optical4f_dmd_bench"), LAYER, rule={"tiling": tiling})
    assert "binary mask" in text
    assert "batch" in text


def test_magnitudes_refuse_electronic_sums() -> None:
    params = params_of("optical4f", signs__scheme="abs", signs__channel_scheme="abs")
    assert "64" in reasons(params, LAYER, rule={"tiling": "batch"})
    assert reasons(params, LAYER) == ""
    too_many = mac_layer("wide", "conv", K=2, C=3000, P=56, Q=56, R=3, S=3, padding=PAD)
    assert "partial sums" in reasons(params, too_many)


def test_other_refusals_say_what_would_fit() -> None:
    params = params_of("optical4f")
    assert "kernels of their own" in reasons(
        params, mac_layer("d", "depthwise_conv", G=8, P=8, Q=8, R=3, S=3), rule={"tiling": "shared"}
    )
    assert "not convolutions" in reasons(params, SMALL[3], rule={"placement": "optical"})
    alone = Params(params.kind, params.name, params.values, params.options)
    assert "companion" in reasons(alone, SMALL[3])
    wide = params_of("optical4f", {"plane.guard_values": 4000.0})
    assert "guard" in reasons(wide, LAYER)
    strict = params_of("optical4f", plane__split="false")
    assert "2,160" in reasons(strict, conv(1, 1, 3000))
    assert reasons(params, conv(1, 1, 3000)) == ""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mask.type": "amplitude"}, "arbitrary kernel"),
        ({"mask.type": "complex", "mask.encoding": "double_phase"}, "double_phase"),
        ({"detector.electrons": "30000 electrons"}, "full well"),
        ({"detector.electrons": "0 electrons"}, "above 0"),
    ],
)
def test_wrong_machines_are_refused(changes: dict[str, str], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        load_machine(ROOT / "arch" / "optical4f.yaml", changes)


def test_time_and_energy_never_fall_with_work() -> None:
    params = params_of("optical4f")
    for mode in ("none", "batch", "kernel", "channel"):
        grid = [conv(c, k, 28, kernel) for c in (1, 3, 17, 64) for k in (1, 5, 64) for kernel in (1, 3, 5)]
        table = cost(params, *unique(grid), tiling=mode)
        shape = (4, 3, 3)
        seconds = (table.stage_s["new_mask"] + table.stage_s["same_mask"]).reshape(shape)
        energy = sum(table.energy_pj[n] for n in ("input_dac", "mask_dac", "adc", "laser")).reshape(shape)  # type: ignore[union-attr]
        for axis in (0, 1):
            assert (np.diff(seconds, axis=axis) >= -1e-18).all(), mode
            assert (np.diff(energy, axis=axis) >= -1e-3).all(), mode
    slow = params_of("optical4f", {"input.frame_s": 1e-5})
    assert (cost(slow, LAYER).latency_s >= cost(params, LAYER).latency_s).all()


def test_sequential_frames_are_the_sum() -> None:
    one, two = params_of("optical4f"), params_of("optical4f", overlap="sequential")
    parts = cost(one, LAYER, tiling="channel")
    total = sum(float(np.sum(s)) for r, s in parts.resource_s.items() if not r.startswith("companion."))
    assert optics_s(cost(two, LAYER, tiling="channel")) == pytest.approx(total, rel=1e-12)


def test_equation_names_mode_and_frames() -> None:
    batch = LayerBatch.from_layers([LAYER])
    lines = MODEL.equation(batch, params_of("optical4f"), make_plan(batch, MODEL.choices))
    assert "mode = channel" in lines
    assert any(line.startswith("frames = ") for line in lines)


def test_the_camera_has_a_highest_frame_rate() -> None:
    table = cost(worked(camera__ideal_readout="false", camera__roi="outputs"), LAYER, tiling="none")
    assert optics_s(table) == pytest.approx(16384 / 1.75e6, rel=1e-12)
