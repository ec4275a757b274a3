"""One layer of a network in canonical dimensions.

Multiply-accumulate layers use the convolution dimensions N, G, K, C, P, Q, R, S, with K and C counted *per
group*. A linear layer on T tokens is the convolution P=T, Q=R=S=1; a batched matrix product of two computed
operands is the same with ``static_weight=False`` and G = the number of independent products per image
(attention heads). Other layers carry element and operation counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cosim.ir.ops import MAC_CLASSES, OPS, OpClass


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer; all sizes are counts of elements, not bytes.

    Attributes
    ----------
    name, op:        unique name in its workload; operator name, a key of :data:`cosim.ir.ops.OPS`
    N, G, K, C:      images; groups; output and input channels *per group*
    P, Q, R, S:      output rows and columns; kernel rows and columns
    H, W:            input rows and columns (before padding)
    stride, dilation: (rows, columns)
    padding:         (top, left, bottom, right)
    static_weight:   the second operand is a trained constant (False: computed at run time)
    bias:            a bias vector of G*K elements is added
    x_elems, w_elems, y_elems: elements read, parameter elements, elements written, for the N given
    simple_ops, special_ops: scalar operations of non-MAC layers (see :mod:`cosim.ir.ops`), for the N given
    x_bits, w_bits, y_bits: width of one element as stored by the network
    inputs:          names of the producing layers or of workload inputs, in operand order
    module:          path of the module in the original network
    shared_params:   how many of the layer's parameters are not its own to count in a network: an earlier layer
                     holds them (tied weights), or they are fixed constants
    """

    name: str
    op: str
    N: int = 1
    G: int = 1
    K: int = 1
    C: int = 1
    P: int = 1
    Q: int = 1
    R: int = 1
    S: int = 1
    H: int = 1
    W: int = 1
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    static_weight: bool = True
    bias: bool = False
    x_elems: int = 0
    w_elems: int = 0
    y_elems: int = 0
    simple_ops: int = 0
    special_ops: int = 0
    x_bits: int = 32
    w_bits: int = 32
    y_bits: int = 32
    inputs: tuple[str, ...] = ()
    module: str = ""
    shared_params: int = 0

    @property
    def op_class(self) -> OpClass:
        """How the operator is computed."""
        return OPS[self.op].op_class

    @property
    def is_mac(self) -> bool:
        """True if the layer's work is multiply-accumulates."""
        return self.op_class in MAC_CLASSES

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the layer for its N images (0 for non-MAC layers).

        A transposed convolution multiplies every *input* position with the kernel, so H*W replaces P*Q.
        """
        if not self.is_mac:
            return 0
        positions = self.H * self.W if self.op_class is OpClass.TRANSPOSED_CONV else self.P * self.Q
        return self.N * self.G * self.K * self.C * positions * self.R * self.S

    @property
    def params(self) -> int:
        """Trained parameters: weights (if static) and bias; for non-MAC layers the parameter elements."""
        if not self.is_mac:
            return self.w_elems
        weights = self.G * self.K * self.C * self.R * self.S if self.static_weight else 0
        return weights + (self.G * self.K if self.bias else 0)

    @property
    def bytes_moved(self) -> float:
        """Bytes read and written once each: input, second operand, output.

        An embedding reads only the rows that it looks up, not its whole table.
        """
        return (self.x_elems * self.x_bits + self.w_touched * self.w_bits + self.y_elems * self.y_bits) / 8

    @property
    def w_touched(self) -> int:
        """Elements of the second operand that one execution reads."""
        return min(self.w_elems, self.y_elems) if self.op_class is OpClass.EMBEDDING else self.w_elems

    def gemm(self) -> tuple[int, int, int, int]:
        """(groups, M, N, K) of the equivalent matrix products: ``groups`` products of (M x K) by (K x N).

        Convolutions lower by im2col: M = N*P*Q, N = K, K = C*R*S per group. A transposed convolution is
        M = N*H*W, N = K*R*S, K = C followed by an overlap-add. Run-time operands differ per image, so N moves
        into the groups. Non-MAC layers give zeros.
        """
        if not self.is_mac:
            return (0, 0, 0, 0)
        if self.op_class is OpClass.TRANSPOSED_CONV:
            return (self.G, self.N * self.H * self.W, self.K * self.R * self.S, self.C)
        if not self.static_weight:
            return (self.N * self.G, self.P * self.Q, self.K, self.C * self.R * self.S)
        return (self.G, self.N * self.P * self.Q, self.K, self.C * self.R * self.S)

    def with_batch(self, batch: int) -> Layer:
        """The same layer for ``batch`` times as many images; trained parameters do not grow.

        Raises ``ValueError`` if ``batch`` is below 1.
        """
        if batch < 1:
            raise ValueError(f"batch: found {batch}, allowed an integer of at least 1")
        w_elems = self.w_elems if self.static_weight else self.w_elems * batch
        return replace(
            self,
            N=self.N * batch,
            x_elems=self.x_elems * batch,
            w_elems=w_elems,
            y_elems=self.y_elems * batch,
            simple_ops=self.simple_ops * batch,
            special_ops=self.special_ops * batch,
        )


def input_size(
    size: int, kernel: int, stride: int, dilation: int, padding: int, transposed: bool = False
) -> int:
    """Input rows (columns) that give exactly ``size`` output rows (columns); ``padding`` is the sum of both sides.

    Convolution: (size - 1) * stride + dilation * (kernel - 1) + 1 - padding. Transposed convolution, without
    output padding: (size + padding - dilation * (kernel - 1) - 1) / stride + 1.
    """
    reach = dilation * (kernel - 1) + 1
    if transposed:
        return (size + padding - reach) // stride + 1
    return (size - 1) * stride + reach - padding


def output_size(size: int, kernel: int, stride: int, dilation: int, padding: int) -> int:
    """Output rows (columns) of a convolution over ``size`` input rows: floor((size + padding - reach)/stride) + 1."""
    return (size + padding - dilation * (kernel - 1) - 1) // stride + 1


def mac_layer(
    name: str,
    op: str,
    *,
    N: int = 1,
    G: int = 1,
    K: int = 1,
    C: int = 1,
    P: int = 1,
    Q: int = 1,
    R: int = 1,
    S: int = 1,
    H: int | None = None,
    W: int | None = None,
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    static_weight: bool = True,
    bias: bool = False,
    bits: int = 32,
    inputs: tuple[str, ...] = (),
    module: str = "",
) -> Layer:
    """A multiply-accumulate layer with its element counts derived from the dimensions.

    ``H`` and ``W`` default to the input size that gives P and Q exactly with the padding stated, see
    :func:`input_size`.
    """
    transposed = OPS[op].op_class is OpClass.TRANSPOSED_CONV
    pad_h, pad_w = padding[0] + padding[2], padding[1] + padding[3]
    rows = input_size(P, R, stride[0], dilation[0], pad_h, transposed) if H is None else H
    cols = input_size(Q, S, stride[1], dilation[1], pad_w, transposed) if W is None else W
    weights = G * K * C * R * S * (1 if static_weight else N)
    return Layer(
        name=name,
        op=op,
        N=N,
        G=G,
        K=K,
        C=C,
        P=P,
        Q=Q,
        R=R,
        S=S,
        H=rows,
        W=cols,
        stride=stride,
        dilation=dilation,
        padding=padding,
        static_weight=static_weight,
        bias=bias,
        x_elems=N * G * C * rows * cols,
        w_elems=weights + (G * K if bias else 0),
        y_elems=N * G * K * P * Q,
        x_bits=bits,
        w_bits=bits,
        y_bits=bits,
        inputs=inputs,
        module=module,
    )


def vector_layer(
    name: str,
    op: str,
    *,
    x_elems: int,
    y_elems: int,
    w_elems: int = 0,
    taps: int = 1,
    N: int = 1,
    bits: int = 32,
    inputs: tuple[str, ...] = (),
    module: str = "",
) -> Layer:
    """A non-MAC layer; operations follow from :data:`cosim.ir.ops.OPS`.

    ``taps`` multiplies the per-element operations (the window of a pooling layer).
    """
    info = OPS[op]
    counted = x_elems if info.per_input else y_elems
    return Layer(
        name=name,
        op=op,
        N=N,
        x_elems=x_elems,
        w_elems=w_elems,
        y_elems=y_elems,
        simple_ops=round(info.simple_ops * counted * taps),
        special_ops=round(info.special_ops * counted * taps),
        x_bits=bits,
        w_bits=bits,
        y_bits=bits,
        inputs=inputs,
        module=module,
    )
