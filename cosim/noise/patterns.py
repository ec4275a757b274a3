"""Pattern counts of stored words, and what reading and writing those patterns costs.

Two cost models, which rank encodings differently. *Content*: a cell costs by the pattern it holds, as when the hard
patterns 01 and 10 of a series MLC need a second pulse; with the cheap patterns as unit,

    E = 1 + delta * h                                                                      (1)

a cell, where h is the share of hard cells. *Transition*: a write costs by what changes. Naming the two magnetic
junctions of a cell hard and soft, a write is ZT (nothing changes), ST (soft pulse only), HT (hard pulse, which
drives the soft junction to the same value) or TT (hard, then soft pulse): the classes of the two-step MLC literature
(e.g. doi 10.1109/tc.2020.3014361).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cosim.kernels import encode_patterns
from cosim.noise.formats import StorageFormat, Words

HARD_PATTERNS = (1, 2)


@dataclass(frozen=True)
class PatternHistogram:
    """``counts`` [cells a word, 4]: how often each 2-bit pattern stands in each cell position, cell 0 on top."""

    counts: npt.NDArray[np.int64]

    @property
    def total(self) -> int:
        """Cells counted."""
        return int(self.counts.sum())

    @property
    def shares(self) -> npt.NDArray[np.float64]:
        """Share of each pattern over all cells [4]."""
        return np.asarray(self.counts.sum(axis=0) / max(self.total, 1))

    @property
    def position_shares(self) -> npt.NDArray[np.float64]:
        """Share of each pattern in each cell position [cells, 4]."""
        return np.asarray(self.counts / np.maximum(self.counts.sum(axis=1, keepdims=True), 1))

    @property
    def hard_share(self) -> float:
        """h, the share of cells that hold 01 or 10."""
        return float(self.shares[list(HARD_PATTERNS)].sum())


def _lanes(words: Words) -> tuple[npt.NDArray[np.uint64], int]:
    """The words as 64-bit lanes, and how many zero words were added at the end to fill the last one."""
    per_lane = 8 // words.itemsize
    missing = -words.size % per_lane
    words = np.ascontiguousarray(words)
    if missing:
        words = np.concatenate([words, np.zeros(missing, words.dtype)])
    return words.view(np.uint64), missing


def pattern_histogram(words: Words, fmt: StorageFormat) -> PatternHistogram:
    """Count the 2-bit patterns of ``words`` (1-d, row of stored words). ValueError if the stored bits are odd."""
    if fmt.stored_bits_per_word % 2:
        raise ValueError(
            f"{fmt.name} stores {fmt.stored_bits_per_word} bits a word: no whole number of 2-bit cells"
        )
    lanes, padding = _lanes(words)
    sums = np.zeros((32, 3), np.int64)
    encode_patterns.pair_sums(lanes, sums)
    per_word = fmt.word_bits // 2
    low, high, both = sums.reshape(32 // per_word, per_word, 3).sum(axis=0).T
    none = words.size + padding - low - high + both
    counts = np.stack([none - padding, low - both, high - both, both], axis=1)
    return PatternHistogram(counts[: fmt.stored_bits_per_word // 2][::-1].copy())


def transition_counts(old: Words, new: Words) -> npt.NDArray[np.int64]:
    """``counts`` [4, 4]: cells that go from pattern (row) to pattern (column) when ``new`` overwrites ``old``."""
    if old.shape != new.shape or old.dtype != new.dtype:
        raise ValueError(
            f"old {old.dtype}{old.shape} and new {new.dtype}{new.shape} content differ in shape or type"
        )
    before, padding = _lanes(old)
    after, _ = _lanes(new)
    counts: npt.NDArray[np.int64] = encode_patterns.pair_transitions(before, after)
    counts[0, 0] -= padding * old.itemsize * 4
    return counts


def cell_tables(permutation: npt.NDArray[np.uint8], fmt: StorageFormat) -> Words:
    """Byte look-up tables [bytes a word, 256] that send pattern p of cell k to state permutation[k, p] (cell 0 top)."""
    cells = permutation.shape[0]
    byte = np.arange(256, dtype=np.uint64)
    tables = np.zeros((fmt.word_bits // 8, 256), np.uint64)
    for cell in range(cells):
        shift = 2 * (cells - 1 - cell)
        row, local = divmod(shift, 8)
        pattern = (byte >> np.uint64(local)) & np.uint64(3)
        tables[row] |= permutation[cell].astype(np.uint64)[pattern] << np.uint64(shift)
    return tables.astype(fmt.word_type)


@dataclass(frozen=True)
class ContentCost:
    """Cost of accessing a cell by the pattern it holds, and of one bit of metadata (kept in a cheap single-level cell).

    Relative units: the cheap patterns cost 1.
    """

    pattern_cost: tuple[float, float, float, float]
    metadata_bit_cost: float = 1.0

    def __post_init__(self) -> None:
        if len(self.pattern_cost) != 4 or min(self.pattern_cost) < 0:
            raise ValueError(f"content cost: {self.pattern_cost}; four costs, none negative, are needed")

    @classmethod
    def from_delta(cls, delta: float) -> "ContentCost":
        """Equation 1: the hard patterns cost 1 + delta."""
        return cls((1.0, 1.0 + delta, 1.0 + delta, 1.0))

    def cells(self, histogram: PatternHistogram) -> float:
        """Cost of accessing every counted cell once."""
        return float(histogram.counts.sum(axis=0) @ np.array(self.pattern_cost))


@dataclass(frozen=True, eq=False)
class TransitionCost:
    """Cost of a write by cell transition: ``matrix`` [4, 4], row = old pattern, column = new."""

    matrix: npt.NDArray[np.float64]
    metadata_bit_cost: float = 1.0

    def __post_init__(self) -> None:
        if self.matrix.shape != (4, 4) or not (self.matrix >= 0).all():
            raise ValueError(
                f"transition cost: a 4 x 4 matrix, none negative, is needed; found {self.matrix.shape}"
            )

    @classmethod
    def from_pulses(cls, soft: float, hard: float, hard_is_msb: bool = True) -> "TransitionCost":
        """ZT 0, ST ``soft``, HT ``hard``, TT ``hard + soft``. The hard junction holds the upper bit of a pair, or
        the lower one: a convention of the wiring."""
        kinds = transition_kinds(hard_is_msb)
        return cls(np.array([0.0, soft, hard, hard + soft])[kinds])

    def cells(self, counts: npt.NDArray[np.int64]) -> float:
        """Cost of the counted transitions."""
        return float((counts * self.matrix).sum())


def transition_kinds(hard_is_msb: bool = True) -> npt.NDArray[np.int64]:
    """Kind of each transition [4, 4]: 0 ZT, 1 ST, 2 HT, 3 TT."""
    pattern = np.arange(4)
    hard, soft = (pattern >> 1, pattern & 1) if hard_is_msb else (pattern & 1, pattern >> 1)
    hard_turns = hard[:, None] != hard[None, :]
    soft_turns = soft[:, None] != soft[None, :]
    two_step = np.broadcast_to(hard != soft, (4, 4))
    return np.where(hard_turns, np.where(two_step, 3, 2), np.where(soft_turns, 1, 0)).astype(np.int64)
