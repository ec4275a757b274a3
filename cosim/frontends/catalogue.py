"""The shipped networks: how each is extracted, and the published counts that it is held against.

The counts are those of one image (one sequence). ``macs`` counts multiply-accumulates of convolutions and matrix
products, attention included. A source is a key of ``workloads/sources.yaml``.
"""

from __future__ import annotations

from dataclasses import dataclass

from cosim.ir.workload import Workload

ZOO = "cosim.frontends.zoo"


@dataclass(frozen=True)
class Published:
    """Published counts of one network; ``note`` says why a count differs or what it leaves out."""

    source: str
    macs: float | None = None
    params: float | None = None
    note: str = ""

    def block(self, workload: Workload) -> dict[str, float | str]:
        """The ``published`` block of a workload file: figures, our figure over each, source, note."""
        rows: dict[str, float | str] = {}
        for key, figure, ours in (
            ("macs", self.macs, workload.macs),
            ("params", self.params, workload.params),
        ):
            if figure is not None:
                rows[key] = figure
                rows[f"{key}_ratio"] = round(ours / figure, 4)
        rows["source"] = self.source
        if self.note:
            rows["note"] = self.note
        return rows


@dataclass(frozen=True)
class Entry:
    """One shipped network: model reference, input, published counts."""

    model: str
    input_shape: str
    published: Published


_IMAGE = "1x3x224x224"
_TV = "torchvision-models"

CATALOGUE: dict[str, Entry] = {
    "vit": Entry("hf:ViTConfig", _IMAGE, Published(_TV, 17.564e9, 86_567_656)),
    "resnet18": Entry(f"{ZOO}.resnet:resnet18", _IMAGE, Published(_TV, 1.814e9, 11_689_512)),
    "resnet50": Entry(f"{ZOO}.resnet:resnet50", _IMAGE, Published(_TV, 4.089e9, 25_557_032)),
    "mobilenet_v2": Entry(f"{ZOO}.mobilenet:mobilenet_v2", _IMAGE, Published(_TV, 0.301e9, 3_504_872)),
    "vgg16": Entry(f"{ZOO}.vgg:vgg16", _IMAGE, Published(_TV, 15.47e9, 138_357_544)),
    "alexnet": Entry(f"{ZOO}.alexnet:alexnet", _IMAGE, Published(_TV, 0.714e9, 61_100_840)),
}
