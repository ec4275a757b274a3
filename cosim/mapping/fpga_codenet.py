"""CoDeNet on its accelerator: the calls of a network, their operations, and the stages of a call.

One call runs a 1 x 1 convolution (16 x 16 multipliers), a quantiser, a line buffer and a 3 x 3 depthwise,
possibly deformable, convolution (16 x 9) as a dataflow pipeline; either convolution can be bypassed. Channels are
padded to 16 and calls of more than 512 output channels are cut. With px input and out output positions, c_i and
c_o words of 16 channels, and d cycles to flush a loop's pipeline (loops are not flattened), the stages take

    pointwise = px * (c_i + d) + px * c_o * (c_i + d)                                          (eq. 1)
    lines     = px * (c + d) + out * (2 c + d)                                                 (eq. 2)
    depthwise = out * (c + 1 + d)                                                              (eq. 3)
    memory    = max(px * c_i, out * c_o)             one 16-byte word a cycle and port         (eq. 4)
    call      = (max of the stages + weights / 32) / clock + overhead                          (eq. 5)

where c is c_o behind a 1 x 1 convolution and c_i without one; weights of 4 bits come 32 to a 128-bit word.

Source: the authors' board notebook and HLS code, github.com/hqjenny/CoDeNet (commit 4c98b0c,
doi:10.5281/zenodo.4341394); Huang et al., FPGA 2021, doi:10.1145/3431920.3439295. The depth d is in no report:
it is an input, and fitted to the three network times it is 12.25 cycles with 95 us a call.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cosim.components.params import Value
from cosim.ir.batch import Array

LANES = 16
MAX_FILTERS = 512
STAGE_REPEATS = (3, 7, 3)
DEFORM_FILTERS = (256, 128, 128)
HEADS = (80, 2, 2)


def _padded(channels: int) -> int:
    return -(-channels // LANES) * LANES


@dataclass(frozen=True)
class Call:
    """One start of the accelerator; channels already padded."""

    size: int
    channels: int
    filters: int
    stride: int
    pointwise: bool
    depthwise: bool
    deform: bool = False

    @property
    def operations(self) -> float:
        """Operations as the authors' notebook counts them (two a multiply-accumulate)."""
        area = self.size * self.size / (self.stride * self.stride)
        return 2.0 * area * self.channels * (9.0 * self.depthwise + self.filters * self.pointwise)


def _calls(
    size: int,
    channels: int,
    filters: int,
    stride: int,
    pointwise: bool,
    depthwise: bool,
    deform: bool = False,
) -> list[Call]:
    """One layer as calls of at most 512 filters; without the 1 x 1 convolution the input is cut as well."""
    calls = []
    while filters > MAX_FILTERS:
        used = channels if pointwise else MAX_FILTERS
        calls.append(Call(size, _padded(used), MAX_FILTERS, stride, pointwise, depthwise, deform))
        filters -= MAX_FILTERS
        channels -= 0 if pointwise else MAX_FILTERS
    calls.append(Call(size, _padded(channels), _padded(filters), stride, pointwise, depthwise, deform))
    return calls


