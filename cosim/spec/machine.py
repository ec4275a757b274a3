"""What every machine file has, whatever its kind."""

from __future__ import annotations

from cosim.spec.base import Spec


class MachineSpec(Spec):
    """Base of the machine specs; a kind adds its own blocks.

    ``kind`` names the module in :mod:`cosim.hardware`. ``companion`` is another machine file, relative to this
    one, that executes what this machine cannot.
    """

    kind: str
    """Kind of machine; see `cosim list kinds`."""
    name: str
    """Short name, shown in results."""
    description: str = ""
    """What it is and what it stands for."""
    companion: str | None = None
    """Path, relative to this file, of the machine that executes what this one cannot."""
