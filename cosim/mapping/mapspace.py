"""The space of mappings that the mapper searches: rules per level, data spaces kept, fan-outs, streams.

A mapping of the space has, per level and dimension, one temporal loop and one spread over the level's children; all
factors divide (no remainders). Bypass and loop orders are free unless a rule fixes them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cosim.mapping.nest import DataSpace, NestArch, Problem

IntArray = NDArray[np.int64]


class MapSpaceError(ValueError):
    """A problem, machine or rule outside the mapper's domain; the message says what and why."""


@dataclass(frozen=True, slots=True)
class LevelRule:
    """What a level must and may do. Everything unsaid is free.

    keep, bypass: data spaces that the level must, must not keep. factors: temporal trip counts that are fixed; most:
    largest ones. order: dimensions of its innermost temporal loops, innermost first. spatial: children along a
    dimension, fixed; most_spatial: at most; spatial_x, spatial_y: dimensions that may be spread along x, y (None: all).
    """

    keep: frozenset[str] = frozenset()
    bypass: frozenset[str] = frozenset()
    factors: Mapping[str, int] = field(default_factory=dict)
    most: Mapping[str, int] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    spatial: Mapping[str, int] = field(default_factory=dict)
    most_spatial: Mapping[str, int] = field(default_factory=dict)
    spatial_x: tuple[str, ...] | None = None
    spatial_y: tuple[str, ...] | None = None


Rules = Mapping[str, LevelRule]


@dataclass(frozen=True, slots=True)
class Stream:
    """Words of data space number `space` between level `outer` and level `inner` (-1: the arithmetic units)."""

    space: int
    inner: int
    outer: int

    @property
    def boundary(self) -> int:
        """The stream starts outside the tile held by `inner`, with the loops of this level."""
        return self.inner + 1


@dataclass(frozen=True, slots=True)
class Shape:
    """A problem as arrays; dimensions of size 1 are left out. D dimensions, S data spaces.

    size (D,); kind (S, D): -1 irrelevant, -2 alone on its axis, else number of its window axis; coef (S, D); output
    (S,) 1 for the data space that is accumulated into.
    """

    dims: tuple[str, ...]
    size: IntArray
    kind: IntArray
    coef: IntArray
    output: IntArray

    @property
    def volume(self) -> int:
        """Multiply-accumulates."""
        return int(self.size.prod())


def _axes_of(space: DataSpace, dims: tuple[str, ...], name: str) -> tuple[list[int], list[int]]:
    """kind and coef of one data space."""
    kind, coef = [-1] * len(dims), [0] * len(dims)
    window = 0
    for axis in space.axes:
        terms = [term for term in axis if term.dim in dims]
        if len(terms) > 2:
            raise MapSpaceError(
                f"{name}: {space.name} has {len(terms)} dimensions on one axis, the mapper takes two at most"
            )
        for term in terms:
            d = dims.index(term.dim)
            if kind[d] != -1:
                raise MapSpaceError(
                    f"{name}: {space.name} uses {term.dim} twice, the mapper takes each dimension once"
                )
            kind[d], coef[d] = (-2 if len(terms) == 1 else window), term.coefficient
        if len(terms) == 2:
            if space.read_write:
                raise MapSpaceError(
                    f"{name}: output {space.name} has a sliding window, the mapper takes none there"
                )
            window += 1
    return kind, coef


def shape_of(problem: Problem) -> Shape:
    """Arrays of `problem`. MapSpaceError outside the domain: more than 10 dimensions of size over 1, a dimension
    twice in a data space, three on an axis, a sliding window in an output."""
    dims = tuple(dim for dim, size in problem.dims.items() if size > 1)
    if len(dims) > 10:
        raise MapSpaceError(
            f"{problem.name}: {len(dims)} dimensions of size over 1, the mapper takes 10 at most"
        )
    if not dims:
        dims = (next(iter(problem.dims)),)
    rows = [_axes_of(space, dims, problem.name) for space in problem.data_spaces]
    return Shape(
        dims=dims,
        size=np.array([problem.dims[dim] for dim in dims], np.int64),
        kind=np.array([row[0] for row in rows], np.int64),
        coef=np.array([row[1] for row in rows], np.int64),
        output=np.array([int(space.read_write) for space in problem.data_spaces], np.int64),
    )


