"""From a machine and a layer to the light that computes it: the tiling of the cost model, read by the value model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cosim.components.optics import light_j_per_electron
from cosim.components.optics_frames import plane_of
from cosim.components.optics_placement import Placed
from cosim.components.params import Params
from cosim.hardware.optical4f import MODEL
from cosim.ir.batch import LayerBatch
from cosim.ir.layer import Layer
from cosim.mapping.feasibility import InfeasibleError, violations
from cosim.mapping.optical_tiling import MODES, SCHEMES, Geometry, block_shapes
from cosim.mapping.plan import MappingDoc, make_plan
from cosim.noise.optical import Setup
from cosim.noise.optical_snr import Pixel, pixel_of


@dataclass(frozen=True)
class Imperfections:
    """What an experiment varies on top of the machine file; None keeps the machine's own value.

    ``electrons`` at unit amplitude (infinity: no noise and no converter), ``camera_bits``, ``modulator_bits`` of
    input and mask, mask shift in pixels, fill factor of the mask.
    """

    electrons: float | None = None
    camera_bits: float | None = None
    modulator_bits: float | None = None
    shift_px: tuple[float, float] = (0.0, 0.0)
    fill_factor: float = 1.0


PERFECT = Imperfections(electrons=np.inf, modulator_bits=np.inf)


def _block_columns(channels: float, geo: Geometry) -> int:
    """Tiles a row of the block that holds the most filters a frame."""
    one = np.array([channels])
    best, columns = -1.0, 1.0
    for rows, wide in block_shapes(one, geo):
        count = float((np.floor(geo.tiles_h / rows) * np.floor(geo.tiles_w / wide)).flat[0])
        if count > best:
            best, columns = count, float(wide.flat[0])
    return int(columns)


def _pixel(params: Params, placed: Placed, change: Imperfections) -> Pixel:
    frames = float(placed.done.frames.flat[0])
    lit_px = float(placed.moved.lit_px.flat[0]) / frames
    electrons = float(params["detector.electrons"]) if change.electrons is None else change.electrons
    per_s = float(params["laser.delivered_j_per_s"]) / float(light_j_per_electron(params))
    full_well = float(params["detector.full_well_electrons"])
    own = pixel_of(params, exposure_s=min(electrons, full_well) * lit_px / per_s)
    if np.isinf(electrons):
        return Pixel(np.inf)
    bits = own.bits if change.camera_bits is None else change.camera_bits
    return Pixel(electrons, own.read_electrons, own.dark_electrons, full_well, bits)


def setup_for(
    layer: Layer, params: Params, change: Imperfections = PERFECT, mapping: MappingDoc | None = None
) -> Setup | None:
    """How ``layer`` meets the light of the machine ``params``, or None if the companion computes it.

    Mode, sign scheme, tiles and pitch are those that the cost model chose for the layer.

    Raises
    ------
    InfeasibleError
        The cost model refuses the layer.
    ValueError
        The mask holds no arbitrary kernel, so that trained weights have no value on it.
    """
    batch = LayerBatch.from_layers([layer])
    plan = make_plan(batch, MODEL.choices, mapping)
    refused = violations(MODEL.estimate(batch, params, plan).limits, batch.names)
    if refused:
        raise InfeasibleError(refused)
    placed = Placed(batch, params, plan)
    if not placed.optical[0]:
        return None
    if not placed.any_kernel:
        raise ValueError(
            f"values of {params.name}: found a {params.option('mask.type')} mask, which is trained in the Fourier "
            "domain; allowed a complex mask or a complex encoding"
        )
    channel = int(np.ravel(placed.code)[0]) == MODES.index("channel")
    optical_sum = channel and float(placed.geo.tiles.flat[0]) >= layer.C
    scheme = (placed.channel_scheme if channel else placed.scheme)[0]
    bits = change.modulator_bits
    plane = plane_of(params)
    return Setup(
        optical_sum=optical_sum,
        scheme=list(SCHEMES)[int(scheme)],
        pixel=_pixel(params, placed, change),
        x_bits=float(params["datapath.x_bits"]) if bits is None else bits,
        mask_bits=float(params["mask.bits"]) if bits is None else bits,
        shift_px=change.shift_px,
        fill_factor=change.fill_factor,
        plane=(int(np.ravel(plane.rows)[0]), int(np.ravel(plane.columns)[0])),
        pitch=(int(placed.geo.pitch_h.flat[0]), int(placed.geo.pitch_w.flat[0])),
        block_columns=_block_columns(layer.C, placed.geo),
    )
