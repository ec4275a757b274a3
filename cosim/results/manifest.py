"""What was evaluated: versions, hashes, batch, seed, overrides."""

from __future__ import annotations

import platform
from importlib.metadata import version

import numpy as np

from cosim.hardware.load import Machine
from cosim.ir.workload import Workload
from cosim.mapping.plan import MappingDoc
from cosim.results.result import Result
from cosim.spec.hashing import canonical_hash


def manifest_of(
    machine: Machine, network: Workload, mapping: MappingDoc | None, seed: int, baseline: Result | None
) -> dict[str, object]:
    """The manifest of one evaluation; ``hash`` is over what was evaluated, not over where."""
    content = {
        "cosim": version("cosim"),
        "arch": {
            "name": machine.name,
            "kind": machine.kind,
            "hash": machine.hash,
            "overrides": dict(machine.overrides),
        },
        "workload": {
            "name": network.name,
            "hash": workload_hash(network),
            "batch": network.batch,
            "transforms": str(network.origin.get("transforms", "")).split(),
        },
        "mapping": {"name": mapping.name, "hash": canonical_hash(_mapping_content(mapping))}
        if mapping
        else None,
        "baseline": baseline.manifest["arch"] if baseline else None,
        "seed": seed,
    }
    digest = canonical_hash(content)
    return {
        **content,
        "hash": digest,
        "origin": dict(network.origin),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def _mapping_content(mapping: MappingDoc) -> dict[str, object]:
    return {
        "defaults": dict(mapping.defaults),
        "rules": [[rule.pattern, dict(rule.values)] for rule in mapping.rules],
    }


def workload_hash(network: Workload) -> str:
    """Hash of a workload's layers: equal layers give equal hashes, wherever they came from."""
    rows = [
        [getattr(layer, name) for name in layer.__dataclass_fields__ if name != "module"]
        for layer in network.layers
    ]
    return canonical_hash(rows)
