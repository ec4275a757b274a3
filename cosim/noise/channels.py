"""What goes wrong in a memory: each cause of bit errors as a frozen record that yields passes over stored words.

Rates are probabilities a stored bit or cell and event; anything outside [0, 1] is refused. ``persistence`` says which
event draws the errors anew: none (a stuck cell), a write, or a read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cosim.noise import retention
from cosim.noise.formats import StorageFormat, bit_masks, cell_shifts
from cosim.noise.inject import BitPass, CellPass, Pass, Persistence, StuckPass

PATTERN_NAMES = "00, 01, 10, 11"


def require_rate(what: str, rate: float) -> float:
    """The rate, or ValueError when it is not a probability."""
    if not 0.0 <= rate <= 1.0:
        raise ValueError(f"{what}: rate {rate} is outside [0, 1]")
    return float(rate)


def require_field(technology: object, field: str, needed_by: str) -> Any:
    """A field of a technology record (mapping or object). ValueError, naming what is there, when it is missing."""
    if isinstance(technology, dict):
        name, value = technology.get("name", "unnamed"), technology.get(field)
        known = sorted(str(k) for k, v in technology.items() if v is not None)
    else:
        name, value = getattr(technology, "name", "unnamed"), getattr(technology, field, None)
        known = sorted(k for k, v in vars(technology).items() if v is not None)
    if value is None:
        raise ValueError(
            f"technology {name!r} has no field {field!r}, which {needed_by} needs; it has: {', '.join(known)}"
        )
    return value


@dataclass(frozen=True)
class UniformFlips:
    """Every stored bit (or those at ``positions`` of each value) flips with the same rate."""

    rate: float
    positions: tuple[int, ...] | None = None
    persistence: Persistence = "persistent"

    def __post_init__(self) -> None:
        require_rate("uniform flips", self.rate)

    def passes(self, fmt: StorageFormat) -> tuple[Pass, ...]:
        """One pass."""
        return (BitPass(bit_masks(fmt, self.positions), self.rate, self.rate),)


@dataclass(frozen=True)
class PositionFlips:
    """A rate for each bit position of a value, ``rates[0]`` for the lowest. Equal rates share a pass."""

    rates: tuple[float, ...]
    persistence: Persistence = "persistent"

    def __post_init__(self) -> None:
        for position, rate in enumerate(self.rates):
            require_rate(f"flips at bit {position}", rate)

    def passes(self, fmt: StorageFormat) -> tuple[Pass, ...]:
        """One pass a distinct rate above zero."""
        if len(self.rates) != fmt.bits:
            raise ValueError(f"{len(self.rates)} bit rates given; {fmt.name} has {fmt.bits} bits")
        groups = {
            rate: [p for p, r in enumerate(self.rates) if r == rate] for rate in dict.fromkeys(self.rates)
        }
        return tuple(
            BitPass(bit_masks(fmt, tuple(at)), rate, rate) for rate, at in groups.items() if rate > 0.0
        )


@dataclass(frozen=True)
class AsymmetricFlips:
    """A 0 turns to 1 with one rate, a 1 to 0 with another."""

    rate_zero_to_one: float
    rate_one_to_zero: float
    positions: tuple[int, ...] | None = None
    persistence: Persistence = "persistent"

    def __post_init__(self) -> None:
        require_rate("flips 0 to 1", self.rate_zero_to_one)
        require_rate("flips 1 to 0", self.rate_one_to_zero)

    def passes(self, fmt: StorageFormat) -> tuple[Pass, ...]:
        """One pass, thinned by the stored value."""
        return (BitPass(bit_masks(fmt, self.positions), self.rate_zero_to_one, self.rate_one_to_zero),)


@dataclass(frozen=True)
class SoftHardFlips:
    """The two junctions of a 2-bit cell fail at their own rates; ``hard_is_msb`` says which bit the hard one holds.

    Series MLC STT-RAM at 32 nm with a junction area ratio of 2: about 1.5e-8 soft and 3.5e-3 hard (W. Wen's error
    characterisation of MLC STT-RAM).
    """

    soft_rate: float
    hard_rate: float
    hard_is_msb: bool = True
    persistence: Persistence = "persistent"

    def passes(self, fmt: StorageFormat) -> tuple[Pass, ...]:
        """One pass a kind of junction."""
        if fmt.bits % 2:
            raise ValueError(
                f"soft and hard bits: {fmt.name} has {fmt.bits} bits, no whole number of 2-bit cells"
            )
        pair = (self.soft_rate, self.hard_rate) if self.hard_is_msb else (self.hard_rate, self.soft_rate)
        return PositionFlips(pair * (fmt.bits // 2), self.persistence).passes(fmt)


@dataclass(frozen=True)
class StateConfusion:
    """A cell stored in state s is found in state t with probability ``matrix[s][t]``; rows sum to 1, L = 2, 4, 16."""

    matrix: tuple[tuple[float, ...], ...]
    persistence: Persistence = "persistent"

    def __post_init__(self) -> None:
        states = len(self.matrix)
        if states not in (2, 4, 16) or any(len(row) != states for row in self.matrix):
            raise ValueError(
                f"confusion: rows of lengths {[len(r) for r in self.matrix]}; a square table of 2, 4 or 16 is needed"
            )
        for state, row in enumerate(self.matrix):
            for target, value in enumerate(row):
                require_rate(f"confusion of state {state} with {target}", value)
            if abs(sum(row) - 1.0) > 1e-9:
                raise ValueError(f"confusion: the row of state {state} sums to {sum(row)}, not to 1")

    def passes(self, fmt: StorageFormat) -> tuple[Pass, ...]:
        """One pass over the cells."""
        bits = (len(self.matrix) - 1).bit_length()
        return (CellPass(cell_shifts(fmt, bits), np.array(self.matrix, np.float64)),)


@dataclass(frozen=True)
class PatternErrors:
    """A 2-bit cell errs at the rate of its pattern: one of its bits flips, the soft one with ``soft_share``."""

    rates: tuple[float, ...]
    soft_share: float = 0.5
    hard_is_msb: bool = True
    persistence: Persistence = "persistent"

    def __post_init__(self) -> None:
        if len(self.rates) != 4:
            raise ValueError(
                f"pattern errors: {len(self.rates)} rates given; a 2-bit cell has four patterns ({PATTERN_NAMES})"
            )
        for pattern, rate in enumerate(self.rates):
            require_rate(f"errors of pattern {pattern:02b}", rate)
        require_rate("share of errors in the soft bit", self.soft_share)

    def confusion(self) -> StateConfusion:
        """The same as a table of states."""
        low = self.soft_share if self.hard_is_msb else 1.0 - self.soft_share
        table = np.eye(4)
        for pattern, rate in enumerate(self.rates):
            table[pattern, pattern] = 1.0 - rate
            table[pattern, pattern ^ 1] += rate * low
            table[pattern, pattern ^ 2] += rate * (1.0 - low)
        return StateConfusion(tuple(map(tuple, table.tolist())), self.persistence)

    def passes(self, fmt: StorageFormat) -> tuple[Pass, ...]:
        """One pass over the cells."""
        return self.confusion().passes(fmt)


def level_shift(
    up: Sequence[float], down: Sequence[float], levels: Sequence[int], persistence: Persistence = "persistent"
) -> StateConfusion:
    """Errors to the neighbouring resistance level (ReRAM, PCM).

    ``levels``: the state held by each level, lowest resistance first (a Gray order or the natural one). ``up[i]``,
    ``down[i]``: rate at which level i is found one higher, one lower; the outer entries that lead nowhere must be 0.
    """
    states = len(levels)
    if len(up) != states or len(down) != states or sorted(levels) != list(range(states)):
        raise ValueError(f"level shift: {len(up)} up and {len(down)} down rates for levels {list(levels)}")
    if up[-1] != 0.0 or down[0] != 0.0:
        raise ValueError(
            f"level shift: the top level cannot rise ({up[-1]}) nor the bottom one fall ({down[0]})"
        )
    table = np.eye(states)
    for i, state in enumerate(levels):
        table[state, state] -= up[i] + down[i]
        if i + 1 < states:
            table[state, levels[i + 1]] = up[i]
        if i > 0:
            table[state, levels[i - 1]] = down[i]
    return StateConfusion(tuple(map(tuple, table.tolist())), persistence)


@dataclass(frozen=True)
class StuckAt:
    """A share of the cells that cannot change, fixed by seed and tensor (the place in memory)."""

    rate: float
    share_of_ones: float
    positions: tuple[int, ...] | None = None
    persistence: Persistence = "permanent"

    def __post_init__(self) -> None:
        require_rate("stuck cells", self.rate)
        require_rate("share of cells stuck at one", self.share_of_ones)

    def passes(self, fmt: StorageFormat) -> tuple[Pass, ...]:
        """One pass."""
        return (StuckPass(bit_masks(fmt, self.positions), self.rate, self.share_of_ones),)


@dataclass(frozen=True)
class RetentionFlips:
    """Cells that have switched since they were written: age, stability (with spread), attempt time.

    ``temperature_k`` scales a stability that was given at ``delta_at_k``.
    """

    age_s: float
    delta: float
    delta_sigma: float = 0.0
    tau0_s: float = retention.ATTEMPT_TIME_S
    delta_at_k: float = 300.0
    temperature_k: float = 300.0
    persistence: Persistence = "persistent"

    @property
    def rate(self) -> float:
        """Chance a bit."""
        scale = retention.delta_at_temperature(1.0, self.delta_at_k, self.temperature_k)
        return retention.spread_failure(self.delta * scale, self.delta_sigma * scale, self.age_s, self.tau0_s)

    def passes(self, fmt: StorageFormat) -> tuple[Pass, ...]:
        """One pass."""
        return UniformFlips(self.rate, None, self.persistence).passes(fmt)


@dataclass(frozen=True)
class ReadDisturb:
    """Bits switched by ``reads`` reads since the last write. The read current pushes one way: only ones turn to zero.

    The direction follows the observation that read disturb strikes one state only (doi 10.1109/tmag.2019.2905523).
    """

    delta: float
    current_ratio: float
    pulse_s: float
    reads: float
    tau0_s: float = retention.ATTEMPT_TIME_S
    persistence: Persistence = "persistent"

    @property
    def rate(self) -> float:
        """Chance that a stored one has been lost."""
        once = retention.read_disturb(self.delta, self.current_ratio, self.pulse_s, self.tau0_s)
        return retention.accumulated(once, self.reads)

    def passes(self, fmt: StorageFormat) -> tuple[Pass, ...]:
        """One pass."""
        return AsymmetricFlips(0.0, self.rate, None, self.persistence).passes(fmt)
