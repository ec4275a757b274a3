"""Fused attention taken apart: two matrix products of run-time operands with a softmax between them.

softmax(Q K^T / sqrt(d)) V (Vaswani et al., NeurIPS 2017, eq. 1). The scale is one multiplication that every
implementation folds into Q or into the accumulator, so it is no layer of its own.
"""

from __future__ import annotations

from dataclasses import replace

from cosim.frontends.graph import GraphBuilder, Tensor
from cosim.frontends.lower import matrix_product, vector


def attention(
    graph: GraphBuilder,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    y: Tensor,
    *,
    mask: Tensor | None = None,
    causal: bool = False,
) -> Tensor:
    """``q`` (..., L, E), ``k`` (..., S, E), ``v`` (..., S, V), ``y`` (..., L, V).

    Layers ``scores``, ``softmax``, ``context``; a mask that is not trivially open adds ``mask`` (a selection for
    boolean and causal masks, an addition for additive ones). A causal mask does not shorten the products: the dense
    kernels compute all L x S scores.
    """
    heads = y.shape[:-2]
    scores = Tensor(f"{y.name}.scores", (*heads, q.shape[-2], k.shape[-2]), q.bits)
    turned = replace(k, shape=(*k.shape[:-2], k.shape[-1], k.shape[-2]))
    scores = matrix_product(graph, q, turned, None, scores, hint="scores")
    if mask is not None and not _open(mask):
        masked = replace(scores, name=f"{y.name}.mask")
        scores = vector(graph, "select" if mask.bits == 8 else "add", (scores, mask), masked, hint="mask")
    elif causal:
        scores = vector(graph, "select", (scores,), replace(scores, name=f"{y.name}.mask"), hint="mask")
    weights = vector(graph, "softmax", (scores,), replace(scores, name=f"{y.name}.softmax"), hint="softmax")
    return matrix_product(graph, weights, v, None, y, hint="context")


def _open(mask: Tensor) -> bool:
    """True for a mask that lets everything through: boolean ones or additive zeros."""
    return mask.fill == (1.0 if mask.bits == 8 else 0.0)
