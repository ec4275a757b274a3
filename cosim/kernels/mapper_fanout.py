"""A fan-out around partial mappings: the children of every instance of a level, and what multicast saves.

Labels are explained in the kernel of the labels. Children whose tiles start at the same address want the same words,
so one read serves them all (Parashar et al., ISPASS 2019, section V). The number of different tiles is the product
over the axes of the number of different offsets; two dimensions with n and m children share an axis with steps a and b:

    (1) offsets = n * m - max(0, n - b / g) * max(0, m - a / g)        g = gcd(a, b)

Results go to a batch; where it is full the kernel returns, and goes on at the same place when it is called again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from cosim.kernels.rows import copy_row, copy_table, total

NDArray = np.ndarray

IRRELEVANT = -1
HARD = -2


@njit(cache=True)
def _same_words(t: Any, s: int, tile: NDArray, across: NDArray) -> int:
    """Children that want different words of space s, equation (1)."""
    groups = 1
    for d in range(t.size.shape[0]):
        kind = t.kind[s, d]
        if kind == HARD:
            groups *= across[d]
        if kind < 0:
            continue
        other = t.partner[s, d]
        if other > d:
            n, m = across[d], across[other]
            a, b = t.coef[s, d] * t.div[d, tile[d]], t.coef[s, other] * t.div[other, tile[other]]
            g, rest = a, b
            while rest:
                g, rest = rest, g % rest
            groups *= n * m - max(0, n - b // g) * max(0, m - a // g)
    return groups


@njit(cache=True)
def _spread(
    t: Any,
    stage: Any,
    tile: NDArray,
    across: NDArray,
    multicast: int,
    output: NDArray,
    val: NDArray,
    is_open: int,
) -> None:
    """Put a fan-out around a label, in place: multicast of waiting reads, credit, parallelism."""
    streams, spaces = t.space.shape[0], t.kind.shape[0]
    credit, share = 1 + streams + 2 * spaces, 2 + streams + 2 * spaces
    children = across.prod()
    val[share] /= children
    val[0] += stage.leak * val[share]
    for s in range(spaces):
        factor = children / _same_words(t, s, tile, across)
        if output[s]:
            val[credit] *= factor
        if multicast:
            val[1 + streams + s] /= factor
            val[1 + streams + spaces + s] /= factor
    for i in range(streams):
        if stage.settles[i]:
            open_part, final_part = 1 + streams + t.space[i], 1 + streams + spaces + t.space[i]
            if (is_open >> i) & 1:
                val[1 + i] += val[open_part]
            val[0] += val[final_part]
            val[open_part], val[final_part] = 0.0, 0.0


@njit(cache=True)
def _target(t: Any, tile: NDArray, across: NDArray, target: NDArray) -> int:
    """Tile of all children together into `target`; its code, -1 where the children do not divide what is left."""
    code = 0
    for d in range(t.size.shape[0]):
        extent = t.div[d, tile[d]] * across[d]
        target[d] = t.index_of[d, extent] if extent <= t.size[d] else -1
        if target[d] < 0:
            return -1
        code += target[d] * t.radix[d]
    return code


@njit(cache=True)
def spatial(
    t: Any, stage: Any, source: Any, first: NDArray, begin: int, stop: int, choices: NDArray, multicast: int,
    output: NDArray, batch: Any,
) -> int:  # fmt: skip
    """Every spatial choice of one fan-out for the labels of tiles `first` (first label) begin..stop.

    choices (K, D) children along every dimension; output (S,) 1 for outputs. Returns the next tile to do, less than
    `stop` where the batch is full; call again with that tile.
    """
    streams, spaces = t.space.shape[0], t.kind.shape[0]
    credit, final = 1 + streams + 2 * spaces, 1 + streams + spaces
    target = np.zeros(t.size.shape[0], np.int64)
    for g in range(begin, stop):
        start = max(0, batch.place[0])
        for k in range(start, choices.shape[0]):
            code = _target(t, source.tile[first[g]], choices[k], target)
            if code < 0 or not stage.feasible[code]:
                continue
            children = choices[k].prod()
            at = batch.place[1] if batch.place[0] == k else first[g]
            while at >= 0:
                val = source.val[at]
                least = val[0] + stage.ahead[code] - val[credit] * children * stage.most_fanout
                least += total(val[final:], spaces) / (children * stage.most_fanout)
                if least < stage.limits[0]:
                    row = batch.used[0]
                    if row == batch.code.shape[0]:
                        batch.place[0], batch.place[1] = k, at
                        return g
                    copy_row(batch.val[row], val)
                    copy_table(batch.state[row], source.state[at])
                    copy_row(batch.tile[row], target)
                    batch.code[row], batch.is_open[row] = code, source.is_open[at]
                    batch.parent[row], batch.choice[row] = at, k
                    _spread(
                        t, stage, source.tile[first[g]], choices[k], multicast, output, batch.val[row],
                        source.is_open[at],
                    )  # fmt: skip
                    batch.used[0] = row + 1
                at = source.follow[at]
        batch.place[0] = -1
    return stop
