"""Networks of the published results that are not among the shipped workloads, from their published dimensions."""

from __future__ import annotations

from dataclasses import dataclass

from cosim.ir.layer import Layer, mac_layer, vector_layer
from cosim.ir.workload import Workload


@dataclass(frozen=True)
class VitShape:
    """Dimensions of a plain vision transformer (Dosovitskiy et al., arXiv 2010.11929, table 1; DeiT, 2012.12877)."""

    name: str
    width: int
    depth: int
    heads: int
    image: int = 224
    patch: int = 16
    classes: int = 1000

    @property
    def tokens(self) -> int:
        """Patches and the class token."""
        return (self.image // self.patch) ** 2 + 1


DEIT_TINY = VitShape("deit_tiny", 192, 12, 3)
DEIT_SMALL = VitShape("deit_small", 384, 12, 6)
DEIT_BASE = VitShape("deit_base", 768, 12, 12)


def vit(shape: VitShape) -> Workload:
    """The network layer by layer, MLP of four times the width, one image."""
    side, d, tokens = shape.image // shape.patch, shape.width, shape.tokens
    elems = tokens * d
    layers: list[Layer] = [
        mac_layer(
            "embed", "conv", K=d, C=3, P=side, Q=side, R=shape.patch, S=shape.patch,
            stride=(shape.patch, shape.patch), bias=True, inputs=("x",),
        ),
        vector_layer("concat", "concat", x_elems=elems - d, y_elems=elems, w_elems=d, inputs=("embed",)),
        vector_layer("position", "add", x_elems=elems, y_elems=elems, w_elems=elems, inputs=("concat",)),
    ]  # fmt: skip
    last = "position"
    for index in range(shape.depth):
        block, last = _block(f"block{index}", shape, last)
        layers += block
    layers.append(
        vector_layer("norm", "layer_norm", x_elems=elems, y_elems=elems, w_elems=2 * d, inputs=(last,))
    )
    layers.append(mac_layer("head", "linear", K=shape.classes, C=d, bias=True, inputs=("norm",)))
    inputs = {"x": (1, 3, shape.image, shape.image)}
    return Workload(shape.name, tuple(layers), inputs=inputs, outputs=("head",))


def _block(name: str, shape: VitShape, last: str) -> tuple[list[Layer], str]:
    """Attention and MLP of one block, and the name of its result."""
    d, tokens, heads = shape.width, shape.tokens, shape.heads
    elems, head = tokens * d, d // heads

    def linear(part: str, c: int, k: int, source: str) -> Layer:
        return mac_layer(
            f"{name}.{part}", "linear", K=k, C=c, P=tokens, bias=True, inputs=(f"{name}.{source}",)
        )

    def product(part: str, c: int, k: int, *sources: str) -> Layer:
        inputs = tuple(f"{name}.{source}" for source in sources)
        return mac_layer(
            f"{name}.{part}", "matmul", G=heads, K=k, C=c, P=tokens, static_weight=False, inputs=inputs
        )

    def vector(part: str, op: str, x: int, y: int, *sources: str, w: int = 0) -> Layer:
        return vector_layer(f"{name}.{part}", op, x_elems=x, y_elems=y, w_elems=w, inputs=sources)

    squares = heads * tokens * tokens
    layers = [
        vector("norm1", "layer_norm", elems, elems, last, w=2 * d),
        linear("q", d, d, "norm1"),
        linear("k", d, d, "norm1"),
        linear("v", d, d, "norm1"),
        product("scores", head, tokens, "q", "k"),
        vector("softmax", "softmax", squares, squares, f"{name}.scores"),
        product("context", tokens, head, "softmax", "v"),
        linear("proj", d, d, "context"),
        vector("add1", "add", 2 * elems, elems, f"{name}.proj", last),
        vector("norm2", "layer_norm", elems, elems, f"{name}.add1", w=2 * d),
        linear("fc1", d, 4 * d, "norm2"),
        vector("gelu", "gelu", 4 * elems, 4 * elems, f"{name}.fc1"),
        linear("fc2", 4 * d, d, "gelu"),
        vector("add2", "add", 2 * elems, elems, f"{name}.fc2", f"{name}.add1"),
    ]
    return layers, f"{name}.add2"


def one_layer(layer: Layer) -> Workload:
    """A network of one layer."""
    return Workload(layer.name, (layer,), outputs=(layer.name,))


class _Chain:
    """Layers one after the other, with the size of the map between them."""

    def __init__(self, side: int) -> None:
        self.side, self.channels = side, 3
        self.layers: list[Layer] = []
        self.last = "x"

    def conv(self, filters: int, kernel: int = 1, stride: int = 1) -> None:
        """A "same" convolution and its ReLU (batch normalisation folded)."""
        self._add("conv", stride, kernel, K=filters, C=self.channels)
        self.channels = filters

    def depthwise(self, stride: int) -> None:
        """A 3 x 3 depthwise convolution and its ReLU."""
        self._add("depthwise_conv", stride, 3, G=self.channels)

    def _add(self, op: str, stride: int, kernel: int, K: int = 1, C: int = 1, G: int = 1) -> None:
        out, half = -(-self.side // stride), kernel // 2
        name = f"layer{len(self.layers)}"
        layer = mac_layer(
            name, op, G=G, K=K, C=C, P=out, Q=out, R=kernel, S=kernel, H=self.side, W=self.side,
            stride=(stride, stride), padding=(half, half, half, half), bias=True, inputs=(self.last,),
        )  # fmt: skip
        self.layers.append(layer)
        self.side = out
        self.vector(f"{name}.relu", "relu", layer.y_elems, layer.y_elems, name)

    def vector(self, name: str, op: str, x_elems: int, y_elems: int, *sources: str, taps: int = 1) -> None:
        """A layer without multiply-accumulates, which the next one reads."""
        self.layers.append(
            vector_layer(name, op, x_elems=x_elems, y_elems=y_elems, taps=taps, inputs=sources)
        )
        self.last = name

    def bottleneck(self, width: int, stride: int, project: bool, stride_first: bool = False) -> None:
        """1 x 1, 3 x 3, 1 x 1 with a shortcut, projected where sizes differ (He et al., figure 5)."""
        channels, side, shortcut = self.channels, self.side, self.last
        self.conv(width, 1, stride if stride_first else 1)
        self.conv(width, 3, 1 if stride_first else stride)
        self.conv(4 * width)
        branch = self.last
        if project:
            self.channels, self.side, self.last = channels, side, shortcut
            self.conv(4 * width, 1, stride)
            shortcut = self.last
        elems = 4 * width * self.side**2
        self.vector(f"add{len(self.layers)}", "add", 2 * elems, elems, branch, shortcut)

    def done(self, name: str, classes: int = 1000) -> Workload:
        """Global average, a linear layer, and the network."""
        self.vector("pool", "global_avg_pool", self.channels * self.side**2, self.channels, self.last)
        head = mac_layer("head", "linear", C=self.channels, K=classes, bias=True, inputs=("pool",))
        return Workload(name, (*self.layers, head), inputs={"x": (1, 3, 224, 224)}, outputs=("head",))


MOBILENET = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))