def check_rules(problem: Problem, arch: NestArch, rules: Rules) -> None:
    """MapSpaceError where a rule names a level or a dimension that is not there."""
    levels = [level.name for level in arch.levels]
    for name, rule in rules.items():
        if name not in levels:
            raise MapSpaceError(f"rule for {name}: no such level, there are {levels}")
        used = {*rule.factors, *rule.most, *rule.order, *rule.spatial, *rule.most_spatial}
        unknown = sorted((used | {*(rule.spatial_x or ()), *(rule.spatial_y or ())}) - set(problem.dims))
        if unknown:
            raise MapSpaceError(f"rule for {name}: no dimension {unknown}, there are {list(problem.dims)}")
        for dim, count in (*rule.factors.items(), *rule.spatial.items()):
            if problem.dims[dim] % count:
                raise MapSpaceError(
                    f"rule for {name}: factor {count} does not divide {dim} = {problem.dims[dim]}; the mapper takes"
                    f" perfect factors, the nearest is {max(d for d in divisors(problem.dims[dim]) if d <= count)}"
                )


def divisors(size: int) -> list[int]:
    """Divisors in rising order."""
    return [d for d in range(1, size + 1) if size % d == 0]


def keep_choices(problem: Problem, arch: NestArch, rules: Rules) -> Iterator[IntArray]:
    """Every way to keep or bypass, (levels, spaces), levels innermost first; the outermost level keeps everything.

    A rule that contradicts this raises MapSpaceError.
    """
    free: list[tuple[int, int]] = []
    base = np.zeros((len(arch.levels), len(problem.data_spaces)), np.int64)
    names = [space.name for space in problem.data_spaces]
    for number, level in enumerate(reversed(arch.levels)):
        rule = rules.get(level.name, LevelRule())
        unknown = sorted((rule.keep | rule.bypass) - set(names))
        if unknown:
            raise MapSpaceError(f"rule for {level.name}: no data space {unknown}, there are {names}")
        both = sorted(rule.keep & rule.bypass)
        outermost = number == len(arch.levels) - 1
        if both or (outermost and rule.bypass):
            why = "the outermost level keeps everything" if outermost else "both kept and bypassed"
            raise MapSpaceError(f"rule for {level.name}: {both or sorted(rule.bypass)}: {why}")
        for s, name in enumerate(names):
            if outermost or name in rule.keep:
                base[number, s] = 1
            elif name not in rule.bypass:
                free.append((number, s))
    for bits in itertools.product((1, 0), repeat=len(free)):
        keep = base.copy()
        for (number, s), bit in zip(free, bits, strict=True):
            keep[number, s] = bit
        yield keep


def streams_of(keep: IntArray) -> tuple[Stream, ...]:
    """All streams of a choice of levels, per data space from the inside out."""
    found = []
    for space in range(keep.shape[1]):
        inner = -1
        for level in np.flatnonzero(keep[:, space]):
            found.append(Stream(space, inner, int(level)))
            inner = int(level)
    return tuple(found)


def _vectors(sizes: IntArray, allowed: list[bool], limit: int) -> IntArray:
    """All vectors of divisors of `sizes` with a product up to `limit`, 1 where not allowed."""
    rows: list[tuple[tuple[int, ...], int]] = [((), 1)]
    for size, may in zip(sizes, allowed, strict=True):
        options = [d for d in divisors(int(size)) if d <= limit] if may else [1]
        rows = [((*row, d), product * d) for row, product in rows for d in options if product * d <= limit]
    return np.array([row for row, _ in rows], np.int64)


@dataclass(frozen=True, slots=True)
class Fanout:
    """Spatial choices of a level: children along every dimension (K, D), and the part of them along x (K, D)."""

    children: IntArray
    along_x: IntArray


def fanout_of(shape: Shape, arch: NestArch, level: int, rules: Rules) -> Fanout:
    """Spatial choices of level number `level` (innermost first): all that the mesh and the rules allow."""
    index = len(arch.levels) - 1 - level
    spec = arch.levels[index]
    rule = rules.get(spec.name, LevelRule())
    wide, high = arch.fanout_xy(index)
    dims = len(shape.dims)
    may_x = [rule.spatial_x is None or dim in rule.spatial_x for dim in shape.dims]
    may_y = [rule.spatial_y is None or dim in rule.spatial_y for dim in shape.dims]
    x = _vectors(shape.size, may_x, wide)
    y = _vectors(shape.size, may_y, high)
    both = (x[:, None, :] * y[None, :, :]).reshape(-1, dims)
    ok = (shape.size[None, :] % both == 0).all(axis=1)
    for d, dim in enumerate(shape.dims):
        if dim in rule.spatial:
            ok &= both[:, d] == rule.spatial[dim]
        if dim in rule.most_spatial:
            ok &= both[:, d] <= rule.most_spatial[dim]
    rows = np.flatnonzero(ok)
    if not rows.size:
        sizes = dict(zip(shape.dims, shape.size.tolist(), strict=True))
        raise MapSpaceError(
            f"rule for {spec.name}: spatial {dict(rule.spatial)} does not divide {sizes}"
            f" or exceeds its {wide} x {high} children"
        )
    children, kept = np.unique(both[rows], axis=0, return_index=True)
    return Fanout(children, x[rows[kept] // y.shape[0]])
