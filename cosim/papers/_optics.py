"""What the rows of the optical papers share: layers given by channels, and the time of their frames alone."""

from __future__ import annotations

import numpy as np

from cosim.components.params import Params
from cosim.engine import load_arch
from cosim.hardware.optical4f import MODEL
from cosim.ir.batch import LayerBatch
from cosim.ir.layer import Layer, mac_layer
from cosim.mapping.plan import MappingDoc, make_plan

Channels = tuple[tuple[int, int], ...]

VGG16: Channels = (
    (3, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 256), (256, 512),
    (512, 512), (512, 512), (512, 512), (512, 512), (512, 512),
)  # fmt: skip


def same_conv(name: str, channels: int, filters: int, side: int, kernel: int = 3, images: int = 1) -> Layer:
    """A square "same" convolution of stride 1."""
    before = (kernel - 1) // 2
    after = kernel - 1 - before
    return mac_layer(
        name, "conv", N=images, C=channels, K=filters, P=side, Q=side, R=kernel, S=kernel, H=side, W=side,
        padding=(before, before, after, after),
    )  # fmt: skip


def network(shapes: Channels, side: int = 8, kernel: int = 3, images: int = 1) -> LayerBatch:
    """Convolutions of the given (input, output) channels, all of one size."""
    return LayerBatch.from_layers(
        same_conv(f"conv{i}", c, k, side, kernel, images) for i, (c, k) in enumerate(shapes)
    )


def preset(name: str) -> Params:
    """Numbers of a shipped machine."""
    return load_arch(name).params


def frames(layers: LayerBatch, params: Params, tiling: str) -> float:
    """Frames of all layers in one tiling mode."""
    plan = make_plan(layers, MODEL.choices, MappingDoc(defaults={"tiling": tiling}))
    return float(np.sum(MODEL.estimate(layers, params, plan).columns["frames"]))


def frame_time_s(layers: LayerBatch, params: Params, tiling: str) -> float:
    """Time of the frames of all layers, without the electronic companion."""
    plan = make_plan(layers, MODEL.choices, MappingDoc(defaults={"tiling": tiling}))
    estimate = MODEL.estimate(layers, params, plan)
    own = [stage for stage in estimate.stages if not stage.name.startswith("companion.")]
    return float(sum(np.sum(np.max(np.broadcast_arrays(*stage.resources.values()), axis=0)) for stage in own))


def images_on_plane(layer: Layer, params: Params) -> int:
    """Most images of a layer that share the frames one image needs in batch tiling."""
    alone = frames(LayerBatch.from_layers([layer]), params, "batch")

    def fits(images: int) -> bool:
        return frames(LayerBatch.from_layers([layer.with_batch(images)]), params, "batch") == alone

    high = 2
    while fits(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