def _mobilenet_body(side: int) -> tuple[_Chain, dict[str, tuple[str, int, int]]]:
    """Layers up to the last pointwise one, and (name, side, channels) after pointwise layers 11 and 13."""
    net = _Chain(side)
    net.conv(32, 3, 2)
    taps = {}
    for number, (filters, stride) in enumerate(MOBILENET, 1):
        net.depthwise(stride)
        net.conv(filters)
        taps[str(number)] = (net.last, net.side, filters)
    return net, taps


def mobilenet_v1() -> Workload:
    """MobileNet 1.0 at 224 pixels (Howard et al., arXiv 1704.04861, table 1): 569 M multiply-accumulates."""
    return _mobilenet_body(224)[0].done("mobilenet_v1")


def mobilenet_v1_ssd() -> Workload:
    """SSD with MobileNet 1.0 at 300 pixels and 90 classes: 1.2 G multiply-accumulates (arXiv 1704.04861, table 13).

    Further maps of 512, 256, 256 and 128 channels, 1 x 1 predictors of 3 boxes a place on the first map and 6 on the
    others: object_detection of github.com/tensorflow/models (ssd_mobilenet_v1_feature_extractor.py and the
    configuration ssd_mobilenet_v1_coco).
    """
    net, taps = _mobilenet_body(300)
    maps = [taps["11"], taps["13"]]
    for filters in (512, 256, 256, 128):
        net.conv(filters // 2)
        net.conv(filters, 3, 2)
        maps.append((net.last, net.side, filters))
    outputs = []
    for number, (source, side, channels) in enumerate(maps):
        boxes = 6 if number else 3
        for what, values in (("boxes", 4), ("classes", 91)):
            name = f"map{number}.{what}"
            net.layers.append(
                mac_layer(
                    name, "conv", C=channels, K=boxes * values, P=side, Q=side, bias=True, inputs=(source,)
                )
            )
            outputs.append(name)
    return Workload(
        "mobilenet_v1_ssd", tuple(net.layers), inputs={"x": (1, 3, 300, 300)}, outputs=tuple(outputs)
    )


def resnet_v1(blocks: tuple[int, int, int, int], stride_first: bool = False) -> Workload:
    """Bottleneck ResNet at 224 pixels (He et al., arXiv 1512.03385, table 1).

    Strides are in the 3 x 3 convolutions, or with ``stride_first`` in the 1 x 1 before them, as in the publication.
    """
    net = _Chain(224)
    net.conv(64, 7, 2)
    net.vector("maxpool", "max_pool", 64 * 112**2, 64 * 56**2, net.last, taps=9)
    net.side = 56
    for stage, count in enumerate(blocks):
        for index in range(count):
            net.bottleneck(
                64 << stage, 2 if stage and not index else 1, project=not index, stride_first=stride_first
            )
    return net.done(f"resnet_v1_{3 * sum(blocks) + 2}")


def resnet_v2(blocks: tuple[int, int, int, int], side: int = 299) -> Workload:
    """Pre-activation ResNet (He et al., arXiv 1603.05027) as in research/slim/nets/resnet_v2.py of tensorflow/models.

    A normalisation and a ReLU of their own stand before every unit, since nothing precedes them that they could be
    folded into; the last unit of the first three stages has the stride. Its README names 299 pixels.
    """
    net = _Chain(side)
    net.conv(64, 7, 2)
    out = -(-net.side // 2)
    net.vector("maxpool", "max_pool", 64 * net.side**2, 64 * out**2, net.last, taps=9)
    net.side = out
    for stage, count in enumerate(blocks):
        for index in range(count):
            _unit_v2(net, 64 << stage, 2 if stage < 3 and index == count - 1 else 1)
    _norm_relu(net, "postnorm")
    return net.done(f"resnet_v2_{3 * sum(blocks) + 2}")


def _norm_relu(net: _Chain, name: str) -> None:
    elems = net.channels * net.side**2
    net.vector(f"{name}.norm", "batch_norm", elems, elems, net.last)
    net.vector(f"{name}.relu", "relu", elems, elems, net.last)


def _unit_v2(net: _Chain, width: int, stride: int) -> None:
    """Normalisation, ReLU, and three convolutions beside a shortcut of the input (or a projection of what follows)."""
    unit, raw = f"unit{len(net.layers)}", net.last
    _norm_relu(net, unit)
    before, side, channels = net.last, net.side, net.channels
    out = -(-side // stride)
    net.conv(width)
    net.conv(width, 3, stride)
    net.conv(4 * width)
    branch, shortcut = net.last, raw
    if channels != 4 * width:
        net.channels, net.side, net.last = channels, side, before
        net.conv(4 * width, 1, stride)
        shortcut = net.last
    elif stride > 1:
        net.vector(f"{unit}.shortcut", "max_pool", channels * side**2, channels * out**2, raw)
        shortcut = net.last
    elems = 4 * width * out**2
    net.vector(f"{unit}.add", "add", 2 * elems, elems, branch, shortcut)
