"""Choices layer by layer as integer programs: bit widths, memory technologies, machines.

    minimise   sum_l sum_o cost[l, o] x[l, o]                                                    (Eq. 1)
    subject to sum_o x[l, o] = 1 for every layer,  sum_l sum_o use_r[l, o] x[l, o] <= bound_r,  x in {0, 1}

with x equal for layers that are tied to each other. Bit widths in this form: Yao et al., "HAWQ-V3: Dyadic Neural
Network Quantization", ICML 2021, arXiv:2011.10680, Eq. 10. Solved by HiGHS (Huangfu and Hall, Math. Prog. Comp. 10,
2018, doi:10.1007/s12532-017-0130-5) through scipy; the gap that is left between the solution and the proven bound is
part of every answer.

Placement on machines adds transfers: a result that a layer on another machine reads is sent there once,

    w[u, m] >= x[v, m] - x[u, m]   for every reader v of u                                       (Eq. 2)

and costs its bytes over the rate of the link, plus the link's latency.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosim.results.files import OutputError

TIME_LIMIT_S = 60.0
GAP = 1e-9

Table = NDArray[np.float64]


@dataclass(frozen=True)
class Limit:
    """``sum use[l, chosen] <= bound``."""

    name: str
    use: Table
    bound: float

    @property
    def ends(self) -> tuple[float, float]:
        """Use with the least and with the most demanding option everywhere."""
        return float(self.use.min(axis=1).sum()), float(self.use.max(axis=1).sum())

    @classmethod
    def between(cls, name: str, use: Table, share: float) -> Limit:
        """A bound at ``share`` of the way from the least to the most demanding choice."""
        low, high = float(use.min(axis=1).sum()), float(use.max(axis=1).sum())
        return cls(name, use, low + share * (high - low))


@dataclass(frozen=True)
class Transfers:
    """Who reads whose result: ``readers[i]`` are the layers that read producer ``producers[i]``.

    ``cost[i]`` is what it costs to send that result to another machine. A producer or reader of -1 is the outside,
    which is on machine 0.
    """

    producers: tuple[int, ...]
    readers: tuple[tuple[int, ...], ...]
    cost: Table


@dataclass(frozen=True)
class Allocation:
    """A solved program.

    ``chosen`` has the option of every layer; ``objective`` its cost (with transfers), ``bound`` the proven lower
    bound and ``gap`` what is left between them, relative. ``transfer_cost`` is the part of the objective that is
    transfers; ``uses`` maps a limit to what is used of it.
    """

    chosen: NDArray[np.int64]
    objective: float
    bound: float
    gap: float
    transfer_cost: float = 0.0
    uses: dict[str, tuple[float, float]] = field(default_factory=dict)


def allocate(
    cost: Table,
    limits: Sequence[Limit] = (),
    ties: Sequence[tuple[int, int]] = (),
    transfers: Transfers | None = None,
) -> Allocation:
    """Solve Eq. 1 (and Eq. 2) for ``cost`` of shape (layers, options); infinite costs are options that do not exist.

    Raises :class:`OutputError` where nothing meets the limits, or a layer has no option.
    """
    layers, options = cost.shape
    possible = np.isfinite(cost)
    if not possible.any(axis=1).all():
        without = int(np.flatnonzero(~possible.any(axis=1))[0])
        raise OutputError(f"layer number {without} has no option that it fits")
    # HiGHS works with absolute tolerances, so costs are brought to the order of one.
    scale = float(np.where(possible, np.abs(cost), 0.0).max()) or 1.0
    extra = 0 if transfers is None else len(transfers.producers) * options
    objective = np.concatenate([np.where(possible, cost / scale, 0.0).ravel(), np.zeros(extra)])
    if transfers is not None:
        objective[layers * options :] = np.repeat(transfers.cost / scale, options)
    program = _Program(layers, options, layers * options + extra)
    program.one_option_each()
    for limit in limits:
        program.limit(limit)
    for first, second in ties:
        program.tie(first, second)
    if transfers is not None:
        program.send(transfers)
    result = program.solve(objective, possible)
    chosen = np.argmax(result.x[: layers * options].reshape(layers, options), axis=1).astype(np.int64)
    picked = float(cost[np.arange(layers), chosen].sum())
    moved = 0.0 if transfers is None else sent(transfers, chosen)
    total = picked + moved
    bound = float(result.mip_dual_bound) * scale
    return Allocation(
        chosen=chosen,
        objective=total,
        bound=bound,
        gap=max(0.0, (total - bound) / abs(total)) if total else 0.0,
        transfer_cost=moved,
        uses={
            limit.name: (float(limit.use[np.arange(layers), chosen].sum()), limit.bound) for limit in limits
        },
    )


def sent(transfers: Transfers, chosen: NDArray[np.int64]) -> float:
    """Cost of the transfers of an allocation: each result once to every machine that reads it and lacks it."""
    total = 0.0
    for producer, readers, cost in zip(transfers.producers, transfers.readers, transfers.cost, strict=True):
        home = _machine(chosen, producer)
        total += float(cost) * len({_machine(chosen, reader) for reader in readers} - {home})
    return total


def _machine(chosen: NDArray[np.int64], layer: int) -> int:
    return 0 if layer < 0 else int(chosen[layer])


class _Program:
    """Rows of the constraint matrix, collected as triplets."""

    def __init__(self, layers: int, options: int, variables: int) -> None:
        self.layers, self.options, self.variables = layers, options, variables
        self.entries: list[tuple[int, int, float]] = []
        self.low: list[float] = []
        self.high: list[float] = []

    def row(self, terms: Sequence[tuple[int, float]], low: float, high: float) -> None:
        self.entries += [(len(self.low), column, value) for column, value in terms]
        self.low.append(low)
        self.high.append(high)

    def one_option_each(self) -> None:
        for layer in range(self.layers):
            self.row([(layer * self.options + o, 1.0) for o in range(self.options)], 1.0, 1.0)

    def limit(self, limit: Limit) -> None:
        use = np.where(np.isfinite(limit.use), limit.use, 0.0).ravel()
        scale = float(np.abs(use).max()) or 1.0
        self.row([(i, float(v) / scale) for i, v in enumerate(use)], -np.inf, limit.bound / scale)

    def tie(self, first: int, second: int) -> None:
        for option in range(self.options):
            columns = first * self.options + option, second * self.options + option
            self.row([(columns[0], 1.0), (columns[1], -1.0)], 0.0, 0.0)

    def send(self, transfers: Transfers) -> None:
        start = self.layers * self.options
        for index, (producer, readers) in enumerate(zip(transfers.producers, transfers.readers, strict=True)):
            for machine in range(self.options):
                terms: list[tuple[int, float]] = [(start + index * self.options + machine, 1.0)]
                bound = 0.0
                if producer >= 0:
                    terms.append((producer * self.options + machine, 1.0))
                elif machine == 0:
                    bound -= 1.0
                for reader in dict.fromkeys(readers):
                    if reader >= 0:
                        self.row([*terms, (reader * self.options + machine, -1.0)], bound, np.inf)
                    elif machine == 0:
                        self.row(terms, bound + 1.0, np.inf)

    def solve(self, objective: Table, possible: NDArray[np.bool_]) -> Any:
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import csr_array

        rows, columns, values = zip(*self.entries, strict=True)
        matrix = csr_array((values, (rows, columns)), shape=(len(self.low), self.variables))
        upper = np.ones(self.variables)
        upper[: possible.size] = possible.ravel()
        whole = np.zeros(self.variables, dtype=np.int64)
        whole[: possible.size] = 1
        result = milp(
            objective,
            constraints=LinearConstraint(matrix, self.low, self.high),
            bounds=Bounds(np.zeros(self.variables), upper),
            integrality=whole,
            options={"time_limit": TIME_LIMIT_S, "mip_rel_gap": GAP},
        )
        if result.x is None:
            raise OutputError(f"no choice of options meets all limits ({result.message})")
        return result
