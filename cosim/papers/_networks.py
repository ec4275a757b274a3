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
