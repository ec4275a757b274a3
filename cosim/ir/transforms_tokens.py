"""Token pruning of vision transformers: after some blocks' attention only a share of the tokens goes on.

EViT (Liang et al., ICLR 2022, arXiv 2202.07800): of the N image tokens those with the highest attention of the
class token are kept, ceil(keep * N) of them; the others are fused into one, weighted by their attention; the
class token always stays. The change happens between the attention and the MLP of a block, by default after the
first quarter, half and three quarters of the blocks (4th, 7th and 10th of 12), as published.

With ``drop=N`` every named block merges N tokens into the others instead, so that no fused token is added (ToMe,
Bolya et al., ICLR 2023, arXiv 2210.09461; MCTF, Lee et al., CVPR 2024, arXiv 2403.10030).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from cosim.ir.layer import Layer, vector_layer
from cosim.ir.ops import OpClass
from cosim.ir.transforms_base import Arguments, TransformError, resized, scaled_vector
from cosim.ir.workload import Workload

ONE = Fraction(1)


def kept_tokens(tokens: int, keep: Fraction, fused: bool) -> int:
    """Tokens after one pruning, the class token among them: 1 + ceil(keep * (tokens - 1)) (+ 1 fused)."""
    return min(tokens, 1 + math.ceil(keep * (tokens - 1)) + (1 if fused else 0))


def prune_tokens(workload: Workload, arguments: Arguments) -> tuple[Layer, ...]:
    """``prune_tokens:KEEP[,blocks=4+7+10][,fused=yes|no]`` or ``prune_tokens:drop=16,blocks=2-12``; blocks from 1."""
    drop = arguments.whole("drop", 1) if "drop" in arguments.settings else 0
    if drop and (arguments.value or "fused" in arguments.settings):
        raise TransformError(
            f"{arguments}: drop merges tokens into others; allowed beside it is blocks alone"
        )
    keep = ONE if drop else arguments.share()
    fused = not drop and arguments.word("fused", ("yes", "no")) == "yes"
    scores = [i for i, layer in enumerate(workload.layers) if _is_scores(layer)]
    if not scores:
        raise TransformError(f"{arguments}: {workload.name} has no attention (a product of two computed operands, "
                             "rows and columns both tokens)")  # fmt: skip
    tokens = workload.layers[scores[0]].P
    _require_global(workload, scores, tokens, arguments)
    ends = [_end_of_attention(workload.layers, i, tokens) for i in scores]
    cut_after = {ends[b - 1]: b for b in _blocks(arguments, len(scores))}
    return _Pruner(tokens, keep, fused, drop).run(workload.layers, cut_after)


def _is_scores(layer: Layer) -> bool:
    """Whether a layer is the product of queries and keys: tokens by tokens."""
    return layer.op_class is OpClass.MATMUL and not layer.static_weight and layer.P == layer.K > 1


def _require_global(workload: Workload, scores: list[int], tokens: int, arguments: Arguments) -> None:
    """Refuse attention within windows or over a changing number of tokens: whole images must be compared."""
    by_name = {layer.name: layer for layer in workload}
    for layer in (workload.layers[i] for i in scores):
        made_by = [by_name[name] for name in layer.inputs if name in by_name and by_name[name].is_mac]
        if tokens != layer.P or any(tokens not in (m.P, m.N) for m in made_by):
            raise TransformError(
                f"{arguments}: layer {layer.name} attends to {layer.P} of the network's tokens; allowed is attention "
                f"of all {tokens} tokens to all of them"
            )


def _blocks(arguments: Arguments, depth: int) -> list[int]:
    text = arguments.settings.get("blocks")
    if text is None:
        return sorted({depth * part // 4 + 1 for part in (1, 2, 3)})
    chosen: set[int] = set()
    for word in text.split("+"):
        first, dash, last = word.partition("-")
        ends = (first, last if dash else first)
        if any(not end.isdigit() or not 1 <= int(end) <= depth for end in ends):
            raise TransformError(
                f"{arguments}: blocks: found {text!r}, allowed numbers from 1 to {depth}, or ranges a-b, joined by '+'"
            )
        chosen |= set(range(int(ends[0]), int(ends[1]) + 1))
    return sorted(chosen)


def _end_of_attention(layers: tuple[Layer, ...], scores: int, tokens: int) -> str:
    """Name of the shortcut's addition after an attention: the first addition of two token tensors after it."""
    for layer in layers[scores:]:
        if layer.op == "add" and len(layer.inputs) == 2 and layer.y_elems % tokens == 0:
            return layer.name
    raise TransformError(f"no shortcut after {layers[scores].name}; tokens are pruned where one ends")


class _Pruner:
    """Walks the layers in order; knows how many tokens every tensor has."""

    def __init__(self, tokens: int, keep: Fraction, fused: bool, drop: int) -> None:
        self.tokens, self.keep, self.fused, self.drop = tokens, keep, fused, drop
        self.now = tokens
        self.renamed: dict[str, str] = {}

    def run(self, layers: tuple[Layer, ...], cut_after: Mapping[str, int]) -> tuple[Layer, ...]:
        done: list[Layer] = []
        for layer in layers:
            inputs = tuple(self.renamed.get(name, name) for name in layer.inputs)
            new = self._shrunk(replace(layer, inputs=inputs))
            done.append(new)
            if layer.name in cut_after:
                before, self.now = self.now, self._left()
                if self.now < before:
                    done.append(self._gather(new, before))
                    self.renamed[layer.name] = done[-1].name
        return tuple(done)

    def _left(self) -> int:
        return max(1, self.now - self.drop) if self.drop else kept_tokens(self.now, self.keep, self.fused)

    def _gather(self, layer: Layer, before: int) -> Layer:
        """Picking the kept tokens; what is fused or merged is a weighted sum, counted by its elements."""
        width = layer.y_elems // before
        gather = vector_layer(
            f"{layer.name}.kept_tokens", "gather", x_elems=layer.y_elems, y_elems=width * self.now,
            N=layer.N, inputs=(layer.name,), module=layer.module,
        )  # fmt: skip
        dropped = before - self.now + (1 if self.fused else 0) if self.fused or self.drop else 0
        return replace(
            gather,
            simple_ops=2 * width * dropped,
            x_bits=layer.y_bits,
            w_bits=layer.w_bits,
            y_bits=layer.y_bits,
        )

    def _shrunk(self, layer: Layer) -> Layer:
        """The layer on the tokens that are left."""
        if self.now == self.tokens:
            return layer
        if layer.op_class is OpClass.MATMUL and not layer.static_weight:
            size = {key: self.now for key in ("K", "C", "P", "H") if getattr(layer, key) == self.tokens}
            return resized(layer, **size)
        if layer.is_mac:
            if self.tokens == layer.P:
                return resized(layer, P=self.now, H=self.now)
            # Kernels shared by all tokens: the tokens are the batch of a convolution.
            return resized(layer, N=self.now) if self.tokens == layer.N else layer
        squared = layer.op_class is OpClass.SOFTMAX
        x = self._factor(layer.x_elems, squared)
        return scaled_vector(layer, x, self._factor(layer.y_elems, squared), ONE)

    def _factor(self, elems: int, squared: bool) -> Fraction:
        ratio = Fraction(self.now, self.tokens)
        if squared and elems % self.tokens**2 == 0:
            return ratio * ratio
        return ratio if elems % self.tokens == 0 else ONE
