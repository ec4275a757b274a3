"""The temporal loops of one level around partial mappings: every tile they can build, every order that can matter.

Labels and streams are explained in the kernel of the labels. The order of a level's loops matters only until every
stream has closed. A loop that moves none of the open tiles is best taken at once: it divides their words and closes
nothing. Two loops that close the same streams may be taken in either order.

Results go to a batch; where it is full the kernel returns, and goes on at the same place when it is called again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from cosim.kernels.rows import copy_row, copy_table, dot, total

NDArray = np.ndarray

IRRELEVANT = -1
HARD = -2


@njit(cache=True)
def _part(state: NDArray, kind: int, step: int) -> float:
    """rho of equation (3). state (Z, 2); extent 0 marks an axis that the space has not."""
    same, all_words = 1.0, 1.0
    for z in range(state.shape[0]):
        extent = state[z, 0]
        if extent == 0:
            continue
        shift = (step if z == kind else 0) - state[z, 1]
        all_words *= extent
        same *= max(0, extent - abs(shift))
    return 1.0 - same / all_words


@njit(cache=True)
def _loop(
    t: Any, waits: NDArray, dim: int, count: int, inside: int, val: NDArray, state: NDArray, is_open: int
) -> int:
    """Put a temporal loop around everything; `inside` is the tile's extent in `dim`. Returns the open streams."""
    streams, spaces = t.space.shape[0], t.kind.shape[0]
    for i in range(streams):
        if not (is_open >> i) & 1:
            continue
        s = t.space[i]
        kind = t.kind[s, dim]
        pending = 1 + streams + s
        if kind == HARD:
            val[0] += val[1 + i]
            val[1 + i] = 0.0
            if waits[i]:
                val[pending + spaces] += val[pending]
                val[pending] = 0.0
            is_open &= ~(1 << i)
            continue
        step = t.coef[s, dim] * inside
        done = (count - 1) / count * _part(state[i], kind, step)
        val[0] += val[1 + i] * done
        val[1 + i] /= count
        if waits[i]:
            val[pending + spaces] += val[pending] * done
            val[pending] /= count
        if kind >= 0:
            state[i, kind, 1] += (count - 1) * step
    return is_open


@njit(cache=True)
def _is_free(t: Any, dim: int, state: NDArray, is_open: int) -> bool:
    """Whether a loop over `dim` moves none of the open tiles, so that nothing can be better than to take it now."""
    for i in range(t.space.shape[0]):
        if (is_open >> i) & 1:
            if t.kind[t.space[i], dim] != IRRELEVANT:
                return False
            for z in range(state.shape[1]):
                if state[i, z, 1] != 0:
                    return False
    return True


@njit(cache=True)
def _is_twin(t: Any, dim: int, other: int, is_open: int) -> bool:
    """Whether two loops close the same open streams and slide none: either order gives the same."""
    for i in range(t.space.shape[0]):
        if (is_open >> i) & 1:
            a, b = t.kind[t.space[i], dim], t.kind[t.space[i], other]
            if a != b or a >= 0:
                return False
    return True


@njit(cache=True)
def _candidates(t: Any, order: NDArray, left: int, state: NDArray, is_open: int) -> int:
    """Bits of the loops worth trying next."""
    dims = t.size.shape[0]
    for place in range(dims):
        if order[place] < 0:
            break
        if (left >> order[place]) & 1:
            return 1 << order[place]
    bits = 0
    for d in range(dims):
        if not (left >> d) & 1:
            continue
        if _is_free(t, d, state, is_open):
            return 1 << d
        twin = False
        for other in range(d):
            if (bits >> other) & 1 and _is_twin(t, d, other, is_open):
                twin = True
        if not twin:
            bits |= 1 << d
    return bits


