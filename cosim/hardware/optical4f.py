"""4f correlators: a lens, a Fourier mask, a lens; a camera reads convolutions of a whole plane of tiles.

Time counts frames and what a frame waits for (:mod:`cosim.components.optics_frames`); the tiling that says what
shares a frame is :mod:`cosim.mapping.optical_tiling`; modulators, converters, laser and camera are in
:mod:`cosim.components.optics`, memories in :mod:`cosim.components.memory`. What the light computes, and how well, is
the value model: :mod:`cosim.noise.optical`, :mod:`cosim.noise.optical_snr`.

Linear layers are 1x1 convolutions whose image is the tokens. Whatever light does not do (normalisation, activation,
softmax, sums over channels and sign passes, operands computed at run time) is executed by the companion machine
(:mod:`cosim.components.companion`), after the frames of its layer.

    energy = driven input px * E_DAC + driven mask px * converters * E_DAC + read px * E_ADC
             + lit px * electrons * E_laser + memory + companion + static power * latency       (Eq. 1)

A mask that did not change is not charged. Utilisation is counted against every pixel of the plane meeting a
kernel as large as the plane, rows^2 * columns^2 multiply-accumulates a frame: a bound of the light, which small
kernels use little of; layers of the companion show the companion's own utilisation.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import model_validator

from cosim.components import companion as inner
from cosim.components.companion import latency_s
from cosim.components.estimate import Action, EnergyTable, Estimate
from cosim.components.memory import memory_actions, memory_energies
from cosim.components.memory_spec import MemorySpec
from cosim.components.optics import (
    BenchSpec,
    CameraSpec,
    ConverterSpec,
    DetectorSpec,
    InputModulator,
    LaserSpec,
    MaskModulator,
    PlaneSpec,
    SignSpec,
    check_scheme,
    laser_pj_per_electron,
    modulator_period_s,
)
from cosim.components.optics_frames import frame_tilings, sides, stages, total_s
from cosim.components.optics_placement import Placed, limits_of, passes
from cosim.components.params import Params, Value
from cosim.components.tiling import Tilings
from cosim.hardware.base import MachineModel, model_of
from cosim.ir.batch import Array, LayerBatch
from cosim.mapping.optical_tiling import MODES, SCHEMES
from cosim.mapping.plan import Choices, Plan
from cosim.spec.base import Bits, Spec
from cosim.spec.machine import MachineSpec

_LABELS = (*MODES, "shared", "companion")
_ELECTRONIC = len(_LABELS) - 1


class OpticalDatapath(Spec):
    """Widths of operands on the modulators, of results from the camera, and of electronic sums."""

    x_bits: Bits
    """Width of an input value on its modulator."""
    w_bits: Bits
    """Width of a weight."""
    y_bits: Bits
    """Width of a result."""
    acc_bits: Bits
    """Width of an electronic sum."""


class Optical4fSpec(MachineSpec):
    """A 4f machine: two modulators, a laser, a camera, a memory that feeds them, and a companion."""

    kind: Literal["optical4f"]
    plane: PlaneSpec
    input: InputModulator
    mask: MaskModulator
    signs: SignSpec
    camera: CameraSpec
    detector: DetectorSpec
    laser: LaserSpec
    converters: ConverterSpec
    bench: BenchSpec
    memory: MemorySpec
    """Memory that feeds the modulators and takes what the camera reads."""
    datapath: OpticalDatapath
    overlap: Literal["pipelined", "sequential"] = "pipelined"
    """Whether modulation, exposure and readout of successive frames overlap."""

    @model_validator(mode="after")
    def _can_form_its_signs(self) -> Optical4fSpec:
        """A mask that holds no arbitrary kernel (amplitude, phase or binary without an encoding) takes one of the
        sign schemes abs, square and nonnegative."""
        check_scheme(self.mask, self.signs)
        return self


class Optical4fModel(MachineModel):
    """Frames by tiling mode, readout-limited time, conversion and light energy, electronics on a companion."""

    kind: ClassVar[str] = "optical4f"
    summary: ClassVar[str] = (
        "free-space 4f correlator: tiled frames, sign passes, camera readout, electronic companion"
    )
    spec: ClassVar[type[MachineSpec]] = Optical4fSpec
    choices: ClassVar[Choices] = {
        "placement": ("auto", "optical", "electronic"),
        "tiling": ("auto", *MODES, "shared"),
        "signs": ("machine", *SCHEMES),
        "stationary": ("weight", "input"),
    }
    cycle: ClassVar[str] = "one period of the input modulator (one plane of its bit depth)"
    leaves_out: ClassVar[tuple[str, ...]] = (
        "electronic sums of a layer start after its last frame; overlap with the frames is not modelled",
        "masks of trained weights are transformed once, offline; their storage is traffic, not capacity",
        "the square root of an intensity is a table look-up, one operation",
        "partly filled frames at the end of a layer last as long as full ones",
        "alignment, calibration and phase stability of a reference beam cost neither time nor energy",
        "layers of unknown kind: only their bytes are counted, on the companion",
    )
    holds: ClassVar[tuple[str, ...]] = (
        "coherent scalar light, thin lenses and a thin mask: spectra multiply exactly; wave propagation confirms it "
        "at critical sampling, f = N d^2 / lambda with pitch d, for an even number N of samples (odd ones are "
        "refused)",
        "input, mask and camera planes matched pixel to pixel; a tile and its guard must fit the plane: larger maps, "
        "and kernels above half the plane, are split and summed, or refused with `plane.split: false`",
        "a linear camera in the manner of EMVA 1288 whose photon budget is at most the full well",
        "a mask that is not complex and has no complex encoding holds no arbitrary kernel: kernel and channel tiling "
        "and the sign schemes that need one are refused",
        "a modulator of 3840 x 2160 pixels at 2 MHz, which `optical4f` takes from Li and Gupta (2022), has not been "
        "demonstrated in two dimensions, and no camera of that speed was found: the plane would deliver 16.6 Tpx/s, "
        "the fastest camera reads 77.8 Gpx/s (1280 x 800 at 76,000 frames a second), so readout is part of the time "
        "unless `camera.ideal_readout` leaves it out",
        "times and energies have not been held against a measured machine; the bench file takes rates and powers from "
        "print (Hu et al., 2022, doi:10.1002/lpor.202200213)",
    )

    def estimate(self, layers: LayerBatch, params: Params, plan: Plan) -> Estimate:
        """Counts for every layer; see the module."""
        placed = Placed(layers, params, plan)
        on = np.asarray(placed.optical, dtype=np.float64)
        frames = stages(placed.done, placed.moved, params, on)
        actions = {key: count * on for key, count in _actions(placed, params).items()}
        limits = limits_of(placed, layers, params)
        electronics = _companion(placed, layers, params)
        optics_s = total_s(placed.done, placed.moved, params) * on
        own_peak = np.asarray(layers.macs * on / self.peak_macs_per_s(params))
        if electronics is None:
            used = own_peak / np.maximum(optics_s, np.finfo(float).tiny)
            return Estimate(frames, actions, used, _columns(placed, layers), _words(), limits)
        after = inner.prefixed_stages(electronics)
        total = np.maximum(optics_s + latency_s(after), np.finfo(float).tiny)
        return Estimate(
            stages=(*frames, *after),
            actions={**actions, **inner.prefixed_actions(electronics)},
            utilization=own_peak / total + electronics.utilization * (1.0 - on),
            columns=_columns(placed, layers),
            labels=_words(),
            limits=(*limits, *electronics.limits),
        )

    def tilings(self, layers: LayerBatch, params: Params, plan: Plan, estimate: Estimate) -> Tilings:
        """A tile is a frame: its operands leave the memory, the modulators settle, light falls, the camera reads."""
        columns = estimate.columns
        found = frame_tilings(estimate.stages, columns["frames"], columns["mask_loads"])
        part = params.parts.get("companion")
        if part is None:
            return found
        placed = Placed(layers, params, plan)
        seen, choices = _companion_layers(placed, layers, params), model_of(part.kind).choices
        own = inner.default_plan(seen, choices)
        model = model_of(part.kind)
        return found.with_companion(
            model.tilings(seen, part, own, model.estimate(seen, part, own)), inner.PREFIX
        )

    def energies(self, params: Params) -> EnergyTable:
        """Eq. 1 of the module."""
        memory = memory_energies(params, "memory", "memory")
        dac = params["converters.dac_pj"]
        actions: dict[Action, Value] = {
            ("input_dac", "conversion"): dac,
            ("mask_dac", "conversion"): dac,
            ("adc", "conversion"): params["converters.adc_pj"],
            ("laser", "electron"): laser_pj_per_electron(params),
            **memory.action_pj,
        }
        static: dict[str, Value] = {"bench": params["bench.static_mw"], **memory.static_mw}
        if "companion" in params.parts:
            part = params.parts["companion"]
            more, power = inner.prefixed_energies(model_of(part.kind).energies(part))
            actions, static = {**actions, **more}, {**static, **power}
        return EnergyTable(actions, static)

    def cycle_hz(self, params: Params) -> Value:
        """Planes of the input modulator per second."""
        return 1.0 / modulator_period_s(params, "input")

    def peak_macs_per_s(self, params: Params) -> Value:
        """Every pixel of the plane with a kernel as large as the plane, a frame a cycle."""
        rows, columns = sides(params)
        return (rows * columns) ** 2 * self.cycle_hz(params)

    def bandwidth_bytes_per_s(self, params: Params) -> Value | None:
        """Bandwidth of the memory that feeds the modulators, if it is stated."""
        path = "memory.bandwidth_bytes_per_s"
        return params[path] if params.has(path) else None

    def equation(self, layers: LayerBatch, params: Params, plan: Plan) -> tuple[str, ...]:
        """Frames, pixels and times of one layer with their numbers."""
        from cosim.components.optics_text import equation_lines

        placed = Placed(layers, params, plan)
        if not placed.optical[0]:
            part = params.parts.get("companion")
            if part is None:
                return (f"{layers.names[0]} = electronic, and the machine names no companion",)
            model = model_of(part.kind)
            lines = model.equation(layers, part, inner.default_plan(layers, model.choices))
            return (f"placement = companion {part.name}", *lines)
        word = _LABELS[int(_mode_codes(placed)[..., 0].flat[0])]
        return equation_lines(word, placed.geo, placed.done, placed.moved, params)


def _actions(placed: Placed, params: Params) -> dict[Action, Array]:
    moved = placed.moved
    return {
        ("input_dac", "conversion"): moved.input_px,
        ("mask_dac", "conversion"): moved.mask_px * params["mask.converters_per_pixel"],
        ("adc", "conversion"): moved.read_px,
        ("laser", "electron"): moved.lit_px * params["detector.electrons"],
        **memory_actions(
            params, "memory", "memory", moved.memory_read_bytes * 8, moved.memory_write_bytes * 8
        ),
    }


def _companion(placed: Placed, layers: LayerBatch, params: Params) -> Estimate | None:
    """What electronics does: whole layers, and sums, roots and run-time masks of the optical ones.

    A read output costs a root (look-up) and an addition; a mask computed at run time costs a transform of the
    plane, 5 A log2 A operations.
    """
    part = params.parts.get("companion")
    if part is None:
        return None
    model = model_of(part.kind)
    seen = _companion_layers(placed, layers, params)
    return model.estimate(seen, part, inner.default_plan(seen, model.choices))


def _companion_layers(placed: Placed, layers: LayerBatch, params: Params) -> LayerBatch:
    """The layers as the companion sees them."""
    done = placed.done
    useful = done.maps * (layers.P * layers.Q) / placed.geo.segments
    rows, columns = sides(params)
    area = rows * columns
    transforms = done.mask_loads * np.where(layers.static_weight, 0.0, 1.0)
    added = 2.0 * useful + transforms * (5.0 * area * np.log2(area))
    return inner.companion_layers(layers, placed.optical, added, useful, layers.y_elems)


def _mode_codes(placed: Placed) -> Array:
    """Codes into the words of the column ``mode``."""
    batch = MODES.index("batch")
    shared = placed.share & (placed.code == batch)
    return np.where(placed.optical, np.where(shared, len(MODES), placed.code), _ELECTRONIC)


def _words() -> dict[str, tuple[str, ...]]:
    return {"mode": _LABELS, "placement": ("optical", "electronic")}


def _columns(placed: Placed, layers: LayerBatch) -> dict[str, Array]:
    on = np.asarray(placed.optical, dtype=np.float64)
    done, moved, geo = placed.done, placed.moved, placed.geo
    plain, channel = passes(placed.scheme).passes, passes(placed.channel_scheme).passes
    return {
        "mode": _mode_codes(placed),
        "placement": 1.0 - on,
        "frames": done.frames * on,
        "mask_loads": done.mask_loads * on,
        "tiles": geo.tiles * on,
        "sign_passes": np.where(placed.code == MODES.index("channel"), channel, plain) * on,
        "read_pixels": moved.read_px * on,
        "driven_pixels": (moved.input_px + moved.mask_px) * on,
        "dram_read_bytes": moved.memory_read_bytes * on,
        "dram_write_bytes": moved.memory_write_bytes * on,
    }


MODEL = Optical4fModel()
