"""Networks on the light: the tiling of the cost model, ideal limits, trained accuracy, conversion to shared kernels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cosim.components.params import Params
from cosim.hardware.load import load_machine
from cosim.ir.layer import mac_layer
from cosim.mapping.feasibility import InfeasibleError
from cosim.mapping.plan import MappingDoc
from cosim.noise.optical_accuracy import interval, optical_accuracy
from cosim.noise.optical_setup import PERFECT, Imperfections, setup_for
from cosim.spec.locate import ROOT

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def params() -> Params:
    return load_machine(ROOT / "arch" / "optical4f.yaml", {}).params


LAYER = mac_layer("c", "conv", K=128, C=64, P=56, Q=56, R=3, S=3, padding=(1, 1, 1, 1))


def test_values_and_costs_read_one_tiling(params: Params) -> None:
    setup = setup_for(LAYER, params)
    assert setup is not None
    assert (setup.optical_sum, setup.scheme, setup.pitch, setup.plane) == (
        True,
        "pn4",
        (57, 57),
        (2160, 3840),
    )
    # 64 channels on 37 x 67 tiles: strips of 64 x 1 or 1 x 64 or squares of 8 x 8; 1 x 64 holds 37 filters
    assert setup.block_columns == 64
    pinned = setup_for(LAYER, params, mapping=MappingDoc(defaults={"tiling": "kernel", "signs": "two_step"}))
    assert pinned is not None
    assert (pinned.optical_sum, pinned.scheme) == (False, "two_step")


def test_electronic_and_refused_layers(params: Params) -> None:
    scores = mac_layer("qk", "matmul", G=2, K=9, C=4, P=9, static_weight=False)
    assert setup_for(scores, params) is None
    bench = load_machine(ROOT / "arch" / "optical4f_dmd_bench.yaml", {}).params
    with pytest.raises(ValueError, match="binary mask"):
        setup_for(LAYER, bench)
    with pytest.raises(InfeasibleError, match="partial sums"):
        setup_for(LAYER, params, mapping=MappingDoc(defaults={"tiling": "batch", "signs": "abs"}))


def nets() -> dict[str, Any]:
    from cosim.noise.optical_digits import NETWORKS

    torch.manual_seed(0)
    return {name: make().eval() for name, make in NETWORKS.items()}


@pytest.mark.parametrize("name", ["cnn", "vit", "convsharevit_valid", "convsharevit_same"])
def test_perfect_light_is_the_network(name: str, params: Params) -> None:
    from cosim.noise.optical_network import noise_of, on_light

    network = nets()[name]
    x = torch.rand(5, 1, 8, 8)
    light = on_light(network, params, PERFECT)
    with torch.no_grad():
        exact, got = network(x), light(x)
    assert float((got - exact).abs().max() / exact.abs().max()) < 2e-6
    layers = noise_of(light)
    assert layers
    assert all(layer.snr_db == layer.predicted_snr_db == float("inf") for layer in layers)


def test_runs_repeat_and_seeds_differ(params: Params) -> None:
    from cosim.noise.optical_network import on_light

    network, x = nets()["cnn"], torch.rand(4, 1, 8, 8)
    with torch.no_grad():
        a, b, c = (on_light(network, params, Imperfections(), seed)(x) for seed in (1, 1, 2))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_strides_groups_and_biases_of_torch_layers(params: Params) -> None:
    from cosim.noise.optical_network import on_light

    torch.manual_seed(1)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(6, 12, 5, stride=2, padding=(2, 1), groups=3),
        torch.nn.Conv2d(12, 4, (3, 1), dilation=(2, 1), bias=False),
        torch.nn.Flatten(2),
        torch.nn.Linear(45, 7),
    ).eval()
    x = torch.randn(3, 6, 26, 23)
    y = network[:2](x)
    network[3] = torch.nn.Linear(y.shape[2] * y.shape[3], 7)
    with torch.no_grad():
        torch.testing.assert_close(on_light(network, params, PERFECT)(x), network(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("groups", [1, 2])
def test_transposed_convolutions(params: Params, groups: int) -> None:
    from cosim.noise.optical_network import noise_of, on_light

    torch.manual_seed(2)
    network = torch.nn.Sequential(
        torch.nn.ConvTranspose2d(
            4, 6, (3, 5), stride=(2, 3), padding=(1, 0), output_padding=(1, 2), groups=groups
        ),
        torch.nn.ConvTranspose2d(6, 2, 2, dilation=2, bias=False),
    ).eval()
    x = torch.randn(2, 4, 7, 6)
    light = on_light(network, params, PERFECT)
    with torch.no_grad():
        torch.testing.assert_close(light(x), network(x), rtol=1e-4, atol=1e-5)
    assert len(noise_of(light)) == 2


def test_a_transformer_converts_exactly_to_shared_kernels(params: Params) -> None:
    from cosim.noise.optical_digits import SharedConv, to_shared

    vit = nets()["vit"]
    x = torch.rand(6, 1, 8, 8)
    with torch.no_grad():
        before = vit(x)
        shared = to_shared(vit)
        torch.testing.assert_close(shared(x), before, rtol=1e-5, atol=1e-5)
    kinds = [type(m).__name__ for m in shared.modules()]
    assert kinds.count("SharedConv") == 1 + 2 * (2 * 3 + 1 + 2)
    assert kinds.count("Linear") == 1  # the head mixes tokens: it is not shared
    assert isinstance(shared.embed, SharedConv)
    assert shared.embed.conv.kernel_size == (4, 4)


def test_accuracy_of_a_trained_network(params: Params) -> None:
    said: list[str] = []
    rows = optical_accuracy(
        params,
        "cnn",
        photons=(30.0, 20_000.0),
        bits=(1.0,),
        shifts_px=(0.0, 400.0),
        seeds=2,
        images=150,
        progress=said.append,
    )
    at = {(row.varied, row.at): row for row in rows}
    exact, machine = at["exact", 0.0], at["machine", 0.0]
    assert exact.accuracy > 0.95
    assert machine.accuracy > 0.93
    assert at["electrons", 30.0].accuracy < 0.5
    assert at["electrons", 20_000.0].accuracy >= at["electrons", 30.0].accuracy
    assert at["modulator_bits", 1.0].accuracy < machine.accuracy - 0.2
    assert at["shift_px", 0.0].accuracy == machine.accuracy
    # a mask shifted by a fifth of its rows: the channels of a filter no longer meet in phase
    assert at["shift_px", 400.0].accuracy < machine.accuracy - 0.2
    assert all(row.low <= row.accuracy <= row.high for row in rows)
    assert len(said) == len(rows) - 1


def test_intervals() -> None:
    mean, low, high = interval([0.9, 0.9, 0.9], 100)
    assert mean == pytest.approx(0.9)
    # Wilson at 95 % for 270 of 300
    assert (low, high) == (pytest.approx(0.8608, abs=2e-4), pytest.approx(0.9291, abs=2e-4))
    _, wide_low, wide_high = interval([0.8, 1.0], 10_000)
    assert (wide_low, wide_high) == (0.0, 1.0)  # two seeds far apart say little
    assert interval([0.5], 100)[1] == pytest.approx(0.4038, abs=2e-4)


def test_wrong_requests(params: Params) -> None:
    with pytest.raises(KeyError, match="convsharevit_valid"):
        optical_accuracy(params, "resnet")
    with pytest.raises(ValueError, match="450"):
        optical_accuracy(params, images=451)
    with pytest.raises(ValueError, match="above 0"):
        setup_for(LAYER, params, replace(PERFECT, electrons=0.0))