@njit(cache=True)
def _orders(
    t: Any, stage: Any, counts: NDArray, inside: NDArray, work: NDArray, states: NDArray, is_open: int,
    out: Any, cutoff: float, complete: int,
) -> int:  # fmt: skip
    """Every order of one level's loops that can matter, applied to one label; final costs below `cutoff` only.

    complete 1: nothing is outside these loops, so that an order which costs more than one before is left out.

    counts, inside (D,): trip counts, and extents inside the loops; work (D + 1, C) and states (D + 1, I, Z, 2) with
    the label in row 0. Rows of the batch `out` from `used` on; returns how many, -1 where there is no room for all.
    """
    dims = t.size.shape[0]
    left = 0
    for d in range(dims):
        left |= (1 if counts[d] > 1 else 0) << d
    opens = np.zeros(dims + 1, np.int64)
    remain = np.zeros(dims + 1, np.int64)
    todo = np.zeros(dims + 1, np.int64)
    codes = np.zeros(dims + 1, np.int64)
    opens[0], remain[0] = is_open, left
    todo[0] = _candidates(t, stage.order, left, states[0], is_open) if is_open else 0
    first, room = out.used[0], out.code.shape[0]
    depth, made = 0, first
    if left == 0 or is_open == 0:
        if made == room:
            return -1
        copy_row(out.val[made], work[0])
        copy_table(out.state[made], states[0])
        out.is_open[made], out.choice[made] = is_open, 0
        return 1
    while depth >= 0:
        if todo[depth] == 0:
            depth -= 1
            continue
        dim = 0
        while not (todo[depth] >> dim) & 1:
            dim += 1
        todo[depth] &= ~(1 << dim)
        copy_row(work[depth + 1], work[depth])
        copy_table(states[depth + 1], states[depth])
        now = _loop(
            t, stage.waits, dim, counts[dim], inside[dim], work[depth + 1], states[depth + 1], opens[depth]
        )
        if work[depth + 1, 0] >= cutoff:
            continue
        code = codes[depth] | (dim + 1) << (4 * depth)
        rest = remain[depth] & ~(1 << dim)
        depth += 1
        opens[depth], codes[depth], remain[depth], todo[depth] = now, code, rest, 0
        if rest == 0 or now == 0:
            if made == room:
                return -1
            copy_row(out.val[made], work[depth])
            copy_table(out.state[made], states[depth])
            out.is_open[made], out.choice[made] = now, code
            made += 1
            if complete:
                cutoff = min(cutoff, total(work[depth], 1 + t.space.shape[0]))
        else:
            todo[depth] = _candidates(t, stage.order, rest, states[depth], now)
    return made - first


@njit(cache=True)
def _start_streams(t: Any, stage: Any, tile: NDArray, val: NDArray, state: NDArray, is_open: int) -> int:
    """Open the streams into the level whose tile is now complete, equations (1) and (2) with r = m = 1."""
    streams, dims = t.space.shape[0], t.size.shape[0]
    for i in range(streams):
        if not stage.starts[i]:
            continue
        s = t.space[i]
        words = 1.0
        state[i] = 0
        for d in range(dims):
            extent = t.div[d, tile[d]]
            kind = t.kind[s, d]
            if kind == HARD:
                words *= 1 + t.coef[s, d] * (extent - 1)
            elif kind >= 0:
                state[i, kind, 0] += t.coef[s, d] * (extent - 1) + (1 if state[i, kind, 0] == 0 else 0)
            words *= t.size[d] // extent
        for z in range(state.shape[1]):
            words *= max(1, state[i, z, 0])
        val[1 + i] = words * stage.fill[i]
        if stage.waits[i]:
            val[1 + streams + s] = words * stage.read[i]
            val[1 + streams + t.kind.shape[0] + s] = 0.0
        else:
            val[1 + i] += words * stage.read[i]
        is_open |= 1 << i
    return is_open


@njit(cache=True)
def _next_target(t: Any, stage: Any, tile: NDArray, pick: NDArray, depth: int) -> tuple[int, int]:
    """Next tile that these loops can build from `tile`, dimension after dimension; (depth, code), depth -1 at the end.

    Tiles that fit are closed under division, so that a partial choice that does not fit ends a branch.
    """
    dims = t.size.shape[0]
    while depth >= 0:
        found = False
        for j in range(pick[depth] + 1, t.ndiv[depth]):
            count = t.div[depth, j] // t.div[depth, tile[depth]]
            if t.div[depth, j] % t.div[depth, tile[depth]] == 0 and (
                stage.least[depth] <= count <= stage.most[depth]
            ):
                pick[depth] = j
                found = True
                break
        code = dot(pick, t.radix)
        if not found or not stage.feasible[code]:
            pick[depth] = tile[depth]
            depth -= 1
        elif depth == dims - 1:
            return depth, code
        else:
            depth += 1
            pick[depth] = tile[depth] - 1
    return -1, 0


@njit(cache=True)
def _around(
    t: Any, stage: Any, source: Any, at: int, pick: NDArray, code: int, work: NDArray, states: NDArray,
    counts: NDArray, inside: NDArray, whole: int, batch: Any,
) -> bool:  # fmt: skip
    """One label and one target tile: all orders to the batch; False where it is full."""
    credit = work.shape[1] - 2
    copy_row(work[0], source.val[at])
    copy_table(states[0], source.state[at])
    work[0, 0] += stage.leak * work[0, credit + 1]
    cutoff = stage.limits[0] - stage.ahead[code] + (work[0, credit] + stage.credit) * stage.most_fanout
    made = _orders(t, stage, counts, inside, work, states, source.is_open[at], batch, cutoff, whole)
    if made < 0:
        return False
    for e in range(batch.used[0], batch.used[0] + made):
        batch.val[e, credit] += stage.credit
        batch.is_open[e] = _start_streams(t, stage, pick, batch.val[e], batch.state[e], batch.is_open[e])
        batch.code[e], batch.parent[e] = code, at
        copy_row(batch.tile[e], pick)
    batch.used[0] += made
    return True


