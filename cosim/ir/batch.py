"""Layers as a structure of arrays: the form that every cost model reads.

A :class:`LayerBatch` holds one float64 array of shape (L,) per quantity. A model evaluates formulas on these
arrays against machine parameters of shape (points, 1) or scalars, so that one code path serves a layer, a
network and a sweep. Counts are exact in float64 up to 2**53.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.ir.layer import Layer
from cosim.ir.ops import OpClass

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


_COPIED = (
    *("N", "G", "K", "C", "P", "Q", "R", "S", "H", "W", "macs", "x_elems", "y_elems"),
    *("simple_ops", "special_ops", "x_bits", "w_bits", "y_bits"),
)


@dataclass(frozen=True)
class LayerBatch:
    """Arrays of shape (L,), one entry a layer; meanings as in :class:`cosim.ir.layer.Layer`.

    ``gemm_g, gemm_m, gemm_n, gemm_k`` are the equivalent matrix products of :meth:`Layer.gemm`;
    ``op_class`` holds :class:`OpClass` codes; masks are boolean.
    """

    names: tuple[str, ...]
    ops: tuple[str, ...]
    op_class: NDArray[np.int64]
    N: Array
    G: Array
    K: Array
    C: Array
    P: Array
    Q: Array
    R: Array
    S: Array
    H: Array
    W: Array
    stride_h: Array
    stride_w: Array
    dilation_h: Array
    dilation_w: Array
    pad_h: Array
    pad_w: Array
    gemm_g: Array
    gemm_m: Array
    gemm_n: Array
    gemm_k: Array
    macs: Array
    x_elems: Array
    w_elems: Array
    y_elems: Array
    simple_ops: Array
    special_ops: Array
    x_bits: Array
    w_bits: Array
    y_bits: Array
    is_mac: Mask
    static_weight: Mask

    @property
    def size(self) -> int:
        """Number of layers L."""
        return len(self.names)

    def of_class(self, *classes: OpClass) -> Mask:
        """Mask of the layers of the given classes, shape (L,)."""
        return np.isin(self.op_class, [int(c) for c in classes])

    def take(self, index: Sequence[int] | NDArray[np.int64]) -> LayerBatch:
        """The layers at ``index`` in that order."""
        rows = np.asarray(index, dtype=np.int64)
        arrays = {
            name: getattr(self, name)[rows]
            for name in self.__dataclass_fields__
            if name not in ("names", "ops")
        }
        return LayerBatch(
            names=tuple(self.names[i] for i in rows), ops=tuple(self.ops[i] for i in rows), **arrays
        )

    def groups_of_equal(self, *columns: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(first, member): the first layer of every group of layers that cost the same, and the group of each layer.

        Layers are equal if everything but their name agrees, ``columns`` of shape (L,) included. The block of a
        transformer that repeats twelve times is one group.
        """
        names = [n for n in self.__dataclass_fields__ if n not in ("names", "ops")]
        table = np.column_stack([*(np.asarray(getattr(self, n), dtype=np.float64) for n in names), *columns])
        operators = {op: i for i, op in enumerate(dict.fromkeys(self.ops))}
        table = np.column_stack([table, [operators[op] for op in self.ops]])
        _, first, member = np.unique(table, axis=0, return_index=True, return_inverse=True)
        return first.astype(np.int64), member.reshape(-1).astype(np.int64)

    @classmethod
    def from_layers(cls, layers: Iterable[Layer]) -> LayerBatch:
        """Gather layers into arrays; raises ``ValueError`` when there is none."""
        rows = list(layers)
        if not rows:
            raise ValueError("a layer batch needs at least one layer")
        gemm = np.array([layer.gemm() for layer in rows], dtype=np.float64)

        def column(values: Iterable[float]) -> Array:
            return np.fromiter(values, dtype=np.float64, count=len(rows))

        plain = {name: column(getattr(layer, name) for layer in rows) for name in _COPIED}
        return cls(
            names=tuple(layer.name for layer in rows),
            ops=tuple(layer.op for layer in rows),
            op_class=np.array([int(layer.op_class) for layer in rows], dtype=np.int64),
            w_elems=column(layer.w_touched for layer in rows),
            stride_h=column(layer.stride[0] for layer in rows),
            stride_w=column(layer.stride[1] for layer in rows),
            dilation_h=column(layer.dilation[0] for layer in rows),
            dilation_w=column(layer.dilation[1] for layer in rows),
            pad_h=column(layer.padding[0] + layer.padding[2] for layer in rows),
            pad_w=column(layer.padding[1] + layer.padding[3] for layer in rows),
            gemm_g=gemm[:, 0],
            gemm_m=gemm[:, 1],
            gemm_n=gemm[:, 2],
            gemm_k=gemm[:, 3],
            is_mac=np.array([layer.is_mac for layer in rows], dtype=np.bool_),
            static_weight=np.array([layer.static_weight for layer in rows], dtype=np.bool_),
            **plain,
        )
