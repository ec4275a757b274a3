"""The JSON Schema of workload files knows the keys that the reader knows."""

from __future__ import annotations

from cosim.ir.layer_fields import KEYS
from cosim.ir.ops import OPS
from cosim.ir.workload_schema import workload_schema
from cosim.spec.locate import ROOT
from cosim.spec.strict_yaml import load


def test_schema_names_every_key_that_a_file_uses() -> None:
    schema = workload_schema()["properties"]
    layer = schema["layers"]["items"]["properties"]
    assert list(layer) == list(KEYS)
    assert layer["op"]["enum"] == list(OPS)
    document = load(ROOT / "workloads" / "codenet_b.yaml").data
    assert set(document) <= set(schema)
    assert {key for row in document["layers"] for key in row} <= set(layer)
    assert {key for row in document["coverage"] for key in row} <= set(
        schema["coverage"]["items"]["properties"]
    )