@njit(cache=True)
def _hopeless(stage: Any, bound: float, share: float) -> bool:
    """Whether a label with a lower bound and 1 / parallelism so far cannot beat what is known."""
    least_share = share / stage.most_fanout
    return (
        bound >= stage.limits[0]
        or least_share > stage.limits[1]
        or (bound > 0.0 and bound * least_share >= stage.limits[2])
    )


@njit(cache=True)
def temporal(
    t: Any, stage: Any, source: Any, base: NDArray, first: NDArray, begin: int, stop: int, whole: int, batch: Any
) -> int:  # fmt: skip
    """Every choice and order of one level's temporal loops for the labels of tiles `first` (first label) begin..stop.

    base (N,) least cost of every label; whole 1: the outermost level, whose loops complete the problem. Returns the
    next tile to do, less than `stop` where the batch is full; call again with that tile.
    """
    dims = t.size.shape[0]
    work = np.zeros((dims + 1, source.val.shape[1]))
    states = np.zeros((dims + 1, *source.state.shape[1:]), np.int64)
    counts, inside, pick = np.zeros(dims, np.int64), np.zeros(dims, np.int64), np.zeros(dims, np.int64)
    share = source.val.shape[1] - 1
    for g in range(begin, stop):
        tile = source.tile[first[g]]
        least, at = np.inf, first[g]
        while at >= 0:
            least, at = min(least, base[at]), source.follow[at]
        for d in range(dims):
            inside[d] = t.div[d, tile[d]]
        depth, at = batch.place[0], batch.place[1]
        copy_row(pick, batch.place[2:] if depth >= 0 else tile)
        pick[0] -= 1 if depth < 0 else 0
        again = depth >= 0
        depth = max(0, depth)
        while depth >= 0:
            if whole:
                for d in range(dims):
                    pick[d] = t.ndiv[d] - 1
                code = dot(pick, t.radix)
            elif not again:
                depth, code = _next_target(t, stage, tile, pick, depth)
                if depth < 0:
                    break
            else:
                code = dot(pick, t.radix)
            at = at if again else first[g]
            again = False
            for d in range(dims):
                counts[d] = t.div[d, pick[d]] // inside[d]
            allowed = least + stage.ahead[code] < stage.limits[0]
            if whole:
                for d in range(dims):
                    allowed = allowed and stage.least[d] <= counts[d] <= stage.most[d]
            while allowed and at >= 0:
                if not _hopeless(stage, base[at] + stage.ahead[code], source.val[at, share]) and not _around(
                    t, stage, source, at, pick, code, work, states, counts, inside, whole, batch
                ):
                    batch.place[0], batch.place[1] = depth, at
                    copy_row(batch.place[2:], pick)
                    return g
                at = source.follow[at]
            if whole:
                break
        batch.place[0] = -1
    return stop


@njit(cache=True)
def outermost(t: Any, inner: Any, outer: Any, fits: NDArray, batch: Any) -> NDArray:
    """Least cost (tiles,) of the streams that start at each tile held below the outermost level, over its orders.

    `inner` starts the streams, `outer` is the outermost level; -1 where the batch has no room for all orders.
    """
    dims = t.size.shape[0]
    least = np.full(fits.shape[0], np.inf)
    work = np.zeros((dims + 1, batch.val.shape[1]))
    states = np.zeros((dims + 1, *batch.state.shape[1:]), np.int64)
    counts, inside, tile = np.zeros(dims, np.int64), np.zeros(dims, np.int64), np.zeros(dims, np.int64)
    batch.used[0] = 0
    for code in range(fits.shape[0]):
        if not fits[code]:
            continue
        for d in range(dims):
            tile[d] = code // t.radix[d] % t.ndiv[d]
            inside[d] = t.div[d, tile[d]]
            counts[d] = t.size[d] // inside[d]
        work[0], states[0] = 0.0, 0
        is_open = _start_streams(t, inner, tile, work[0], states[0], 0)
        made = _orders(t, outer, counts, inside, work, states, is_open, batch, np.inf, 1)
        if made < 0:
            least[code] = -1.0
        for e in range(made):
            least[code] = min(least[code], total(batch.val[e], 1 + t.space.shape[0]))
    return least
