"""The vocabulary of loop nests: a problem, a storage hierarchy, a mapping, and the counts that follow.

A *problem* is a perfect loop nest over named dimensions around one multiply-accumulate, with data spaces
(tensors) addressed by linear expressions of the loop indices. An *architecture* is a chain of storage
levels, outermost first, above an array of arithmetic units. A *mapping* gives each level its loops (temporal
ones, and spatial ones that spread over the instances of the next level) and says which data spaces it keeps.
The model is that of Parashar et al., "Timeloop: A Systematic Approach to DNN Accelerator Evaluation",
ISPASS 2019, doi:10.1109/ISPASS.2019.00042.

All sizes are in words (elements of a data space), all energies in pJ, all times in cycles.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

LoopKind = Literal["temporal", "spatial_x", "spatial_y"]
LOOP_KINDS: tuple[LoopKind, ...] = ("temporal", "spatial_x", "spatial_y")


@dataclass(frozen=True, slots=True)
class AxisTerm:
    """One summand of an address expression: `coefficient` * index of `dim`."""

    dim: str
    coefficient: int = 1

    def __post_init__(self) -> None:
        if self.coefficient < 1:
            raise ValueError(f"coefficient of {self.dim} is {self.coefficient}: must be 1 or more")


@dataclass(frozen=True, slots=True)
class DataSpace:
    """A tensor: one tuple of terms per axis, the address on that axis being their sum.

    `axes=((AxisTerm("C"),), (AxisTerm("P", 2), AxisTerm("R")))` is an input of a stride-2 convolution.
    `read_write` marks the output, which is accumulated into.
    """

    name: str
    axes: tuple[tuple[AxisTerm, ...], ...]
    read_write: bool = False

    @property
    def dims(self) -> frozenset[str]:
        """Dimensions that the address depends on."""
        return frozenset(term.dim for axis in self.axes for term in axis)

    def words(self, extents: Mapping[str, int]) -> int:
        """Words of the bounding box addressed by a tile of `extents` (a missing dimension counts 1), eq. (1).

        (1) words = prod over axes of (1 + sum of coefficient * (extent - 1))
        """
        return math.prod(
            1 + sum(t.coefficient * (extents.get(t.dim, 1) - 1) for t in axis) for axis in self.axes
        )


@dataclass(frozen=True, slots=True)
class Problem:
    """Dimension sizes (in loop-index order) and data spaces. Raises ValueError on an unknown dimension."""

    name: str
    dims: Mapping[str, int]
    data_spaces: tuple[DataSpace, ...]

    def __post_init__(self) -> None:
        for dim, size in self.dims.items():
            if size < 1:
                raise ValueError(f"problem {self.name}: size of {dim} is {size}, must be 1 or more")
        for space in self.data_spaces:
            unknown = sorted(space.dims - set(self.dims))
            if unknown:
                raise ValueError(
                    f"problem {self.name}: {space.name} uses {unknown}, dimensions are {list(self.dims)}"
                )
        names = [space.name for space in self.data_spaces]
        if len(set(names)) != len(names):
            raise ValueError(f"problem {self.name}: data space names repeat: {names}")

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the whole nest."""
        return math.prod(self.dims.values())

    def space(self, name: str) -> DataSpace:
        """Data space by name; KeyError names those that exist."""
        for candidate in self.data_spaces:
            if candidate.name == name:
                return candidate
        raise KeyError(f"no data space {name!r} in {self.name}: {[s.name for s in self.data_spaces]}")


