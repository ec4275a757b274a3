"""The shipped networks: how each is extracted, and the published counts that it is held against.

The counts are those of one image (one sequence). ``macs`` counts multiply-accumulates of convolutions and matrix
products, attention included. A source is a key of ``workloads/sources.yaml``.
"""

from __future__ import annotations

from dataclasses import dataclass

from cosim.ir.ops import OpClass
from cosim.ir.workload import Workload

_CONVOLUTIONS = (OpClass.CONV, OpClass.DEPTHWISE_CONV, OpClass.TRANSPOSED_CONV, OpClass.DEFORM_CONV)
ZOO = "cosim.frontends.zoo"


@dataclass(frozen=True)
class Published:
    """Published counts of one network; ``note`` says why a count differs or what it leaves out.

    ``conv_count`` is the measure of the FatNet papers, see :func:`conv_count`.
    """

    source: str
    macs: float | None = None
    params: float | None = None
    note: str = ""
    conv_count: float | None = None

    def block(self, workload: Workload) -> dict[str, float | str]:
        """The ``published`` block of a workload file: figures, our figure over each, source, note."""
        rows: dict[str, float | str] = {}
        for key, figure, ours in (
            ("macs", self.macs, workload.macs),
            ("params", self.params, workload.params),
            ("conv_count", self.conv_count, conv_count(workload)),
        ):
            if figure is not None:
                rows[key] = round(figure)
                rows[f"{key}_ratio"] = round(ours / figure, 4)
        rows["source"] = self.source
        if self.note:
            rows["note"] = self.note
        return rows


def conv_count(workload: Workload) -> int:
    """Two-dimensional convolutions of single planes: sum over convolutions of input times output channels.

    The measure of a 4f processor that takes one frame for each pair of channels (Ibadulla et al., AI 4(2), 2023).
    """
    return sum(layer.G * layer.C * layer.K for layer in workload if layer.op_class in _CONVOLUTIONS)


@dataclass(frozen=True)
class Entry:
    """One shipped network: model reference, input, published counts."""

    model: str
    input_shape: str
    published: Published


_IMAGE = "1x3x224x224"
_TV = "torchvision-models"

_AUX = "the published parameters include the auxiliary classifier (3,326,696), which only training uses"
_THOP = "parameters from the float32 size (MiB / 4 bytes); the published counter adds normalisation, rounds to 10 M"
_CHOICES = "neither layers nor counts are published; the choices made are in the definition"

CATALOGUE: dict[str, Entry] = {
    "vit": Entry("hf:ViTConfig", _IMAGE, Published(_TV, 17.564e9, 86_567_656)),
    "deit_tiny": Entry(
        "hf:ViTConfig?hidden_size=192,num_attention_heads=3,intermediate_size=768",
        _IMAGE,
        Published("timm-results", 1.26e9, 5.72e6, "published with three digits"),
    ),
    "swin_tiny": Entry("hf:SwinConfig", _IMAGE, Published(_TV, 4.491e9, 28_288_354)),
    "swin_base": Entry(
        "hf:SwinConfig?embed_dim=128,depths=[2,2,18,2],num_heads=[4,8,16,32]",
        _IMAGE,
        Published(_TV, 15.431e9, 87_768_224),
    ),
    "mobilevit_xxs": Entry(
        "hf:MobileViTConfig?hidden_sizes=[64,80,96],neck_hidden_sizes=[16,16,24,48,64,80,320],expand_ratio=2.0",
        "1x3x256x256",
        Published(
            "mehta-2022-mobilevit",
            0.42e9,
            1.27e6,
            "GFLOPs with two digits, of a counter (mmengine) that adds two operations an element of a batch norm, "
            "five of a layer norm",
        ),
    ),
    "convnext_tiny": Entry("hf:ConvNextConfig", _IMAGE, Published(_TV, 4.456e9, 28_589_128)),
    "resnet18": Entry(f"{ZOO}.resnet:resnet18", _IMAGE, Published(_TV, 1.814e9, 11_689_512)),
    "resnet50": Entry(f"{ZOO}.resnet:resnet50", _IMAGE, Published(_TV, 4.089e9, 25_557_032)),
    "mobilenet_v2": Entry(f"{ZOO}.mobilenet:mobilenet_v2", _IMAGE, Published(_TV, 0.301e9, 3_504_872)),
    "vgg16": Entry(f"{ZOO}.vgg:vgg16", _IMAGE, Published(_TV, 15.47e9, 138_357_544)),
    "alexnet": Entry(f"{ZOO}.alexnet:alexnet", _IMAGE, Published(_TV, 0.714e9, 61_100_840)),
    "inception_v3": Entry(
        f"{ZOO}.inception:inception_v3", "1x3x299x299", Published(_TV, 5.713e9, 27_161_264, _AUX)
    ),
    "squeezebert": Entry(
        "hf:SqueezeBertConfig",
        "input_ids:1x128:int64",
        Published(
            "iandola-2020-squeezebert",
            3.71e9,
            51.1e6,
            "published as 7.42 GFLOPs, two for each multiply-accumulate",
        ),
    ),
    "gpt2": Entry(
        "hf:GPT2LMHeadModel",
        "input_ids:1x128:int64",
        Published("radford-2019-gpt2", None, 124e6, "input and output embedding share their weights"),
    ),
    "convsharevit": Entry(
        f"{ZOO}.convsharevit:convsharevit",
        "1x3x72x72",
        Published("ibadulla-2025-convsharevit", note=_CHOICES),
    ),
    "convsharevit_same": Entry(
        f"{ZOO}.convsharevit:convsharevit?padding=same",
        "1x3x72x72",
        Published("ibadulla-2025-convsharevit", note=_CHOICES),
    ),
    "fatnet": Entry(
        f"{ZOO}.fatnet:fatnet",
        "1x3x32x32",
        Published("ibadulla-2023-fatnet", conv_count=148_637, note="conv_count without the last layer"),
    ),
    "fatnet_resnet18": Entry(
        f"{ZOO}.fatnet:fatnet_resnet18",
        "1x3x32x32",
        Published(
            "ibadulla-2023-fatnet", conv_count=1_220_800, note="conv_count without the fully connected layer"
        ),
    ),
    "codenet_b": Entry(
        f"{ZOO}.codenet:codenet_b", "1x3x256x256", Published("dong-2021-codenet", 0.29e9, 6.06 * 2**18, _THOP)
    ),
    "codenet_d": Entry(
        f"{ZOO}.codenet:codenet_d", "1x3x512x512", Published("dong-2021-codenet", 3.54e9, 23.2 * 2**18, _THOP)
    ),
    "fasternet_t0": Entry(
        f"{ZOO}.fasternet:fasternet_t0", _IMAGE, Published("chen-2023-fasternet", 0.34e9, 3.9e6)
    ),
    "fasternet_l": Entry(
        f"{ZOO}.fasternet:fasternet_l", _IMAGE, Published("chen-2023-fasternet", 15.49e9, 93.4e6)
    ),
}
