"""A machine as a report speaks of it, from its file or from a result folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cosim.components.params import ParameterRow
from cosim.hardware.load import Machine
from cosim.results.outcome import Outcome
from cosim.spec.locate import ROOT
from cosim.spec.sources import sources_for


@dataclass(frozen=True)
class MachineView:
    """Name, kind, what the model leaves out, and every parameter with its source.

    ``bibliography`` holds the sources that its parameters name, in words.
    """

    name: str
    kind: str
    description: str
    leaves_out: tuple[str, ...]
    parameters: tuple[ParameterRow, ...]
    bibliography: Mapping[str, str]


def machine_view(machine: Machine) -> MachineView:
    """The view of a machine that has been loaded."""
    known = sources_for(machine.path)
    return MachineView(
        machine.name,
        machine.kind,
        " ".join(machine.spec.description.split()),
        machine.model.leaves_out,
        machine.parameters,
        {key: str(known.get(key, "unknown")) for key in _keys(machine.parameters)},
    )


def stored_view(result: Outcome) -> MachineView:
    """The view of the machine of a result; sources are looked up in the shipped bibliography."""
    known = sources_for(ROOT / "arch" / "machine.yaml")
    arch = result.manifest["arch"]
    return MachineView(
        result.machine,
        str(arch["kind"]),
        "",
        result.leaves_out,
        result.parameters,
        {key: str(known.get(key, "not in the shipped bibliography")) for key in _keys(result.parameters)},
    )


def _keys(parameters: tuple[ParameterRow, ...]) -> list[str]:
    return sorted({row.source for row in parameters if row.source})
