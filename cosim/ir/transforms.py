"""Workload transforms: functions from a network to a network, named, parsed from text and composed in order.

A transform is written ``NAME``, ``NAME:VALUE`` or ``NAME:VALUE,KEY=VALUE``, e.g. ``prune_channels:0.5``,
``prune_tokens:0.7,blocks=4+7+10``, ``bits:w4a8``. Each changes sizes and edges only; what it does to the accuracy
of a trained network is not its business. The result carries the transforms in its name and its origin, and no
published counts, since those were of another network.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches

from cosim.ir.layer import Layer
from cosim.ir.ops import OpClass
from cosim.ir.transforms_base import Arguments, TransformError
from cosim.ir.transforms_channels import prune_channels
from cosim.ir.transforms_layers import bits, convsharevit, partial_conv, share_kernels, streaming
from cosim.ir.transforms_tokens import prune_tokens
from cosim.ir.workload import CoverageReport, OperatorCoverage, Workload

__all__ = [
    "TRANSFORMS",
    "Transform",
    "TransformError",
    "TransformInfo",
    "apply_transforms",
    "parse_transform",
    "split_reference",
]


@dataclass(frozen=True)
class TransformInfo:
    """A registered transform: the function, an example, one line of help, and its settings."""

    apply: Callable[[Workload, Arguments], tuple[Layer, ...]]
    example: str
    summary: str
    settings: tuple[str, ...] = ()


TRANSFORMS: Mapping[str, TransformInfo] = {
    "prune_channels": TransformInfo(
        prune_channels, "prune_channels:0.5", "keep this share of the channels of every inner layer"
    ),
    "prune_tokens": TransformInfo(
        prune_tokens, "prune_tokens:0.7,blocks=4+7+10",
        "keep this share of a transformer's tokens after some blocks, the others fused into one (EViT)",
        ("blocks", "fused", "drop"),
    ),
    "partial_conv": TransformInfo(
        partial_conv, "partial_conv:0.25", "dense spatial convolutions work on this share of their channels"
    ),
    "convsharevit": TransformInfo(
        convsharevit, "convsharevit:valid",
        "linear layers on tokens become convolutions whose kernels all tokens share", ("kernel",),
    ),
    "bits": TransformInfo(bits, "bits:w4a8", "stored width of weights and activations"),
    "share_kernels": TransformInfo(
        share_kernels, "share_kernels", "layers with weights of equal shape use those of the first of them", ("fetch",)
    ),
    "streaming": TransformInfo(
        streaming, "streaming:0.5", "windows overlap by this share of their rows: only new rows are computed"
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Transform:
    """One parsed transform; call it with a network to get another one."""

    arguments: Arguments

    def __str__(self) -> str:
        return str(self.arguments)

    def __call__(self, workload: Workload) -> Workload:
        """The transformed network; raises :class:`TransformError` where it does not apply."""
        layers = TRANSFORMS[self.arguments.name].apply(workload, self.arguments)
        done = [*str(workload.origin.get("transforms", "")).split(), str(self)]
        return replace(
            workload,
            name=f"{workload.name}+{self}",
            layers=layers,
            origin={**workload.origin, "transforms": " ".join(done)},
            published={},
            coverage=_coverage(workload.coverage, layers),
        )


def parse_transform(text: str) -> Transform:
    """``NAME[:VALUE][,KEY=VALUE...]`` as a transform; raises :class:`TransformError` with what is allowed."""
    name, _, rest = text.strip().partition(":")
    if name not in TRANSFORMS:
        near = get_close_matches(name, TRANSFORMS, n=1)
        hint = f"; nearest: {near[0]}" if near else ""
        raise TransformError(f"found the transform {name!r}, allowed {', '.join(TRANSFORMS)}{hint}")
    value, settings = "", {}
    for index, part in enumerate(rest.split(",") if rest else []):
        key, equals, setting = part.partition("=")
        if equals and key in TRANSFORMS[name].settings and key not in settings:
            settings[key] = setting
        elif index == 0 and not equals:
            value = part
        else:
            allowed = ", ".join(TRANSFORMS[name].settings) or "none"
            raise TransformError(f"{name}: found {part!r}, allowed a value first, then settings: {allowed}")
    return Transform(Arguments(name, value, settings))


def split_reference(text: str) -> tuple[str, tuple[str, ...]]:
    """(workload, transforms) of ``workload+transform+...``; a plus inside a setting (``blocks=4+7``) stays there."""
    pattern = rf"\+(?=(?:{'|'.join(TRANSFORMS)})(?:[:+]|$))"
    name, *transforms = re.split(pattern, text)
    return name, tuple(transforms)


def apply_transforms(workload: Workload, texts: Iterable[str]) -> Workload:
    """The network after every transform, in order; raises :class:`TransformError`."""
    for text in texts:
        workload = parse_transform(text)(workload)
    return workload


def _coverage(report: CoverageReport, layers: tuple[Layer, ...]) -> CoverageReport:
    """Coverage of the new layers: modelled and unknown operators counted again, what moves nothing as before."""
    counted: dict[tuple[str, str], list[Layer]] = {}
    for layer in layers:
        unknown = layer.op_class is OpClass.UNKNOWN
        key = (layer.module if unknown else layer.op, "unknown" if unknown else "modelled")
        counted.setdefault(key, []).append(layer)
    rows = tuple(
        OperatorCoverage(
            op, treatment, len(found), sum(x.macs for x in found), sum(x.bytes_moved for x in found)
        )
        for (op, treatment), found in counted.items()
    )
    return CoverageReport(rows + tuple(o for o in report.operators if o.treatment in ("alias", "folded")))
