"""Small layers of every class that a machine may meet; each is a hand-checkable size."""

from __future__ import annotations

from cosim.ir.layer import Layer, mac_layer, vector_layer

PAD1 = (1, 1, 1, 1)


def every_class() -> list[Layer]:
    """Two or three layers of each operator class, odd and even sizes, batch 1."""
    return [
        mac_layer("conv3x3", "conv", K=16, C=8, P=14, Q=14, R=3, S=3, padding=PAD1),
        mac_layer(
            "conv7x7s2", "conv", K=32, C=3, P=112, Q=112, R=7, S=7, stride=(2, 2), padding=(3, 3, 2, 2)
        ),
        mac_layer("conv1x1", "conv", K=64, C=32, P=7, Q=7, bias=True),
        mac_layer("grouped", "grouped_conv", G=4, K=5, C=3, P=9, Q=11, R=3, S=3, padding=PAD1),
        mac_layer("dilated", "conv", K=7, C=5, P=13, Q=13, R=3, S=3, dilation=(2, 2), padding=(2, 2, 2, 2)),
        mac_layer("depthwise", "depthwise_conv", G=24, P=28, Q=28, R=3, S=3, padding=PAD1),
        mac_layer("transposed", "transposed_conv", K=6, C=4, P=16, Q=16, R=2, S=2, H=8, W=8, stride=(2, 2)),
        mac_layer("deform", "deform_conv", K=12, C=8, P=10, Q=10, R=3, S=3, padding=PAD1),
        mac_layer("linear", "linear", K=100, C=257, bias=True),
        mac_layer("linear_tokens", "linear", K=192, C=64, P=49),
        mac_layer("scores", "matmul", G=3, K=49, C=64, P=49, static_weight=False),
        mac_layer("weighted", "matmul", G=3, K=64, C=49, P=49, static_weight=False),
        vector_layer("softmax", "softmax", x_elems=3 * 49 * 49, y_elems=3 * 49 * 49),
        vector_layer("norm", "layer_norm", x_elems=49 * 192, y_elems=49 * 192, w_elems=384),
        vector_layer("gelu", "gelu", x_elems=49 * 192, y_elems=49 * 192),
        vector_layer("relu", "relu", x_elems=3136, y_elems=3136),
        vector_layer("pool", "max_pool", x_elems=12544, y_elems=3136, taps=9),
        vector_layer("add", "add", x_elems=2 * 3136, y_elems=3136),
        vector_layer("embed", "embedding", x_elems=49, y_elems=49 * 192, w_elems=1000 * 192),
        vector_layer("concat", "concat", x_elems=6272, y_elems=6272),
        vector_layer("mystery", "unknown", x_elems=500, y_elems=500),
    ]
