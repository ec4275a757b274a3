"""Campaigns on the trained digits networks: identities, pairing, protections that must help, resuming, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cosim.components.technology import load_technology
from cosim.noise.trials_file import TrialFile

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from cosim.noise.accuracy import Campaign, Runner  # noqa: E402
from cosim.noise.accuracy_store import Storage, StoredTensor  # noqa: E402
from cosim.noise.networks import DIGITS, NetworkError, TrainedNetwork, digits_network, own_network  # noqa: E402
from cosim.noise.placement import PlacementError, protection  # noqa: E402


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


CLEAN = {"mlp": 0.98, "cnn": 444 / 450, "vit": 0.98, "convsharevit": 438 / 450}


@pytest.mark.parametrize("name", sorted(DIGITS))
def test_the_stored_networks_were_really_trained(name: str) -> None:
    network = digits_network(name)
    assert len(network.labels) == 450
    assert network.accuracy() == pytest.approx(CLEAN[name], abs=1.5 / 450)
    largest = max(float(w.abs().max()) for w in network.stored_weights().values())
    assert largest < 1.0, "the sign backup needs weights inside (-1, 1)"
    size = sum(p.numel() for p in network.module.parameters())
    assert 3000 < size < 12_000


@pytest.mark.parametrize("name", sorted(DIGITS))
def test_without_errors_memory_changes_nothing(name: str) -> None:
    """FP16 weights come back bit for bit under every lossless protection."""
    network = digits_network(name)
    before = {k: v.clone() for k, v in network.module.state_dict().items()}
    texts = ("baseline", "sbp", "sbp_rot14:4", "remap", "invert", "sbp+range+secded", "baseline+soft")
    runner = Runner(network, Campaign(texts, rates=(0.0,), trials=1))
    results = runner.run({})
    assert set(results.values()) == {runner.exact}
    after = network.module.state_dict()
    assert all(torch.equal(after[k], v) for k, v in before.items()), (
        "the network's own weights are left as they were"
    )


def test_trials_repeat_are_paired_and_restore_the_network() -> None:
    network = digits_network("mlp")
    campaign = Campaign(("baseline", "invert"), "uniform", (3e-3,), trials=4)
    first, second = (Runner(network, campaign).run({}) for _ in range(2))
    assert first == second
    # inversion stores every bit complemented: flips at the same places undo to the same weights
    assert all(first["baseline", 3e-3, t] == first["invert", 3e-3, t] for t in range(4))
    assert len({first["baseline", 3e-3, t] for t in range(4)}) > 1
    shifted = Runner(network, Campaign(("baseline",), "uniform", (3e-3,), trials=3, seed=1)).run({})
    assert all(shifted["baseline", 3e-3, t] == first["baseline", 3e-3, t + 1] for t in range(3))


def test_protections_order_as_they_must() -> None:
    """Sign backup removes hits on the top exponent bit, SECDED removes nearly everything at 1e-4."""
    network = digits_network("cnn")
    texts = ("baseline", "sbp", "baseline+range", "baseline+secded")
    runner = Runner(network, Campaign(texts, "uniform", (3e-4, 1e-2), trials=6))
    mean = {(p.protection, p.rate): p.summary.mean for p in runner.points(runner.run({}))}
    assert mean["baseline+secded", 3e-4] == pytest.approx(runner.exact, abs=0.002)
    assert mean["baseline", 1e-2] < 0.6
    assert mean["baseline+range", 1e-2] > mean["baseline", 1e-2] + 0.1
    assert mean["sbp", 1e-2] > mean["baseline", 1e-2]
    assert mean["baseline", 3e-4] > mean["baseline", 1e-2]


def test_errors_by_content_spare_cheap_patterns() -> None:
    values = np.zeros(1000, np.float32)
    stored = StoredTensor("w", values, Storage("fp16"), protection("baseline"))
    hard = Campaign(errors="pattern", rates=(1.0,)).channels(1.0)
    from cosim.noise.inject import Stream

    assert stored.read(hard, Stream(0, "w")) is None  # every cell holds 00
    ones = StoredTensor("w", np.full(1000, 1.5, np.float32), Storage("fp16"), protection("baseline"))
    assert ones.read(hard, Stream(0, "w")) is not None


def test_check_bits_are_hit_and_corrected_like_data() -> None:
    """Single errors give the clean values back, wherever in the 72 bits they strike; at 0.2 a bit it cannot."""
    from cosim.noise.channels import UniformFlips
    from cosim.noise.inject import Stream

    rng = np.random.default_rng(0)
    values = rng.normal(0, 0.03, 4000).astype(np.float16).astype(np.float32)
    stored = StoredTensor("w", values, Storage("fp16"), protection("baseline+secded"))
    for seed in range(40):
        found = stored.read((UniformFlips(1e-5),), Stream(seed, "w"))
        assert found is None or np.array_equal(found, values)
    # 16 values are 256 bits and 32 check bits: 1 - 0.998^288 = 0.438 of the reads see an error, 0.401 if the check
    # bits were safe; 3000 reads make a standard deviation of 0.009
    small = StoredTensor("s", values[:16], Storage("fp16"), protection("baseline+secded"))
    seen = sum(small.read((UniformFlips(2e-3),), Stream(n, "s")) is not None for n in range(3000))
    assert seen / 3000 == pytest.approx(0.438, abs=0.022)
    broken = stored.read((UniformFlips(0.2),), Stream(0, "w"))
    assert broken is not None
    assert not np.array_equal(broken, values)


def test_transient_errors_are_drawn_for_every_access() -> None:
    network = digits_network("mlp")
    base = {"errors": "uniform", "rates": (2e-3,), "trials": 3}
    once = Runner(network, Campaign(persistence="persistent", **base)).run({})
    whole = Runner(network, Campaign(persistence="transient", images_per_access=450, **base)).run({})
    many = Runner(network, Campaign(persistence="transient", images_per_access=15, **base)).run({})
    assert once != whole, "other streams"
    # over thirty accesses a trial averages over draws, so trials differ less than with one draw each
    assert np.std(list(many.values())) < np.std(list(whole.values())) + 1e-9


def test_errors_in_activations_cost_accuracy_and_leave_weights() -> None:
    network = digits_network("cnn")
    runner = Runner(network, Campaign(("baseline",), "uniform", (0.0, 1e-3), trials=2, tensors="activations"))
    found = {(p.rate): p.summary.mean for p in runner.points(runner.run({}))}
    assert found[0.0] == pytest.approx(runner.exact, abs=0.003)
    assert found[1e-3] < 0.6
    quantised = Campaign(
        ("baseline",),
        "uniform",
        (0.0, 1e-3),
        trials=2,
        tensors="both",
        storage="int4_per_channel",
        activation_storage="int8",
    )
    rows = Runner(network, quantised)
    means = {p.rate: p.summary.mean for p in rows.points(rows.run({}))}
    assert means[0.0] > 0.97
    assert means[1e-3] > found[1e-3], "an integer activation has no exponent to lose"


# Largest error of a uniform quantiser is half a step: SQNR of a b-bit grid rises by 6.02 dB a bit.
def test_sqnr_rises_by_six_decibel_a_bit_and_is_reported_a_layer() -> None:
    network = digits_network("cnn")
    rows = {
        name: Runner(network, Campaign(storage=name)).rows()
        for name in ("int8_per_channel", "int4_per_channel")
    }
    assert [r.tensor for r in rows["int8_per_channel"]] == list(network.stored_weights())
    for eight, four in zip(rows["int8_per_channel"], rows["int4_per_channel"], strict=True):
        assert eight.sqnr_db - four.sqnr_db == pytest.approx(20 * np.log10(127 / 7), abs=2.0)
        assert eight.stored_bits == 2 * four.stored_bits


@pytest.mark.parametrize("name", ["int8", "int8_affine", "int2_per_channel", "q2_14", "fp8_e4m3", "nvfp4", "mxfp4",
                                  "power_of_two_4", "q2.6", "bf16", "fp32", "codenet_weight"])  # fmt: skip
def test_every_quantiser_goes_through_memory_and_back(name: str) -> None:
    values = np.random.default_rng(1).normal(0, 0.1, (8, 6, 4)).astype(np.float32)
    storage = Storage(name)
    tensor = StoredTensor("w", values, storage, protection("baseline"))
    if storage.quantizer is not None:
        expected = storage.quantizer.quantize(values, what="w").dequantize()
        np.testing.assert_allclose(tensor.clean, expected, rtol=1e-6, atol=1e-9)
    else:
        np.testing.assert_allclose(tensor.clean, values, rtol=2.0**-8)
    assert tensor.sqnr_db > 5


def test_kept_trials_are_not_run_again(tmp_path: Path) -> None:
    network = digits_network("mlp")
    campaign = Campaign(("baseline",), "uniform", (1e-3,), trials=4)
    runner = Runner(network, campaign)
    path, digest = tmp_path / "trials.jsonl", campaign.digest(network)
    with TrialFile(path, digest, {}) as kept:
        whole = runner.run(kept.done, lambda key, accuracy, *_: kept.add(key, accuracy))
    text = path.read_bytes()
    path.write_bytes(text[: text.rindex(b'{"prot') + 20])  # killed while writing the last trial
    ran = []
    with TrialFile(path, digest, {}) as kept:
        assert len(kept.done) == 3
        again = runner.run(kept.done, lambda key, accuracy, *_: (ran.append(key), kept.add(key, accuracy)))
    assert ran == [("baseline", 1e-3, 3)]
    assert again == whole
    assert path.read_bytes() == text
    other = Campaign(("baseline",), "pattern", (1e-3,), trials=4)
    with pytest.raises(PlacementError, match="another campaign"):
        TrialFile(path, other.digest(network), {})
    more = Campaign(("sbp",), "uniform", (1e-2,), trials=9)
    assert more.digest(network) == digest, "further rates, protections and trials go on in the same folder"


def _network(weight: float) -> TrainedNetwork:
    layer = torch.nn.Linear(2, 2)
    with torch.no_grad():
        layer.weight.fill_(weight)
    return TrainedNetwork(
        "own", torch.nn.Sequential(layer), torch.zeros(3, 2), torch.zeros(3, dtype=torch.long)
    )


def test_a_weight_outside_the_range_is_named_with_layer_and_maximum() -> None:
    with pytest.raises(
        PlacementError, match=r"layer '0.weight': largest \|weight\| is 1.25, outside \(-1, 1\)"
    ):
        Runner(_network(1.25), Campaign(("sbp",)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rates": (1.5,)}, "found rate 1.5, allowed 0 to 1"),
        ({"rates": (-1e-9,)}, "allowed 0 to 1"),
        ({"errors": "patern"}, "nearest: 'pattern'"),
        ({"errors": "technology"}, "come from a technology record"),
        ({"trials": 0}, "found 0 trials"),
        ({"images": 451}, "allowed 1 to 450"),
        ({"storage": "int8", "protections": ("sbp",)}, "int8 uses all its bits"),
        ({"storage": "int9"}, "int8"),
        ({"protections": ("hybrid:17",)}, "allowed 1 to 16"),
        ({"protections": ("hybrid+ecp",)}, "allowed range, soft, secded"),
        ({"protections": ("flip_n_write",)}, "depends on what is overwritten"),
        ({"tensors": "both", "activation_storage": "int8_per_channel"}, "scales each channel"),
    ],
)
def test_what_cannot_be_run_is_refused(changes: dict, message: str) -> None:
    with pytest.raises(PlacementError, match=message):
        Runner(digits_network("mlp"), Campaign(**changes)).run({})


def test_a_record_without_the_field_is_refused_with_the_field() -> None:
    sram = load_technology("sram_22_lstp")
    with pytest.raises(ValueError, match=r"errors.uniform_rate"):
        Campaign(errors="technology", record=sram).channels(0.0)
    with pytest.raises(ValueError, match=r"reliability.thermal_stability"):
        Campaign(errors="retention", rates=(1.0,), record=sram).channels(1.0)


def test_retention_of_the_record_matches_the_closed_form() -> None:
    """Delta 61, tau0 1 ns, ten years: 1 - exp(-t/tau0 exp(-61)) = 1.0e-9 a bit."""
    (channel,) = Campaign(errors="retention", rates=(1.0,), record=load_technology("stt_ram_22")).channels(
        3.15576e8
    )
    assert channel.rate == pytest.approx(3.15576e8 / 1e-9 * np.exp(-61.0), rel=1e-6)


OWN = (
    "import torch\ndef make():\n    m = torch.nn.Linear(2, 2, bias=False)\n    m.weight.data = torch.eye(2)\n"
)


def test_own_model_by_module_and_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(
        OWN + "    x = torch.eye(2)\n    return m, [(x, torch.tensor([0, 1]))]\n"
    )
    (tmp_path / "wrong.py").write_text(OWN + "    return m\n")
    monkeypatch.chdir(tmp_path)
    network = own_network("mine:make")
    assert network.accuracy() == 1.0
    assert list(network.stored_weights()) == ["weight"]
    assert Runner(network, Campaign(rates=(0.0,), trials=1)).run({}) == {("baseline", 0.0, 0): 1.0}
    with pytest.raises(NetworkError, match="found Linear, allowed"):
        own_network("wrong:make")
    with pytest.raises(NetworkError, match="allowed module:function"):
        own_network("mine:made")
    with pytest.raises(NetworkError, match="nearest: 'cnn'"):
        digits_network("cn")


def test_command_prints_one_document_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from cosim.cli.main import main

    args = [
        "accuracy",
        "systolic_mlc_sttram_hybrid",
        "mlp",
        "--rates",
        "1e-3,1e-2",
        "--trials",
        "3",
        "--json",
    ]
    with pytest.raises(SystemExit) as done:
        main([*args, "--out", str(tmp_path), "--plot", str(tmp_path / "f.svg")])
    assert done.value.code == 0
    document = json.loads(capsys.readouterr().out)
    assert {p["protection"] for p in document["points"]} == {"baseline", "hybrid:16"}
    assert (document["memory"], document["errors"], document["storage"]) == (
        "buffers.filter",
        "pattern",
        "fp16",
    )
    assert len(document["points"]) == 4
    assert json.loads((tmp_path / "accuracy.json").read_text()) == document
    assert "<svg" in (tmp_path / "f.svg").read_text()
    before = (tmp_path / "trials.jsonl").read_bytes()
    with pytest.raises(SystemExit):
        main([*args, "--out", str(tmp_path)])
    assert json.loads(capsys.readouterr().out) == document
    assert (tmp_path / "trials.jsonl").read_bytes() == before


def test_command_refuses_a_machine_without_memories(capsys: pytest.CaptureFixture[str]) -> None:
    from cosim.cli.main import main

    with pytest.raises(SystemExit) as done:
        main(["accuracy", "gpu_a100", "mlp"])
    assert done.value.code == 3
    assert "states no memory with a technology for weights" in capsys.readouterr().err