def network_calls(width: int, size: int) -> tuple[Call, ...]:
    """The calls of a network of ``width`` 1 or 2 on an accelerator input of ``size`` x ``size`` x 32.

    ShuffleNetV2 stages, a 1 x 1 convolution, three blocks of a deformable convolution with 2x upsampling, heads.
    """
    if width not in (1, 2):
        raise ValueError(f"found width {width}, allowed 1 or 2")
    channels = (32, *(width * c for c in (128, 256, 512, 1024)))
    calls: list[Call] = []
    for index, repeats in enumerate(STAGE_REPEATS):
        first, half = channels[index], channels[index + 1] // 2
        calls += _calls(size, first, first, 2, False, True)
        calls += _calls(size // 2, first, half, 1, True, False)
        calls += _calls(size, first, half, 2, True, True)
        calls += _calls(size // 2, half, half, 1, True, False)
        size //= 2
        for _ in range(repeats):
            calls += _calls(size, half, half, 1, True, True)
            calls += _calls(size, half, half, 1, True, False)
    calls += _calls(size, channels[3], channels[4], 1, True, False)
    planes = channels[4]
    for filters in DEFORM_FILTERS:
        calls += _calls(size, planes, 1, 1, True, False)
        calls += _calls(size, planes, planes, 1, False, True, deform=True)
        if planes != filters:
            calls += _calls(size, planes, filters, 1, True, False)
        planes, size = filters, 2 * size
    for head in HEADS:
        calls += _calls(size, planes, head, 1, True, True)
    return tuple(calls)


def giga_operations(calls: tuple[Call, ...]) -> float:
    """Operations of a network in units of 10^9."""
    return sum(call.operations for call in calls) / 1e9


@dataclass(frozen=True)
class StageCycles:
    """Cycles of the stages of calls (eq. 1 to 4) and of loading their weights."""

    pointwise: Array
    lines: Array
    depthwise: Array
    memory: Array
    weights: Array

    @property
    def total(self) -> Array:
        """The slowest stage after the weights."""
        longest = np.maximum(np.maximum(self.pointwise, self.lines), np.maximum(self.depthwise, self.memory))
        return np.asarray(longest + self.weights)


def stage_cycles(
    px: Array,
    out: Array,
    channels: Array,
    filters: Array,
    pointwise: Array,
    depthwise: Array,
    depth: Value,
    gather_cycles: Array | float = 1.0,
) -> StageCycles:
    """Eq. 1 to 4 for calls as arrays; ``pointwise`` and ``depthwise`` are 0 or 1, ``channels`` are padded.

    ``gather_cycles``: cycles that the nine samples of one group take of the line buffer.
    """
    ci, co = channels / LANES, filters / LANES
    mid = np.where(pointwise > 0, co, ci)
    return StageCycles(
        pointwise=np.asarray(pointwise * px * (1.0 + co) * (ci + depth)),
        lines=np.asarray(depthwise * (px * (mid + depth) + out * (2.0 * mid + depth))),
        depthwise=np.asarray(depthwise * out * (mid * gather_cycles + 1.0 + depth)),
        memory=np.maximum(px * ci, out * np.where(pointwise > 0, co, mid)),
        weights=np.asarray(pointwise * channels * filters / 32.0),
    )


def calls_s(calls: tuple[Call, ...], depth: Value, overhead_s: Value, clock_hz: Value) -> Array:
    """Time of every call (eq. 5), shape (calls,) or (points, calls)."""
    px = np.array([float(call.size**2) for call in calls])
    stride = np.array([float(call.stride**2) for call in calls])
    columns = {
        name: np.array([float(getattr(call, name)) for call in calls])
        for name in ("channels", "filters", "pointwise", "depthwise")
    }
    cycles = stage_cycles(px, px / stride, **columns, depth=depth).total
    return np.asarray(cycles / clock_hz + overhead_s)


@dataclass(frozen=True)
class Configuration:
    """A published configuration: accelerator input, width, and what the processor does first, as measured."""

    name: str
    width: int
    size: int
    first_layer_ms: float
    accelerator_conv_ms: float
    other_ms: float
    total_ms: float
    published_hz: float
    ap50: float


CONFIGURATIONS = {
    c.name: c
    for c in (
        Configuration("a", 1, 64, 1.8, 19.726, 0.563 + 0.123 + 4.858, 27.114, 32.2, 51.1),
        Configuration("b", 1, 64, 7.9, 19.799, 0.521 + 0.124 + 4.867, 33.242, 26.9, 55.1),
        Configuration("c", 1, 128, 5.0, 65.977, 3.505 + 0.142 + 20.069, 94.742, 9.3, 61.7),
        Configuration("d", 2, 128, 5.0, 124.250, 2.711 + 0.179 + 40.452, 172.637, 5.2, 67.1),
        Configuration("e", 2, 128, 30.4, 124.005, 2.501 + 0.194 + 40.149, 197.293, 4.6, 69.7),
    )
}
"""Board log of the artefact (milliseconds) and the published frame rates and accuracies (VOC AP50)."""