@dataclass(frozen=True, slots=True)
class StorageLevel:
    """One level of storage: `instances` equal memories laid out `mesh_x` by `mesh_y`.

    `capacity_words` None is unbounded. `words_per_row` (block) is what one access moves: energy counts whole
    rows. `cluster_size` memories share one row (and its access). `multiple_buffering` keeps that many tiles,
    so a tile may fill capacity / multiple_buffering. Bandwidths are words per cycle and instance, None being
    unlimited; `shared_bandwidth_words_per_cycle` bounds reads plus writes together. Energies are per access
    of one row; fills cost `energy_write_pj`, updates from below `energy_update_pj`.
    `energy_leak_pj_per_cycle` is per used instance. `reduction_supported`: the level adds an incoming partial
    sum to what it holds; where it cannot, partial sums cross the network below twice. `multicast`: that network
    delivers one read to several children; `link_transfers`: mesh neighbours below may hand words to each other.
    """

    name: str
    instances: int = 1
    mesh_x: int = 1
    mesh_y: int = 1
    word_bits: int = 8
    words_per_row: int = 1
    cluster_size: int = 1
    capacity_words: int | None = None
    multiple_buffering: float = 1.0
    read_bandwidth_words_per_cycle: float | None = None
    write_bandwidth_words_per_cycle: float | None = None
    shared_bandwidth_words_per_cycle: float | None = None
    energy_read_pj: float = 0.0
    energy_write_pj: float = 0.0
    energy_update_pj: float = 0.0
    energy_leak_pj_per_cycle: float = 0.0
    reduction_supported: bool = True
    multicast: bool = True
    link_transfers: bool = True


@dataclass(frozen=True, slots=True)
class ComputeLevel:
    """The arithmetic units below the innermost storage."""

    name: str
    instances: int = 1
    mesh_x: int = 1
    mesh_y: int = 1
    word_bits: int = 8
    energy_compute_pj: float = 0.0
    energy_leak_pj_per_cycle: float = 0.0


