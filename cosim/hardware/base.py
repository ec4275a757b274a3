"""What a kind of machine is: a validated spec, its choices, counts, and what each action costs.

A kind lives in one file ``cosim/hardware/<kind>.py`` that defines ``MODEL``, an instance of a subclass of
:class:`MachineModel`. It writes only what it counts and what it waits for; energy, breakdowns, sweeps,
sensitivity and reports follow from that.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import ClassVar

from cosim.components.estimate import EnergyTable, Estimate
from cosim.components.params import Params, Value
from cosim.components.tiling import Tilings
from cosim.ir.batch import LayerBatch
from cosim.mapping.plan import Choices, Plan
from cosim.spec.machine import MachineSpec


class MachineModel(ABC):
    """One kind of machine.

    Class attributes
    ----------------
    kind:        the word in the arch file, equal to the module's name
    summary:     one line for ``cosim list``
    spec:        the validated form of its arch file
    choices:     per-layer choices of a mapping; the first value of each is the default
    cycle:       what one "cycle" of this machine is, in words
    leaves_out:  what the model does not contain, in words, printed with every result
    holds:       what the model assumes and where it holds: limits of its form, what it was held against and what not
    """

    kind: ClassVar[str]
    summary: ClassVar[str]
    spec: ClassVar[type[MachineSpec]]
    choices: ClassVar[Choices] = {}
    cycle: ClassVar[str]
    leaves_out: ClassVar[tuple[str, ...]] = ()
    holds: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def estimate(self, layers: LayerBatch, params: Params, plan: Plan) -> Estimate:
        """Counts for every layer: arrays of shape (L,), or (points, L) if ``params`` holds columns."""

    @abstractmethod
    def energies(self, params: Params) -> EnergyTable:
        """Energy per action and static power, from the same parameters."""

    @abstractmethod
    def cycle_hz(self, params: Params) -> Value:
        """Rate of the machine's reference cycle."""

    @abstractmethod
    def peak_macs_per_s(self, params: Params) -> Value:
        """Multiply-accumulates per second if nothing ever waits: the roof and the base of utilisation."""

    def tilings(self, layers: LayerBatch, params: Params, plan: Plan, estimate: Estimate) -> Tilings:
        """How the stages of ``estimate`` are cut into tiles, for the event simulation of one design point.

        The default states nothing: every stage is one tile, and none of its units overlap.
        """
        return Tilings()

    def bandwidth_bytes_per_s(self, params: Params) -> Value | None:
        """Bandwidth of the outermost memory (the slope of the roofline), or None if the model has none."""
        return None

    @abstractmethod
    def equation(self, layers: LayerBatch, params: Params, plan: Plan) -> tuple[str, ...]:
        """The cost of the single layer in ``layers`` as equations with their numbers, a line each."""

    def execution_bits(self, params: Params) -> Mapping[str, Value]:
        """Operand widths the machine computes with: ``x_bits``, ``w_bits``, ``y_bits`` (and ``acc_bits``)."""
        return {name: params[f"datapath.{name}"] for name in ("x_bits", "w_bits", "y_bits")}


@cache
def kinds() -> tuple[str, ...]:
    """Kinds that exist: the modules of this package that are not helpers, without importing them."""
    here = Path(__file__).parent
    helpers = {"__init__", "base", "lowering", "load"}
    return tuple(
        sorted(p.stem for p in here.glob("*.py") if p.stem not in helpers and not p.stem.startswith("_"))
    )


def model_of(kind: str) -> MachineModel:
    """The model of a kind, importing only its module; raises ``KeyError`` for an unknown kind."""
    if kind not in kinds():
        raise KeyError(f"unknown kind {kind!r}; allowed {list(kinds())}")
    model = import_module(f"cosim.hardware.{kind}").MODEL
    if not isinstance(model, MachineModel):
        raise TypeError(f"cosim.hardware.{kind}.MODEL is not a MachineModel")
    return model
