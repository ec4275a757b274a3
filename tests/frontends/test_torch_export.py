"""Small torch modules through torch.export on the meta device."""

from __future__ import annotations

from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from cosim.frontends.errors import ExtractError  # noqa: E402
from cosim.frontends.input_spec import InputSpec  # noqa: E402
from cosim.frontends.torch_export import trace  # noqa: E402
from cosim.frontends.zoo.deform import DeformConv2d  # noqa: E402
from cosim.ir.ops import OpClass  # noqa: E402
from cosim.ir.workload import Workload  # noqa: E402


def extract(build: Callable[[], nn.Module], *shapes: tuple[int, ...]) -> Workload:
    """The workload of a module; its parameters are checked against torch's own count."""
    with torch.device("meta"):
        module = build()
    net = trace(module, [InputSpec("", shape) for shape in shapes], "net", "net")
    assert net.params == sum(p.numel() for p in module.parameters())
    return net


class Function(nn.Module):
    """A module without weights that applies a function."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.function(*inputs)


def ops(net: Workload) -> list[str]:
    return [layer.op for layer in net]


@pytest.mark.parametrize(
    ("build", "shape", "op"),
    [
        (lambda: nn.Conv2d(6, 8, 3, dilation=2), (2, 6, 9, 9), "conv"),
        (lambda: nn.Conv2d(6, 6, 3, groups=6), (2, 6, 9, 9), "depthwise_conv"),
        (lambda: nn.Conv2d(6, 8, 3, groups=2, bias=False), (2, 6, 9, 9), "grouped_conv"),
        (lambda: nn.ConvTranspose2d(6, 8, 3, 2, 1, output_padding=1), (2, 6, 9, 9), "transposed_conv"),
        (lambda: nn.Conv2d(6, 8, (3, 5), (2, 1), "valid"), (2, 6, 9, 9), "conv"),
        (lambda: nn.Conv1d(6, 8, 3, padding="same"), (2, 6, 9), "conv"),
        (lambda: nn.Linear(9, 4), (2, 6, 9, 9), "linear"),
        (lambda: nn.Linear(9, 4, bias=False), (2, 9), "linear"),
    ],
)
def test_macs_equal_torch_own_counter(
    build: Callable[[], nn.Module], shape: tuple[int, ...], op: str
) -> None:
    """torch.utils.flop_counter counts two operations for each multiply-accumulate, independently of this program."""
    from torch.utils.flop_counter import FlopCounterMode

    net = extract(build, shape)
    module = build()
    with FlopCounterMode(display=False) as counter:
        result = module(torch.zeros(shape))
    (layer,) = net.layers
    assert (layer.op, layer.N) == (op, 2)
    assert 2 * net.macs == counter.get_total_flops()
    assert layer.y_elems == result.numel()
    assert layer.x_elems == torch.Size(shape).numel()


def test_deformable_convolution_stays_whole() -> None:
    class Deformed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.offset = nn.Conv2d(4, 18, 3, padding=1)
            self.deform = DeformConv2d(4, 4, groups=4)

        def forward(self, x: Tensor) -> Tensor:
            return self.deform(x, self.offset(x))

    net = extract(Deformed, (1, 4, 6, 6))
    assert [layer.name for layer in net] == ["offset", "deform"]
    assert net.layers[1].op_class is OpClass.DEFORM_CONV
    assert net.layers[1].inputs == ("x", "offset")
    assert net.coverage.unknown == ()


@pytest.mark.parametrize("weights", [False, True])
def test_multi_head_attention_has_no_opaque_node(weights: bool) -> None:
    """With and without returned weights torch takes different paths; the products are the same."""

    class SelfAttention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(32, 4, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.attention(x, x, x, need_weights=weights)[0]

    net = extract(SelfAttention, (2, 10, 32))
    products = [layer for layer in net if layer.op == "matmul"]
    assert [(p.N, p.G, p.P, p.C, p.K) for p in products] == [(2, 4, 10, 8, 10), (2, 4, 10, 10, 8)]
    assert "softmax" in ops(net)
    assert net.macs == 2 * 10 * 32 * 96 + 2 * 10 * 32 * 32 + 2 * 2 * 4 * 10 * 10 * 8


def test_encoder_layer_fast_path_is_not_taken() -> None:
    net = extract(lambda: nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), (1, 5, 16))
    assert ops(net).count("matmul") == 2
    assert net.coverage.unknown == ()


def test_a_mask_that_masks_nothing_disappears() -> None:
    def masked(x: Tensor) -> Tensor:
        keep = torch.arange(x.shape[-2])[None, None, None] >= 0
        return nn.functional.scaled_dot_product_attention(x, x, x, keep)

    def causal(x: Tensor) -> Tensor:
        index = torch.arange(x.shape[-2])
        return nn.functional.scaled_dot_product_attention(x, x, x, index[:, None] >= index)

    assert ops(extract(lambda: Function(masked), (1, 2, 5, 4))) == ["matmul", "softmax", "matmul"]
    assert ops(extract(lambda: Function(causal), (1, 2, 5, 4))) == ["matmul", "select", "softmax", "matmul"]


def test_tied_and_repeated_weights_count_once() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(100, 16)
            self.inner = nn.Linear(16, 16)
            self.head = nn.Linear(16, 100, bias=False)
            self.head.weight = self.embed.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.inner(self.inner(self.embed(x.long()))))

    net = extract(Tied, (1, 7))
    assert [(layer.name, layer.shared_params) for layer in net][1:] == [
        ("embed", 0),
        ("inner", 0),
        ("inner_2", 272),
        ("head", 1600),
    ]


def test_data_movement_operators() -> None:
    def moves(x: Tensor) -> Tensor:
        y = torch.cat((x, x[:, ::2]), 1)
        y = nn.functional.pad(torch.roll(y, 1, 2), (1, 1))
        return nn.functional.interpolate(y[:, :, :4], scale_factor=2, mode="nearest")

    net = extract(lambda: Function(moves), (1, 4, 6, 6))
    assert [(layer.op, layer.x_elems, layer.y_elems) for layer in net] == [
        ("concat", 144 + 72, 216),
        ("roll", 216, 216),
        ("pad", 216, 288),
        ("upsample_nearest", 192, 768),
    ]
    assert all(layer.op_class is OpClass.DATA for layer in net)


def test_a_write_through_a_view_keeps_the_edge() -> None:
    def write(x: Tensor) -> Tensor:
        y = x.clone()
        y[:, 0] = x[:, 1] * 2
        return y + 1

    net = extract(lambda: Function(write), (2, 4, 5))
    assert "scatter" in ops(net)
    by_name = {layer.name: layer for layer in net}
    assert by_name["add"].inputs == ("scatter",)
    assert "mul" in {s for layer in net for s in layer.inputs}


def test_an_in_place_activation_is_what_later_readers_see() -> None:
    class InPlace(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.act = nn.ReLU(inplace=True)

        def forward(self, x: Tensor) -> Tensor:
            y = x * 2
            self.act(y)
            return y + 1

    net = extract(InPlace, (1, 4))
    assert [(layer.name, layer.inputs) for layer in net] == [
        ("mul", ("x",)),
        ("act", ("mul",)),
        ("add", ("act",)),
    ]


def test_einsum_and_lstm_decompose() -> None:
    product = extract(lambda: Function(lambda x, y: torch.einsum("bij,bjk->bik", x, y)), (2, 3, 4), (2, 4, 5))
    assert (ops(product), product.macs) == (["matmul"], 2 * 3 * 4 * 5)

    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(8, 6, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.lstm(x)[0]

    net = extract(Recurrent, (1, 3, 8))
    assert net.coverage.unknown == ()
    assert net.macs == 3 * (4 * 6 * 8 + 4 * 6 * 6)


def test_an_operator_without_model_is_named() -> None:
    net = extract(lambda: Function(lambda x: torch.fft.rfft2(x).abs()), (1, 3, 8, 8))
    assert net.coverage.unknown == ("aten._fft_r2c.default",)
    assert [(layer.name, layer.op) for layer in net] == [("_fft_r2c", "unknown"), ("abs", "abs")]
    assert 0 < net.coverage.bytes_share < 1


def test_a_region_with_its_own_graph_is_converted_too() -> None:
    class Autocast(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Tensor:
            with torch.autocast("cpu", enabled=False):
                y = self.fc(x)
            with torch.no_grad():
                z = self.fc(y)
            return z + y

    net = extract(Autocast, (1, 8))
    assert [layer.name for layer in net] == ["fc", "fc_2", "add"]
    assert net.layers[-1].inputs == ("fc_2", "fc")


def test_half_precision_has_half_the_bits() -> None:
    with torch.device("meta"):
        module = nn.Linear(8, 4).half()
    (layer,) = trace(module, [InputSpec("", (1, 8), "float16")], "net", "net").layers
    assert (layer.x_bits, layer.w_bits, layer.y_bits) == (16, 16, 16)


def test_batch_divides_out() -> None:
    """The same network at batch 4 is the network at batch 1 run four times."""
    build = lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))  # noqa: E731
    one, four = extract(build, (1, 3, 8, 8)), extract(build, (4, 3, 8, 8))
    assert four.batch == 4
    assert one.with_batch(4).layers == four.layers


def test_wrong_input_is_refused_with_the_reason() -> None:
    with torch.device("meta"):
        module = nn.Conv2d(3, 4, 3)
    with pytest.raises(
        ExtractError, match=r"cannot be traced on the input 1x4x8x8: .*expected input.* 3 channels"
    ):
        trace(module, [InputSpec("", (1, 4, 8, 8))], "net", "net")


def test_data_dependent_control_flow_is_refused() -> None:
    def branch(x: Tensor) -> Tensor:
        return x if bool(x.sum() > 0) else -x

    with pytest.raises(ExtractError, match="cannot be traced"):
        trace(Function(branch), [InputSpec("", (1, 4))], "net", "net")
