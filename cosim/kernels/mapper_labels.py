"""Partial mappings of a loop nest from the inside out, one level at a time, with everything dominated thrown away.

A *label* is a way to map the levels up to some boundary, where it has built a certain tile (how far every dimension
has been looped over). Its cost is split by what the outer levels can still change. A *stream* carries one data space
from an outer level o to the next inner level k that keeps it; with A the tile held by k, V the multiply-accumulates:

    (1) words into all k = |A| * V / V(A) / r       V(A) volume of the tile, r iterations for which the tile stays
    (2) words out of o   = words into k / m         m product of the multicast factors of the fan-outs between

While no loop outside A moves the tile the stream is *open*: every further loop of n iterations that leaves it alone
divides its words by n. A loop over a dimension that only one index of the tensor's axis depends on fetches a new
tile per iteration and closes the stream. A loop over one of several dimensions that share an axis (a sliding
window) fetches a part rho of the tile per iteration; with extents e, shift t along the axes (the loop's step less the
rewinding of the window loops inside it):

    (3) rho = 1 - prod max(0, e - |t|) / prod e

so (n - 1) / n of the open words times rho become final and 1 / n of them stay open (Parashar et al., ISPASS 2019,
section V, for the counts). Since what an open stream still costs is its open words times the same factor in [0, 1] for
all labels in the same state, label a can be kept for b (same tile) where

    (4) cost_a + sum of max(0, open_a - open_b) <= cost_b

What open streams can still cost at least: a data space s whose stream closes after those in the set M have closed
has inside it only loops that close nothing of the rest. With w open costs and n what is left of each dimension,

    (5) part_s(T) = prod of 1 / n over the loops of T that leave s alone, and per window the least words of the whole
        sweep over the words fetched one by one
    (6) least(M) = min over s in M of w_s * part_s(loops that close nothing of M) + least(M without s)

The other way round, a window loop ends that loops which leave the tile alone are free: at least

    (7) share = min over its window dimensions of step / extent

of the open words (half of that where both dimensions of the window have loops left) are fetched by then or after.

A row of `val` holds: final cost, one open cost per stream, then per data space the open and the final part of reads
whose multicast is not known yet, then the credit of first partial sums that need no read, then 1 / parallelism.
Costs are in whatever unit the prices have (pJ, or words).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from cosim.kernels.rows import copy_row, copy_table, dot

NDArray = np.ndarray

IRRELEVANT = -1
HARD = -2


@njit(cache=True, inline="always")
def _swept(words: int, n: int, m: int, a: int, b: int) -> float:
    """Least words that a window fetches on an axis where it takes n positions a apart and m positions b apart.

    With g the greatest common divisor of the steps there are n * m - max(0, n - b / g) * max(0, m - a / g) different
    positions, at least g apart, each with at least min(words, g) words of its own.
    """
    if n == 1 or m == 1:
        return float(words + (n * m - 1) * min(words, a if m == 1 else b))
    g, rest = a, b
    while rest:
        g, rest = rest, g % rest
    places = n * m - max(0, n - b // g) * max(0, m - a // g)
    return float(words + (places - 1) * min(words, g))


@njit(cache=True, inline="always")
def _least_part(t: Any, s: int, loops: int, tile: NDArray) -> float:
    """Least share of the words of space s that is left when the rest of all `loops` (bits) is inside, eq. (5)."""
    dims = t.size.shape[0]
    part = 1.0
    for d in range(dims):
        if not (loops >> d) & 1:
            continue
        kind = t.kind[s, d]
        if kind == IRRELEVANT:
            part *= t.done[d, tile[d]]
        if kind < 0:
            continue
        other = t.partner[s, d]
        extent, beside = t.div[d, tile[d]], t.div[other, tile[other]]
        both = (loops >> other) & 1
        if both and other < d:
            continue
        words = 1 + t.coef[s, d] * (extent - 1) + t.coef[s, other] * (beside - 1)
        n, m = t.size[d] // extent, t.size[other] // beside if both else 1
        part *= _swept(words, n, m, t.coef[s, d] * extent, t.coef[s, other] * beside) / (words * n * m)
    return part


@njit(cache=True)
def _least_sum(t: Any, inside: NDArray, weight: NDArray, opens: int, tile: NDArray, best: NDArray) -> float:
    """Equation (6) for the data spaces `opens` (bits) with open costs `weight`."""
    best[0] = 0.0
    for mask in range(1, opens + 1):
        if mask & ~opens:
            continue
        best[mask] = np.inf
        for s in range(weight.shape[0]):
            if (mask >> s) & 1:
                cost = weight[s] * _least_part(t, s, inside[mask], tile) + best[mask & ~(1 << s)]
                best[mask] = min(best[mask], cost)
    return best[opens]


@njit(cache=True)
def _least_sliding(t: Any, s: int, state: NDArray, tile: NDArray) -> float:
    """Least share of the open words of a stream that has begun to slide, by the best of its windows.

    A loop over anything else rewinds the window, so it fetches at least rewinding / extent of the tile. The window's
    own loops may fetch nothing where two can share the axis, and then leave 1 / n; one alone moves on by its step.
    """
    best = 0.0
    for z in range(state.shape[0]):
        if state[z, 1] == 0:
            continue
        rewound = min(1.0, state[z, 1] / state[z, 0])
        still, step, loops = 1.0, 0, 0
        for d in range(t.size.shape[0]):
            if t.kind[s, d] == z and tile[d] < t.ndiv[d] - 1:
                loops += 1
                still *= t.done[d, tile[d]]
                step = t.coef[s, d] * t.div[d, tile[d]] - state[z, 1]
        share = rewound * still
        if loops == 1:
            share = max(share, min(rewound, step / state[z, 0]))
        best = max(best, share)
    return best


@njit(cache=True)
def _least_slide(t: Any, s: int, state: NDArray, tile: NDArray) -> float:
    """Least share of the open words of a stream that is fetched once a window loop is around it, equation (7)."""
    least = 1.0
    for d in range(t.size.shape[0]):
        z = t.kind[s, d]
        if z < 0 or tile[d] == t.ndiv[d] - 1:
            continue
        other = t.partner[s, d]
        alone = tile[other] == t.ndiv[other] - 1
        step = min(1.0, t.coef[s, d] * t.div[d, tile[d]] / state[z, 0])
        least = min(least, step if alone else 0.5 * step)
    return least


@njit(cache=True)
def _open_cost(
    t: Any, stage: Any, tile: NDArray, val: NDArray, state: NDArray, is_open: int, best: NDArray
) -> float:
    """Least that the open streams can still cost together: the larger of two bounds by equation (6), one where
    window loops close nothing, one where they close a stream of equation (7), which is all that can be said of a
    stream that has begun to slide: what it fetches anew may be less than what it covers. best (2 ** S,) is scratch."""
    streams, spaces = t.space.shape[0], t.kind.shape[0]
    weight, sliding = np.zeros(spaces), np.zeros(spaces)
    opens, fixed = 0, 0.0
    for i in range(streams):
        if not (is_open >> i) & 1 or stage.starts[i]:
            continue
        s = t.space[i]
        words, begun = val[1 + i], False
        if stage.waits[i]:
            words += val[1 + streams + s] / stage.most_fanout
        for z in range(state.shape[1]):
            begun = begun or state[i, z, 1] != 0
        if begun:
            fixed += words * _least_sliding(t, s, state[i], tile)
        else:
            opens |= 1 << s
            weight[s] += words
            sliding[s] += words * _least_slide(t, s, state[i], tile) if t.windows[s] else words
    least = _least_sum(t, t.inside, weight, opens, tile, best)
    if t.windows.any():
        least = max(least, _least_sum(t, t.still, sliding, opens, tile, best))
    return fixed + least


@njit(cache=True, inline="always")
def _least_closed(t: Any, stage: Any, val: NDArray) -> float:
    """Lower bound of what a label costs in the end but for its open streams and for what `ahead` counts."""
    streams, spaces = t.space.shape[0], t.kind.shape[0]
    total = val[0] - val[1 + streams + 2 * spaces] * stage.most_fanout
    total += val[2 + streams + 2 * spaces] * stage.leak_ahead / stage.most_fanout
    for s in range(spaces):
        total += val[1 + streams + spaces + s] / stage.most_fanout
    return total


@njit(cache=True, inline="always")
def _beyond(stage: Any, bound: float, share: float) -> bool:
    """Whether a label cannot beat what is known. share: 1 / parallelism so far."""
    least_share = share / stage.most_fanout
    return (
        bound >= stage.limits[0]
        or least_share > stage.limits[1]
        or (bound > 0.0 and bound * least_share >= stage.limits[2])
    )


@njit(cache=True)
def _same_state(a: NDArray, b: NDArray) -> bool:
    same = True
    for z in range(a.shape[0]):
        same = same and a[z, 0] == b[z, 0] and a[z, 1] == b[z, 1]
    return bool(same)


@njit(cache=True)
def _dominates(
    t: Any, stage: Any, a: NDArray, a_state: NDArray, a_open: int, b: NDArray, b_state: NDArray, b_open: int
) -> bool:
    """Equation (4), with what differs in state taken at its worst for a and its best for b."""
    streams, spaces = t.space.shape[0], t.kind.shape[0]
    slack = b[0] - a[0] + 1e-12 * abs(b[0])
    if slack < 0.0:
        return False
    credit, share = 1 + streams + 2 * spaces, 2 + streams + 2 * spaces
    if stage.limits[3] > 0.0 and a[share] > b[share] * (1.0 + 1e-12):
        return False
    slack -= max(0.0, b[credit] - a[credit]) * stage.most_fanout
    slack -= max(0.0, a[share] - b[share]) * stage.leak_ahead
    for i in range(streams):
        alike = (b_open >> i) & 1 and _same_state(a_state[i], b_state[i])
        if (a_open >> i) & 1:
            slack -= max(0.0, a[1 + i] - b[1 + i]) if alike else a[1 + i]
        if stage.waits[i]:
            pending = 1 + streams + t.space[i]
            if (a_open >> i) & 1 and alike:
                slack -= max(0.0, a[pending] - b[pending])
                slack -= max(0.0, a[pending + spaces] - b[pending + spaces])
            else:
                slack -= max(0.0, a[pending] + a[pending + spaces] - b[pending + spaces])
        if slack < 0.0:
            return False
    return True


@njit(cache=True)
def _insert(
    t: Any, stage: Any, to: Any, code: int, tile: NDArray, val: NDArray, state: NDArray, is_open: int,
    parent: int, choice: int,
) -> bool:  # fmt: skip
    """Keep a label unless it is beyond the limits or dominated; False when there is no room."""
    share = val[val.shape[0] - 1]
    bound = _least_closed(t, stage, val) + stage.ahead[code]
    if bound >= stage.limits[0]:
        return True
    bound += _open_cost(t, stage, tile, val, state, is_open, to.scratch)
    if _beyond(stage, bound, share):
        return True
    at, before = to.head[code], -1
    while at >= 0:
        if _dominates(t, stage, to.val[at], to.state[at], to.is_open[at], val, state, is_open):
            return True
        at = to.follow[at]
    at = to.head[code]
    while at >= 0:
        after = to.follow[at]
        if _dominates(t, stage, val, state, is_open, to.val[at], to.state[at], to.is_open[at]):
            to.alive[at] = 0
            if before < 0:
                to.head[code] = after
            else:
                to.follow[before] = after
        else:
            before = at
        at = after
    new = to.used[0]
    if new == to.alive.shape[0]:
        return False
    to.used[0] = new + 1
    copy_row(to.tile[new], tile)
    copy_row(to.val[new], val)
    copy_table(to.state[new], state)
    to.is_open[new], to.parent[new], to.choice[new], to.alive[new] = is_open, parent, choice, 1
    to.bound[new] = bound
    to.follow[new] = to.head[code]
    to.head[code] = new
    return True


@njit(cache=True)
def link(labels: Any, radix: NDArray) -> None:
    """Rebuild the lists of labels per tile."""
    for code in range(labels.head.shape[0]):
        labels.head[code] = -1
    for i in range(labels.alive.shape[0] - 1, -1, -1):
        code = dot(labels.tile[i], radix)
        labels.follow[i] = labels.head[code]
        labels.head[code] = i


@njit(cache=True)
def keep(t: Any, stage: Any, batch: Any, to: Any) -> bool:
    """Keep what is worth it of a batch; False, with nothing of it lost, when there is no room."""
    for i in range(batch.used[0]):
        if not _insert(
            t, stage, to, batch.code[i], batch.tile[i], batch.val[i], batch.state[i], batch.is_open[i],
            batch.parent[i], batch.choice[i],
        ):  # fmt: skip
            return False
    batch.used[0] = 0
    return True


@njit(cache=True)
def least_costs(t: Any, stage: Any, source: Any) -> NDArray:
    """What every label costs at least (N,), but for what `ahead` counts, before the loops of `stage`."""
    least = np.zeros(source.alive.shape[0])
    for at in range(least.shape[0]):
        val = source.val[at]
        least[at] = _least_closed(t, stage, val) - stage.credit * stage.most_fanout
        least[at] += _open_cost(
            t, stage, source.tile[at], val, source.state[at], source.is_open[at], source.scratch
        )
    return least
