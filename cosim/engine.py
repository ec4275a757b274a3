"""The only composer: a machine, a workload and a mapping in, a result out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cosim.components.estimate import CostTable, price
from cosim.components.params import Params, Value, points_of
from cosim.hardware.base import MachineModel
from cosim.hardware.load import Machine, load_machine
from cosim.ir.batch import Array, LayerBatch
from cosim.ir.transforms import apply_transforms, split_reference
from cosim.ir.workload import Workload
from cosim.ir.workload_file import load_workload as load_workload_file
from cosim.mapping.feasibility import InfeasibleError, violations
from cosim.mapping.mapping_file import load_mapping
from cosim.mapping.plan import MappingDoc, MappingError, Plan, make_plan
from cosim.results.comparison import Comparison
from cosim.results.manifest import manifest_of
from cosim.results.outcome import Roof
from cosim.results.result import PJ_PER_J, Result
from cosim.spec.locate import find_document
from cosim.spec.problems import nearest_hint

if TYPE_CHECKING:  # the event simulation brings Numba with it
    from cosim.sim.build import Laid
    from cosim.sim.events import Options, Tick
    from cosim.sim.report import Simulation

# Points times distinct layers per evaluation: intermediate arrays stay in the caches, and calls stay few.
CHUNK_ELEMENTS = 16384
MIN_COVERAGE = 0.99


class CoverageError(ValueError):
    """A workload of which too little is modelled."""


def load_arch(
    ref: str | Path, overrides: Mapping[str, str] | None = None, *, strict: bool = False
) -> Machine:
    """A machine from a file path or the name of a shipped one, with ``path=value`` overrides.

    Raises :class:`cosim.spec.problems.SpecError` with every problem of the file.
    """
    return load_machine(find_document(ref, "arch"), overrides or {}, strict=strict)


def load_workload(ref: str | Path) -> Workload:
    """A workload from a file path or the name of a shipped one, ``+transform`` after it as often as wanted.

    ``resnet18+prune_channels:0.5`` is resnet18 after that transform (:mod:`cosim.ir.transforms`): the name that
    the transformed network has. Raises ``TransformError`` for one that does not apply.
    """
    name, transforms = split_reference(str(ref))
    return apply_transforms(load_workload_file(find_document(name, "workloads")), transforms)


def evaluate(
    arch: Machine | str | Path,
    workload: Workload | str | Path,
    mapping: MappingDoc | str | Path | None = None,
    *,
    batch: int = 1,
    baseline: Machine | str | Path | None = None,
    overrides: Mapping[str, str] | None = None,
    min_coverage: float = MIN_COVERAGE,
    transforms: Sequence[str] = (),
    seed: int = 0,
) -> Result:
    """Evaluate a workload on a machine, and on a baseline to compare with.

    ``mapping`` and ``overrides`` apply to ``arch``; the baseline runs with its defaults on the same batch.
    ``transforms`` (:mod:`cosim.ir.transforms`) change the workload, in order, for both.
    Raises :class:`cosim.spec.problems.SpecError` for invalid files, ``MappingError`` for a mapping that names
    what does not exist, ``TransformError`` for a transform that does not apply, ``InfeasibleError`` for layers
    that do not fit, and :class:`CoverageError` when less than ``min_coverage`` of the MACs is modelled.
    """
    machine = arch if isinstance(arch, Machine) else load_arch(arch, overrides)
    network = _covered(workload, transforms, batch, min_coverage)
    rules = _rules(mapping)
    layers = LayerBatch.from_layers(network.layers)
    other = None
    if baseline is not None:
        other = _evaluate_one(
            baseline if isinstance(baseline, Machine) else load_arch(baseline), network, layers, None, seed
        )
    return _evaluate_one(machine, network, layers, rules, seed, other)


def lay_out(
    arch: Machine | str | Path,
    workload: Workload | str | Path,
    mapping: MappingDoc | str | Path | None = None,
    *,
    batch: int = 1,
    overrides: Mapping[str, str] | None = None,
    min_coverage: float = MIN_COVERAGE,
    transforms: Sequence[str] = (),
) -> Laid:
    """A workload on a machine as the event simulation needs it (:mod:`cosim.sim.build`); refuses what evaluate does."""
    from cosim.sim.build import lay

    machine = arch if isinstance(arch, Machine) else load_arch(arch, overrides)
    laid = lay(machine, _covered(workload, transforms, batch, min_coverage), _rules(mapping))
    reasons = violations(laid.cost.limits, laid.layers.names)
    if reasons:
        raise InfeasibleError(reasons)
    return laid


def simulate(
    arch: Machine | str | Path,
    workload: Workload | str | Path,
    mapping: MappingDoc | str | Path | None = None,
    *,
    images: int = 1,
    in_flight: int = 1,
    options: Options | None = None,
    batch: int = 1,
    overrides: Mapping[str, str] | None = None,
    min_coverage: float = MIN_COVERAGE,
    transforms: Sequence[str] = (),
    progress: Tick | None = None,
) -> Simulation:
    """Event simulation of ``images`` passes, at most ``in_flight`` at once; see :mod:`cosim.sim.events`."""
    from cosim.sim.build import program_of
    from cosim.sim.events import Job
    from cosim.sim.report import simulation

    laid = lay_out(
        arch,
        workload,
        mapping,
        batch=batch,
        overrides=overrides,
        min_coverage=min_coverage,
        transforms=transforms,
    )
    return simulation(Job(program_of(laid), images, in_flight), options, progress)


def _rules(mapping: MappingDoc | str | Path | None) -> MappingDoc | None:
    return mapping if isinstance(mapping, MappingDoc) or mapping is None else load_mapping(Path(mapping))


def _covered(
    workload: Workload | str | Path, transforms: Sequence[str], batch: int, min_coverage: float
) -> Workload:
    """The workload with its transforms and batch; refused where too little of it is modelled."""
    network = workload if isinstance(workload, Workload) else load_workload(workload)
    network = apply_transforms(network, transforms).with_batch(batch)
    share = network.coverage.macs_share
    if share < min_coverage:
        raise CoverageError(
            f"workload {network.name}: {share:.1%} of the MACs are modelled, the threshold is {min_coverage:.1%}; "
            f"not modelled: {', '.join(network.coverage.unknown)}"
        )
    return network


def _evaluate_one(
    machine: Machine,
    network: Workload,
    layers: LayerBatch,
    mapping: MappingDoc | None,
    seed: int,
    baseline: Result | None = None,
) -> Result:
    plan = make_plan(layers, machine.model.choices, mapping)
    cost = price(machine.model.estimate(layers, machine.params, plan), machine.model.energies(machine.params))
    reasons = violations(cost.limits, layers.names)
    if reasons:
        raise InfeasibleError(reasons)
    return Result(
        manifest=manifest_of(machine, network, mapping, seed, baseline),
        workload=network,
        cost=cost,
        cycle_hz=float(machine.model.cycle_hz(machine.params)),
        cycle=machine.model.cycle,
        bytes_=executed_bytes(machine.model, layers, machine.params),
        parameters=machine.parameters,
        roof=roof_of(machine),
        leaves_out=machine.model.leaves_out,
        baseline=baseline,
    )


def roof_of(machine: Machine) -> Roof:
    """Peak rate and outer bandwidth of a machine, the best over its points if it has several."""
    bandwidth = machine.model.bandwidth_bytes_per_s(machine.params)
    return Roof(
        peak_macs_per_s=float(np.max(machine.model.peak_macs_per_s(machine.params))),
        bandwidth_bytes_per_s=None if bandwidth is None else float(np.max(bandwidth)),
    )


def executed_bytes(model: MachineModel, layers: LayerBatch, params: Params) -> Array:
    """Bytes of operands and result at the widths the machine computes with, shape (L,) or (points, L)."""
    bits = model.execution_bits(params)
    total: Array = (
        layers.x_elems * bits["x_bits"] + layers.w_elems * bits["w_bits"] + layers.y_elems * bits["y_bits"]
    ) / 8
    return total


def explain_layer(
    arch: Machine | str | Path,
    workload: Workload | str | Path,
    layer: str,
    mapping: MappingDoc | str | Path | None = None,
    *,
    batch: int = 1,
    overrides: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """One layer's cost as equations with their numbers, then its bound, energy and what is left out.

    Raises ``MappingError`` (nearest spelling) for a layer that the workload does not have.
    """
    machine = arch if isinstance(arch, Machine) else load_arch(arch, overrides)
    network = workload if isinstance(workload, Workload) else load_workload(workload)
    names = [found.name for found in network.layers]
    if layer not in names:
        raise MappingError(
            f"workload {network.name}: no layer {layer!r}, {nearest_hint(layer, names) or 'see its file'}"
        )
    layers = LayerBatch.from_layers(network.with_batch(batch).layers)
    plan = make_plan(layers, machine.model.choices, _rules(mapping))
    index = [names.index(layer)]
    one, one_plan = layers.take(index), plan.take(index)
    cost = price(
        machine.model.estimate(one, machine.params, one_plan), machine.model.energies(machine.params)
    )
    lines = [f"{layer} ({one.ops[0]}) on {machine.name}, batch {network.batch * batch}"]
    lines += machine.model.equation(one, machine.params, one_plan)
    for stage, seconds in cost.stage_s.items():
        inside = [name for name, of in cost.stage_of.items() if of == stage]
        parts = ", ".join(f"{name} {float(np.ravel(cost.resource_s[name])[0]):.4g} s" for name in inside)
        lines.append(f"stage {stage}: max({parts}) = {float(np.ravel(seconds)[0]):.4g} s")
    lines.append(
        f"latency = sum of stages = {float(cost.latency_s[0]):.6g} s, bound by {cost.bound_names()[0]}"
    )
    for name, energy in cost.energy_pj.items():
        lines.append(f"energy of {name} = {float(energy[0]):.6g} pJ")
    lines.append(f"energy = {float(cost.total_energy_pj[0]):.6g} pJ")
    lines += [f"not modelled: {text}" for text in machine.model.leaves_out]
    return (*lines, *(str(reason) for reason in violations(cost.limits, one.names)))


@dataclass(frozen=True)
class PointsChunk:
    """Costs of design points ``start`` to ``start + count``.

    Layers that cost the same are evaluated once: arrays of ``cost`` have shape (count, U) for the U distinct
    layers, ``repeats`` (U,) says how often each occurs, and ``member`` (L,) which of them a layer is.
    """

    start: int
    count: int
    cost: CostTable
    layers: LayerBatch
    repeats: Array
    member: NDArray[np.int64]

    def total(self, values: Value) -> Array:
        """Sum over all layers of values that broadcast to (count, U), shape (count,)."""
        full = np.broadcast_to(values, (self.count, self.repeats.size))
        return np.asarray(full @ self.repeats)

    def every_layer(self, values: Value) -> Array:
        """Values that broadcast to (count, U), one column for each of the L layers."""
        return np.broadcast_to(values, (self.count, self.repeats.size))[:, self.member]

    @property
    def latency_s(self) -> Array:
        """Time of the whole network, shape (count,)."""
        return self.total(self.cost.latency_s)

    @property
    def energy_j(self) -> Array:
        """Energy of the whole network, shape (count,)."""
        parts = [self.total(part) for part in self.cost.energy_pj.values()]
        return np.asarray(sum(parts[1:], parts[0])) / PJ_PER_J


def evaluate_points(
    model: MachineModel,
    layers: LayerBatch,
    params: Params,
    columns: Mapping[str, Array],
    plan: Plan | None = None,
    chunk_elements: int = CHUNK_ELEMENTS,
) -> Iterator[PointsChunk]:
    """Evaluate many design points: ``columns`` maps parameter paths to arrays of shape (points,).

    The same formulas as for a single point, in chunks that fit the cache; yields chunks in order.
    Raises ``ValueError`` when the columns differ in length, ``KeyError`` for an unknown path.
    """
    lengths = {len(values) for values in columns.values()}
    if len(lengths) != 1:
        raise ValueError(f"parameter columns of different lengths: {sorted(lengths)}")
    points = lengths.pop()
    chosen = plan or make_plan(layers, model.choices)
    first, member = layers.groups_of_equal(*chosen.codes.values())
    distinct, distinct_plan = layers.take(first), chosen.take(first)
    repeats = np.bincount(member, minlength=first.size).astype(np.float64)
    step = max(1, chunk_elements // distinct.size)
    for start in range(0, points, step):
        part: dict[str, Value] = {
            path: np.asarray(values[start : start + step], dtype=np.float64)[:, None]
            for path, values in columns.items()
        }
        point = params.with_values(part)
        cost = price(model.estimate(distinct, point, distinct_plan), model.energies(point))
        yield PointsChunk(start, points_of(point), cost, distinct, repeats, member)


def compare(
    archs: Sequence[Machine | str | Path],
    workloads: Sequence[Workload | str | Path],
    baseline: Machine | str | Path | None = None,
    *,
    batch: int = 1,
    seed: int = 0,
) -> Comparison:
    """Every machine on every workload. The baseline (the first machine by default) joins the table.

    Invalid files are refused at once; a machine that cannot run a workload becomes a row with its reason.
    """
    machines = [a if isinstance(a, Machine) else load_arch(a) for a in archs]
    base = (
        machines[0]
        if baseline is None
        else (baseline if isinstance(baseline, Machine) else load_arch(baseline))
    )
    if all(base.name != machine.name for machine in machines):
        machines.append(base)
    names = [machine.name for machine in machines]
    if len(set(names)) != len(names):
        raise ValueError(f"machines to compare need different names, found {names}")
    networks = [w if isinstance(w, Workload) else load_workload(w) for w in workloads]
    results: dict[tuple[str, str], Result] = {}
    failures: dict[tuple[str, str], str] = {}
    for machine in machines:
        for network in networks:
            key = (machine.name, network.name)
            try:
                results[key] = evaluate(machine, network, batch=batch, seed=seed)
            except (InfeasibleError, CoverageError) as error:
                failures[key] = str(error)
    return Comparison(tuple(names), tuple(n.name for n in networks), results, failures, base.name)