@dataclass(frozen=True, slots=True)
class NestArch:
    """Storage levels, outermost first, and the compute array. ValueError where instances do not nest."""

    name: str
    levels: tuple[StorageLevel, ...]
    compute: ComputeLevel

    def __post_init__(self) -> None:
        if not self.levels:
            raise ValueError(f"architecture {self.name}: no storage level")
        for index, outer in enumerate(self.levels):
            inner = self._below(index)
            if inner.instances % outer.instances or inner.mesh_x % outer.mesh_x:
                raise ValueError(
                    f"architecture {self.name}: {inner.name} has {inner.instances} instances "
                    f"(mesh_x {inner.mesh_x}), "
                    f"not a multiple of {outer.name}'s {outer.instances} (mesh_x {outer.mesh_x})"
                )
            if (inner.instances // outer.instances) % (inner.mesh_x // outer.mesh_x):
                raise ValueError(f"architecture {self.name}: fan-out below {outer.name} is not a whole mesh")

    def _below(self, index: int) -> StorageLevel | ComputeLevel:
        return self.levels[index + 1] if index + 1 < len(self.levels) else self.compute

    def fanout_xy(self, index: int) -> tuple[int, int]:
        """Children of one instance of level `index` along x and along y."""
        outer, inner = self.levels[index], self._below(index)
        x = inner.mesh_x // outer.mesh_x
        return x, inner.instances // outer.instances // x


@dataclass(frozen=True, slots=True)
class Loop:
    """One loop of a level. `last_bound` is the trip count of its final visit (imperfect factor)."""

    dim: str
    bound: int
    kind: LoopKind = "temporal"
    last_bound: int | None = None

    def __post_init__(self) -> None:
        if self.bound < 1:
            raise ValueError(f"loop over {self.dim}: bound {self.bound}, must be 1 or more")
        if not 1 <= self.last <= self.bound:
            raise ValueError(f"loop over {self.dim}: last_bound {self.last}, must lie in 1..{self.bound}")

    @property
    def last(self) -> int:
        """Trip count of the final visit."""
        return self.bound if self.last_bound is None else self.last_bound

    @property
    def spatial(self) -> bool:
        """Whether the iterations run side by side."""
        return self.kind != "temporal"


@dataclass(frozen=True, slots=True)
class LevelMapping:
    """Loops of one storage level, outermost first, and the names of the data spaces that the level keeps.

    Temporal loops step through the level's tile; spatial loops spread it over the children of an instance.
    """

    loops: tuple[Loop, ...] = ()
    keep: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class NestMapping:
    """One `LevelMapping` per storage level, outermost first. The outermost level keeps every data space."""

    levels: tuple[LevelMapping, ...]


@dataclass(frozen=True, slots=True)
class CountOptions:
    """Conventions of the counting. `TIMELOOP` is what timeloop-model does by default.

    temporal_reuse: "overlap" keeps, at every step, whatever the previous tile already covered, which is what
    a memory that holds one tile can do; a walk over all steps gives the same counts. "stride" is
    timeloop-model's rule: the overlap is kept only while the tile moves by the same vector as at its last move
    (its authors doubt that address generators track anything else), and the moves are those of loops cut to two
    iterations. It can count too much (a reset where words could stay) and too little (for a 3-tap filter inside
    a loop over positions it finds the rewind of the filter loop to be no move at all), so it is not the default.

    visited_iterations: which iterations of a temporal loop are looked at. "auto" needs none where factors are
    perfect (closed forms); with remainders it takes "all" for "overlap" and "second" for "stride". "second" is the
    first two, the second for all that follow (and the last where a remainder is inside); "second and last" adds
    the last one always. All but "auto" walk the loops, "all" at a cost of one visit per step.

    placement: where a child sits, for links and hops. "mesh": at the column and row that its x and y indices give.
    "packed" is timeloop-model's: children are numbered in loop order and that number is folded at the width of the
    physical mesh, which tears rows apart when x loops use only part of the width.

    peer_share: link transfers are counted per parent. "fanout" spreads them over the children of that parent;
    "instances" is timeloop-model's and spreads them over all instances of the children's level, which is too thin
    where there are several parents.

    link_transfers: a child may take words from a mesh neighbour instead of its parent; toroidal_links: the mesh is
    closed at its edges.

    first_read_elision: the first partial sum of an output word is written, not added to a word read back.

    updated_partial_sums: timeloop-model's newer account, where a level does not read back what it passes on and
    the second outermost level adds up for the outermost one. Off: it assumes a memory that cannot add at the top.
    """

    temporal_reuse: Literal["overlap", "stride"] = "overlap"
    visited_iterations: Literal["auto", "all", "second", "second and last"] = "auto"
    placement: Literal["mesh", "packed"] = "mesh"
    peer_share: Literal["fanout", "instances"] = "fanout"
    link_transfers: bool = True
    toroidal_links: bool = False
    first_read_elision: bool = True
    updated_partial_sums: bool = False


TIMELOOP = CountOptions(temporal_reuse="stride", placement="packed", peer_share="instances")


@dataclass(frozen=True, slots=True)
class AccessCounts:
    """Accesses of one level by one data space, per used instance unless said otherwise.

    `energy_pj` is over all used instances. Where instances differ (remainders) tiles, network transfers and
    accesses are those of the first one; peers share their link transfers evenly, so counts may be rounded means.
    """

    level: str
    data_space: str
    partition_words: int
    tile_words: int
    instances_used: int
    reads: int
    fills: int
    updates: int
    temporal_reductions: int
    address_generations: int
    energy_pj: float


@dataclass(frozen=True, slots=True)
class NetworkCounts:
    """Traffic of one data space between `outer` and `inner`, the next level inwards, per instance of `outer`.

    `multicast_factor` is the mean number of children a word goes to, rounded as timeloop-model prints it.
    """

    outer: str
    inner: str
    data_space: str
    fanout: int
    multicast_factor: int
    ingresses: float
    link_transfers: int
    spatial_reductions: int
    mean_hops: float


@dataclass(frozen=True, slots=True)
class LevelTotals:
    """Time and energy of one level (storage or compute) over all its instances."""

    level: str
    cycles: int
    throttling: float
    instances_used: int
    energy_dynamic_pj: float
    energy_leakage_pj: float


@dataclass(frozen=True, slots=True)
class NestCounts:
    """What a mapping costs. `cycles` is the maximum over `levels`; `energy_pj` includes leakage."""

    computes: int
    compute_cycles: int
    cycles: int
    utilization: float
    energy_pj: float
    energy_leakage_pj: float
    accesses: tuple[AccessCounts, ...]
    networks: tuple[NetworkCounts, ...]
    levels: tuple[LevelTotals, ...]

    def access(self, level: str, data_space: str) -> AccessCounts:
        """Row of one level and data space; KeyError when the level does not keep it."""
        for row in self.accesses:
            if row.level == level and row.data_space == data_space:
                return row
        raise KeyError(f"{level} keeps no {data_space}")


@dataclass(frozen=True, slots=True)
class Infeasible:
    """Why a mapping is refused: `demand` of `what` at `level` against `bound`, and what would fit."""

    level: str
    what: str
    demand: float
    bound: float
    reason: str
    fits_if: str = field(default="")
