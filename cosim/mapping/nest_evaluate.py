"""Exact cost of one mapping: accesses, network traffic, cycles and energy, or the reason why it cannot run.

Tile by tile the counts come from the kernels in `cosim.kernels.loopnest_*`: closed forms for perfect factors, a walk
where factors leave remainders. The rules are those of timeloop-model (Parashar et al., ISPASS 2019,
doi:10.1109/ISPASS.2019.00042; NVlabs/timeloop); where they are questionable `CountOptions` has the choice.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from cosim.kernels.loopnest_levels import accesses, level_energy, partitions, slowdown
from cosim.mapping.nest import (
    AccessCounts,
    CountOptions,
    DataSpace,
    Infeasible,
    LevelTotals,
    NestArch,
    NestCounts,
    NestMapping,
    NetworkCounts,
    Problem,
)
from cosim.mapping.nest_flow import FloatArray, Occupancy, SpaceFlow, occupancy, space_flow
from cosim.mapping.nest_lower import IntArray, LoweredNest, check_loops, lower


def _fits(
    problem: Problem, arch: NestArch, low: LoweredNest, occ: Occupancy, tiles: IntArray
) -> Infeasible | None:
    """First resource that is exceeded: compute array, then levels from the innermost. tiles (levels, spaces)."""
    unit = arch.compute
    checks: list[tuple[str, str, float, float | None]] = [
        (unit.name, "instances", occ.compute_x * occ.compute_y, unit.instances),
        (unit.name, "instances along x", occ.compute_x, unit.mesh_x),
        (unit.name, "instances along y", occ.compute_y, unit.mesh_y),
    ]
    for level, spec in enumerate(reversed(arch.levels)):
        words = int(tiles[level].sum())
        capacity = None
        if spec.capacity_words is not None:
            capacity = math.floor(spec.capacity_words / spec.multiple_buffering)
        checks += [
            (spec.name, "words", words, capacity),
            (spec.name, "instances", int(occ.used[level]), spec.instances),
            (spec.name, "instances along x", int(occ.x[level]), spec.mesh_x),
            (spec.name, "instances along y", int(occ.y[level]), spec.mesh_y),
        ]
    for name, what, demand, bound in checks:
        if bound is not None and demand > bound:
            return Infeasible(
                level=name,
                what=what,
                demand=demand,
                bound=bound,
                reason=f"{name} needs {demand:g} {what}, it has {bound:g}",
                fits_if=f"{name} had {demand:g} {what}, or the mapping used {demand / bound:.3g} times fewer",
            )
    return None


def _network(
    arch: NestArch, level: int, space: DataSpace, flow: SpaceFlow, part: IntArray, fanout: int
) -> NetworkCounts:
    """Traffic row of the network below `level` (innermost first)."""
    levels = len(arch.levels)
    spec = arch.levels[levels - 1 - level]
    inner = arch.compute.name if level == 0 else arch.levels[levels - level].name
    rows = flow.entries[flow.start[level] : flow.start[level + 1]]
    ingresses = rows[:, 2].copy()
    silent = bool((rows[:, 2:] == 0).all())
    if space.read_write and not spec.reduction_supported and not silent:
        ingresses = 2 * ingresses - part[level]
    total = float(ingresses.sum())
    return NetworkCounts(
        outer=spec.name,
        inner=inner,
        data_space=space.name,
        fanout=0 if silent else fanout,
        multicast_factor=0 if silent else int(rows[:, 0].max()),
        ingresses=total,
        link_transfers=int(flow.link[level]),
        spatial_reductions=int(((rows[:, 0] - 1) * ingresses).sum()) if space.read_write else 0,
        mean_hops=float(rows[ingresses > 0, 3].sum() / total) if total > 0 else 0.0,
    )


def _level_totals(
    arch: NestArch, occ: Occupancy, counts: FloatArray, energies: FloatArray, compute_cycles: int
) -> list[LevelTotals]:
    """Storage rows, innermost first, leakage still 0. counts (levels, spaces, 4); energies (levels, spaces) in pJ."""
    rows = []
    for level, spec in enumerate(reversed(arch.levels)):
        limits = (
            spec.read_bandwidth_words_per_cycle,
            spec.write_bandwidth_words_per_cycle,
            spec.shared_bandwidth_words_per_cycle,
        )
        share = slowdown(
            counts[level],
            float(occ.used[level]),
            float(occ.x[level] * occ.y[level]),
            float(compute_cycles),
            *(math.inf if limit is None else float(limit) for limit in limits),
        )
        rows.append(
            LevelTotals(
                level=spec.name,
                cycles=math.ceil(compute_cycles / share),
                throttling=share,
                instances_used=int(occ.used[level]),
                energy_dynamic_pj=float(energies[level].sum()),
                energy_leakage_pj=0.0,
            )
        )
    return rows


def _energies(arch: NestArch, occ: Occupancy, counts: FloatArray) -> FloatArray:
    """Energy of every level and data space over all instances in pJ, shape (levels, spaces)."""
    out = np.zeros(counts.shape[:2])
    for level, spec in enumerate(reversed(arch.levels)):
        energy = np.array([spec.energy_read_pj, spec.energy_write_pj, spec.energy_update_pj])
        expanded = float(occ.x[level] * occ.y[level])
        clusters = min(expanded, float(spec.instances // spec.cluster_size))
        for space in range(counts.shape[1]):
            out[level, space] = level_energy(
                counts[level, space], spec.words_per_row, energy, float(occ.used[level]), expanded, clusters
            )
    return out


def _uncountable(arch: NestArch, level: int, space: str, counts: FloatArray) -> Infeasible:
    """Remainders can leave the first instance fewer partial sums than its mean share of words."""
    name = arch.levels[len(arch.levels) - 1 - level].name
    return Infeasible(
        level=name,
        what=f"partial sums of {space}",
        demand=float(counts[2] - counts.min()),
        bound=float(counts[2]),
        reason=f"{name} receives {counts[2]:g} sums of {space}, fewer than the words it holds over the run,"
        " so first sums cannot be told from later ones",
        fits_if=f"the loops over the dimensions of {space} leave no remainder",
    )


def _assemble(
    problem: Problem,
    arch: NestArch,
    low: LoweredNest,
    occ: Occupancy,
    flows: list[SpaceFlow],
    options: CountOptions,
) -> NestCounts | Infeasible:
    """Accesses, cycles and energy from tiles and traffic."""
    levels = len(arch.levels)
    fanout = np.array(
        [int(np.prod(low.nest[1, low.first[i] :][: low.spatial[i]])) for i in range(levels)], np.int64
    )
    peers = occ.used if options.peer_share == "instances" else np.append(fanout[1:], 1)
    counts = np.zeros((levels, len(flows), 4))
    parts = []
    for number, (space, flow) in enumerate(zip(problem.data_spaces, flows, strict=True)):
        part = partitions(flow.tile, flow.union)
        counts[:, number] = accesses(
            flow.tile, part, flow.link, flow.entries, flow.start, fanout, peers, low.keep[:, number],
            int(space.read_write), int(options.first_read_elision), int(options.updated_partial_sums),
            int(options.peer_share == "fanout"),
        )  # fmt: skip
        parts.append(part)
    short = np.argwhere(counts < 0)
    if short.size:
        level, number, _ = short[0]
        return _uncountable(arch, level, problem.data_spaces[number].name, counts[level, number])
    energies = _energies(arch, occ, counts)
    networks = [
        _network(arch, level, space, flow, part, int(fanout[level]))
        for level in range(levels - 1, -1, -1)
        for space, flow, part in zip(problem.data_spaces, flows, parts, strict=True)
    ]
    totals = _totals(arch, low, occ, int(flows[0].steps_per_child * occ.compute_used), counts, energies)
    return replace(
        totals,
        accesses=tuple(_access_rows(problem, arch, low, occ, flows, parts, counts, energies)),
        networks=tuple(networks),
    )


def _access_rows(
    problem: Problem,
    arch: NestArch,
    low: LoweredNest,
    occ: Occupancy,
    flows: list[SpaceFlow],
    parts: list[IntArray],
    counts: FloatArray,
    energies: FloatArray,
) -> Iterator[AccessCounts]:
    """Rows of the levels that keep a data space, outermost level first."""
    for level in range(len(arch.levels) - 1, -1, -1):
        for number, space in enumerate(problem.data_spaces):
            if not low.keep[level, number]:
                continue
            reads, fills, updates, reductions = (int(v) for v in counts[level, number])
            yield AccessCounts(
                level=arch.levels[len(arch.levels) - 1 - level].name,
                data_space=space.name,
                partition_words=int(parts[number][level]),
                tile_words=int(flows[number].tile[level]),
                instances_used=int(occ.used[level]),
                reads=reads,
                fills=fills,
                updates=updates,
                temporal_reductions=reductions,
                address_generations=(updates if space.read_write else reads) + fills,
                energy_pj=float(energies[level, number]),
            )


def _totals(
    arch: NestArch, low: LoweredNest, occ: Occupancy, computes: int, counts: FloatArray, energies: FloatArray
) -> NestCounts:
    """Cycles, energy and utilisation, without the rows per data space."""
    if low.perfect:
        compute_cycles = math.ceil(computes / occ.compute_used)
    else:
        compute_cycles = int(np.prod(low.nest[1][low.is_spatial == 0]))
    rows = _level_totals(arch, occ, counts, energies, compute_cycles)
    cycles = max([compute_cycles, *(row.cycles for row in rows)])
    compute = LevelTotals(
        level=arch.compute.name,
        cycles=compute_cycles,
        throttling=1.0,
        instances_used=occ.compute_x * occ.compute_y,
        energy_dynamic_pj=computes * arch.compute.energy_compute_pj,
        energy_leakage_pj=arch.compute.energy_leak_pj_per_cycle * cycles * occ.compute_x * occ.compute_y,
    )
    leaking = [
        replace(row, energy_leakage_pj=spec.energy_leak_pj_per_cycle * cycles * max(1, row.instances_used))
        for row, spec in zip(rows, reversed(arch.levels), strict=True)
    ]
    everything = [*reversed(leaking), compute]
    leakage = sum(row.energy_leakage_pj for row in everything)
    return NestCounts(
        computes=computes,
        compute_cycles=compute_cycles,
        cycles=cycles,
        utilization=computes / arch.compute.instances / cycles,
        energy_pj=sum(row.energy_dynamic_pj for row in everything) + leakage,
        energy_leakage_pj=leakage,
        accesses=(),
        networks=(),
        levels=tuple(everything),
    )


def evaluate(
    problem: Problem, arch: NestArch, mapping: NestMapping, options: CountOptions | None = None
) -> NestCounts | Infeasible:
    """Cost of `mapping`, or why it cannot run on `arch`.

    Raises ValueError where the mapping does not belong to the problem or the architecture (see `lower`).
    """
    options = options or CountOptions()
    low = lower(problem, arch, mapping)
    refused = check_loops(problem, arch, low)
    if refused is not None:
        return refused
    for number, space in enumerate(problem.data_spaces):
        if not low.keep[:, number].any():
            return Infeasible(
                level="mapping",
                what=f"levels that keep {space.name}",
                demand=1,
                bound=0,
                reason=f"no level keeps {space.name}",
                fits_if=f"{arch.levels[0].name} keeps {space.name}",
            )
    occ = occupancy(low)
    flows = [space_flow(problem, space, arch, low, options) for space in problem.data_spaces]
    tiles = np.stack([flow.tile for flow in flows], axis=1) * low.keep
    refused = _fits(problem, arch, low, occ, tiles)
    if refused is not None:
        return refused
    return _assemble(problem, arch, low, occ, flows, options)
