"""Layers to time on the user's own machine, and how to run each in PyTorch.

The shapes are of ResNet-50, MobileNet-v2, ConvNeXt-T, DeiT-Ti and ViT-B at 224 x 224: dense, pointwise, depthwise
and first convolutions, matrix products, and what lies between them. Rows have the columns that ``cosim check`` reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

COLUMNS = (
    *("model", "layer", "op", "runtime", "layout", "dtype", "threads", "cache", "device"),
    *("N", "Ci", "Co", "Hi", "Wi", "K", "S", "P", "G", "Ho", "Wo", "B", "M", "Nout"),
    *("median_ms", "p10_ms", "p90_ms", "n"),
)
# model, layer, channels in and out, rows and columns in, kernel, stride, padding, groups
_CONVOLUTIONS = (
    ("resnet50", "conv1", 3, 64, 224, 7, 2, 3, 1),
    ("resnet50", "layer1.0.conv2", 64, 64, 56, 3, 1, 1, 1),
    ("resnet50", "layer1.0.conv3", 64, 256, 56, 1, 1, 0, 1),
    ("resnet50", "layer2.1.conv2", 128, 128, 28, 3, 1, 1, 1),
    ("resnet50", "layer3.1.conv1", 1024, 256, 14, 1, 1, 0, 1),
    ("resnet50", "layer3.1.conv2", 256, 256, 14, 3, 1, 1, 1),
    ("resnet50", "layer4.1.conv2", 512, 512, 7, 3, 1, 1, 1),
    ("mobilenet_v2", "f1.dw", 32, 32, 112, 3, 1, 1, 32),
    ("mobilenet_v2", "f4.dw", 144, 144, 56, 3, 2, 1, 144),
    ("mobilenet_v2", "f12.dw", 576, 576, 14, 3, 1, 1, 576),
    ("mobilenet_v2", "f18.conv", 320, 1280, 7, 1, 1, 0, 1),
    ("convnext_tiny", "s2.dw7", 192, 192, 28, 7, 1, 3, 192),
)
# model, layer, tokens, inputs, outputs
_LINEARS = (
    ("deit_tiny", "qkv", 197, 192, 576),
    ("deit_tiny", "fc1", 197, 192, 768),
    ("vit_base", "proj", 197, 768, 768),
    ("vit_base", "fc1", 197, 768, 3072),
    ("resnet50", "fc", 1, 2048, 1000),
)
# model, layer, operator, heads, rows, columns, depth
_PRODUCTS = (("vit_base", "attn.qk", 12, 197, 197, 64), ("vit_base", "attn.av", 12, 197, 64, 197))
_PLANES = (("resnet50", "layer1.relu", "relu", 256, 56), ("resnet50", "layer1.add", "add", 256, 56))
_ROWS = (
    ("vit_base", "softmax", "softmax", 12, 197, 197),
    ("vit_base", "layernorm", "layernorm", 1, 197, 768),
    ("vit_base", "gelu", "gelu", 1, 197, 3072),
)

Row = dict[str, Any]


def rows(batch: int = 1) -> Iterator[Row]:
    """Shapes to time, as rows of the table without times; ``batch`` images at once."""
    for model, layer, c_in, c_out, size, kernel, stride, padding, groups in _CONVOLUTIONS:
        out = (size + 2 * padding - kernel) // stride + 1
        named = _named(model, layer, "dwconv" if groups == c_in else "conv")
        window = {"K": kernel, "S": stride, "P": padding, "G": groups}
        yield (
            named
            | {"N": batch, "Ci": c_in, "Co": c_out, "Hi": size, "Wi": size, "Ho": out, "Wo": out}
            | window
        )
    for model, layer, tokens, depth, cols in _LINEARS:
        yield _named(model, layer, "linear") | {"M": batch * tokens, "K": depth, "Nout": cols}
    for model, layer, heads, tokens, cols, depth in _PRODUCTS:
        yield _named(model, layer, "bmm") | {"B": batch * heads, "M": tokens, "Nout": cols, "K": depth}
    for model, layer, op, channels, size in _PLANES:
        plane = {"Hi": size, "Wi": size, "Ho": size, "Wo": size}
        yield _named(model, layer, op) | {"N": batch, "Ci": channels, "Co": channels} | plane
    for model, layer, op, heads, tokens, width in _ROWS:
        yield _named(model, layer, op) | {"B": batch * heads, "M": tokens, "Nout": width}


def _named(model: str, layer: str, op: str) -> Row:
    return {"model": model, "layer": layer, "op": op}


def callable_of(row: Row, device: str, dtype: str, layout: str) -> Callable[[], Any]:
    """A call without arguments that runs the layer once on ``device`` ("cpu" or "cuda")."""
    import torch
    from torch.nn import functional as F

    kind = {"fp32": torch.float32, "fp16": torch.float16}[dtype]
    memory = torch.channels_last if layout == "nhwc" else torch.contiguous_format

    def tensor(*shape: int) -> torch.Tensor:
        made = torch.randn(*shape, dtype=kind, device=device)
        return made.to(memory_format=memory) if len(shape) == 4 else made

    op = row["op"]
    if op in ("conv", "dwconv"):
        x = tensor(row["N"], row["Ci"], row["Hi"], row["Wi"])
        w = tensor(row["Co"], row["Ci"] // row["G"], row["K"], row["K"])
        stride, padding, groups = row["S"], row["P"], row["G"]
        return lambda: F.conv2d(x, w, None, stride, padding, 1, groups)
    if op == "linear":
        a, b = tensor(row["M"], row["K"]), tensor(row["Nout"], row["K"])
        return lambda: F.linear(a, b)
    if op == "bmm":
        left, right = tensor(row["B"], row["M"], row["K"]), tensor(row["B"], row["K"], row["Nout"])
        return lambda: torch.bmm(left, right)
    shape = (row["N"], row["Ci"], row["Hi"], row["Wi"]) if "Hi" in row else (row["B"], row["M"], row["Nout"])
    y = tensor(*shape)
    if op == "add":
        other = tensor(*shape)
        return lambda: torch.add(y, other)
    width = shape[-1:]
    simple: dict[str, Callable[[], Any]] = {
        "relu": lambda: F.relu(y),
        "gelu": lambda: F.gelu(y),
        "softmax": lambda: F.softmax(y, -1),
        "layernorm": lambda: F.layer_norm(y, width),
    }
    return simple[op]
