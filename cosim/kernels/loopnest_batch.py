"""Network traffic of many perfect loop nests: the counts of the general loop-nest kernels, without their generality.

For speed each child's fetches come from the few innermost loops only. Above the innermost loop over a plain dimension
(see the tiles kernel) every step fetches a whole tile, since the tile moves by its own width or more. So with j the
innermost plain loop above a child, F_k the words of one run of the loops up to k, and T_k as in the delta kernel:

    (1) F_k = F_{k-1} + (n_k - 1) * (words(T_k) + F_{k-1} - |tile|),   F_{-1} = |tile|
    (2) fetched words = F_{j-1} * product of n_k over k >= j

Children of equal offset are told by counting: absent dimensions multiply the multicast factor, plain ones the number
of children that differ, shared ones collide like sums of arithmetic progressions, two of them in closed form.
Conventions: those of `CountOptions()`: overlap kept, mesh places.

A *case* is a nest, a level and a data space whose traffic takes more than equation (2) with F = |tile|.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

NDArray = np.ndarray

SHARED = 2


@njit(cache=True, error_model="numpy")
def simple_flows(
    spaces: tuple[int, ...], loops: NDArray, firsts: NDArray, spreads: NDArray, links: NDArray, roles: NDArray,
    axis: NDArray, windowed: NDArray, temporal: NDArray, starts: NDArray, after: NDArray, relevant: NDArray,
    plain: NDArray, tile: NDArray, groups: NDArray, span: NDArray, flow: NDArray, cases: NDArray,
) -> int:  # fmt: skip
    """Traffic where tiles do not slide, spatial loops do not collide on an axis and links cannot occur.

    spaces: numbers of the data spaces; loops, firsts, spreads: the nests; links (levels,) 0 or 1; roles, axis (spaces,
    dims): axis within the space of a shared dimension, else -1; windowed (spaces,): 1 with shared dimensions; the rest
    as the tiles kernels left it. Out: flow (nests, spaces, levels, 3): accesses of the parent, words per child, link
    transfers; cases (cases, 4) what is still to be done: nest, level, space, and 0 if tiles only slide, 1 where links
    may occur, 2 where children may collide. Returns the number of cases.

    A link needs a spatial loop over a shared dimension, and the innermost temporal loop over one: else the step before
    brought nothing, or a tile of another place. Arithmetic units keep nothing, so there any loop may bring links.
    """
    count = 0
    for i in range(span.shape[0]):
        for level in range(span.shape[1]):
            fanout = span[i, level, 0] * span[i, level, 1]
            first, start = firsts[i, level], starts[i, level]
            fence = first + spreads[i, level, 0] + spreads[i, level, 1]
            for s in range(len(spaces)):
                stop = plain[i, level, s]
                words = after[i, stop] * tile[i, level, s] if level > 0 else after[i, start]
                flow[i, s, level, 0] = words * groups[i, level, s]
                flow[i, s, level, 1] = words
                flow[i, s, level, 2] = 0.0
                sharing = 1 if fanout > 1 and level == 0 and links[0] == 1 else 0
                if fanout > 1 and windowed[s]:
                    slides = links[level] == 1 and start < stop and roles[s, temporal[i, 0, start]] == SHARED
                    seen = 0
                    for loop in range(first, fence):
                        d = loops[i, 0, loop]
                        if roles[s, d] == SHARED:
                            bit = 1 << axis[s, d]
                            sharing = 2 if seen & bit or sharing == 2 else 1 if slides else sharing
                            seen |= bit
                if sharing > 0 or (windowed[s] and level > 0 and relevant[i, level, s] < stop):
                    cases[count, 0], cases[count, 1], cases[count, 2], cases[count, 3] = i, level, s, sharing
                    count += 1
    return count


@njit(cache=True, error_model="numpy")
def slides(
    count: int, cases: NDArray, axis: NDArray, coefficient: NDArray, axes: NDArray, temporal: NDArray,
    starts: NDArray, after: NDArray, plain: NDArray, extent: NDArray, tile: NDArray, run: NDArray, moves: NDArray,
    deltas: NDArray,
) -> None:  # fmt: skip
    """Words of one run of the temporal loops below the first plain one, equation (1), for every case.

    axis, coefficient (spaces, dims) of shared dimensions; axes (spaces + 1,) first axis of each space. Out: run
    (cases,); moves (cases, loops, axes) T_k and deltas (cases, loops) words of every loop, the latter without the
    factor of the unit dimensions, along which nothing moves here.
    """
    rewind = np.zeros(max(1, axes[-1]), np.int64)
    for r in range(count):
        i, level, s = cases[r, 0], cases[r, 1], cases[r, 2]
        low, many = axes[s], axes[s + 1] - axes[s]
        start, stop = starts[i, level], plain[i, level, s]
        full = 1
        for a in range(many):
            rewind[a] = 0
            full *= extent[i, level, low + a]
        words = float(full)
        for k in range(start, stop):
            d, n = temporal[i, 0, k], temporal[i, 1, k]
            along = axis[s, d]
            step = temporal[i, 2, k] * coefficient[s, d]
            kept = 1
            for a in range(many):
                moved = step - rewind[a] if a == along else -rewind[a]
                moves[r, k - start, a] = moved
                kept *= max(0, extent[i, level, low + a] - abs(moved))
            if along >= 0:
                rewind[along] += (n - 1) * step
            deltas[r, k - start] = full - kept
            words += (n - 1) * (full - kept + words - full)
        run[r] = words * (tile[i, level, s] / full)
        if level == 0:
            run[r] = after[i, start] / after[i, stop]


@njit(cache=True, error_model="numpy")
def distinct_sums(n: int, a: int, m: int, b: int) -> int:
    """How many different values i*a + j*b takes for i < n, j < m.

    With a and b divided by their greatest common divisor, (i, j) and (i + b, j - a) have equal sums; of each chain of
    such pairs the last one counts, which is what the pairs with a successor leave.
    """
    common = math.gcd(a, b)
    return n * m - max(0, n - b // common) * max(0, m - a // common)


@njit(cache=True, error_model="numpy")
def _distinct_by_marks(
    i: int, s: int, along: int, first: int, stop: int, loops: NDArray, stride: NDArray, axis: NDArray,
    coefficient: NDArray, marks: NDArray,
) -> int:  # fmt: skip
    """As `distinct_sums` for any number of loops first..stop - 1 along one axis, by marking; 0 where marks is short."""
    top = 0
    for loop in range(first, stop):
        if axis[s, loops[i, 0, loop]] == along:
            top += (loops[i, 1, loop] - 1) * stride[i, loop] * coefficient[s, loops[i, 0, loop]]
    if top >= marks.shape[0]:
        return 0
    marks[: top + 1] = False
    marks[0] = True
    reached = 0
    for loop in range(first, stop):
        if axis[s, loops[i, 0, loop]] != along:
            continue
        step = stride[i, loop] * coefficient[s, loops[i, 0, loop]]
        for start in range(reached, -1, -1):
            if marks[start]:
                for k in range(1, loops[i, 1, loop]):
                    marks[start + k * step] = True
        reached += (loops[i, 1, loop] - 1) * step
    return marks[: top + 1].sum()


@njit(cache=True, error_model="numpy")
def distinct(
    count: int, cases: NDArray, loops: NDArray, firsts: NDArray, spreads: NDArray, roles: NDArray, axis: NDArray,
    coefficient: NDArray, stride: NDArray, groups: NDArray, differ: NDArray,
) -> None:  # fmt: skip
    """How many children want different words in every case, into differ (cases,); 0 where that is not known here."""
    marks = np.zeros(4096, np.bool_)
    for r in range(count):
        i, level, s = cases[r, 0], cases[r, 1], cases[r, 2]
        differ[r] = groups[i, level, s]
        if cases[r, 3] != 2:
            continue
        first = firsts[i, level]
        stop = first + spreads[i, level, 0] + spreads[i, level, 1]
        seen = 0
        for one in range(first, stop):
            d, n = loops[i, 0, one], loops[i, 1, one]
            if roles[s, d] != SHARED or seen & (1 << axis[s, d]):
                continue
            seen |= 1 << axis[s, d]
            two, more, children = one, 0, n
            for loop in range(one + 1, stop):
                if axis[s, loops[i, 0, loop]] == axis[s, d]:
                    two, more, children = loop, more + 1, children * loops[i, 1, loop]
            if more == 1:
                step = stride[i, two] * coefficient[s, loops[i, 0, two]]
                sums = distinct_sums(n, stride[i, one] * coefficient[s, d], loops[i, 1, two], step)
                differ[r] = differ[r] // children * sums
            elif more > 1:
                sums = _distinct_by_marks(
                    i, s, axis[s, d], first, stop, loops, stride, axis, coefficient, marks
                )
                differ[r] = differ[r] // children * sums


@njit(cache=True, error_model="numpy")
def deliveries(
    count: int, cases: NDArray, run: NDArray, differ: NDArray, linked: NDArray, after: NDArray, plain: NDArray,
    groups: NDArray, flow: NDArray, covered: NDArray,
) -> None:  # fmt: skip
    """Traffic of the cases from the words of one run (cases,), the number of children that differ, and what links bring
    per run: linked (cases, 3) as the links kernel left it.

    Out: flow as in `simple_flows`; covered (nests,) 0 where a case is left to the general kernels.
    """
    for r in range(count):
        i, level, s = cases[r, 0], cases[r, 1], cases[r, 2]
        outer = after[i, plain[i, level, s]]
        flow[i, s, level, 1] = run[r] * outer
        if cases[r, 3] == 0:
            flow[i, s, level, 0] = run[r] * outer * groups[i, level, s]
            continue
        flow[i, s, level, 0] = ((run[r] - linked[r, 0]) * differ[r] + linked[r, 1]) * outer
        flow[i, s, level, 2] = linked[r, 2] * outer
        if differ[r] == 0 or linked[r, 0] < 0:
            covered[i] = 0
