"""The network definitions: they run, and the deformable operator computes what it says."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402

from cosim.frontends.load import load_module  # noqa: E402
from cosim.frontends.reference import parse_reference  # noqa: E402
from cosim.frontends.zoo.codenet import CoDeNet  # noqa: E402
from cosim.frontends.zoo.convsharevit import SharedConv, convsharevit  # noqa: E402
from cosim.frontends.zoo.deform import DeformConv2d, deform_conv2d  # noqa: E402
from cosim.frontends.zoo.fasternet import PartialConv  # noqa: E402
from cosim.frontends.zoo.fatnet import fatnet  # noqa: E402


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)
    torch.set_grad_enabled(False)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation", "groups"), [(3, 1, 1, 1, 1), (3, 2, 0, 2, 2), (5, 1, 2, 1, 4)]
)
@pytest.mark.parametrize("bilinear", [True, False])
def test_without_offsets_it_is_the_plain_convolution(
    kernel: int, stride: int, padding: int, dilation: int, groups: int, bilinear: bool
) -> None:
    x = torch.randn(2, 4, 9, 11)
    module = DeformConv2d(4, 8, kernel, stride, padding, dilation, groups, bias=True, bilinear=bilinear)
    plain = functional.conv2d(x, module.weight, module.bias, stride, padding, dilation, groups)
    zero = torch.zeros(2, 2 * kernel * kernel, *plain.shape[2:])
    one = torch.ones(2, 1, *plain.shape[2:])
    assert torch.allclose(module(x, zero), plain, atol=1e-5)
    assert torch.allclose(module(x, one), plain, atol=1e-5)


def test_a_whole_offset_reads_the_shifted_image() -> None:
    """All taps moved by (1, -2): the convolution of the image shifted by as much, zeros where it has no pixels."""
    x, weight = torch.randn(1, 3, 8, 8), torch.randn(2, 3, 3, 3)
    offset = torch.zeros(1, 18, 8, 8)
    offset[:, 0::2], offset[:, 1::2] = 1, -2
    shifted = torch.zeros_like(x)
    shifted[:, :, :-1, 2:] = x[:, :, 1:, :-2]
    got = deform_conv2d(x, offset, weight, None, [1, 1], [1, 1], [1, 1], 1, True)
    want = functional.conv2d(shifted, weight, padding=1)
    assert torch.allclose(got[..., 1:-2, 3:-1], want[..., 1:-2, 3:-1], atol=1e-5)


def test_a_half_offset_averages_two_neighbours() -> None:
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    weight = torch.ones(1, 1, 1, 1)
    offset = torch.zeros(1, 2, 4, 4)
    offset[:, 1] = 0.5
    got = deform_conv2d(x, offset, weight, None, [1, 1], [0, 0], [1, 1], 1, True)
    assert torch.allclose(got[..., :-1], (x[..., :-1] + x[..., 1:]) / 2)
    assert torch.allclose(got[..., -1], x[..., -1] / 2)


def test_one_scale_dilates_the_window() -> None:
    """A scale of 2 on a 3x3 window is the convolution with dilation 2 (CoDeNet's square shape)."""
    x, weight = torch.randn(1, 3, 8, 8), torch.randn(2, 3, 3, 3)
    scale = torch.full((1, 1, 8, 8), 2.0)
    got = deform_conv2d(x, scale, weight, None, [1, 1], [1, 1], [1, 1], 1, False)
    assert torch.allclose(got, functional.conv2d(x, weight, padding=2, dilation=2), atol=1e-5)


def test_rounded_offsets_read_whole_pixels() -> None:
    x, weight = torch.randn(1, 2, 6, 6), torch.randn(3, 2, 3, 3)
    offset = torch.randn(1, 18, 6, 6) * 2
    window = ([1, 1], [1, 1], [1, 1], 1)
    rounded = deform_conv2d(x, offset.round(), weight, None, *window, True)
    assert torch.allclose(deform_conv2d(x, offset, weight, None, *window, False), rounded, atol=1e-5)


def test_valid_shared_convolution_is_the_linear_layer_it_replaces() -> None:
    module = SharedConv(1, 1, "valid")
    tokens = torch.randn(2, 5, 1, 8, 8)
    as_linear = functional.linear(tokens.flatten(2), module.conv.weight.flatten(1), module.conv.bias)
    assert torch.allclose(module(tokens).flatten(2), as_linear, atol=1e-5)


def test_partial_convolution_passes_three_quarters() -> None:
    module = PartialConv(8)
    x = torch.randn(1, 8, 5, 5)
    y = module(x)
    assert torch.equal(y[:, 2:], x[:, 2:])
    assert torch.allclose(y[:, :2], module.conv(x[:, :2]))


@pytest.mark.parametrize(
    ("module", "shape", "outputs"),
    [
        (convsharevit("same"), (2, 3, 72, 72), [(2, 100)]),
        (fatnet(), (1, 3, 32, 32), [(1, 100)]),
        (CoDeNet(1, max_pool=True), (1, 3, 64, 96), [(1, 20, 16, 24), (1, 2, 16, 24), (1, 2, 16, 24)]),
        (CoDeNet(1, max_pool=False), (1, 3, 64, 64), [(1, 20, 16, 16), (1, 2, 16, 16), (1, 2, 16, 16)]),
    ],
    ids=["convsharevit", "fatnet", "codenet_pool", "codenet_stride4"],
)
def test_networks_run(
    module: torch.nn.Module, shape: tuple[int, ...], outputs: list[tuple[int, ...]]
) -> None:
    results = module.eval()(torch.zeros(shape))
    results = results if isinstance(results, tuple) else (results,)
    assert [tuple(r.shape) for r in results] == outputs


def test_the_loader_builds_on_the_meta_device() -> None:
    module = load_module(parse_reference("cosim.frontends.zoo.vgg:vgg16?num_classes=10"))
    assert {p.device.type for p in module.parameters()} == {"meta"}
    assert module.classifier[-1].out_features == 10
